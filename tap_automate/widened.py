"""Schemas that follow the types that came in their fields. Pure."""

from __future__ import annotations

import typing as t

from tap_automate.reading.drift import ITEMS, NO_DATE

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NULL: t.Final = "null"


def widened(schema: Mapping[str, t.Any], path: str, kinds: Iterable[str]) -> Mapping[str, t.Any]:
    """Let a field have further types, or a date be any text.

    Args:
        schema: Of the record; not changed.
        path: Of the field, as `Drift` has it.
        kinds: JSON types, or `NO_DATE`.

    Returns:
        The schema where it has no such field, or these types already; else a copy.
    """
    return _widened(schema, path.replace(ITEMS, f".{ITEMS}").split("."), tuple(kinds))


def with_types(schema: Mapping[str, t.Any], kinds: Sequence[str]) -> Mapping[str, t.Any]:
    """Let a field have further types.

    Args:
        schema: Of the field; not changed.
        kinds: As `widened` takes them.

    Returns:
        The schema where it has these types already, or does not say which; else a copy.
    """
    if NO_DATE in kinds and "format" in schema:
        schema = {word: value for word, value in schema.items() if word != "format"}
    declared = schema.get("type", [])
    had = [declared] if isinstance(declared, str) else list(declared)
    more = [kind for kind in kinds if kind not in had and kind != NO_DATE]
    if not (had and more):
        return schema
    types = [kind for kind in had if kind != NULL] + more
    return {**schema, "type": [*types, NULL] if NULL in had else types}


def _widened(
    schema: Mapping[str, t.Any], path: Sequence[str], kinds: Sequence[str]
) -> Mapping[str, t.Any]:
    if not path:
        return with_types(schema, kinds)
    properties, items = schema.get("properties", {}), schema.get("items")
    if path[0] in properties:
        part = properties[path[0]]
        wider = _widened(part, path[1:], kinds)
        whole = {**schema, "properties": {**properties, path[0]: wider}}
    elif isinstance(items, dict):
        part = items
        wider = _widened(part, path[path[0] == ITEMS :], kinds)
        whole = {**schema, "items": wider}
    else:
        return schema
    return schema if wider is part else whole
