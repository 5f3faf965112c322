# ruff: noqa: S608 - tables and ids of the test's own
"""What bites people who sync a DMS, as 18 notes from the field: none of it bites a warehouse here.

One dealership with the awkward facts of the trade, a first load, changes as a DMS makes them, a
second run, an audit; then each note is looked for in the warehouse.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import typing as t
from collections import Counter
from decimal import Decimal

import duckdb
import pytest
from support.dealership import Dealership, Run, dealership, pipe, run

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORLD = ("--vehicles", "400", "--days", "60", "--mfa-type", "none", "--now", "2026-03-18T17:30:00Z")
TODAY = dt.date(2026, 3, 18)
CLOSED_MONTH = "2026-01"

Record = dict[str, t.Any]


@dataclasses.dataclass
class Story:
    """A dealership, what was changed in it by name, and what the programs made of it."""

    dealer: Dealership
    warehouse: Path
    state: Path
    chosen: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    runs: list[Run] = dataclasses.field(default_factory=list)

    def query(self, sql: str) -> list[tuple[t.Any, ...]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'").fetchall()
            return connection.execute(sql).fetchall()

    def load(self) -> None:
        """Run tap and loader, as far behind the server's clock as they keep."""
        self.dealer.pass_time(10)
        done = pipe(self.dealer.config(), self.warehouse, self.state)
        assert done.code == 0, done.err
        self.runs.append(done)

    def put(self, stream: str, record: Record, **changes: t.Any) -> Record:  # noqa: ANN401 - fields
        """Have a version in the DMS, changed just now."""
        now = self.dealer.control("clock", {"advance": 1})["now"][:19] + "Z"
        made = {**record, **changes, "updatedAt": now}
        plain = json.loads(json.dumps(made, default=float))
        self.dealer.control("import", {"stream": stream, "records": [plain]})
        return made


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("notes")
    with dealership(folder, *WORLD) as dealer:
        told = Story(dealer, folder / "w.duckdb", folder / "state.json")
        before_the_first_load(told)
        told.load()
        between_the_loads(told)
        told.load()
        audit(told)
        yield told


def before_the_first_load(story: Story) -> None:
    """Add what a generated dealership has too seldom to rely on."""
    orders = [o for o in story.dealer.records("repair_orders") if o["status"] == "closed"]
    rooftops = {order["rooftopId"] for order in orders if order["rooftopId"]}
    order = next(o for o in orders if o["rooftopId"])
    [other, *_] = rooftops - {order["rooftopId"]}
    names = story.chosen
    names["twins"] = order["repairOrderId"], "ro_0003a"
    story.put("repair_orders", order, repairOrderId="ro_0003a", rooftopId=other)
    names["same day"] = order["repairOrderId"], "ro_0003b"
    visit = {"roNumber": "9900003", "status": "open", "closedAt": None, "finalClosedAt": None}
    story.put("repair_orders", order, repairOrderId="ro_0003b", **visit)
    deal = next(d for d in story.dealer.records("deals") if d["status"] == "penciled")
    names["early contract"] = deal["dealId"]
    story.put("deals", deal, status="contracted", contractDate="2026-04-30")
    alive = [c for c in story.dealer.records("customers") if not c["mergedIntoCustomerId"]]
    names["merged"] = [customer["customerId"] for customer in alive[:3]]
    first, second, last = names["merged"]
    story.dealer.control("merge", {"from": first, "into": second})
    story.dealer.control("merge", {"from": second, "into": last})


