"""A served tenant that differs: everything in which it does, and that nothing is lost in it."""

from __future__ import annotations

import re
import typing as t

import pytest
import requests
import yaml
from support.desk import refusal, writes_since
from support.links import settled
from support.visitor import Visitor, error_of, serving, visiting

from automate_sandbox import contract_file
from automate_sandbox.resources import resources

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.visitor import Shop

Record = dict[str, t.Any]

WORLD: t.Final = ("--vehicles", "150", "--days", "20", "--mfa-type", "none")

HOSTILE_PATHS: t.Final = {
    "vehicles": "/inventory/vehicles",
    "repair_orders": "/service/ros",
    "gl_entries": "/accounting/journal-entries",
}
ABSENT: t.Final = ("parts", "parts_tickets")

OWN: t.Final[Record] = {
    "options": {"max-page-size": 50, "queue-deals": True, "external-id-echo": False},
    "absent": ["createDeal", "deposits"],
    "paths": {
        "deals": "/sales",
        "changeDealStatus": "/moves/{id}",
        "listDealRecaps": "/recaps",
        "getOperation": "/jobs/{id}",
    },
    "parameters": {
        "repair_orders": {"status": "state", "rooftopId": "store", "pageSize": "limit"},
        "op_codes": {"rooftopId": "store"},
    },
    "fields": {
        "deals": {"status": "state", "dealId": "id"},
        "changeDealStatus": {"expectedStatus": "from"},
        "repair_orders": {
            "customerId": "customer.id",
            "lines[].payType": "pay",
            "lines[].complaint": "said",
        },
    },
    "words": {
        "deals": {"status": {"penciled": "offer", "contracted": "signed"}},
        "repair_orders": {
            "status": {"open": "offen", "closed": "zu"},
            "lines[].payType": {"warranty": "factory"},
        },
    },
}
"""A tenant with whatever `hostile` has not."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    folder = tmp_path_factory.mktemp("hostile")
    with serving(folder, *WORLD, "--tenant", "hostile") as shop, visiting(shop) as guest:
        yield guest


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    folder = tmp_path_factory.mktemp("own")
    file = folder / "tenant.yaml"
    file.write_text(yaml.safe_dump(OWN))
    options = (*WORLD, "--tenant", str(file), "--max-page-size", "20")
    with serving(folder, *options) as shop, visiting(shop) as guest:
        yield guest


def vehicle_by_contract(item: Record) -> Record:
    item["stockNumber"] = item.pop("stockNo")
    item["acquisitionDate"] = item.pop("acquiredOn")
    item["listPrice"] = item.pop("askingPrice")
    item["odometer"]["value"] = item.pop("mileage")
    return item


def customer_by_contract(item: Record) -> Record:
    if item["address"]:
        item["address"]["postalCode"] = item["address"].pop("zip")
    return item


def deal_by_contract(item: Record) -> Record:
    item["dealNumber"] = item.pop("dealNo")
    item["gross"]["total"] = item.pop("totalGross")
    return item


def order_by_contract(item: Record) -> Record:
    item["updatedAt"] = item.pop("modifiedAt")
    for line in item["lines"]:
        labor = line.pop("labor")
        line |= {"laborSale": labor.pop("sale"), "laborCost": labor.pop("cost")}
        assert labor == {}
    return item


def entry_by_contract(item: Record) -> Record:
    for line in item["lines"]:
        line["accountNumber"] = line.pop("glAccount")
    return item


def unchanged(item: Record) -> Record:
    return item


BY_CONTRACT: t.Final[dict[str, Callable[[Record], Record]]] = {
    "vehicles": vehicle_by_contract,
    "customers": customer_by_contract,
    "deals": deal_by_contract,
    "repair_orders": order_by_contract,
    "gl_entries": entry_by_contract,
}
"""Stream to what undoes the hostile tenant's names, written down by hand."""


def path_of(stream: str) -> str:
    return HOSTILE_PATHS.get(stream, resources()[stream].path)


SERVED: t.Final = sorted(set(resources()) - set(ABSENT))


