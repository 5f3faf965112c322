"""The journal: every write, before it is sent and after, in a SQLite file.

Nothing is sent before it stands here and is on the disk: write-ahead log, `synchronous = FULL`.
Changes of all threads gather in one open transaction, and whoever needs its own to be durable
commits for everybody (`flush`). One process writes a journal; readers are welcome meanwhile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import typing as t

from automate_api.exact_json import encode
from target_automate.journal.intents import OPEN, Brief, Cause, State
from target_automate.journal.queries import JournalQueries

if t.TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from target_automate.journal.sealing import Seal

_CHANGEABLE: t.Final = frozenset(
    {
        "generation", "resolved", "guard", "version", "look_up", "approved", "attempts",
        "first_sent_at", "sent_at", "operation_id", "dms_id", "dms_number", "matched_by", "cause",
        "reason", "http_status", "request_id", "payload", "content_hash", "parent", "lane",
    }
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewIntent:
    """An intent that is to be kept; the attributes are those of `Intent`.

    Without a `lane` it is in that of its own key.
    """

    object: str
    operation: str
    business_key: str
    content_hash: str
    sequence: int
    payload: Mapping[str, t.Any] = dataclasses.field(repr=False)
    state: State = State.PLANNED
    lane: bytes | None = None
    parent: bytes | None = None
    guard: Mapping[str, t.Any] | None = None
    look_up: bool = False
    approved: bool = False
    cause: Cause | None = None
    reason: str | None = None


class Journal(JournalQueries):
    """An open journal; safe to share between threads.

    Opened by `journal_file`.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, seal: Seal) -> None:
        super().__init__(connection, path, seal)
        self._commit_lock = threading.Lock()
        self._changes = 0
        self._durable = 0
        query = "SELECT ifnull(max(revision), 0) FROM intent"
        self._revision: int = connection.execute(query).fetchone()[0]

    def set_fact(self, name: str, value: str) -> None:
        """Write something that holds for the whole journal."""
        with self._writing():
            self._connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def add(self, new: NewIntent, at: float) -> int:
        """Keep an intent.

        Args:
            new: What to keep.
            at: Seconds since 1970.

        Returns:
            Its id.
        """
        digest = self.seal.digest(new.object, new.business_key)
        settled = None if new.state in OPEN else at
        with self._writing():
            cursor = self._connection.execute(
                "INSERT INTO intent (object, operation, business_key, digest, lane, content_hash, "
                "sequence, state, payload, parent, guard, look_up, approved, cause, reason, "
                "created_at, settled_at, was_rejected, revision) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    new.object,
                    new.operation,
                    self.seal.close(new.business_key.encode()),
                    digest,
                    new.lane or digest,
                    new.content_hash,
                    new.sequence,
                    new.state.value,
                    self.seal.close(encode(new.payload)),
                    new.parent,
                    _written(new.guard),
                    new.look_up,
                    new.approved,
                    new.cause and new.cause.value,
                    new.reason,
                    at,
                    settled,
                    new.state in {State.REJECTED, State.PARKED},
                    self._next_revision(),
                ),
            )
        return t.cast("int", cursor.lastrowid)

    def change(self, intent_id: int, state: State, at: float, **columns: t.Any) -> None:  # noqa: ANN401 - of any column
        """Move an intent to a state.

        Args:
            intent_id: Which.
            state: Where to; the same as before when only columns change.
            at: Seconds since 1970.
            columns: What else is known now, by the names of the table.
        """
        if unknown := columns.keys() - _CHANGEABLE:
            msg = f"no columns that change: {sorted(unknown)}"
            raise ValueError(msg)
        columns |= {"state": state.value, "settled_at": None if state in OPEN else at}
        if state in {State.REJECTED, State.PARKED}:
            columns["was_rejected"] = True
        if "payload" in columns:
            columns["payload"] = self.seal.close(encode(columns["payload"]))
        if "guard" in columns:
            columns["guard"] = _written(columns["guard"])
        with self._writing():
            columns["revision"] = self._next_revision()
            names = ", ".join(f"{name} = :{name}" for name in columns)
            self._connection.execute(
                f"UPDATE intent SET {names} WHERE id = :id",  # noqa: S608 - names of columns
                columns | {"id": intent_id},
            )

    def recover(self, at: float) -> list[Brief]:
        """Take over what earlier runs left open: what was sent has an unknown outcome now.

        Args:
            at: Seconds since 1970.

        Returns:
            The open intents, in their order.
        """
        with self._writing():
            for (intent_id,) in self._connection.execute(
                "SELECT id FROM intent WHERE state = ?", (State.SENT.value,)
            ).fetchall():
                self.change(
                    intent_id, State.UNKNOWN, at, reason="the run before ended while it was sent"
                )
        marks = ", ".join("?" for _ in OPEN)
        return self._briefs(
            f"WHERE state IN ({marks}) ORDER BY id", [state.value for state in OPEN]
        )

    def flush(self) -> None:
        """Return once every change of this thread so far is on the disk.

        Raises:
            JournalError: When it cannot be written; nothing more will be then.
        """
        wanted = self._changes
        if self._durable >= wanted:
            return
        with self._commit_lock:
            if self._durable >= wanted:
                return
            with self._lock, self._explained():
                version = self._changes
                if self._connection.in_transaction:
                    self._connection.execute("COMMIT")
                self._durable = version

    def close(self) -> None:
        """Commit and close; a journal that failed is left as it is on the disk."""
        try:
            if self._failure is None:
                self.flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close without a commit, as a crash would."""
        with self._lock:
            self._failure = self._failure or f"The journal {self.path} is closed."
            self._connection.close()

    def _next_revision(self) -> int:
        self._revision += 1
        return self._revision

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock, self._explained():
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._changes += 1


def _written(guard: Mapping[str, t.Any] | None) -> str | None:
    return None if guard is None else encode(guard).decode()
