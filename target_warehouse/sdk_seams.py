"""The SDK's private methods that the loader alone replaces, here and in no other of its modules.

A test holds the loader's way of a record equal to the SDK's own path, on the pinned release.
"""

from __future__ import annotations

import abc
import contextlib
import datetime as dt
import functools
import gzip
import typing as t
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
from singer_sdk.helpers._batch import StorageTarget

from automate_api.errors import AutomateError, ConfigError, StoppedError
from automate_singer.errors import InputError
from automate_singer.sdk_seams import Message, PipeTarget, Record
from target_warehouse.adoption import records

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singer_sdk.mapper import StreamMap

    from target_warehouse.lines import RecordLines
    from target_warehouse.sink import WarehouseSink

FORMATS: t.Final = {
    "jsonl": ("gzip", "none", None),
    "parquet": ("gzip", "none", "snappy", "zstd", None),
}
"""Formats of batch files, and how a message may say that they are packed: a Parquet file says so
itself.
"""

ARROW_ROWS: t.Final = 8_192
"""Rows of a Parquet file that are taken at a time."""

ARROW_BYTES: t.Final = 16 << 20
"""Bytes that these rows may have together; the wider a file's rows are, the fewer are taken."""

READ_BYTES: t.Final = 1 << 20
"""Bytes that are read of a file at a time: lines, or a column of a row group, which may be as large
as the file.

Measured, 60 k rows of 20 kB in one group: 244 MB at the peak, 782 where its columns come whole.
"""