@pytest.mark.parametrize("stream", SERVED)
def test_the_hostile_tenants_records_are_those_of_the_truth_under_its_names(
    hostile: Visitor, stream: str
) -> None:
    key_of = resources()[stream].key_of
    by_contract = BY_CONTRACT.get(stream, unchanged)
    truth = {key_of(record): settled(record) for record in hostile.shop.records(stream)}
    items = [by_contract(item) for item in hostile.all(path_of(stream))]
    assert len(items) == len(truth) > 0
    assert {key_of(item): settled(item) for item in items} == truth


@pytest.mark.parametrize("stream", SERVED)
def test_a_detail_of_the_hostile_tenant_is_the_record_of_its_list(
    hostile: Visitor, stream: str
) -> None:
    item = hostile.get(path_of(stream), pageSize=1).json()["items"][0]
    first, *others = resources()[stream].key
    parameters = {name: item[name] for name in others}
    detail = hostile.get(f"{path_of(stream)}/{item[first]}", **parameters).json()
    assert settled(detail) == settled(item)
    missing = error_of(hostile.get(f"{path_of(stream)}/none_such"))
    assert missing["message"] == f"There is no such record in {path_of(stream)}."


@pytest.mark.parametrize(
    ("stream", "contracts", "tenants"),
    [
        ("vehicles", "stockNumber", "stockNo"),
        ("vehicles", "acquisitionDate", "acquiredOn"),
        ("vehicles", "listPrice", "askingPrice"),
        ("vehicles", "odometer.value", "mileage"),
        ("customers", "address.postalCode", "address.zip"),
        ("deals", "dealNumber", "dealNo"),
        ("deals", "gross.total", "totalGross"),
        ("repair_orders", "updatedAt", "modifiedAt"),
        ("repair_orders", "lines.0.laborSale", "lines.0.labor.sale"),
        ("repair_orders", "lines.0.laborCost", "lines.0.labor.cost"),
        ("gl_entries", "lines.0.accountNumber", "lines.0.glAccount"),
        ("vehicles", "", "keyTag"),
        ("customers", "", "loyaltyTier"),
        ("deals", "", "desk"),
    ],
)
def test_the_hostile_tenant_has_a_field_where_the_contract_has_it_not(
    hostile: Visitor, stream: str, contracts: str, tenants: str
) -> None:
    for item in hostile.get(path_of(stream)).json()["items"][:20]:
        if stream == "customers" and not item["address"]:
            continue
        assert is_in(item, tenants)
        assert not contracts or not is_in(item, contracts)


def is_in(item: t.Any, path: str) -> bool:  # noqa: ANN401 - JSON
    for name in path.split("."):
        if isinstance(item, list):
            item = item[int(name)]
        elif name in item:
            item = item[name]
        else:
            return False
    return True


@pytest.mark.parametrize(
    ("stream", "field", "word", "instead"),
    [
        ("vehicles", "status", "demo", "in_stock"),
        ("customers", "customerType", "broker", "lead"),
        ("repair_orders", "department", "truck", "service"),
    ],
)
def test_the_hostile_tenant_has_words_that_the_contract_has_not(
    hostile: Visitor, stream: str, field: str, word: str, instead: str
) -> None:
    resource = resources()[stream]
    shape = contract_file.field(resource.schema, field)
    assert shape is not None
    found = [item[field] for item in hostile.all(path_of(stream))]
    assert set(found) - {None} - shape.words == {word}
    assert found.count(word) < found.count(instead)
    if field in resource.filters:
        asked = hostile.all(path_of(stream), 200, **{field: word})
        assert [item[field] for item in asked] == [word] * found.count(word)


@pytest.mark.parametrize(
    "path",
    [
        *(resources()[stream].path for stream in (*HOSTILE_PATHS, *ABSENT)),
        "/vehicles/x",
        "/service/repair-orders/x/status",
        "/parts/x",
        "/unknown/deals",
    ],
)
def test_a_path_of_the_contract_that_the_hostile_tenant_has_not_is_none(
    hostile: Visitor, path: str
) -> None:
    answer = hostile.get(path)
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "path_not_found"


