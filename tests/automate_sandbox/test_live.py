"""Time going on: what changes keeps the rules of the world, and says when it changed."""

from __future__ import annotations

import time
import typing as t
from collections import Counter, defaultdict
from decimal import Decimal

import msgspec
import pytest
from support.visitor import serving
from support.worlds import SteppingClock

from automate_sandbox import contract_file
from automate_sandbox.credentials import random_login
from automate_sandbox.instants import parse
from automate_sandbox.live import Live
from automate_sandbox.money import decode
from automate_sandbox.resources import resources
from automate_sandbox.sandbox import Rules, Sandbox, World

if t.TYPE_CHECKING:
    from pathlib import Path

START: t.Final = parse("2026-03-18T17:30:00Z")
STEPS: t.Final = 3000


def moved(seed: int = 7, *, fractional: bool = False, steps: int = STEPS) -> Sandbox:
    """Make a small world and let it go on for many steps."""
    rules = Rules("test", fractional_seconds=fractional)
    sandbox = Sandbox(World(seed, 2, 150, 20), rules, random_login(), SteppingClock(START, 250))
    live = Live(sandbox)
    for _ in range(steps):
        live.step()
    return sandbox


@pytest.fixture(scope="module")
def lived() -> Sandbox:
    return moved()


def test_every_stream_that_can_change_changes(lived: Sandbox) -> None:
    changed = Counter(entry.stream for entry in lived.ledger.history if entry.cause == "live")
    for stream in ("vehicles", "customers", "deals", "repair_orders", "gl_entries",
                   "service_appointments"):  # fmt: skip
        assert changed[stream] > 20


def test_every_version_keeps_the_contract(lived: Sandbox) -> None:
    for entry in lived.ledger.history:
        if entry.cause == "live" and entry.stream:
            validator = contract_file.validator(resources()[entry.stream].schema)
            assert validator.is_valid(msgspec.json.decode(entry.body))


def test_a_change_carries_its_own_time_and_never_an_older_one(lived: Sandbox) -> None:
    last: dict[tuple[str | None, str], int] = defaultdict(int)
    for entry in lived.ledger.history:
        updated = parse(decode(entry.body)["updatedAt"])
        if entry.cause == "live":
            assert entry.at - 1250 < updated <= entry.at
        assert last[entry.stream, entry.key] <= updated
        last[entry.stream, entry.key] = updated


def test_the_books_still_balance_and_every_sale_has_its_journal(lived: Sandbox) -> None:
    tables = lived.ledger.tables
    total = Decimal(0)
    journals: Counter[str] = Counter()
    for row in tables["gl_entries"].rows.values():
        entry = decode(row.body)
        assert sum(line["amount"] for line in entry["lines"]) == 0
        total += sum(line["amount"] for line in entry["lines"])
        standing = entry["status"] == "posted" and not entry["reversesJournalEntryId"]
        if entry["journalType"] == "vehicle_sales" and standing:
            journals[entry["dealId"]] += 1
    assert total == 0
    holding = set()
    for row in tables["deals"].rows.values():
        deal = decode(row.body)
        if deal["status"] in {"delivered", "finalized"}:
            holding.add(deal["dealId"])
            vehicle = lived.ledger.record("vehicles", deal["vehicle"]["vehicleId"])
            assert vehicle is not None
            assert vehicle["status"] == "retail_sold"
    assert journals == dict.fromkeys(holding, 1)


def test_closed_pay_types_of_orders_have_their_journals(lived: Sandbox) -> None:
    amounts: dict[str, list[Decimal]] = defaultdict(list)
    for row in lived.ledger.tables["gl_entries"].rows.values():
        entry = decode(row.body)
        standing = entry["status"] == "posted" and not entry["reversesJournalEntryId"]
        if entry["repairOrderId"] and standing:
            amounts[entry["repairOrderId"]].append(entry["lines"][0]["amount"])
    for row in lived.ledger.tables["repair_orders"].rows.values():
        order = decode(row.body)
        closed = [p["amount"] for p in order["payTypeStatuses"] if p["status"] == "closed"]
        assert sorted(amounts[order["repairOrderId"]]) == sorted(closed)


def test_some_deals_are_unwound_while_it_runs(lived: Sandbox) -> None:
    unwound = [
        entry
        for entry in lived.ledger.history
        if entry.cause == "live"
        and entry.stream == "deals"
        and decode(entry.body)["status"] == "unwound"
    ]
    assert unwound


def test_the_indexes_agree_with_the_rows(lived: Sandbox) -> None:
    for table in lived.ledger.tables.values():
        assert table.by_time == sorted((row.updated, row.key) for row in table.rows.values())


def test_the_same_seed_and_clock_make_the_same_changes() -> None:
    first, second = (moved(5, steps=200).ledger.history for _ in range(2))
    assert first == second
    assert moved(6, steps=200).ledger.history != first


def test_fractional_seconds_are_there_when_asked_for() -> None:
    history = moved(fractional=True, steps=50).ledger.history
    assert any("." in decode(e.body)["updatedAt"] for e in history if e.cause == "live")
    assert all(parse(decode(e.body)["updatedAt"]) == e.at for e in history if e.cause == "live")


def test_a_served_world_moves_at_the_rate_asked_for_and_stands_still_at_zero(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, "--vehicles", "60", "--mfa-type", "none") as served:
        before = served.stats()["lastSeq"]
        served.live(200)
        deadline = time.monotonic() + 20
        while served.stats()["lastSeq"] < before + 60 and time.monotonic() < deadline:
            time.sleep(0.02)
        served.live(0)
        after = served.stats()["lastSeq"]
        assert after >= before + 60
        history = served.control(f"history?since={before}")
        assert {entry["cause"] for entry in history} == {"live"}
        assert len(history) == after - before
        time.sleep(0.1)
        assert served.stats()["lastSeq"] == after
