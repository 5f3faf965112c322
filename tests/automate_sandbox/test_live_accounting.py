"""The office while time goes on: the books tie after any number of live changes."""

from __future__ import annotations

import typing as t
from collections import Counter

import pytest
from support.books import Books
from support.worlds import SteppingClock, world_of

from automate_sandbox.calls import Asked
from automate_sandbox.credentials import random_login
from automate_sandbox.instants import SECOND, parse
from automate_sandbox.live import Live
from automate_sandbox.money import decode
from automate_sandbox.sandbox import Rules, Sandbox, World
from automate_sandbox.world.calendar import HOUR
from automate_sandbox.writing import HANDLERS

if t.TYPE_CHECKING:
    from pathlib import Path

    from automate_sandbox.money import Record

STEPS: t.Final = 2500
IN_THE_MORNING: t.Final = parse("2026-03-18T12:30:00Z")
LAST_OF_MARCH: t.Final = parse("2026-03-31T20:00:00Z")
MAY_IN_CHICAGO: t.Final = parse("2026-05-01T05:00:00Z")


def opened(
    instant: int, store: Path | None = None, rooftops: int = 2
) -> tuple[Sandbox, SteppingClock]:
    clock = SteppingClock(instant)
    world = World(7, rooftops, 150, 20)
    return Sandbox(world, Rules("test"), random_login(), clock, store), clock


def go_on(sandbox: Sandbox, steps: int) -> None:
    live = Live(sandbox)
    for _ in range(steps):
        live.step()


@pytest.fixture(scope="module")
def lived() -> Sandbox:
    sandbox, _ = opened(IN_THE_MORNING)
    go_on(sandbox, STEPS)
    return sandbox


def changes(sandbox: Sandbox, stream: str) -> list[Record]:
    """Read the versions that live changes have made."""
    history = sandbox.ledger.history
    return [decode(e.body) for e in history if e.cause == "live" and e.stream == stream]


def test_the_books_tie_after_thousands_of_changes(lived: Sandbox) -> None:
    Books(world_of(lived)).hold()


def test_the_books_tie_after_each_change() -> None:
    sandbox, _ = opened(IN_THE_MORNING)
    live = Live(sandbox)
    for _ in range(25):
        for _ in range(12):
            live.step()
        Books(world_of(sandbox)).hold()


def test_everything_that_the_office_does_is_done(lived: Sandbox) -> None:
    recaps = Counter(recap["recapStatus"] for recap in changes(lived, "deal_recaps"))
    assert set(recaps) == {"draft", "final", "revised", "reversed"}
    revised = [r for r in changes(lived, "deal_recaps") if r["recapStatus"] == "revised"]
    finals = {r["dealId"]: r for r in world_of(lived)["deal_recaps"].values()
              if r["recapStatus"] == "final"}  # fmt: skip
    for recap in revised:
        final = finals[recap["dealId"]]
        assert recap["frontEnd"]["recon"] > final["frontEnd"]["recon"]
        assert recap["totalGross"] == final["totalGross"]
    kinds = Counter(receipt["receiptType"] for receipt in changes(lived, "receipts"))
    assert {"payment", "down_payment", "refund"} <= set(kinds)
    deposited = changes(lived, "deposits")
    assert len(deposited) > 10
    assert {deposit["status"] for deposit in deposited} == {"deposited"}


def test_what_was_counted_before_the_start_is_brought_to_the_bank_first() -> None:
    sandbox, _ = opened(IN_THE_MORNING)
    prepared = {
        key
        for key, deposit in world_of(sandbox)["deposits"].items()
        if deposit["status"] == "prepared"
    }
    assert prepared
    go_on(sandbox, 800)
    first = [deposit["depositId"] for deposit in changes(sandbox, "deposits")]
    assert set(first[: len(prepared)]) == prepared


def test_money_that_came_in_with_a_write_is_brought_to_the_bank_as_well() -> None:
    sandbox, clock = opened(IN_THE_MORNING)
    live = Live(sandbox)
    while not sandbox.drawers.filled():
        live.step()
    taken: set[str] = set()
    for deal in world_of(sandbox)["deals"].values():
        if deal["status"] == "contracted" and not taken:
            sandbox.approvals.give(deal["dealId"])
            step = {"status": "delivered", "expectedStatus": "contracted"}
            outcome = HANDLERS["changeDealStatus"].carry_out(sandbox, Asked(step, deal["dealId"]))
            sandbox.ledger.commit(outcome.changes, clock.now(), cause="api")
            taken = {
                record["receiptId"]
                for stream, record in outcome.changes
                if stream == "receipts" and record["status"] == "open"
            }
    assert taken
    go_on(sandbox, STEPS)
    receipts = world_of(sandbox)["receipts"]
    assert {receipts[key]["status"] for key in taken} == {"deposited"}


