"""Appointments that change, and repair orders from their opening to their closing and beyond."""

from __future__ import annotations

import typing as t

import pytest
from support.desk import Desk, books_of, refusal, serial, writes_since
from support.visitor import Shop, Visitor, serving, visiting

from automate_sandbox import contract_file

if t.TYPE_CHECKING:
    from pathlib import Path

    import requests

    Record = dict[str, t.Any]


@pytest.fixture
def desk(visitor: Visitor) -> Desk:
    return Desk(visitor)


def change(desk: Desk, appointment: Record, **body: str) -> requests.Response:
    path = f"/service/appointments/{appointment['appointmentId']}"
    return desk.guest.send("PATCH", path, json=body)


def inspect(desk: Desk, order: Record, line: str, *found: Record) -> requests.Response:
    path = f"/service/repair-orders/{order['repairOrderId']}/inspection"
    return desk.guest.send("PUT", path, json={"lineId": line, "inspection": found})


def advisor(shop: Shop) -> str:
    key: str = next(u["userId"] for u in shop.records("users") if "advisor" in u["roles"])
    return key


def test_an_appointment_moves_gets_another_advisor_and_is_confirmed(shop: Shop, desk: Desk) -> None:
    appointment = desk.appointment()
    body = {"appointmentTime": "2027-03-10T09:15:00-05:00", "advisorId": advisor(shop)}
    answer = change(desk, appointment, **body, status="confirmed", expectedStatus="scheduled")
    assert answer.status_code == 200
    assert contract_file.validator("ServiceAppointment").is_valid(answer.json())
    read = desk.read(f"/service/appointments/{appointment['appointmentId']}")
    assert read == answer.json()
    assert {name: read[name] for name in body} == body
    assert read["status"] == "confirmed"


def test_a_cancelled_appointment_is_at_its_end(shop: Shop, desk: Desk) -> None:
    appointment = desk.appointment()
    answer = change(desk, appointment, status="cancelled", cancelReason="car was sold")
    cancelled = answer.json()
    assert (cancelled["status"], cancelled["cancelReason"]) == ("cancelled", "car was sold")
    assert cancelled["cancelledAt"] == cancelled["updatedAt"]
    types = {
        e["type"] for e in shop.records("events") if e["entityId"] == cancelled["appointmentId"]
    }
    assert types == {"service_appointment.cancelled"}
    before = shop.stats()["lastSeq"]
    for body in ({"status": "confirmed"}, {"status": "cancelled"}):
        answer = change(desk, appointment, **body)
        assert refusal(answer) == (422, "status_not_allowed", "status", "cancelled")
    answer = change(desk, appointment, appointmentTime="2027-03-10T09:15:00-05:00")
    assert refusal(answer) == (422, "status_not_allowed", "appointmentTime", "cancelled")
    answer = change(desk, appointment, status="confirmed", expectedStatus="scheduled")
    assert refusal(answer) == (409, "status_conflict", "expectedStatus", "cancelled")
    assert shop.stats()["lastSeq"] == before


def test_an_appointment_never_goes_backwards(desk: Desk) -> None:
    order = ["scheduled", "confirmed", "arrived", "checked_in", "in_progress", "completed"]
    appointment = desk.appointment()
    for number, step in enumerate(order[1:], 1):
        assert change(desk, appointment, status=step).status_code == 200
        for earlier in order[: number + 1]:
            answer = change(desk, appointment, status=earlier)
            assert refusal(answer) == (422, "status_not_allowed", "status", step)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"advisorId": "u_no"}, "advisorId"),
        ({"status": "converted"}, "status"),
        ({"appointmentTime": "2027-03-10T09:15:00"}, "appointmentTime"),
        ({"cancelReason": "none"}, ""),
    ],
)
def test_a_change_that_cannot_be_is_refused_by_field(
    shop: Shop, desk: Desk, body: dict[str, str], field: str
) -> None:
    appointment = desk.appointment()
    before = shop.stats()["lastSeq"]
    answer = change(desk, appointment, **body)
    assert (refusal(answer)[0], refusal(answer)[2]) == (422, field)
    assert shop.stats()["lastSeq"] == before


