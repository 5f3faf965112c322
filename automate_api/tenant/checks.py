"""Whether what an overlay says fits together: no two things in one place, and every way leads back.

What is read by an overlay is also written by it, so a name or a word must say which of the
contract's it is.
"""

from __future__ import annotations

import dataclasses
import typing as t

from automate_api.tenant.document import extended
from automate_api.tenant.moves import tenant_paths
from automate_api.tenant.places import Place, item_of, nodes

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from automate_api.contract import Contract, Schema
    from automate_api.tenant.operations import Operation, Operations
    from automate_api.tenant.overlay import Overlay
    from automate_api.tenant.places import Path
    from automate_api.tenant.source import Part


@dataclasses.dataclass(frozen=True, slots=True)
class _Said:
    """The tenant's path of a field, and where the file says it."""

    path: Path
    part: Part


def check(
    overlay: Overlay, known: Contract, operations: Operations, parts: Mapping[str, Part]
) -> None:
    """Note, at the parts, what an overlay says that cannot be.

    Args:
        overlay: Whose parts are right each by itself.
        known: The contract.
        operations: Of the contract.
        parts: Key from the file's top to the part.
    """
    unfit = set()
    for name, said in overlay.resources.items():
        record = extended(operations.record(name), said.add, {}, ())
        fields = _fields(said.fields, parts, f"resources.{name}")
        if not _check_object(record, fields, "", may_be_same=False):
            unfit.add(name)
        _check_parameters(operations.lists[name], said.parameters, parts)
    for call in operations.by_id.values():
        resource, own = overlay.resource(call.resource or ""), overlay.call(call.id)
        if call.is_read or call.resource in unfit or not (resource.fields or own.fields):
            continue
        fields = {
            **_fields(resource.fields, parts, f"resources.{call.resource}"),
            **_fields(own.fields, parts, f"calls.{call.id}"),
        }
        for component, what in ((call.body, "body"), (call.answer, "answer")):
            if component:
                schema = extended(known.schema(component), own.add, {}, ())
                where = f" in the {what} of `{call.id}`"
                _check_object(schema, fields, where, may_be_same=bool(resource.fields))
    _check_paths(overlay, operations, parts)


def check_words(part: Part, words: Mapping[str, str | None], listed: Collection[str]) -> None:
    """Note which words of a closed list cannot be told apart.

    Args:
        part: Where the file says it.
        words: The tenant's word to the contract's.
        listed: The contract's words.
    """
    taken: dict[str, str] = {}
    for word, mine in words.items():
        if mine is None:
            continue
        if mine in taken:
            part.refuse(
                f"`{taken[mine]}` and `{word}` would both be `{mine}`, and a filter finds but one "
                "of them. Give one of them null: then it is a further word."
            )
        taken.setdefault(mine, word)
    for word, mine in words.items():
        if mine is not None and word in listed and word not in taken:
            part.refuse(
                f"`{word}` is a word of the contract, too. Say what the tenant's word for that is, "
                f"or leave `{word}` out."
            )
    for circle in _circles({word: mine for word, mine in words.items() if mine is not None}):
        part.refuse(f"{_round(circle)} is a circle. Leave these words out.")


def _fields(
    fields: Mapping[str, str], parts: Mapping[str, Part], section: str
) -> dict[Place, _Said]:
    return {
        Place.of(mine): _Said(tuple(theirs.split(".")), parts[f"{section}.fields.{mine}"])
        for mine, theirs in fields.items()
    }


def _check_object(
    schema: Schema, fields: Mapping[Place, _Said], where: str, *, may_be_same: bool
) -> bool:
    """Check the fields of an object, and of the items of its arrays; tell whether they fit."""
    known = dict(nodes(schema))
    said = {p.path: each for p, each in fields.items() if not p.arrays and p.path in known}
    fits = _check_names(known, said, where, may_be_same=may_be_same)
    for path, field in known.items():
        if item := item_of(field):
            within = {
                Place(place.arrays[1:], place.path): each
                for place, each in fields.items()
                if place.arrays[:1] == (path,)
            }
            fits &= _check_object(item, within, where, may_be_same=may_be_same)
    return fits


