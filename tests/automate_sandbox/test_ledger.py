"""The ledger in memory and on disk."""

from __future__ import annotations

import sqlite3
import typing as t

import pytest

from automate_sandbox.instants import parse
from automate_sandbox.ledger import Ledger, opaque_rank
from automate_sandbox.money import decode
from automate_sandbox.resources import resources
from automate_sandbox.store import Store, StoreError
from automate_sandbox.world.generate import Generator, Size

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automate_sandbox.ledger import Entry

NOW: t.Final = parse("2026-03-18T17:30:00Z")


def filled(store: Store | None = None) -> Ledger:
    ledger = Ledger(resources(), opaque_rank, store)
    ledger.create(Generator(5, Size(1, 30, 10), NOW // 1000).records(), NOW, {"seed": "5"})
    return ledger


def change(ledger: Ledger, stream: str = "vehicles", **fields: object) -> str:
    """Commit a new version of some record."""
    key = min(ledger.tables[stream].rows)
    record = (ledger.record(stream, key) or {}) | {"updatedAt": "2026-03-18T17:31:00Z"} | fields
    ledger.commit([(stream, record)], NOW, cause="live")
    return key


def test_history_has_every_version_in_order_and_the_last_is_the_truth() -> None:
    ledger = filled()
    created = len(ledger.history)
    key = change(ledger, status="transit")
    assert change(ledger, status="wholesale") == key
    assert [entry.seq for entry in ledger.history] == list(range(1, created + 3))
    versions = [decode(entry.render()) for entry in ledger.history if entry.key == key]
    assert [version["record"]["status"] for version in versions[1:]] == ["transit", "wholesale"]
    assert ledger.record("vehicles", key) == versions[-1]["record"]


def test_replaying_the_history_gives_the_current_rows() -> None:
    ledger = filled()
    change(ledger, status="transit")
    latest = {(entry.stream, entry.key): entry.body for entry in ledger.history if entry.stream}
    current = {
        (stream, key): row.body
        for stream, table in ledger.tables.items()
        for key, row in table.rows.items()
    }
    assert latest == current


def test_a_value_is_found_by_index_before_and_after_it_changes() -> None:
    ledger = filled()
    table = ledger.tables["customers"]
    key = min(table.rows)
    change(ledger, "customers", externalId="old", emails=["a@example.com", "b@example.com"])
    assert table.find("externalId", "old") == {key}
    assert table.find("email", "b@example.com") == {key}
    change(ledger, "customers", externalId="new", emails=["b@example.com"])
    assert table.find("externalId", "old") == set()
    assert table.find("externalId", "new") == {key}
    assert table.find("email", "a@example.com") == set()
    assert table.find("email", "b@example.com") == {key}


def test_a_store_gives_back_the_same_world_and_history(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "world.db"
    store = Store(path)
    before = filled(store)
    change(before, status="transit")
    store.close()
    store = Store(path)
    after = Ledger(resources(), opaque_rank, store)
    after.restore()
    assert store.facts() == {"seed": "5"}
    assert after.history == before.history
    for stream, table in before.tables.items():
        assert after.tables[stream].rows == table.rows
        assert after.tables[stream].by_time == table.by_time
        assert after.tables[stream].by_rank == table.by_rank
    store.close()


def test_a_change_that_the_disk_refuses_is_not_visible(tmp_path: Path) -> None:
    store = Store(tmp_path / "world.db")
    ledger = filled(store)
    length, rows = len(ledger.history), dict(ledger.tables["vehicles"].rows)
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]  # noqa: SLF001 - fill the disk
    store._connection.execute(f"PRAGMA max_page_count = {pages}")  # noqa: SLF001
    with pytest.raises(sqlite3.OperationalError):
        change(ledger, comments="x" * 100_000)
    assert len(ledger.history) == length
    assert ledger.tables["vehicles"].rows == rows
    change(ledger, "lots")
    assert len(ledger.history) == length + 1
    store.close()


def test_a_store_in_use_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "world.db")
    with pytest.raises(StoreError, match="in use by another sandbox"):
        Store(tmp_path / "world.db")
    store.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="no sandbox store"):
        Store(path)
    assert path.read_bytes() == b"not a database at all" * 100


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE precious (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store(path)
    assert path.read_bytes() == before


def test_a_store_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    Store(path).close()
    with sqlite3.connect(path) as later:
        later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(StoreError, match="format 99"):
        Store(path)


def test_a_path_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be created"):
        Store(tmp_path / "file" / "world.db")


def test_a_world_that_is_not_finished_leaves_an_empty_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "world.db")
    whole = filled()

    def broken_off() -> Iterator[Entry]:
        yield from whole.history[:50]
        raise InterruptedError

    with pytest.raises(InterruptedError):
        store.create({"seed": "5"}, broken_off())
    assert store.facts() == {}
    assert list(store.read()) == []
    store.close()
