"""The API of a served sandbox, spoken to over HTTP."""

from __future__ import annotations

import itertools
import typing as t
from decimal import Decimal
from email.utils import parsedate_to_datetime

import pytest
from support.visitor import Visitor, serving

from automate_sandbox import contract_file
from automate_sandbox.money import decode
from automate_sandbox.resources import resources

if t.TYPE_CHECKING:
    from pathlib import Path

    import requests
    from support.visitor import Shop

PATHS: t.Final = {resource.path: stream for stream, resource in resources().items()}
serial = itertools.count(1)


def error_of(answer: requests.Response) -> dict[str, t.Any]:
    """Take the error out of an answer that keeps the contract's envelope."""
    body = answer.json()
    assert contract_file.validator("Error").is_valid(body)
    assert body["error"]["requestId"] == answer.headers["X-Request-Id"]
    error: dict[str, t.Any] = body["error"]
    return error


@pytest.mark.parametrize("path", sorted(PATHS))
def test_a_list_gives_every_record_of_the_truth_once(
    shop: Shop, visitor: Visitor, path: str
) -> None:
    stream = PATHS[path]
    truth = {record[resources()[stream].key]: record for record in shop.records(stream)}
    items = visitor.all(path, size=37)
    assert len(items) == len(truth)
    assert {item[resources()[stream].key]: item for item in items} == truth


@pytest.mark.parametrize("path", sorted(set(PATHS) - {"/service/appointments"}))
def test_a_detail_is_the_record_of_the_list(visitor: Visitor, path: str) -> None:
    item = visitor.get(path, pageSize=1).json()["items"][0]
    key = item[resources()[PATHS[path]].key]
    assert visitor.get(f"{path}/{key}").json() == item
    missing = visitor.get(f"{path}/none_such")
    assert missing.status_code == 404
    assert error_of(missing)["code"] == "record_not_found"


@pytest.mark.parametrize(
    ("path", "parameter", "field"),
    [
        ("/vehicles", "vin", "vin"),
        ("/vehicles", "make", "make"),
        ("/vehicles", "lotId", "lot.lotId"),
        ("/vehicles", "rooftopId", "rooftopId"),
        ("/customers", "customerType", "customerType"),
        ("/customers", "email", "emails.0"),
        ("/customers", "phone", "phones.0.number"),
        ("/deals", "stockNumber", "vehicle.stockNumber"),
        ("/deals", "vin", "vehicle.vin"),
        ("/deals", "dealNumber", "dealNumber"),
        ("/service/repair-orders", "roNumber", "roNumber"),
        ("/accounting/gl-entries", "journalCode", "journalCode"),
        ("/accounting/gl-entries", "accountNumber", "lines.0.accountNumber"),
        ("/accounting/gl-entries", "controlNumber", "lines.0.controlNumber"),
    ],
)
def test_a_filter_leaves_what_has_the_value(
    visitor: Visitor, path: str, parameter: str, field: str
) -> None:
    def value(record: t.Any) -> t.Any:  # noqa: ANN401 - a JSON value
        for name in field.split("."):
            if record in ([], None):
                return None
            record = record[int(name)] if name.isdigit() else record[name]
        return record

    everything = visitor.all(path)
    wanted = next(found for record in everything if (found := value(record)))
    chosen = visitor.all(path, **{parameter: wanted})
    named = [record for record in everything if value(record) == wanted]
    assert 0 < len(named) <= len(chosen) < len(everything)
    assert all(record in chosen for record in named)


