"""Brings JSON from a tenant's names and words to the contract's, and back.

Both ways are each other's reverse for whatever the contract can say, but for an object that has
nothing in it, and for null where an object's fields have come from elsewhere. Nothing that a tenant
sends is lost: what stands where the contract's name is taken by another field is kept beside it,
under a name that no contract has.
"""

from __future__ import annotations

import dataclasses
import typing as t

from automate_api.tenant.places import Place, item_of, nodes

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from automate_api.contract import Schema
    from automate_api.tenant.places import Path

    Json: t.TypeAlias = dict[str, t.Any]
    Move: t.TypeAlias = tuple[Path, Path]

DISPLACED: t.Final = "_untranslated"
"""What is added to the name of a field in whose place another one belongs."""

_MISSING: t.Final = object()


@dataclasses.dataclass(frozen=True, slots=True)
class Translation:
    """What becomes of an object, be it a record, a body, or an item of an array.

    Attributes:
        inward: Moves from the tenant's path to the contract's.
        outward: The same moves the other way.
        shells: Objects that the tenant has for the sake of what is moved, and the contract not; the
            deepest first.
        words: Contract's path of a closed list to what the tenant's words become.
        own_words: The same the other way.
        items: Contract's path of an array to what becomes of its items.
    """

    inward: Sequence[Move]
    outward: Sequence[Move]
    shells: Sequence[Path]
    words: Mapping[Path, Mapping[str, str]]
    own_words: Mapping[Path, Mapping[str, str]]
    items: Mapping[Path, Translation]

    def __bool__(self) -> bool:
        """Tell whether it changes anything."""
        return bool(self.inward or self.words or self.items)

    def to_contract(self, record: Json) -> Json:
        """Bring what a tenant sent to the contract's names and words, in place."""
        _move(record, self.inward, self.shells)
        _replace(record, self.words)
        for path, item in self.items.items():
            for each in _objects(_get(record, path)):
                item.to_contract(each)
        return record

    def to_tenant(self, body: Json) -> Json:
        """Bring what is by the contract to the tenant's names and words, in place."""
        for path, item in self.items.items():
            for each in _objects(_get(body, path)):
                item.to_tenant(each)
        _replace(body, self.own_words)
        _move(body, self.outward)
        return body


def compiled(
    schema: Schema,
    fields: Mapping[Place, Path],
    words: Mapping[Place, Mapping[str, str | None]],
) -> Translation:
    """Compile what becomes of an object.

    Args:
        schema: Of the object, by the contract and with what the tenant adds.
        fields: Place to the tenant's path; those that the object does not have are passed over.
        words: Place of a closed list to the tenant's words; likewise.
    """
    known = dict(nodes(schema))
    moves = {place.path: path for place, path in fields.items() if not place.arrays}
    moves = {mine: path for mine, path in moves.items() if mine in known}
    tenants = set(tenant_paths(known, moves).values())
    holders = {path[:end] for path in moves.values() for end in range(1, len(path))}
    here = {
        place.path: {word: mine for word, mine in listed.items() if mine is not None}
        for place, listed in words.items()
        if not place.arrays and place.path in known
    }
    here = {path: listed for path, listed in here.items() if listed}
    items = {}
    for path, field in known.items():
        item = item_of(field)
        below = item and compiled(item, _within(fields, path), _within(words, path))
        if below:
            items[path] = below
    return Translation(
        inward=_in_order((theirs, mine) for mine, theirs in moves.items()),
        outward=_in_order(moves.items()),
        shells=sorted(holders - tenants, key=len, reverse=True),
        words=here,
        own_words={
            path: {mine: word for word, mine in listed.items()} for path, listed in here.items()
        },
        items=items,
    )


def tenant_paths(known: Iterable[Path], moves: Mapping[Path, Path]) -> dict[Path, Path]:
    """Tell where the tenant has each field: what is within a field that is moved goes with it.

    Args:
        known: The contract's fields, through no array.
        moves: The contract's path to the tenant's.

    Returns:
        The contract's path to the tenant's, for each.
    """
    found = {}
    for path in known:
        length = next((end for end in range(len(path), 0, -1) if path[:end] in moves), 0)
        found[path] = (*moves[path[:length]], *path[length:]) if length else path
    return found


def tenant_places(schema: Schema, fields: Mapping[Place, Path]) -> Iterator[tuple[Place, Place]]:
    """Tell where the tenant has each field of an object, and of the items of its arrays.

    Args:
        schema: Of the object.
        fields: Place to the tenant's path.

    Yields:
        The contract's place and the tenant's.
    """
    known = dict(nodes(schema))
    moves = {place.path: path for place, path in fields.items() if not place.arrays}
    theirs = tenant_paths(known, moves)
    for path, field in known.items():
        yield Place((), path), Place((), theirs[path])
        if item := item_of(field):
            for mine, other in tenant_places(item, _within(fields, path)):
                yield (
                    Place((path, *mine.arrays), mine.path),
                    Place((theirs[path], *other.arrays), other.path),
                )


def _within(
    places: Mapping[Place, t.Any],
    array: Path,
) -> dict[Place, t.Any]:
    return {
        Place(place.arrays[1:], place.path): value
        for place, value in places.items()
        if place.arrays[:1] == (array,)
    }


def _in_order(moves: Iterable[Move]) -> list[Move]:
    """Sort moves for taking out: what is within another goes before it."""
    return sorted(moves, key=lambda move: len(move[0]), reverse=True)


def _move(record: Json, moves: Sequence[Move], shells: Sequence[Path] = ()) -> None:
    """Take out all that is moved, then put it in: a name may be freed by one move for another."""
    taken = [(target, _take(record, source)) for source, target in moves]
    for path in shells:
        _drop_empty(record, path)
    taken.sort(key=lambda each: len(each[0]))
    for target, value in taken:
        if value is not _MISSING and not _put(record, target, value):
            record[f"{'.'.join(target)}{DISPLACED}"] = value


def _take(record: Json, path: Path) -> t.Any:  # noqa: ANN401 - any value
    """Take a value out, and what holds it where nothing else is in it."""
    *holders, name = path
    within = [record]
    for holder in holders:
        below = within[-1].get(holder)
        if not isinstance(below, dict):
            return _MISSING
        within.append(below)
    if name not in within[-1]:
        return _MISSING
    value = within[-1].pop(name)
    for holder in reversed(holders):
        if within.pop():
            break
        del within[-1][holder]
    return value


def _put(record: t.Any, path: Path, value: t.Any) -> bool:  # noqa: ANN401 - any values
    """Put a value in, and tell whether its holders are objects, so that it could be."""
    *holders, name = path
    for holder in holders:
        if record.get(holder) is None:
            record[holder] = {}
        record = record[holder]
        if not isinstance(record, dict):
            return False
    if record.get(name) is not None:
        record[f"{name}{DISPLACED}"] = record[name]
    record[name] = value
    return True


def _get(record: Json, path: Path) -> t.Any:  # noqa: ANN401 - any value
    value: t.Any = record
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _drop_empty(record: Json, path: Path) -> None:
    holder = _get(record, path[:-1])
    if isinstance(holder, dict) and path[-1] in holder and holder[path[-1]] in (None, {}):
        del holder[path[-1]]


def _replace(record: Json, words: Mapping[Path, Mapping[str, str]]) -> None:
    for path, listed in words.items():
        holder = _get(record, path[:-1])
        value = holder.get(path[-1]) if isinstance(holder, dict) else None
        if isinstance(value, str) and value in listed:
            holder[path[-1]] = listed[value]


def _objects(value: object) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