def between_the_loads(story: Story) -> None:
    """Change records as a DMS changes them."""
    closed = [
        order
        for order in story.dealer.records("repair_orders")
        if order["status"] == "closed" and not order["reopenCount"]
    ]
    names = story.chosen
    reopened, gone = closed[1], closed[2]
    names["reopened"] = reopened["repairOrderId"]
    story.put(
        "repair_orders",
        reopened,
        status="in_progress",
        closedAt=None,
        finalClosedAt=None,
        reopenedAt="2026-03-18T17:31:00Z",
        reopenCount=1,
    )
    names["gone"] = gone["repairOrderId"]
    story.dealer.control("delete", {"stream": "repair_orders", "keys": [gone["repairOrderId"]]})
    entry = next(
        entry
        for entry in story.dealer.records("gl_entries")
        if entry["accountingDate"].startswith(CLOSED_MONTH) and entry["status"] == "posted"
    )
    swapped = [
        {**line, "debit": line["credit"], "credit": line["debit"], "amount": -line["amount"]}
        for line in entry["lines"]
    ]
    corrections = {
        "je_0006a": {"reversesJournalEntryId": entry["journalEntryId"], "lines": swapped},
        "je_0006b": {},
    }
    names["corrected"] = entry["journalEntryId"], *corrections
    for name, changes in corrections.items():
        story.put("gl_entries", entry, journalEntryId=name, **changes)
    story.put("gl_entries", entry, status="reversed", reversedByJournalEntryId="je_0006a")
    deal = next(d for d in story.dealer.records("deals") if d["accountingStatus"] == "posted")
    price = deal["pricing"]["salePrice"] - 500
    names["edited"] = deal["dealId"], price
    story.put("deals", deal, pricing={**deal["pricing"], "salePrice": price})


def audit(story: Story) -> None:
    """Compare the warehouse with the DMS, and load what repairs it."""
    fixes = story.warehouse.with_name("fixes.jsonl")
    found = run(
        "automate-dms",
        *("audit", "--against", story.warehouse, "--config", story.dealer.config()),
        *("--state", story.state, "--output", fixes, "--stream", "repair_orders"),
    )
    assert found.code == 1, found.err
    loader = story.warehouse.with_suffix(".json")
    repaired = run("target-warehouse", "--config", loader, stdin=fixes.read_text("utf-8"))
    assert repaired.code == 0, repaired.err
    story.runs += [found, repaired]


def test_01_a_reopened_order_is_open_again_and_each_of_its_postings_is_there(story: Story) -> None:
    """1. Reopened ROs leave the day's totals; closed again, they post twice."""
    reopened = story.chosen["reopened"]
    row = story.query(
        "SELECT status, closedAt, finalClosedAt, reopenCount FROM repair_orders "
        f"WHERE repairOrderId = '{reopened}'"
    )
    assert row == [("in_progress", None, None, 1)]
    posted_twice = [
        order["repairOrderId"]
        for order in story.dealer.records("repair_orders")
        if order["reopenCount"] and order["status"] == "closed"
    ]
    assert posted_twice
    for order in posted_twice:
        wanted = {
            entry["journalEntryId"]
            for entry in story.dealer.records("gl_entries")
            if entry["repairOrderId"] == order
        }
        entries = story.query(
            "SELECT journalEntryId, reversesJournalEntryId IS NOT NULL FROM gl_entries "
            f"WHERE repairOrderId = '{order}'"
        )
        assert {name for name, _ in entries} == wanted
        postings = [name for name, is_reversal in entries if not is_reversal]
        assert len(postings) - (len(entries) - len(postings)) == len(postings) // 2 > 0


def test_02_customer_pay_is_closed_while_warranty_is_open(story: Story) -> None:
    """2. Partial close: customer pay closes today, warranty waits for the claim."""
    rows = story.query(
        "SELECT closedAt, finalClosedAt, payTypeStatuses FROM repair_orders "
        "WHERE status = 'partially_closed'"
    )
    assert rows
    for closed, finally_closed, pay_types in rows:
        assert closed is not None
        assert finally_closed is None
        states = {each["payType"]: each["status"] for each in json.loads(pay_types)}
        assert set(states.values()) >= {"open", "closed"}


def test_03_orders_with_one_number_or_one_car_and_day_are_two(story: Story) -> None:
    """3. Rooftop + RO number identifies an order; VIN + date does not."""
    for name, same in (("twins", "roNumber"), ("same day", "vin")):
        ids = story.chosen[name]
        rows = story.query(
            f"SELECT {same}, rooftopId, roNumber, status FROM repair_orders "
            f"WHERE repairOrderId IN {ids}"
        )
        assert len(rows) == 2
        assert len({row[0] for row in rows}) == 1
        assert len({row[1:3] for row in rows}) == 2
    stated = story.query("SELECT count(*), count(DISTINCT repairOrderId) FROM repair_orders")
    assert stated[0][0] == stated[0][1]


