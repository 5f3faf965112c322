"""What is done to a record between the API and a Singer message, compiled once per schema.

- Sentinel dates, which a DMS writes where it has none, become null, except for `updatedAt`.
  A text that is no date at all passes through like any other type.
- Personal data is dropped or hashed as the `pii` setting says.
- What the contract does not know passes through, counted (`drift`): a vendor may add fields and
  values of closed lists at any time, or send another type, and none of it is worth a failed load.

Here records are dicts, which hold whatever came. `shapes` does the same to typed records, which
hold what the contract foresees, and takes the steps for single fields from here.
"""

from __future__ import annotations

import collections
import datetime as dt
import functools
import typing as t
from decimal import Decimal

from msgspec import UNSET

from automate_api.differences import shown, shown_word
from tap_automate.reading.drift import ITEMS, NO_DATE, Drift, inferred_type
from tap_automate.reading.presence import Presence
from tap_automate.streams import REPLICATION_KEY

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from tap_automate.privacy import Privacy

_PYTHON_TYPES: t.Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, Decimal),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}

SENTINEL_DATES: t.Final = ("1000-01-01", "0001-01-01", "1910-01-01")
"""Dates that stand for "none" in DMS exports (field notes, 9), as do empty texts, alone or before a
time."""

BEHIND_SENTINELS: t.Final = "1910-01-02"
"""Compared as text, every sentinel comes before this date, with whatever time."""

END_OF_YEARS: t.Final = "9999-12-31"
"""From here on an instant may lie in the year 10000 of UTC, which no loader can write."""

Step: t.TypeAlias = "Callable[[t.Any], t.Any]"
"""Takes a value that is not null and returns what is emitted in its place."""


class Normaliser:
    """Brings records of one schema into the form in which they are emitted.

    Attributes:
        drift: What was counted so far.
    """

    def __init__(
        self,
        schema: Mapping[str, t.Any],
        privacy: Privacy,
        *,
        keep_unknown: bool = True,
        not_sent: Collection[str] = (),
    ) -> None:
        """Compile the schema.

        Args:
            schema: A record's schema from the contract, with its closed lists.
            privacy: What becomes of personal data.
            keep_unknown: Whether fields that the contract does not have are passed through.
            not_sent: Fields of the schema that do not count as missing when no record has them.
        """
        self.drift = Drift(Presence(schema, not_sent))
        self._privacy = privacy
        self._keep_unknown = keep_unknown
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
        place = path if name else f"{path}{ITEMS}"
        date = self.date(path, place) if schema.get("format") in {"date", "date-time"} else None
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
        return self._of_type(kinds, step, place) if kinds else step or _unchanged

    def unknown(self, name: str, path: str) -> Step:
        """Compile what becomes of the values of a field that the contract does not have.

        Args:
            name: The field; not one that is dropped.
            path: Dotted path of what holds it, with its dot; empty at the top.

        Returns:
            What counts them; it gives `UNSET` where they are left out.
        """
        treat = self._privacy.hashing(name) or self._privacy.treat
        meet, named, keep = self.drift.meet_unknown, f"{path}{shown(name)}", self._keep_unknown

        def unknown(value: t.Any) -> t.Any:  # noqa: ANN401 - a vendor may send anything
            meet(named, value)
            if not keep:
                return UNSET
            return None if value is None else treat(value)

        return unknown

    def date(self, path: str, place: str) -> Step:
        """Compile what becomes of a field's dates.

        Args:
            path: Dotted, for the counts of sentinels.
            place: The same, for the counts of other types; names an array's elements.
        """
        sentinels, meet, treat = (
            self.drift.sentinels,
            self.drift.meet_other_type,
            self._privacy.treat,
        )

        def date(value: t.Any) -> t.Any:  # noqa: ANN401
            if isinstance(value, str):
                if value < BEHIND_SENTINELS and (
                    value.startswith(SENTINEL_DATES) or not value.strip()
                ):
                    sentinels[path] += 1
                    return None
                if not _is_date(value):
                    meet(place, NO_DATE)
                    return treat(value)
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
                    kept = self.unknown(name, path)(value)
                    if kept is not UNSET:
                        record[name] = kept
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
        meet, treat = self.drift.meet_other_type, self._privacy.treat

        def of_type(value: t.Any) -> t.Any:  # noqa: ANN401
            if value is None:
                return None
            if type(value) not in types:
                meet(path, inferred_type(value))
                return treat(value)
            return value if step is None else step(value)

        return of_type

    def _closed_list(self, values: list[t.Any], path: str) -> Step:
        known = frozenset(value for value in values if value is not None)
        meet = self.drift.meet_unknown_value
        said = functools.lru_cache(maxsize=256)(lambda word: shown_word(word, values))

        def closed_list(value: t.Any) -> t.Any:  # noqa: ANN401
            if isinstance(value, str) and value not in known:
                meet(path, said(value))
            return value

        return closed_list


def are_dates(texts: Iterable[str]) -> bool:
    """Tell whether texts are all dates, or instants, as a loader reads them.

    Args:
        texts: Any; those from `END_OF_YEARS` on are to be looked at one by one.
    """
    try:
        collections.deque(map(dt.datetime.fromisoformat, texts), maxlen=0)
    except ValueError:
        return False
    return True


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
    """Return a record's schema without the formats of its key and its date, and the date's type.

    Whether the date can be used is not a matter of drift: the reader says so. Nor do they stand for
    "none" when they are sentinel dates: neither may be null.
    """
    left_out = {key: {"format"} for key in schema.get("x-key", ())}
    left_out[REPLICATION_KEY] = {"type", "format"}
    properties = {
        name: {word: value for word, value in child.items() if word not in left_out.get(name, ())}
        for name, child in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def kinds_of(schema: Mapping[str, t.Any]) -> frozenset[str]:
    """Return the types that a schema allows besides null; none when it does not say."""
    kinds = schema.get("type", ())
    return frozenset([kinds] if isinstance(kinds, str) else kinds) - {"null"}


def _is_date(text: str) -> bool:
    try:
        instant = dt.datetime.fromisoformat(text)
        if text >= END_OF_YEARS and instant.tzinfo is not None:
            instant.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return False
    return True


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