def test_a_parameter_that_the_tenant_does_not_know_is_ignored(hostile: Visitor) -> None:
    later = "2090-01-01T00:00:00Z"
    everything = hostile.get("/service/ros").json()["total"]
    assert hostile.get("/service/ros", updatedFrom=later).json()["total"] == everything > 0
    assert hostile.get("/service/ros", modifiedFrom=later).json()["total"] == 0
    assert hostile.get("/deals", modifiedFrom=later, colour="red").json()["total"] > 0
    assert hostile.get("/deals", updatedFrom=later).json()["total"] == 0
    wrong = error_of(hostile.get("/service/ros", modifiedTo="never"))
    assert wrong["message"] == "modifiedTo: expected an ISO 8601 instant"
    assert wrong["details"][0]["field"] == "modifiedTo"


def test_a_page_of_the_hostile_tenant_has_a_hundred_records_and_says_so(hostile: Visitor) -> None:
    page = hostile.get("/inventory/vehicles", pageSize=200).json()
    assert (page["pageSize"], len(page["items"]), page["total"]) == (100, 100, 150)


def test_the_hostile_tenants_bounds_are_exclusive_and_count_in_whole_seconds(
    hostile: Visitor,
) -> None:
    vehicle = hostile.get("/inventory/vehicles", status="transit").json()["items"][0]
    path = f"/inventory/vehicles/{vehicle['vehicleId']}"
    while True:
        changed = hostile.send("PATCH", path, json={"comments": "Came by train"}).json()[
            "updatedAt"
        ]
        if "." in changed:  # and not, by chance, a whole second
            break
    second = changed[:19]
    later = f"{second[:17]}{int(second[17:]) + 1:02d}" if second[17:] != "59" else None

    def found(since: str, until: str = "2090-01-01T00:00:00Z") -> bool:
        query = {"updatedFrom": since, "updatedTo": until, "vin": vehicle["vin"]}
        return bool(hostile.get("/inventory/vehicles", **query).json()["total"])

    assert not found(f"{second}Z")
    assert not found(f"{second}.000Z")
    assert found(f"{second[:10]}T00:00:00Z") or second[11:] == "00:00:00"
    assert not found("1990-01-01T00:00:00Z", f"{second}.999Z")
    assert later is None or found("1990-01-01T00:00:00Z", f"{later}.999Z")


def test_a_write_has_the_tenants_names_in_its_body_its_answer_and_its_refusal(
    hostile: Visitor,
) -> None:
    vehicle = next(
        item
        for item in hostile.all("/inventory/vehicles", status="in_stock")
        if item["askingPrice"] and item["salePrice"]
    )
    path = f"/inventory/vehicles/{vehicle['vehicleId']}"
    wanted = round(float(vehicle["askingPrice"]) + 100, 2)
    since = hostile.shop.stats()["lastSeq"]
    answer = hostile.send("PATCH", path, json={"askingPrice": wanted})
    assert answer.status_code == 200
    assert answer.json()["askingPrice"] == hostile.get(path).json()["askingPrice"] == wanted
    (write,) = writes_since(hostile.shop, since)
    assert write["key"] == "PATCH /vehicles/{id}"
    assert write["write"]["payload"].keys() == {"listPrice"}
    refused = hostile.send("PATCH", path, json={"askingPrice": 0})
    assert refusal(refused)[:3] == (422, "validation_failed", "askingPrice")
    assert error_of(refused)["message"].startswith("askingPrice: ")
    # By the contract's name there is nothing in it.
    assert hostile.send("PATCH", path, json={"listPrice": wanted}).status_code == 422


def test_what_is_written_within_an_object_has_the_tenants_name_too(hostile: Visitor) -> None:
    body = {
        "externalId": "tenant-1",
        "customerType": "retail",
        "address": {"zip": "12207", "postalCode": "99999", "city": "Albany"},
    }
    answer = hostile.post("/customers", body)
    assert answer.status_code == 200
    customer = answer.json()["customerId"]
    assert hostile.get(f"/customers/{customer}").json()["address"]["zip"] == "12207"
    (kept,) = [r for r in hostile.shop.records("customers") if r["customerId"] == customer]
    assert kept["address"] == {"city": "Albany", "postalCode": "12207"}
    assert kept["loyaltyTier"] in {"blue", "silver", "gold", None}


