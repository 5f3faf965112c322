"""Records under other names: fields moved and renamed, words of closed lists replaced."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from automate_sandbox.money import Record

Place = tuple[str, ...]
"""Names on the way to a field, from the record or from the item of an array that it is in."""

Words = t.Mapping[str, str]

ITEM: t.Final = "[]."
"""After the name of an array, before the name of a field of its items."""

NO_WORD: t.Final = ""
"""What a word that is none here becomes: no closed list of the contract has it."""

MISSING: t.Final = object()

Kind = t.TypeVar("Kind")


class Names:
    """Translates records, and what is said of their fields.

    A field that a record does not have stays away. An object that a move leaves empty goes; one
    that a move needs comes.
    """

    def __init__(self, fields: Mapping[str, str], words: Mapping[str, Words]) -> None:
        """Compile the differences.

        Args:
            fields: The contract's dotted path to the tenant's. `lines[].laborSale` is in the items
                of an array; its other path is as seen from the item, `labor.sale`.
            words: The contract's dotted path to the contract's words and the tenant's.
        """
        moves, moves_below = _by_level(fields)
        told, told_below = _by_level(words)
        self._moves = {_place(source): _place(target) for source, target in moves.items()}
        self._words = {_place(path): dict(pairs) for path, pairs in told.items()}
        self._heard = {place: _reversed(pairs) for place, pairs in self._words.items()}
        self._items = {
            _place(array): Names(moves_below.get(array, {}), told_below.get(array, {}))
            for array in moves_below.keys() | told_below.keys()
        }

    def __bool__(self) -> bool:
        """Tell whether there is anything to translate."""
        return bool(self._moves or self._words or self._items)

    def outward(self, record: Record) -> None:
        """Give a record, in place, the tenant's names."""
        self._within(record, self._words, Names.outward)
        _put_all(record, _take_all(record, self._moves.items()))

    def inward(self, record: Record) -> None:
        """Give what a client sent, in place, the contract's names.

        A field under the contract's name, where the tenant has another one for it, is dropped, and
        a word of the contract's becomes none.
        """
        taken = _take_all(record, [(target, source) for source, target in self._moves.items()])
        _take_all(record, self._moves.items())
        _put_all(record, taken)
        self._within(record, self._heard, Names.inward)

    def path(self, parts: Sequence[str]) -> list[str]:
        """Translate the path of a field, as refusals name it.

        Args:
            parts: The contract's names, and the positions of items: `lines`, `0`, `payType`.
        """
        for array, names in self._items.items():
            if len(parts) > len(array) and tuple(parts[: len(array)]) == array:
                position, *rest = parts[len(array) :]
                return [*self._moved(array), position, *names.path(rest)]
        return self._moved(parts)

    def words(self, parts: Sequence[str]) -> Words:
        """Tell the contract's words for the value of a field, with the tenant's."""
        for array, names in self._items.items():
            if len(parts) > len(array) and tuple(parts[: len(array)]) == array:
                return names.words(parts[len(array) + 1 :])
        return self._words.get(tuple(parts), {})

    def _moved(self, parts: Sequence[str]) -> list[str]:
        for length in range(len(parts), 0, -1):
            target = self._moves.get(tuple(parts[:length]))
            if target:
                return [*target, *parts[length:]]
        return list(parts)

    def _within(
        self,
        record: Record,
        words: Mapping[Place, Words],
        translate: Callable[[Names, Record], None],
    ) -> None:
        """Translate words and the items of arrays, all under the contract's names."""
        for (*parents, last), pairs in words.items():
            node = _look(record, parents)
            if isinstance(node, dict) and isinstance(node.get(last), str):
                node[last] = pairs.get(node[last], node[last])
        for place, names in self._items.items():
            items = _look(record, place)
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict):
                    translate(names, item)


def _by_level(
    paths: Mapping[str, Kind],
) -> tuple[dict[str, Kind], dict[str, dict[str, Kind]]]:
    """Split what concerns a record's own fields from what concerns the items of its arrays."""
    own: dict[str, Kind] = {}
    below: dict[str, dict[str, Kind]] = {}
    for path, value in paths.items():
        array, is_within, rest = path.partition(ITEM)
        if is_within:
            below.setdefault(array, {})[rest] = value
        else:
            own[path] = value
    return own, below


def _place(path: str) -> Place:
    return tuple(path.split("."))


def _reversed(words: Words) -> dict[str, str]:
    gone = {word: NO_WORD for word in words if word not in words.values()}
    return gone | {other: word for word, other in words.items()}


def _depth(move: tuple[Place, object]) -> int:
    return len(move[0])


def _take_all(record: Record, moves: Iterable[tuple[Place, Place]]) -> list[tuple[Place, t.Any]]:
    """Take values out, inner ones first; all of them before any is put, since names may swap."""
    taken = [
        (target, _take(record, source))
        for source, target in sorted(moves, key=_depth, reverse=True)
    ]
    return [(target, value) for target, value in taken if value is not MISSING]


def _put_all(record: Record, taken: Iterable[tuple[Place, t.Any]]) -> None:
    for (*parents, last), value in sorted(taken, key=_depth):
        node = record
        for name in parents:
            if not isinstance(node.get(name), dict):
                node[name] = {}
            node = node[name]
        node[last] = value


def _look(record: Record, place: Sequence[str]) -> t.Any:  # noqa: ANN401 - any JSON value
    node: t.Any = record
    for name in place:
        if not isinstance(node, dict):
            return None
        node = node.get(name)
    return node


def _take(record: Record, place: Place) -> t.Any:  # noqa: ANN401 - any JSON value
    """Take a value out, and the objects that are empty without it."""
    parents = [record]
    for name in place[:-1]:
        node = parents[-1].get(name)
        if not isinstance(node, dict):
            return MISSING
        parents.append(node)
    value = parents[-1].pop(place[-1], MISSING)
    if value is not MISSING:
        for parent, name in reversed(list(zip(parents[:-1], place[:-1], strict=True))):
            if not parent[name]:
                del parent[name]
    return value