def test_04_voided_orders_are_rows_and_a_vanished_one_is_marked(story: Story) -> None:
    """4. Voids are states, deletes vanish: an upsert-only mirror drifts without a sweep."""
    voided = [o for o in story.dealer.records("repair_orders") if o["status"] == "voided"]
    found = story.query(
        "SELECT count(*) FROM repair_orders WHERE status = 'voided' AND voidedAt IS NOT NULL"
    )
    assert found == [(len(voided),)]
    assert voided
    gone = story.chosen["gone"]
    rows = story.query(
        f"SELECT deletedAt IS NOT NULL, vin FROM repair_orders WHERE repairOrderId = '{gone}'"
    )
    assert len(rows) == 1
    assert rows[0][0] is True
    assert rows[0][1], "a tombstone keeps the last version"


def test_05_an_unwound_deal_is_a_row_with_its_reversal_and_its_vehicle_is_free(
    story: Story,
) -> None:
    """5. An unwound deal puts the vehicle back in stock and may be sent again; unit count -1."""
    unwound = [d for d in story.dealer.records("deals") if d["status"] == "unwound"]
    assert unwound
    for deal in unwound:
        name, car = deal["dealId"], deal["vehicle"]["vehicleId"]
        units = story.query(
            "SELECT count(DISTINCT e.journalEntryId), sum(l.unitCount), sum(l.amount) "
            "FROM gl_entries e JOIN gl_entry_lines l ON l.journalEntryId = e.journalEntryId "
            f"AND l.parentUpdatedAt = e.updatedAt WHERE e.dealId = '{name}' "
            "AND e.sourceModule = 'sales'"
        )
        assert units == [(2, 0, Decimal(0))]
        recaps = story.query(f"SELECT min(unitCount) FROM deal_recaps WHERE dealId = '{name}'")
        assert recaps == [(-1,)]
        again = story.query(
            f"SELECT count(*) FROM deals WHERE vehicle->>'vehicleId' = '{car}' "
            "AND status IN ('delivered', 'finalized')"
        )
        status = story.query(f"SELECT status FROM vehicles WHERE vehicleId = '{car}'")
        assert status == [("retail_sold" if again[0][0] else "in_stock",)]


def test_06_corrections_that_are_dated_back_arrive_and_the_closed_month_is_named(
    story: Story,
) -> None:
    """6. Back-dated postings land in a closed month, as reversal and repost."""
    original, *corrections = story.chosen["corrected"]
    rows = story.query(
        "SELECT journalEntryId, status, month(accountingDate) FROM gl_entries "
        f"WHERE journalEntryId IN {(original, *corrections)} ORDER BY createdAt, journalEntryId"
    )
    assert {row[0] for row in rows} == {original, *corrections}
    assert {row[2] for row in rows} == {1}
    assert dict(row[:2] for row in rows)[original] == "reversed"
    sums = story.query(
        "SELECT sum(l.debit) - sum(l.credit) FROM gl_entries e JOIN gl_entry_lines l "
        "ON l.journalEntryId = e.journalEntryId AND l.parentUpdatedAt = e.updatedAt "
        f"WHERE strftime(e.accountingDate, '%Y-%m') = '{CLOSED_MONTH}'"
    )
    assert sums == [(Decimal(0),)]
    assert "period 2026-01" in story.runs[1].err
    assert "period 2026-01" not in story.runs[0].err


def test_07_the_thirteenth_month_is_read_like_the_others(story: Story) -> None:
    """7. A 13th month holds year-end entries; `month` 1-12 breaks."""
    year_end = [e for e in story.dealer.records("gl_entries") if e["fiscalPeriod"] == 13]
    found = story.query(
        "SELECT count(*), bool_and(isAdjustingPeriod), bool_and(month(accountingDate) = 12) "
        "FROM gl_entries WHERE fiscalPeriod = 13"
    )
    assert found == [(len(year_end), True, True)]
    assert year_end
    periods = story.query("SELECT max(fiscalPeriod) FROM accounting_periods")
    assert periods == [(13,)]


def test_08_each_date_is_its_own_and_stays_a_day_in_the_rooftops_zone(story: Story) -> None:
    """8. Contract, sold, delivered, accounting and posting dates differ; some lie ahead."""
    deal = story.chosen["early contract"]
    ahead = story.query(f"SELECT contractDate FROM deals WHERE dealId = '{deal}'")
    assert ahead == [(dt.date(2026, 4, 30),)]
    assert ahead[0][0] > TODAY
    zones = {r["rooftopId"]: r["timeZone"] for r in story.dealer.records("rooftops")}
    other_day = 0
    for name, sold, delivered, rooftop in story.query(
        "SELECT dealId, soldDate, deliveredAt, rooftopId FROM deals WHERE soldDate IS NOT NULL"
    ):
        local = story.query(
            f"SELECT CAST(timezone('{zones[rooftop]}', TIMESTAMPTZ '{delivered}') AS DATE)"
        )
        assert sold == local[0][0], name
        other_day += sold != delivered.date()
    assert other_day, "no deal was delivered in the evening"


