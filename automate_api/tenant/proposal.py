"""An overlay out of what a sample of a tenant's records shows, for a person to look at.

`proposed` makes the part of one list, `with_part` puts it into the overlay that is there, and
`written` makes the file of it.
"""

from __future__ import annotations

import copy
import re
import typing as t

import yaml

from automate_api import differences
from automate_api.differences import Kind
from automate_api.tenant.likeness import words
from automate_api.tenant.moves import tenant_paths
from automate_api.tenant.places import Place, find, leaf
from automate_api.tenant.renames import renames

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automate_api.differences import Node, Sample
    from automate_api.tenant.overlay import ResourceOverlay
    from automate_api.tenant.places import Path
    from automate_api.tenant.renames import Rename

Document: t.TypeAlias = dict[str, t.Any]
"""What an overlay's file holds, decoded."""

_PERSONAL: t.Final = frozenset(
    {"email", "mail", "phone", "telephone", "mobile", "fax", "address", "street", "zip", "postal"}
    | {"birth", "birthday", "birthdate", "dob", "dl", "ssn", "license", "licence", "passport"}
    | {"firstname", "lastname", "surname", "fullname", "person", "contact", "spouse", "employer"}
)
"""Words in the names of fields that hold personal data, as far as names tell."""


class Proposal(t.NamedTuple):
    """What an overlay should say of one list.

    Attributes:
        part: As its file has it, under `resources.<name>`; empty when there is nothing to say.
        renames: The fields in it that are taken for the contract's, and why.
    """

    part: Document
    renames: list[Rename]


def proposed(sample: Sample, said: ResourceOverlay) -> Proposal:
    """Make what an overlay should say of a list, beside what it says already.

    Args:
        sample: Of its records, as they came through the overlay that there is.
        said: What that says.
    """
    found = renames(sample)
    fields = {str(each.field): _theirs(each, said) for each in found}
    add: Document = {}
    for scope in sample.scopes():
        taken = {each.theirs for each in found if each.field.arrays == scope.arrays}
        for path, node in differences.unknown(scope):
            schema = _schema(path, node, taken)
            if schema is not None:
                add[str(Place(scope.arrays, path))] = schema
    values: dict[str, Document] = {}
    for each in sample.differences():
        if each.kind is not Kind.WORD or each.detail == differences.NOT_SHOWN:
            continue
        listed = (find(sample.schema, Place.of(each.place)) or {}).get("enum")
        seen = sample.at(each.place)
        if listed and seen:
            said_here = values.setdefault(each.place, {})
            mine = differences.spelled(each.detail, listed)
            is_taken = mine in seen.words or mine in said_here.values()
            said_here[each.detail] = None if is_taken else mine
    parts = {"fields": fields, "add": add, "values": values}
    return Proposal({key: part for key, part in parts.items() if part}, found)


def personal_names(add: Document) -> Iterator[str]:
    """Name the fields that an overlay would add as personal data, as the setting `pii` has them.

    Args:
        add: Name or place to the field, as `add` of a file has them.
    """
    for name, schema in add.items():
        if schema.get("pii"):
            yield leaf(name)
        for holder in (schema, schema.get("items", {})):
            yield from personal_names(holder.get("properties", {}))


def with_part(document: Document, name: str, part: Mapping[str, t.Any]) -> Document:
    """Put a part about a list into what an overlay's file holds.

    Args:
        document: Of the file; stays as it is.
        name: The list's.
        part: What to say of it; what is said twice is as here.
    """
    merged = copy.deepcopy(document)
    said = merged.setdefault("resources", {}).setdefault(name, {})
    for key, value in part.items():
        if isinstance(value, dict) and isinstance(said.get(key), dict):
            for word, further in value.items():
                inner = said[key].get(word)
                both = key == "values" and isinstance(inner, dict)
                said[key][word] = {**inner, **further} if both else further
        else:
            said[key] = copy.deepcopy(value)
    return merged


def written(document: Document) -> str:
    """Write what an overlay's file holds."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


def _theirs(each: Rename, said: ResourceOverlay) -> str:
    """Give the tenant's own path: the records came with what holds a field moved already."""
    moves = {
        place.path: tuple(path.split("."))
        for place, path in ((Place.of(mine), path) for mine, path in said.fields.items())
        if place.arrays == each.field.arrays
    }
    return ".".join(tenant_paths([each.theirs], moves)[each.theirs])


def _schema(path: Path, node: Node, taken: set[Path]) -> Document | None:
    """Describe what came in an unknown field; None where a name, or several types, forbid it."""
    if path in taken or differences.shown(path[-1]) != path[-1]:
        return None
    kinds = set(node.kinds)
    kind = "number" if kinds == {"integer", "number"} else next(iter(kinds), None)
    if kind is None or (len(kinds) > 1 and kind != "number"):
        return None
    schema: Document = {"type": kind}
    if kind == "object":
        parts = dict(_parts(path, node, taken))
        if node.fields and not parts:
            return None
        schema |= {"properties": parts} if parts else {}
    elif kind == "array":
        item = _schema((*path, "item"), node.item, set())
        if item is None:
            return None
        # Settings and logs treat personal data by the field's name, which items have none of.
        schema |= {"pii": True} if item.pop("pii", False) else {}
        schema["items"] = item
    elif kind == "string" and len(node.formats) == 1:
        form = next(iter(node.formats))
        schema |= {"format": form} if form != differences.TEXT else {}
    if kind not in {"object", "array"} and (node.is_personal or _sounds_personal(path)):
        schema["pii"] = True
    return schema


def _parts(path: Path, node: Node, taken: set[Path]) -> Iterator[tuple[str, Document]]:
    for name, part in node.fields.items():
        schema = _schema((*path, name), part, taken)
        if schema is not None:
            yield name, schema


def _sounds_personal(path: Path) -> bool:
    found = {word.removesuffix("s") for word in words(path)} | {
        re.sub(r"[^a-z]", "", path[-1].lower())
    }
    return any(word in _PERSONAL for word in found)