def test_history_faults_and_statistics_keep_the_contracts_names(hostile: Visitor) -> None:
    shop = hostile.shop
    shop.faults({"kind": "rate_limit", "match": {"path": "/vehicles*"}, "count": 1})
    before = shop.stats()["requests"].get("GET /vehicles", 0)
    assert hostile.get("/inventory/vehicles").status_code == 429
    assert hostile.get("/vehicles").status_code == 404
    stats = shop.stats()
    assert stats["requests"]["GET /vehicles"] == before + 1
    assert stats["refusals"]["GET /unknown/vehicles 404"] > 0
    assert all(
        "updatedAt" in entry["record"]
        for entry in shop.control("history?limit=10000")
        if entry["stream"] == "repair_orders"
    )


def test_a_fault_in_an_answer_is_one_under_the_tenants_names(hostile: Visitor) -> None:
    hostile.shop.faults({"kind": "malformed", "form": "array", "count": 1})
    (page,) = hostile.get("/inventory/vehicles").json()
    assert all("stockNo" in item for item in page["items"])
    hostile.shop.faults({"kind": "malformed", "form": "items_object", "count": 1})
    items = hostile.get("/inventory/vehicles").json()["items"]
    assert all("stockNo" in item for item in items.values())
    hostile.shop.faults({"kind": "malformed", "form": "truncated", "count": 1})
    broken = hostile.get("/inventory/vehicles")
    assert broken.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        broken.json()
    hostile.shop.faults({"kind": "unknown_field", "count": 1})
    items = hostile.get("/inventory/vehicles").json()["items"]
    assert all(item.keys() > {"stockNo", "fieldOfTomorrow"} for item in items)


def test_other_methods_and_heads_are_answered_as_ever(hostile: Visitor) -> None:
    assert hostile.send("DELETE", "/inventory/vehicles").status_code == 405
    assert hostile.http.get(hostile.base + "/inventory/vehicles", timeout=30).status_code == 401
    head = hostile.send("HEAD", "/inventory/vehicles", params={"pageSize": 3})
    page = hostile.send("GET", "/inventory/vehicles", params={"pageSize": 3})
    assert head.status_code == 200
    assert head.content == b""
    assert abs(int(head.headers["Content-Length"]) - len(page.content)) < 200  # links are signed


def test_an_option_of_the_command_line_is_before_that_of_the_tenant(own: Visitor) -> None:
    assert own.get("/customers", pageSize=50).json()["pageSize"] == 20
    booked = own.post(
        "/service/appointments",
        {
            "customerId": standing_customer(own),
            "vin": "1M8GDM9AXKP042788",
            "appointmentTime": "2027-03-09T08:30:00-05:00",
            "externalId": "not-kept",
        },
    ).json()["appointmentId"]
    assert own.get(f"/service/appointments/{booked}").json()["externalId"] is None


def standing_customer(guest: Visitor) -> str:
    found: str = next(
        item["customerId"]
        for item in guest.all("/customers", customerType="retail")
        if not item["mergedIntoCustomerId"]
    )
    return found


def test_a_call_that_a_tenant_lacks_is_a_method_that_its_path_lacks(own: Visitor) -> None:
    assert own.post("/sales", {}).status_code == 404
    assert own.get("/accounting/deposits").status_code == 404
    assert own.get("/deals/recaps").status_code == 404
    # The id of a deal is no way around to the list that is elsewhere.
    assert own.get("/sales/recaps").status_code == 404
    assert own.get("/recaps").json()["total"] > 0


def test_filters_have_the_tenants_names_and_words(own: Visitor) -> None:
    orders = own.all("/service/repair-orders", limit=20)
    closed = own.all("/service/repair-orders", state="zu")
    assert len(closed) == sum(1 for order in orders if order["status"] == "zu") > 0
    refused = own.get("/service/repair-orders", state="closed")
    assert refusal(refused)[:3] == (400, "invalid_request", "state")
    assert {"zu", "offen"} < words_of(refused)
    assert not {"closed", "open"} & words_of(refused)
    codes = own.all("/service/op-codes")
    twice = next(
        code for code in codes if sum(1 for c in codes if c["opCode"] == code["opCode"]) > 1
    )
    path = f"/service/op-codes/{twice['opCode']}"
    assert refusal(own.get(path))[2] == "store"
    assert own.get(path, store=twice["rooftopId"]).json()["rooftopId"] == twice["rooftopId"]


