"""The SDK's private methods that taps and targets replace, here and in no other module.

The SDK validates, copies and dates every record on its own way to a sink, exits 0 after a signal,
and puts whole messages into its errors. Here a record goes through the stream maps that change
anything, and straight to what the target routes it to; a tap's goes out as it came.
"""

from __future__ import annotations

import abc
import datetime as dt
import logging
import signal
import sys
import threading
import typing as t

from singer_sdk import Stream
from singer_sdk.exceptions import MapExpressionError, StreamMapConfigError
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform
from singer_sdk.singerlib import RecordMessage

from automate_api.errors import (
    EXIT_SIGINT,
    EXIT_SIGTERM,
    AutomateError,
    ConfigError,
    StoppedError,
)
from automate_api.exact_json import encode
from automate_api.program import standard_output
from automate_singer.command import CommandTarget
from automate_singer.errors import InputError, NoSchemaError, UnfitRecordError

if t.TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import FrameType

    from singer_sdk.helpers.types import Context
    from singer_sdk.mapper import StreamMap

    from automate_singer.writer import BlockWriter

Record: t.TypeAlias = dict[str, t.Any]
"""A record as JSON has it, numbers with a point or exponent as `Decimal`."""
Message: t.TypeAlias = dict[str, t.Any]
SinkT = t.TypeVar("SinkT")

_NOTHING: t.Final = object()


class PlainStream(Stream):
    """A tap's stream whose records are written as they come, and whose errors are said once."""

    def log(
        self,
        message: str,
        *args: t.Any,  # noqa: ANN401 - whatever the message names
        level: int = logging.INFO,
        **kwargs: t.Any,  # noqa: ANN401 - logging's own
    ) -> None:
        """Log a message; an error of ours is said once, where the program ends.

        Args:
            message: What to say.
            args: What it names.
            level: How loud; the SDK calls every error that ends a stream unhandled.
            kwargs: As `logging.Logger.log` takes them.
        """
        if level >= logging.ERROR and isinstance(sys.exception(), AutomateError):
            level = logging.DEBUG
        super().log(message, *args, level=level, **kwargs)

    def mapped(self, record: Record) -> Iterator[RecordMessage]:
        """Send a record through the stream maps, without the SDK's changes of its values.

        Args:
            record: Its selected fields.

        Raises:
            ConfigError: When an expression of a stream map fails on it.
        """
        extracted = dt.datetime.now(dt.UTC)
        for stream_map in self.stream_maps:
            mapped = self._transformed(stream_map, record)
            if mapped is not None:
                yield RecordMessage(
                    stream=stream_map.stream_alias,
                    record=mapped,
                    version=self._stream_version,
                    time_extracted=extracted,
                )

    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        pop_deselected_record_properties(record, self.schema, self.mask)
        yield from self.mapped(record)

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, None, None]:
        try:
            yield from super()._sync_records(context, write_messages=write_messages)
        finally:
            # No STATE need follow that would take the last records along: an equal one is left out.
            t.cast("BlockWriter", self._tap.message_writer).flush()

    def _transformed(self, stream_map: StreamMap, record: Record) -> Record | None:
        try:
            return stream_map.transform(record)
        except Exception as error:  # noqa: BLE001 - an expression of the user's may raise anything
            # The SDK's own error quotes the expression; any other may quote the record.
            came = str(error) if isinstance(error, MapExpressionError) else type(error).__name__
            msg = (
                f"Stream '{self.name}': an expression of `stream_maps` fails on a record: {came} "
                "Expected one that works on every record, also where a field is null or missing."
            )
            raise ConfigError(msg) from None


