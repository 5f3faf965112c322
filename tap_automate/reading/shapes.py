"""A record's schema compiled to a typed struct: what the contract foresees, read without checks.

msgspec checks while it decodes, so a record that has become a struct has the contract's types, and
what is left to do is done for many records at a time: dates are compared as one lot, and looked at
one by one only where a sentinel is among them.

A field is *loose* when a record has shown that the contract errs about it: one that it does not
have, a value of another type, a closed list's new value. It is kept as JSON gave it and goes the
way of `records`, value by value, so that nothing else of the record has to.
"""

from __future__ import annotations

import itertools
import keyword
import operator
import types
import typing as t
from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from tap_automate.reading.records import BEHIND_SENTINELS, END_OF_YEARS, are_dates, kinds_of
from tap_automate.streams import REPLICATION_KEY

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_automate.privacy import Privacy
    from tap_automate.reading.records import Normaliser, Step

Path: t.TypeAlias = tuple[str, ...]

PLAIN_TYPES: t.Final[Mapping[str, t.Any]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "object": dict[str, t.Any],
}
"""Numbers are read untyped, and looked at afterwards: as `Decimal`, msgspec takes texts as well, as
`float` it loses digits.
"""

NUMBERS: t.Final = frozenset({int, Decimal, type(None), UnsetType})


class Rules(t.NamedTuple):
    """What all parts of a record are compiled with.

    Attributes:
        privacy: What becomes of personal data.
        normaliser: Gives the steps for single values, and counts.
        loose: Paths of the fields that are not as the contract has them.
    """

    privacy: Privacy
    normaliser: Normaliser
    loose: frozenset[Path]


class Shape:
    """The type of a record, or of a part of one, and what is to be done to its values.

    Attributes:
        struct: The type; a field is missing from a record when it is `UNSET`.
        fields: Name in JSON to attribute of the struct.
        parts: Field to the shape of its object, or of the elements of its array.
    """

    def __init__(self, schema: Mapping[str, t.Any], path: Path, rules: Rules) -> None:
        """Compile a schema with properties.

        Args:
            schema: From the contract.
            path: Where in the record it stands; empty for the record itself.
            rules: For all parts of the record alike.
        """
        self.parts: dict[str, Shape] = {}
        self._path = path
        self._rules = rules
        self._dropped: list[str] = []
        self._dates: dict[str, Step] = {}
        self._numbers: dict[str, Step] = {}
        self._loose: dict[str, Step] = {}
        self._unknown: dict[str, Step] = {}
        self._required = () if path else (*schema.get("x-key", ()), REPLICATION_KEY)
        unknown = {p[-1] for p in rules.loose if p[:-1] == path} - schema["properties"].keys()
        names = [*schema["properties"], *sorted(unknown)]
        self.fields = {name: _attribute(name, number) for number, name in enumerate(names)}
        typed = {
            self.fields[name]: self._field(name, schema["properties"].get(name)) for name in names
        }
        must = [self.fields[name] for name in self._required]
        may = [attribute for attribute in typed if attribute not in must]
        self.struct: type[msgspec.Struct] = msgspec.defstruct(
            "Record",
            [
                *((attribute, typed[attribute]) for attribute in must),
                *((attribute, typed[attribute] | UnsetType, UNSET) for attribute in may),
            ],
            rename={attribute: name for name, attribute in self.fields.items()},
            forbid_unknown_fields=True,
            gc=False,
        )
        self._finishers = list(self._compile())

    def finish(self, records: Sequence[t.Any]) -> None:
        """Bring records into the form in which they are emitted, in place, and count drift.

        Args:
            records: Structs of this shape.
        """
        for finisher in self._finishers:
            finisher(records)

    def _field(self, name: str, schema: Mapping[str, t.Any] | None) -> t.Any:  # noqa: ANN401 - a type
        """Choose a field's type, and note what is to be done to its values."""
        rules, attribute, path = self._rules, self.fields[name], (*self._path, name)
        dotted = ".".join(path)
        if rules.privacy.drops(name):
            self._dropped.append(attribute)
            return msgspec.Raw
        if schema is None:
            self._unknown[attribute] = rules.normaliser.unknown(name, dotted[: -len(name)])
            return t.Any
        step = rules.normaliser.known(name, schema, dotted)
        typed: t.Any = None
        if name in self._required:
            typed = str
            if path in rules.loose:
                self._loose[attribute] = step
                typed = str | int
        elif kinds_of(schema) == {"number"}:
            self._numbers[attribute] = step
            return t.Any
        elif path not in rules.loose and not rules.privacy.hashing(name):
            typed = self._typed(name, schema, path)
        if typed is None:
            self._loose[attribute] = step
            return t.Any
        if schema.get("format") in {"date", "date-time"}:
            self._dates[attribute] = step
        return typed if name in self._required else typed | None

    def _typed(self, name: str, schema: Mapping[str, t.Any], path: Path) -> t.Any:  # noqa: ANN401 - a type
        """Return the type of values that need no look of their own, or None when they do."""
        kinds = kinds_of(schema)
        kind = next(iter(kinds)) if len(kinds) == 1 else None
        if "enum" in schema:
            values = tuple(value for value in schema["enum"] if value is not None)
            return t.Literal[values] if all(isinstance(v, str) for v in values) else None
        if kind == "object" and schema.get("properties"):
            self.parts[name] = Shape(schema, path, self._rules)
            return self.parts[name].struct
        if kind == "array":
            items = schema.get("items", {})
            dated = items.get("format") in {"date", "date-time"}
            nested = dated or "array" in kinds_of(items)
            element: t.Any = None if nested else self._typed(name, items, path)
            if element is None:
                return None
            allowed = element | None if "null" in items.get("type", ()) else element
            return types.GenericAlias(list, (allowed,))
        return PLAIN_TYPES.get(kind or "")

    def _compile(self) -> Iterator[Callable[[Sequence[t.Any]], None]]:
        """List what is to be done; nothing where the values are as they should be by their type."""
        if self._dropped:
            yield _drop(self._dropped)
        if self._dates:
            yield _look(self._dates, _may_be_no_dates)
        if self._numbers:
            yield _look(self._numbers, _has_other_types)
        if self._loose:
            yield _look(self._loose)
        if self._unknown:
            yield _look(self._unknown, nulls=True)
        for name, part in self.parts.items():
            if part._finishers:  # noqa: SLF001 - of the same class
                yield _descend(operator.attrgetter(self.fields[name]), part)


