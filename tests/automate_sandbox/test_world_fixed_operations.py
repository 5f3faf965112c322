"""Op codes, parts, tickets, attachments and events: in a world that was made, and as it goes on."""

from __future__ import annotations

import typing as t
from collections import Counter, defaultdict
from decimal import Decimal

import pytest
from hypothesis import given
from support.visitor import error_of
from support.worlds import ANCHOR, seeds, some_worlds, world, world_of

from automate_sandbox import contents
from automate_sandbox.credentials import random_login
from automate_sandbox.instants import SECOND, Clock, parse
from automate_sandbox.live import Live
from automate_sandbox.money import decode
from automate_sandbox.sandbox import Rules, Sandbox
from automate_sandbox.sandbox import World as Wanted
from automate_sandbox.world.attachments import ODD_NAMES
from automate_sandbox.world.repair_lines import JOBS

if t.TYPE_CHECKING:
    from support.visitor import Shop, Visitor
    from support.worlds import World

    from automate_sandbox.money import Record

STREAMS: t.Final = {
    "deal": "deals",
    "repair_order": "repair_orders",
    "vehicle": "vehicles",
    "customer": "customers",
    "service_appointment": "service_appointments",
}
"""`entityType` to the stream that has it."""

MARKS: t.Final = {
    "deal.delivered": "deliveredAt",
    "deal.posted": "deliveredAt",
    "deal.finalized": "finalizedAt",
    "deal.unwound": "unwoundAt",
    "deal.voided": "voidedAt",
    "repair_order.closed": "finalClosedAt",
    "repair_order.reopened": "reopenedAt",
    "repair_order.voided": "voidedAt",
    "service_appointment.cancelled": "cancelledAt",
}
"""Type of an event to the field of the record that says when it happened."""


class SteppingClock(Clock):
    """A clock that a second passes on at each look."""

    def __init__(self) -> None:
        super().__init__()
        self.instant = ANCHOR * SECOND

    def now(self) -> int:
        self.instant += SECOND
        return self.instant


@pytest.fixture(scope="module")
def full() -> World:
    return world(7, 2000)


@pytest.fixture(scope="module")
def lived() -> Sandbox:
    """Let a small world go on for a long time."""
    sandbox = Sandbox(Wanted(7, 2, 150, 20), Rules("test"), random_login(), SteppingClock())
    live = Live(sandbox)
    for _ in range(4000):
        live.step()
    return sandbox


def hold_shelves(made: World) -> int:
    """Hold what is available of each part to what open tickets keep; return of how many they do."""
    own = {part["rooftopId"]: part["manufacturerCode"] for part in made["parts"].values()
           if part["partNumber"] == "00015601"}  # fmt: skip
    kept: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for ticket in made["parts_tickets"].values():
        for line in ticket["parts"] if ticket["status"] == "open" else ():
            kept[ticket["rooftopId"], line["partNumber"]] += line["quantity"]
    count = len(kept)
    for part in made["parts"].values():
        is_own = part["manufacturerCode"] == own[part["rooftopId"]]
        reserved = kept.pop((part["rooftopId"], part["partNumber"]), 0) if is_own else 0
        assert part["quantityAvailable"] == part["quantityOnHand"] - reserved
    assert not kept
    return count


def hold_tickets(made: World) -> None:
    """Hold tickets to their lines, and those of repair orders to the orders."""
    for ticket in made["parts_tickets"].values():
        totals = ticket["totals"]
        assert totals["parts"] == sum(line["extendedPrice"] for line in ticket["parts"]) > 0
        assert totals["total"] == totals["parts"] - totals["discounts"] + totals["tax"]
        assert (ticket["closedAt"] is not None) == (ticket["status"] == "closed")
        order = made["repair_orders"].get(ticket["repairOrderId"])
        if order is None:
            assert ticket["repairOrderId"] is None
            assert totals["tax"] > 0
            continue
        assert [ticket[name] for name in ("roNumber", "customerId", "rooftopId")] == [
            order[name] for name in ("roNumber", "customerId", "rooftopId")
        ]
        assert ticket["parts"] == [part for line in order["lines"] for part in line["parts"]]
        assert totals["tax"] == 0
        assert (order["status"] == "voided") == (ticket["status"] == "voided")
        if order["status"] in {"partially_closed", "closed"}:
            assert ticket["status"] != "open"


def hold_events(made: World) -> None:
    """Hold events to the records that they tell of, and records to their events."""
    told = Counter((e["type"], e["entityId"], e["occurredAt"]) for e in made["events"].values())
    assert set(told.values()) == {1}
    for kind, field in MARKS.items():
        for key, record in made[STREAMS[kind.partition(".")[0]]].items():
            assert record[field] is None or (kind, key, record[field]) in told
    for event in made["events"].values():
        entity = made[STREAMS[event["entityType"]]][event["entityId"]]
        assert event["rooftopId"] == entity["rooftopId"]
        assert event["type"].startswith(event["entityType"] + ".")
        assert parse(event["occurredAt"]) <= parse(entity["updatedAt"])
    merged = {k for k, record in made["customers"].items() if record["mergedIntoCustomerId"]}
    assert merged == {e["entityId"] for e in _of_type(made, "customer.merged")}


def _of_type(made: World, kind: str) -> list[Record]:
    return [event for event in made["events"].values() if event["type"] == kind]


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
    closings = Counter(event["entityId"] for event in _of_type(full, "repair_order.closed"))
    closed = [order for order in reopened if order["status"] == "closed"]
    assert closed
    assert {closings[order["repairOrderId"]] for order in closed} == {2}
    for event in _of_type(full, "repair_order.reopened"):
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


def test_shelves_tickets_attachments_and_op_codes_change_as_time_goes_on(lived: Sandbox) -> None:
    changed = Counter(entry.stream for entry in lived.ledger.history if entry.cause == "live")
    for stream in ("op_codes", "parts", "parts_tickets", "attachments", "events"):
        assert changed[stream] > 20
    made = world_of(lived)
    assert any(part["quantityOnOrder"] for part in made["parts"].values())
    assert hold_shelves(made) > 5
    hold_tickets(made)


def test_events_are_written_when_it_happens(lived: Sandbox) -> None:
    hold_events(world_of(lived))
    written = {
        decode(entry.body)["type"]
        for entry in lived.ledger.history
        if entry.stream == "events" and entry.cause == "live"
    }
    assert written >= {"deal.delivered", "deal.posted", "deal.finalized", "deal.unwound"}
    assert written >= {"repair_order.closed", "customer.merged", "service_appointment.cancelled"}
    for entry in lived.ledger.history:
        if entry.stream == "events" and entry.cause == "live":
            occurred = parse(decode(entry.body)["occurredAt"])
            assert entry.at - SECOND <= occurred <= entry.at


def test_time_going_on_merges_no_customer_of_another_system(lived: Sandbox) -> None:
    merged = [
        decode(entry.body)
        for entry in lived.ledger.history
        if entry.stream == "customers" and entry.cause == "live"
    ]
    merged = [customer for customer in merged if customer["mergedIntoCustomerId"]]
    assert merged
    assert {customer["externalId"] for customer in merged} == {None}


def test_a_merge_by_hand_is_told_of_too(shop: Shop) -> None:
    first, second = (
        each["customerId"]
        for each in [c for c in shop.records("customers") if not c["mergedIntoCustomerId"]][:2]
    )
    shop.control("merge", {"from": first, "into": second})
    (event,) = [e for e in shop.records("events") if e["entityId"] == first]
    assert event["type"] == "customer.merged"
    assert event["payload"] == {"mergedIntoCustomerId": second}
