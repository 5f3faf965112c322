"""A journal of the first format keeps every write, and is read without being touched."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import typing as t

import pytest
from support.intents import AT, TENANT, new

from target_automate.journal import file as journal_file
from target_automate.journal.file import (
    APPLICATION_ID,
    CHECK,
    FORMAT,
    OLDEST,
    change_journal,
    open_journal,
    read_journal,
)
from target_automate.journal.intents import State
from target_automate.journal.queries import JournalError
from target_automate.journal.sealing import SALT_BYTES, KeySeal, NoSeal

if t.TYPE_CHECKING:
    from pathlib import Path

    from target_automate.journal.queries import JournalQueries
    from target_automate.journal.sealing import Seal

KEY: t.Final = "a long enough key"
JOURNAL_ID: t.Final = "6f1f4b6e-0d6c-4d1c-9a53-0d0f3f4a8f10"

FIRST_FORMAT: t.Final = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE intent (
        id INTEGER PRIMARY KEY,
        object TEXT NOT NULL,
        operation TEXT NOT NULL,
        business_key BLOB NOT NULL,
        digest BLOB NOT NULL,
        content_hash TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        generation INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL,
        payload BLOB NOT NULL,
        parent BLOB,
        resolved TEXT,
        look_up INTEGER NOT NULL DEFAULT 0,
        approved INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL,
        first_sent_at REAL,
        sent_at REAL,
        settled_at REAL,
        operation_id TEXT,
        dms_id TEXT,
        dms_number TEXT,
        matched_by TEXT,
        cause TEXT,
        reason TEXT,
        http_status INTEGER,
        request_id TEXT,
        was_rejected INTEGER NOT NULL DEFAULT 0,
        revision INTEGER NOT NULL,
        UNIQUE (object, digest, sequence));
CREATE INDEX intent_state ON intent (state, id) WHERE state != 'ACKED';
CREATE INDEX intent_parent ON intent (parent) WHERE parent IS NOT NULL;
CREATE INDEX intent_dms_id ON intent (object, dms_id) WHERE dms_id IS NOT NULL;
CREATE INDEX intent_revision ON intent (revision);
"""
"""As the first release that wrote journals made them."""

WRITES: t.Final[tuple[tuple[str, str, str, dict[str, t.Any]], ...]] = (
    ("customers", "upsert", "crm-1", {"state": "ACKED", "dms_id": "cust_1", "attempts": 2}),
    ("deals", "create", "web-1", {"state": "UNKNOWN", "resolved": "cust_1", "attempts": 1}),
    ("deals", "create", "web-2", {"state": "WAITING_PARENT", "reason": "its customer is UNKNOWN"}),
    ("service_appointments", "create", "bk-1", {"state": "SENT", "operation_id": "op_1"}),
    ("customers", "upsert", "crm-2", {"state": "REJECTED", "cause": "refused", "reason": "no"}),
)


@pytest.fixture(params=[None, KEY], ids=["readable", "encrypted"])
def key(request: pytest.FixtureRequest) -> str | None:
    return t.cast("str | None", request.param)