def _attribute(name: str, number: int) -> str:
    """Name the attribute: as the field where Python and msgspec allow it."""
    usable = name.isidentifier() and not name.startswith("_") and not keyword.iskeyword(name)
    return name if usable else f"_{number}"


def _drop(attributes: list[str]) -> Callable[[Sequence[t.Any]], None]:
    def drop(records: Sequence[t.Any]) -> None:
        for record in records:
            for attribute in attributes:
                setattr(record, attribute, UNSET)

    return drop


def _look(
    steps: dict[str, Step],
    needed: Callable[[Iterable[t.Any]], bool] | None = None,
    *,
    nulls: bool = False,
) -> Callable[[Sequence[t.Any]], None]:
    """Apply steps to the values of their attributes.

    Args:
        steps: Attribute to step.
        needed: Tells from all values whether any needs its step.
        nulls: Whether null is a value, too.
    """
    get = operator.attrgetter(*steps)
    unpack = itertools.chain.from_iterable if len(steps) > 1 else iter

    def look(records: Sequence[t.Any]) -> None:
        if needed is not None and not needed(unpack(map(get, records))):
            return
        for attribute, step in steps.items():
            for record in records:
                value = getattr(record, attribute)
                if value is not UNSET and (nulls or value is not None):
                    setattr(record, attribute, step(value))

    return look


def _may_be_no_dates(values: Iterable[t.Any]) -> bool:
    texts = set(values) - {None, UNSET}
    return bool(texts) and not (
        min(texts) >= BEHIND_SENTINELS and max(texts) < END_OF_YEARS and are_dates(texts)
    )


def _has_other_types(values: Iterable[t.Any]) -> bool:
    return not NUMBERS.issuperset(map(type, values))


def _descend(get: Callable[[t.Any], t.Any], part: Shape) -> Callable[[Sequence[t.Any]], None]:
    def descend(records: Sequence[t.Any]) -> None:
        found: list[t.Any] = []
        for value in map(get, records):
            if isinstance(value, part.struct):
                found.append(value)
            elif value:
                found.extend(element for element in value if element is not None)
        part.finish(found)

    return descend
