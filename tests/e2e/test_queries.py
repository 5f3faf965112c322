"""The SQL of docs/queries.md gives what the dealership's records say (`support.answers`)."""

from __future__ import annotations

import datetime as dt
import io
import re
import time
import typing as t

import duckdb
import pytest
from support.answers import ANSWERS, STREAMS, Group, Record, Rows, instant, present
from support.dealership import dealership, pipe
from support.papers import ROOT
from support.singer import lines_of, record, schema

from target_warehouse.database import connect
from target_warehouse.show import Inspection
from target_warehouse.target import TargetWarehouse

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

WORLD = ("--vehicles", "300", "--days", "60", "--mfa-type", "none")
CHANGES = 400
LATER = dt.timedelta(hours=30)
"""How long after now the queries are asked: what was promised today is late by then."""


def queries() -> dict[str, list[str]]:
    """Return the SQL blocks of the page below each heading."""
    text = (ROOT / "docs/queries.md").read_text("utf-8")
    found: dict[str, list[str]] = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        found[title] = re.findall(r"^```sql\n(.*?)^```", body, re.MULTILINE | re.DOTALL)
    return found


QUERIES = queries()


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    directory = tmp_path_factory.mktemp("group")
    warehouse, state = directory / "w.duckdb", directory / "state.json"
    with dealership(directory, *WORLD) as dealer:
        first = pipe(dealer.config(), warehouse, state)
        assert first.code == 0, first.err
        before = {"vehicles": present(dealer, "vehicles")}
        # Until there is something to be found by each query: a receipt may have gone to the bank.
        for changes in range(CHANGES, 10 * CHANGES, CHANGES):
            dealer.live(CHANGES)
            while dealer.stats()["live"]["changed"] < changes:
                time.sleep(0.05)
            dealer.live(0)
            found = Group(before, dealer, warehouse)
            now = dt.datetime.now(dt.UTC) + LATER
            if all(answer(found, now) for answer in ANSWERS.values()):
                break
        dealer.pass_time(10)  # beyond the cool-down
        second = pipe(dealer.config(), warehouse, state)
        assert second.code == 0, second.err
        leave_behind(warehouse)
        yield found


def leave_behind(warehouse: Path) -> None:
    """Put into the warehouse what no answer may count: tombstones, and lines that are gone."""
    keys = {
        "rooftops": "rooftopId",
        "users": "userId",
        "vehicles": "vehicleId",
        "customers": "customerId",
        "deals": "dealId",
        "repair_orders": "repairOrderId",
        "gl_accounts": "glAccountId",
        "gl_entries": "journalEntryId",
        "accounting_periods": "periodId",
        "receipts": "receiptId",
        "deposits": "depositId",
        "deal_recaps": "dealRecapId",
    }
    assert keys.keys() == {*STREAMS}
    with duckdb.connect(str(warehouse)) as connection:
        for table, key in keys.items():
            # A merge holds although the id that was merged is deleted.
            merge = ', NULL AS "mergedIntoCustomerId"' if table == "customers" else ""
            connection.execute(
                f'INSERT INTO {table} SELECT * REPLACE (\'gone-\' || "{key}" AS "{key}", '  # noqa: S608 - tables of ours
                f'"updatedAt" AS "deletedAt"{merge}) FROM {table}'
            )
        for table in ("repair_order_lines", "gl_entry_lines"):
            connection.execute(
                f'INSERT INTO {table} SELECT * REPLACE (\'gone-\' || "lineId" AS "lineId", '  # noqa: S608 - tables of ours
                f'"parentUpdatedAt" - INTERVAL 1 HOUR AS "parentUpdatedAt") FROM {table}'
            )


def ask(path: Path, blocks: Iterable[str]) -> Rows:
    rows: Rows = []
    with duckdb.connect(str(path)) as connection:
        # An answer that depended on the session's zone would be another for each reader.
        connection.execute("SET TimeZone = 'Asia/Tokyo'").fetchall()
        for block in blocks:
            asked = block.replace("now()", f"(now() + INTERVAL {LATER.total_seconds()} SECOND)")
            rows = connection.execute(asked).fetchall()
    return rows


def test_the_page_and_this_file_have_the_same_queries() -> None:
    assert QUERIES.keys() == ANSWERS.keys()
    assert all(QUERIES.values())


