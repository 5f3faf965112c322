"""Requests by the contract become the tenant's at the client's edge, and answers the contract's."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from automate_api import contract, exact_json
from automate_api.tenant.operations import operations_of
from automate_api.tenant.overlay import Overlay
from automate_api.tenant.reading import from_text
from automate_api.tenant.wire import Wire

if t.TYPE_CHECKING:
    from automate_api.tenant.wire import Call

DEALS: t.Final = """
resources:
  deals:
    path: /sales/jackets
    parameters: {status: stage}
    fields: {dealId: id, dealNumber: number, status: stage, pricing.salePrice: price}
    values: {status: {quote: penciled, appraised: null}}
  repair_orders:
    fields: {"lines[].laborSale": labor.sale, "lines[].complaint": story.complaint}
    values: {"lines[].payType": {cp: customer_pay}}
calls:
  changeDealStatus:
    path: "/moves/{id}"
    fields: {expectedStatus: fromStage, status: toStage}
  createAttachment: {fields: {fileName: name, uploadUrl: target.url}}
  getOperation: {path: "/jobs/{id}", fields: {status: state}}
"""

PLAIN: t.Final = Wire(Overlay(Path("empty")), {})


def wire(text: str, **endpoints: str) -> Wire:
    return Wire(from_text(text, Path("tenant.yaml")), endpoints)


def call(text: str, method: str, path: str, concerning: str | None = None) -> Call:
    found = wire(text).call(method, path, concerning)
    assert found is not None
    return found


@pytest.mark.parametrize("operation", operations_of(contract.load()).by_id.values(), ids=str)
def test_an_overlay_that_says_nothing_changes_no_call(operation: t.Any) -> None:  # noqa: ANN401 - a row
    path = operation.path.replace("{id}", "x%2F1")
    found = PLAIN.call(operation.method, path)
    assert found is not None
    assert found.route.operation.id == operation.id
    assert (found.path, found.offered) == (path, True)
    query: dict[str, str | int] = {"updatedFrom": "2026-01-01", "page": 1, "status": "in_stock"}
    body = {"status": "penciled", "lines": [{"payType": "warranty"}]}
    assert found.query(query) == query
    assert found.body(body) is body
    assert found.answer({"items": [{"a": 1}], "id": 2}) == {"items": [{"a": 1}], "id": 2}
    own = list[bytes]().append
    assert found.decoder(own) is own


@pytest.mark.parametrize(
    ("method", "path", "at_tenant"),
    [
        ("GET", "/deals", "/sales/jackets"),
        ("POST", "/deals", "/sales/jackets"),
        ("GET", "/deals/deal_1", "/sales/jackets/deal_1"),
        ("PATCH", "/deals/deal%2F1", "/sales/jackets/deal%2F1"),
        ("POST", "/deals/deal_1/status", "/moves/deal_1"),
        ("GET", "/deals/recaps", "/deals/recaps"),
        ("GET", "/deals/recaps/recap_1", "/deals/recaps/recap_1"),
        ("GET", "/operations/op_1", "/jobs/op_1"),
        ("GET", "/vehicles", "/vehicles"),
    ],
)
def test_what_is_below_a_list_moves_with_it_unless_it_has_a_path_of_its_own(
    method: str, path: str, at_tenant: str
) -> None:
    assert call(DEALS, method, path).path == at_tenant


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/trucks"), ("DELETE", "/deals"), ("GET", "/deals/a/b"), ("POST", "/sessions")],
)
def test_what_is_no_call_of_the_contract_is_not_recognised(method: str, path: str) -> None:
    assert wire(DEALS).call(method, path) is None


def test_a_list_is_recognised_where_endpoints_has_it_and_is_asked_there() -> None:
    moved = wire(
        "resources: {vehicles: {fields: {stockNumber: stockNo}}}", vehicles="/inventory/units"
    )
    for asked in ("/inventory/units", "/vehicles"):
        found = moved.call("GET", asked)
        assert found is not None
        assert found.path == "/inventory/units"
        assert found.answer({"items": [{"stockNo": "A"}]}) == {"items": [{"stockNumber": "A"}]}
    below = moved.call("PUT", "/inventory/units/veh_1/photos")
    assert below is not None
    assert below.path == "/inventory/units/veh_1/photos"
    assert below.answer({"stockNo": "A"}) == {"stockNumber": "A"}


def test_a_query_has_the_tenant_s_names_and_words() -> None:
    query = call(DEALS, "GET", "/deals").query({"status": "penciled", "page": 2})
    assert query == {"stage": "quote", "page": 2}
    assert call(DEALS, "GET", "/deals").query({"status": "lost"}) == {"stage": "lost"}


def test_a_list_s_records_and_a_detail_come_by_the_contract() -> None:
    deal = {"id": "d", "stage": "quote", "price": 5, "pricing": {"msrp": 6}}
    wanted = {"dealId": "d", "status": "penciled", "pricing": {"msrp": 6, "salePrice": 5}}
    page = {"items": [dict(deal), "odd"], "page": 1}
    listed = call(DEALS, "GET", "/deals").answer(json.loads(json.dumps(page)))
    assert listed == {"items": [wanted, "odd"], "page": 1}
    assert call(DEALS, "GET", "/deals/d").answer(json.loads(json.dumps(deal))) == wanted


@pytest.mark.parametrize("odd", [None, [], "text", {"items": None}, {"items": {"id": 1}}])
def test_what_is_no_page_comes_as_it_is(odd: object) -> None:
    assert call(DEALS, "GET", "/deals").answer(odd) == odd


def test_a_body_follows_its_resource_and_then_its_call() -> None:
    body = {"referenceId": "r", "status": "penciled", "pricing": {"salePrice": 5}}
    sent = {"referenceId": "r", "stage": "quote", "price": 5}
    assert call(DEALS, "POST", "/deals").body(body) == sent
    assert body["pricing"] == {"salePrice": 5}, "what the caller has stays as it is"
    step = call(DEALS, "POST", "/deals/d/status")
    assert step.body({"status": "contracted", "expectedStatus": "penciled"}) == {
        "toStage": "contracted",
        "fromStage": "quote",
    }
    assert step.body(None) is None
    order = call(DEALS, "POST", "/service/repair-orders")
    assert order.body({"lines": [{"payType": "customer_pay"}]}) == {"lines": [{"payType": "cp"}]}


def test_the_answer_to_a_write_follows_its_resource_and_then_its_call() -> None:
    made = {"id": "d", "number": "D-1", "stage": "quote", "createdAt": "2026-01-01T00:00:00Z"}
    assert call(DEALS, "POST", "/deals").answer(made, 201) == {
        "dealId": "d",
        "dealNumber": "D-1",
        "status": "penciled",
        "createdAt": "2026-01-01T00:00:00Z",
    }
    file = call(DEALS, "POST", "/attachments")
    assert file.body({"fileName": "a.pdf"}) == {"name": "a.pdf"}
    answer = file.answer({"attachmentId": "a", "target": {"url": "u"}}, 201)
    assert answer == {"attachmentId": "a", "uploadUrl": "u"}


def test_a_queued_call_is_answered_and_followed_by_the_contract() -> None:
    text = DEALS.replace("status: state", "operationId: job, status: state")
    queued = call(text, "POST", "/deals/d/status").answer({"job": "op_1", "state": "queued"}, 202)
    assert queued == {"operationId": "op_1", "status": "queued"}
    ended = {"job": "op_1", "state": "succeeded", "result": {"id": "d", "stage": "quote"}}
    followed = call(text, "GET", "/operations/op_1", "createDeal").answer(ended)
    assert followed == {
        "operationId": "op_1",
        "status": "succeeded",
        "result": {"dealId": "d", "status": "penciled"},
    }
    failed = {"state": "failed", "error": {"details": [{"field": "stage", "current": "quote"}]}}
    assert call(text, "GET", "/operations/op_1", "createDeal").answer(failed) == {
        "status": "failed",
        "error": {"details": [{"field": "status", "current": "penciled"}]},
    }
    own = "calls: {createDeal: {fields: {dealId: madeId}}}"
    made = {"result": {"madeId": "d"}}
    assert call(own, "GET", "/operations/op_1", "createDeal").answer(made) == {
        "result": {"dealId": "d"}
    }


def test_a_refusal_names_fields_and_words_by_the_contract() -> None:
    details = [
        {"field": "fromStage", "current": "quote", "message": "no"},
        {"field": "other", "current": 7},
        {"message": "no field"},
        "odd",
    ]
    refused = call(DEALS, "POST", "/deals/d/status").answer({"error": {"details": details}}, 409)
    assert refused["error"]["details"] == [
        {"field": "expectedStatus", "current": "penciled", "message": "no"},
        {"field": "other", "current": 7},
        {"message": "no field"},
        "odd",
    ]
    order = call(DEALS, "POST", "/service/repair-orders")
    body = {
        "error": {"details": [{"field": "lines[3].story.complaint"}, {"field": "lines[].payType"}]}
    }
    assert [row["field"] for row in order.answer(body, 422)["error"]["details"]] == [
        "lines[3].complaint",
        "lines[].payType",
    ]


@pytest.mark.parametrize("odd", [{"error": None}, {"error": {"details": None}}, {"error": 1}, {}])
def test_a_refusal_of_another_form_comes_as_it_is(odd: object) -> None:
    assert call(DEALS, "POST", "/deals/d/status").answer(odd, 500) == odd


def test_a_decoder_of_the_caller_s_gets_the_contract_s_bytes_with_every_digit() -> None:
    page = b'{"items":[{"id":"d","price":1234567890123456.10}],"page":1,"pageSize":1,"total":1}'
    got: list[bytes] = []
    decode = call(DEALS, "GET", "/deals").decoder(got.append)
    decode(page)
    assert got == [
        (
            b'{"items":[{"dealId":"d","pricing":{"salePrice":1234567890123456.10}}],'
            b'"page":1,"pageSize":1,"total":1}'
        )
    ]
    with pytest.raises(ValueError, match=r"truncated|ended"):
        decode(page[:-1])


def test_a_list_of_which_nothing_is_otherwise_is_decoded_by_the_caller_alone() -> None:
    own = exact_json.decode
    assert call(DEALS, "GET", "/vehicles").decoder(own) is own
    moved = call("resources: {vehicles: {path: /units, pii: [comments]}}", "GET", "/vehicles")
    assert moved.decoder(own) is own


def test_what_a_tenant_does_not_offer_is_offered_by_no_call_of_it() -> None:
    text = "resources: {deals: {offered: false}}\ncalls: {changeVehicle: {offered: false}}"
    assert not call(text, "GET", "/deals").offered
    assert not call(text, "POST", "/deals/d/status").offered
    assert call(text, "GET", "/deals/recaps").offered
    assert not call(text, "PATCH", "/vehicles/v").offered
    assert call(text, "GET", "/vehicles").offered
