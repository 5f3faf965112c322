"""What holds in every world, whatever its seed."""

from __future__ import annotations

import typing as t
from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.worlds import ANCHOR, World, seeds, some_worlds, world

from automate_sandbox import contract_file
from automate_sandbox.instants import parse
from automate_sandbox.money import encode
from automate_sandbox.resources import resources
from automate_sandbox.world.calendar import DAY
from automate_sandbox.world.chart import CHART
from automate_sandbox.world.generate import Generator, Size
from automate_sandbox.world.vin import check_digit

if t.TYPE_CHECKING:
    from automate_sandbox.money import Record

ZERO: t.Final = Decimal(0)


@pytest.fixture(scope="module")
def full() -> World:
    return world(7, 2000)


@pytest.mark.parametrize("stream", sorted(resources()))
def test_every_record_keeps_the_contract_and_names_no_other_field(full: World, stream: str) -> None:
    schema = resources()[stream].schema
    validator = contract_file.validator(schema)
    known = contract_file.properties(schema)
    for record in full[stream].values():
        plain = msgspec.json.decode(encode(record))
        assert [error.instance_path for error in validator.iter_errors(plain)] == []
        assert set(record) == known


def test_same_seed_and_anchor_make_the_same_bytes() -> None:
    first, second = (
        b"\n".join(encode(pair) for pair in Generator(11, Size(2, 80, 30), ANCHOR).records())
        for _ in range(2)
    )
    assert first == second


def test_another_seed_makes_another_world() -> None:
    assert world(1, 40)["vehicles"] != world(2, 40)["vehicles"]


@given(seeds, st.integers(1, 60), st.integers(1, 8))
@some_worlds
def test_nothing_is_newer_than_the_anchor_or_older_than_its_creation(
    seed: int, vehicles: int, rooftops: int
) -> None:
    for records in world(seed, vehicles, rooftops).values():
        for record in records.values():
            assert parse(record["createdAt"]) <= parse(record["updatedAt"]) < ANCHOR * 1000


@pytest.mark.parametrize(
    "anchor",
    [
        "2026-01-01T00:00:00Z",
        "2026-03-08T10:00:00Z",
        "2026-11-01T06:30:00Z",
        "2028-02-29T23:59:59Z",
        "2028-03-01T05:00:00Z",
    ],
    ids=["new year", "clocks go forward", "clocks go back", "leap day", "month begins"],
)
def test_odd_anchors_make_sound_worlds(anchor: str) -> None:
    instant = parse(anchor) // 1000
    for stream, record in Generator(3, Size(6, 150, 40), instant).records():
        assert parse(record["createdAt"]) <= parse(record["updatedAt"]) < instant * 1000
        if stream == "gl_entries":
            assert record["totalDebit"] == record["totalCredit"]
            year, month = map(int, record["accountingDate"].split("-")[:2])
            assert record["fiscalYear"] == year
            assert record["fiscalPeriod"] == (13 if record["isAdjustingPeriod"] else month)


@given(seeds)
@some_worlds
def test_every_reference_leads_to_a_record(seed: int) -> None:
    made = world(seed, 200)
    references = {
        "customerId": "customers",
        "vehicleId": "vehicles",
        "previousDealId": "deals",
        "dealId": "deals",
        "repairOrderId": "repair_orders",
        "appointmentId": "service_appointments",
        "salespersonId": "users",
        "fniManagerId": "users",
        "advisorId": "users",
        "mergedIntoCustomerId": "customers",
        "reversesJournalEntryId": "gl_entries",
        "reversedByJournalEntryId": "gl_entries",
    }
    for records in made.values():
        for record in records.values():
            for field, stream in references.items():
                assert record.get(field) is None or record[field] in made[stream]
            assert (record["rooftopId"] or None) in {None, *made["rooftops"]}


@given(seeds)
@some_worlds
def test_every_journal_entry_balances_to_the_cent(seed: int) -> None:
    for entry in world(seed, 200)["gl_entries"].values():
        lines = entry["lines"]
        assert sum(line["debit"] for line in lines) == entry["totalDebit"]
        assert sum(line["credit"] for line in lines) == entry["totalCredit"]
        assert entry["totalDebit"] == entry["totalCredit"] > 0
        assert all(line["amount"] == line["debit"] - line["credit"] for line in lines)
        assert [line["sequence"] for line in lines] == list(range(1, len(lines) + 1))
        assert len({line["lineId"] for line in lines}) == len(lines)


