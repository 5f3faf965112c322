"""The books of every world: recaps, receipts, deposits and periods tie to what they are about."""

from __future__ import annotations

import random
import typing as t
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from support.books import Books
from support.worlds import ANCHOR, World, seeds, some_worlds, world

from automate_sandbox.instants import parse
from automate_sandbox.world.chart import CHART
from automate_sandbox.world.deals import Course
from automate_sandbox.world.numbers import Numbers
from automate_sandbox.world.periods import fiscal_month, make_period, spans
from automate_sandbox.world.receipts import MISTAKEN_FOR, of_deal
from automate_sandbox.world.rooftops import rooftop_of

IN_THE_MORNING: t.Final = parse("2026-03-18T12:30:00Z") // 1000
"""Half past eight in New York: yesterday's money is counted and not yet at the bank."""


@pytest.fixture(scope="module")
def full() -> World:
    return world(7, 2000)


@given(seeds)
@some_worlds
def test_recaps_add_up_and_the_version_that_stands_is_the_gross_of_its_deal(seed: int) -> None:
    Books(world(seed, 200)).hold_recaps()


@given(seeds)
@some_worlds
def test_the_recap_of_a_delivery_is_what_its_journal_says(seed: int) -> None:
    Books(world(seed, 200)).hold_recaps_to_the_ledger()


@given(seeds)
@some_worlds
def test_contracts_in_transit_are_the_deals_that_no_lender_has_paid_for(seed: int) -> None:
    Books(world(seed, 200)).hold_contracts_in_transit()


@given(seeds)
@some_worlds
def test_the_ledger_begins_with_what_there_was_so_that_accounts_have_balances(seed: int) -> None:
    books = Books(world(seed, 200))
    books.hold_vehicle_inventory()
    books.hold_assets()


@given(seeds)
@some_worlds
def test_the_tenders_of_a_receipt_are_what_it_is_applied_to_and_what_is_posted(seed: int) -> None:
    Books(world(seed, 200)).hold_receipts()


@given(seeds)
@some_worlds
def test_the_cash_down_of_a_deal_comes_in_once_and_goes_back_when_it_is_unwound(
    seed: int,
) -> None:
    Books(world(seed, 200)).hold_deals_to_receipts()


@given(seeds)
@some_worlds
def test_what_customers_owe_for_orders_is_what_no_receipt_has_paid(seed: int) -> None:
    Books(world(seed, 200)).hold_orders_to_receipts()


@given(seeds)
@some_worlds
def test_deposits_are_their_receipts_and_the_cash_on_hand_is_what_is_left(seed: int) -> None:
    Books(world(seed, 200)).hold_deposits()


@given(seeds)
@some_worlds
def test_every_entry_lies_in_a_period_that_says_the_same_of_itself(seed: int) -> None:
    Books(world(seed, 200)).hold_periods()


