"""What a record of a sink may say: the schema of the call's body, fitted to records."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from automate_api.contract import Contract, Schema
    from target_automate.sinks.declarations import SinkDeclaration

COMPUTED: t.Final = ("entityType", "entityId", "size")
"""Fields of the call that uploads a file that no record has: they follow from it."""

_ID: t.Final = {"type": "string", "minLength": 1}


def identifying(sink: SinkDeclaration) -> tuple[str, ...]:
    """Name the fields that a record needs to be told from others, whatever the call asks for."""
    return sink.business_key if sink.founds and not sink.natural_key else ()


def record_schema(sink: SinkDeclaration, contract: Contract) -> Schema:
    """Fit the schema of a sink's call to its records.

    They are identified by their writer, may name what they refer to by either id, need not say what
    the DMS is thought to hold, and say of a file where it is and not what it is like.

    Args:
        sink: Whose records.
        contract: The API's contract.

    Returns:
        JSON Schema, the caller's own. What of a reference is required stands in the declaration.

    Raises:
        LookupError: The contract does not have the sink's call.
    """
    schema = contract.write(sink.operation_id).schema
    properties = schema["properties"]
    left_out = set(sink.change.guards) if sink.change else set()
    for reference in sink.references:
        left_out.add(reference.field)
        named = properties.get(reference.field, _ID)
        properties |= {reference.field: named, reference.alias: named}
    if sink.change and sink.change.line:
        line = sink.change.line
        left_out.add(line.field)
        properties[line.alias] = properties[line.field]
        schema["anyOf"] = [{"required": [line.field]}, {"required": [line.alias]}]
    if sink.operation == "upload":
        left_out |= {*schema["required"]}
        for name in COMPUTED:
            del properties[name]
        properties |= dict.fromkeys(sink.local, _ID)
        schema["required"] += sink.local
    required = dict.fromkeys((*schema.get("required", ()), *identifying(sink)))
    schema["required"] = [name for name in required if name not in left_out]
    # Any of several identities is enough for the call; a required one leaves no choice, and to
    # offer the others in a message would mislead. What a reference needs is checked with it.
    ways = [set(way["required"]) for way in schema.get("anyOf", ())]
    references = {reference.field for reference in sink.references}
    if any(way <= {*schema["required"]} or way & references for way in ways):
        del schema["anyOf"]
    return schema
