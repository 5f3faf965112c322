"""Which fields of the contract have come, and which no record of a run has had. Pure.

A server that leaves out what is null says nothing by a field that no record has. It is known by
objects that lack a field which others have, while null never comes.
"""

from __future__ import annotations

import functools
import itertools
import operator
import typing as t

import msgspec
from msgspec import UNSET

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

ENOUGH: t.Final = 100
"""Objects that could have had a field before it counts as missing."""

MOST_LOOKED_AT: t.Final = 50
"""Objects of a block that are looked at for null: a server has it in most of them, or in none."""


class _Nulls:
    """How a server writes that there is nothing.

    Attributes:
        come: Whether null has come in any field.
        left_out: Whether an object has lacked a field that another had.
    """

    def __init__(self) -> None:
        self.come = False
        self.left_out = False


class Presence:
    """What of an object's fields has come so far.

    Once every field has come there is nothing left to look at, so that a tenant that sends what the
    contract has costs one block's look.
    """

    def __init__(
        self,
        schema: Mapping[str, t.Any],
        passed_over: Collection[str] = (),
        nulls: _Nulls | None = None,
    ) -> None:
        """Wait for every field.

        Args:
            schema: Of an object, with properties.
            passed_over: Names of fields, at any depth, that are not waited for.
            nulls: What is known of the server by other parts of the records.
        """
        self._nulls = nulls or _Nulls()
        self._names: frozenset[str] | None = None
        self._known = frozenset(schema["properties"])
        fields = {n: f for n, f in schema["properties"].items() if n not in passed_over}
        self._objects = 0
        self._missing = dict.fromkeys(fields)
        self._incomplete = {
            name: Presence(part, passed_over, self._nulls)
            for name, field in fields.items()
            if (part := _object_of(field))
        }

    @property
    def is_complete(self) -> bool:
        """Whether every field has come."""
        return not (self._missing or self._incomplete)

    def look(self, objects: Sequence[t.Any]) -> None:
        """Look at what some objects have.

        Args:
            objects: Structs or dicts; what is neither tells nothing.
        """
        if self.is_complete:
            return
        for kind, of_kind in _by_type(objects).items():
            if issubclass(kind, dict | msgspec.Struct):
                self._look(kind, of_kind)

    def missing(self, at: str = "") -> Iterator[tuple[str, int]]:
        """List the fields that no object has had, the outermost of each.

        Args:
            at: Path of the object, with a dot behind it.

        Yields:
            Dotted path, and how many objects could have had the field, `ENOUGH` or more; nothing
            where the server leaves out nulls.
        """
        if self._nulls.left_out and not self._nulls.come:
            return
        if self._objects >= ENOUGH:
            for name in self._missing:
                yield f"{at}{name}", self._objects
        for name, part in self._incomplete.items():
            yield from part.missing(f"{at}{name}.")

    def _look(self, kind: type, objects: Sequence[t.Any]) -> None:
        self._objects += len(objects)
        for each in objects[:MOST_LOOKED_AT]:
            if self._nulls.come:
                break
            self._look_for_null(each)
        for name in list(self._missing):
            if not all(map(operator.is_, _values(kind, objects, name), itertools.repeat(UNSET))):
                del self._missing[name]
        for name, part in list(self._incomplete.items()):
            part.look(_within(_values(kind, objects, name)))
            if part.is_complete:
                del self._incomplete[name]

    def _look_for_null(self, value: t.Any) -> None:  # noqa: ANN401 - a struct or a dict
        fields = _fields(value)
        names = self._known.intersection(fields)
        self._nulls.come = None in fields.values()
        self._nulls.left_out = self._nulls.left_out or self._names not in {None, names}
        self._names = names


def _object_of(field: Mapping[str, t.Any]) -> Mapping[str, t.Any] | None:
    """Return the schema of the objects that a field holds, in an array or alone."""
    holder = field if field.get("properties") else field.get("items", {})
    return holder if holder.get("properties") else None


def _by_type(objects: Sequence[t.Any]) -> Mapping[type, Sequence[t.Any]]:
    kinds = set(map(type, objects))
    if len(kinds) == 1:
        return dict.fromkeys(kinds, objects)
    return {kind: [each for each in objects if type(each) is kind] for kind in kinds}


def _values(kind: type, objects: Sequence[t.Any], name: str) -> Iterator[t.Any]:
    if issubclass(kind, dict):
        return (each.get(name, UNSET) for each in objects)
    attribute = _attributes(t.cast("type[msgspec.Struct]", kind)).get(name)
    return iter(()) if attribute is None else map(operator.attrgetter(attribute), objects)


def _fields(value: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - a struct or a dict
    if isinstance(value, dict):
        return value
    kind: type[msgspec.Struct] = type(value)
    named = ((name, getattr(value, attribute)) for name, attribute in _attributes(kind).items())
    return {name: part for name, part in named if part is not UNSET}


def _within(values: Iterator[t.Any]) -> list[t.Any]:
    """List the objects among values, and those in arrays."""
    found = [value for value in values if value is not None and value is not UNSET]
    kinds = set(map(type, found))
    if list not in kinds:
        return found
    lists = found if len(kinds) == 1 else (each if type(each) is list else [each] for each in found)
    return list(itertools.chain.from_iterable(lists))


@functools.lru_cache(maxsize=256)
def _attributes(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return a struct's attributes by the names that they have in JSON."""
    return dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