@pytest.mark.parametrize("title", ANSWERS)
def test_the_answer_is_that_of_the_dealerships_records(group: Group, title: str) -> None:
    before = ANSWERS[title](group, dt.datetime.now(dt.UTC) + LATER)
    found = ask(group.warehouse, QUERIES[title])
    after = ANSWERS[title](group, dt.datetime.now(dt.UTC) + LATER)
    assert after, "nothing to be found: the dealership has to be larger"
    # A day or an hour may have ended in between.
    assert found in (before, after)


def test_the_gross_by_month_that_is_shown_is_that_of_the_page(group: Group) -> None:
    months: dict[str, list[t.Any]] = {}
    for month, _id, _name, *sums in ask(group.warehouse, QUERIES["Gross by month and salesperson"]):
        months[month] = [a + b for a, b in zip(months.get(month, [0] * 4), sums, strict=True)]
    connection = connect(group.warehouse, read_only=True)
    try:
        connection.execute("SET TimeZone = 'Asia/Tokyo'").fetchall()
        inspection = Inspection(connection, group.warehouse, "main")
        answers = inspection.answers(dt.datetime.now(dt.UTC).date())
    finally:
        connection.close()
    [shown] = [answer.rows for answer in answers if answer.title.startswith("Gross by month")]
    assert shown == [(month, *sums) for month, sums in sorted(months.items(), reverse=True)]


