"""`tap-automate-results`: what is in the DMS and what is not, each change once."""

from __future__ import annotations

import json
import shutil
import sqlite3
import typing as t

import duckdb
import pytest
from singer_sdk.testing import get_tap_test_class
from support.dealership import Run, run
from support.failures import entries, interrupted, refused, warned

from target_automate.journal.file import open_journal
from target_automate.journal.intents import Cause, State
from target_automate.journal.journal import NewIntent
from target_automate.results_tap import TapAutomateResults

if t.TYPE_CHECKING:
    from pathlib import Path

    from target_automate.journal.journal import Journal

KEY = "a key of the journal"
TENANT = "api.example/int_1"
AT = 1_773_855_000.25
AT_TEXT = "2026-03-18T17:30:00.250000+00:00"

CONFIG: dict[str, t.Any] = {"journal_path": "later"}
"""Of the tests of the SDK, which lists the streams when this module is imported."""


def new(name: str, key: str, **columns: t.Any) -> NewIntent:  # noqa: ANN401 - of any column
    operation = "upsert" if name == "customers" else "create"
    values: dict[str, t.Any] = {"content_hash": "c0ffee", "sequence": 1, **columns}
    payload = {"lastName": "Ito-Personal"}
    return NewIntent(object=name, operation=operation, business_key=key, payload=payload, **values)


