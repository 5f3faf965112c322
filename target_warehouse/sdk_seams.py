"""The SDK's private methods that the loader replaces, here and nowhere else.

The SDK validates, copies and dates every record on its own way to a sink, holds STATE until a sink
is full or five minutes are over, exits 0 after a signal, and puts whole messages into its errors. A
test holds what is written here equal to the SDK's own path, on the pinned release.
"""

from __future__ import annotations

import abc
import datetime as dt
import gzip
import signal
import sys
import threading
import typing as t
import zlib

import msgspec
from singer_sdk.exceptions import MapExpressionError, StreamMapConfigError
from singer_sdk.helpers._batch import BaseBatchFileEncoding, StorageTarget
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform
from singer_sdk.target_base import Target

from automate_api.errors import EXIT_SIGINT, EXIT_SIGTERM, AutomateError, ConfigError, StoppedError
from automate_api.program import standard_output
from automate_api.settings import explain_unreadable
from target_warehouse.errors import InputError, NoSchemaError, UnfitRecordError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    import click
    from singer_sdk.mapper import StreamMap

    from target_warehouse.reader import MessageReader
    from target_warehouse.sink import Record, WarehouseSink

    Route: t.TypeAlias = tuple[WarehouseSink, Callable[[Record], Record | None] | None]

COMPRESSIONS: t.Final = ("gzip", "none", None)
_encode_state: t.Final = msgspec.json.Encoder(decimal_format="number").encode


