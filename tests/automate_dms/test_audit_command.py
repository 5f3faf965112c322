# ruff: noqa: S608 - tables and keys of the test's own
"""`automate-dms audit` as a person runs it: a real sandbox, a real warehouse, real repairs."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import signal
import subprocess
import typing as t
from decimal import Decimal

import duckdb
import pytest
from support.compare import DROPPED, differences
from support.dealership import Dealership, Run, command, dealership, environment, run

from target_warehouse.target import TargetWarehouse

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Counts: t.TypeAlias = dict[str, int]


@dataclasses.dataclass
class Audited:
    """A dealership, what a tap has read of it, and warehouses that were filled with that."""

    dealer: Dealership
    extracted: str
    state: Path
    clean: Run

    def warehouse(self, name: str, **settings: str) -> Path:
        """Fill a warehouse of its own for a test."""
        path = self.dealer.directory / f"{name}.duckdb"
        if settings:
            load(path, self.extracted, **settings)
        else:
            shutil.copy(self.dealer.directory / "loaded.duckdb", path)
        return path

    def audit(self, warehouse: Path, *arguments: str | Path, **changes: t.Any) -> Run:  # noqa: ANN401 - settings
        config = self.dealer.config(requests_per_second=500, **changes)
        return run("automate-dms", "audit", "--against", warehouse, "--config", config, *arguments)


def load(path: Path, messages: str, **settings: str) -> None:
    """Load in this process, which spares its start."""
    target = TargetWarehouse(config={"filepath": str(path), **settings})
    try:
        target.listen(io.StringIO(messages))
    finally:
        target.close()


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    """Each test that changes the world does so in a stream of its own."""
    folder = tmp_path_factory.mktemp("audited")
    options = ("--vehicles", "60", "--days", "20", "--mfa-type", "none")
    with dealership(folder, *options) as dealer:
        done = run("tap-automate", "--config", dealer.config(requests_per_second=500))
        assert done.code == 0, done.err
        state = folder / "state.json"
        state.write_text(json.dumps(done.state()))
        load(folder / "loaded.duckdb", done.out)
        ready = Audited(dealer, done.out, state, Run(0, "", ""))
        ready.clean = ready.audit(folder / "loaded.duckdb")
        yield ready


def counts(done: Run, stream: str, text: str | None = None) -> Counts:
    """Read a stream's row of the table."""
    rows = [
        [cell.strip() for cell in line[1:-1].split(line[0])]
        for line in (text or done.out).splitlines()
        if line[:1] in {"┃", "│"}
    ]
    [row] = [row for row in rows if row[0] == stream]
    return {
        head: int(cell.replace(",", "")) for head, cell in zip(rows[0][1:], row[1:], strict=True)
    }