def fill(journal: Journal) -> dict[str, int]:
    """Write a customer that is there, a deal that is rejected, one parked, and one under way."""
    ids = {
        "there": journal.add(new("customers", "crm-1"), AT),
        "rejected": journal.add(
            new("deals", "d-1", state=State.REJECTED, cause=Cause.INVALID, reason="no vin"), AT
        ),
        "parked": journal.add(new("deals", "d-2"), AT),
        "waiting": journal.add(new("deals", "d-3", state=State.WAITING_APPROVAL), AT),
    }
    journal.change(ids["there"], State.SENT, AT, attempts=1, sent_at=AT)
    journal.change(
        ids["there"],
        State.ACKED,
        AT + 1,
        dms_id="cust_1",
        dms_number="001000",
        matched_by="externalId",
        request_id="req_1",
    )
    journal.change(ids["parked"], State.SENT, AT, attempts=1, sent_at=AT)
    journal.change(ids["parked"], State.PARKED, AT, reason="no answer", http_status=504)
    return ids


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with one row of each kind."""
    place = tmp_path / "journal.db"
    with open_journal(place, tenant=TENANT) as journal:
        fill(journal)
    return place


def results(path: Path, *arguments: str | Path, **settings: t.Any) -> Run:  # noqa: ANN401
    config = path.with_name("results.json")
    config.write_text(json.dumps({"journal_path": str(path), **settings}))
    return run("tap-automate-results", "--config", config, *arguments)


def after(path: Path, before: Run) -> Run:
    """Run again from the state of the run before."""
    state = path.with_name("state.json")
    state.write_text(json.dumps(before.state()))
    return results(path, "--state", state)


@pytest.fixture(scope="module", autouse=True)
def _journal_of_the_sdks_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("standard") / "journal.db"
    with open_journal(place, tenant=TENANT) as journal:
        fill(journal)
    CONFIG["journal_path"] = str(place)


Standard: t.Any = get_tap_test_class(TapAutomateResults, config=CONFIG)


class TestStandard(Standard):  # type: ignore[misc]
    """Every test of the SDK, on a journal."""


def test_what_is_in_the_dms_comes_with_its_ids(path: Path) -> None:
    done = results(path)
    assert done.code == 0, done.err
    assert done.records("write_results") == [
        {
            "object": "customers",
            "businessKey": "crm-1",
            "sequence": 1,
            "operation": "upsert",
            "dmsId": "cust_1",
            "dmsNumber": "001000",
            "matchedBy": "externalId",
            "attempts": 1,
            "contentHash": "c0ffee",
            "createdAt": AT_TEXT,
            "sentAt": AT_TEXT,
            "settledAt": AT_TEXT.replace("00.25", "01.25"),
            "requestId": "req_1",
            "revision": 6,
        }
    ]


def test_what_was_rejected_or_parked_comes_with_its_reason(path: Path) -> None:
    rows = results(path).records("write_rejects")
    told = [
        (row["businessKey"], row["state"], row["cause"], row["reason"], row["httpStatus"])
        for row in rows
    ]
    assert told == [
        ("d-1", "REJECTED", "invalid", "no vin", None),
        ("d-2", "PARKED", None, "no answer", 504),
    ]


def test_nothing_of_a_payload_is_shown(path: Path) -> None:
    done = results(path)
    assert "crm-1" in done.out
    assert "Ito-Personal" not in done.out + done.err


def test_a_second_run_brings_what_has_changed_and_nothing_else(path: Path) -> None:
    first = results(path)
    second = after(path, first)
    assert second.code == 0, second.err
    assert second.messages("RECORD") == []
    assert entries(second.err, "WARNING") == []
    with open_journal(path, tenant=TENANT) as journal:
        (parked,) = journal.having({State.PARKED})
        journal.change(parked.id, State.ACKED, AT + 5, dms_id="deal_2")
        journal.add(new("customers", "crm-2"), AT)
    third = after(path, second)
    (resolved,) = third.records("write_rejects")
    assert (resolved["businessKey"], resolved["state"], resolved["dmsId"]) == (
        "d-2", "ACKED", "deal_2",
    )  # fmt: skip
    assert [row["businessKey"] for row in third.records("write_results")] == ["d-2"]
    assert after(path, third).messages("RECORD") == []


def test_a_warehouse_sees_a_reject_resolved(path: Path, tmp_path: Path) -> None:
    warehouse, loader = tmp_path / "w.duckdb", tmp_path / "loader.json"
    loader.write_text(json.dumps({"filepath": str(warehouse), "column_names": "snake_case"}))
    first = results(path)
    assert run("target-warehouse", "--config", loader, stdin=first.out).code == 0
    with open_journal(path, tenant=TENANT) as journal:
        (rejected,) = journal.having({State.REJECTED})
        journal.change(rejected.id, State.ACKED, AT + 5, dms_id="deal_1")
    second = after(path, first)
    assert run("target-warehouse", "--config", loader, stdin=second.out).code == 0
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(
            "SELECT business_key, state FROM write_rejects ORDER BY business_key"
        ).fetchall()
        there = connection.execute(
            "SELECT business_key, dms_id, settled_at > sent_at FROM write_results "
            "ORDER BY business_key"
        ).fetchall()
    assert rows == [("d-1", "ACKED"), ("d-2", "PARKED")]
    assert there == [("crm-1", "cust_1", True), ("d-1", "deal_1", None)]


def test_it_reads_while_a_target_writes_and_sees_what_is_committed(path: Path) -> None:
    with open_journal(path, tenant=TENANT) as journal:
        late = journal.add(new("customers", "crm-9"), AT)
        journal.change(late, State.ACKED, AT, dms_id="cust_9")
        during = results(path)
        assert during.code == 0, during.err
        assert [row["dmsId"] for row in during.records("write_results")] == ["cust_1"]
        journal.flush()
        assert [r["dmsId"] for r in after(path, during).records("write_results")] == ["cust_9"]


def test_reading_leaves_the_journal_as_it_is(path: Path) -> None:
    before = path.read_bytes()
    assert results(path).code == 0
    assert path.read_bytes() == before
    assert not path.with_name(f"{path.name}-wal").exists()


@pytest.mark.parametrize("kind", ["missing", "empty", "without tables"])
def test_before_the_first_push_there_are_no_rows_and_one_warning(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "journal.db"
    if kind == "empty":
        place.touch()
    if kind == "without tables":
        connection = sqlite3.connect(place)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
    done = results(place)
    assert done.code == 0, done.err
    assert {m["stream"] for m in done.messages("SCHEMA")} == {"write_results", "write_rejects"}
    assert done.messages("RECORD") == []
    warned(done, f"no journal at {place}", "nothing was pushed yet", "`journal_path`")
    assert place.exists() == (kind != "missing")


def test_rows_come_once_the_journal_is_there(tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    first = results(place)
    with open_journal(place, tenant=TENANT) as journal:
        fill(journal)
    second = after(place, first)
    assert second.code == 0, second.err
    assert len(second.messages("RECORD")) == 3


def test_an_encrypted_journal_is_read_with_its_key_alone(tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    with open_journal(place, tenant=TENANT, key=KEY) as journal:
        fill(journal)
    right = results(place, journal_key=KEY)
    assert [row["businessKey"] for row in right.records("write_results")] == ["crm-1"]
    said = refused(results(place, journal_key="another key, as long"), 2, "`journal_key`")
    assert "another key" not in said
    refused(results(place), 2, "encrypted", "`journal_key`")


def test_a_key_for_a_journal_without_one_is_refused(path: Path) -> None:
    refused(results(path, journal_key=KEY), 2, "not encrypted", "`journal_key`")


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "other.db"
    place.write_text("no database at all" * 200)
    refused(results(place), 2, str(place), "no journal", "`journal_path`")
    place.unlink()
    connection = sqlite3.connect(place)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    refused(results(place), 2, str(place), "another program", "`journal_path`")


def test_a_damaged_journal_is_said_in_one_line(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    refused(results(path), 1, str(path))


def test_another_journal_at_the_path_is_read_from_its_start(path: Path) -> None:
    first = results(path)
    path.unlink()
    with open_journal(path, tenant=TENANT) as journal:
        fill(journal)
    second = after(path, first)
    assert second.messages("RECORD")
    assert [m["record"] for m in second.messages("RECORD")] == [
        m["record"] for m in first.messages("RECORD")
    ]
    warned(second, "write_results", "not the one of the state")
    assert after(path, second).messages("RECORD") == []


def test_an_older_copy_of_the_journal_is_read_from_its_start(path: Path) -> None:
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    with open_journal(path, tenant=TENANT) as journal:
        fill_again = journal.add(new("customers", "crm-2"), AT)
        journal.change(fill_again, State.ACKED, AT, dms_id="cust_2")
    newest = results(path)
    shutil.copy(copy, path)
    restored = after(path, newest)
    warned(restored, "write_results", "older copy")
    assert [row["dmsId"] for row in restored.records("write_results")] == ["cust_1"]


def test_a_bookmark_that_is_no_number_is_refused(path: Path) -> None:
    state = path.with_name("state.json")
    bookmark = {"replication_key": "revision", "replication_key_value": "seven"}
    state.write_text(json.dumps({"bookmarks": {"write_results": bookmark}}))
    said = refused(results(path, "--state", state), 2, "write_results", "whole number")
    assert "seven" not in said


def test_a_catalog_of_another_tap_is_refused(path: Path) -> None:
    catalog = path.with_name("catalog.json")
    entry = {"tap_stream_id": "vehicles", "schema": {"properties": {}}, "metadata": []}
    catalog.write_text(json.dumps({"streams": [entry]}))
    refused(results(path, "--catalog", catalog), 2, "vehicles", "tap-automate-results --discover")


def test_a_stream_map_that_fails_is_named_without_the_row(path: Path) -> None:
    maps = {"write_results": {"late": "1 / (attempts - 1)"}}
    said = refused(results(path, stream_maps=maps), 2, "write_results", "stream_maps")
    assert "crm-1" not in said


def test_a_signal_ends_it_between_two_rows(tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    with open_journal(place, tenant=TENANT) as journal:
        for number in range(2_000):
            journal.add(new("customers", f"crm-{number}", state=State.REJECTED), AT)
    settings = {"journal_path": str(place)}
    code, messages = interrupted("tap-automate-results", settings, tmp_path / "results.json")
    assert code == 143
    assert 0 < len([m for m in messages if m["type"] == "RECORD"]) < 2_000


def test_the_journal_is_looked_for_among_the_users_files_unless_named(tmp_path: Path) -> None:
    with open_journal(tmp_path / "automate-dms" / "journal.db", tenant=TENANT) as journal:
        fill(journal)
    config = tmp_path / "empty.json"
    config.write_text("{}")
    env = {"XDG_STATE_HOME": str(tmp_path)}
    done = run("tap-automate-results", "--config", config, env=env)
    assert len(done.records("write_results")) == 1
    named = {"TAP_AUTOMATE_RESULTS_JOURNAL_PATH": str(tmp_path / "automate-dms" / "journal.db")}
    done = run("tap-automate-results", "--config", "ENV", env=named)
    assert len(done.records("write_results")) == 1


def test_discovery_needs_neither_settings_nor_journal() -> None:
    found = run("tap-automate-results", "--discover")
    assert found.code == 0, found.err
    assert {s["tap_stream_id"]: s["replication_key"] for s in json.loads(found.out)["streams"]} == {
        "write_results": "revision",
        "write_rejects": "revision",
    }