def test_an_appointment_becomes_an_order_once(shop: Shop, desk: Desk) -> None:
    appointment = desk.appointment()
    external_id = f"ro-{next(serial)}"
    body = {"externalId": external_id, "appointmentId": appointment["appointmentId"]}
    answer = desk.guest.post("/service/repair-orders", body)
    assert answer.status_code == 201
    assert contract_file.validator("RepairOrderCreated").is_valid(answer.json())
    order = desk.read(f"/service/repair-orders/{answer.json()['repairOrderId']}")
    assert contract_file.validator("RepairOrder").is_valid(order)
    assert set(order) == contract_file.properties("RepairOrder")
    assert (order["externalId"], order["status"]) == (external_id, "open")
    assert order["customerId"] == appointment["customerId"]
    (line,) = order["lines"]
    assert (line["opCode"], line["laborHours"]["sold"]) == ("22BRK", 1.8)
    assert order["totals"]["total"] > 0
    (found,) = desk.guest.all("/service/repair-orders", externalId=external_id)
    assert found["repairOrderId"] == order["repairOrderId"]
    converted = desk.read(f"/service/appointments/{appointment['appointmentId']}")
    assert converted["status"] == "converted"
    assert converted["repairOrderId"] == order["repairOrderId"]
    assert converted["roNumber"] == order["roNumber"]
    again = desk.guest.post("/service/repair-orders", body | {"externalId": "another"})
    assert refusal(again) == (422, "status_not_allowed", "appointmentId", "converted")
    assert change(desk, appointment, status="completed").status_code == 200
    books_of(shop).hold()


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"customerId": "cust_no"}, "customerId"),
        ({"appointmentId": "appt_no"}, "appointmentId"),
        ({"advisorId": "u_no"}, "advisorId"),
        ({"lines": [{"opCode": "NOPE"}]}, "lines.0.opCode"),
        ({"odometerIn": -1}, "odometerIn"),
    ],
)
def test_an_order_that_cannot_be_is_refused_by_field(
    shop: Shop, desk: Desk, more: Record, field: str
) -> None:
    body = {"externalId": "x", "customerId": desk.customer["customerId"], "vin": "v"}
    before = shop.stats()["lastSeq"]
    answer = desk.guest.post("/service/repair-orders", body | more)
    assert (refusal(answer)[0], refusal(answer)[2]) == (422, field)
    assert shop.stats()["lastSeq"] == before


@pytest.mark.parametrize(("hours", "sold"), [(-1, 0.1), (1e300, 1000), (None, 1)])
def test_hours_that_cannot_be_meant_are_bounded_in_the_order(
    desk: Desk, hours: float | None, sold: float
) -> None:
    appointment = desk.appointment(opCodes=[{"code": "odd", "laborHours": hours}])
    order = desk.order(appointmentId=appointment["appointmentId"])
    assert order["lines"][0]["laborHours"]["sold"] == sold


def test_an_order_for_an_appointment_of_another_car_is_refused(desk: Desk) -> None:
    appointment = desk.appointment()
    body = {"externalId": "x", "appointmentId": appointment["appointmentId"], "vin": "another"}
    answer = desk.guest.post("/service/repair-orders", body)
    assert refusal(answer)[:3] == (422, "validation_failed", "vin")


def test_a_second_order_with_an_external_id_is_made_or_refused_as_the_rules_say(
    desk: Desk, tmp_path: Path
) -> None:
    first = desk.order(externalId="twice")
    second = desk.order(externalId="twice")
    assert first["repairOrderId"] != second["repairOrderId"]
    options = ("--vehicles", "20", "--days", "5", "--mfa-type", "none", "--unique-references")
    with serving(tmp_path, *options) as shop, visiting(shop) as guest:
        strict = Desk(guest)
        strict.order(externalId="twice")
        body = {
            "externalId": "twice",
            "customerId": strict.customer["customerId"],
            "vin": "1M8GDM9AXKP042788",
        }
        answer = guest.post("/service/repair-orders", body)
        assert refusal(answer)[:3] == (409, "duplicate", "externalId")
        assert len(guest.all("/service/repair-orders", externalId="twice")) == 1


def test_an_order_is_worked_on_closed_paid_and_posted(shop: Shop, desk: Desk) -> None:
    order = desk.order(
        lines=[{"opCode": "22BRK", "complaint": "Grinding"}, {"payType": "warranty"}],
        odometerIn=41_000,
    )
    order = desk.work(order, "in_progress", "waiting_parts", "in_progress", "completed", "invoiced")
    assert order["invoicedAt"] is not None
    assert order["odometerOut"] > order["odometerIn"]
    order = desk.work(order, "partially_closed")
    states = {p["payType"]: p["status"] for p in order["payTypeStatuses"]}
    assert states == {"customer_pay": "closed", "warranty": "open"}
    assert (order["closedAt"] is not None, order["finalClosedAt"]) == (True, None)
    order = desk.work(order, "closed")
    assert order["finalClosedAt"] is not None
    entries = [
        e for e in shop.records("gl_entries") if e["repairOrderId"] == order["repairOrderId"]
    ]
    assert sorted(entry["journalCode"] for entry in entries) == ["060", "061"]
    kinds = [e["type"] for e in shop.records("events") if e["entityId"] == order["repairOrderId"]]
    assert kinds == ["repair_order.closed"]
    assert order["totals"]["paid"] > 0
    books_of(shop).hold()


def test_a_closed_order_is_reopened_and_closed_anew(shop: Shop, desk: Desk) -> None:
    order = desk.work(desk.order(), "in_progress", "completed", "closed")
    shop.pass_time(1)
    order = desk.work(order, "in_progress")
    assert (order["reopenCount"], order["closedAt"]) == (1, None)
    path = f"/service/repair-orders/{order['repairOrderId']}"
    answer = desk.step(path, "voided", "in_progress")
    assert refusal(answer) == (422, "status_not_allowed", "status", "in_progress")
    order = desk.work(order, "completed", "closed")
    assert order["reopenCount"] == 1
    entries = [
        e for e in shop.records("gl_entries") if e["repairOrderId"] == order["repairOrderId"]
    ]
    assert sorted(entry["status"] for entry in entries) == ["posted", "posted", "reversed"]
    assert desk.work(order, "in_progress")["reopenCount"] == 2
    entries = [
        e for e in shop.records("gl_entries") if e["repairOrderId"] == order["repairOrderId"]
    ]
    assert sorted(entry["status"] for entry in entries) == ["posted"] * 2 + ["reversed"] * 2
    books_of(shop).hold()


