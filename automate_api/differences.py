"""Where a tenant's records are not as the contract has them, seen in a sample of them.

A `Sample` keeps no record and no value but the words of what looks like a closed list: it counts
which fields came, of which types. `tenant.proposal` makes an overlay of what it has seen.
"""

from __future__ import annotations

import collections
import datetime as dt
import enum
import re
import typing as t
from decimal import Decimal

from automate_api import redaction
from automate_api.tenant.places import ITEMS, Place

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from automate_api.contract import Schema
    from automate_api.tenant.places import Path

ENOUGH: t.Final = 5
"""Records, or items of an array, without a field before it counts as missing; of a key, one."""

NOT_SHOWN: t.Final = "(not shown)"
"""Stands for a name or a word that may be somebody's data."""

MOST_NAMES: t.Final = 500
MOST_WORDS: t.Final = 200

DATE: t.Final = "date"
INSTANT: t.Final = "date-time"
TEXT: t.Final = "text"

_KINDS: t.Final[Mapping[type, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    Decimal: "number",
    str: "string",
    list: "array",
}
_NAME: t.Final = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]{0,39}")
_CODE: t.Final = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*|[a-z]+([A-Z][a-z0-9]+)+|[A-Z0-9]{1,3}")
LONGEST_WORD: t.Final = 30
_INSTANT: t.Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")


class Kind(enum.StrEnum):
    """What is not as the contract has it."""

    MISSING = "missing field"
    UNKNOWN = "unknown field"
    WORD = "new word"
    TYPE = "another type"


class Difference(t.NamedTuple):
    """One field that is not as the contract has it.

    Attributes:
        kind: What is wrong with it.
        place: Where it stands, as `tenant.places.Place` writes it.
        times: How often it was so; of a missing one, in how many objects it could have been.
        detail: The types that came, or the word; empty for a missing or unknown field.
    """

    kind: Kind
    place: str
    times: int
    detail: str = ""


class Node:
    """What came at one place.

    Attributes:
        times: How often there was anything, null included.
        kinds: JSON type to how often; `integer` and `number` apart.
        formats: Of texts: `DATE`, `INSTANT` or `TEXT` to how often.
        words: Of texts: how often, of the first of them; of long ones together. Not to be shown.
        is_personal: Whether a text looked like an email address or a telephone number.
        fields: Of objects: what is within.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.times = 0
        self.kinds: collections.Counter[str] = collections.Counter()
        self.formats: collections.Counter[str] = collections.Counter()
        self.words: collections.Counter[str] = collections.Counter()
        self.is_personal = False
        self.fields: dict[str, Node] = {}
        self._item: Node | None = None

    @property
    def item(self) -> Node:
        """Of arrays: what their elements are."""
        self._item = self._item or Node()
        return self._item

    def add(self, value: object) -> None:
        """Count a value and what is within it."""
        self.times += 1
        if value is None:
            return
        self.kinds[kind_of(value)] += 1
        if isinstance(value, str):
            self._read(value)
        elif isinstance(value, dict):
            for name, part in value.items():
                if name in self.fields or len(self.fields) < MOST_NAMES:
                    self.fields.setdefault(name, Node()).add(part)
        elif isinstance(value, list):
            for part in value:
                self.item.add(part)

    def _read(self, text: str) -> None:
        self.formats[_format(text)] += 1
        if redaction.PERSONAL in redaction.redact(text):
            self.is_personal = True
        if text in self.words or len(self.words) < MOST_WORDS:
            self.words[text if len(text) <= LONGEST_WORD else NOT_SHOWN] += 1


class Scope(t.NamedTuple):
    """An object whose fields can change places: a record, or an item of its arrays.

    Attributes:
        arrays: The arrays that it is within.
        schema: By the contract.
        seen: What came.
    """

    arrays: tuple[Path, ...]
    schema: Schema
    seen: Node


class Sample:
    """What some records of a list show.

    Attributes:
        schema: Of a record, by the contract with its overlay.
    """

    def __init__(self, schema: Schema) -> None:
        """Begin without records."""
        self.schema = schema
        self._seen = Node()

    @property
    def records(self) -> int:
        """How many there were."""
        return self._seen.times

    def add(self, record: Mapping[str, t.Any]) -> None:
        """Take a record, decoded to Python's own types, numbers with a point to `Decimal`."""
        self._seen.add(record)

    def at(self, place: str) -> Node | None:
        """Give what came at a place; None where nothing did."""
        *arrays, last = place.split(f"{ITEMS}.")
        node: Node | None = self._seen
        for array in arrays:
            holder = _node(node, tuple(array.split(".")))
            node = holder.item if holder else None
        return _node(node, tuple(last.split(".")))

    @property
    def leaves_out_nulls(self) -> bool:
        """Whether null never came, while some objects lack fields that others have."""
        nodes = list(_nodes(self._seen))
        return all(node.times == node.kinds.total() for node in nodes) and any(
            part.times < node.kinds["object"] for node in nodes for part in node.fields.values()
        )

    def scopes(self) -> Iterator[Scope]:
        """Go through the record and the items of its arrays that came, as deep as both go."""
        yield from _scopes(Scope((), self.schema, self._seen))

    def differences(self) -> list[Difference]:
        """List what is not as the contract has it, in its order, unknown fields last."""
        return [found for scope in self.scopes() for found in _differences(scope)]