def test_09_sentinel_dates_are_null_and_zeros_and_empty_texts_stay(story: Story) -> None:
    """9. Sentinels: 1000-01-01, 0001-01-01, 1910-01-01; 0 for unknown; empty strings."""
    odd = [
        order["repairOrderId"]
        for order in story.dealer.records("repair_orders")
        if order["promisedAt"].startswith("1910")
    ]
    nulls = story.query("SELECT repairOrderId FROM repair_orders WHERE promisedAt IS NULL")
    assert {row[0] for row in nulls} == {*odd} > set()
    for table, column in (("vehicles", "acquisitionDate"), ("repair_orders", "promisedAt")):
        assert story.query(f"SELECT count(*) FROM {table} WHERE year({column}) < 1950") == [(0,)]
    unknown = [v for v in story.dealer.records("vehicles") if v["msrp"] == 0]
    assert story.query("SELECT count(*) FROM vehicles WHERE msrp = 0") == [(len(unknown),)]
    blank = [c for c in story.dealer.records("customers") if c["middleName"] == ""]
    assert story.query("SELECT count(*) FROM customers WHERE middleName = ''") == [(len(blank),)]
    assert unknown
    assert blank


def test_10_rows_without_a_store_are_read(story: Story) -> None:
    """10. Store attribution may be blank."""
    for stream in ("customers", "repair_orders"):
        blank = [r for r in story.dealer.records(stream) if not r["rooftopId"]]
        found = story.query(f"SELECT count(*) FROM {stream} WHERE coalesce(rooftopId, '') = ''")
        assert found == [(len(blank),)]
        assert blank


def test_11_codes_are_texts_and_an_account_may_come_twice_in_an_entry(story: Story) -> None:
    """11. Codes look numeric; a client that keys on document, date and account overwrites."""
    numbers = {account["accountNumber"] for account in story.dealer.records("gl_accounts")}
    assert any(number.startswith("0") for number in numbers)
    assert any(not number.isdigit() for number in numbers)
    found = story.query("SELECT DISTINCT accountNumber FROM gl_accounts")
    assert {row[0] for row in found} == numbers
    twice = story.query(
        "SELECT count(*) FROM (SELECT 1 FROM gl_entries e JOIN gl_entry_lines l "
        "ON l.journalEntryId = e.journalEntryId AND l.parentUpdatedAt = e.updatedAt "
        "GROUP BY e.journalEntryId, l.accountNumber HAVING count(*) > 1)"
    )
    repeated = [
        account
        for entry in story.dealer.records("gl_entries")
        for account, times in Counter(line["accountNumber"] for line in entry["lines"]).items()
        if times > 1
    ]
    assert twice == [(len(repeated),)]
    assert repeated
    lines = sum(len(entry["lines"]) for entry in story.dealer.records("gl_entries"))
    current = story.query(
        "SELECT count(*) FROM gl_entries e JOIN gl_entry_lines l "
        "ON l.journalEntryId = e.journalEntryId AND l.parentUpdatedAt = e.updatedAt"
    )
    assert current == [(lines,)]


def test_12_three_programs_have_logged_in_once(story: Story) -> None:
    """12. Vendors disable users for automated access: one account, one session."""
    stats = story.dealer.stats()
    assert stats["logins"] == 1
    assert stats["rejected_logins"] == 0
    assert stats["rejected_tokens"] == 0


def test_13_licence_and_birthday_are_nowhere_and_no_contact_is_in_log_or_state(
    story: Story,
) -> None:
    """13. PII: deny by default, nothing in logs or state."""
    customers = story.dealer.records("customers")
    licences = {c["driversLicense"]["number"] for c in customers if c["driversLicense"]}
    contacts = {email for c in customers for email in c["emails"]}
    contacts |= {phone["number"] for c in customers for phone in c["phones"]}
    assert licences
    assert contacts
    written = "".join(done.out for done in story.runs)
    said = "".join(done.err for done in story.runs) + story.state.read_text("utf-8")
    assert not [licence for licence in licences if licence in written + said]
    assert not [contact for contact in contacts if contact in said]
    columns = {row[0] for row in story.query("SELECT column_name FROM duckdb_columns()")}
    assert not columns & {"driversLicense", "dateOfBirth"}