def query(path: Path, sql: str) -> list[tuple[t.Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'").fetchall()
        return connection.execute(sql).fetchall()


def plain(records: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Make records that the control interface takes."""
    copied: list[dict[str, t.Any]] = json.loads(json.dumps(records, default=float))
    return copied


def messages(text: str) -> list[dict[str, t.Any]]:
    return [json.loads(line, parse_float=Decimal) for line in text.splitlines()]


def test_a_warehouse_that_agrees_ends_with_0_for_few_requests(audited: Audited) -> None:
    done = audited.clean
    assert (done.code, done.err) == (0, "")
    for stream in ("vehicles", "customers", "gl_entries", "users", "rooftops"):
        found = counts(done, stream)
        assert found["DMS rows"] == found["warehouse rows"] > 0
        assert found["missing"] == found["stale"] == found["vanished"] == found["differing"] == 0
        assert found["requests"] <= found["buckets"] + 3 <= 20 + 3
    assert done.out.splitlines()[-1] == "All agree."


@pytest.mark.parametrize("style", ["as_is", "snake_case"])
def test_one_repair_makes_the_two_agree_again_to_the_last_digit(
    audited: Audited, style: str, tmp_path: Path
) -> None:
    stream, key = {
        "as_is": ("repair_orders", "repairOrderId"),
        "snake_case": ("gl_entries", "journalEntryId"),
    }[style]
    column = {"as_is": key, "snake_case": "journal_entry_id"}[style]
    dealer, warehouse = audited.dealer, audited.warehouse(style, column_names=style)
    records = dealer.records(stream)
    gone = [record[key] for record in records[:3]]
    before = query(warehouse, f'SELECT * FROM {stream} ORDER BY "{column}"')
    stale, late = plain(records[10:12])
    stale["updatedAt"] = records[20]["updatedAt"]
    late |= {key: "late", "updatedAt": records[25]["updatedAt"]}
    dealer.control("delete", {"stream": stream, "keys": gone})
    dealer.control("import", {"stream": stream, "records": [stale, late]})

    done = audited.audit(warehouse, "--stream", stream, "--output", tmp_path / "fixes.jsonl")
    found = counts(done, stream)
    assert done.code == 1
    assert (found["missing"], found["stale"], found["vanished"]) == (1, 1, 3)
    fixes = (tmp_path / "fixes.jsonl").read_text()
    assert {message["type"] for message in messages(fixes)} == {"SCHEMA", "RECORD"}
    assert done.out.splitlines()[-1] == (
        f"3 vanished, 1 missing, 1 stale: {len(fixes.splitlines())} messages written to "
        f"{tmp_path / 'fixes.jsonl'}."
    )
    assert (tmp_path / "fixes.jsonl").stat().st_mode & 0o777 == 0o600
    load(warehouse, fixes, column_names=style)

    again = audited.audit(warehouse, "--stream", stream)
    assert (again.code, counts(again, stream)["differing"]) == (0, 0)
    deleted_at = {"as_is": "deletedAt", "snake_case": "deleted_at"}[style]
    after = query(warehouse, f'SELECT * FROM {stream} ORDER BY "{column}"')
    place = [
        name for (name,) in query(warehouse, f"SELECT name FROM pragma_table_info('{stream}')")
    ]
    marked = [row for row in after if row[place.index(deleted_at)] is not None]
    assert sorted(row[place.index(column)] for row in marked) == sorted(gone)
    unmarked = {
        row[: place.index(deleted_at)] + row[place.index(deleted_at) + 1 :]: None for row in before
    }
    for row in marked:
        assert row[: place.index(deleted_at)] + row[place.index(deleted_at) + 1 :] in unmarked
    if style == "as_is":
        with duckdb.connect(str(warehouse)) as connection:
            for table in (stream, "repair_order_lines"):
                sql = f"DELETE FROM {table} WHERE {key} IN (SELECT unnest(?))"
                connection.execute(sql, [gone]).fetchall()
        assert not [line for line in differences(dealer, warehouse) if line.startswith("repair")]


def test_a_tombstone_whose_record_is_back_is_lifted(audited: Audited) -> None:
    dealer, warehouse = audited.dealer, audited.warehouse("back")
    # What comes before the oldest row of a warehouse, or behind the newest, is not missing.
    records = sorted(dealer.records("service_appointments"), key=lambda each: each["updatedAt"])
    record = records[len(records) // 2]
    key = record["appointmentId"]
    dealer.control("delete", {"stream": "service_appointments", "keys": [key]})
    done = audited.audit(warehouse, "--stream", "service_appointments", "--output", "-")
    assert done.code == 1
    load(warehouse, done.out)
    wanted = f"SELECT deletedAt FROM service_appointments WHERE appointmentId = '{key}'"
    assert query(warehouse, wanted) != [(None,)]
    dealer.control("import", {"stream": "service_appointments", "records": plain([record])})
    done = audited.audit(warehouse, "--stream", "service_appointments", "--output", "-")
    assert counts(done, "service_appointments", done.err)["missing"] == 1
    load(warehouse, done.out)
    assert query(warehouse, wanted) == [(None,)]
    assert audited.audit(warehouse, "--stream", "service_appointments").code == 0


def test_of_rows_with_one_code_at_two_rooftops_the_one_that_is_gone_is_marked(
    audited: Audited,
) -> None:
    dealer, warehouse = audited.dealer, audited.warehouse("codes")
    codes = [(record["opCode"], record["rooftopId"]) for record in dealer.records("op_codes")]
    gone = codes[0]
    twins = {each for each in codes if each[0] == gone[0]}
    assert len(twins) > 1
    dealer.control("delete", {"stream": "op_codes", "keys": ["|".join(gone)]})
    done = audited.audit(warehouse, "--stream", "op_codes", "--output", "-")
    found = counts(done, "op_codes", done.err)
    assert (done.code, found["vanished"], found["missing"], found["stale"]) == (1, 1, 0, 0)
    load(warehouse, done.out)
    marked = "SELECT opCode, rooftopId FROM op_codes WHERE deletedAt IS NOT NULL"
    assert query(warehouse, marked) == [gone]
    assert audited.audit(warehouse, "--stream", "op_codes").code == 0


def test_a_repaired_row_brings_its_version_of_the_history_along(audited: Audited) -> None:
    dealer, warehouse = audited.dealer, audited.warehouse("history")
    lost = dealer.records("vehicles")[-1]
    with duckdb.connect(str(warehouse)) as connection:
        for table in ("vehicles", "vehicle_status_history"):
            sql = f"DELETE FROM {table} WHERE vehicleId = ?"
            connection.execute(sql, [lost["vehicleId"]]).fetchall()
    # Another test may have deleted vehicles from the dealership.
    arguments = ("--stream", "vehicles", "--accept-vanished", "vehicles", "--output", "-")
    done = audited.audit(warehouse, *arguments)
    assert counts(done, "vehicles", done.err)["missing"] == 1
    load(warehouse, done.out)
    back = f"FROM vehicle_status_history WHERE vehicleId = '{lost['vehicleId']}'"
    assert query(warehouse, f"SELECT status, vin {back}") == [(lost["status"], lost["vin"])]
    assert query(warehouse, "SELECT count(*) FROM vehicle_status_history") == query(
        warehouse, "SELECT count(*) FROM vehicles"
    )


def test_the_messages_hold_no_more_than_the_warehouse_and_the_logs_nothing_personal(
    audited: Audited, tmp_path: Path
) -> None:
    dealer, warehouse = audited.dealer, audited.warehouse("narrow")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("ALTER TABLE customers DROP COLUMN firstName").fetchall()
        connection.execute(
            "DELETE FROM customers WHERE customerId IN "
            "(SELECT customerId FROM customers ORDER BY updatedAt LIMIT 15)"
        ).fetchall()
    done = audited.audit(
        warehouse, "--stream", "customers", "--from", "2001-01-01", "--output", tmp_path / "fixes"
    )
    assert done.code == 1
    records = [
        message["record"]
        for message in messages((tmp_path / "fixes").read_text())
        if message["type"] == "RECORD"
    ]
    assert len(records) == counts(done, "customers")["missing"] == 15
    assert any("lastName" in record for record in records)
    assert not any(name in record for record in records for name in ("firstName", *DROPPED))
    said = done.out + done.err
    for customer in dealer.records("customers"):
        assert not [email for email in customer["emails"] if email in said]
        assert not [phone for phone in customer["phones"] if phone["number"] in said]
        assert customer["customerId"] not in said


@pytest.mark.parametrize(("setting", "value"), [("keep", "unknown"), ("drop", None)])
def test_a_repaired_row_has_what_the_contract_does_not_know_as_a_run_would_load_it(
    audited: Audited, setting: str, value: str | None
) -> None:
    warehouse = audited.warehouse(f"receipts-{setting}")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("ALTER TABLE receipts ADD COLUMN fieldOfTomorrow VARCHAR")
        connection.execute(
            "DELETE FROM receipts WHERE receiptId = "
            "(SELECT receiptId FROM receipts ORDER BY updatedAt LIMIT 1 OFFSET 20)"
        )
    audited.dealer.faults({"kind": "unknown_field", "match": {"path": "/accounting/receipts*"}})
    try:
        done = audited.audit(
            warehouse, "--stream", "receipts", "--output", "-", unknown_fields=setting
        )
    finally:
        audited.dealer.control("reset-faults", {})
    [record] = [m["record"] for m in messages(done.out) if m["type"] == "RECORD"]
    assert record.get("fieldOfTomorrow") == value


@pytest.mark.parametrize("was_loaded", [True, False], ids=["loaded so", "first in a repair"])
def test_a_repaired_row_has_values_of_another_type_as_a_run_would_load_them(
    audited: Audited, *, was_loaded: bool
) -> None:
    warehouse = audited.warehouse(f"types-{was_loaded}")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(
            "DELETE FROM vehicles WHERE vehicleId = "
            "(SELECT vehicleId FROM vehicles ORDER BY updatedAt LIMIT 1 OFFSET 20)"
        )
        if was_loaded:
            connection.execute("ALTER TABLE vehicles ALTER listPrice TYPE VARCHAR")
    audited.dealer.faults({"kind": "text_field", "match": {"path": "/vehicles*"}})
    try:
        done = audited.audit(warehouse, "--stream", "vehicles", "--output", "-")
    finally:
        audited.dealer.control("reset-faults", {})
    load(warehouse, done.out)
    texts = "SELECT count(*) FROM vehicles WHERE CAST(listPrice AS VARCHAR) LIKE '% USD'"
    assert query(warehouse, texts) == [(1,)]


def test_many_that_vanish_at_once_are_no_deletes(audited: Audited, tmp_path: Path) -> None:
    dealer, warehouse = audited.dealer, audited.warehouse("mass")
    keys = [record["vehicleId"] for record in dealer.records("vehicles")]
    dealer.control("delete", {"stream": "vehicles", "keys": keys[:21]})
    done = audited.audit(warehouse, "--stream", "vehicles", "--output", tmp_path / "fixes.jsonl")
    assert done.code == 1
    assert counts(done, "vehicles")["vanished"] == 21
    assert "looks like an entitlement or a filter that has changed" in done.out
    assert (tmp_path / "fixes.jsonl").read_text() == ""
    assert "audit again with --accept-vanished vehicles" in done.out
    accept = ("--accept-vanished", "vehicles", "--output", tmp_path / "fixes.jsonl")
    done = audited.audit(warehouse, "--stream", "vehicles", *accept)
    assert (done.code, counts(done, "vehicles")["vanished"]) == (1, 21)
    load(warehouse, (tmp_path / "fixes.jsonl").read_text())
    done = audited.audit(warehouse, "--stream", "vehicles", "--output", tmp_path / "fixes.jsonl")
    assert done.code == 0
    assert done.out.endswith(f"All agree: 0 messages written to {tmp_path / 'fixes.jsonl'}.\n")
    assert (tmp_path / "fixes.jsonl").read_text() == ""


def test_without_details_the_whole_list_says_what_has_vanished(audited: Audited) -> None:
    dealer, warehouse = audited.dealer, audited.warehouse("no-details")
    keys = [record["dealId"] for record in dealer.records("deals")]
    dealer.control("delete", {"stream": "deals", "keys": keys[:2]})
    dealer.faults({"kind": "status", "status": 404, "match": {"path": "/deals/*"}})
    try:
        done = audited.audit(warehouse, "--stream", "deals", "--output", "-")
    finally:
        dealer.control("reset-faults", {})
    assert done.code == 1
    assert counts(done, "deals", done.err)["vanished"] == 2
    assert "the whole list is read again" in done.err
    gone = [m["record"] for m in messages(done.out) if m["type"] == "RECORD"]
    assert {record["dealId"] for record in gone} == set(keys[:2])
    assert all(record["deletedAt"] > record["updatedAt"] for record in gone)


def test_a_stream_that_is_not_to_be_had_is_skipped_with_one_line(audited: Audited) -> None:
    warehouse = audited.warehouse("skipped")
    audited.dealer.faults({"kind": "status", "status": 403, "match": {"path": "/users"}})
    try:
        done = audited.audit(warehouse, "--stream", "users", "--stream", "rooftops")
        alone = audited.audit(warehouse, "--stream", "users")
    finally:
        audited.dealer.control("reset-faults", {})
    assert done.code == 0
    assert done.err.count("Skipping 'users'") == len(done.err.splitlines()) == 1
    assert counts(done, "rooftops")["missing"] == 0
    assert (alone.code, alone.err.count("No stream could be compared")) == (1, 1)


def test_one_rooftop_is_compared_with_what_was_loaded_of_it(
    audited: Audited, tmp_path: Path
) -> None:
    dealer, warehouse = audited.dealer, audited.warehouse("rooftop")
    [first, second] = sorted(record["rooftopId"] for record in dealer.records("rooftops"))
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("DELETE FROM users WHERE rooftopId = ?", [second]).fetchall()
    names = ("--stream", "users")
    assert audited.audit(warehouse, *names, rooftop_ids=[first]).code == 0
    done = audited.audit(warehouse, *names, "--output", tmp_path / "f", rooftop_ids=[second])
    assert (done.code, counts(done, "users")["DMS rows"] > 0) == (1, True)
    assert "'users': the warehouse has no rows, and the DMS has" in done.out
    assert "of streams without rows: 0 messages written" in done.out
    done = audited.audit(warehouse, *names, "--state", audited.state)
    assert (done.code, counts(done, "users")["missing"] > 0) == (1, True)


def test_the_state_says_what_should_be_there_behind_the_newest_row(audited: Audited) -> None:
    dealer, warehouse = audited.dealer, audited.warehouse("state")
    newest = max(dealer.records("lots"), key=lambda record: record["updatedAt"])
    dealer.control(
        "import",
        {
            "stream": "lots",
            "records": plain(
                [{**newest, "lotId": "late", "updatedAt": newest["updatedAt"].replace("Z", ".5Z")}]
            ),
        },
    )
    done = audited.audit(warehouse, "--stream", "lots")
    assert (done.code, counts(done, "lots")["newer"]) == (0, 1)
    assert "Without --state" in done.out
    done = audited.audit(warehouse, "--stream", "lots", "--state", audited.state)
    assert (done.code, counts(done, "lots")["missing"]) == (1, 1)
    assert "Without --state" not in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "2026-02-01", "--to", "2026-01-01"), "--to must be later than --from"),
        (("--from", "someday"), "expected a date or an instant"),
        (("--stream", "gl_entry_lines"), "is not one of"),
        (("--schema", "elsewhere"), "in schema 'elsewhere'"),
    ],
)
def test_a_mistake_in_use_ends_with_2(
    audited: Audited, arguments: tuple[str, ...], said: str
) -> None:
    done = audited.audit(audited.dealer.directory / "loaded.duckdb", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("arguments", [("--from", "2100-01-01"), ("--to", "1990-01-01")])
def test_where_nothing_was_loaded_nothing_is_compared_and_it_ends_with_1(
    audited: Audited, arguments: tuple[str, ...]
) -> None:
    warehouse = audited.dealer.directory / "loaded.duckdb"
    done = audited.audit(warehouse, "--stream", "rooftops", "--stream", "customers", *arguments)
    assert done.code == 1
    assert done.out.splitlines()[-1].startswith("Nothing was compared")


def test_a_warehouse_that_has_lost_its_oldest_rows_ends_with_1(audited: Audited) -> None:
    warehouse = audited.warehouse("lost-oldest")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(
            "DELETE FROM customers WHERE updatedAt < (SELECT median(updatedAt) FROM customers)"
        ).fetchall()
    done = audited.audit(warehouse, "--stream", "customers")
    assert done.code == 1
    assert "rows from before the oldest in the warehouse" in done.out
    assert "from before the oldest" in done.out.splitlines()[-1]


@pytest.mark.parametrize("name", ["own.duckdb", "own.json", "state.json", "own.duckdb.wal"])
def test_what_the_audit_reads_is_no_output(audited: Audited, name: str, tmp_path: Path) -> None:
    own = {"own.duckdb": audited.dealer.directory / "loaded.duckdb", "state.json": audited.state}
    own["own.json"] = audited.dealer.config()
    for copy, source in own.items():
        shutil.copy(source, tmp_path / copy)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    sources = ("--config", tmp_path / "own.json", "--state", tmp_path / "state.json")
    done = audited.audit(tmp_path / "own.duckdb", *sources, "--output", tmp_path / name)
    assert (done.code, done.out) == (2, "")
    assert "is what the audit reads" in done.err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("place", ["nowhere/fixes.jsonl", "folder", ""])
def test_an_output_that_cannot_be_written_ends_with_2_before_any_request(
    audited: Audited, place: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    done = audited.audit(
        audited.dealer.directory / "loaded.duckdb",
        *("--output", tmp_path / place if place else ""),
        api_url="http://127.0.0.1:1",
        max_wait_seconds=0,
    )
    assert (done.code, done.out) == (2, "")
    assert "The messages cannot be written to" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_stream_that_is_named_needs_a_table(audited: Audited) -> None:
    warehouse = audited.warehouse("no-table")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("DROP TABLE lots").fetchall()
        connection.execute("DROP TABLE users").fetchall()
    named = ("--stream", "lots", "--stream", "rooftops", "--stream", "users")
    done = audited.audit(warehouse, *named)
    assert (done.code, done.out) == (2, "")
    assert "has no table of 'lots', 'users' in schema 'main'" in done.err
    done = audited.audit(warehouse)
    assert counts(done, "rooftops")["differing"] == 0
    assert f"Not compared: {warehouse} has no table of 'lots', 'users' in" in done.err


def test_a_stream_of_another_name_is_found_in_either_style(audited: Audited) -> None:
    lines = [line for line in audited.extracted.splitlines(keepends=True) if '"lots"' in line]
    assert lines
    warehouse = audited.dealer.directory / "renamed.duckdb"
    renamed = "".join(line.replace('"stream":"lots"', '"stream":"MyLots"') for line in lines)
    load(warehouse, renamed, column_names="snake_case")
    assert query(warehouse, "SELECT count(*) > 0 FROM my_lots") == [(True,)]
    maps = {"lots": {"__alias__": "MyLots"}}
    done = audited.audit(warehouse, "--stream", "lots", stream_maps=maps)
    assert (done.code, done.err, counts(done, "lots")["differing"]) == (0, "", 0)


def test_a_stream_whose_key_or_time_a_map_changes_is_not_compared(audited: Audited) -> None:
    warehouse = audited.dealer.directory / "loaded.duckdb"
    maps = {"lot*": {"lotId": "md5(lotId)"}}
    maps["rooftops"] = {"updatedAt": "updatedAt"}
    done = audited.audit(warehouse, "--stream", "rooftops", stream_maps=maps)
    assert (done.code, done.err, counts(done, "rooftops")["differing"]) == (0, "", 0)
    done = audited.audit(warehouse, "--stream", "lots", "--stream", "rooftops", stream_maps=maps)
    assert (done.code, done.out) == (2, "")
    assert "`stream_maps` changes the key or `updatedAt` of 'lots'" in done.err
    maps = {"users": {"updatedAt": "createdAt"}}
    done = audited.audit(warehouse, stream_maps=maps)
    assert "Not compared: `stream_maps` changes the key or `updatedAt` of 'users'" in done.err
    assert counts(done, "rooftops")["differing"] == 0
    assert "│ users" not in done.out


def test_a_stream_of_which_a_filter_leaves_rows_out_is_not_compared(audited: Audited) -> None:
    warehouse = audited.dealer.directory / "loaded.duckdb"
    named = ("--stream", "vehicles", "--stream", "rooftops")
    filters = {"vehicle_status": "in_stock", "vehicle_make": "Honda", "customer_type": "lead"}
    done = audited.audit(warehouse, *named, **filters)
    assert (done.code, done.out) == (2, "")
    assert "`vehicle_status` and `vehicle_make` leave rows of 'vehicles' out" in done.err
    assert "Audit without the setting" in done.err
    done = audited.audit(warehouse, **filters)
    assert "leave rows of 'vehicles', 'customers' out" in done.err
    assert counts(done, "rooftops")["differing"] == 0
    assert "│ vehicles" not in done.out
    done = audited.audit(warehouse, vehicle_status="in_stock")
    assert "`vehicle_status` leaves rows of 'vehicles' out" in done.err
    done = audited.audit(warehouse, "--stream", "rooftops", **filters)
    assert (done.code, done.err) == (0, "")


def test_what_is_no_warehouse_ends_with_2(audited: Audited, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database")
    for path in (tmp_path / "nothing", tmp_path / "text", tmp_path):
        done = audited.audit(path)
        assert (done.code, done.out, "Traceback" in done.err) == (2, "", False)


def test_a_run_that_fails_leaves_the_messages_of_the_one_before(
    audited: Audited, tmp_path: Path
) -> None:
    kept = tmp_path / "fixes.jsonl"
    kept.write_text("before\n")
    done = audited.audit(
        audited.dealer.directory / "loaded.duckdb",
        *("--stream", "users", "--output", kept),
        api_url="http://127.0.0.1:1",
        max_wait_seconds=0,
    )
    assert (done.code, done.out) == (75, "")
    assert kept.read_text() == "before\n"
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_while_it_waits_for_an_answer(
    audited: Audited, number: signal.Signals, code: int
) -> None:
    dealer = audited.dealer
    dealer.faults({"kind": "latency", "milliseconds": 60_000, "match": {"path": "/rooftops"}})
    arguments = ("--against", dealer.directory / "loaded.duckdb", "--stream", "rooftops")
    line = command("automate-dms", "audit", *arguments, "--config", dealer.config())
    with subprocess.Popen(  # noqa: S603 - our own program
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            while not dealer.stats()["faults"][0]["strikes"]:
                assert process.poll() is None
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
            dealer.control("reset-faults", {})
    assert (process.returncode, out) == (code, "")
    assert "Stopped by a signal; the audit is not complete, so run it again" in err
    assert "Traceback" not in err


def test_rooftops_that_a_table_cannot_tell_apart_are_a_mistake_in_use(audited: Audited) -> None:
    warehouse = audited.warehouse("no-rooftops")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("ALTER TABLE users DROP COLUMN rooftopId").fetchall()
    done = audited.audit(warehouse, "--stream", "users", rooftop_ids=["rt_1"])
    assert (done.code, done.out) == (2, "")
    assert "'users' has no column for `rooftopId`" in done.err
