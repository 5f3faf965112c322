"""Versions of records as rows of their own: what a few fields of them were, and when.

A row is made whenever a record is emitted, and its key has the time of the change, so that a loader
keeps every version beside the others. What changes twice between two runs leaves one version.
"""

from __future__ import annotations

import functools
import operator
import typing as t

import msgspec
from msgspec import UNSET

from tap_automate.reading.codec import plain
from tap_automate.streams import PARENT_KEY, REPLICATION_KEY

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_automate.reading.codec import Codec
    from tap_automate.reading.shapes import Shape


class Versions:
    """Cuts versions out of records.

    A record whose `updatedAt` is null makes none, since nobody can say when it became what it is.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        """Say what the rows are made of.

        Args:
            paths: Fields of a record, dotted where they are within an object; a row calls each by
                its last part.
        """
        self._paths = {path.rpartition(".")[2]: tuple(path.split(".")) for path in paths}
        self._compiled: dict[type, Callable[[t.Any], t.Any]] = {}

    def cut(self, records: Sequence[t.Any], codec: Codec | None = None) -> list[t.Any]:
        """Make a row of each record that is dated.

        Args:
            records: As they are emitted, all dicts or all structs of one type.
            codec: What has read the structs.
        """
        if not records:
            return []
        kind = type(records[0])
        if kind not in self._compiled:
            self._compiled[kind] = self._compile(codec.shape_of(kind) if codec else None)
        return list(filter(None, map(self._compiled[kind], records)))

    def _compile(self, shape: Shape | None) -> Callable[[t.Any], t.Any]:
        getters = [_getter(shape, path) for path in self._paths.values()] if shape else []
        if shape is None or None in getters:
            return self._of_dict
        attributes = [f"_{number}" for number in range(len(self._paths) + 1)]
        version = msgspec.defstruct(
            "Version",
            [(attribute, t.Any) for attribute in attributes],
            rename=dict(zip(attributes, [*self._paths, PARENT_KEY], strict=True)),
            gc=False,
        )
        known = t.cast("list[Callable[[t.Any], t.Any]]", getters)
        dated = operator.attrgetter(REPLICATION_KEY)
        return lambda record: version(*[get(record) for get in known], dated(record))

    def _of_dict(self, record: t.Any) -> dict[str, t.Any] | None:  # noqa: ANN401 - a struct or a dict
        named = plain(record)
        if named.get(REPLICATION_KEY) is None:
            return None
        row = {name: _value(named, path) for name, path in self._paths.items()}
        row = {name: value for name, value in row.items() if value is not UNSET}
        return {**row, PARENT_KEY: named[REPLICATION_KEY]}


def _getter(shape: Shape, path: tuple[str, ...]) -> Callable[[t.Any], t.Any] | None:
    """Return what finds a field in structs; None where it is not typed on the way."""
    attributes = []
    part: Shape | None = shape
    for name in path:
        if part is None:
            return None
        attributes.append(part.fields[name])
        part = part.parts.get(name)
    if len(attributes) == 1:
        return operator.attrgetter(*attributes)

    def get(record: t.Any) -> t.Any:  # noqa: ANN401 - any value
        value = record
        for attribute in attributes:
            if value is None or value is UNSET:
                break
            value = getattr(value, attribute)
        return value

    return get


def _value(record: Mapping[str, t.Any], path: tuple[str, ...]) -> t.Any:  # noqa: ANN401 - any value
    """Return a field's value: null where what holds it is, `UNSET` where there is none."""

    def step(value: t.Any, name: str) -> t.Any:  # noqa: ANN401 - any value
        if value is None:
            return None
        return value.get(name, UNSET) if isinstance(value, dict) else UNSET

    return functools.reduce(step, path, record)
