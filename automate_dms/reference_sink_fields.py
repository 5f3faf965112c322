"""The fields that a sink's records may have, for the reference's page of sinks."""

from __future__ import annotations

import dataclasses
import typing as t

from automate_dms.reference_fields import inside, kind, values
from automate_dms.reference_markdown import code, table
from target_automate.records.schemas import record_schema

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from automate_api.contract import Contract, Schema
    from target_automate.sinks.declarations import SinkDeclaration

TARGET: t.Final = "the target"
"""Origin of a field that the API does not know: what it stands for is sent."""
OF_FILES: t.Final = {
    "path": "The file to send, on the machine that the target runs on.",
    "fileName": "That of `path` unless given.",
    "contentType": "What the ending of `path` says unless given.",
    "sha256": "Computed; where the record has it, the file has to have the same.",
}
MOST_ALTERNATIVES: t.Final = 3
"""That a cell lists; what a record may refer to stands above the table."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    path: str
    schema: Schema
    required: str
    meaning: str

    def cells(self, origin: str) -> tuple[str, ...]:
        said = filter(None, (self.meaning, values(self.schema)))
        return f"`{self.path}`", kind(self.schema), self.required, origin, " ".join(said)


def fields_table(sink: SinkDeclaration, known: Contract) -> str:
    """List the fields of a sink's records at every level, what it refers to first.

    Args:
        sink: Whose.
        known: The API.

    Returns:
        A table in Markdown.
    """
    write, schema = known.write(sink.operation_id), record_schema(sink, known)
    ours = _aliases(sink).keys() - write.schema["properties"].keys()
    said = {**_ids(sink), **_aliases(sink), **_guards(sink)}
    if sink.operation == "upload":
        said |= OF_FILES
    rows = {row.path: row for row in _rows(schema, "", _required(sink, schema))}
    paired = [name for found in sink.references for name in (found.field, found.alias)]
    lines = []
    for path in dict.fromkeys((*paired, *_aliases(sink), *rows)):
        row = rows[path]
        if path in said:
            row = dataclasses.replace(row, meaning=said[path])
        origin = TARGET if path in ours else row.schema.get("x-origin", write.origin)
        lines.append(row.cells(origin))
    return table(("field", "type", "required", "origin", "meaning"), lines)


def _ids(sink: SinkDeclaration) -> dict[str, str]:
    return {found.field: f"The DMS's id of the {found.entity.noun}." for found in sink.references}


def _aliases(sink: SinkDeclaration) -> dict[str, str]:
    """Tell what the fields mean that stand for others, or for a file."""
    meanings = {name: OF_FILES[name] for name in sink.local}
    for reference in sink.references:
        noun, own_id = reference.entity.noun, reference.entity.own_id
        name = "VIN" if own_id == "vin" else f"`{own_id}`"
        meanings[reference.alias] = f"The {name} of the {noun}, in place of `{reference.field}`."
    if sink.change and sink.change.line:
        line = sink.change.line
        meanings[line.alias] = f"What people call the line, in place of `{line.field}`."
    return meanings


def _guards(sink: SinkDeclaration) -> dict[str, str]:
    noun, change = sink.entity.noun, sink.change
    meanings = {}
    if change and change.expected:
        meanings[change.expected] = f"Rejected where the {noun} has another status."
    if change and change.version:
        meanings[change.version] = f"Rejected where the {noun} has a later `updatedAt`."
    return meanings


def _required(sink: SinkDeclaration, schema: Schema) -> dict[str, str]:
    """Say of each field at the top whether a record has to have it."""
    said = dict.fromkeys(schema["required"], "yes")
    said |= _one_of([name for way in schema.get("anyOf", ()) for name in way["required"]])
    said |= _one_of([name for found in sink.references for name in (found.field, found.alias)])
    for reference in sink.references:
        said |= dict.fromkeys(reference.beside, f"beside {code(reference.field, reference.alias)}")
    return said


def _one_of(group: Sequence[str], prefix: str = "") -> dict[str, str]:
    """Say of fields that one of them is required."""
    if len(group) > MOST_ALTERNATIVES:
        return dict.fromkeys(group, "yes, or another that it refers to")
    return {
        name: f"yes, or {code(*(prefix + other for other in group if other != name))}"
        for name in group
    }


def _rows(schema: Schema, prefix: str, required: Mapping[str, str]) -> Iterator[_Row]:
    for name, field in schema["properties"].items():
        path = f"{prefix}{name}"
        privacy = "Personal data." if field.get("x-pii") else ""
        meaning = " ".join(filter(None, (privacy, field.get("description", ""))))
        yield _Row(path, field, required.get(name, ""), meaning)
        dots, holder = inside(path, field)
        if "properties" in holder:
            said = dict.fromkeys(holder.get("required", ()), "yes")
            ways = [way["required"][0] for way in holder.get("oneOf", ())]
            yield from _rows(holder, dots, said | _one_of(ways, dots))
