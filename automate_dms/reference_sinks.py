"""The reference's page of sinks: what can be written, how it is sent, and every field of it."""

from __future__ import annotations

import typing as t

from automate_dms.reference_markdown import GENERATED, code, facts, page, paragraph, table
from automate_dms.reference_sink_fields import TARGET, fields_table
from target_automate.sinks.declarations import ABOUT as REFERENCE
from target_automate.sinks.table import SINKS

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from automate_api.contract import Contract, Schema
    from target_automate.sinks.declarations import Change, Reference, SinkDeclaration
    from target_automate.sinks.statuses import Machine

ABOUT: t.Final = (
    "What `target-automate` takes. A stream goes to the sink that has its name, in any case and "
    "punctuation. *Origin* says whether the vendor documents a call or a field, or this project "
    "infers it from the vendor's prose and from the trade; a field that comes from "
    f"*{TARGET}* is none of the API's, and what it stands for is sent. Null and empty text mean "
    '"not given". `vehicle.vin` is a field within an object, and may come as `vehicle__vin`; '
    "`fees[].amount` is one within each object of a list. How writes are kept, ordered and settled "
    "is explained in [pushing](../pushing.md)."
)
ENDS: t.Final = (
    "How each operation is settled; an outcome that nobody knows is that of a request whose answer "
    "was lost. Where the DMS honours idempotency keys, the same request under the same key settles "
    "it, and the rest is not needed."
)
OPERATIONS: t.Final = (
    (
        "upsert",
        (
            "nothing is read; with `on_fuzzy_match: reject`, whom the DMS would match by name and "
            "contact"
        ),
        "looked up: it has arrived when the DMS holds what was sent, and is sent again when not",
        "looked up, and sent again where the DMS does not hold it",
    ),
    (
        "create",
        "looked up, as `lookup_before_create` says: what is there is not made again",
        "looked up, and parked when it is not found",
        "looked up: what is found is taken for it",
    ),
    (
        "update",
        (
            "the record is read: what it says already is not sent, and what is further on, or "
            "newer than the guard says, is rejected as `superseded`"
        ),
        (
            "the record is read: it has arrived when that says so, is rejected as `superseded` "
            "when somebody else has changed it, and is sent again when it is as it was"
        ),
        "the record is read again, and the change judged by what it holds then",
    ),
    (
        "upload",
        "looked up, unless `lookup_before_create` is `never`: the same bytes are not sent twice",
        (
            "completed again, which is the same however often it is done; where the DMS has "
            "forgotten the upload, looked up, and begun anew when it is not found"
        ),
        "looked up: what is found is taken for it",
    ),
)
"""Operation, what is done before, with an outcome that nobody knows, and after a 409."""


def sinks_page(known: Contract) -> str:
    """Write the page.

    Args:
        known: The API, as its contract or a tenant has it.

    Returns:
        Markdown.
    """
    overview = [
        (f"[`{sink.object}`](#{sink.object})", sink.title, sink.operation, _call(sink, known))
        for sink in SINKS
    ]
    sections = [part for sink in SINKS for part in _section(sink, known)]
    return page(
        "Sinks",
        GENERATED,
        paragraph(ABOUT),
        table(("sink", "what a record is", "operation", "call"), overview),
        paragraph(ENDS),
        table(("operation", "before", "an outcome that nobody knows", "409"), _operations()),
        *sections,
    )


def _call(sink: SinkDeclaration, known: Contract) -> str:
    write = known.write(sink.operation_id)
    return f"`{write.method} {write.path}`, {write.origin}"


def _section(sink: SinkDeclaration, known: Contract) -> Iterator[str]:
    write = known.write(sink.operation_id)
    yield f"## {sink.object}"
    yield paragraph(f"{sink.title}. {_description(write.schema)}".strip())
    yield facts(
        [
            ("streams", code(sink.object, *sink.aliases)),
            ("operation", f"{sink.operation}, by {_call(sink, known)}"),
            ("entitlement", " or ".join(sorted(write.entitlements)) or "any login"),
            ("business key", _business_key(sink)),
            *((("refers to", refers),) if (refers := _references(sink)) else ()),
            ("order", _order(sink)),
            *_found(sink),
            *_guards(sink),
            ("an outcome that stays unknown", _unknown(sink)),
        ]
    )
    yield fields_table(sink, known)


def _description(body: Schema) -> str:
    text: str = body.get("description", "")
    return text


def _business_key(sink: SinkDeclaration) -> str:
    """Name what identifies a record, and what does so without it."""
    key = _key(sink, sink.business_key)
    if not sink.natural_key:
        return key
    return f"{key}; without it {_key(sink, sink.natural_key)}"


def _key(sink: SinkDeclaration, names: tuple[str, ...]) -> str:
    nouns = [found.entity.noun for found in sink.references]
    return _listed(
        [f"the {_listed(nouns, 'or')}" if name == REFERENCE else f"`{name}`" for name in names],
        "and",
    )


def _operations() -> Iterator[tuple[str, ...]]:
    for operation, *cells in OPERATIONS:
        yield f"`{operation}`", *cells


def _references(sink: SinkDeclaration) -> str:
    return "; ".join(map(_reference, sink.references))


def _reference(reference: Reference) -> str:
    entity = reference.entity
    said = f"{_one(entity.noun)}, by `{reference.field}` or `{reference.alias}`"
    if entity.is_filtered:
        return said
    return f"{said}, which this journal has to have written: the API finds none by it"


def _order(sink: SinkDeclaration) -> str:
    sharing = [found.entity.noun for found in sink.references if found.shares_lane]
    nouns = [sink.entity.noun] if sink.founds else sharing
    said = f"one after the other with all writes of the same {_listed(nouns, 'or')}"
    if sink.founds and sharing:
        said += f"; from {_one(_listed(sharing, 'or'))}, behind the writes of that"
    return said


def _found(sink: SinkDeclaration) -> Iterator[tuple[str, str]]:
    if sink.change is not None:
        yield "read by", f"`GET {sink.entity.path}/{{id}}`"
    if sink.lookup is not None:
        yield "looked up by", f"{code(*sink.lookup.equal)}, in `GET {sink.entity.path}`"


def _guards(sink: SinkDeclaration) -> Iterator[tuple[str, str]]:
    change = sink.change
    if change is None:
        return
    yield "guard", _guard(change, sink.entity.noun)
    if change.machine is not None:
        yield "order of statuses", _statuses(change.machine)


def _guard(change: Change, noun: str) -> str:
    if change.expected is not None:
        return f"`{change.expected}`, the status that was read unless the record has one"
    if change.version is not None:
        return (
            f"`{change.version}`, the `updatedAt` that was read unless the record has one; own "
            "writes since then do not count"
        )
    return (
        f"none that the API has: what somebody else changes in the {noun} between reading and "
        "writing is replaced"
    )


def _statuses(machine: Machine) -> str:
    rungs = ([f"`{name}`" for name in sorted(rung)] for rung in machine.order)
    steps = ", then ".join(_listed(rung, "or") for rung in rungs)
    ends = _listed([f"`{name}`" for name in sorted(machine.ends)], "or")
    return (
        f"{steps}; nothing follows {ends}. What lies behind is never asked for; which steps "
        "forward there are, the DMS says"
    )


def _unknown(sink: SinkDeclaration) -> str:
    if sink.unknown == "park":
        return "parked for a person: a second time could make a second one"
    if sink.change is not None:
        return f"sent again while the {sink.entity.noun} is as it was read"
    return "sent again: a second time does no harm"


def _one(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"


def _listed(names: Sequence[str], word: str) -> str:
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last
