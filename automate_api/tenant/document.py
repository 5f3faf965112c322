"""A contract with what a tenant has beyond it: fields, words of closed lists, personal data.

Names and paths stay the contract's, since `wire` translates them.
"""

from __future__ import annotations

import copy
import typing as t

from automate_api.tenant.operations import operations_of
from automate_api.tenant.places import Place, find, walk

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_api.contract import Contract, Schema
    from automate_api.tenant.overlay import Overlay, Words


def adapted(known: Contract, overlay: Overlay) -> Mapping[str, t.Any]:
    """Make the document of a tenant's contract.

    Args:
        known: The contract without it.
        overlay: What the tenant does otherwise, checked.

    Returns:
        An OpenAPI document that shares with the contract's what is the same.
    """
    calls = operations_of(known)
    schemas: dict[str, Schema] = dict(known.document["components"]["schemas"])
    for name, said in overlay.resources.items():
        record = t.cast("str", calls.lists[name].answer)
        schemas[record] = extended(known.schema(record), said.add, said.values, said.pii)
    for call in calls.by_id.values():
        if call.body is None:
            continue
        resource, own = overlay.resource(call.resource or ""), overlay.call(call.id)
        if resource.values or resource.pii or own.add or own.values:
            body, record_schema = known.schema(call.body), calls.record(call.resource)
            further = {
                place: words
                for place, words in body_values(body, record_schema, resource.values).items()
                if is_whole(body, place, record_schema)
            }
            schemas[call.body] = extended(body, own.add, further | dict(own.values), resource.pii)
    components = {**known.document["components"], "schemas": schemas}
    return {**known.document, "components": components}


def extended(
    schema: Schema,
    add: Mapping[str, Schema],
    values: Mapping[str, Words],
    pii: tuple[str, ...],
) -> Schema:
    """Give a schema with what a tenant has beyond it.

    Args:
        schema: Of a record or a body; stays as it is.
        add: Place to the field's schema.
        values: Place of a closed list to the tenant's words.
        pii: Places of personal data.

    Returns:
        A copy, in which places that it does not have are passed over.
    """
    whole = copy.deepcopy(schema)
    for text, field in add.items():
        place = Place.of(text)
        if (holder := _holder(whole, place)) is not None:
            holder.setdefault("properties", {})[place.path[-1]] = copy.deepcopy(field)
    for text, words in values.items():
        listed = find(whole, Place.of(text))
        if listed and "enum" in listed:
            listed["enum"] = [
                *listed["enum"],
                *(word for word, own in words.items() if own is None),
            ]
    for text in pii:
        if personal := find(whole, Place.of(text)):
            personal["x-pii"] = True
    return whole


def body_values(schema: Schema, record: Schema, values: Mapping[str, Words]) -> dict[str, Words]:
    """Find the closed lists of a body, or of a query, that are a record's.

    They are those at the same place, and those with the same words elsewhere: `expectedStatus`
    beside `status`. Where several lists of the record have these words and the tenant does not say
    the same of them, none counts.

    Args:
        schema: Of the body.
        record: Of the record.
        values: Place in the record to the tenant's words.

    Returns:
        Place in the body to the tenant's words.
    """
    said = [(words, _words(find(record, Place.of(place)))) for place, words in values.items()]
    found: dict[str, Words] = {}
    for place, field in walk(schema):
        if "enum" not in field:
            continue
        if str(place) in values:
            found[str(place)] = values[str(place)]
            continue
        same = [words for words, listed in said if listed == _words(field)]
        if same and all(words == same[0] for words in same):
            found[str(place)] = same[0]
    return found


def is_whole(body: Schema, place: str, record: Schema) -> bool:
    """Tell whether a body's closed list is all of a record's: some calls take but one word of it.

    Args:
        body: Its schema.
        place: Of the closed list in it.
        record: Schema of the record.
    """
    listed = _words(find(body, Place.of(place)))
    return any(_words(field) == listed for _, field in walk(record) if "enum" in field)


def _words(field: Schema | None) -> frozenset[str]:
    return frozenset((field or {}).get("enum", ())) - {None}


def _holder(schema: Schema, place: Place) -> Schema | None:
    """Give the object that a field is to be in, None when there is none."""
    *holders, _ = place.path
    for array in place.arrays:
        found = find(schema, Place((), array))
        if found is None or "items" not in found:
            return None
        schema = found["items"]
    return find(schema, Place((), tuple(holders))) if holders else schema
