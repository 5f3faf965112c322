"""What comes first in a world comes first in its records, on whatever day it is made."""

from __future__ import annotations

import typing as t

import pytest
from support.worlds import ANCHOR, World, world

from automate_sandbox.instants import SECOND, parse
from automate_sandbox.world.consequences import STILL

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from automate_sandbox.money import Record

ANCHORS: t.Final = {
    "a day in March": ANCHOR,
    "new year": parse("2026-01-01T20:00:00Z") // SECOND,
    "new year in the east alone": parse("2026-01-01T05:30:00Z") // SECOND,
    "a month begins": parse("2028-03-01T05:00:00Z") // SECOND,
    "leap day": parse("2028-02-29T23:59:59Z") // SECOND,
    "clocks go forward": parse("2026-03-08T10:00:00Z") // SECOND,
    "clocks go back": parse("2026-11-01T06:30:00Z") // SECOND,
}
AHEAD: t.Final = frozenset({"promisedAt", "urlExpiresAt"})
"""Instants that may be still to come."""

ENTITIES: t.Final = {"deal": "deals", "repair_order": "repair_orders", "vehicle": "vehicles"}


@pytest.fixture(scope="module", params=list(ANCHORS.values()), ids=list(ANCHORS))
def made(request: pytest.FixtureRequest) -> World:
    return world(3, 150, 6, request.param)


def instants(node: t.Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """List the instants in a record that say when something was done."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name.endswith("At") and isinstance(value, str) and name not in AHEAD:
                yield name, value
            else:
                yield from instants(value)
    elif isinstance(node, list):
        for item in node:
            yield from instants(item)


def in_order(record: Record, *names: str) -> bool:
    found = [parse(record[name]) for name in names if record[name]]
    return found == sorted(found)


def test_what_a_record_tells_of_lies_between_its_creation_and_its_last_change(made: World) -> None:
    told = 0
    for records in made.values():
        for record in records.values():
            created, updated = parse(record["createdAt"]), parse(record["updatedAt"])
            for name, text in instants(record):
                told += name not in {"createdAt", "updatedAt"}
                assert created <= parse(text) <= updated, (name, record)
    assert told > 500


def test_deals_and_orders_take_their_steps_in_order(made: World) -> None:
    for deal in made["deals"].values():
        assert in_order(deal, "createdAt", "deliveredAt", "finalizedAt", "unwoundAt")
    for order in made["repair_orders"].values():
        assert in_order(order, "openedAt", "completedAt", "invoicedAt", "closedAt", "finalClosedAt")


def test_nobody_buys_visits_or_pays_before_the_dms_knows_them(made: World) -> None:
    customers = made["customers"]
    for stream in ("deals", "repair_orders", "service_appointments", "parts_tickets", "receipts"):
        for record in made[stream].values():
            if record["customerId"]:
                assert customers[record["customerId"]]["createdAt"] <= record["createdAt"]
    for stream in ("deals", "repair_orders"):
        for record in made[stream].values():
            vehicle_id = (record.get("vehicle") or record)["vehicleId"]
            if vehicle_id:
                assert made["vehicles"][vehicle_id]["createdAt"] <= record["createdAt"]


def test_no_receipt_and_no_file_is_older_than_what_it_is_for(made: World) -> None:
    for receipt in made["receipts"].values():
        for item in receipt["appliedTo"]:
            assert made[ENTITIES[item["type"]]][item["id"]]["createdAt"] <= receipt["receivedAt"]
    for attached in made["attachments"].values():
        entity = made[ENTITIES[attached["entityType"]]][attached["entityId"]]
        assert entity["createdAt"] <= attached["createdAt"]


def test_no_entry_counts_for_a_day_that_is_still_to_come(made: World) -> None:
    adjusting = 0
    for entry in made["gl_entries"].values():
        adjusting += entry["isAdjustingPeriod"]
        assert entry["accountingDate"] <= entry["documentDate"]
    assert adjusting == 3 * len(made["rooftops"])


@pytest.mark.parametrize("seed", [1, 3])
def test_nothing_is_attached_in_the_last_two_minutes(seed: int) -> None:
    # So many changes an hour that some records are made within the two minutes.
    made = world(seed, 400, days=1)
    still = (ANCHOR - STILL) * SECOND
    assert any(parse(deal["createdAt"]) > still for deal in made["deals"].values())
    assert made["attachments"]
    for attached in made["attachments"].values():
        assert parse(attached["createdAt"]) <= still
