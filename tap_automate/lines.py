"""Line streams: the lines within a record as rows of their own, without another request."""

from __future__ import annotations

import functools
import operator
import typing as t

import msgspec
from msgspec import UNSET

from automate_api.errors import ProtocolError
from tap_automate.reading.codec import plain
from tap_automate.streams import PARENT_KEY, REPLICATION_KEY

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_automate.reading.codec import Codec
    from tap_automate.reading.shapes import Shape
    from tap_automate.streams import Lines

POSITION: t.Final = "position"
"""Field that the tap numbers lines in, from 1, where the API gives them no id of their own."""

POSITION_SCHEMA: t.Final[Mapping[str, t.Any]] = {
    "type": "integer",
    "description": "Place of the line in its parent, from 1: the API gives it no id of its own.",
}


class Cutter:
    """Cuts the rows of one line stream out of their parents.

    A row has its parent's key and rooftop, its own fields, and the parent's `updatedAt` as
    `parentUpdatedAt`: a row is current when that equals the parent's, since a line that was removed
    from its parent stays behind in a warehouse.
    """

    def __init__(self, lines: Lines, inherited: tuple[str, ...], *, numbered: bool) -> None:
        """Say what the rows are made of.

        Args:
            lines: Where the parent holds the lines.
            inherited: Parent's fields that each line carries: its key and its rooftop.
            numbered: Whether they are told apart by their position.
        """
        self._path = lines.field.split(".")
        self._field = lines.field
        self._single = lines.single
        self._inherited = inherited
        self._numbered = numbered
        self._compiled: dict[type, Callable[[Sequence[t.Any]], list[t.Any]]] = {}

    def cut(self, parents: Sequence[t.Any], codec: Codec | None = None) -> list[t.Any]:
        """Cut the lines of records, in their order.

        Args:
            parents: As they are emitted, all dicts or all structs of one type.
            codec: What has read the structs.

        Returns:
            A struct or a dict for each line, new at its top level; none for a null.

        Raises:
            ProtocolError: When an array is none, or holds something that is no line.
        """
        if not parents:
            return []
        kind = type(parents[0])
        if kind not in self._compiled:
            self._compiled[kind] = self._compile(codec.shape_of(kind) if codec else None)
        return self._compiled[kind](parents)

    def _compile(self, shape: Shape | None) -> Callable[[Sequence[t.Any]], list[t.Any]]:
        line = functools.reduce(_part, self._path, shape)
        if shape is None or line is None or not self._can_hold(shape, line):
            return self._cut_dicts
        position = [POSITION] if self._numbered else []
        names = [*self._inherited, *line.fields, *position, PARENT_KEY]
        row = msgspec.defstruct(
            "Line",
            [(f"_{number}", t.Any) for number in range(len(names))],
            rename={f"_{number}": name for number, name in enumerate(names)},
            gc=False,
        )
        lines_of = self._lines_getter(shape)
        head_of = operator.attrgetter(*self._inherited, REPLICATION_KEY)
        own_of = _values_of(list(line.fields.values()))
        numbered = self._numbered

        def cut(parents: Sequence[t.Any]) -> list[t.Any]:
            rows: list[t.Any] = []
            for parent in parents:
                lines = lines_of(parent)
                if not lines:
                    continue
                *head, updated = (None if part is UNSET else part for part in head_of(parent))
                if numbered:
                    rows += [
                        row(*head, *own_of(line), number, updated)
                        for number, line in enumerate(lines, 1)
                        if line is not None
                    ]
                else:
                    rows += [row(*head, *own_of(line), updated) for line in lines]
            return rows

        return cut

    def _can_hold(self, shape: Shape, line: Shape) -> bool:
        """Tell whether one type of rows can hold every line of these parents."""
        single = shape.parts.get(self._single) if self._single else line
        added = {*self._inherited, PARENT_KEY, POSITION if self._numbered else PARENT_KEY}
        return (
            single is not None
            and single.fields == line.fields
            and line.fields.keys().isdisjoint(added)
        )

    def _lines_getter(self, shape: Shape) -> Callable[[t.Any], Sequence[t.Any] | None]:
        """Return what finds the lines of a struct."""
        attributes = []
        part: Shape | None = shape
        for name in self._path:
            assert part is not None  # noqa: S101 - `_compile` has followed the path
            attributes.append(part.fields[name])
            part = part.parts.get(name)
        single = shape.fields[self._single] if self._single else None
        if len(attributes) == 1 and single is None:
            return operator.attrgetter(*attributes)
        own_of = _values_of(list(part.fields.values())) if part else None

        def lines_of(parent: t.Any) -> Sequence[t.Any] | None:  # noqa: ANN401 - a struct
            value = parent
            for attribute in attributes:
                value = getattr(value, attribute)
                if not value:
                    break
            if value or single is None or own_of is None:
                return value or None
            alone = getattr(parent, single)
            return [alone] if alone and _says_something(own_of(alone)) else None

        return lines_of

    def _cut_dicts(self, parents: Sequence[t.Any]) -> list[t.Any]:
        return [row for parent in parents for row in self._rows_of(plain(parent))]

    def _rows_of(self, parent: Mapping[str, t.Any]) -> Iterator[dict[str, t.Any]]:
        head = {name: parent.get(name) for name in self._inherited}
        for number, line in enumerate(self._lines_of(parent), 1):
            if line is None and self._numbered:
                continue
            if not isinstance(line, dict):
                raise self._unexpected()
            # The parent's key wins over a field of its name that a vendor has put into the line.
            row = {**head, **line, **head, PARENT_KEY: parent[REPLICATION_KEY]}
            if self._numbered:
                row[POSITION] = number
            yield row

    def _lines_of(self, parent: Mapping[str, t.Any]) -> list[t.Any]:
        value: t.Any = parent
        for name in self._path:
            if value is not None and not isinstance(value, dict):
                raise self._unexpected()
            value = (value or {}).get(name)
        if value and not isinstance(value, list):
            raise self._unexpected()
        alone = parent.get(self._single) if self._single else None
        if value or not alone:
            return value or []
        return [alone] if not isinstance(alone, dict) or _says_something(alone.values()) else []

    def _unexpected(self) -> ProtocolError:
        msg = (
            f"Expected `{self._field}` of every record to be a list of objects, one has "
            "something else."
        )
        return ProtocolError(msg)


def _part(shape: Shape | None, name: str) -> Shape | None:
    return shape.parts.get(name) if shape else None


def _says_something(values: Iterable[t.Any]) -> bool:
    return any(value is not None and value is not UNSET for value in values)


def _values_of(attributes: list[str]) -> Callable[[t.Any], tuple[t.Any, ...]]:
    get = operator.attrgetter(*attributes)
    return get if len(attributes) > 1 else lambda struct: (get(struct),)