def test_some_entries_are_posted_into_the_month_before_which_is_closed(lived: Sandbox) -> None:
    late = [e for e in changes(lived, "gl_entries") if e["accountingDate"] < e["documentDate"]]
    assert late
    for entry in late:
        assert entry["accountingDate"] == "2026-02-28"
        assert entry["periodStatus"] == "closed"
        assert entry["postedAt"] == entry["createdAt"] == entry["updatedAt"]
        assert entry["totalDebit"] == entry["totalCredit"] > 0


def test_customers_on_account_pay_later_and_the_others_at_once() -> None:
    sandbox, clock = opened(IN_THE_MORNING)
    customers = [record for _, record in sorted(world_of(sandbox)["customers"].items())]
    for index, customer in enumerate(customers):
        customer["arAccountNumber"] = "0220" if index % 2 else None
    with_accounts = [("customers", customer) for customer in customers]
    sandbox.ledger.commit(with_accounts, clock.now(), cause="control")
    go_on(sandbox, STEPS)
    known = world_of(sandbox)["customers"]
    orders, closings = {}, Counter[bool]()
    for order in changes(sandbox, "repair_orders"):
        parts = [p for p in order["payTypeStatuses"] if p["payType"] == "customer_pay"]
        just_closed = [p for p in parts if p["closedAt"] == order["updatedAt"]]
        if just_closed:
            on_account = bool(known[order["customerId"]]["arAccountNumber"])
            closings[on_account] += 1
            orders[order["repairOrderId"]] = on_account
            assert (just_closed[0]["balance"] > 0) == on_account
    assert min(closings[True], closings[False]) > 5
    paid = {item["id"] for r in changes(sandbox, "receipts") for item in r["appliedTo"]}
    assert {key for key, on_account in orders.items() if not on_account} <= paid
    assert {key for key, on_account in orders.items() if on_account} & paid
    Books(world_of(sandbox)).hold()


def test_a_month_ends_while_it_runs() -> None:
    sandbox, clock = opened(LAST_OF_MARCH)
    go_on(sandbox, 20)
    assert not changes(sandbox, "accounting_periods")
    clock.instant = MAY_IN_CHICAGO
    at = clock.instant // SECOND
    go_on(sandbox, 20)
    made = changes(sandbox, "accounting_periods")
    by_month: dict[str, list[Record]] = {}
    for period in made:
        by_month.setdefault(period["startDate"], []).append(period)
    # Phoenix is still in April.
    assert {month: len(found) for month, found in by_month.items()} == {
        "2026-03-01": 2,
        "2026-04-01": 2,
        "2026-05-01": 1,
    }
    assert {p["periodStatus"] for p in by_month["2026-03-01"]} == {"closed"}
    assert sorted(p["periodStatus"] for p in by_month["2026-04-01"]) == ["closed", "open"]
    assert {p["periodStatus"] for p in by_month["2026-05-01"]} == {"open"}
    assert all(parse(period["updatedAt"]) // SECOND >= at for period in made)
    assert any(entry["accountingDate"] < "2026-04-01" for entry in changes(sandbox, "gl_entries"))
    Books(world_of(sandbox)).hold()
    for entry in changes(sandbox, "gl_entries"):
        if entry["documentDate"] >= "2026-04-30" and entry["accountingDate"] < "2026-04-01":
            assert entry["periodStatus"] == "closed"


@pytest.mark.parametrize(
    "began", ["2025-12-31T16:00:00Z", "2026-03-08T06:59:00Z", "2026-11-01T05:30:00Z"]
)
def test_the_books_tie_whatever_days_go_by(began: str) -> None:
    clock = SteppingClock(parse(began), step=3 * HOUR * SECOND)
    sandbox = Sandbox(World(5, 7, 60, 20), Rules("test"), random_login(), clock)
    go_on(sandbox, 250)
    assert len({e["accountingDate"][:7] for e in changes(sandbox, "gl_entries")}) > 1
    Books(world_of(sandbox)).hold()


def test_the_office_goes_on_with_the_drawers_of_a_stored_world(tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    sandbox, _ = opened(IN_THE_MORNING, path)
    go_on(sandbox, 300)
    before = {
        key
        for key, receipt in world_of(sandbox)["receipts"].items()
        if receipt["status"] in {"open", "posted"} and receipt["amount"] > 0
    }
    assert before
    sandbox.close()
    # Ten days later: nothing of the world's past is recent any more.
    again, _ = opened(IN_THE_MORNING + 10 * 86_400 * SECOND, path)
    go_on(again, 900)
    made = world_of(again)
    again.close()
    Books(made).hold()
    assert {made["receipts"][key]["status"] for key in before} == {"deposited"}
