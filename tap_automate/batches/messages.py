"""BATCH messages: records go out in files, and everything else as it would without them.

The writer stands where RECORD messages leave the tap, behind selection, stream maps and the
treatment of personal data, and its files have the columns of the SCHEMA messages that it has
written: what is not in a RECORD message is in no file. A STATE goes out when all records before it
have, so STATE messages wait while records gather.
"""

from __future__ import annotations

import dataclasses
import re
import time
import typing as t
import uuid

from singer_sdk.singerlib import (
    Message,
    RecordMessage,
    SchemaMessage,
    SingerMessageType,
    StateMessage,
)

from automate_singer.writer import BlockWriter
from tap_automate.batches.rows import BatchRows, JsonLines
from tap_automate.batches.setting import BATCH_SETTING, COMPRESSIONS
from tap_automate.storage import Storage

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PROGRAM: t.Final = "tap-automate"

MOST_SECONDS: t.Final = 60.0
"""Seconds after which a STATE no longer waits for a full file, so that a slow load is not repeated
for want of rows.
"""

MOST_BYTES: t.Final = 256 << 20
"""Bytes, of all streams together, after which records no longer gather, so that wide ones stay in
bounds.
"""

AT_ONCE: t.Final = 1_000
"""Records that are taken before their bytes are looked at."""


@dataclasses.dataclass(slots=True)
class BatchMessage(Message):
    """A file of records of one stream."""

    stream: str
    encoding: dict[str, str]
    manifest: list[str]
    version: int | None = None

    def __post_init__(self) -> None:
        """Set the type."""
        self.type = SingerMessageType.BATCH


@dataclasses.dataclass
class _Gathered:
    """What is not out yet of a stream."""

    rows: BatchRows
    version: int | None = None
    count: int = 0


class BatchWriter(BlockWriter):
    """Writes messages, records in files."""

    def __init__(
        self, setting: Mapping[str, t.Any], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Make ready to write files.

        Args:
            setting: `batch_config`, checked.
            clock: Seconds, for a STATE that waits.

        Raises:
            ConfigError: When the files have no place that can be used.
            UnreachableError: When the store is asked already, and does not answer.
        """
        super().__init__()
        encoding, storage = setting["encoding"], setting["storage"]
        self._format: str = encoding["format"]
        self._compression: str = encoding.get("compression") or COMPRESSIONS[self._format][0]
        self._prefix: str = storage.get("prefix") or ""
        self._storage = Storage(storage["root"], storage.get("params") or {})
        self._most = (
            setting.get("batch_size") or BATCH_SETTING["properties"]["batch_size"]["default"]
        )
        self._run = uuid.uuid4().hex
        self._files = 0
        self._size = 0
        self._streams: dict[str, _Gathered] = {}
        self._state: bytearray | None = None
        self._clock = clock
        self._finished_at = clock()

    def check(self) -> None:
        """Find out whether files can be written where they are to be, and outlive the process.

        Raises:
            ConfigError: When not.
            UnreachableError: When the store does not answer.
        """
        self._storage.check(self._prefix)

    def write_message(self, message: Message) -> None:
        """Write a message, or keep it until it is its turn.

        Args:
            message: Any.

        Raises:
            AutomateError: When a file cannot be written, or standard output.
        """
        match message:
            case RecordMessage():
                self.write_records(message.stream, [message.record], version=message.version)
            case SchemaMessage():
                self._write_file(message.stream)
                super().write_message(message)
                self._expect(message)
            case StateMessage():
                self._state = self.serialize_message(message)
                waiting = sum(gathered.count for gathered in self._streams.values())
                late = self._clock() - self._finished_at >= MOST_SECONDS
                if not waiting or waiting >= self._most or late:
                    self.finish()
            case _:
                self.finish()
                super().write_message(message)

    def write_records(
        self, stream: str, records: Sequence[t.Any], *, version: int | None = None
    ) -> None:
        """Gather records of a stream; write its file when that is full.

        Args:
            stream: As targets are to know it.
            records: Anything that msgspec encodes as objects: all structs of one type, or dicts.
            version: Of a full table.

        Raises:
            AutomateError: When a file cannot be written, or standard output.
        """
        gathered = self._streams.get(stream)
        if gathered is None:
            super().write_records(stream, records, version=version)
            return
        if gathered.version != version:
            self._write_file(stream)
            gathered.version = version
        start = 0
        while start < len(records):
            some = records[start : start + min(AT_ONCE, self._most - gathered.count)]
            before = gathered.rows.size
            gathered.rows.add(some)
            self._size += gathered.rows.size - before
            gathered.count += len(some)
            start += len(some)
            if gathered.count >= self._most:
                self._write_file(stream)
            elif self._size >= MOST_BYTES:
                for waiting in self._streams:
                    self._write_file(waiting)

    def finish(self) -> None:
        """Write all that waits: files, their messages, and the last STATE.

        Raises:
            AutomateError: When a file cannot be written, or standard output.
        """
        for stream in self._streams:
            self._write_file(stream)
        state, self._state = self._state, None
        if state is not None:
            self._buffer += state + b"\n"
        self._finished_at = self._clock()
        super().finish()
        if state is not None:
            self._tell()

    def _expect(self, schema: SchemaMessage) -> None:
        """Start a file with the columns of a SCHEMA; without any, records are written as such."""
        self._streams.pop(schema.stream, None)
        if schema.schema.get("properties"):
            self._streams[schema.stream] = _Gathered(self._rows_of(schema))

    def _rows_of(self, schema: SchemaMessage) -> BatchRows:
        if self._format == "jsonl":
            return JsonLines(packed=self._compression == "gzip")
        # Here, as only who wants Parquet is to wait for Arrow to be loaded.
        from tap_automate.batches.parquet import ParquetRows  # noqa: PLC0415

        keys = schema.key_properties or ()
        return ParquetRows(schema.schema, keys, compression=self._compression)

    def _write_file(self, stream: str) -> None:
        gathered = self._streams.get(stream)
        if gathered is None or not gathered.count:
            return
        rows = gathered.rows
        if rows.settle():
            self._files += 1
            safe = re.sub(r"[^\w.-]", "_", stream)
            name = f"{self._prefix}{PROGRAM}--{safe}-{self._run}-{self._files}{rows.suffix}"
            address = self._storage.put(name, rows.write)
            encoding = {"format": self._format, "compression": self._compression}
            super().write_message(BatchMessage(stream, encoding, [address], gathered.version))
        if rows.misfits:
            super().write_records(stream, rows.misfits, version=gathered.version)
        rows.clear()
        gathered.count = 0
        self._size = sum(other.rows.size for other in self._streams.values())
