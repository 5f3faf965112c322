"""What is done to a record between the API and a Singer message, compiled once per schema.

- Sentinel dates, which a DMS writes where it has none, become null.
- Personal data is dropped or hashed as the `pii` setting says.
- Values of closed lists and fields that the contract does not know pass through, counted: a vendor
  may add either at any time, and neither is worth a failed load.
- Line streams are cut out of their parent, without another request.
"""

from __future__ import annotations

import collections
import logging
import re
import typing as t

from automate_api.errors import ProtocolError
from tap_automate.streams import PARENT_KEY, REPLICATION_KEY

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_automate.privacy import Privacy

_JSON_TYPES: t.Final[Mapping[type, str]] = {
    str: "string",
    bool: "boolean",
    dict: "object",
    list: "array",
}

SENTINEL_DATES: t.Final = ("1000-01-01", "0001-01-01", "1910-01-01")
"""Dates that stand for "none" in DMS exports (field notes, 9), alone or before a time."""

_HARMLESS: t.Final = re.compile(r"[A-Za-z0-9_\-]{1,40}")


class Drift:
    """What a run saw that the contract does not know, and what it set to null: how often.

    Attributes:
        unknown_fields: Rows by dotted path of a field that the contract does not have.
        unknown_values: Rows by `path=value` of a closed list's value that it does not have.
        sentinels: Rows by dotted path of a date set to null.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.unknown_fields: collections.Counter[str] = collections.Counter()
        self.unknown_values: collections.Counter[str] = collections.Counter()
        self.sentinels: collections.Counter[str] = collections.Counter()

    def lines(self) -> Iterator[tuple[int, str]]:
        """Say each kind in one line with its log level; nothing where all was as expected."""
        unknown = logging.WARNING
        for level, label, counter in (
            (unknown, "fields the contract does not know, passed through", self.unknown_fields),
            (unknown, "values its closed lists do not have, passed through", self.unknown_values),
            (logging.INFO, "sentinel dates set to null", self.sentinels),
        ):
            if counter:
                seen = ", ".join(f"{name} ({rows} rows)" for name, rows in sorted(counter.items()))
                yield level, f"{label}: {seen}"


Step = t.Callable[[t.Any], t.Any]


class Normaliser:
    """Brings records of one schema into the form in which they are emitted.

    Attributes:
        known: The schema's own fields.
        drift: What was counted so far.
    """

    def __init__(self, schema: Mapping[str, t.Any], privacy: Privacy) -> None:
        """Compile the schema.

        Args:
            schema: A record's schema from the contract, with its closed lists.
            privacy: What becomes of personal data.
        """
        self.drift = Drift()
        self.known = frozenset(schema["properties"])
        self._privacy = privacy
        self._normalise = self._object(schema, "")

    def __call__(self, record: dict[str, t.Any]) -> dict[str, t.Any]:
        """Normalise a record in place and return it."""
        normalised: dict[str, t.Any] = self._normalise(record)
        return normalised

    def _object(self, schema: Mapping[str, t.Any], path: str) -> Step:
        properties: Mapping[str, t.Any] = schema.get("properties", {})
        known = frozenset(properties)
        dropped = tuple(name for name in properties if self._privacy.drops(name))
        steps = [
            (name, step)
            for name, child in properties.items()
            if name not in dropped and (step := self._value(name, child, f"{path}{name}"))
        ]
        unknown_fields, privacy = self.drift.unknown_fields, self._privacy

        def normalise(record: t.Any) -> t.Any:  # noqa: ANN401 - a vendor may send anything
            if not isinstance(record, dict):
                return record
            if unknown := record.keys() - known:
                passed = privacy.treat({name: record.pop(name) for name in unknown})
                for name in passed:
                    unknown_fields[f"{path}{_shown(name)}"] += 1
                record |= passed
            for name in dropped:
                record.pop(name, None)
            for name, step in steps:
                value = record.get(name)
                if value is not None:
                    record[name] = step(value)
            return record

        return normalise if known else _unchanged

    def _value(self, name: str, schema: Mapping[str, t.Any], path: str) -> Step | None:
        date = self._date(path) if schema.get("format") in {"date", "date-time"} else None
        if hashing := self._privacy.hashing(name):
            # The hash of a date that stands for "none" would join everybody who has none.
            return _both(date, hashing) if date else hashing
        kinds = schema.get("type", ())
        if "enum" in schema:
            return self._closed_list(schema["enum"], path)
        if date:
            return date
        if "object" in kinds and schema.get("properties"):
            return self._object(schema, f"{path}.")
        if "array" in kinds and (item := self._value("", schema.get("items", {}), path)):
            return _each(item)
        return None

    def _date(self, path: str) -> Step:
        sentinels = self.drift.sentinels

        def date(value: t.Any) -> t.Any:  # noqa: ANN401
            if isinstance(value, str) and value.startswith(SENTINEL_DATES):
                sentinels[path] += 1
                return None
            return value

        return date

    def _closed_list(self, values: list[t.Any], path: str) -> Step:
        known = frozenset(value for value in values if value is not None)
        unknown_values = self.drift.unknown_values

        def closed_list(value: t.Any) -> t.Any:  # noqa: ANN401
            if isinstance(value, str) and value not in known:
                unknown_values[f"{path}={_shown(value)}"] += 1
            return value

        return closed_list


def lines_of(
    parent: Mapping[str, t.Any],
    field: str,
    inherited: tuple[str, ...],
    position: str | None,
) -> Iterator[dict[str, t.Any]]:
    """Cut the rows of a line stream out of their parent.

    Args:
        parent: The parent as it is emitted.
        field: The parent's array that holds the lines.
        inherited: Parent's fields that each line carries: its key and its rooftop.
        position: Field to number the lines in, from 1, where the API gives them no id of their own.

    Yields:
        A row for each line, with the parent's `updatedAt` as `parentUpdatedAt`: a row is current
        when that equals the parent's, since a line that was removed from its parent stays behind in
        a warehouse.

    Raises:
        ProtocolError: When the array is none, or holds something that is no line.
    """
    lines = parent.get(field) or []
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        msg = f"Expected `{field}` of every record to be a list of objects, one has something else."
        raise ProtocolError(msg)
    head = {name: parent.get(name) for name in inherited}
    for number, line in enumerate(lines, 1):
        row = {**head, **line, PARENT_KEY: parent[REPLICATION_KEY]}
        if position is not None:
            row[position] = number
        yield row


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
    def each(values: t.Any) -> t.Any:  # noqa: ANN401
        return [step(value) for value in values] if isinstance(values, list) else values

    return each
