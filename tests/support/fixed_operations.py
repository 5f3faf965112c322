"""What ties in tickets, shelves and events, in a world that was made and in one that has lived."""

from __future__ import annotations

import typing as t
from collections import Counter, defaultdict
from decimal import Decimal

from automate_sandbox.instants import parse

if t.TYPE_CHECKING:
    from automate_sandbox.money import Record
    from support.worlds import World

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


def hold_shelves(made: World) -> int:
    """Hold what is available of each part to what open tickets keep; return of how many they do."""
    own = {part["rooftopId"]: part["manufacturerCode"] for part in made["parts"].values()
           if part["partNumber"] == "00015601"}  # fmt: skip
    kept: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    opened: dict[tuple[str, str], str] = defaultdict(str)
    for ticket in made["parts_tickets"].values():
        for line in ticket["parts"] if ticket["status"] == "open" else ():
            name = ticket["rooftopId"], line["partNumber"]
            kept[name] += line["quantity"]
            opened[name] = max(opened[name], ticket["openedAt"])
    count = len(kept)
    for part in made["parts"].values():
        is_own = part["manufacturerCode"] == own[part["rooftopId"]]
        reserved = kept.pop((part["rooftopId"], part["partNumber"]), 0) if is_own else 0
        assert part["quantityAvailable"] == part["quantityOnHand"] - reserved
        assert part["updatedAt"] >= opened[part["rooftopId"], part["partNumber"]] or not is_own
    assert not kept
    return count


def hold_tickets(made: World) -> None:
    """Hold tickets to their lines, and those of repair orders to the orders."""
    for ticket in made["parts_tickets"].values():
        totals = ticket["totals"]
        assert totals["parts"] == sum(line["extendedPrice"] for line in ticket["parts"]) > 0
        assert totals["total"] == totals["parts"] - totals["discounts"] + totals["tax"]
        assert (ticket["closedAt"] is not None) == (ticket["status"] == "closed")
        assert (ticket["createdAt"] == ticket["updatedAt"]) == (ticket["status"] == "open")
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
    assert merged == {e["entityId"] for e in of_type(made, "customer.merged")}


def of_type(made: World, kind: str) -> list[Record]:
    """List the events of a type."""
    return [event for event in made["events"].values() if event["type"] == kind]
