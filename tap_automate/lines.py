"""Line streams: the lines within a record as rows of their own, without another request."""

from __future__ import annotations

import operator
import typing as t

import msgspec
from msgspec import UNSET

from automate_api.errors import ProtocolError
from tap_automate.codec import plain
from tap_automate.streams import PARENT_KEY, REPLICATION_KEY

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_automate.codec import Codec
    from tap_automate.shapes import Shape


class Cutter:
    """Cuts the rows of one line stream out of their parents.

    A row has its parent's key and rooftop, its own fields, and the parent's `updatedAt` as
    `parentUpdatedAt`: a row is current when that equals the parent's, since a line that was removed
    from its parent stays behind in a warehouse.
    """

    def __init__(self, field: str, inherited: tuple[str, ...], position: str | None) -> None:
        """Say what the rows are made of.

        Args:
            field: The parent's array that holds the lines.
            inherited: Parent's fields that each line carries: its key and its rooftop.
            position: Field to number the lines in, from 1, where the API gives them no id of their
                own.
        """
        self._field = field
        self._inherited = inherited
        self._position = position
        self._compiled: dict[type, Callable[[Sequence[t.Any]], list[t.Any]]] = {}

    def cut(self, parents: Sequence[t.Any], codec: Codec | None = None) -> list[t.Any]:
        """Cut the lines of records, in their order.

        Args:
            parents: As they are emitted, all dicts or all structs of one type.
            codec: What has read the structs.

        Returns:
            A struct or a dict for each line, new at its top level.

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
        line = shape.parts.get(self._field) if shape else None
        added = {PARENT_KEY} | ({self._position} if self._position else set())
        if line is None or not line.fields.keys().isdisjoint({*self._inherited, *added}):
            return self._cut_dicts
        names = [*self._inherited, *line.fields, *([self._position] if self._position else [])]
        row = msgspec.defstruct(
            "Line",
            [(f"_{number}", t.Any) for number in range(len(names) + 1)],
            rename={f"_{number}": name for number, name in enumerate([*names, PARENT_KEY])},
            gc=False,
        )
        lines_of = operator.attrgetter(self._field)
        head_of = operator.attrgetter(*self._inherited, REPLICATION_KEY)
        own_of = _values_of(list(line.fields.values()))
        numbered = self._position is not None

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
                    ]
                else:
                    rows += [row(*head, *own_of(line), updated) for line in lines]
            return rows

        return cut

    def _cut_dicts(self, parents: Sequence[t.Any]) -> list[t.Any]:
        return [row for parent in parents for row in self._lines_of(plain(parent))]

    def _lines_of(self, parent: Mapping[str, t.Any]) -> Iterator[dict[str, t.Any]]:
        lines = parent.get(self._field) or []
        if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
            msg = (
                f"Expected `{self._field}` of every record to be a list of objects, one has "
                "something else."
            )
            raise ProtocolError(msg)
        head = {name: parent.get(name) for name in self._inherited}
        for number, line in enumerate(lines, 1):
            row = {**head, **line, PARENT_KEY: parent[REPLICATION_KEY]}
            if self._position is not None:
                row[self._position] = number
            yield row


def _values_of(attributes: list[str]) -> Callable[[t.Any], tuple[t.Any, ...]]:
    get = operator.attrgetter(*attributes)
    return get if len(attributes) > 1 else lambda struct: (get(struct),)