class SeamedTarget(Target, abc.ABC):
    """A target whose records go the short way, and whose STATE follows what is committed."""

    message_reader: MessageReader
    stopped: StoppedError | None
    """What a signal asked for. DuckDB turns what the handler raises during a query into an error of
    its own, and Python drops what it raises inside a finalizer, so the handler also leaves word."""
    _routes: dict[str, list[Route]]
    _aliases: dict[str, dict[str, t.Any]]
    _written_state: t.Any

    @abc.abstractmethod
    def record_taken(self) -> None:
        """Be told that a record has been handed to its sinks."""

    @abc.abstractmethod
    def drain(self) -> None:
        """Commit everything that was taken, then write the STATE that stands for it."""

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
            self._write_state_message(self._latest_state)

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> t.Any:  # noqa: ANN401 - the SDK's private type
        """Read the configuration files.

        Raises:
            ConfigError: When one is missing or no JSON object.
        """
        with explain_unreadable(value):
            return super().cb_config(ctx, param, value)

    def _process_schema_message(self, message_dict: dict[str, t.Any]) -> None:
        stream, schema = message_dict.get("stream"), message_dict.get("schema")
        if not (
            isinstance(stream, str)
            and stream
            and isinstance(schema, dict)
            and isinstance(schema.get("properties"), dict)
            and all(isinstance(declared, dict) for declared in schema["properties"].values())
        ):
            raise self._malformed(
                message_dict, expected="a stream and a schema with properties that are schemas"
            )
        keys = message_dict.get("key_properties")
        if keys is not None and not (
            isinstance(keys, list) and all(isinstance(key, str) for key in keys)
        ):
            raise self._malformed(message_dict, expected="key_properties as a list of names")
        known = self.mapper.stream_maps.get(stream)
        if known:
            if known[0].raw_schema == schema and known[0].raw_key_properties == keys:
                return
            self.drain()
        self._routes.clear()  # of other streams, too: they may share the sink that is replaced
        try:
            self.mapper.register_raw_stream_schema(stream, schema, keys)
        except (StreamMapConfigError, MapExpressionError, SyntaxError) as error:
            msg = f"The stream map of {stream!r} cannot be used: {error}"
            raise ConfigError(msg) from None
        for stream_map in self._kept_maps(stream):
            self._share_alias(stream_map, stream)
            self.get_sink(
                stream_map.stream_alias,
                schema=stream_map.transformed_schema,
                key_properties=stream_map.transformed_key_properties,
            )

    def _share_alias(self, stream_map: StreamMap, stream: str) -> None:
        """Refuse two streams of different columns under one name: one would lose its fields."""
        shape = (stream_map.transformed_schema, stream_map.transformed_key_properties)
        owners = self._aliases.setdefault(stream_map.stream_alias, {})
        owners[stream] = shape
        for other, others in owners.items():
            if others != shape:
                msg = (
                    f"The stream maps give the streams {other!r} and {stream!r} one name, "
                    f"{stream_map.stream_alias!r}, but their schemas or keys differ. Give them "
                    "different names"
                )
                raise ConfigError(msg)

    def _kept_maps(self, stream: str) -> list[StreamMap]:
        """List the maps of a stream but those that drop it: the SDK would make a table for them."""
        maps = self.mapper.stream_maps[stream]
        return [kept for kept in maps if not isinstance(kept, RemoveRecordTransform)]

    def _process_record_message(self, message_dict: dict[str, t.Any]) -> None:
        record = message_dict.get("record")
        if type(record) is not dict:
            raise self._malformed(message_dict, expected="a record that is an object")
        self._take(message_dict, record)

    def _process_batch_message(self, message_dict: dict[str, t.Any]) -> None:
        manifest, encoding = message_dict.get("manifest"), message_dict.get("encoding")
        if not (
            isinstance(manifest, list)
            and all(isinstance(url, str) for url in manifest)
            and isinstance(encoding, dict)
        ):
            raise self._malformed(message_dict, expected="an encoding and a manifest of addresses")
        self._find_routes(message_dict)
        if encoding.get("format") != "jsonl" or encoding.get("compression") not in COMPRESSIONS:
            msg = (
                "A BATCH message has files in an encoding that the loader does not read: expected "
                "jsonl, with gzip or plain. Set the encoding in the tap's batch_config"
            )
            raise InputError(msg)
        for url in manifest:
            for record in self._batch_records(url, BaseBatchFileEncoding.from_dict(encoding)):
                self._take(message_dict, record)

    def _take(self, message: dict[str, t.Any], record: Record) -> None:
        """Hand a record to its stream's sinks, through the stream maps that change anything."""
        stream = message.get("stream")
        routes = self._routes.get(stream) if isinstance(stream, str) else None
        if routes is None:
            routes = self._find_routes(message)
        version = message.get("version")
        for sink, transform in routes:
            taken = record if len(routes) == 1 else dict(record)
            if transform is not None:
                mapped = self._mapped(transform, taken, sink.stream_name)
                if mapped is None:
                    continue
                taken = mapped
            if sink.adds_metadata:
                context = {"batch_start_time": dt.datetime.now(tz=dt.UTC)}
                sink._add_sdc_metadata_to_record(taken, message, context)  # noqa: SLF001 - the seam
            sink.take(taken, version)
        self.record_taken()

    def _mapped(
        self,
        transform: Callable[[Record], Record | None],
        record: Record,
        stream: str,
    ) -> Record | None:
        try:
            return transform(record)
        except Exception as error:  # noqa: BLE001 - an expression of the user's can raise anything
            # Only the SDK's own error tells the expression alone; others may repeat a value.
            what = str(error) if isinstance(error, MapExpressionError) else type(error).__name__
            msg = (
                f"Stream {stream!r}: its stream map failed on line "
                f"{self.message_reader.line_number} of the input: {what}. Correct the expression; "
                "nothing of the batch was kept"
            )
            raise UnfitRecordError(msg) from None

    def _find_routes(self, message: dict[str, t.Any]) -> list[Route]:
        stream = message.get("stream")
        if not isinstance(stream, str):
            raise self._malformed(message, expected="the name of a stream")
        if stream not in self.mapper.stream_maps:
            raise NoSchemaError(message["type"], stream)
        routes: list[Route] = []
        for stream_map in self._kept_maps(stream):
            plain = type(stream_map) is SameRecordTransform and not stream_map.flattening_enabled
            sink = t.cast("WarehouseSink", self.get_sink(stream_map.stream_alias))
            routes.append((sink, None if plain else stream_map.transform))
        self._routes[stream] = routes
        return routes

    def _batch_records(self, url: str, encoding: BaseBatchFileEncoding) -> Iterator[Record]:
        head, tail = StorageTarget.split_url(url)
        try:
            with StorageTarget.from_url(head).open(tail, mode="rb") as stored:
                packed = encoding.compression == "gzip"
                with gzip.GzipFile(fileobj=stored) if packed else stored as lines:
                    for line in lines:
                        if not line.isspace():
                            yield self.message_reader.deserialize_json(line)
        except (OSError, EOFError, zlib.error, ImportError) as error:
            # ImportError: the address is of a store that needs a package of its own, such as S3.
            msg = f"Cannot read {tail}, a file of a BATCH message: {type(error).__name__}"
            raise AutomateError(msg) from None

    def _process_activate_version_message(self, message_dict: dict[str, t.Any]) -> None:
        version = message_dict.get("version")
        if type(version) is not int:
            raise self._malformed(message_dict, expected="a version that is an integer")
        routes = self._find_routes(message_dict)
        self.drain()
        for sink, _ in routes:
            if sink.tracks_versions:
                sink.activate_version(version)

    def _process_state_message(self, message_dict: dict[str, t.Any]) -> None:
        if "value" not in message_dict:
            raise self._malformed(message_dict, expected="a value")
        super()._process_state_message(message_dict)

    def _write_state_message(self, state: dict[str, t.Any]) -> None:
        if state == self._written_state:
            return
        gone = "Nobody reads the STATE on standard output any more; what was written stands"
        with standard_output(gone=gone, then="run again; what was written stands"):
            sys.stdout.write(_encode_state(state).decode() + "\n")
            sys.stdout.flush()
        self._written_state = state

    def _setup_signal_handlers(self) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._handle_termination)
            signal.signal(signal.SIGTERM, self._handle_termination)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's signature
        self.stopped = StoppedError(EXIT_SIGINT if signum == signal.SIGINT else EXIT_SIGTERM)
        raise self.stopped

    def _malformed(self, message: dict[str, t.Any], *, expected: str) -> InputError:
        return InputError(
            f"Line {self.message_reader.line_number} of the input is a {message['type']} message "
            f"without what the Singer specification asks for: expected {expected}"
        )
