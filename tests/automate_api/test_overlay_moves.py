"""Names and words of a tenant become the contract's and back, and nothing is lost on the way."""

from __future__ import annotations

import copy
import json
import typing as t
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from automate_api import contract
from automate_api.errors import ConfigError
from automate_api.tenant.moves import DISPLACED, compiled
from automate_api.tenant.operations import operations_of
from automate_api.tenant.places import Place, walk
from automate_api.tenant.reading import from_text

if t.TYPE_CHECKING:
    from automate_api.contract import Schema
    from automate_api.tenant.moves import Translation

Json: t.TypeAlias = dict[str, t.Any]

RESOURCES: t.Final = ("vehicles", "customers", "deals", "repair_orders", "gl_entries")
OPERATIONS: t.Final = operations_of(contract.load())
SCHEMAS: t.Final = {name: OPERATIONS.record(name) for name in RESOURCES}
PLACES: t.Final = {name: dict(walk(schema)) for name, schema in SCHEMAS.items()}


def translation(
    resource: str, fields: dict[str, str], values: dict[str, t.Any] | None = None
) -> Translation:
    """Compile what a file says of a resource, once it is found to be right."""
    said = {"fields": fields, "values": values or {}}
    text = json.dumps({"resources": {resource: said}})
    overlay = from_text(text, Path("drawn")).resource(resource)
    return compiled(
        SCHEMAS[resource],
        {Place.of(mine): tuple(theirs.split(".")) for mine, theirs in overlay.fields.items()},
        {Place.of(place): words for place, words in overlay.values.items()},
    )


def value_of(field: Schema) -> st.SearchStrategy[t.Any]:
    """Draw what a field may hold, but null for an object and an object without anything."""
    kinds = {field["type"]} if isinstance(field["type"], str) else set(field["type"])
    if "enum" in field:
        return st.sampled_from(field["enum"])
    if "array" in kinds:
        return st.lists(value_of(field["items"]), max_size=2)
    if "object" in kinds:
        return record_of(field) if field.get("properties") else st.just({"any": 1})
    plain = st.text(max_size=3) if "string" in kinds else st.integers(0, 9)
    return plain | st.none() if "null" in kinds else plain


def record_of(schema: Schema) -> st.SearchStrategy[Json]:
    """Draw an object with some of its fields."""
    parts = {name: value_of(field) for name, field in schema["properties"].items()}
    return st.fixed_dictionaries({}, optional=parts).filter(bool)


@st.composite
def overlays(draw: st.DrawFn) -> tuple[str, dict[str, str], dict[str, t.Any]]:
    """Draw renames and words, right and wrong ones, onto free names and onto the contract's."""
    resource = draw(st.sampled_from(RESOURCES))
    places = PLACES[resource]
    moved = draw(st.lists(st.sampled_from(sorted(map(str, places))), max_size=4, unique=True))
    fields = {}
    for text in moved:
        place = Place.of(text)
        here = [each.path for each in places if each.arrays == place.arrays]
        names = st.sampled_from(["a", "b", "c", *(path[-1] for path in here)])
        holders = st.sampled_from([(), (), ("h",), ("h", "i"), *(path for path in here)])
        fields[text] = ".".join((*draw(holders), draw(names)))
    listed = {str(place): field["enum"] for place, field in places.items() if "enum" in field}
    values = {}
    for text in draw(st.lists(st.sampled_from(sorted(listed)), max_size=2, unique=True)):
        words = [word for word in listed[text] if word is not None]
        tenants = st.sampled_from(["x", "y", "z", *words])
        values[text] = draw(st.dictionaries(tenants, st.sampled_from([None, *words]), max_size=3))
    return resource, fields, values


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(overlay=overlays(), data=st.data())
def test_what_the_check_lets_pass_leads_back_to_what_was_sent(
    overlay: tuple[str, dict[str, str], dict[str, t.Any]], data: st.DataObject
) -> None:
    resource, fields, values = overlay
    try:
        moves = translation(resource, fields, values)
    except ConfigError:
        assume(False)  # noqa: FBT003 - hypothesis' own way
    record = data.draw(record_of(SCHEMAS[resource]))
    sent = moves.to_tenant(copy.deepcopy(record))
    assert moves.to_contract(copy.deepcopy(sent)) == record
    for mine, theirs in fields.items():
        value = at(record, mine)
        if isinstance(value, int):  # no object, whose parts may go elsewhere, and no word
            assert at(sent, theirs) == value


