"""A client whose settings name an overlay, the contract with it, and what logs keep back."""

from __future__ import annotations

import json
import typing as t

import pytest
from support.dms import Canned

from automate_api import contract, exact_json, redaction
from automate_api.client import ListBody
from automate_api.config import ApiConfig, overlay_of
from automate_api.errors import ConfigError, NotOfferedError
from automate_api.replies import Reply

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.dms import FakeDms

    from automate_api.client import Client
    from automate_api.contract import Contract
    from automate_api.session import Session
    from automate_api.tenant.overlay import Overlay

    Connect = Callable[..., tuple[Session, Client]]

OVERLAY: t.Final = """
resources:
  vehicles:
    path: /inventory/units
    parameters: {updatedFrom: modifiedSince, vin: serial}
    fields: {stockNumber: stockNo, lot.name: location.title}
    add: {tenantTag: {type: string, pii: true, description: Of the dealer.}}
    values: {status: {demo: null, on_lot: in_stock}}
    pii: [comments]
  customers: {fields: {customerId: id, firstName: given, address.city: town}}
  parts: {offered: false}
calls:
  createDeal: {offered: false}
  changeDealStatus:
    add: {channel: {type: string}}
    values: {status: {sold: delivered, cold: null}}
"""


@pytest.fixture(autouse=True)
def _own_names(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    """Let no test's names of personal data count in another test."""
    monkeypatch.setattr(redaction, "_further_fields", set())
    monkeypatch.setattr(redaction, "_further_seeking", set())
    yield
    redaction._personal_fields.cache_clear()  # noqa: SLF001 - as above
    redaction._sought.cache_clear()  # noqa: SLF001 - as above


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tenant.yaml"
    path.write_text(OVERLAY)
    return path


@pytest.fixture
def client(connect: Connect, file: Path) -> Client:
    return connect(contract_overlay=str(file))[1]


@pytest.fixture
def overlay(file: Path) -> Overlay:
    found = overlay_of({"contract_overlay": str(file)})
    assert found is not None
    return found


@pytest.fixture
def known(overlay: Overlay) -> Contract:
    return contract.load(overlay)


def test_a_page_is_asked_for_by_the_tenant_s_names_and_comes_by_the_contract_s(
    client: Client, dms: FakeDms
) -> None:
    item = {"stockNo": "A1", "location": {"title": "Main"}, "status": "on_lot", "price": 1.10}
    body = {"items": [item], "page": 1, "pageSize": 50, "total": 1}
    dms.answer("GET /inventory/units", Canned(body=body), Canned(body=body))
    page = client.list_page("/vehicles", {"updatedFrom": "2026-01-01", "status": "in_stock"})
    (record,) = page.items
    assert record["stockNumber"] == "A1"
    assert record["lot"] == {"name": "Main"}
    assert record["status"] == "in_stock"
    assert dms.seen[-1].query == {"modifiedSince": "2026-01-01", "status": "on_lot"}

    def decode(content: bytes) -> ListBody:
        found = exact_json.decode(content)
        return ListBody(found["items"], 1, 50, 1)

    assert client.list_page("/vehicles", {}, decode=decode).items == page.items


def test_messages_name_the_path_that_was_asked(client: Client, dms: FakeDms) -> None:
    dms.answer("GET /inventory/units/veh_1", Canned(404, {"error": {"code": "not_found"}}))
    with pytest.raises(NotOfferedError, match="GET /inventory/units/veh_1: the DMS answered 404"):
        client.get("/vehicles/veh_1")


def test_a_write_goes_and_its_answer_comes_by_the_contract(client: Client, dms: FakeDms) -> None:
    answer = {"id": "c", "status": "upserted"}
    dms.answer("POST /customers", Canned(body=answer))
    outcome = client.attempt(
        "POST", "/customers", body={"firstName": "Ann", "address": {"city": "Oslo"}}
    )
    assert dms.seen[-1].body == {"given": "Ann", "town": "Oslo"}
    assert isinstance(outcome, Reply)
    assert outcome.body == {"customerId": "c", "status": "upserted"}


def test_a_refused_write_names_the_contract_s_fields(client: Client, dms: FakeDms) -> None:
    details = [{"field": "town", "message": "too far"}]
    dms.answer("POST /customers", Canned(422, {"error": {"code": "x", "details": details}}))
    outcome = client.attempt("POST", "/customers", body={"address": {"city": "Oslo"}})
    assert isinstance(outcome, Reply)
    assert outcome.error_fields == ["address.city"]


def test_nothing_is_sent_of_what_the_tenant_does_not_offer(client: Client, dms: FakeDms) -> None:
    with pytest.raises(NotOfferedError, match=r"GET /parts: .* says `contract_overlay`"):
        client.list_page("/parts", {})
    outcome = client.attempt("POST", "/deals", body={})
    assert isinstance(outcome, Reply)
    assert (outcome.status, outcome.error_code) == (501, "not_offered_by_contract_overlay")
    assert [seen.path for seen in dms.seen if "sessions" not in seen.path] == []


def test_an_operation_s_result_is_of_what_it_concerns(
    connect: Connect, dms: FakeDms, tmp_path: Path
) -> None:
    path = tmp_path / "ids.yaml"
    path.write_text("resources: {deals: {fields: {dealId: id}}}")
    body = {"status": "succeeded", "result": {"id": "d"}}
    dms.answer("GET /operations/op_1", Canned(body=body), Canned(body=body))
    client = connect(contract_overlay=str(path))[1]
    concerning = client.get("/operations/op_1", concerning="createDeal")
    assert concerning.body["result"] == {"dealId": "d"}
    assert client.get("/operations/op_1").body == body


def test_the_contract_has_what_the_tenant_adds_and_is_the_same_without(known: Contract) -> None:
    vehicle, plain = known.resource("/vehicles"), contract.load().resource("/vehicles")
    added = {
        "type": ["string", "null"],
        "x-origin": "inferred",
        "x-pii": True,
        "description": "Of the dealer.",
    }
    assert vehicle.field("tenantTag") == added
    assert vehicle.field("status")["enum"] == [*plain.field("status")["enum"], "demo"]
    assert vehicle.field("comments") == plain.field("comments") | {"x-pii": True}
    assert vehicle.record_schema["properties"].keys() - {"tenantTag"} == (
        plain.record_schema["properties"].keys()
    )
    assert (vehicle.key, vehicle.path, vehicle.origin) == (plain.key, plain.path, plain.origin)
    for path in ("/lots", "/customers", "/deals"):
        assert known.resource(path) == contract.load().resource(path)
    assert known.pii_fields == contract.load().pii_fields | {"tenantTag", "comments"}


def test_bodies_take_what_the_tenant_takes(known: Contract) -> None:
    properties = known.write("changeDealStatus").schema["properties"]
    plain = contract.load().write("changeDealStatus").schema["properties"]
    assert properties["channel"]["type"] == ["string", "null"]
    assert properties["status"]["enum"] == [*plain["status"]["enum"], "cold"]
    assert properties["expectedStatus"] == plain["expectedStatus"]


def test_further_words_are_taken_by_bodies_that_take_all_words(tmp_path: Path) -> None:
    path = tmp_path / "tenant.json"
    words = {"resources": {"deals": {"values": {"status": {"desk": None}}}}}
    path.write_text(json.dumps(words))
    known = contract.load(overlay_of({"contract_overlay": str(path)}))
    step = known.write("changeDealStatus").schema["properties"]
    assert "desk" in step["status"]["enum"]
    assert "desk" in step["expectedStatus"]["enum"]
    assert known.write("createDeal").schema["properties"]["status"]["enum"] == ["penciled"]


def test_logs_keep_back_what_the_tenant_calls_otherwise(overlay: Overlay) -> None:
    assert overlay is not None
    for text in (
        '{"given": "Quorndon"}',
        '{"town": "Quorndon"}',
        '{"tenantTag": "Quorndon", "vin": "1"}',
        "{'comments': 'Quorndon'}",
        '{"firstName": "Quorndon"}',
        '{"firstName_untranslated": "Quorndon"}',
        '{"address.city_untranslated": "Quorndon"}',
        '{"customer.displayName_untranslated": "Quorndon"}',
        "GET /inventory/units?page=1&serial=Quorndon",
    ):
        assert "Quorndon" not in redaction.redact(text), text
    assert redaction.redact('{"stockNo": "A1"}') == '{"stockNo": "A1"}'
    assert {"comments", "town", "dateOfBirth"} <= redaction.personal_fields()


def test_without_an_overlay_nothing_more_is_kept_back() -> None:
    assert redaction.redact('{"town": "Oslo"}') == '{"town": "Oslo"}'
    assert redaction.personal_fields() == contract.load().pii_fields


@pytest.mark.parametrize(
    ("endpoints", "said"),
    [
        ({"vehicles": "/units"}, "`endpoints.vehicles` is another path than `resources.vehicles."),
        (
            {"lots": "/parts", "parts": "/stock"},
            "`endpoints.lots` is the contract's path of parts: say it under `resources.lots.path`",
        ),
        ({"deal_statuses": "/moves/{id}"}, "`endpoints.deal_statuses` is the path of a single"),
    ],
)
def test_endpoints_that_say_otherwise_are_refused(
    dms: FakeDms, tmp_path: Path, file: Path, endpoints: dict[str, str], said: str
) -> None:
    values = dms.settings(tmp_path, contract_overlay=str(file), endpoints=endpoints)
    with pytest.raises(ConfigError) as caught:
        ApiConfig.from_settings(values)
    assert said in str(caught.value)


def test_endpoints_of_lists_go_with_an_overlay(dms: FakeDms, tmp_path: Path, file: Path) -> None:
    endpoints = {"vehicles": "/inventory/units", "deals": "/sales/deals"}
    values = dms.settings(tmp_path, contract_overlay=str(file), endpoints=endpoints)
    config = ApiConfig.from_settings(values)
    assert config.overlay is not None
    assert config.endpoints == endpoints


@pytest.mark.parametrize("none", [None, ""])
def test_no_overlay_is_none(dms: FakeDms, tmp_path: Path, none: str | None) -> None:
    values = dms.settings(tmp_path, contract_overlay=none)
    assert ApiConfig.from_settings(values).overlay is None
    assert overlay_of(values) is None
