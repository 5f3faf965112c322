"""Singer messages from a pipe or file: exact numbers, and a call whenever input is waited for.

The SDK's readers wait for the next line however long it takes; this one lets a target see to what
it holds meanwhile, so that a slow tap's records and STATE do not linger, and can be stopped between
two messages, without an exception in the middle of one.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import select
import sys
import typing as t
from collections import Counter

import msgspec
from singer_sdk.singerlib.encoding import GenericSingerReader

from automate_api.exact_json import decode
from automate_singer.errors import InputError

if sys.platform == "linux":
    import fcntl

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from automate_api.errors import StoppedError

READ_BYTES: t.Final = 1 << 16
"""Read at once: little enough to be still in the processor's cache when it is decoded. Measured
with target-warehouse, 200 k records of 1 kB: 2.3 s of CPU, against 2.4 with 1 MiB.
"""

LINES: t.Final = 1_000
"""Lines at a time, where the input is no file."""

PIPE_BYTES: t.Final = 1 << 20
"""What the pipe is asked to hold, the most that Linux gives to anybody: a tap writes on for longer
while the target is busy.
"""


class MessageReader(GenericSingerReader[bytes]):
    """Reads lines, decodes them and hands them to the target's callbacks.

    Attributes:
        bytes_read: Bytes of the lines so far.
        line: The line that was decoded last, with its end.
        line_number: Which one that is, or the last that `take_lines` took.
        on_wait: Called after each wait for input, whether some came or not: a tap that says a
            little every second is never silent, and yet slow.
        take_lines: Offered whole lines, with the place of the first that is still to be read,
            before that is decoded alone; gives back the end of what it took, or 0. All that it
            takes are RECORD messages.
        wait_seconds: The longest such wait.
    """

    def __init__(self) -> None:
        """Start at the first line."""
        super().__init__()
        self.bytes_read = 0
        self.line_number = 0
        self.on_wait: Callable[[], None] = lambda: None
        self.take_lines: Callable[[bytes, int], int] = lambda _lines, _start: 0
        self.line = b""
        self.wait_seconds = 1.0
        self._stopped: StoppedError | None = None
        self._alarm: int | None = None

    def stop(self, stopped: StoppedError) -> None:
        """Have `process_lines` raise before the next message, or at once where it waits for one.

        A signal handler may call it.

        Args:
            stopped: What it raises.
        """
        self._stopped = stopped
        if self._alarm is not None:
            os.write(self._alarm, b"\0")

    @property
    def default_input(self) -> t.IO[bytes]:
        """Standard input, as bytes."""
        return sys.stdin.buffer

    def process_lines(
        self,
        file_input: t.IO[bytes] | None,
        callbacks: dict[str, Callable[[dict[str, t.Any]], None]],
    ) -> Counter[str]:
        """Read all messages.

        Args:
            file_input: A stream of lines, standard input unless given.
            callbacks: Message type to what takes such a message.

        Returns:
            How many messages of each type came.

        Raises:
            InputError: For a line that is no Singer message.
            StoppedError: After `stop`.
        """
        counts: Counter[str] = Counter()
        for lines in self._blocks(file_input or self.default_input):
            start = 0
            while start < len(lines):
                if self._stopped is not None:
                    raise self._stopped
                end = self.take_lines(lines, start)
                if end:
                    taken = lines.count(b"\n", start, end)
                    self.line_number += taken
                    counts["RECORD"] += taken
                else:
                    end = lines.find(b"\n", start) + 1 or len(lines)
                    self.line = lines[start:end]
                    self.line_number += 1
                    if not self.line.isspace():
                        counts[self._process_line(callbacks)] += 1
                self.bytes_read += end - start
                start = end
        return counts

    def _process_line(self, callbacks: dict[str, Callable[[dict[str, t.Any]], None]]) -> str:
        message = self.deserialize_json(self.line)
        kind = message.get("type")
        callback = callbacks.get(kind) if isinstance(kind, str) else None
        if callback is None or not isinstance(kind, str):
            names = ", ".join(sorted(str.__str__(name) for name in callbacks))
            msg = f"Line {self.line_number} of the input has no known type: expected {names}"
            raise InputError(msg)
        callback(message)
        return kind

    def deserialize_json(self, line: bytes) -> dict[str, t.Any]:
        """Decode one message; numbers with a point or exponent become `Decimal`.

        Args:
            line: One line.

        Returns:
            The message.

        Raises:
            InputError: When it is no JSON object. The line itself is not repeated, it may hold
                anything.
        """
        try:
            message = decode(line)
        except RecursionError:
            msg = f"Line {self.line_number} of the input nests values too deeply to be read"
            raise InputError(msg) from None
        except (msgspec.DecodeError, UnicodeError, ArithmeticError):
            msg = (
                f"Line {self.line_number} of the input is not valid JSON: expected one Singer "
                "message a line. If it is the last, the tap ended in the middle of it; what was "
                "written stands"
            )
            raise InputError(msg) from None
        if not isinstance(message, dict):
            msg = f"Line {self.line_number} of the input is JSON but no object: expected a message"
            raise InputError(msg)
        return message

    def _blocks(self, stream: t.IO[t.Any]) -> Iterator[bytes]:
        """Yield whole lines, some at a time; only the last may lack its end."""
        binary = getattr(stream, "buffer", stream)
        try:
            descriptor = binary.fileno()
        except (AttributeError, io.UnsupportedOperation):
            rest = iter(stream)
            while lines := list(itertools.islice(rest, LINES)):
                yield b"".join(map(_bytes, lines))
            return
        if os.name == "nt":  # Windows cannot wait for a pipe with a time limit
            yield from map(_bytes, stream)
            return
        wake, alarm = os.pipe()
        self._alarm = alarm
        try:
            yield from self._blocks_of_pipe(descriptor, wake)
        finally:
            self._alarm = None  # before it is closed, as a signal may come in between
            os.close(alarm)
            os.close(wake)

    def _blocks_of_pipe(self, descriptor: int, wake: int) -> Iterator[bytes]:
        _widen(descriptor)
        parts: list[bytes] = []
        while True:
            ready, _, _ = select.select([descriptor, wake], [], [], self.wait_seconds)
            if self._stopped is not None:
                raise self._stopped
            self.on_wait()
            if not ready:
                continue
            data = os.read(descriptor, READ_BYTES)
            if not data:
                break
            end = data.rfind(b"\n") + 1
            if not end:
                parts.append(data)
                continue
            yield b"".join((*parts, data[:end]))
            parts = [data[end:]]
        if last := b"".join(parts):
            yield last


def _bytes(line: str | bytes) -> bytes:
    # What is no valid Unicode is refused where the line is decoded.
    return line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line


def _widen(descriptor: int) -> None:
    """Have a pipe hold more, where the system can and lets us; any other input stays as it is."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
