"""Fields that a tenant has beyond the contract: how a file describes them."""

from __future__ import annotations

import re
import typing as t

from automate_api.tenant.document import extended as _extended
from automate_api.tenant.places import Place, find

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_api.contract import Schema
    from automate_api.tenant.source import Part

KINDS: t.Final = ("string", "integer", "number", "boolean", "object", "array")
FORMATS: t.Final = ("date", "date-time")
NO_NAME: t.Final = "expected a name without dots, brackets and blanks, quotes and backslashes."
_NAME: t.Final = re.compile(r"[^.\[\]\s\"\\\x00-\x1f]+")
_SIZES: t.Final = ("precision", "scale")

_KEYS: t.Final = (
    "type",
    "format",
    "description",
    "pii",
    "enum",
    "properties",
    "items",
    "x-sql-datatype-properties",
)


def extended(schema: Schema, add: Mapping[str, Schema]) -> Schema:
    """Give a schema with fields beyond it.

    Args:
        schema: Of a record or a body; stays as it is.
        add: Place to the field's schema.
    """
    return _extended(schema, add, {}, ())


def is_name(name: str) -> bool:
    """Tell whether a field may be called so: by readers that are compiled for it, too."""
    return _NAME.fullmatch(name) is not None


def has_holder(schema: Schema, place: Place) -> bool:
    """Tell whether a field could be added: whether what it is to be within is there.

    Args:
        schema: Of the record.
        place: Of the field.
    """
    holder = Place(place.arrays, place.path[:-1])
    if not holder.path:
        *arrays, last = place.arrays or [()]
        if not last:
            return True
        found = find(schema, Place(tuple(arrays), last))
        return bool(found and "object" in found.get("items", {}).get("type", ()))
    found = find(schema, holder)
    return bool(found and "object" in found.get("type", ()))


def schema_of(part: Part) -> Schema | None:
    """Read the schema of a field, in the contract's form: every field may be null.

    Args:
        part: What the file says.

    Returns:
        The schema; None, and a problem, when it is none.
    """
    before = len(part.problems)
    parts = part.mapping(_KEYS, "keyword")
    if "type" not in parts:
        if len(part.problems) == before:
            part.refuse(f"expected a `type`, one of {', '.join(KINDS)}; there is none.")
        return None
    kind = parts["type"].text("a type")
    if kind not in KINDS:
        if kind is not None:
            parts["type"].refuse(f"expected one of {', '.join(KINDS)}.")
        return None
    schema: Schema = {"type": [kind, "null"], "x-origin": "inferred"}
    for keyword, each in parts.items():
        _KEYWORDS[keyword](each, kind, schema)
    if kind == "array" and "items" not in schema and len(part.problems) == before:
        part.refuse("expected `items`, what an array is of; there are none.")
    return schema if len(part.problems) == before else None


def _type(_part: Part, _kind: str, _schema: Schema) -> None:
    """Do nothing: it has been read."""


def _format(part: Part, kind: str, schema: Schema) -> None:
    name = part.text("a format")
    if name in FORMATS and kind == "string":
        schema["format"] = name
    elif name is not None:
        part.refuse(f"expected {' or '.join(FORMATS)}, of a string.")


def _description(part: Part, _kind: str, schema: Schema) -> None:
    if text := part.text("a sentence"):
        schema["description"] = text


def _pii(part: Part, _kind: str, schema: Schema) -> None:
    if part.flag():
        schema["x-pii"] = True


def _enum(part: Part, kind: str, schema: Schema) -> None:
    if kind != "string":
        part.refuse("a closed list is of strings.")
        return
    words = [each.text("a word") for each in part.parts()]
    schema["enum"] = [*(word for word in words if word is not None), None]


def _properties(part: Part, kind: str, schema: Schema) -> None:
    if kind != "object":
        part.refuse("fields are within an object.")
        return
    found: dict[str, Schema] = {}
    for name, each in part.mapping(what="field").items():
        if not is_name(name):
            each.refuse(NO_NAME)
        elif (field := schema_of(each)) is not None:
            found[name] = field
    schema["properties"] = found


def _items(part: Part, kind: str, schema: Schema) -> None:
    if kind != "array":
        part.refuse("items are within an array.")
        return
    if (item := schema_of(part)) is not None:
        schema["items"] = item


def _sizes(part: Part, kind: str, schema: Schema) -> None:
    given = part.mapping(_SIZES, "keyword")
    sizes = {name: size for name, each in given.items() if (size := each.digits()) is not None}
    if kind == "number" and len(sizes) == len(_SIZES) and sizes["scale"] <= sizes["precision"]:
        schema["x-sql-datatype-properties"] = sizes
    else:
        part.refuse("expected whole numbers `precision` and `scale`, of a number.")


_KEYWORDS: t.Final = {
    "type": _type,
    "format": _format,
    "description": _description,
    "pii": _pii,
    "enum": _enum,
    "properties": _properties,
    "items": _items,
    "x-sql-datatype-properties": _sizes,
}