def test_the_parts_of_an_order_that_is_completed_are_handed_out(tmp_path: Path) -> None:
    options = ("--vehicles", "400", "--days", "10", "--mfa-type", "none")
    with serving(tmp_path, *options) as shop, visiting(shop) as guest:
        desk = Desk(guest)
        tickets = {
            ticket["repairOrderId"]: ticket
            for ticket in guest.all("/parts/tickets", status="open")
            if ticket["repairOrderId"]
        }
        order = desk.read(f"/service/repair-orders/{next(iter(tickets))}")
        paused = order["status"] != "in_progress"
        desk.work(order, *(["in_progress"] if paused else []), "completed")
        key = tickets[order["repairOrderId"]]["partsTicketId"]
        assert desk.read(f"/parts/tickets/{key}")["status"] == "closed"


def test_orders_of_the_worlds_past_can_be_closed_and_reopened(shop: Shop, desk: Desk) -> None:
    partly = desk.guest.all("/service/repair-orders", status="partially_closed")
    assert partly
    assert desk.work(partly[0], "closed")["status"] == "closed"
    done = desk.guest.all("/service/repair-orders", status="closed")
    assert desk.work(done[0], "in_progress")["reopenCount"] >= 1
    books_of(shop).hold()


def test_the_status_of_an_order_is_compared_and_never_goes_backwards(
    shop: Shop, desk: Desk
) -> None:
    order = desk.work(desk.order(), "in_progress", "completed")
    path = f"/service/repair-orders/{order['repairOrderId']}"
    before = shop.stats()["lastSeq"]
    answer = desk.step(path, "completed", "in_progress")
    assert refusal(answer) == (409, "status_conflict", "expectedStatus", "completed")
    for earlier in ("open", "in_progress", "voided", "partially_closed"):
        answer = desk.step(path, earlier, "completed")
        assert refusal(answer) == (422, "status_not_allowed", "status", "completed")
    answer = desk.step("/service/repair-orders/ro_no", "closed", "completed")
    assert refusal(answer)[:2] == (404, "record_not_found")
    assert writes_since(shop, before) == []


def test_an_order_that_nobody_finished_is_voided_with_a_reason(desk: Desk) -> None:
    order = desk.order()
    path = f"/service/repair-orders/{order['repairOrderId']}"
    answer = desk.step(path, "voided", "open", reason="wrong car")
    assert answer.json()["voidReason"] == "wrong car"
    assert answer.json()["voidedAt"] is not None


def test_closing_is_queued_and_the_second_of_two_fails(shop: Shop, desk: Desk) -> None:
    order = desk.work(desk.order(), "in_progress", "completed")
    path = f"/service/repair-orders/{order['repairOrderId']}"
    rivals = [desk.step(path, "closed", "completed") for _ in range(2)]
    assert [rival.status_code for rival in rivals] == [202, 202]
    assert desk.read(path)["status"] == "completed"
    first, second = (desk.end(rival) for rival in rivals)
    assert contract_file.validator("Operation").is_valid(first)
    assert first["result"] == desk.read(path)
    assert (second["status"], second["error"]["code"]) == ("failed", "status_conflict")
    assert second["error"]["details"][0]["current"] == "closed"
    books_of(shop).hold()


def test_inspection_results_are_replaced_line_by_line(shop: Shop, desk: Desk) -> None:
    order = desk.order(lines=[{"opCode": "22BRK"}, {"opCode": "01LOF"}])
    found = [
        {"item": "front pads", "result": "red", "note": "2 mm"},
        {"item": "tires", "result": "green"},
    ]
    answer = inspect(desk, order, "L02", *found)
    assert answer.status_code == 200
    first, second = answer.json()["lines"]
    assert first["inspection"] == []
    assert second["inspection"] == [found[0], found[1] | {"note": None}]
    assert desk.read(f"/service/repair-orders/{order['repairOrderId']}") == answer.json()
    assert inspect(desk, order, "L02").json()["lines"][1]["inspection"] == []
    before = shop.stats()["lastSeq"]
    for line, item, field in (
        ("L09", found[1], "lineId"),
        ("L01", {"item": "", "result": "red"}, "inspection.0.item"),
        ("L01", {"item": "tires", "result": "blue"}, "inspection.0.result"),
    ):
        assert refusal(inspect(desk, order, line, item))[:3] == (422, "validation_failed", field)
    assert shop.stats()["lastSeq"] == before
    desk.work(order, "voided")
    answer = inspect(desk, order, "L01", found[1])
    assert refusal(answer) == (422, "status_not_allowed", "inspection", "voided")
