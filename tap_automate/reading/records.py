"""What is done to a record between the API and a Singer message, compiled once per schema.

- Sentinel dates, which a DMS writes where it has none, become null, except for `updatedAt`.
- Personal data is dropped or hashed as the `pii` setting says.
- What the contract does not know passes through, counted: a vendor may add fields and values of
  closed lists at any time, or send another type, and none of it is worth a failed load.

Here records are dicts, which hold whatever came. `shapes` does the same to typed records, which
hold what the contract foresees, and takes the steps for single fields from here.
"""

from __future__ import annotations

import collections
import logging
import re
import typing as t
from decimal import Decimal

from tap_automate.streams import REPLICATION_KEY

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_automate.privacy import Privacy

_JSON_TYPES: t.Final[Mapping[type, str]] = {
    str: "string",
    bool: "boolean",
    dict: "object",
    list: "array",
}

_PYTHON_TYPES: t.Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, Decimal),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}

SENTINEL_DATES: t.Final = ("1000-01-01", "0001-01-01", "1910-01-01")
"""Dates that stand for "none" in DMS exports (field notes, 9), alone or before a time."""

BEHIND_SENTINELS: t.Final = "1910-01-02"
"""Compared as text, every sentinel comes before this date, with whatever time."""

_HARMLESS: t.Final = re.compile(r"[A-Za-z0-9_\-]{1,40}")

Step: t.TypeAlias = "collections.abc.Callable[[t.Any], t.Any]"
"""Takes a value that is not null and returns what is emitted in its place."""