class PipeTarget(CommandTarget, abc.ABC, t.Generic[SinkT]):
    """A target that takes each record as it came, and writes STATE when it says so.

    `SinkT` is whatever takes a stream's records; it need not be a `Sink` of the SDK.

    Attributes:
        left_by_error: What stands when a stream map fails on a record; ends a sentence.
    """

    left_by_error: t.ClassVar[str] = "what came before it stands"

    def __init__(self, **options: t.Any) -> None:  # noqa: ANN401 - `CommandTarget` names them
        """Start without streams.

        Args:
            options: As `CommandTarget` takes them.
        """
        self._routes: dict[str, list[tuple[SinkT, StreamMap | None]]] = {}
        self._written_state: t.Any = _NOTHING
        super().__init__(**options)

    @abc.abstractmethod
    def route(self, stream_map: StreamMap) -> SinkT | None:
        """Find what takes a stream's records; asked again whenever any SCHEMA has changed.

        Args:
            stream_map: Has the stream's name (`stream_alias`) and shape (`transformed_schema`,
                `transformed_key_properties`) after its stream map.

        Returns:
            What `take` is to be given, or None to skip the records.
        """

    @abc.abstractmethod
    def take(self, sink: SinkT, record: Record, message: Message) -> None:
        """Take a record.

        Args:
            sink: What `route` gave for its stream.
            record: The record after its stream map; its top level is the target's to change.
            message: The message that brought it.
        """

    def record_taken(self) -> None:
        """Be told that a record has been handed to all that take it, if anything does."""

    def schema_changes(self, stream: str) -> None:
        """Be told that another SCHEMA of a known stream is about to count.

        Args:
            stream: As the tap names it.
        """

    def open_stream(self, stream: str, stream_map: StreamMap) -> None:
        """Make ready for a new or changed SCHEMA; called for each stream map that keeps records.

        Args:
            stream: As the tap names it.
            stream_map: As `route` is given it.

        Raises:
            ConfigError: When the stream cannot be taken.
        """

    def state_received(self, value: t.Any) -> None:  # noqa: ANN401 - any JSON
        """Take a STATE; unless overridden, the SDK keeps it and writes it at the next drain.

        Args:
            value: As the tap wrote it.
        """
        super()._process_state_message({"type": "STATE", "value": value})

    def write_state(self, value: t.Any) -> None:  # noqa: ANN401 - any JSON
        """Write a STATE line to standard output, unless it was the last one written.

        Args:
            value: A STATE of the tap's, before which everything is safe.

        Raises:
            AutomateError: When standard output cannot be written.
        """
        if value == self._written_state:
            return
        gone = "Nobody reads the STATE on standard output any more; what was written stands"
        with standard_output(gone=gone, then="run again; what was written stands"):
            sys.stdout.write(encode(value).decode() + "\n")
            sys.stdout.flush()
        self._written_state = value

    def hand_over(self, message: Message, record: Record) -> None:
        """Give a record to all that take its stream, through the maps that change anything.

        Args:
            message: The message that brought it; names its stream.
            record: As the tap wrote it.

        Raises:
            NoSchemaError: When the stream has no SCHEMA yet.
            UnfitRecordError: When a stream map fails on it.
        """
        stream = message.get("stream")
        routes = self._routes.get(stream) if isinstance(stream, str) else None
        if routes is None:
            routes = self._find_routes(message)
        for sink, stream_map in routes:
            taken = record if len(routes) == 1 else dict(record)
            if stream_map is not None:
                mapped = self._mapped(stream_map, taken)
                if mapped is None:
                    continue
                taken = mapped
            self.take(sink, taken, message)
        self.record_taken()

    def sinks_of(self, message: Message) -> list[SinkT]:
        """Find what takes the stream that a message names.

        Args:
            message: Any message about a stream.

        Returns:
            What `route` gave; none when the stream is skipped or dropped.

        Raises:
            InputError: When it names no stream.
            NoSchemaError: When the stream has no SCHEMA yet.
        """
        return [sink for sink, _ in self._find_routes(message)]

    def plain_sink(self, stream: str) -> SinkT | None:
        """Find the only one that takes a stream, if records reach it as they are.

        Args:
            stream: As the tap names it.

        Returns:
            What `route` gave, or None when there are more or a stream map comes in between.
        """
        routes = self._routes.get(stream, ())
        return routes[0][0] if len(routes) == 1 and routes[0][1] is None else None

    def malformed(self, message: Message, *, expected: str) -> InputError:
        """Make the error about a message that is not as the Singer specification has it.

        Args:
            message: The last message that was read.
            expected: What it lacks; ends a sentence.

        Returns:
            The error, with the line's number and nothing of the message but its type.
        """
        return InputError(
            f"Line {self.message_reader.line_number} of the input is a {message['type']} message "
            f"without what the Singer specification asks for: expected {expected}"
        )

    def _mapped(self, stream_map: StreamMap, record: Record) -> Record | None:
        try:
            return stream_map.transform(record)
        except Exception as error:  # noqa: BLE001 - an expression of the user's can raise anything
            # Only the SDK's own error tells the expression alone; others may repeat a value.
            what = str(error) if isinstance(error, MapExpressionError) else type(error).__name__
            msg = (
                f"Stream {stream_map.stream_alias!r}: its stream map failed on line "
                f"{self.message_reader.line_number} of the input: {what}. Correct the expression; "
                f"{self.left_by_error}"
            )
            raise UnfitRecordError(msg) from None

    def _find_routes(self, message: Message) -> list[tuple[SinkT, StreamMap | None]]:
        stream = message.get("stream")
        if not isinstance(stream, str):
            raise self.malformed(message, expected="the name of a stream")
        if stream not in self.mapper.stream_maps:
            raise NoSchemaError(message["type"], stream)
        routes: list[tuple[SinkT, StreamMap | None]] = []
        for stream_map in self._kept_maps(stream):
            sink = self.route(stream_map)
            if sink is not None:
                same = type(stream_map) is SameRecordTransform
                plain = same and not stream_map.flattening_enabled
                routes.append((sink, None if plain else stream_map))
        self._routes[stream] = routes
        return routes

    def _kept_maps(self, stream: str) -> list[StreamMap]:
        """List the maps of a stream but those that drop it."""
        maps = self.mapper.stream_maps[stream]
        return [kept for kept in maps if not isinstance(kept, RemoveRecordTransform)]

    def _process_schema_message(self, message_dict: Message) -> None:
        stream, schema = message_dict.get("stream"), message_dict.get("schema")
        if not (
            isinstance(stream, str)
            and stream
            and isinstance(schema, dict)
            and isinstance(schema.get("properties"), dict)
            and all(isinstance(declared, dict) for declared in schema["properties"].values())
        ):
            raise self.malformed(
                message_dict, expected="a stream and a schema with properties that are schemas"
            )
        keys = message_dict.get("key_properties")
        if keys is not None and not (
            isinstance(keys, list) and all(isinstance(key, str) for key in keys)
        ):
            raise self.malformed(message_dict, expected="key_properties as a list of names")
        known = self.mapper.stream_maps.get(stream)
        if known:
            if known[0].raw_schema == schema and known[0].raw_key_properties == keys:
                return
            self.schema_changes(stream)
        self._routes.clear()  # of other streams, too: they may share the sink that is replaced
        try:
            self.mapper.register_raw_stream_schema(stream, schema, keys)
        except (StreamMapConfigError, MapExpressionError, SyntaxError) as error:
            msg = f"The stream map of {stream!r} cannot be used: {error}"
            raise ConfigError(msg) from None
        for stream_map in self._kept_maps(stream):
            self.open_stream(stream, stream_map)

    def _process_record_message(self, message_dict: Message) -> None:
        record = message_dict.get("record")
        if type(record) is not dict:
            raise self.malformed(message_dict, expected="a record that is an object")
        self.hand_over(message_dict, record)

    def _process_state_message(self, message_dict: Message) -> None:
        if "value" not in message_dict:
            raise self.malformed(message_dict, expected="a value")
        self.state_received(message_dict["value"])

    def _process_batch_message(self, message_dict: Message) -> None:  # noqa: ARG002 - SDK
        msg = (
            f"Line {self.message_reader.line_number} of the input is a BATCH message, which "
            f"{self.name} does not read: expected RECORD messages. Take batch_config out of the "
            "tap's settings"
        )
        raise InputError(msg)

    def _process_activate_version_message(self, message_dict: Message) -> None:
        """Leave versions alone: they tell which rows of a table are old."""

    def _write_state_message(self, state: Message) -> None:
        self.write_state(state)

    def _setup_signal_handlers(self) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._handle_termination)
            signal.signal(signal.SIGTERM, self._handle_termination)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's signature
        self.stopped = StoppedError(EXIT_SIGINT if signum == signal.SIGINT else EXIT_SIGTERM)
        self.interrupt(self.stopped)