@pytest.mark.parametrize(
    "anchor", ["2026-01-01T00:00:00Z", "2026-11-01T06:30:00Z", "2028-03-01T05:00:00Z"]
)
def test_the_books_tie_at_odd_instants_too(anchor: str) -> None:
    Books(world(3, 150, 6, parse(anchor) // 1000)).hold()


@given(seeds)
@some_worlds
def test_every_reference_of_the_books_leads_to_a_record(seed: int) -> None:
    made = world(seed, 200)
    references = {
        ("deal_recaps", "dealId"): "deals",
        ("receipts", "customerId"): "customers",
        ("receipts", "depositId"): "deposits",
        ("receipts", "journalEntryId"): "gl_entries",
        ("receipts", "reversesReceiptId"): "receipts",
        ("deposits", "journalEntryId"): "gl_entries",
        ("gl_entries", "receiptId"): "receipts",
    }
    for (stream, field), target in references.items():
        for record in made[stream].values():
            assert record[field] is None or record[field] in made[target]
    for recap in made["deal_recaps"].values():
        assert {each["userId"] for each in recap["commissions"]} <= set(made["users"])
    for receipt in made["receipts"].values():
        for item in receipt["appliedTo"]:
            number = {"deal": "dealNumber", "repair_order": "roNumber"}[item["type"]]
            assert made[f"{item['type']}s"][item["id"]][number] == item["number"]
    chart = {(each["companyId"], each["accountNumber"]) for each in made["gl_accounts"].values()}
    companies = {key: each["companyId"] for key, each in made["rooftops"].items()}
    for entry in made["gl_entries"].values():
        assert {(entry["companyId"], line["accountNumber"]) for line in entry["lines"]} <= chart
    for deposit in made["deposits"].values():
        assert (companies[deposit["rooftopId"]], deposit["bankGlAccountNumber"]) in chart


def test_the_periods_of_a_company_follow_each_other_and_only_todays_is_open(full: World) -> None:
    for rooftop in full["rooftops"].values():
        periods = [
            period
            for period in full["accounting_periods"].values()
            if period["companyId"] == rooftop["companyId"]
        ]
        months = sorted(p["startDate"] for p in periods if not p["isAdjustingPeriod"])
        ends = sorted(p["endDate"] for p in periods if not p["isAdjustingPeriod"])
        assert months[0] == "2025-01-01"
        assert months[-1] == "2026-03-01"
        for end, start in zip(ends, months[1:], strict=False):
            assert date.fromisoformat(end) + timedelta(days=1) == date.fromisoformat(start)
        (adjusting,) = (p for p in periods if p["isAdjustingPeriod"])
        assert adjusting["fiscalYear"], adjusting["fiscalPeriod"] == (2025, 13)
        assert adjusting["startDate"] == adjusting["endDate"] == "2025-12-31"
        open_ones = [p for p in periods if p["periodStatus"] == "open"]
        assert [p["startDate"] for p in open_ones] == ["2026-03-01"]
        for period in periods:
            assert (period["closedAt"] is None) == (period["periodStatus"] == "open")


def test_a_fiscal_year_begins_when_the_rooftop_says() -> None:
    record = {"rooftopId": "rt_1", "companyId": "01", "timeZone": "America/Chicago"}
    record |= {"fiscalYearStartMonth": 7, "hasThirteenthPeriod": True}  # type: ignore[dict-item]
    rooftop = rooftop_of(record, 0, ANCHOR)
    assert fiscal_month(rooftop, date(2025, 6, 30)) == (2025, 12)
    assert fiscal_month(rooftop, date(2025, 7, 1)) == (2026, 1)
    assert fiscal_month(rooftop, date(2026, 1, 1)) == (2026, 7)
    found = list(spans(rooftop, date(2025, 1, 15), date(2025, 8, 3)))
    names = [(span.year, span.period) for span in found]
    assert names == [*((2025, month) for month in range(1, 14)), (2026, 1), (2026, 2)]
    assert found[0].start == date(2024, 7, 1)
    assert found[12].start == found[12].end == date(2025, 6, 30)
    # The 13th period is there once its year is over, and not on its last day.
    last = date(2025, 6, 30)
    assert [span.period for span in spans(rooftop, last, last)][12:] == []
    assert [span.period for span in spans(rooftop, last, date(2025, 7, 1))][12:] == [13, 1]
    closed = make_period(Numbers(1), rooftop, found[7], date(2025, 8, 3), 0)
    # February ends at midnight in Chicago, six hours behind UTC.
    assert closed["closedAt"] == "2025-03-01T05:59:59Z"


def test_yesterdays_receipts_are_counted_before_they_are_at_the_bank() -> None:
    made = world(7, 400, 1, IN_THE_MORNING)
    Books(made).hold()
    statuses = Counter(deposit["status"] for deposit in made["deposits"].values())
    assert statuses["prepared"] == 1
    assert statuses["deposited"] > 0
    assert statuses["reconciled"] > statuses["deposited"]


def test_even_a_receipt_that_is_a_mistake_is_no_older_than_its_deal() -> None:
    deal = {"dealId": "deal_1", "dealNumber": "D-1", "customerId": "cust_1"}
    deal |= {"finance": {"cashDown": Decimal(5000)}}  # type: ignore[dict-item]
    course = Course(0, MISTAKEN_FOR + 1, 9_000, 10_000)
    held = [
        payment.at
        for seed in range(40)
        for payment in of_deal(random.Random(seed), deal, course)  # noqa: S311 - no secret
        if payment.kind == "deposit"
    ]
    assert held
    assert min(held) >= MISTAKEN_FOR


def test_the_awkward_facts_of_the_cashier_are_there(full: World) -> None:
    receipts, deposits = full["receipts"].values(), full["deposits"].values()
    kinds = {receipt["receiptType"] for receipt in receipts}
    assert kinds == {"payment", "deposit", "down_payment", "refund", "reversal"}
    statuses = {receipt["status"] for receipt in receipts}
    assert statuses == {"open", "posted", "deposited", "voided", "reversed"}
    assert any(len(receipt["tenders"]) > 1 for receipt in receipts)
    assert any(len(receipt["appliedTo"]) > 1 for receipt in receipts)
    tenders = [tender for receipt in receipts for tender in receipt["tenders"]]
    assert {t["tenderType"] for t in tenders} == {"cash", "check", "card", "ach", "other"}
    assert any((tender["reference"] or "").startswith("0") for tender in tenders)
    # Nothing that could be the number of a card or of a bank account.
    assert all(len(tender["reference"] or "") < 8 for tender in tenders)
    assert any(deposit["overShort"] > 0 for deposit in deposits)
    assert any(deposit["overShort"] < 0 for deposit in deposits)
    assert CHART["bank"].number.startswith("0")
    open_ones = [receipt for receipt in receipts if receipt["status"] == "open"]
    assert {receipt["businessDate"] for receipt in open_ones} == {"2026-03-18"}


def test_recaps_come_in_every_status_and_some_buyers_still_owe_cash_down(full: World) -> None:
    recaps = full["deal_recaps"].values()
    statuses = Counter(recap["recapStatus"] for recap in recaps)
    assert set(statuses) == {"draft", "final", "revised", "reversed"}
    assert any(r["totals"]["balanceDue"] > 0 for r in recaps if r["recapStatus"] == "final")
    assert any(order["totals"]["balanceDue"] for order in full["repair_orders"].values())


def test_accounting_makes_no_more_records_than_a_few_for_each_sale_and_each_order(
    full: World,
) -> None:
    causes = len(full["deals"]) + len(full["repair_orders"])
    assert len(full["receipts"]) < causes
    assert len(full["deal_recaps"]) < 3 * len(full["deals"])
    assert len(full["deposits"]) <= 62 * len(full["rooftops"])
