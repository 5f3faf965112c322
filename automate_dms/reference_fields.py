"""Fields for a reader: their types, their values and what is in them, for the pages of records."""

from __future__ import annotations

import typing as t

from automate_dms.reference_markdown import code

if t.TYPE_CHECKING:
    from automate_api.contract import Schema

FORMATS: t.Final = {"date-time": "instant", "date": "date"}
TYPES: t.Final = {"string": "text", "integer": "integer", "boolean": "boolean", "object": "object"}
"""Type in JSON Schema to the reader's word."""


def kind(field: Schema) -> str:
    """Name a field's type."""
    declared = field["type"]
    [name] = [declared] if isinstance(declared, str) else [k for k in declared if k != "null"]
    if name == "array":
        return f"list of {kind(field['items'])}s"
    if name == "number":
        digits = field["x-sql-datatype-properties"]
        return f"decimal({digits['precision']}, {digits['scale']})"
    return FORMATS.get(field.get("format", ""), TYPES[name])


def values(field: Schema) -> str:
    """Say which values a field may have; nothing where it may have any."""
    listed = [value for value in field.get("enum", ()) if value is not None]
    return f"One of {code(*listed)}." if listed else ""


def inside(path: str, field: Schema) -> tuple[str, Schema]:
    """Look into a field.

    Args:
        path: Of the field.
        field: Its schema.

    Returns:
        What the paths of the fields in it begin with, and the schema of the object that has them;
        one without `properties` where there are none.
    """
    items: Schema = field.get("items", {})
    return (f"{path}[].", items) if items.get("properties") else (f"{path}.", field)