class Drift:
    """What a run saw that the contract does not know, and what it set to null: how often.

    Attributes:
        unknown_fields: Rows by dotted path of a field that the contract does not have.
        unknown_values: Rows by `path=value` of a closed list's value that it does not have.
        other_types: Rows by dotted path of a field whose value is not of the contract's type.
        sentinels: Rows by dotted path of a date set to null.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.unknown_fields: collections.Counter[str] = collections.Counter()
        self.unknown_values: collections.Counter[str] = collections.Counter()
        self.other_types: collections.Counter[str] = collections.Counter()
        self.sentinels: collections.Counter[str] = collections.Counter()

    def lines(self) -> Iterator[tuple[int, str]]:
        """Say each kind in one line with its log level; nothing where all was as expected."""
        unknown = logging.WARNING
        types = "values of another type than the contract's, passed through"
        for level, label, counter in (
            (unknown, "fields the contract does not know, passed through", self.unknown_fields),
            (unknown, "values its closed lists do not have, passed through", self.unknown_values),
            (unknown, types, self.other_types),
            (logging.INFO, "sentinel dates set to null", self.sentinels),
        ):
            if counter:
                seen = ", ".join(f"{name} ({rows} rows)" for name, rows in sorted(counter.items()))
                yield level, f"{label}: {seen}"


class Normaliser:
    """Brings records of one schema into the form in which they are emitted.

    Attributes:
        drift: What was counted so far.
    """

    def __init__(self, schema: Mapping[str, t.Any], privacy: Privacy) -> None:
        """Compile the schema.

        Args:
            schema: A record's schema from the contract, with its closed lists.
            privacy: What becomes of personal data.
        """
        self.drift = Drift()
        self._privacy = privacy
        self._normalise = self._object(unkeyed(schema), "")

    def __call__(self, record: dict[str, t.Any]) -> dict[str, t.Any]:
        """Normalise a record in place and return it."""
        normalised: dict[str, t.Any] = self._normalise(record)
        return normalised

    def known(self, name: str, schema: Mapping[str, t.Any], path: str) -> Step:
        """Compile what becomes of the values of a field of the contract.

        Args:
            name: The field; empty for an element of an array.
            schema: Its schema.
            path: Dotted, for the counts.
        """
        date = self.date(path) if schema.get("format") in {"date", "date-time"} else None
        if hashing := self._privacy.hashing(name):
            # The hash of a date that stands for "none" would join everybody who has none.
            return _both(date, hashing) if date else hashing
        kinds = kinds_of(schema)
        step: Step | None = date
        if "enum" in schema:
            step = self._closed_list(schema["enum"], path)
        elif "object" in kinds and schema.get("properties"):
            step = self._object(schema, f"{path}.")
        elif "array" in kinds and "items" in schema:
            step = _each(self.known("", schema["items"], path))
        return self._of_type(kinds, step, path) if kinds else step or _unchanged

    def unknown(self, name: str, path: str) -> Step:
        """Compile what becomes of the values of a field that the contract does not have.

        Args:
            name: The field; not one that is dropped.
            path: Dotted path of what holds it, with its dot; empty at the top.
        """
        treat = self._privacy.hashing(name) or self._privacy.treat
        unknown_fields, shown = self.drift.unknown_fields, f"{path}{_shown(name)}"

        def unknown(value: t.Any) -> t.Any:  # noqa: ANN401 - a vendor may send anything
            unknown_fields[shown] += 1
            return None if value is None else treat(value)

        return unknown

    def date(self, path: str) -> Step:
        """Compile what becomes of a field's dates.

        Args:
            path: Dotted, for the counts.
        """
        sentinels = self.drift.sentinels

        def date(value: t.Any) -> t.Any:  # noqa: ANN401
            if isinstance(value, str) and value.startswith(SENTINEL_DATES):
                sentinels[path] += 1
                return None
            return value

        return date

    def _object(self, schema: Mapping[str, t.Any], path: str) -> Step:
        properties: Mapping[str, t.Any] = schema.get("properties", {})
        known = frozenset(properties)
        dropped = tuple(name for name in properties if self._privacy.drops(name))
        steps = [
            (name, self.known(name, child, f"{path}{name}"))
            for name, child in properties.items()
            if name not in dropped
        ]
        privacy = self._privacy

        def normalise(record: dict[str, t.Any]) -> dict[str, t.Any]:
            for name in record.keys() - known:
                value = record.pop(name)
                if not privacy.drops(name):
                    record[name] = self.unknown(name, path)(value)
            for name in dropped:
                record.pop(name, None)
            for name, step in steps:
                value = record.get(name)
                if value is not None:
                    record[name] = step(value)
            return record

        return normalise if known else _unchanged

    def _of_type(self, kinds: frozenset[str], step: Step | None, path: str) -> Step:
        types = {python for kind in kinds for python in _PYTHON_TYPES.get(kind, ())}
        other_types, treat = self.drift.other_types, self._privacy.treat

        def of_type(value: t.Any) -> t.Any:  # noqa: ANN401
            if value is None:
                return None
            if type(value) not in types:
                other_types[path] += 1
                return treat(value)
            return value if step is None else step(value)

        return of_type

    def _closed_list(self, values: list[t.Any], path: str) -> Step:
        known = frozenset(value for value in values if value is not None)
        unknown_values = self.drift.unknown_values

        def closed_list(value: t.Any) -> t.Any:  # noqa: ANN401
            if isinstance(value, str) and value not in known:
                unknown_values[f"{path}={_shown(value)}"] += 1
            return value

        return closed_list


def deviations(
    schema: Mapping[str, t.Any], value: object, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Find what in a value is not as its schema has it.

    Args:
        schema: From the contract.
        value: As it came.
        path: Where the value stands.

    Yields:
        Path of each field that the schema does not have, or whose value it does not allow; an
        array's elements stand under the array's own path.
    """
    kinds = kinds_of(schema)
    if value is None or not kinds:
        return
    if not any(type(value) in _PYTHON_TYPES.get(kind, ()) for kind in kinds) or (
        "enum" in schema and value not in schema["enum"]
    ):
        yield path
    elif isinstance(value, dict) and (properties := schema.get("properties")):
        for name, part in value.items():
            if name not in properties:
                yield (*path, name)
            else:
                yield from deviations(properties[name], part, (*path, name))
    elif isinstance(value, list):
        for part in value:
            yield from deviations(schema.get("items", {}), part, path)


def unkeyed(schema: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a record's schema without the types and formats of its key and its date.

    Whether these can be used is not a matter of drift: the reader says so, and what it takes counts
    as right. Nor do they stand for "none" when they are sentinel dates: neither may be null.
    """
    keys = {*schema.get("x-key", ()), REPLICATION_KEY}
    properties = {
        name: {
            word: value
            for word, value in child.items()
            if word not in {"type", "format"} or name not in keys
        }
        for name, child in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def kinds_of(schema: Mapping[str, t.Any]) -> frozenset[str]:
    """Return the types that a schema allows besides null; none when it does not say."""
    kinds = schema.get("type", ())
    return frozenset([kinds] if isinstance(kinds, str) else kinds) - {"null"}


def inferred_type(value: object) -> str:
    """Return the JSON Schema type of a value that came in a field without a schema."""
    return _JSON_TYPES.get(type(value), "number")


def _shown(text: str) -> str:
    return text if _HARMLESS.fullmatch(text) else "(not shown)"


def _unchanged(value: t.Any) -> t.Any:  # noqa: ANN401
    return value


def _both(first: Step, second: Step) -> Step:
    def both(value: t.Any) -> t.Any:  # noqa: ANN401
        changed = first(value)
        return None if changed is None else second(changed)

    return both


def _each(step: Step) -> Step:
    def each(values: list[t.Any]) -> list[t.Any]:
        return [step(value) for value in values]

    return each