@given(seeds)
@some_worlds
def test_a_delivered_deal_has_its_customer_its_sold_vehicle_and_its_journal(seed: int) -> None:
    made = world(seed, 200)
    journals = _by(made, "dealId")
    for deal in made["deals"].values():
        entries = journals[deal["dealId"]]
        if deal["status"] not in {"delivered", "finalized", "unwound"}:
            assert not entries
            continue
        original = next(entry for entry in entries if not entry["reversesJournalEntryId"])
        accounts = _turnover([original])
        price = deal["pricing"]["salePrice"] - deal["pricing"]["discounts"]
        side = "new" if deal["saleClass"] == "new" else "used"
        assert accounts[CHART[f"{side}_sales"].number] == -price
        assert accounts[CHART["contracts"].number] == deal["finance"]["amountFinanced"]
        assert accounts[CHART["sales_tax"].number] == -deal["taxes"]["amount"]
        assert accounts[CHART[f"{side}_cost"].number] - price == -deal["gross"]["front"]
        assert deal["customerId"] in made["customers"]
        if deal["status"] != "unwound":
            vehicle = made["vehicles"][deal["vehicle"]["vehicleId"]]
            assert vehicle["status"] == "retail_sold"
            paid = deal["fundingStatus"] == "funded" and deal["finance"]["amountFinanced"] > 0
            assert len(entries) == 1 + paid
            assert deal["accountingStatus"] == "posted"


@given(seeds)
@some_worlds
def test_an_unwound_deal_has_a_reversal_that_leaves_nothing(seed: int) -> None:
    made = world(seed, 200)
    journals = _by(made, "dealId")
    unwound = [deal for deal in made["deals"].values() if deal["status"] == "unwound"]
    for deal in unwound:
        original, reversal = sorted(
            journals[deal["dealId"]], key=lambda entry: bool(entry["reversesJournalEntryId"])
        )
        assert original["status"] == "reversed"
        assert original["reversedByJournalEntryId"] == reversal["journalEntryId"]
        assert set(_turnover([original, reversal]).values()) == {ZERO}
        units = [line["unitCount"] for line in reversal["lines"] if line["unitCount"]]
        assert units == [-1]


@given(seeds)
@some_worlds
def test_a_vehicle_is_in_no_two_deals_that_hold(seed: int) -> None:
    made = world(seed, 200)
    held = Counter(
        deal["vehicle"]["vehicleId"]
        for deal in made["deals"].values()
        if deal["status"] in {"delivered", "finalized"}
    )
    sold = {key for key, vehicle in made["vehicles"].items() if vehicle["status"] == "retail_sold"}
    assert set(held.values()) <= {1}
    assert set(held) == sold


@given(seeds)
@some_worlds
def test_what_a_deal_brings_in_equals_what_it_costs_the_buyer(seed: int) -> None:
    for deal in world(seed, 200)["deals"].values():
        pricing, finance = deal["pricing"], deal["finance"]
        traded = sum(trade["acv"] - trade["payoff"] for trade in deal["tradeIns"])
        paid = finance["amountFinanced"] + finance["cashDown"] + pricing["rebates"] + traded
        assert paid == pricing["totalPrice"]
        assert deal["gross"]["front"] + deal["gross"]["back"] == deal["gross"]["total"]
        assert deal["tradeIn"] == (deal["tradeIns"] or [None])[0]
        assert sum(item["amount"] for item in deal["taxes"]["items"]) == deal["taxes"]["amount"]


@given(seeds)
@some_worlds
def test_a_closed_pay_type_of_an_order_has_one_journal_that_stands(seed: int) -> None:
    made = world(seed, 200)
    journals = _by(made, "repairOrderId")
    for order in made["repair_orders"].values():
        entries = journals[order["repairOrderId"]]
        standing = [
            e for e in entries if e["status"] == "posted" and not e["reversesJournalEntryId"]
        ]
        closed = [p for p in order["payTypeStatuses"] if p["status"] == "closed"]
        assert sorted(e["lines"][0]["amount"] for e in standing) == sorted(
            p["amount"] for p in closed
        )
        assert len(standing) == len(closed)
        assert (order["status"] == "closed") == (bool(order["finalClosedAt"]))
        assert not closed or order["closedAt"]


@given(seeds)
@some_worlds
def test_the_totals_of_an_order_are_the_sums_of_its_lines(seed: int) -> None:
    for order in world(seed, 200)["repair_orders"].values():
        totals, lines = order["totals"], order["lines"]
        assert totals["labor"] == sum(line["laborSale"] for line in lines)
        assert totals["parts"] == sum(
            part["extendedPrice"] for line in lines for part in line["parts"]
        )
        parts_of_total = ("labor", "parts", "sublet", "gasOilGrease", "shopSupplies", "fees", "tax")
        assert sum(totals[name] for name in parts_of_total) - totals["discounts"] == totals["total"]
        assert sum(item["amount"] for item in order["payTypeStatuses"]) == totals["total"]
        assert totals["paid"] + totals["balanceDue"] == totals["total"]


def test_every_vin_has_its_check_digit_and_comes_once(full: World) -> None:
    vins = [vehicle["vin"] for vehicle in full["vehicles"].values()]
    assert len(set(vins)) == len(vins)
    for vin in vins:
        assert len(vin) == 17
        assert vin[8] == check_digit(vin)


