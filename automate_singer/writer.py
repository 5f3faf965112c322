"""Singer messages to standard output, encoded by msgspec and written in blocks.

The SDK's writers flush after every message, which costs more than encoding it. Here records gather
in a buffer that goes out when it is full, when it is old, and with every message that somebody may
wait for.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
import typing as t

import msgspec
from singer_sdk.singerlib import Message, RecordMessage, StateMessage
from singer_sdk.singerlib.encoding.base import GenericSingerWriter

from automate_api import exact_json
from automate_api.program import standard_output

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BUFFER_BYTES: t.Final = 64 * 1024
"""Bytes after which the buffer is written: the size of a pipe."""

TARGET_GONE: t.Final = (
    "The target ended before the tap: nobody reads the messages on standard output any more. See "
    "the target's own log; the next run continues from the last state that it wrote."
)

MOST_SECONDS: t.Final = 1.0
"""Seconds that a record waits at most while others follow, so that a slow API does not look dead.
"""


class _RecordLine(msgspec.Struct, tag_field="type", tag="RECORD", gc=False):
    """A RECORD message around a record that msgspec can encode."""

    stream: str
    record: t.Any
    version: int | msgspec.UnsetType
    time_extracted: str


class BlockWriter(GenericSingerWriter[bytearray, Message]):
    """Writes messages as lines of JSON, decimals with every digit they came with."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with an empty buffer.

        Args:
            clock: Seconds that never go back.
        """
        super().__init__()
        self._clock = clock
        self._buffer = bytearray()
        self._written_at = self._clock()
        self._listeners: list[Callable[[], None]] = []

    def after_state(self, listener: Callable[[], None]) -> None:
        """Call something once, when the next STATE has left the process.

        Args:
            listener: What to call; never, where no STATE is written any more.
        """
        self._listeners.append(listener)

    def serialize_message(self, message: Message) -> bytearray:
        """Return the message as a line, without its end."""
        return bytearray(exact_json.encode(_content(message)))

    def write_message(self, message: Message) -> None:
        """Add a message to the buffer; write the buffer out when it is due.

        A state is a promise about everything before it, and a target waits for schemas: both go
        out at once.
        """
        exact_json.encode_into(_content(message), self._buffer, -1)
        self._buffer += b"\n"
        if not isinstance(message, RecordMessage) or self._is_due():
            self.flush()
        if isinstance(message, StateMessage):
            self._tell()

    def write_records(
        self, stream: str, records: Sequence[t.Any], *, version: int | None = None
    ) -> None:
        """Add many records of a stream, extracted now; write the buffer out when it is due.

        Args:
            stream: As targets are to know it.
            records: Anything that msgspec encodes as objects.
            version: Of a full table.
        """
        now = dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
        numbered = msgspec.UNSET if version is None else version
        lines = [_RecordLine(stream, record, numbered, now) for record in records]
        self._buffer += exact_json.encode_lines(lines)
        if self._is_due():
            self.flush()

    def _tell(self) -> None:
        """Call those who wait for a STATE."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def _is_due(self) -> bool:
        if len(self._buffer) >= BUFFER_BYTES:
            return True
        return self._clock() - self._written_at >= MOST_SECONDS

    def finish(self) -> None:
        """Write out all that there is: no message may follow that would take it along."""
        self.flush()

    def flush(self) -> None:
        """Write out what is buffered.

        Raises:
            AutomateError: When the reader of the messages has ended, or a disk is full.
        """
        try:
            with standard_output(gone=TARGET_GONE, then="run again from the state before"):
                sys.stdout.buffer.write(self._buffer)
                sys.stdout.buffer.flush()
        finally:
            self._buffer.clear()
        self._written_at = self._clock()


def _content(message: Message) -> dict[str, t.Any]:
    """Return what a message is made of; of a state the SDK would copy every text."""
    if isinstance(message, StateMessage):
        return {"type": "STATE", "value": message.value}
    return message.to_dict()