@pytest.mark.parametrize(
    ("path", "name", "field"),
    [
        ("/service/repair-orders", "opened", "openedAt"),
        ("/service/repair-orders", "closed", "closedAt"),
        ("/deals", "delivered", "deliveredAt"),
        ("/accounting/gl-entries", "accounting", "accountingDate"),
    ],
)
def test_a_range_leaves_what_lies_in_it_bounds_included(
    visitor: Visitor, path: str, name: str, field: str
) -> None:
    everything = visitor.all(path)
    values = sorted(record[field] for record in everything if record[field])
    low, high = values[len(values) // 4], values[len(values) // 2]
    chosen = visitor.all(path, **{f"{name}From": low, f"{name}To": high})
    assert sorted(record[field] for record in chosen) == [v for v in values if low <= v <= high]


def test_every_answer_has_a_date_and_a_request_id(visitor: Visitor) -> None:
    ids = set()
    for path in ("/vehicles", "/vehicles/none", "/nowhere", "/parts"):
        answer = visitor.get(path)
        assert parsedate_to_datetime(answer.headers["Date"]).tzinfo is not None
        ids.add(answer.headers["X-Request-Id"])
    assert len(ids) == 4


def test_paths_that_the_tenant_lacks_and_paths_that_nobody_has(visitor: Visitor) -> None:
    not_offered = visitor.get("/parts")
    assert not_offered.status_code == 501
    assert error_of(not_offered)["code"] == "not_implemented"
    assert visitor.get("/deals/recaps").status_code == 501
    unknown = visitor.get("/boats")
    assert unknown.status_code == 404
    assert error_of(unknown)["code"] == "path_not_found"
    wrong_method = visitor.send("DELETE", "/vehicles")
    assert wrong_method.status_code == 405
    assert error_of(wrong_method)["code"] == "method_not_allowed"
    assert (
        visitor.http.get(visitor.base.replace("integrations", "other"), timeout=30).status_code
        == 404
    )


def test_without_a_valid_token_nothing_is_shown(visitor: Visitor) -> None:
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer stolen"}):
        answer = visitor.send("GET", "/vehicles", headers=headers)
        assert answer.status_code == 401
        error_of(answer)


def test_session_refresh_rotates_token_and_cookie(shop: Shop, visitor: Visitor) -> None:
    old, cookie = visitor.token, visitor.http.cookies["dms_session"]
    before = shop.stats()["requests_without_cookie"]
    assert visitor.get("/rooftops").ok
    answer = visitor.post("/sessions/refresh", None)
    assert contract_file.validator("Session").is_valid(answer.json())
    assert visitor.http.cookies["dms_session"] != cookie
    assert visitor.get("/rooftops").status_code == 401
    visitor.token = answer.json()["authToken"]
    assert visitor.token != old
    assert visitor.get("/rooftops").ok
    assert shop.stats()["requests_without_cookie"] == before
    visitor.http.cookies.clear()
    assert visitor.get("/rooftops").ok
    assert shop.stats()["requests_without_cookie"] == before + 1


def test_entitlements_decide_and_users_need_none(tmp_path: Path) -> None:
    options = ("--vehicles", "5", "--entitlements", "service", "--mfa-type", "none")
    with serving(tmp_path, *options) as served:
        guest = Visitor(served)
        assert guest.login().json()["user"]["entitlements"] == ["service"]
        for path, status in (
            ("/vehicles", 403),
            ("/deals", 403),
            ("/accounting/gl-entries", 403),
            ("/customers", 200),
            ("/service/repair-orders", 200),
            ("/users", 200),
            ("/rooftops", 200),
        ):
            answer = guest.get(path)
            assert answer.status_code == status, path
            if status == 403:
                assert error_of(answer)["code"] == "not_entitled"
        assert guest.post("/deals", {"customerId": "x", "vehicle": {"vin": "y"}}).status_code == 403
        guest.http.close()


def test_a_totp_login_over_http_and_its_lock_out(tmp_path: Path) -> None:
    with serving(tmp_path, "--vehicles", "5", "--max-failures", "2") as served:
        guest = Visitor(served)
        answer = guest.login()
        assert contract_file.validator("Session").is_valid(answer.json())
        assert answer.json()["user"]["id"] in {user["userId"] for user in served.records("users")}
        for _ in range(2):
            assert guest.login(mfa={"type": "totp", "code": "000000"}).status_code == 401
        locked = guest.login()
        assert locked.status_code == 423
        assert error_of(locked)["code"] == "user_locked"
        assert served.stats()["logins"] == 1
        assert served.stats()["locked"]
        guest.http.close()


def test_a_new_customer_is_visible_at_once_and_found_by_its_external_id(
    shop: Shop, visitor: Visitor
) -> None:
    external_id = f"crm-test-{next(serial)}"
    body = {
        "externalId": external_id,
        "customerType": "lead",
        "firstName": "Zoë",
        "lastName": "Tester",
        "emails": ["zoe@example.com"],
        "fieldOfTomorrow": 1,
        "customerId": "cust_mine",
    }
    first = visitor.post("/customers", body)
    assert contract_file.validator("CustomerUpserted").is_valid(first.json())
    assert first.json()["status"] == "upserted"
    key = first.json()["customerId"]
    assert key != "cust_mine"
    again = visitor.post("/customers", {"externalId": external_id, "notes": "called"})
    assert again.json()["customerId"] == key
    assert again.json()["matchedBy"] == "externalId"
    record = visitor.get(f"/customers/{key}").json()
    assert contract_file.validator("Customer").is_valid(record)
    assert (record["firstName"], record["notes"]) == ("Zoë", "called")
    assert "fieldOfTomorrow" not in record
    assert [item["customerId"] for item in visitor.all("/customers", externalId=external_id)] == [
        key
    ]
    history = shop.control(f"history?since={shop.stats()['lastSeq'] - 2}")
    assert [entry["cause"] for entry in history] == ["api", "api"]
    assert history[0]["record"] == decode(visitor.get(f"/customers/{key}").content)
    assert history[1]["key"] == "POST /customers"
    assert history[1]["write"]["answer"] == again.json()
    assert history[0]["requestId"] == history[1]["requestId"] == again.headers["X-Request-Id"]


def test_a_customer_is_matched_by_name_and_a_contact_but_not_by_half(visitor: Visitor) -> None:
    number = f"+1518555{next(serial):04d}"
    phone = {"phones": [{"type": "mobile", "number": number}]}
    first = visitor.post("/customers", {"firstName": "Ann", "lastName": "Lee", **phone})
    same = visitor.post("/customers", {"firstName": " ann", "lastName": "LEE", **phone})
    assert same.json()["customerId"] == first.json()["customerId"]
    assert same.json()["matchedBy"] == "nameAndContact"
    other = visitor.post("/customers", {"firstName": "Bob", "lastName": "Lee", **phone})
    assert other.json()["customerId"] != first.json()["customerId"]


def test_an_external_id_is_never_taken_from_one_customer_to_another(visitor: Visitor) -> None:
    person = {"firstName": "Eve", "lastName": f"Twin{next(serial)}", "emails": ["eve@example.com"]}
    first = visitor.post("/customers", person | {"externalId": f"a-{next(serial)}"})
    second = visitor.post("/customers", person | {"externalId": f"b-{next(serial)}"})
    assert first.json()["customerId"] != second.json()["customerId"]


def test_a_write_to_a_merged_customer_reaches_the_survivor(
    shop: Shop, visitor: Visitor, tmp_path: Path
) -> None:
    del shop, visitor
    with serving(tmp_path, "--vehicles", "600", "--mfa-type", "none") as served:
        guest = Visitor(served)
        guest.login()
        merged = next(
            record
            for record in served.records("customers")
            if record["mergedIntoCustomerId"] and record["externalId"]
        )
        answer = guest.post("/customers", {"externalId": merged["externalId"]})
        assert answer.json()["customerId"] == merged["mergedIntoCustomerId"]
        deal = {"customerId": merged["customerId"], "vehicle": {"vin": "x"}}
        assert error_of(guest.post("/deals", deal))["details"][0]["field"] == "customerId"
        guest.http.close()


def test_a_deal_is_penciled_with_its_totals(visitor: Visitor) -> None:
    vehicle = visitor.all("/vehicles", status="in_stock")[0]
    customer = next(c for c in visitor.all("/customers") if not c["mergedIntoCustomerId"])
    body = {
        "referenceId": "web-77",
        "customerId": customer["customerId"],
        "vehicle": {"vin": vehicle["vin"]},
        "pricing": {"salePrice": 30000, "discounts": 500, "rebates": 250.25},
        "tradeIn": {"vin": "1M8GDM9AXKP042788", "acv": 4000, "payoff": 1000.10},
        "finance": {
            "cashDown": 2000,
            "termMonths": 60,
            "aprPercent": 0.0375,
            "lenderCode": "0117",
            "products": [{"code": "GAP", "name": "Gap", "price": 895}],
        },
        "fees": [{"code": "DOC", "description": "Doc", "amount": 175}],
        "taxes": {"ratePercent": 6.875},
        "status": "penciled",
    }
    answer = visitor.post("/deals", body)
    assert answer.status_code == 201
    assert contract_file.validator("DealCreated").is_valid(answer.json())
    assert answer.json()["status"] == "penciled"
    record = decode(visitor.get(f"/deals/{answer.json()['dealId']}").content)
    assert contract_file.validator("Deal").is_valid(
        visitor.get(f"/deals/{record['dealId']}").json()
    )
    assert record["taxes"]["amount"] == Decimal("2028.13")
    assert record["finance"]["aprPercent"] == Decimal("0.0375")
    assert record["finance"]["amountFinanced"] == (
        30000 - 500 + 895 + 175 + Decimal("2028.13") - Decimal("2999.90") - Decimal("250.25") - 2000
    )
    assert record["referenceId"] == "web-77"
    again = visitor.post("/deals", body)
    assert again.json()["dealId"] != record["dealId"], "no upsert is promised"


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"pricing": {"salePrice": -1}}, "salePrice"),
        ({"pricing": {"rebates": 10**30}}, "rebates"),
        ({"finance": {"termMonths": 0}}, "finance.termMonths"),
        ({"finance": {"termMonths": -12}}, "finance.termMonths"),
        ({"fees": [{"amount": -5}]}, "amount"),
    ],
)
def test_a_deal_with_impossible_numbers_is_refused_by_field(
    visitor: Visitor, part: dict[str, t.Any], field: str
) -> None:
    vehicle = visitor.all("/vehicles", status="in_stock")[0]
    customer = next(c for c in visitor.all("/customers") if not c["mergedIntoCustomerId"])
    body = {"customerId": customer["customerId"], "vehicle": {"vin": vehicle["vin"]}}
    answer = visitor.post("/deals", body | part)
    assert answer.status_code == 422
    assert error_of(answer)["details"][0]["field"] == field


