"""What the records of a run have, or lack, beside what the contract says: counted, by field."""

from __future__ import annotations

import collections
import enum
import typing as t

from automate_api.differences import NOT_SHOWN, shown

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_automate.reading.presence import Presence

_JSON_TYPES: t.Final[Mapping[type, str]] = {
    str: "string",
    bool: "boolean",
    dict: "object",
    list: "array",
}

ITEMS: t.Final = "[]"
"""Behind the path of an array: its elements, where they are no objects."""

NO_DATE: t.Final = "text that is no date"
"""Stands beside the JSON types of values: a date, or an instant, that a loader cannot read."""

MOST_WITHIN: t.Final = 500
"""Names within unknown objects that are looked at: where names are data there is no end of them."""

MOST_COUNTED: t.Final = 5_000
"""Names of one kind that are counted apart, for the same reason."""


class Kind(enum.StrEnum):
    """In which way records, or their list, are not as the contract has them."""

    UNKNOWN_FIELDS = "unknown_fields"
    UNKNOWN_VALUES = "unknown_values"
    OTHER_TYPES = "other_types"
    MISSING_FIELDS = "missing_fields"
    MOVED_PATHS = "moved_paths"


class Finding(t.NamedTuple):
    """One thing that is not as the contract has it.

    Attributes:
        kind: In which way.
        name: Dotted path of the field; `path=value` for a value of a closed list; the path of a
            list.
        rows: How many had it so; of a missing field, how many could have had it; of a list, none.
        detail: The types that came, or where a missing field may be now; else empty.
    """

    kind: Kind
    name: str
    rows: int
    detail: str = ""


class Drift:
    """What a run saw that the contract does not know, and what it set to null: how often.

    Attributes:
        presence: Which fields of the contract have come.
        unknown_fields: Rows by dotted path of a field that the contract does not have.
        unknown_values: Rows by `path=value` of a closed list's value that it does not have.
        other_types: Rows by dotted path of a field whose value is not of the contract's type.
        types: The JSON types of these values, or `NO_DATE`, by path, in the order in which they
            came.
        moved_paths: Paths of lists that earlier runs have read, and that are not there any more.
        sentinels: Rows by dotted path of a date set to null.
    """

    def __init__(self, presence: Presence) -> None:
        """Start with nothing seen.

        Args:
            presence: Looks for the contract's fields.
        """
        self.presence = presence
        self.unknown_fields: collections.Counter[str] = collections.Counter()
        self.unknown_values: collections.Counter[str] = collections.Counter()
        self.other_types: collections.Counter[str] = collections.Counter()
        self.types: dict[str, dict[str, None]] = {}
        self.moved_paths: set[str] = set()
        self.sentinels: collections.Counter[str] = collections.Counter()
        self._within: set[str] = set()

    def meet_unknown(self, path: str, value: object) -> None:
        """Count a field that the contract does not have.

        Args:
            path: Dotted, fit to be shown.
            value: What came in it; only names within are looked at.
        """
        _count(self.unknown_fields, path)
        if isinstance(value, dict) and len(self._within) < MOST_WITHIN:
            self._within.update(f"{path}.{name}" for name in value if shown(name) == name)

    def meet_unknown_value(self, path: str, word: str) -> None:
        """Count a value that a closed list does not have.

        Args:
            path: Dotted.
            word: It, fit to be shown.
        """
        _count(self.unknown_values, f"{path}={word}")

    def meet_other_type(self, path: str, kind: str) -> None:
        """Count a value that is not of the contract's type.

        Args:
            path: Dotted.
            kind: Its JSON type, or `NO_DATE`.
        """
        self.other_types[path] += 1
        self.types.setdefault(path, {})[kind] = None

    def findings(self) -> Iterator[Finding]:
        """List what is not as the contract has it, each thing once."""
        for kind, counter in (
            (Kind.UNKNOWN_FIELDS, self.unknown_fields),
            (Kind.UNKNOWN_VALUES, self.unknown_values),
            (Kind.OTHER_TYPES, self.other_types),
        ):
            for name, rows in sorted(counter.items()):
                detail = "/".join(self.types[name]) if kind is Kind.OTHER_TYPES else ""
                yield Finding(kind, name, rows, detail)
        for name, rows in self.presence.missing():
            yield Finding(Kind.MISSING_FIELDS, name, rows, self._moved_to(name))
        for path in sorted(self.moved_paths):
            yield Finding(Kind.MOVED_PATHS, path, 0)

    def _moved_to(self, path: str) -> str:
        """Name the one unknown field that is called as a missing one; empty unless there is one."""
        last = path.rpartition(".")[2]
        fields = self.unknown_fields.keys() | self._within
        same = [each for each in fields if each.rpartition(".")[2] == last]
        return same[0] if len(same) == 1 else ""


def inferred_type(value: object) -> str:
    """Return the JSON Schema type of a value that came in a field without a schema."""
    return _JSON_TYPES.get(type(value), "number")


def _count(counter: collections.Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < MOST_COUNTED else NOT_SHOWN] += 1
