"""From sandbox to warehouse with real processes: everything, exactly, then only changes."""

from __future__ import annotations

import dataclasses
import re
import shutil
import typing as t
from decimal import Decimal

import duckdb
import pytest
from support.compare import KEYS, STREAMS, differences
from support.dealership import Dealership, Run, dealership, pipe, run
from support.papers import ROOT
from support.visitor import Visitor, serving

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORLD = ("--vehicles", "250", "--days", "30")


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A dealership in which nothing changes, and what a first run has made of it."""

    dealer: Dealership
    warehouse: Path
    state: Path
    first: Run


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    folder = tmp_path_factory.mktemp("loaded")
    warehouse, state = folder / "w.duckdb", folder / "state.json"
    with dealership(folder, *WORLD) as dealer:
        first = pipe(dealer.config(), warehouse, state)
        assert first.code == 0, first.err
        yield Loaded(dealer, warehouse, state, first)


def test_the_warehouse_equals_the_dealership_and_a_second_run_emits_nothing(
    loaded: Loaded,
) -> None:
    assert differences(loaded.dealer, loaded.warehouse) == []
    assert {m["stream"] for m in loaded.first.messages("RECORD")} == {*STREAMS}
    second = pipe(loaded.dealer.config(), loaded.warehouse, loaded.state)
    assert second.code == 0, second.err
    assert second.messages("RECORD") == []
    assert differences(loaded.dealer, loaded.warehouse) == []


def test_what_is_written_through_the_api_arrives_with_the_next_run(tmp_path: Path) -> None:
    warehouse, state = tmp_path / "w.duckdb", tmp_path / "state.json"
    with serving(tmp_path, "--vehicles", "40", "--days", "10", "--mfa-type", "none") as dealer:
        config = dealer.config()
        assert pipe(config, warehouse, state).code == 0
        visitor = Visitor(dealer)
        assert visitor.login().ok
        customer = visitor.post("/customers", {"externalId": "crm-w1", "lastName": "Ito"}).json()
        vehicle = visitor.all("/vehicles", status="in_stock")[0]
        common = {"customerId": customer["customerId"]}
        deal = visitor.post(
            "/deals", {**common, "referenceId": "d-1", "vehicle": {"vin": vehicle["vin"]}}
        ).json()
        booking = {
            "vin": vehicle["vin"],
            "appointmentTime": "2027-02-03T09:30:00-05:00",
            "opCodes": [{"code": "01LOF", "laborHours": 0.5}],
            "externalId": "a-1",
        }
        appointment = visitor.post("/service/appointments", {**common, **booking}).json()
        visitor.http.close()
        dealer.pass_time(10)  # beyond the cool-down
        second = pipe(config, warehouse, state)
        assert second.code == 0, second.err
        written = {
            "customers": customer["customerId"],
            "deals": deal["dealId"],
            "service_appointments": appointment["appointmentId"],
        }
        came = {
            message["stream"]: message["record"][KEYS[message["stream"]][0]]
            for message in second.messages("RECORD")
        }
        assert came == written
        assert len(second.messages("RECORD")) == len(written)
        (row,) = second.records("service_appointments")
        assert row.items() >= {**common, **booking, "opCodes": row["opCodes"]}.items()
        assert row["opCodes"][0]["laborHours"] == Decimal("0.5")
        assert differences(dealer, warehouse) == []


def test_the_queries_of_the_page_about_reading_give_what_it_says(loaded: Loaded) -> None:
    page = (ROOT / "docs/reading.md").read_text("utf-8")
    [current_fees, on_a_day] = re.findall(r"^```sql\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    with duckdb.connect(str(loaded.warehouse), read_only=True) as connection:
        fees = connection.execute(current_fees).fetchall()
        versions = connection.execute(on_a_day.replace("2026-02-01", "2100-01-01")).fetchall()
    deals = loaded.dealer.records("deals")
    assert len(fees) == sum(len(deal["fees"]) for deal in deals) > 0
    assert len(versions) == len(loaded.dealer.records("vehicles"))


def test_money_in_the_warehouse_is_exact(loaded: Loaded) -> None:
    with duckdb.connect(str(loaded.warehouse), read_only=True) as connection:
        floats = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE data_type IN ('DOUBLE', 'FLOAT')"
        ).fetchall()
        balance = connection.execute(
            "SELECT sum(debit) - sum(credit) FROM gl_entry_lines"
        ).fetchone()
    assert floats == []
    assert balance is not None
    assert str(balance[0]) == "0.00"


SLOW = [pytest.param(order, marks=pytest.mark.slow) for order in ("by_id", "opaque")]


@pytest.mark.parametrize("order", ["ascending", "descending", *SLOW, "unstable"])
def test_nothing_is_missing_or_stale_after_changes_while_reading(
    tmp_path: Path, order: str
) -> None:
    warehouse, state = tmp_path / "w.duckdb", tmp_path / "state.json"
    changing = ("--page-order", order, "--live", "20", "--latency", "20")
    with dealership(tmp_path, *WORLD, *changing) as dealer:
        config = dealer.config(page_size=50)
        for _ in range(2):
            busy = pipe(config, warehouse, state)
            assert busy.code == 0, busy.err
        dealer.live(0)
        dealer.pass_time(10)  # beyond the cool-down
        quiet = pipe(config, warehouse, state)
        assert quiet.code == 0, quiet.err
        assert differences(dealer, warehouse) == []
        assert dealer.stats()["live"]["changed"] > 0


def test_a_warehouse_that_differs_in_one_value_is_told_from_an_equal_one(
    loaded: Loaded, tmp_path: Path
) -> None:
    dealer, warehouse = loaded.dealer, tmp_path / "w.duckdb"
    shutil.copy(loaded.warehouse, warehouse)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(
            'UPDATE gl_entry_lines SET debit = debit + 0.01 WHERE "lineId" = '
            '(SELECT min("lineId") FROM gl_entry_lines)'
        )
        connection.execute("DELETE FROM lots")
    found = differences(dealer, warehouse)
    assert len([line for line in found if line.startswith("lots")]) == len(dealer.records("lots"))
    assert any(line.startswith("gl_entry_lines") and "debit" in line for line in found)


def test_each_rooftop_has_a_bookmark_of_its_own(loaded: Loaded, tmp_path: Path) -> None:
    dealer = loaded.dealer
    first, second = sorted(record["rooftopId"] for record in dealer.records("rooftops"))
    config = dealer.config(rooftop_ids=[first])
    one = run("tap-automate", "--config", config)
    assert {record["rooftopId"] for record in one.records("vehicles")} == {first}
    (tmp_path / "state.json").write_text(one.out.splitlines()[-1].partition('"value":')[2][:-1])
    both = run(
        "tap-automate",
        *("--config", dealer.config(rooftop_ids=[first, second])),
        *("--state", tmp_path / "state.json"),
    )
    assert {record["rooftopId"] for record in both.records("vehicles")} == {second}
    of_second = [r for r in dealer.records("vehicles") if r["rooftopId"] == second]
    assert len(both.records("vehicles")) == len(of_second)


def test_start_and_end_date_limit_a_backfill_that_leaves_bookmarks_alone(
    loaded: Loaded,
) -> None:
    dealer = loaded.dealer
    changes = sorted(record["updatedAt"] for record in dealer.records("vehicles"))
    start, end = changes[50], changes[150]
    backfill = run("tap-automate", "--config", dealer.config(start_date=start, end_date=end))
    wanted = [change for change in changes if start <= change < end]
    assert [record["updatedAt"] for record in backfill.records("vehicles")] == wanted
    assert not any(backfill.state()["bookmarks"].values())
