"""The table of streams is the API's, and a line in it is all that a new stream needs."""

from __future__ import annotations

import copy
import datetime as dt
import typing as t

import pytest
from support.dms import Canned, FakeDms

from automate_api import contract
from tap_automate import resources, streams
from tap_automate.streams import STREAMS, Declaration, stream_names

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.dealership import Run

    from tap_automate.tap import TapAutomate

API = contract.load()
NOON = "2026-01-20T12:00:00Z"


@pytest.fixture
def dms() -> Iterator[FakeDms]:
    with FakeDms(totp=False) as server:
        server.entitlements = ["inventory", "sales", "service", "accounting"]
        yield server


def page(*records: dict[str, t.Any]) -> Canned:
    rows = [{"updatedAt": NOON, **record} for record in records]
    return Canned(body={"items": rows, "page": 1, "pageSize": 50, "total": len(rows)})


def test_there_is_a_stream_for_every_list_of_the_contract() -> None:
    lists = [
        path
        for path, item in API.document["paths"].items()
        if item.get("get", {}).get("operationId", "").startswith("list")
    ]
    assert sorted(declaration.path for declaration in STREAMS) == sorted(lists)
    assert len(set(stream_names())) == len(stream_names())


def test_every_array_that_has_a_key_in_the_contract_is_a_stream() -> None:
    keyed = {
        (declaration.path, path)
        for declaration in STREAMS
        for path, field in contract.fields(API.resource(declaration.path).record_schema)
        if "x-key" in field.get("items", {})
    }
    assert keyed == {(each.path, lines.field) for each in STREAMS for lines in each.lines}


def test_a_new_stream_is_a_path_and_a_schema_of_the_contract_and_a_line_of_the_table(
    dms: FakeDms,
    tmp_path: Path,
    make_tap: Callable[..., TapAutomate],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = copy.deepcopy(dict(API.document))
    operation = copy.deepcopy(document["paths"]["/lots"]["get"])
    envelope = operation["responses"]["200"]["content"]["application/json"]["schema"]
    reference = {"$ref": "#/components/schemas/KeyTag"}
    envelope["allOf"][1]["properties"]["items"]["items"] = reference
    document["paths"]["/key-tags"] = {"get": {**operation, "operationId": "listKeyTags"}}
    document["components"]["schemas"]["KeyTag"] = {
        "x-origin": "inferred",
        "x-key": ["keyTagId"],
        "type": "object",
        "required": ["keyTagId"],
        "properties": {
            "keyTagId": {"$ref": "#/components/schemas/Id"},
            "hook": {"$ref": "#/components/schemas/Count"},
        },
        "allOf": [{"$ref": "#/components/schemas/RooftopRecord"}],
    }
    table = (*STREAMS, Declaration("key_tags", "/key-tags"))
    monkeypatch.setattr(contract, "load", lambda _overlay=None: contract.Contract(document))
    monkeypatch.setattr(streams, "STREAMS", table)
    monkeypatch.setattr(resources, "STREAMS", table)
    dms.answer("GET /key-tags?pageSize=1", *[Canned()] * 4)
    dms.answer("GET /key-tags", page({"keyTagId": "k", "rooftopId": "rt_1", "hook": 7}))

    tap = make_tap(**dms.settings(tmp_path))
    entry = next(each for each in tap.catalog_dict["streams"] if each["stream"] == "key_tags")
    stream = tap.streams["key_tags"]
    found = list(t.cast("t.Any", stream).get_records(None))
    tap.client.close()

    assert (entry["key_properties"], entry["replication_key"]) == (("keyTagId",), "updatedAt")
    assert entry["schema"]["properties"]["hook"] == {"type": ["integer", "null"]}
    assert found == [{"keyTagId": "k", "rooftopId": "rt_1", "hook": 7, "updatedAt": NOON}]
    assert stream.get_context_state(None)["replication_key_value"] > NOON


def test_rows_with_one_code_at_two_rooftops_are_two(
    extract_from: Callable[..., Run], dms: FakeDms
) -> None:
    recent = dt.datetime.fromtimestamp(dms.clock() - 120, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = [
        {"opCode": "01LOF", "rooftopId": rooftop, "updatedAt": recent}
        for rooftop in ("rt_1", "rt_2")
    ]
    dms.answer("GET /service/op-codes?pageSize=1", *[Canned()] * 4)
    dms.answer("GET /service/op-codes", page(*rows))
    done = extract_from(dms, "op_codes")
    assert done.code == 0, done.err
    keys = [(row["opCode"], row["rooftopId"]) for row in done.records("op_codes")]
    assert keys == [("01LOF", "rt_1"), ("01LOF", "rt_2")]
    third = {"opCode": "01LOF", "rooftopId": "rt_3", "updatedAt": recent}
    dms.answer("GET /service/op-codes", page(*rows, third))
    again = extract_from(dms, "op_codes", state=done.state())
    assert again.code == 0, again.err
    assert [row["rooftopId"] for row in again.records("op_codes")] == ["rt_3"]


def test_the_lines_of_a_deal_are_numbered_in_each_of_its_streams(
    extract_from: Callable[..., Run], dms: FakeDms
) -> None:
    deal = {
        "dealId": "d",
        "rooftopId": "rt_1",
        "fees": [{"code": "DOC", "amount": 75.5}, None, {"code": "DOC", "amount": 1}],
        "finance": {"products": [{"code": "VSC", "price": 1999}]},
        "tradeIn": {"vin": "W", "acv": 9000},
    }
    dms.answer("GET /deals?pageSize=1", *[Canned()] * 4)
    dms.answer("GET /deals", page(deal))
    done = extract_from(dms, "deals", "deal_fees", "deal_products", "deal_trade_ins")
    assert done.code == 0, done.err
    common = {"dealId": "d", "rooftopId": "rt_1", "parentUpdatedAt": NOON}
    assert done.records("deal_fees") == [
        {**common, "position": 1, "code": "DOC", "amount": pytest.approx(75.5)},
        {**common, "position": 3, "code": "DOC", "amount": 1},
    ]
    (product,) = done.records("deal_products")
    assert product == {**common, "position": 1, "code": "VSC", "price": 1999}
    (trade,) = done.records("deal_trade_ins")
    assert trade == {**common, "position": 1, "vin": "W", "acv": 9000}
    keys = {m["stream"]: m["key_properties"] for m in done.messages("SCHEMA")}
    assert keys["deal_products"] == ["dealId", "position"]


def test_a_documented_list_has_to_be_there_and_the_path_of_a_setting_need_not(
    extract_from: Callable[..., Run], dms: FakeDms
) -> None:
    for path in ("/vehicles", "/inventory"):
        dms.answer(f"GET {path}", *[Canned(404, {"error": {"code": "not_found"}})] * 8)
    documented = extract_from(dms, "vehicles")
    assert documented.code == 1
    assert "GET /vehicles" in documented.err
    own = extract_from(dms, "vehicles", "lots", endpoints={"vehicles": "/inventory"})
    assert own.code == 0, own.err
    assert "Skipping 'vehicles'" in own.err
