"""Op codes, parts, tickets, attachments and events in every world."""

from __future__ import annotations

import random
import typing as t
from collections import Counter, defaultdict
from decimal import Decimal

import pytest
from hypothesis import given
from support.fixed_operations import (
    MARKS,
    STREAMS,
    hold_events,
    hold_shelves,
    hold_tickets,
    of_type,
)
from support.visitor import error_of
from support.worlds import seeds, some_worlds, world

from automate_sandbox import contents
from automate_sandbox.instants import SECOND, parse
from automate_sandbox.world.attachments import ODD_NAMES
from automate_sandbox.world.parts import receive
from automate_sandbox.world.repair_lines import JOBS

if t.TYPE_CHECKING:
    from support.visitor import Shop, Visitor
    from support.worlds import World

    from automate_sandbox.money import Record


@pytest.fixture(scope="module")
def full() -> World:
    return world(7, 2000)


def test_each_rooftop_has_the_op_codes_that_its_orders_and_appointments_use(full: World) -> None:
    known: dict[str, dict[str, Record]] = defaultdict(dict)
    for op_code in full["op_codes"].values():
        known[op_code["rooftopId"]][op_code["opCode"]] = op_code
    assert len(known) == len(full["rooftops"]) > 1
    for order in full["repair_orders"].values():
        for line in order["lines"] if order["rooftopId"] else ():
            op_code = known[order["rooftopId"]][line["opCode"]]
            assert line["opDescription"] == op_code["description"].partition(" (")[0]
            assert line["laborHours"]["sold"] == op_code["flatRateHours"]
            assert line["laborRate"] == op_code["laborRate"]
    for appointment in full["service_appointments"].values():
        for job in appointment["opCodes"] if appointment["rooftopId"] else ():
            assert job["code"] in known[appointment["rooftopId"]]
    for codes in known.values():
        assert codes.keys() >= {"0010", "10", "1E5", *(job[0] for job in JOBS)}
    reworded = [code for code in full["op_codes"].values() if code["updatedAt"] > code["createdAt"]]
    assert 0 < len(reworded) < len(full["op_codes"])


def test_the_detail_of_an_op_code_needs_the_rooftop_where_several_have_it(
    shop: Shop, visitor: Visitor
) -> None:
    first, second = (each for each in shop.records("op_codes") if each["opCode"] == "01LOF")
    for op_code in (first, second):
        answer = visitor.get("/service/op-codes/01LOF", rooftopId=op_code["rooftopId"])
        assert answer.json()["rooftopId"] == op_code["rooftopId"]
    unclear = visitor.get("/service/op-codes/01LOF")
    assert unclear.status_code == 400
    assert error_of(unclear)["details"][0]["field"] == "rooftopId"
    assert visitor.get("/service/op-codes/01LOF", rooftopId="none").status_code == 404
    shop.control(
        "delete",
        {"stream": "op_codes", "keys": [f"01LOF|{second['rooftopId']}"]},
    )
    assert visitor.get("/service/op-codes/01LOF").json()["rooftopId"] == first["rooftopId"]
    spaced = visitor.get("/service/op-codes/LOF SYN", rooftopId=first["rooftopId"])
    assert spaced.json()["opCode"] == "LOF SYN"


def test_number_and_manufacturer_identify_a_part_of_a_rooftop_and_the_number_does_not(
    full: World,
) -> None:
    names = ("rooftopId", "manufacturerCode", "partNumber")
    pairs = Counter(tuple(part[name] for name in names) for part in full["parts"].values())
    assert set(pairs.values()) == {1}
    numbers = Counter((rooftop, number) for rooftop, _, number in pairs)
    assert max(numbers.values()) == 2
    assert any(number.startswith("0") for _, number in numbers)
    assert any(number == "12E45" for _, number in numbers)


def test_superseded_parts_lead_to_one_that_is_sold(full: World) -> None:
    by_number = {(p["rooftopId"], p["partNumber"]): p for p in full["parts"].values()}
    steps = Counter[int]()
    for part in full["parts"].values():
        count, current = 0, part
        while current["supersededByPartNumber"]:
            assert current["status"] == "superseded"
            current = by_number[current["rooftopId"], current["supersededByPartNumber"]]
            count += 1
        assert current["status"] == "active"
        steps[count] += 1
    assert steps.keys() == {0, 1, 2}


def test_what_the_shop_uses_lies_on_its_shelves_at_its_prices(full: World) -> None:
    prices = {
        (part["rooftopId"], part["partNumber"], part["cost"], part["listPrice"])
        for part in full["parts"].values()
    }
    for order in full["repair_orders"].values():
        for line in order["lines"] if order["rooftopId"] else ():
            for used in line["parts"]:
                price = used["unitCost"], used["unitPrice"]
                assert (order["rooftopId"], used["partNumber"], *price) in prices
    assert any(part["quantityOnHand"] % 1 for part in full["parts"].values())
    assert Counter(len(part["bins"]) for part in full["parts"].values()).keys() == {0, 1, 2}


