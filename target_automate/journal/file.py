"""The journal's file: made, opened, locked, and held to its tenant and its key."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import typing as t
import uuid

import filelock

from automate_api.errors import ConfigError, TryLaterError
from target_automate.journal.journal import Journal
from target_automate.journal.queries import JournalError, JournalQueries
from target_automate.journal.sealing import SALT_BYTES, KeySeal, NoSeal, Seal, WrongKeyError

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION_ID: t.Final = 0x41444A4C
"""`ADJL` in SQLite's header: the mark of our files."""

FORMAT: t.Final = 2
OLDEST: t.Final = 1
"""The first format, which is brought up to date when it is written, and read as it is."""

MODE: t.Final = 0o600
BUSY_SECONDS: t.Final = 30.0
CHECK: t.Final = b"automate-dms journal"
"""Sealed beside the data, to tell a wrong key from damage."""

_INDEX_OF_UPDATES: t.Final = (
    "CREATE INDEX intent_update ON intent (lane, id) WHERE operation = 'update'"
)
_TABLES: t.Final = (
    "CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE intent (
        id INTEGER PRIMARY KEY,
        object TEXT NOT NULL,
        operation TEXT NOT NULL,
        business_key BLOB NOT NULL,
        digest BLOB NOT NULL,
        lane BLOB NOT NULL DEFAULT x'',
        content_hash TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        generation INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL,
        payload BLOB NOT NULL,
        parent BLOB,
        resolved TEXT,
        guard TEXT,
        version TEXT,
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
        UNIQUE (object, digest, sequence))""",
    "CREATE INDEX intent_state ON intent (state, id) WHERE state != 'ACKED'",
    "CREATE INDEX intent_parent ON intent (parent) WHERE parent IS NOT NULL",
    "CREATE INDEX intent_dms_id ON intent (object, dms_id) WHERE dms_id IS NOT NULL",
    "CREATE INDEX intent_revision ON intent (revision)",
    _INDEX_OF_UPDATES,
)

_RENEWAL: t.Final = (
    "ALTER TABLE intent ADD COLUMN lane BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE intent ADD COLUMN guard TEXT",
    "ALTER TABLE intent ADD COLUMN version TEXT",
    "UPDATE intent SET lane = digest",
    _INDEX_OF_UPDATES,
)
"""From the first format to this one: until then the lane of a write was its business key."""

_AS_RENEWED: t.Final = (
    "CREATE TEMP VIEW intent AS SELECT *, digest AS lane, NULL AS guard, NULL AS version "
    "FROM main.intent"
)
"""Stands in front of a table of the first format for those who only read."""


class NoJournalError(ConfigError):
    """There is no journal at the path, or nobody has ever written to it."""


class JournalInUseError(TryLaterError):
    """Another process writes this journal."""


@contextlib.contextmanager
def open_journal(
    path: Path, *, tenant: str, key: str | None = None, called: Path | None = None
) -> Iterator[Journal]:
    """Open a journal for writing, made when there is none.

    Args:
        path: Of the file; its folders are made, too.
        tenant: Whose writes it holds: the API's host and the integration.
        key: `journal_key`.
        called: What messages name in its place, where it is a copy.

    Yields:
        The journal, closed at the end of the block.

    Raises:
        JournalInUseError: When another process has it open for writing.
        ConfigError: When the file is another tenant's, another program's, or the key is wrong.
        JournalError: When it cannot be opened.
    """
    with _lock(path), contextlib.closing(_create_or_open(path, tenant, key, called)) as journal:
        yield journal


@contextlib.contextmanager
def change_journal(path: Path, *, key: str | None = None) -> Iterator[Journal]:
    """Open a journal that exists for writing, whosever writes it holds.

    Raises:
        NoJournalError: When there is none.
        JournalInUseError: When another process has it open for writing.
        ConfigError: When the file is another program's, or the key is wrong.
        JournalError: When it cannot be opened.
    """
    if not path.exists():
        raise _none(path)
    with _lock(path), contextlib.closing(_create_or_open(path, None, key)) as journal:
        yield journal


@contextlib.contextmanager
def lock_journal(path: Path) -> Iterator[None]:
    """Keep writers away from a journal that exists, without a file of our own beside it.

    Where nobody has made the lock's file, nobody writes; a process that begins to is not kept away.

    Raises:
        JournalInUseError: When a process writes it.
    """
    with _lock(path) if _lock_path(path).exists() else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def read_journal(path: Path, *, key: str | None = None) -> Iterator[Journal]:
    """Open a journal for reading alone, also while another process writes it.

    Raises:
        NoJournalError: When there is none.
        ConfigError: When it is another program's, or the key is wrong.
        JournalError: When it cannot be opened.
    """
    if not path.exists():
        raise _none(path)
    with _opening(path) as connection:
        if _format(connection) == OLDEST and _tables(connection):
            connection.execute(_AS_RENEWED)
        connection.execute("PRAGMA query_only = ON")
        _hold_to_tables(connection, path)
        journal = Journal(connection, path, _seal(connection, path, key))
    with contextlib.closing(journal):
        yield journal


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    lock = filelock.FileLock(_lock_path(path), mode=MODE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except filelock.Timeout:
        msg = f"Another process writes the journal {path}. Run again when it has ended."
        raise JournalInUseError(msg) from None
    except OSError as error:
        msg = f"The journal {path} cannot be locked ({error.strerror})."
        raise JournalError(msg) from None
    with lock:
        try:
            yield
        finally:
            lock.release()


def _lock_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


@contextlib.contextmanager
def _opening(path: Path) -> Iterator[sqlite3.Connection]:
    """Connect to a journal, and close the connection again when the block fails.

    Raises:
        ConfigError: When the file is another program's.
        JournalError: When it cannot be opened.
    """
    connection = _connect(path)
    try:
        yield connection
    except sqlite3.Error as error:
        connection.close()
        msg = f"The journal {path} cannot be opened ({error})."
        raise JournalError(msg) from None
    except BaseException:
        connection.close()
        raise


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS
        )
        try:
            (mark,) = connection.execute("PRAGMA application_id").fetchone()
            tables, version = _tables(connection), _format(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.OperationalError as error:
        msg = f"The journal {path} cannot be opened ({error})."
        raise JournalError(msg) from None
    except sqlite3.DatabaseError:
        msg = f"The file {path} is no journal. Name another with `journal_path`."
        raise ConfigError(msg) from None
    if tables and (mark != APPLICATION_ID or not OLDEST <= version <= FORMAT):
        connection.close()
        other = "another program" if mark != APPLICATION_ID else "another version of automate-dms"
        msg = f"The file {path} is a database of {other}. Name another with `journal_path`."
        raise ConfigError(msg)
    return connection


def _create_or_open(
    path: Path, tenant: str | None, key: str | None, called: Path | None = None
) -> Journal:
    try:
        # Made here, so that neither it nor its log is ever readable for others.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, MODE))
        path.chmod(MODE)
    except OSError as error:
        msg = f"The journal {path} cannot be made ({error.strerror})."
        raise JournalError(msg) from None
    with _opening(path) as connection:
        if tenant is None:
            _hold_to_tables(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        if not _tables(connection):
            _fill(connection, t.cast("str", tenant), key)
        elif _format(connection) < FORMAT:
            _renew(connection)
        connection.execute("COMMIT")
        named = called or path
        journal = Journal(connection, named, _seal(connection, named, key))
        if tenant is not None:
            hold_to_tenant(journal, tenant)
    return journal


def _fill(connection: sqlite3.Connection, tenant: str, key: str | None) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    for table in _TABLES:
        connection.execute(table)
    salt = secrets.token_bytes(SALT_BYTES)
    facts = {"journal_id": str(uuid.uuid4()), "tenant": tenant}
    if key is not None:
        facts |= {"salt": salt.hex(), "check": KeySeal(key, salt).close(CHECK).decode()}
    connection.executemany("INSERT INTO fact VALUES (?, ?)", facts.items())


def _renew(connection: sqlite3.Connection) -> None:
    """Bring a journal of the first format up to date, in the caller's transaction."""
    for change in _RENEWAL:
        connection.execute(change)
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def _tables(connection: sqlite3.Connection) -> int:
    """Count what the file holds; 0 in one that was made and never filled."""
    count: int = connection.execute("SELECT count(*) FROM main.sqlite_master").fetchone()[0]
    return count