class SeamedTarget(PipeTarget["WarehouseSink"], abc.ABC):
    """A target whose records go to sinks and batch files are read, and whose STATE follows commits.

    A signal ends it at once: what is not committed is undone. DuckDB turns what the handler raises
    during a query into an error of its own, and Python drops what it raises inside a finalizer, so
    `stopped` counts as well.

    Attributes:
        file_bytes: Bytes of batch files that were taken so far.
    """

    left_by_error = "nothing of the batch was kept"

    def __init__(self, **options: t.Any) -> None:  # noqa: ANN401 - `CommandTarget` names them
        """Start without streams.

        Args:
            options: As `CommandTarget` takes them.
        """
        self._aliases: dict[str, dict[str, t.Any]] = {}
        self._lines: tuple[RecordLines, WarehouseSink] | None = None
        self._bookmarks: dict[str, list[str]] = {}
        self.file_bytes = 0
        super().__init__(**options)
        self.message_reader.take_lines = self.take_lines

    @abc.abstractmethod
    def drain(self) -> None:
        """Commit everything that was taken, then write the STATE that stands for it."""

    @abc.abstractmethod
    def rows_taken(self, count: int, take: Callable[[int, int], None], size: int = 0) -> None:
        """Have rows taken that came together, draining when it is time.

        Args:
            count: How many there are.
            take: Gives those from one place to another to their sink.
            size: Bytes that they have in memory, when they came in a batch file; they are added to
                `file_bytes`.
        """

    def take_lines(self, lines: bytes, start: int) -> int:
        """Take lines that are RECORDs of the stream of the last one.

        Args:
            lines: Whole lines.
            start: The place of the first that is still to be read.

        Returns:
            The end of what was taken; 0 when the next line is to be read alone.
        """
        if self._lines is None:
            return 0
        reader, sink = self._lines
        rows, end = reader.take(lines, start)
        if rows:
            self.rows_taken(len(rows), lambda first, last: sink.take_rows(rows[first:last]))
        return end

    def active_sinks(self) -> list[WarehouseSink]:
        """List the sinks that records may still come for."""
        return [t.cast("WarehouseSink", sink) for sink in self._sinks_active.values()]

    def commit(self) -> None:
        """Commit everything that was taken, and write no STATE yet."""
        for sink in (*self._sinks_to_clear, *self._sinks_active.values()):
            self.drain_one(sink)

    def write_latest_state(self) -> None:
        """Write the last STATE that came, if any did; all before it has to be committed."""
        if self._latest_state:
            self.write_state(self._latest_state)

    def interrupt(self, stopped: StoppedError) -> None:
        """Raise a signal's error wherever the loader is.

        Args:
            stopped: The error.
        """
        raise stopped

    def schema_changes(self, stream: str) -> None:  # noqa: ARG002 - the hook's signature
        """Commit what came under the SCHEMA so far.

        Args:
            stream: Not used.
        """
        self._lines = None
        self.drain()

    def open_stream(self, stream: str, stream_map: StreamMap) -> None:
        """Make the stream's table fit, under the name that its stream map gives it.

        Args:
            stream: As the tap names it.
            stream_map: One of its maps.

        Raises:
            ConfigError: When it would share its name with another stream of different columns, one
                of which would lose fields.
        """
        self._lines = None
        alias = stream_map.stream_alias
        shape = (stream_map.transformed_schema, stream_map.transformed_key_properties)
        owners = self._aliases.setdefault(alias, {})
        owners[stream] = shape
        for other, others in owners.items():
            if others != shape:
                msg = (
                    f"The stream maps give the streams {other!r} and {stream!r} one name, "
                    f"{alias!r}, but their schemas or keys differ. Give them different names"
                )
                raise ConfigError(msg)
        sink = self.get_sink(alias, schema=shape[0], key_properties=shape[1])
        t.cast("WarehouseSink", sink).make_table(self._bookmarks.get(stream, ()))

    def route(self, stream_map: StreamMap) -> WarehouseSink:
        """Find the sink that was made when the stream was opened.

        Args:
            stream_map: One of the stream's maps.

        Returns:
            The sink.
        """
        return t.cast("WarehouseSink", self.get_sink(stream_map.stream_alias))

    def take(self, sink: WarehouseSink, record: Record, message: Message) -> None:
        """Give a record to its sink.

        Args:
            sink: The sink.
            record: The record; columns of the SDK's are added to it if the settings say so.
            message: A RECORD or BATCH, with the version if there is one.
        """
        if sink.adds_metadata:
            context = {"batch_start_time": dt.datetime.now(tz=dt.UTC)}
            sink._add_sdc_metadata_to_record(record, message, context)  # noqa: SLF001 - the seam
        sink.take(record, message.get("version"))

    def _process_schema_message(self, message_dict: Message) -> None:
        stream, names = message_dict.get("stream"), message_dict.get("bookmark_properties")
        if isinstance(stream, str):
            names = [names] if isinstance(names, str) else names
            known = names if isinstance(names, list) else []
            self._bookmarks[stream] = [name for name in known if isinstance(name, str)]
        super()._process_schema_message(message_dict)

    def _process_record_message(self, message_dict: Message) -> None:
        super()._process_record_message(message_dict)
        stream = message_dict["stream"]
        sink = self.plain_sink(stream)
        lines = sink and sink.record_lines(stream)
        if sink and lines:
            lines.learn(self.message_reader.line)
            self._lines = (lines, sink)

    def _process_batch_message(self, message_dict: Message) -> None:
        manifest, encoding = message_dict.get("manifest"), message_dict.get("encoding")
        if not (
            isinstance(manifest, list)
            and all(isinstance(url, str) for url in manifest)
            and isinstance(encoding, dict)
        ):
            raise self.malformed(message_dict, expected="an encoding and a manifest of addresses")
        self.sinks_of(message_dict)  # a stream without a SCHEMA is the first thing to say
        form, packed = encoding.get("format"), encoding.get("compression")
        if not isinstance(form, str) or packed not in FORMATS.get(form, ()):
            msg = (
                "A BATCH message has files in an encoding that the loader does not read: expected "
                "parquet, or jsonl with gzip or plain. Set the encoding in the tap's batch_config"
            )
            raise InputError(msg)
        read = self._rows_of_lines if form == "jsonl" else self._rows_of_parquet
        for url in manifest:
            with _opened(url) as stored:
                read(message_dict, stored, packed)

    def _rows_of_lines(self, message: Message, stored: t.IO[bytes], packed: str | None) -> None:
        with gzip.GzipFile(fileobj=stored) if packed == "gzip" else stored as lines:
            while some := lines.readlines(READ_BYTES):
                if self._take_records(message, some):
                    continue
                for line in some:
                    if not line.isspace():
                        self.file_bytes += len(line)
                        self.hand_over(message, self.message_reader.deserialize_json(line))

    def _take_records(self, message: Message, lines: list[bytes]) -> bool:
        """Take records together; False when they are to be taken one by one."""
        sink = self.plain_sink(message["stream"])
        reader = sink and sink.record_lines(message["stream"])
        if not (sink and reader) or message.get("version") is not None:
            return False
        if not lines[-1].endswith(b"\n"):
            lines[-1] += b"\n"
        rows = reader.records(b"".join(lines))
        if not rows:
            return False
        size = sum(map(len, lines))
        self.rows_taken(len(rows), lambda first, last: sink.take_rows(rows[first:last]), size)
        return True

    def _rows_of_parquet(self, message: Message, stored: t.IO[bytes], _packed: str | None) -> None:
        file = pq.ParquetFile(stored, buffer_size=READ_BYTES, pre_buffer=False)
        for batch in file.iter_batches(_rows_at_once(file.metadata)):
            sink = self.plain_sink(message["stream"])
            if sink is None or sink.adds_metadata or message.get("version") is not None:
                for record in records(batch):
                    self.file_bytes += batch.nbytes // batch.num_rows
                    self.hand_over(message, record)
            else:
                take = functools.partial(_take_slice, sink, batch)
                self.rows_taken(batch.num_rows, take, batch.nbytes)

    def _process_activate_version_message(self, message_dict: Message) -> None:
        version = message_dict.get("version")
        if type(version) is not int:
            raise self.malformed(message_dict, expected="a version that is an integer")
        sinks = self.sinks_of(message_dict)
        self.drain()
        for sink in sinks:
            if sink.tracks_versions:
                sink.activate_version(version)


def _rows_at_once(file: pq.FileMetaData) -> int:
    """Say how many rows of a Parquet file have about `ARROW_BYTES` together."""
    groups = [file.row_group(index) for index in range(file.num_row_groups)]
    widest = max(
        (group.total_byte_size / group.num_rows for group in groups if group.num_rows), default=1
    )
    return max(1, min(ARROW_ROWS, int(ARROW_BYTES / max(widest, 1))))


def _take_slice(sink: WarehouseSink, batch: pa.RecordBatch, first: int, last: int) -> None:
    sink.take_arrow(batch.slice(first, last - first))


@contextlib.contextmanager
def _opened(url: str) -> Iterator[t.IO[bytes]]:
    """Open a file of a BATCH message.

    Raises:
        AutomateError: When it cannot be read, also inside.
    """
    head, tail = StorageTarget.split_url(url)
    try:
        with StorageTarget.from_url(head).open(tail, mode="rb") as stored:
            yield stored
    except (OSError, EOFError, zlib.error, pa.ArrowException, ImportError) as error:
        # ImportError: the address is of a store that needs a package of its own, such as S3.
        msg = f"Cannot read {tail}, a file of a BATCH message: {type(error).__name__}"
        raise AutomateError(msg) from None