def test_a_deal_with_nothing_but_the_required_is_a_whole_record(visitor: Visitor) -> None:
    vehicle = visitor.all("/vehicles", status="in_stock")[0]
    customer = next(c for c in visitor.all("/customers") if not c["mergedIntoCustomerId"])
    body = {"customerId": customer["customerId"], "vehicle": {"vin": vehicle["vin"]}}
    answer = visitor.post("/deals", body)
    record = visitor.get(f"/deals/{answer.json()['dealId']}").json()
    assert contract_file.validator("Deal").is_valid(record)
    assert set(record) == contract_file.properties("Deal")
    assert record["dealType"] == "cash"


def test_an_appointment_is_booked_and_a_second_post_books_a_second_one(visitor: Visitor) -> None:
    customer = next(c for c in visitor.all("/customers") if not c["mergedIntoCustomerId"])
    body = {
        "customerId": customer["customerId"],
        "vin": "1M8GDM9AXKP042788",
        "appointmentTime": "2026-03-09T08:30:00-05:00",
        "opCodes": [{"code": "01LOF", "description": "Oil", "laborHours": 0.5}],
        "transportation": "shuttle",
    }
    answers = [visitor.post("/service/appointments", body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert contract_file.validator("AppointmentCreated").is_valid(answers[0].json())
    first, second = (answer.json()["appointmentId"] for answer in answers)
    assert first != second
    record = visitor.get(f"/service/appointments/{first}").json()
    assert contract_file.validator("ServiceAppointment").is_valid(record)
    assert record["appointmentTime"] == body["appointmentTime"]
    assert record["status"] == "scheduled"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/customers", {"firstName": "Ann"}, ""),
        ("/customers", {"externalId": "x", "emails": "ann@example.com"}, "emails"),
        ("/customers", {"externalId": "x", "customerType": "alien"}, "customerType"),
        ("/deals", {"customerId": "x"}, ""),
        ("/deals", {"customerId": "none", "vehicle": {"vin": "v"}}, "customerId"),
        ("/deals", {"customerId": "x", "vehicle": {"vin": "v"}, "status": "delivered"}, "status"),
        ("/service/appointments", {"customerId": "x", "vin": "v"}, ""),
        (
            "/service/appointments",
            {"customerId": "x", "vin": "v", "appointmentTime": "2026-03-09T08:30:00"},
            "appointmentTime",
        ),
        ("/customers", ["not", "an", "object"], ""),
    ],
)
def test_a_write_that_breaks_the_contract_is_refused_by_field_and_leaves_no_trace(
    shop: Shop, visitor: Visitor, path: str, body: object, field: str
) -> None:
    before = shop.stats()["lastSeq"]
    answer = visitor.post(path, body)
    assert answer.status_code == 422
    details = error_of(answer)["details"]
    assert field in {detail["field"] for detail in details}
    assert "ann@example.com" not in answer.text
    assert "alien" not in answer.text
    assert shop.stats()["lastSeq"] == before


def test_a_sold_vehicle_and_an_unknown_user_are_refused(visitor: Visitor) -> None:
    customer = next(c for c in visitor.all("/customers") if not c["mergedIntoCustomerId"])
    sold = visitor.all("/vehicles", status="retail_sold")[0]
    stocked = visitor.all("/vehicles", status="in_stock")[0]
    key = customer["customerId"]
    for body, field in (
        ({"customerId": key, "vehicle": {"vin": sold["vin"]}}, "vehicle.vin"),
        ({"customerId": key, "vehicle": {"vin": "nowhere"}}, "vehicle.vin"),
        (
            {"customerId": key, "vehicle": {"vin": stocked["vin"]}, "salespersonId": "u_no"},
            "salespersonId",
        ),
    ):
        answer = visitor.post("/deals", body)
        assert answer.status_code == 422
        assert error_of(answer)["details"][0]["field"] == field


def test_a_body_that_is_no_json_is_refused(visitor: Visitor) -> None:
    answer = visitor.send("POST", "/customers", data=b"{not json")
    assert answer.status_code == 400
    error_of(answer)