def _format(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _hold_to_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that a process made and was killed before it filled."""
    if not _tables(connection):
        raise _none(path)


def _none(path: Path) -> NoJournalError:
    return NoJournalError(
        f"There is no journal at {path}: nothing was pushed yet, or `journal_path` is wrong."
    )


def _seal(connection: sqlite3.Connection, path: Path, key: str | None) -> Seal:
    facts = dict(connection.execute("SELECT name, value FROM fact WHERE name IN ('salt', 'check')"))
    if not facts and key is None:
        return NoSeal()
    if not facts:
        msg = (
            f"`journal_key` is set, and the journal {path} is not encrypted. Unset it, or name a "
            "new file with `journal_path`."
        )
        raise ConfigError(msg)
    if key is None:
        msg = f"The journal {path} is encrypted: give its key with `journal_key`."
        raise ConfigError(msg)
    seal = KeySeal(key, bytes.fromhex(facts["salt"]))
    try:
        seal.open(facts["check"].encode())
    except WrongKeyError:
        msg = f"`journal_key` is not the key of the journal {path}."
        raise ConfigError(msg) from None
    return seal


def hold_to_tenant(journal: JournalQueries, tenant: str) -> None:
    """Refuse a journal that holds another tenant's writes.

    Args:
        journal: Open.
        tenant: Whose writes it should hold.

    Raises:
        ConfigError: When they are another's.
    """
    if (own := journal.fact("tenant")) != tenant:
        msg = (
            f"The journal {journal.path} is of {own}, and the settings are of {tenant}. Name a "
            "journal of its own with `journal_path`."
        )
        raise ConfigError(msg)
