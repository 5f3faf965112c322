"""The documented writes of a served sandbox, spoken to over HTTP."""

from __future__ import annotations

import itertools
import typing as t
from decimal import Decimal

import pytest
from support.visitor import Visitor, error_of, serving, visiting

from automate_sandbox import contract_file
from automate_sandbox.money import decode

if t.TYPE_CHECKING:
    from pathlib import Path

    from support.visitor import Shop

serial = itertools.count(1)


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
    with (
        serving(tmp_path, "--vehicles", "600", "--mfa-type", "none") as served,
        visiting(served) as guest,
    ):
        merged = next(
            record
            for record in served.records("customers")
            if record["mergedIntoCustomerId"] and record["externalId"]
        )
        answer = guest.post("/customers", {"externalId": merged["externalId"]})
        assert answer.json()["customerId"] == merged["mergedIntoCustomerId"]
        deal = {"customerId": merged["customerId"], "vehicle": {"vin": "x"}}
        assert error_of(guest.post("/deals", deal))["details"][0]["field"] == "customerId"


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