def test_an_entry_counts_as_late_when_its_own_period_was_closed_before(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE accounting_periods AS SELECT * FROM (VALUES "
            "('01', 2026, 9, TIMESTAMPTZ '2026-10-12 00:00:00+00', NULL::TIMESTAMPTZ), "
            "('01', 2026, 9, TIMESTAMPTZ '2026-10-12 00:00:00+00', NULL), "
            "('01', 2026, 10, NULL, NULL), "
            "('02', 2026, 9, TIMESTAMPTZ '2026-10-01 00:00:00+00', NULL), "
            "('03', 2026, 9, TIMESTAMPTZ '2026-10-01 00:00:00+00', "
            "TIMESTAMPTZ '2026-10-02 00:00:00+00')) "
            'AS t("companyId", "fiscalYear", "fiscalPeriod", "closedAt", "deletedAt")'
        )
        connection.execute(
            'CREATE TABLE gl_entries AS SELECT *, 2026 AS "fiscalYear", \'090\' AS "journalCode", '
            '5 AS "totalDebit", NULL AS "deletedAt" FROM (VALUES '
            "('01', 9, TIMESTAMPTZ '2026-10-11 00:00:00+00', 'posted'), "
            "('01', 9, TIMESTAMPTZ '2026-10-13 00:00:00+00', 'posted'), "
            "('01', 10, TIMESTAMPTZ '2026-11-13 00:00:00+00', 'posted'), "
            "('02', 9, TIMESTAMPTZ '2026-10-11 00:00:00+00', 'reversed'), "
            "('02', 9, NULL, 'unposted'), "
            "('03', 9, TIMESTAMPTZ '2026-10-11 00:00:00+00', 'posted')) "
            'AS t("companyId", "fiscalPeriod", "postedAt", "status")'
        )
    found = ask(path, QUERIES["Posted into a closed period"])
    assert found == [("01", 2026, 9, "090", 1, 5), ("02", 2026, 9, "090", 1, 5)]


def test_the_delay_of_each_change_since_the_load_before_is_measured(group: Group) -> None:
    newest = max(vehicle["updatedAt"] for vehicle in group.before["vehicles"])
    changed = [v for v in group.after["vehicles"] if v["updatedAt"] > newest]
    assert changed
    summed_up = "SELECT sum(measured_rows), max(newest_change) FROM _loader.freshness"
    [noted] = ask(group.warehouse, [f"{summed_up} WHERE table_name = 'vehicles'"])
    assert noted == (len(changed), instant(max(v["updatedAt"] for v in changed)))
    tables = ask(
        group.warehouse,
        ["SELECT DISTINCT table_name FROM _loader.freshness WHERE worst_seconds > 0"],
    )
    assert {"vehicles", "vehicle_status_history", "deals", "gl_entry_lines"} <= {
        table for (table,) in tables
    }


def test_a_revised_recap_counts_once_and_a_reversal_in_its_own_month_at_the_rooftop(
    tmp_path: Path,
) -> None:
    path = tmp_path / "w.duckdb"
    recaps = [
        ("d1", 1, "draft", 900, "2026-08-30T12:00:00Z", None),
        ("d1", 2, "final", 100, "2026-09-01T12:00:00Z", None),
        ("d1", 3, "revised", 70, "2026-10-03T12:00:00Z", None),
        ("d1", 4, "revised", 5000, "2026-10-04T12:00:00Z", "2026-10-05T12:00:00Z"),
        ("d2", 1, "final", 40, "2026-09-02T12:00:00Z", None),
        # In Phoenix it is still the last evening of October.
        ("d2", 2, "reversed", -40, "2026-11-01T05:00:00Z", None),
    ]
    with duckdb.connect(str(path)) as connection:
        for statement in (
            "CREATE TABLE rooftops AS SELECT 'r' AS rooftopId, 'America/Phoenix' AS timeZone",
            "CREATE TABLE users AS SELECT 'u' AS userId, 'Ito' AS displayName",
            (
                "CREATE TABLE deals AS SELECT unnest(['d1', 'd2']) AS dealId, "
                "'u' AS salespersonId, DATE '2026-09-01' AS soldDate, "
                "NULL::TIMESTAMPTZ AS deliveredAt"
            ),
            (
                "CREATE TABLE deal_recaps (dealId TEXT, version INT, recapStatus TEXT, "
                "totalGross DECIMAL(18,2), recappedAt TIMESTAMPTZ, deletedAt TIMESTAMPTZ, "
                "rooftopId TEXT DEFAULT 'r', frontEnd JSON, backEnd JSON)"
            ),
        ):
            connection.execute(statement)
        connection.executemany(
            "INSERT INTO deal_recaps (dealId, version, recapStatus, totalGross, recappedAt, "
            "deletedAt) VALUES (?, ?, ?, ?, ?, ?)",
            recaps,
        )
    found = ask(path, QUERIES["Gross by month and salesperson"])
    assert found == [
        ("2026-09", "u", "Ito", 2, None, None, 110),
        ("2026-10", "u", "Ito", -1, None, None, -40),
    ]


def test_merges_are_followed_through_chains_and_circles_end(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE customers AS SELECT * FROM (VALUES "
            "('a', 'b'), ('b', 'c'), ('c', NULL), ('d', 'e'), ('e', 'd'), ('f', 'gone')"
            ') AS t("customerId", "mergedIntoCustomerId")'
        )
        connection.execute(
            "CREATE TABLE deals AS SELECT unnest(['a', 'c', 'c', 'f']) AS \"customerId\", "
            'NULL AS "deletedAt"'
        )
    view, known_as = QUERIES["Merged customers"]
    assert ask(path, [view, known_as])[0] == ("c", 3, 3)
    found = ask(path, [view, "SELECT * FROM customer_survivors ORDER BY 1"])
    assert found == [
        ("a", "c", 2),
        ("b", "c", 1),
        ("c", "c", 0),
        ("d", "e", 1),
        ("e", "d", 1),
        ("f", "gone", 1),
    ]


def test_a_view_of_the_page_stays_when_a_load_widens_its_table(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    day = {"type": ["string", "null"], "format": "date"}
    columns = ("vehicleId", "stockNumber", "vin", "rooftopId", "condition", "status", "deletedAt")
    vehicles = schema(
        "vehicles",
        ["vehicleId"],
        cost="number",
        listPrice="number",
        acquisitionDate=day,
        **dict.fromkeys(columns, "string"),
    )
    rooftops = schema("rooftops", ["rooftopId"], rooftopId="string", timeZone="string")
    car: Record = {"vehicleId": "v", "status": "in_stock", "acquisitionDate": "2026-01-01"}

    def load(*messages: Record) -> None:
        target = TargetWarehouse(config={"filepath": str(path)})
        target.listen(io.StringIO(lines_of(messages)))

    load(vehicles, rooftops, record("vehicles", **car, cost=1))
    view, _ = QUERIES["Aged inventory"]
    ask(path, [view])
    vehicles["schema"]["properties"]["unheardOf"] = {"type": ["string", "null"]}
    load(vehicles, record("vehicles", **car, cost=12345678901234567))
    [(cost, days)] = ask(path, ['SELECT "cost", "days" FROM vehicle_ageing'])
    assert cost == 12345678901234567
    assert days > 0