def test_tickets_are_of_the_counter_and_of_the_shop_in_every_state(full: World) -> None:
    counts = Counter(
        (ticket["status"], ticket["repairOrderId"] is not None)
        for ticket in full["parts_tickets"].values()
    )
    assert len(counts) == 6
    at_counter = [each for each in full["parts_tickets"].values() if not each["repairOrderId"]]
    assert {bool(each["customerId"]) for each in at_counter} == {True, False}
    assert hold_shelves(full) > 5


@given(seeds)
@some_worlds
def test_tickets_shelves_and_events_tie_in_every_world(seed: int) -> None:
    made = world(seed, 200)
    hold_tickets(made)
    hold_shelves(made)
    hold_events(made)


@given(seeds)
@some_worlds
def test_attachments_belong_to_records_and_their_names_may_come_twice(seed: int) -> None:
    made = world(seed, 200)
    names: Counter[tuple[str, str]] = Counter()
    for attachment in made["attachments"].values():
        entity = made[STREAMS[attachment["entityType"]]][attachment["entityId"]]
        assert parse(entity["createdAt"]) <= parse(attachment["createdAt"])
        names[attachment["entityId"], attachment["fileName"]] += 1
    assert max(names.values()) > 1
    assert {name for _, name in names} >= {*ODD_NAMES}


def test_some_attachments_are_large_and_one_is_larger_than_any_limit(full: World) -> None:
    sizes = sorted(each["size"] or 0 for each in full["attachments"].values())
    assert sizes[-1] == 200 << 20
    assert 2_000_000 < sizes[-2] < 4_000_000
    kinds = {each["contentType"] for each in full["attachments"].values()}
    assert kinds == {contents.PDF, contents.PNG, contents.JPEG, contents.BINARY, "text/plain"}


def test_an_order_that_was_reopened_tells_of_both_its_closings(full: World) -> None:
    reopened = [order for order in full["repair_orders"].values() if order["reopenCount"]]
    closings = Counter(event["entityId"] for event in of_type(full, "repair_order.closed"))
    closed = [order for order in reopened if order["status"] == "closed"]
    assert closed
    assert {closings[order["repairOrderId"]] for order in closed} == {2}
    for event in of_type(full, "repair_order.reopened"):
        assert closings[event["entityId"]] >= 1


def test_events_of_every_type_are_there_with_payloads_of_their_own(full: World) -> None:
    payloads = {
        event["type"]: frozenset(event["payload"] or ()) for event in full["events"].values()
    }
    assert payloads.keys() == {*MARKS, "customer.merged"}
    assert len(set(payloads.values())) > 4
    assert frozenset() in payloads.values()


def test_one_order_number_stands_at_two_rooftops_and_never_twice_at_one(full: World) -> None:
    numbers = Counter(
        (order["roNumber"], order["rooftopId"])
        for order in full["repair_orders"].values()
        if order["rooftopId"]
    )
    assert set(numbers.values()) == {1}
    rooftops = Counter(number for number, _ in numbers)
    assert Counter(rooftops.values())[2] > 400
    visits = Counter((o["vin"], o["openedAt"][:10]) for o in full["repair_orders"].values())
    assert max(visits.values()) > 1, "vehicle and date do not identify an order either"


def test_some_contracts_are_dated_ahead_of_today(full: World) -> None:
    dates = [deal["contractDate"] for deal in full["deals"].values() if deal["contractDate"]]
    ahead = [date for date in dates if date > "2026-03-18"]
    assert 0 < len(ahead) < len(dates) / 10


def test_a_controller_works_at_every_rooftop_of_the_group(full: World) -> None:
    everywhere = set(full["rooftops"])
    users = [user for user in full["users"].values() if set(user["rooftopIds"]) == everywhere]
    assert {role for user in users for role in user["roles"]} == {"controller"}
    assert {user["rooftopId"] for user in users} == everywhere


def test_what_is_ordered_of_a_part_comes_in_once() -> None:
    part = {"quantityOnHand": Decimal(3), "quantityAvailable": Decimal(1)}
    part |= {"quantityOnOrder": Decimal(0), "updatedAt": "2026-03-18T00:00:00Z"}  # type: ignore[dict-item]
    rng, at = random.Random(1), parse("2026-03-18T17:30:00Z") // SECOND  # noqa: S311 - no secret
    receive(rng, part, at)
    ordered = part["quantityOnOrder"]
    assert ordered > 0
    receive(rng, part, at)
    assert part["quantityOnHand"] == 3 + ordered
    assert part["quantityAvailable"] == 1 + ordered
    assert part["quantityOnOrder"] == 0
