"""Which fields of the contract have come, and which no record of a run has had. Pure."""

from __future__ import annotations

import functools
import typing as t

import msgspec
from msgspec import UNSET

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

ENOUGH: t.Final = 100
"""Objects that could have had a field before it counts as missing: a server may leave out nulls."""


class Presence:
    """What of an object's fields has come so far.

    Once every field has come there is nothing left to look at, so that a tenant that sends what the
    contract has costs one block's look.
    """

    def __init__(self, schema: Mapping[str, t.Any], passed_over: Collection[str] = ()) -> None:
        """Wait for every field.

        Args:
            schema: Of an object, with properties.
            passed_over: Names of fields, at any depth, that are not waited for.
        """
        fields = {n: f for n, f in schema["properties"].items() if n not in passed_over}
        self._objects = 0
        self._missing = dict.fromkeys(fields)
        self._incomplete = {
            name: Presence(part, passed_over)
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
        for kind in dict.fromkeys(map(type, objects)):
            if issubclass(kind, dict | msgspec.Struct):
                self._look(kind, [each for each in objects if type(each) is kind])

    def missing(self, at: str = "") -> Iterator[tuple[str, int]]:
        """List the fields that no object has had, the outermost of each.

        Args:
            at: Path of the object, with a dot behind it.

        Yields:
            Dotted path, and how many objects could have had the field, `ENOUGH` or more.
        """
        if self._objects >= ENOUGH:
            for name in self._missing:
                yield f"{at}{name}", self._objects
        for name, part in self._incomplete.items():
            yield from part.missing(f"{at}{name}.")

    def _look(self, kind: type, objects: Sequence[t.Any]) -> None:
        self._objects += len(objects)
        for name in list(self._missing):
            if any(value is not UNSET for value in _values(kind, objects, name)):
                del self._missing[name]
        for name, part in list(self._incomplete.items()):
            part.look(list(_within(_values(kind, objects, name))))
            if part.is_complete:
                del self._incomplete[name]


def _object_of(field: Mapping[str, t.Any]) -> Mapping[str, t.Any] | None:
    """Return the schema of the objects that a field holds, in an array or alone."""
    holder = field if field.get("properties") else field.get("items", {})
    return holder if holder.get("properties") else None


def _values(kind: type, objects: Sequence[t.Any], name: str) -> Iterator[t.Any]:
    if issubclass(kind, dict):
        return (each.get(name, UNSET) for each in objects)
    attribute = _attributes(t.cast("type[msgspec.Struct]", kind)).get(name)
    return iter(()) if attribute is None else (getattr(each, attribute) for each in objects)


def _within(values: Iterator[t.Any]) -> Iterator[t.Any]:
    for value in values:
        if isinstance(value, list):
            yield from value
        elif value is not None and value is not UNSET:
            yield value


@functools.lru_cache(maxsize=256)
def _attributes(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return a struct's attributes by the names that they have in JSON."""
    return dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
