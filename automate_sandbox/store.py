"""The history on disk: a SQLite file that holds a whole transaction or none of it.

Write-ahead logging keeps the file consistent through `kill -9`; the exclusive lock, held while a
server runs, keeps a second server away.
"""

from __future__ import annotations

import contextlib
import sqlite3
import typing as t

from automate_sandbox.ledger import Entry

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

APPLICATION_ID: t.Final = 0x41444D53
"""`ADMS` in SQLite's header: the mark of our files."""

FORMAT: t.Final = 2
LOCK_SECONDS: t.Final = 0.5


class StoreError(Exception):
    """A store that cannot be used; the message says why and what to do."""


class Store:
    """An append-only history in one file."""

    def __init__(self, path: Path) -> None:
        """Open or create the file and lock it.

        Args:
            path: Of the file; its folder is made when missing.

        Raises:
            StoreError: The file is something else, newer, in use or not writable.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.ExitStack() as stack:
                self._connection = sqlite3.connect(path, isolation_level=None, timeout=LOCK_SECONDS)
                stack.callback(self._connection.close)
                self._open()
                stack.pop_all()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                message = (
                    f"The store {path} is in use by another sandbox; stop it or name another file."
                )
            else:
                message = f"The store {path} cannot be opened: {error}."
            raise StoreError(message) from error
        except sqlite3.DatabaseError as error:
            message = f"The file {path} is no sandbox store: {error}. Name another file."
            raise StoreError(message) from error
        except OSError as error:
            message = f"The store {path} cannot be created: {error.strerror}."
            raise StoreError(message) from error

    def _open(self) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("BEGIN EXCLUSIVE")
        tables = run("SELECT count(*) FROM sqlite_master").fetchone()[0]
        mark = run("PRAGMA application_id").fetchone()[0]
        version = run("PRAGMA user_version").fetchone()[0]
        if tables and mark != APPLICATION_ID:
            message = (
                f"The file {self.path} is a SQLite file of another program; name another file."
            )
            raise StoreError(message)
        if tables and version != FORMAT:
            message = (
                f"The store {self.path} has format {version}, this sandbox reads {FORMAT}; "
                "delete it to start a new world."
            )
            raise StoreError(message)
        if not tables:
            run(f"PRAGMA application_id = {APPLICATION_ID}")
            run(f"PRAGMA user_version = {FORMAT}")
            run("CREATE TABLE world (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
            run(
                "CREATE TABLE history (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, stream TEXT, "
                "key TEXT NOT NULL, cause TEXT NOT NULL, request_id TEXT, body BLOB NOT NULL)"
            )
        run("COMMIT")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")

    def facts(self) -> dict[str, str]:
        """Read what the world was made from; empty for a new store."""
        return dict(self._connection.execute("SELECT name, value FROM world"))

    def create(self, facts: Mapping[str, str], entries: Iterable[Entry]) -> None:
        """Write a whole new world in one transaction."""
        with self._transaction():
            self._connection.executemany("INSERT INTO world VALUES (?, ?)", facts.items())
            self._insert(entries)

    def append(self, entries: Iterable[Entry]) -> None:
        """Write entries in one transaction."""
        with self._transaction():
            self._insert(entries)

    def read(self) -> Iterator[Entry]:
        """Read the history in its order."""
        for row in self._connection.execute("SELECT * FROM history ORDER BY seq"):
            yield Entry(*row)

    def close(self) -> None:
        """Close the file and give its lock back."""
        self._connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk makes SQLite roll back by itself.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _insert(self, entries: Iterable[Entry]) -> None:
        self._connection.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?)", entries)