@pytest.fixture
def path(tmp_path: Path, key: str | None) -> Path:
    """Make a journal as the first format had it."""
    salt = bytes(range(SALT_BYTES))
    seal: Seal = NoSeal() if key is None else KeySeal(key, salt)
    facts = {"journal_id": JOURNAL_ID, "tenant": TENANT, "delivered:customers": "yes"}
    if key is not None:
        facts |= {"salt": salt.hex(), "check": seal.close(CHECK).decode()}
    made = tmp_path / "journal.db"
    with contextlib.closing(sqlite3.connect(made)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {OLDEST}")
        connection.executescript(FIRST_FORMAT)
        connection.executemany("INSERT INTO fact VALUES (?, ?)", facts.items())
        for number, (name, operation, business_key, columns) in enumerate(WRITES, start=1):
            row = {
                "id": number,
                "object": name,
                "operation": operation,
                "business_key": seal.close(business_key.encode()),
                "digest": seal.digest(name, business_key),
                "content_hash": str(number) * 64,
                "sequence": 1,
                "payload": seal.close(json.dumps({"externalId": business_key}).encode()),
                "parent": seal.digest("customers", "crm-1") if name == "deals" else None,
                "created_at": AT,
                "revision": number,
                **columns,
            }
            names = ", ".join(row)
            marks = ", ".join(f":{column}" for column in row)
            connection.execute(f"INSERT INTO intent ({names}) VALUES ({marks})", row)  # noqa: S608 - of this module
        connection.commit()
    return made


def format_of(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def holds_all_writes(journal: JournalQueries) -> None:
    assert journal.journal_id == JOURNAL_ID
    assert journal.fact("delivered:customers") == "yes"
    kept = list(journal.having({*State}))
    assert [(one.object, one.operation, one.business_key) for one in kept] == [
        (name, operation, business_key) for name, operation, business_key, _ in WRITES
    ]
    for one, (name, _, business_key, columns) in zip(kept, WRITES, strict=True):
        assert one.digest == one.lane == journal.seal.digest(name, business_key)
        assert one.payload == {"externalId": business_key}
        assert one.content_hash == str(one.id) * 64
        assert one.guard is None
        for column, value in columns.items():
            assert getattr(one, column) == value
    assert journal.versions(kept[0].lane) == {}
    assert [brief.id for brief in journal.children(kept[0].digest)] == [3]
    assert journal.key_of("customers", "cust_1") == kept[0].digest
    assert [row["revision"] for row in journal.rows()] == [1, 2, 3, 4, 5]


def test_reading_it_shows_every_write_and_changes_no_byte(path: Path, key: str | None) -> None:
    before = path.read_bytes()
    with read_journal(path, key=key) as journal:
        holds_all_writes(journal)
    assert path.read_bytes() == before
    assert format_of(path) == OLDEST


@pytest.mark.parametrize("by_tenant", [True, False])
def test_writing_it_brings_it_up_to_date_with_every_write(
    path: Path, key: str | None, *, by_tenant: bool
) -> None:
    def opening() -> contextlib.AbstractContextManager[t.Any]:
        if by_tenant:
            return open_journal(path, tenant=TENANT, key=key)
        return change_journal(path, key=key)

    with opening() as journal:
        holds_all_writes(journal)
    assert format_of(path) == FORMAT
    with opening() as journal:
        holds_all_writes(journal)
        number = journal.add(new("deal_statuses", "dealReferenceId:web-1", lane=b"lane"), AT)
        guard = {"status": "contracted", "updatedAt": "2026-09-21T12:00:00Z", "seen": "0"}
        journal.change(number, State.ACKED, AT, guard=guard, version="2026-09-21T12:00:05Z")
        assert journal.versions(b"lane") == {"2026-09-21T12:00:05Z": guard}
    with read_journal(path, key=key) as journal:
        assert journal.get(number).guard == guard


def test_a_renewal_that_ends_halfway_leaves_it_as_it_was(
    path: Path, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    halfway = (*journal_file._RENEWAL[:-1], "INSERT INTO nowhere VALUES (1)")  # noqa: SLF001 - what is cut short
    with monkeypatch.context() as patched:
        patched.setattr(journal_file, "_RENEWAL", halfway)
        with pytest.raises(JournalError), open_journal(path, tenant=TENANT, key=key):
            pytest.fail("it was opened")
    assert format_of(path) == OLDEST
    with read_journal(path, key=key) as journal:
        holds_all_writes(journal)
    with open_journal(path, tenant=TENANT, key=key) as journal:
        holds_all_writes(journal)


def test_what_it_left_open_is_taken_over_by_the_next_run(path: Path, key: str | None) -> None:
    with open_journal(path, tenant=TENANT, key=key) as journal:
        briefs = journal.recover(AT)
    assert [(brief.id, brief.state, brief.lane == brief.digest) for brief in briefs] == [
        (2, State.UNKNOWN, True),
        (3, State.WAITING_PARENT, True),
        (4, State.UNKNOWN, True),
    ]


def test_the_tables_of_a_renewed_journal_are_those_of_a_new_one(
    path: Path, key: str | None, tmp_path: Path
) -> None:
    with change_journal(path, key=key):
        pass
    fresh = tmp_path / "fresh" / "journal.db"
    with open_journal(fresh, tenant=TENANT):
        pass
    assert layout(path) == layout(fresh)


def layout(path: Path) -> tuple[set[tuple[t.Any, ...]], set[str]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        columns = {row[1:] for row in connection.execute("PRAGMA table_info(intent)")}
        indexes = {
            row[0]
            for row in connection.execute("SELECT sql FROM sqlite_master WHERE type = 'index'")
            if row[0]
        }
    return columns, indexes