def kind_of(value: object) -> str:
    """Give the JSON Schema type of a decoded value."""
    return "null" if value is None else _KINDS.get(type(value), "object")


def allowed(schema: Schema) -> frozenset[str]:
    """Give the types that a schema allows, null among them; none where it does not say."""
    kinds = schema.get("type", ())
    found = frozenset([kinds] if isinstance(kinds, str) else kinds)
    return found | {"integer"} if "number" in found else found


def shown(name: str) -> str:
    """Give a field's name, or what stands for one that may be data."""
    return name if _NAME.fullmatch(name) else NOT_SHOWN


def shown_word(word: str, known: Sequence[str | None]) -> str:
    """Give a word that a closed list does not have, or what stands for one that may be data.

    Args:
        word: The tenant's.
        known: The list.
    """
    is_code = len(word) <= LONGEST_WORD and _CODE.fullmatch(word)
    return word if is_code or spelled(word, known) else NOT_SHOWN


def spelled(word: str, known: Sequence[str | None]) -> str | None:
    """Find the word of a closed list that a tenant spells otherwise: `In Stock` is `in_stock`.

    Args:
        word: The tenant's.
        known: The list.
    """
    letters = _letters(word)
    return next((each for each in known if each and letters and _letters(each) == letters), None)


def missing(scope: Scope) -> Iterator[tuple[Path, Schema, int]]:
    """List the fields that no object of a scope had, the outermost of each.

    Args:
        scope: The objects.

    Yields:
        Path, schema, and how many objects could have had it: `ENOUGH` or more, unless it is a key.
    """
    yield from _missing((), scope.schema, scope.seen)


def unknown(scope: Scope) -> Iterator[tuple[Path, Node]]:
    """List the fields that the contract does not have, the outermost of each.

    Args:
        scope: The objects.

    Yields:
        Path, and what came.
    """
    yield from _unknown((), scope.schema, scope.seen)


def _letters(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _node(node: Node | None, path: Path) -> Node | None:
    for name in path:
        node = node.fields.get(name) if node else None
    return node


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for part in node.fields.values():
        yield from _nodes(part)
    if node.kinds["array"]:
        yield from _nodes(node.item)


def _scopes(scope: Scope) -> Iterator[Scope]:
    yield scope
    for path, field, seen in _known((), scope.schema, scope.seen):
        if field.get("items", {}).get("properties") and seen.kinds["array"]:
            yield from _scopes(Scope((*scope.arrays, path), field["items"], seen.item))


def _known(holder: Path, schema: Schema, seen: Node) -> Iterator[tuple[Path, Schema, Node]]:
    """Go through the fields that are in the contract and came."""
    for name, field in schema.get("properties", {}).items():
        if (found := seen.fields.get(name)) is not None:
            yield (*holder, name), field, found
            yield from _known((*holder, name), field, found)


def _missing(holder: Path, schema: Schema, seen: Node) -> Iterator[tuple[Path, Schema, int]]:
    objects = seen.kinds["object"]
    for name, field in schema.get("properties", {}).items():
        found = seen.fields.get(name)
        least = 1 if name in schema.get("required", ()) else ENOUGH
        if found is None and objects >= least:
            yield (*holder, name), field, objects
        elif found is not None:
            yield from _missing((*holder, name), field, found)


def _unknown(holder: Path, schema: Schema, seen: Node) -> Iterator[tuple[Path, Node]]:
    properties = schema.get("properties", {})
    for name, found in seen.fields.items():
        if name not in properties:
            yield (*holder, name), found
        elif properties[name].get("properties"):
            yield from _unknown((*holder, name), properties[name], found)


def _differences(scope: Scope) -> Iterator[Difference]:
    for path, field, seen in _known((), scope.schema, scope.seen):
        place = str(Place(scope.arrays, path))
        yield from _of_value(place, field, seen)
        if seen.kinds["array"] and not field.get("items", {}).get("properties"):
            yield from _of_value(place, field.get("items", {}), seen.item)
    for path, _, times in missing(scope):
        yield Difference(Kind.MISSING, str(Place(scope.arrays, path)), times)
    for path, seen in unknown(scope):
        named = Place(scope.arrays, tuple(map(shown, path)))
        yield Difference(Kind.UNKNOWN, str(named), seen.times)


def _of_value(place: str, field: Schema, seen: Node) -> Iterator[Difference]:
    kinds = allowed(field)
    others = {kind: times for kind, times in seen.kinds.items() if kinds and kind not in kinds}
    if others:
        yield Difference(Kind.TYPE, place, sum(others.values()), " and ".join(sorted(others)))
    form = field.get("format")
    if form in {DATE, INSTANT} and seen.formats.total() > seen.formats[form]:
        times = seen.formats.total() - seen.formats[form]
        yield Difference(Kind.TYPE, place, times, f"text that is no {form}")
    if "enum" in field:
        hidden = 0
        for word, times in seen.words.items():
            if word in field["enum"]:
                continue
            if shown_word(word, field["enum"]) == word:
                yield Difference(Kind.WORD, place, times, word)
            else:
                hidden += times
        if hidden:
            yield Difference(Kind.WORD, place, hidden, NOT_SHOWN)


def _format(text: str) -> str:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return TEXT
    if _INSTANT.match(text):
        return INSTANT
    return DATE if "-" in text else TEXT
