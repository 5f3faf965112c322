"""Files of JSON lines: one object a line, numbers exact, and the schema of all lines together.

A file is read twice, first for its schema. Somebody may append to it meanwhile: what comes after
the first reading is left to the next run.
"""

from __future__ import annotations

import dataclasses
import typing as t
from decimal import Decimal

import msgspec

from automate_api.errors import ConfigError, TryLaterError
from automate_api.exact_json import decode

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX: t.Final = ".jsonl"
BYTE_ORDER_MARK: t.Final = b"\xef\xbb\xbf"
"""What some editors and spreadsheets begin a file in UTF-8 with."""

Record = dict[str, t.Any]
"""A line: numbers with a point or an exponent are `Decimal`."""

KINDS: t.Final[dict[type, str]] = {
    bool: "boolean",
    int: "integer",
    Decimal: "number",
    str: "string",
    list: "array",
    dict: "object",
}
"""Type of a decoded value to its JSON type; null is allowed everywhere."""


class Line(t.NamedTuple):
    """A line that is not empty.

    Attributes:
        number: From 1, empty ones counted.
        record: None when the line is no JSON object.
        ended: Whether it has its newline; the last line of a file need not.
    """

    number: int
    record: Record | None
    ended: bool


@dataclasses.dataclass
class Survey:
    """What a file held when it was read first.

    Attributes:
        path: Of the file.
        size: Bytes that were there.
        schema: JSON Schema of all records.
        bad: Lines that are no JSON object.
        cut: Whether the last of these has no newline: perhaps somebody is still writing it.
    """

    path: Path
    size: int = 0
    schema: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    bad: list[int] = dataclasses.field(default_factory=list)
    cut: bool = False

    @property
    def name(self) -> str:
        """The file's name without `.jsonl`."""
        return self.path.name.removesuffix(SUFFIX)

    @property
    def has_fields(self) -> bool:
        """Whether there is anything to tell of the file."""
        return bool(self.schema["properties"])

    def records(self) -> Iterator[Record]:
        """Read the records again, those that were there.

        Raises:
            ConfigError: When the file cannot be read.
            TryLaterError: When it holds something else by now.
        """
        known = self.schema["properties"].keys()
        bad = []
        for line in read(self.path, self.size):
            if line.record is None:
                bad.append(line.number)
            elif line.record.keys() - known:
                break
            else:
                yield line.record
        else:
            if bad == self.bad:
                return
        msg = f"The file {self.path} was changed while it was read. Run again when nobody does."
        raise TryLaterError(msg)


def survey(folder: Path) -> list[Survey]:
    """Look through the files of a folder, for their schemas.

    Args:
        folder: Files whose names end in `.jsonl` count, hidden ones and folders do not.

    Returns:
        One survey for each, by name.

    Raises:
        ConfigError: When the folder is none, or it or a file in it cannot be read.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIX))
    except OSError as error:
        msg = f"The folder {folder} cannot be read ({error.strerror}). Correct `path`."
        raise ConfigError(msg) from None
    return [_survey(path) for path in paths if path.is_file() and not path.name.startswith(".")]


def read(path: Path, size: int) -> Iterator[Line]:
    """Read the lines of a file.

    Args:
        path: Of the file; UTF-8, with or without byte order mark, lines ended by LF or CR LF.
        size: Bytes to read.

    Raises:
        ConfigError: When it cannot be read.
    """
    number = left = 0
    try:
        with path.open("rb") as file:
            left = size
            while raw := file.readline(left):
                left -= len(raw)
                number += 1
                text = raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw
                if text.strip():
                    yield Line(number, _record(text), raw.endswith(b"\n"))
    except OSError as error:
        msg = f"The file {path} cannot be read ({error.strerror})."
        raise ConfigError(msg) from None


def _survey(path: Path) -> Survey:
    found = Survey(path)
    kinds: dict[str, set[str]] = {}
    try:
        found.size = path.stat().st_size
    except OSError as error:
        msg = f"The file {path} cannot be read ({error.strerror})."
        raise ConfigError(msg) from None
    for line in read(path, found.size):
        if line.record is None:
            found.bad.append(line.number)
            found.cut = not line.ended
            continue
        for name, value in line.record.items():
            kinds.setdefault(name, set())
            if value is not None:
                kinds[name].add(KINDS[type(value)])
    found.schema = {
        "type": "object",
        "properties": {name: _declared(types) for name, types in kinds.items()},
    }
    return found


def _declared(kinds: set[str]) -> dict[str, t.Any]:
    """Declare a field by what came in it; one that was always null as text."""
    if "number" in kinds:
        kinds = kinds - {"integer"}
    declared: dict[str, t.Any] = {"type": [*sorted(kinds or {"string"}), "null"]}
    if "array" in kinds:
        declared["items"] = {}
    return declared


def _record(text: bytes) -> Record | None:
    try:
        value = decode(text)
    except (msgspec.DecodeError, UnicodeError, ArithmeticError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
