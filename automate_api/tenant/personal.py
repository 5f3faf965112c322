"""What holds personal data at a tenant, by the names that the tenant gives it."""

from __future__ import annotations

import typing as t

from automate_api import contract
from automate_api.tenant.moves import tenant_places
from automate_api.tenant.operations import operations_of
from automate_api.tenant.places import Place, find

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automate_api.contract import Schema
    from automate_api.tenant.overlay import Overlay
    from automate_api.tenant.places import Path


def fields(overlay: Overlay) -> frozenset[str]:
    """List the names of fields to keep out of logs, the contract's and the tenant's.

    Args:
        overlay: Of the tenant, checked.
    """
    known = contract.load(overlay)
    operations = operations_of(known)
    found = set(known.pii_fields)
    for call in operations.by_id.values():
        renamed = overlay.resource(call.resource or "").fields | overlay.call(call.id).fields
        moves = {Place.of(mine): tuple(theirs.split(".")) for mine, theirs in renamed.items()}
        for component in (call.body, call.answer):
            if component and moves:
                found.update(_personal(known.schema(component), moves))
    return frozenset(found)


def parameters(overlay: Overlay) -> list[tuple[str, str]]:
    """List the query parameters that a tenant calls otherwise: the contract's name and its own."""
    return [pair for said in overlay.resources.values() for pair in said.parameters.items()]


def _personal(schema: Schema, moves: Mapping[Place, Path]) -> Iterator[str]:
    for mine, theirs in tenant_places(schema, moves):
        holders = [Place(mine.arrays, mine.path[:end]) for end in range(1, len(mine.path))]
        if _is_personal(schema, mine) or (
            # Within what is personal, only what is taken out of it needs a name of its own.
            mine in moves and any(_is_personal(schema, holder) for holder in holders)
        ):
            yield theirs.path[-1]


def _is_personal(schema: Schema, place: Place) -> bool:
    return bool((find(schema, place) or {}).get("x-pii"))
