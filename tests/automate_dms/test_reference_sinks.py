"""The reference's page of sinks has what declarations, contract and payloads have."""

from __future__ import annotations

import copy
import itertools
import re
import typing as t

import pytest
from support.papers import code, readme_section, table

from automate_api import contract
from automate_api.contract import Contract
from automate_dms.reference_sinks import sinks_page
from target_automate.records.payloads import Conformer, Invalid
from target_automate.records.schemas import COMPUTED
from target_automate.sinks.table import SINKS

if t.TYPE_CHECKING:
    from target_automate.sinks.declarations import SinkDeclaration

PAGE = "docs/reference/sinks.md"
EVERY_SINK = pytest.mark.parametrize("sink", SINKS, ids=lambda sink: sink.object)


def section(sink: SinkDeclaration) -> str:
    return readme_section(sink.object, PAGE)


def fact(sink: SinkDeclaration, name: str) -> str:
    [found] = re.findall(rf"^- {re.escape(name)}: (.*)$", section(sink), re.MULTILINE)
    return str(found)


def rows(sink: SinkDeclaration) -> dict[str, list[str]]:
    """Return a sink's fields: path to the other cells."""
    return {code(path)[0]: cells for path, *cells in table(section(sink), "field")}


def at_the_top(sink: SinkDeclaration) -> dict[str, list[str]]:
    return {path: cells for path, cells in rows(sink).items() if "." not in path}


def test_the_page_lists_every_sink_in_the_order_of_writing() -> None:
    page = sinks_page(contract.load())
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == [sink.object for sink in SINKS]
    overview = table(page.partition("## ")[0], "sink")
    assert [[*code(name), title] for name, title, *_ in overview] == [
        [sink.object, sink.title] for sink in SINKS
    ]


@EVERY_SINK
def test_a_sink_has_its_call_its_streams_and_who_may_make_it(sink: SinkDeclaration) -> None:
    write = contract.load().write(sink.operation_id)
    assert f"`{write.method} {write.path}`, {write.origin}" in fact(sink, "operation")
    assert code(fact(sink, "streams")) == [sink.object, *sink.aliases]
    assert fact(sink, "entitlement") == " or ".join(sorted(sink.entitlements) or ["any login"])


@EVERY_SINK
def test_every_field_that_the_target_takes_is_listed_and_no_other(sink: SinkDeclaration) -> None:
    taken = set(contract.load().write(sink.operation_id).schema["properties"])
    taken |= {name for found in sink.references for name in (found.field, found.alias)}
    taken |= sink.local
    if sink.operation == "upload":
        taken -= set(COMPUTED)
    if sink.change and sink.change.line:
        taken.add(sink.change.line.alias)
    assert set(at_the_top(sink)) == taken


@EVERY_SINK
def test_what_is_marked_required_is_what_an_empty_record_lacks(sink: SinkDeclaration) -> None:
    with pytest.raises(Invalid) as refused:
        Conformer(sink, contract.load()).conform({})
    lacking = " ".join(f"{found.field}: {found.message}" for found in refused.value.problems)
    for name, (_, required, *_) in at_the_top(sink).items():
        said = re.search(rf"\b{name}\b", lacking)
        if required.startswith("yes"):
            assert said, name
        elif not required:
            assert not said, name


@EVERY_SINK
def test_origin_is_the_contracts_and_what_only_the_target_knows_says_so(
    sink: SinkDeclaration,
) -> None:
    write = contract.load().write(sink.operation_id)
    for name, cells in at_the_top(sink).items():
        _, _, origin, meaning = cells
        if origin == "the target":
            assert name not in write.schema["properties"]
            assert meaning
        elif name in write.schema["properties"]:
            assert origin == write.schema["properties"][name]["x-origin"]
        else:
            assert origin == write.origin
    aliases = {found.alias for found in sink.references} - write.schema["properties"].keys()
    assert {rows(sink)[alias][2] for alias in aliases} <= {"the target"}


@EVERY_SINK
def test_the_values_that_a_field_may_have_are_listed(sink: SinkDeclaration) -> None:
    for name, field in contract.load().write(sink.operation_id).schema["properties"].items():
        if name in rows(sink) and "enum" in field:
            listed = code(rows(sink)[name][3])
            assert {value for value in field["enum"] if value is not None} <= set(listed), name


@EVERY_SINK
def test_no_status_stands_before_one_that_the_target_would_not_leave(sink: SinkDeclaration) -> None:
    machine = sink.change.machine if sink.change else None
    if machine is None:
        assert "- order of statuses" not in section(sink)
        return
    steps, _, ends = fact(sink, "order of statuses").partition(".")[0].partition(";")
    order = [code(step) for step in steps.split(", then ")]
    for earlier, later in itertools.combinations(order, 2):
        for before, after in itertools.product(earlier, later):
            assert machine.is_backwards(after, before)
            assert not machine.is_backwards(before, after)
    for end, status in itertools.product(code(ends), itertools.chain(*order)):
        assert machine.is_backwards(end, status)
        assert not machine.is_backwards(status, end)
    listed = {*itertools.chain(*order), *code(ends)}
    enum = contract.load().write(sink.operation_id).schema["properties"]["status"]["enum"]
    assert listed == {value for value in enum if value is not None}


@EVERY_SINK
def test_the_guard_of_a_change_is_named_where_the_call_has_one(sink: SinkDeclaration) -> None:
    if sink.change is None:
        assert "- guard:" not in section(sink)
    else:
        assert set(code(fact(sink, "guard"))) & set(rows(sink)) == sink.change.guards


@EVERY_SINK
def test_a_write_that_would_be_made_twice_is_said_to_be_parked(sink: SinkDeclaration) -> None:
    unknown = fact(sink, "an outcome that stays unknown")
    assert ("parked" in unknown) == (sink.unknown == "park")
    if sink.lookup:
        *fields, path = code(fact(sink, "looked up by"))
        assert fields == list(sink.lookup.equal)
        assert path == f"GET {sink.entity.path}"


def test_another_contract_gives_another_page() -> None:
    document = copy.deepcopy(contract.load().document)
    body = document["components"]["schemas"]["VehicleChange"]
    body["properties"]["windowSticker"] = {"type": "string", "description": "On | the glass."}
    page = sinks_page(Contract(document))
    assert "| `windowSticker` | text |  | inferred | On \\| the glass. |" in page
