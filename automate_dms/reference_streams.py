"""The reference's page of streams: what each is, how it is read, and every field of its rows."""

from __future__ import annotations

import typing as t

from automate_dms.reference_fields import inside, kind, values
from automate_dms.reference_markdown import GENERATED, code, facts, page, paragraph, table
from tap_automate.cuts import line_fields, version_fields
from tap_automate.downloads.fields import DOWNLOADED_TO
from tap_automate.privacy import DEFAULTS
from tap_automate.streams import PARENT_KEY, REPLICATION_KEY, STREAMS, Ahead, Lines, Open

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automate_api.contract import Contract, Resource, Schema
    from tap_automate.streams import Declaration, History

    Fields = Mapping[str, Schema]

ABOUT: t.Final = (
    "What the tap emits unless settings change it. *Origin* says whether the vendor documents a "
    "call or a field, or this project infers it from the vendor's prose and from the trade. Every "
    "field but the key and the time that it is read by may be null, and fields and values that are "
    "not in here pass through. `odometer.value` is a field within an object, `photos[].url` one "
    "within each object of a list; such an object or list is one column, of JSON."
)
READ: t.Final = f"incremental on `{REPLICATION_KEY}`"
EVERY_LIST: t.Final = frozenset({"rooftopId", "updatedFrom", "updatedTo", "page", "pageSize"})
"""Parameters that every list call has, and that the tap sets by itself."""


def streams_page(known: Contract) -> str:
    """Write the page.

    Args:
        known: The API, as its contract or a tenant has it.

    Returns:
        Markdown.
    """
    overview: list[tuple[str, str, str]] = []
    sections: list[str] = []
    for declaration in STREAMS:
        resource = known.resource(declaration.path)
        what = resource.record_schema["description"]
        overview.append(_overview(declaration.name, what, resource.origin))
        sections += _record_section(declaration, resource)
        for cut in declaration.cuts:
            what = _what(declaration, cut, resource)
            overview.append(_overview(cut.name, what, resource.origin))
            sections += _cut_section(declaration, cut, what, resource)
    return page(
        "Streams",
        GENERATED,
        paragraph(ABOUT),
        table(("stream", "what a row is", "list call"), overview),
        *sections,
    )


def _what(parent: Declaration, cut: Lines | History, resource: Resource) -> str:
    """Say what a row of a stream is that is cut from another."""
    if isinstance(cut, Lines):
        text: str = resource.lines(cut.field).schema["description"]
        return text
    return (
        f"What the price, status and place of `{parent.name}` were, and when: a row for each "
        "version that the tap has emitted. Of changes between two runs the last one is seen."
    )


def _overview(name: str, what: str, origin: str) -> tuple[str, str, str]:
    sentence = what.partition(". ")[0].rstrip(".")
    return f"[`{name}`](#{name})", sentence, origin


def _record_section(declaration: Declaration, resource: Resource) -> Iterator[str]:
    yield f"## {declaration.name}"
    yield paragraph(resource.record_schema["description"])
    said = [
        ("list call", f"`GET {resource.path}`, {resource.origin}"),
        ("entitlement", " or ".join(sorted(resource.entitlements)) or "any login"),
        ("key", code(*resource.key)),
        ("read", READ),
        *_besides(declaration),
    ]
    settings = {each.parameter: each.setting for each in declaration.filters}
    if settings:
        chosen = (f"`{setting}` ({parameter})" for parameter, setting in settings.items())
        said.append(("filters", ", ".join(chosen)))
    if unused := sorted(resource.parameters - EVERY_LIST - settings.keys()):
        said.append(("filters of the API that have no setting", code(*unused)))
    if declaration.cuts:
        links = (f"[`{cut.name}`](#{cut.name})" for cut in declaration.cuts)
        said.append(("streams cut from it", ", ".join(links)))
    yield facts(said)
    cut_off = {cut.field: cut.name for cut in declaration.lines}
    yield _fields(resource.record_schema["properties"], resource.key, cut_off)


def _besides(declaration: Declaration) -> Iterator[tuple[str, str]]:
    """Say what is read besides what has changed."""
    match declaration.reread:
        case Open(values=values, parameter=field):
            which = f"while `{field}` is one of {code(*values)}"
            yield "read again by every run", f"{which} (setting `reread_open`)"
        case Ahead(field=field):
            yield "read again by every run", f"while `{field}` lies ahead (setting `reread_open`)"
    if declaration.periods:
        links = f"[`{declaration.periods}`](#{declaration.periods})"
        yield "compared by every run", f"by {links} (setting `gl_restatement`)"
    if files := declaration.files:
        where = f"{files.within}[]." if files.within else ""
        setting = f" and `{files.setting}`" if files.setting else ""
        asked = f"behind `{where}{files.url}` (setting `download_to`{setting})"
        yield "files", f"{asked}; `{where}{DOWNLOADED_TO}` then says where each is"


def _cut_section(
    parent: Declaration, cut: Lines | History, what: str, resource: Resource
) -> Iterator[str]:
    if isinstance(cut, Lines):
        key, fields = line_fields(resource, cut)
    else:
        key, fields = version_fields(resource, cut)
    dated = resource.record_schema["properties"][REPLICATION_KEY]
    yield f"## {cut.name}"
    yield paragraph(what)
    yield facts(
        [
            ("from", f"[`{parent.name}`](#{parent.name}), without a request of its own"),
            ("key", code(*key)),
            ("read", f"with its parent, whose `{REPLICATION_KEY}` is `{PARENT_KEY}` here"),
        ]
    )
    yield _fields({**fields, PARENT_KEY: dated}, key, {})


def _fields(fields: Fields, key: tuple[str, ...], cut_off: Mapping[str, str]) -> str:
    """List fields at every level.

    Args:
        fields: Name to schema.
        key: Names that identify a row.
        cut_off: Dotted path of an array to the stream that has what is in it.
    """
    rows = _rows(fields, "", "", cut_off)
    return table(
        ("field", "type", "origin", "meaning"),
        (
            (f"`{path}`", f"{type_}, key" if path in key else type_, origin, meaning)
            for path, type_, origin, meaning in rows
        ),
    )


def _rows(
    fields: Fields, prefix: str, personal: str, cut_off: Mapping[str, str]
) -> Iterator[tuple[str, str, str, str]]:
    for name, field in fields.items():
        path = f"{prefix}{name}"
        privacy = personal or _personal(name, field)
        stream = cut_off.get(path.replace("[]", ""))
        said = [privacy, field.get("description", ""), values(field)]
        if stream:
            said.append(f"Its rows are [`{stream}`](#{stream}).")
        yield path, kind(field), field.get("x-origin", "the tap"), " ".join(filter(None, said))
        if not stream:
            dots, holder = inside(path, field)
            yield from _rows(holder.get("properties", {}), dots, privacy, cut_off)


def _personal(name: str, field: Schema) -> str:
    if not field.get("x-pii"):
        return ""
    if name in DEFAULTS:
        return "Personal data, dropped unless `pii` names it."
    return "Personal data."