def test_check_digit_agrees_with_a_real_vin() -> None:
    # A widely published example of the calculation.
    assert check_digit("1M8GDM9AXKP042788") == "X"


def test_the_awkward_facts_of_the_trade_are_there(full: World) -> None:
    orders, deals = full["repair_orders"].values(), full["deals"].values()
    entries, customers = full["gl_entries"].values(), full["customers"].values()
    orders_by_status = Counter(order["status"] for order in orders)
    assert orders_by_status["partially_closed"] > 0
    assert orders_by_status["voided"] > 0
    assert any(order["reopenCount"] for order in orders)
    late = [o for o in orders if o["status"] == "waiting_parts" and _past_its_promise(o)]
    assert 3 <= len(late) <= 40
    assert any(order["rooftopId"] == "" for order in orders)
    assert any(order["rooftopId"] is None for order in orders)
    assert any(deal["status"] == "unwound" for deal in deals)
    assert any(deal["previousDealId"] for deal in deals)
    assert any(
        item["ratePercent"] == Decimal("0.0375") for d in deals for item in d["taxes"]["items"]
    )
    assert any(entry["fiscalPeriod"] == 13 for entry in entries)
    assert any(entry["accountingDate"][:7] < entry["documentDate"][:7] for entry in entries)
    assert {entry["status"] for entry in entries} == {"posted", "reversed", "unposted", "voided"}
    repeated = (Counter(line["accountNumber"] for line in entry["lines"]) for entry in entries)
    assert any(max(count.values()) > 1 for count in repeated)
    assert any(customer["mergedIntoCustomerId"] for customer in customers)
    assert any(customer["dateOfBirth"] in {"1000-01-01", "1910-01-01"} for customer in customers)
    assert any(vehicle["acquisitionDate"] == "0001-01-01" for vehicle in full["vehicles"].values())
    numbers = {account["accountNumber"] for account in full["gl_accounts"].values()}
    assert any(number.startswith("0") for number in numbers)
    assert any(not number.isdigit() for number in numbers)
    four_digits = (p["unitCost"] for o in orders for line in o["lines"] for p in line["parts"])
    assert any(cost != round(cost, 2) for cost in four_digits)


def test_some_orders_are_opened_ten_minutes_before_midnight_by_the_rooftops_clock(
    full: World,
) -> None:
    zones = {key: ZoneInfo(r["timeZone"]) for key, r in full["rooftops"].items()}
    assert len({str(zone) for zone in zones.values()}) == 2
    late = 0
    for order in full["repair_orders"].values():
        if order["rooftopId"]:
            opened = parse(order["openedAt"]) // 1000
            local = _local(opened, zones[order["rooftopId"]])
            late += local >= "23:50"
    assert late > 0


def test_appointments_are_to_come_kept_missed_or_cancelled(full: World) -> None:
    zones = {key: ZoneInfo(r["timeZone"]) for key, r in full["rooftops"].items()}
    orders, booked = full["repair_orders"], full["service_appointments"]
    for appointment in booked.values():
        begins = parse(appointment["appointmentTime"])
        assert parse(appointment["createdAt"]) < begins
        if appointment["rooftopId"]:
            zone = zones[appointment["rooftopId"]]
            local = datetime.fromtimestamp(begins // 1000, zone)
            assert appointment["appointmentTime"] == local.isoformat()
        order = orders.get(appointment["repairOrderId"])
        assert (appointment["status"] == "converted") == (order is not None)
        if order:
            assert order["appointmentId"] == appointment["appointmentId"]
            assert order["vin"] == appointment["vin"]
            assert appointment["updatedAt"] == order["openedAt"]
    assert {appointment["status"] for appointment in booked.values()} == {
        "scheduled",
        "confirmed",
        "converted",
        "no_show",
        "cancelled",
    }


def test_changes_are_spread_so_that_few_lie_in_the_last_two_minutes(full: World) -> None:
    for records in full.values():
        recent = [r for r in records.values() if parse(r["updatedAt"]) > (ANCHOR - 120) * 1000]
        assert len(recent) < 200


def test_some_vehicles_share_the_second_of_their_change(full: World) -> None:
    seconds = Counter(vehicle["updatedAt"] for vehicle in full["vehicles"].values())
    assert max(seconds.values()) > 50


def _past_its_promise(order: Record) -> bool:
    promised = order["promisedAt"]
    return not promised.startswith("1910-") and parse(promised) < (ANCHOR - DAY) * 1000


def _by(made: World, field: str) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for entry in made["gl_entries"].values():
        if entry[field]:
            found[entry[field]].append(entry)
    return found


def _turnover(entries: list[Record]) -> dict[str, Decimal]:
    """Sum each account's lines."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        for line in entry["lines"]:
            totals[line["accountNumber"]] += line["amount"]
    return totals


def _local(instant: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(instant, zone).strftime("%H:%M")
