"""Lines of RECORD messages of one stream, decoded together: its SCHEMA tells their fields.

A message decoded alone becomes a dictionary that passes through half a dozen functions. Where no
stream map changes the records, all lines of a stream that lie together become objects in one call,
with exactly the values that each would have alone. Whatever is not as expected, be it a field that
the SCHEMA does not name, a version or a line that is no JSON, is left to the ordinary way.
"""

from __future__ import annotations

import json
import os.path
import re
import typing as t

import msgspec

from automate_api import exact_json

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

RECORD_WORD: t.Final = b'"record"'
MISFITS: t.Final = (msgspec.DecodeError, UnicodeError, ArithmeticError, RecursionError)
"""What decoding raises for lines that are to be read one by one."""

PATIENCE: t.Final = 8
"""Runs in a row that may not be as expected before a stream is read line by line for good; also
beginnings that are tried whole before only what they have in common is expected.
"""


class RecordLines:
    """Reads runs of RECORD lines of one stream that begin alike."""

    def __init__(self, stream: str, fields: Sequence[str]) -> None:
        """Compile the decoder.

        Args:
            stream: The stream, as the tap names it.
            fields: Its SCHEMA's properties; the rows have their values in this order.

        Raises:
            ValueError: For a name that a compiled decoder cannot have, such as one with a quote.
        """
        names = [f"f{index}" for index in range(len(fields))]
        row = msgspec.defstruct(
            "Row",
            [(name, t.Any, None) for name in names],
            rename=dict(zip(names, fields, strict=True)),
            forbid_unknown_fields=True,
            gc=False,
        )
        message: t.Any = msgspec.defstruct(
            "Message",
            [
                ("type", t.Literal["RECORD"]),
                ("stream", t.Literal[stream]),
                ("record", row),
                ("version", t.Any, None),
            ],
            gc=False,
        )
        self._decode = exact_json.decoder(message).decode_lines
        self._decode_records = exact_json.decoder(row).decode_lines
        self._head = b"\n"
        self._heads = 0
        names_in_json = {json.dumps(stream), json.dumps(stream, ensure_ascii=False)}
        name = "|".join(map(re.escape, names_in_json)).encode(errors="surrogatepass")
        self._name = re.compile(rb'"stream"\s*:\s*(?:' + name + b")")
        self._mark = b""
        self._failures = 0
        self._left_alone = 0

    def learn(self, line: bytes) -> None:
        """Take a line of the stream for an example of how its lines begin.

        Args:
            line: A RECORD message of the stream; what precedes its record is expected in others.
        """
        if line.startswith(self._head) or not line.startswith(b"{"):
            return
        head = line[: line.find(RECORD_WORD) + len(RECORD_WORD)]
        self._heads += 1
        if self._heads > PATIENCE:
            # Such as of an instant, which some taps write before the record.
            common = os.path.commonprefix([self._head, head])  # noqa: RUF071 - of any bytes
            head = head[: len(common)]
        self._head = head
        name = self._name.search(line)
        self._mark = name[0] if name and name[0] not in self._head else b""

    def take(self, lines: bytes, start: int) -> tuple[list[t.Any], int]:
        """Decode the lines from a place on that are the stream's.

        Args:
            lines: Whole lines.
            start: Where one of them begins.

        Returns:
            A row for each line, None for a field that it lacks, and where the lines end; no rows,
            and 0, when the line at `start` is to be read alone.
        """
        if self._left_alone:
            self._left_alone -= 1
            return [], 0
        if self._failures >= PATIENCE or not self._is_alike(lines, start):
            return [], 0
        end = lines.rfind(b"\n") + 1
        rows = self._decoded(lines[start:end])
        if not rows and (run_end := self._run_end(lines, start, end)) < end:
            # Lines of another kind follow.
            end = run_end
            rows = self._decoded(lines[start:end])
        if rows:
            self._failures = 0
            return rows, end
        self._failures += 1
        self._left_alone = max(lines.count(b"\n", start, end) - 1, 0)
        return [], 0

    def records(self, lines: bytes) -> list[t.Any]:
        """Decode lines that are records alone, as files of BATCH messages have them.

        Args:
            lines: Whole lines.

        Returns:
            A row for each line, as `take` gives them; none when they are to be read alone.
        """
        if self._failures >= PATIENCE:
            return []
        rows = _one_a_line(self._decode_records, lines)
        self._failures = 0 if rows else self._failures + 1
        return rows

    def _is_alike(self, lines: bytes, start: int) -> bool:
        if not lines.startswith(self._head, start):
            return False
        end = lines.find(b"\n", start) + 1
        return lines.find(self._mark, start, end) >= 0

    def _run_end(self, lines: bytes, start: int, end: int) -> int:
        while start < end and self._is_alike(lines, start):
            start = lines.find(b"\n", start) + 1
        return start

    def _decoded(self, lines: bytes) -> list[t.Any]:
        messages = _one_a_line(self._decode, lines)
        if any(message.version is not None for message in messages):
            return []
        return [message.record for message in messages]


def _one_a_line(decode: Callable[[bytes], list[t.Any]], lines: bytes) -> list[t.Any]:
    """Decode lines if each is an object, and nothing would be refused that is read alone."""
    try:
        objects = decode(lines)
        if not lines.isascii():
            lines.decode()  # msgspec passes over a text that it need not read
    except MISFITS:
        return []
    # Within an object no line ends so: as many of them as objects means one on each line.
    joints = lines.count(b"}\n{") or lines.count(b"}\r\n{")
    return objects if len(objects) == lines.count(b"\n") == joints + 1 else []


def columns(rows: Iterable[t.Any]) -> list[tuple[t.Any, ...]]:
    """Turn rows of `RecordLines.take` into columns.

    Args:
        rows: At least one.

    Returns:
        The values of each field, in the order of the fields.
    """
    return list(zip(*map(msgspec.structs.astuple, rows), strict=True))