def at(record: Json, place: str) -> object:
    """Give what stands in a record, None where nothing does or an array is in between."""
    value: t.Any = record
    for name in place.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def test_a_field_goes_to_another_object_and_back() -> None:
    moves = translation("vehicles", {"lot.name": "location.title", "vin": "lot.vin"})
    sent = {"lot": {"lotId": "l", "vin": "V"}, "location": {"title": "Main"}, "year": 2020}
    record = {"lot": {"lotId": "l", "name": "Main"}, "vin": "V", "year": 2020}
    assert moves.to_contract(copy.deepcopy(sent)) == record
    assert moves.to_tenant(copy.deepcopy(record)) == sent


def test_an_object_goes_with_all_that_is_in_it() -> None:
    moves = translation("vehicles", {"lot": "location", "lot.name": "location.title"})
    sent = {"location": {"lotId": "l", "title": "Main", "zone": 7}}
    assert moves.to_contract(sent) == {"lot": {"lotId": "l", "name": "Main", "zone": 7}}


def test_each_item_of_an_array_is_translated_from_the_item_on() -> None:
    moves = translation(
        "repair_orders",
        {
            "lines": "jobs",
            "lines[].laborSale": "labor.sale",
            "lines[].parts[].unitCost": "cost.each",
        },
        {"lines[].payType": {"customer": "customer_pay"}},
    )
    sent = {
        "jobs": [
            {"labor": {"sale": Decimal("5.10")}, "payType": "customer"},
            {"parts": [{"cost": {"each": 1}}, None], "payType": None},
            "not an object",
        ]
    }
    record = {
        "lines": [
            {"laborSale": Decimal("5.10"), "payType": "customer_pay"},
            {"parts": [{"unitCost": 1}, None], "payType": None},
            "not an object",
        ]
    }
    assert moves.to_contract(copy.deepcopy(sent)) == record
    assert moves.to_tenant(record) == sent


@pytest.mark.parametrize("shell", [None, {}])
def test_an_object_that_only_holds_what_is_moved_is_no_field_of_the_record(shell: object) -> None:
    moves = translation("vehicles", {"vin": "ids.vin"})
    assert moves.to_contract({"ids": shell}) == {}
    assert moves.to_contract({"ids": {"vin": "V", "other": 1}}) == {"vin": "V", "ids": {"other": 1}}


def test_a_field_that_came_under_the_contract_s_name_after_all_stays() -> None:
    moves = translation("vehicles", {"stockNumber": "stockNo"})
    assert moves.to_contract({"stockNumber": "A1"}) == {"stockNumber": "A1"}
    assert moves.to_contract({"stockNo": "A1", "stockNumber": None}) == {"stockNumber": "A1"}


def test_what_stands_where_another_field_belongs_is_kept_beside_it() -> None:
    moves = translation("vehicles", {"stockNumber": "stockNo", "lot.name": "title"})
    assert moves.to_contract({"stockNo": "A1", "stockNumber": "B2"}) == {
        "stockNumber": "A1",
        f"stockNumber{DISPLACED}": "B2",
    }
    assert moves.to_contract({"title": "Main", "lot": "Main"}) == {
        "lot": "Main",
        f"lot.name{DISPLACED}": "Main",
    }


def test_words_that_nobody_translates_pass_through() -> None:
    moves = translation(
        "vehicles", {}, {"status": {"on_lot": "in_stock", "in_stock": "transit", "demo": None}}
    )
    came = ["on_lot", "in_stock", "demo", "other", None, 7]
    said = ["in_stock", "transit", "demo", "other", None, 7]
    assert [moves.to_contract({"status": word})["status"] for word in came] == said
    assert [moves.to_tenant({"status": word})["status"] for word in said] == came


def test_what_changes_nothing_says_so() -> None:
    assert not translation("vehicles", {}, {"status": {"demo": None}})
    assert translation("repair_orders", {"lines[].laborSale": "labor"})
