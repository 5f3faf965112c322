"""Op codes, parts, tickets, attachments and events as time goes on."""

from __future__ import annotations

import typing as t
from collections import Counter

import pytest
from support.fixed_operations import hold_events, hold_shelves, hold_tickets
from support.worlds import ANCHOR, SteppingClock, world_of

from automate_sandbox.credentials import random_login
from automate_sandbox.instants import SECOND, parse
from automate_sandbox.live import Live
from automate_sandbox.money import decode
from automate_sandbox.sandbox import Rules, Sandbox, World

if t.TYPE_CHECKING:
    from support.visitor import Shop


@pytest.fixture(scope="module")
def lived() -> Sandbox:
    """Let a small world go on for a long time."""
    sandbox = Sandbox(
        World(7, 2, 150, 20), Rules("test"), random_login(), SteppingClock(ANCHOR * SECOND)
    )
    live = Live(sandbox)
    for _ in range(4000):
        live.step()
    return sandbox


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