def _check_parameters(
    call: Operation, parameters: Mapping[str, str], parts: Mapping[str, Part]
) -> None:
    said: dict[Path, _Said] = {
        (mine,): _Said((theirs,), parts[f"resources.{call.resource}.parameters.{mine}"])
        for mine, theirs in parameters.items()
    }
    _check_names({(name,): {} for name in call.parameters}, said, "", may_be_same=False)


def _check_names(
    known: Mapping[Path, Schema], said: Mapping[Path, _Said], where: str, *, may_be_same: bool
) -> bool:
    """Check that each name is of one thing, and that objects alone hold others; tell whether."""
    before = sum(len(each.part.problems) for each in said.values())
    moves = {mine: each.path for mine, each in said.items()}
    for mine, theirs in moves.items():
        if mine == theirs and not may_be_same:
            said[mine].part.refuse("the tenant's name is the contract's. Leave it out.")
    for circle in _circles({m: p for m, p in moves.items() if m != p}):
        names = [".".join(path) for path in circle]
        said[circle[0]].part.refuse(f"{_round(names)} is a circle. Leave these fields out.")
    mine_of: dict[Path, Path] = {}
    for mine, theirs in tenant_paths(known, moves).items():
        other = mine_of.setdefault(theirs, mine)
        if other != mine:
            _refuse_both(mine, other, theirs, said, where)
    for theirs, mine in mine_of.items():
        for end in range(1, len(theirs)):
            holder = mine_of.get(theirs[:end])
            if holder is not None and "object" not in known[holder].get("type", ()):
                part = _blamed((mine, holder), said)
                part.refuse(
                    f"`{'.'.join(theirs)}` cannot be within `{'.'.join(theirs[:end])}`{where}, "
                    f"which is the contract's `{'.'.join(holder)}` and no object."
                )
    return before == sum(len(each.part.problems) for each in said.values())


def _refuse_both(
    mine: Path, other: Path, theirs: Path, said: Mapping[Path, _Said], where: str
) -> None:
    """Say that two fields would have one name; with one that is not renamed, say how to go on."""
    both = f"`{'.'.join(other)}` and `{'.'.join(mine)}` would both be `{'.'.join(theirs)}`{where}"
    hint = ""
    if theirs in {mine, other}:
        hint = f" Say what the tenant's name for `{'.'.join(theirs)}` is."
    _blamed((mine, other), said).refuse(f"{both}.{hint}")


def _blamed(paths: tuple[Path, Path], said: Mapping[Path, _Said]) -> Part:
    """Find the part that moves one of two fields; one of them is moved."""
    return next(
        said[path[:end]].part
        for path in paths
        for end in range(len(path), 0, -1)
        if path[:end] in said
    )


def _check_paths(overlay: Overlay, operations: Operations, parts: Mapping[str, Part]) -> None:
    """Check that no two calls are at one path."""
    taken: dict[tuple[str, str], Operation] = {}
    for call in operations.by_id.values():
        path = path_of(call, overlay)
        other = taken.setdefault((call.method, path), call)
        if other is not call:
            blamed = next(part for each in (call, other) for part in _moving(each, parts))
            blamed.refuse(f"`{other.id}` and `{call.id}` would both be {call.method} {path}.")


def _moving(call: Operation, parts: Mapping[str, Part]) -> Iterator[Part]:
    for key in (f"calls.{call.id}.path", f"resources.{call.resource}.path"):
        if key in parts:
            yield parts[key]


def path_of(call: Operation, overlay: Overlay, endpoint: str | None = None) -> str:
    """Give the path of a call at the tenant.

    Args:
        call: Of the contract.
        overlay: What the tenant does otherwise.
        endpoint: Of its resource's list, where the settings name it.
    """
    base = overlay.resource(call.resource or "").path or endpoint
    return overlay.call(call.id).path or (call.at(base) if base else call.path)


T = t.TypeVar("T")


def _circles(moves: Mapping[T, T]) -> Iterator[list[T]]:
    """Find what is renamed to itself by way of others, each once."""
    seen: set[T] = set()
    for start in moves:
        way: list[T] = []
        at = start
        while at in moves and at not in seen:
            seen.add(at)
            way.append(at)
            at = moves[at]
        if at in way:
            yield way[way.index(at) :]


def _round(names: list[str]) -> str:
    return " -> ".join(f"`{name}`" for name in (*names, names[0]))