def test_14_the_age_of_every_stream_is_shown(story: Story) -> None:
    """14. Most feeds are nightly: show each stream's age."""
    shown = run("automate-dms", "warehouse", "show", story.warehouse)
    assert shown.code == 0, shown.err
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in shown.out.splitlines()
        if line.startswith("│")
    ]
    ages = {row[0]: row[-1] for row in rows}
    for stream in ("vehicles", "repair_orders", "gl_entries", "receipts", "events"):
        assert ages[stream] not in {"", "-"}


def test_15_a_rooftop_is_found_by_the_id_that_accounting_knows_it_by(story: Story) -> None:
    """15. Each module may know a rooftop by another id: a rooftop is a mapping."""
    found = story.query(
        "SELECT count(*), count(r.rooftopId), bool_and(r.rooftopId = e.rooftopId), "
        "bool_or(e.companyId = e.rooftopId) FROM gl_entries e "
        "LEFT JOIN rooftops r ON r.companyId = e.companyId"
    )
    count = len(story.dealer.records("gl_entries"))
    assert found == [(count, count, True, False)]


def test_16_merged_customers_lead_to_the_one_who_lives_on(story: Story) -> None:
    """16. One customer was found seven times in a DMS; ids get merged away."""
    first, second, last = story.chosen["merged"]
    chain = story.query(
        "WITH RECURSIVE chain AS (SELECT customerId, mergedIntoCustomerId, customerId AS start "
        "FROM customers UNION ALL SELECT c.customerId, c.mergedIntoCustomerId, chain.start "
        "FROM chain JOIN customers c ON c.customerId = chain.mergedIntoCustomerId) "
        "SELECT start, customerId FROM chain WHERE mergedIntoCustomerId IS NULL"
    )
    alive = dict(chain)
    assert alive[first] == alive[second] == alive[last] == last
    assert len(alive) == len(story.dealer.records("customers"))


def test_17_a_down_payment_has_every_digit(story: Story) -> None:
    """17. A misstated down payment can force a lender to make the dealer buy a contract back."""
    wanted = {
        deal["dealId"]: deal["finance"]["cashDown"]
        for deal in story.dealer.records("deals")
        if deal["finance"]
    }
    found = story.query(
        "SELECT dealId, finance->>'cashDown', typeof(finance) FROM deals WHERE finance IS NOT NULL"
    )
    assert {name: Decimal(text) for name, text, _ in found} == wanted
    assert any(amount for amount in wanted.values())
    columns = story.query(
        "SELECT count(*) FROM duckdb_columns() "
        "WHERE data_type IN ('DOUBLE', 'FLOAT') AND NOT internal"
    )
    assert columns == [(0,)]


def test_18_a_deal_that_was_edited_after_it_was_posted_shows_beside_its_journal(
    story: Story,
) -> None:
    """18. An edited deal is not sent to accounting again: a main cause of breaks."""
    deal, price = story.chosen["edited"]
    rows = story.query(
        "SELECT accountingStatus, CAST(pricing->>'salePrice' AS DECIMAL(18, 2)), "
        f"updatedAt > (SELECT max(postedAt) FROM gl_entries WHERE dealId = '{deal}') "
        f"FROM deals WHERE dealId = '{deal}'"
    )
    assert rows == [("posted", price, True)]
    posted = story.query(
        "SELECT -sum(l.amount) FROM gl_entries e JOIN gl_entry_lines l "
        "ON l.journalEntryId = e.journalEntryId AND l.parentUpdatedAt = e.updatedAt "
        f"WHERE e.dealId = '{deal}' AND l.description = 'Vehicle sale'"
    )
    discounts = story.query(
        "SELECT CAST(pricing->>'discounts' AS DECIMAL(18, 2)), "
        f"CAST(pricing->>'accessories' AS DECIMAL(18, 2)) FROM deals WHERE dealId = '{deal}'"
    )
    [(off, extra)] = discounts
    assert price - off + extra - posted[0][0] == -500
