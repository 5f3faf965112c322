"""Which unknown field may be the contract's under another name, and what speaks for it.

A field that no record has, and one that the contract does not have, are taken for the same when
their types agree, and their names, or the words of a closed list, or what is within them, are
alike. It is a proposal: a person looks at it.
"""

from __future__ import annotations

import typing as t

from automate_api import differences
from automate_api.tenant.likeness import likeness, words
from automate_api.tenant.places import Place

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from automate_api.contract import Schema
    from automate_api.differences import Node, Sample, Scope
    from automate_api.tenant.places import Path

LEAST: t.Final = 0.6
"""What a pair must reach."""

LEAST_NAME: t.Final = 0.3
"""The likeness of names without which formats and holders say nothing."""

CLEAR: t.Final = 0.05
"""By how much a pair must be better than every other of either field."""

_FORMAT: t.Final = 0.15
_HOLDER: t.Final = 0.1
_WORDS: t.Final = 0.5
_PARTS: t.Final = 0.8


class Rename(t.NamedTuple):
    """A field that a tenant seems to call otherwise.

    Attributes:
        field: The contract's place.
        theirs: Path that the records have instead, from the record, or from the array's item.
        why: What speaks for it, for a person; no values.
    """

    field: Place
    theirs: Path
    why: str


class _Pair(t.NamedTuple):
    score: float
    mine: Path
    theirs: Path
    why: str


def renames(sample: Sample) -> list[Rename]:
    """Find the fields that a tenant seems to call otherwise.

    Args:
        sample: Of its records.
    """
    return [
        Rename(Place(scope.arrays, pair.mine), pair.theirs, pair.why)
        for scope in sample.scopes()
        for pair in _chosen(list(_pairs(scope)))
    ]


def _pairs(scope: Scope) -> Iterator[_Pair]:
    unknown = [
        (theirs, seen)
        for outer, node in differences.unknown(scope)
        for theirs, seen in _within_node(outer, node)
        if all(differences.shown(name) == name for name in theirs)
    ]
    keys = [(name,) for name in scope.schema.get("required", ())[:1]]
    for outer, schema, _ in differences.missing(scope):
        for mine, field in _within_schema(outer, schema):
            for theirs, seen in unknown:
                pair = _pair(mine, field, theirs, seen, is_key=mine in keys)
                if pair.score >= LEAST:
                    yield pair


def _pair(mine: Path, field: Schema, theirs: Path, seen: Node, *, is_key: bool) -> _Pair:
    """Judge two fields."""
    none = _Pair(0.0, mine, theirs, "")
    kinds = differences.allowed(field)
    if not seen.kinds or not kinds.issuperset(seen.kinds):
        return none
    name = _name(mine, theirs, is_key=is_key)
    score, why = name, ["like names"] if name >= LEAST_NAME else []
    form = field.get("format", differences.TEXT)
    if "string" in seen.kinds:
        if set(seen.formats) != {form}:
            return none
        if form != differences.TEXT:
            score += _FORMAT
            why.append(f"each a {form}")
        if "enum" in field:
            if not set(seen.words) <= set(field["enum"]):
                return none
            score += _WORDS
            why.append("the same words")
    else:
        why.append(f"each {_article(' or '.join(sorted(seen.kinds)))}")
    if parts := _parts(field, seen):
        score += _PARTS * parts
        why.append("the same fields within")
    elif name < LEAST_NAME and "enum" not in field:
        return none
    if len(mine) == len(theirs) and mine[:-1] == theirs[:-1]:
        score += _HOLDER
    return _Pair(score, mine, theirs, ", ".join(why))


def _name(mine: Path, theirs: Path, *, is_key: bool) -> float:
    """Compare names; a record's own key need not say whose it is: `dealId` may be `id`."""
    whole = likeness(mine, theirs)
    *_, last = words(mine)
    return max(whole, likeness((last,), theirs)) if is_key else whole


def _parts(field: Schema, seen: Node) -> float:
    """Tell which share of fields two objects, or the items of two arrays, have in common."""
    for schema, node in ((field, seen), (field.get("items", {}), seen.item)):
        known, came = set(schema.get("properties", {})), set(node.fields)
        if known and came:
            return len(known & came) / len(known | came)
    return 0.0


def _chosen(pairs: list[_Pair]) -> Iterator[_Pair]:
    """Take the best pairs; none where another one is about as good."""
    rest = sorted(pairs, key=lambda pair: pair.score, reverse=True)
    while rest:
        best = rest.pop(0)
        rivals = [pair for pair in rest if _clash(best, pair)]
        if not any(best.score - rival.score < CLEAR for rival in rivals):
            yield best
        rest = [pair for pair in rest if pair not in rivals]


def _clash(one: _Pair, other: _Pair) -> bool:
    """Tell whether two pairs are about one field, or a field and what holds it."""
    return _overlap(one.mine, other.mine) or _overlap(one.theirs, other.theirs)


def _overlap(one: Path, other: Path) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _within_node(path: Path, node: Node) -> Iterator[tuple[Path, Node]]:
    yield path, node
    for name, part in node.fields.items():
        yield from _within_node((*path, name), part)


def _within_schema(path: Path, schema: Schema) -> Iterator[tuple[Path, Schema]]:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from _within_schema((*path, name), part)


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aio' else 'a'} {kind}"