def words_of(refused: requests.Response) -> set[str]:
    """List the words that a refusal's message has."""
    return set(re.findall(r"\w+", error_of(refused)["message"]))


def test_a_queued_step_is_told_in_the_tenants_words_until_its_end(own: Visitor) -> None:
    deal = next(
        deal for deal in own.all("/sales", status="offer") if deal["vehicle"]["stockNumber"]
    )
    path = f"/moves/{deal['id']}"
    wrong = own.post(path, {"state": "signed", "from": "signed"})
    assert refusal(wrong) == (409, "status_conflict", "from", "offer")
    assert error_of(wrong)["message"].startswith("from: ")
    missing = own.post(path, {"state": "signed"})
    assert '"from" is a required property' in error_of(missing)["details"][0]["message"]
    unknown = own.post(path, {"state": "contracted", "from": "offer"})
    (detail,) = error_of(unknown)["details"]
    assert detail["field"] == "state"
    assert '"offer"' in detail["message"]
    impossible = own.post(path, {"state": "finalized", "from": "offer"})
    assert error_of(impossible)["message"].startswith("state: from here it can become ")
    assert "signed" in words_of(impossible)
    assert "contracted" not in words_of(impossible)
    answers = [own.post(path, {"state": state, "from": "offer"}) for state in ("signed", "lost")]
    first, second = (end(own, answer) for answer in answers)
    assert (first["result"]["id"], first["result"]["state"]) == (deal["id"], "signed")
    assert second["status"] == "failed"
    assert second["error"]["message"].startswith("from: ")
    (detail,) = second["error"]["details"]
    assert (detail["field"], detail["current"]) == ("from", "signed")


def end(guest: Visitor, answer: requests.Response) -> Record:
    """Let the time of a queued action pass, and read how it has ended."""
    assert answer.status_code == 202, answer.text
    while True:
        operation: Record = guest.get(f"/jobs/{answer.json()['operationId']}").json()
        if operation["status"] in {"succeeded", "failed"}:
            return operation
        guest.shop.pass_time(1)


def test_items_of_a_body_have_the_tenants_names_and_words(own: Visitor) -> None:
    body = {
        "externalId": "ro-tenant",
        "customer": {"id": standing_customer(own)},
        "vin": "1M8GDM9AXKP042788",
        "lines": [{"opCode": None, "pay": "factory", "said": "It rattles"}],
    }
    made = own.post("/service/repair-orders", body)
    assert made.status_code == 201, made.text
    assert made.json()["status"] == "offen"
    order = own.get(f"/service/repair-orders/{made.json()['repairOrderId']}").json()
    (line,) = order["lines"]
    assert (line["pay"], line["said"]) == ("factory", "It rattles")
    assert "customerId" not in order
    refused = own.post(
        "/service/repair-orders", body | {"externalId": "ro-2", "lines": [{"pay": "warranty"}]}
    )
    (detail,) = error_of(refused)["details"]
    assert detail["field"] == "lines.0.pay"
    assert "factory" in detail["message"] or "not one of" in detail["message"]
    nobody = own.post(
        "/service/repair-orders", body | {"customer": {"id": "none"}, "externalId": "3"}
    )
    assert refusal(nobody)[2] == "customer.id"


def test_links_to_files_work_at_a_tenant_that_differs(hostile: Visitor) -> None:
    vehicle = next(item for item in hostile.all("/inventory/vehicles") if item["photos"])
    photo = hostile.http.get(vehicle["photos"][0]["url"], timeout=30)
    assert photo.status_code == 200
    assert photo.content


def test_the_same_seed_makes_the_same_tenant(tmp_path: Path) -> None:
    now = ("--now", "2026-03-18T17:30:00Z", "--vehicles", "20", "--days", "5")
    worlds = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        with serving(folder, *now, "--tenant", "hostile") as shop:
            worlds.append(truth(shop))
    assert worlds[0] == worlds[1]


def truth(shop: Shop) -> list[Record]:
    return [record for stream in ("vehicles", "customers") for record in shop.records(stream)]
