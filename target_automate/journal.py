"""The journal: every write, before it is sent and after, in a SQLite file.

Nothing is sent before it stands here and is on the disk: write-ahead log, `synchronous = FULL`.
Changes of all threads gather in one open transaction, and whoever needs its own to be durable
commits for everybody (`flush`). One process writes a journal; readers are welcome meanwhile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
import threading
import typing as t
from decimal import Decimal

import msgspec

from automate_api.errors import AutomateError
from target_automate.intents import OPEN, Brief, Cause, Head, Intent, State
from target_automate.sealing import Seal, WrongKeyError

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

_INTENT_COLUMNS: t.Final = ", ".join(field.name for field in dataclasses.fields(Intent))
_HEAD_COLUMNS: t.Final = ", ".join(field.name for field in dataclasses.fields(Head))
ROWS_AT_ONCE: t.Final = 1000
"""Rows that a listing takes at once, so that a large journal is never in memory."""

_CHANGEABLE: t.Final = frozenset(
    {
        "generation", "resolved", "look_up", "approved", "attempts", "first_sent_at", "sent_at",
        "operation_id", "dms_id", "dms_number", "matched_by", "cause", "reason", "http_status",
        "request_id", "payload",
    }
)  # fmt: skip

_encode: t.Final = msgspec.json.Encoder(decimal_format="number").encode
_decode: t.Final = msgspec.json.Decoder(float_hook=Decimal).decode


class JournalError(AutomateError):
    """The journal cannot be written or read; what is durable in it stands."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewIntent:
    """An intent that is to be kept; the attributes are those of `Intent`."""

    object: str
    operation: str
    business_key: str
    content_hash: str
    sequence: int
    payload: Mapping[str, t.Any] = dataclasses.field(repr=False)
    state: State = State.PLANNED
    parent: bytes | None = None
    look_up: bool = False
    approved: bool = False
    cause: Cause | None = None
    reason: str | None = None


class Journal:
    """An open journal; safe to share between threads.

    Opened by `journal_file`.

    Attributes:
        path: Of the file.
        seal: How what is personal is kept.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, seal: Seal) -> None:
        self.path = path
        self.seal = seal
        self._connection = connection
        self._lock = threading.RLock()
        self._commit_lock = threading.Lock()
        self._changes = 0
        self._durable = 0
        self._failed = False
        query = "SELECT ifnull(max(revision), 0) FROM intent"
        self._revision: int = connection.execute(query).fetchone()[0]

    def fact(self, name: str) -> str | None:
        """Read something that holds for the whole journal; None when nobody wrote it."""
        with self._reading():
            row = self._connection.execute(
                "SELECT value FROM fact WHERE name = ?", (name,)
            ).fetchone()
        return row[0] if row else None

    def set_fact(self, name: str, value: str) -> None:
        """Write something that holds for the whole journal."""
        with self._writing():
            self._connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    @property
    def journal_id(self) -> str:
        """The journal's own random id."""
        return self.fact("journal_id") or ""

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
                "INSERT INTO intent (object, operation, business_key, digest, content_hash, "
                "sequence, state, payload, parent, look_up, approved, cause, reason, created_at, "
                "settled_at, was_rejected, revision) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    new.object,
                    new.operation,
                    self.seal.close(new.business_key.encode()),
                    digest,
                    new.content_hash,
                    new.sequence,
                    new.state.value,
                    self.seal.close(_encode(new.payload)),
                    new.parent,
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
            columns["payload"] = self.seal.close(_encode(columns["payload"]))
        with self._writing():
            columns["revision"] = self._next_revision()
            names = ", ".join(f"{name} = :{name}" for name in columns)
            self._connection.execute(
                f"UPDATE intent SET {names} WHERE id = :id",  # noqa: S608 - names of columns
                columns | {"id": intent_id},
            )

    def get(self, intent_id: int) -> Intent:
        """Read an intent.

        Raises:
            LookupError: When there is none with this id.
        """
        for intent in self._intents("WHERE id = ?", (intent_id,)):
            return intent
        msg = f"The journal has no write {intent_id}."
        raise LookupError(msg)

    def newest(self, object_name: str, digest: bytes) -> Head | None:
        """Find the newest intent of a business key; None when there is none."""
        return self._head(object_name, digest, "")

    def acked(self, object_name: str, digest: bytes) -> Head | None:
        """Find the newest intent of a business key that is in the DMS; None when there is none."""
        return self._head(object_name, digest, f"AND state = '{State.ACKED}'")

    def before(self, intent: Intent) -> Head | None:
        """Find the intent that came before another of the same business key."""
        return self._head(intent.object, intent.digest, f"AND sequence < {int(intent.sequence)}")

    def claimed(self, object_name: str, dms_id: str) -> bool:
        """Tell whether an intent has been found to be this record of the DMS."""
        with self._reading():
            return bool(
                self._connection.execute(
                    "SELECT 1 FROM intent WHERE object = ? AND dms_id = ?", (object_name, dms_id)
                ).fetchone()
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

    def having(self, states: Collection[State], object_name: str | None = None) -> Iterator[Intent]:
        """List the intents that are in one of some states, in their order.

        Args:
            states: Which.
            object_name: Of this object alone.
        """
        marks = ", ".join("?" for _ in states)
        values: list[str] = [state.value for state in states]
        condition = f"WHERE state IN ({marks})"
        if object_name is not None:
            condition += " AND object = ?"
            values.append(object_name)
        return self._intents(f"{condition} ORDER BY id", values)

    def children(self, parent: bytes) -> list[Brief]:
        """List the newest intents of their keys that wait for a customer or are rejected for it.

        Args:
            parent: Digest of the customer's business key.
        """
        return self._briefs(
            "AS child WHERE parent = ? AND (state = ? OR state = ? AND cause = ?) "
            "AND NOT EXISTS (SELECT 1 FROM intent AS later WHERE later.object = child.object "
            "AND later.digest = child.digest AND later.sequence > child.sequence) ORDER BY id",
            (parent, State.WAITING_PARENT.value, State.REJECTED.value, Cause.PARENT.value),
        )

    def counts(self) -> dict[tuple[str, State], int]:
        """Count the intents by object and state."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT object, state, count(*) FROM intent GROUP BY object, state"
            ).fetchall()
        return {(name, State(state)): count for name, state, count in rows}

    def rows(self, *, after: int = 0, rejected: bool | None = None) -> Iterator[dict[str, t.Any]]:
        """Read everything but payloads, in the order of the last change.

        Args:
            after: The revision that was read last.
            rejected: Only what was rejected or parked at some time, or only what is in the DMS.

        Yields:
            The table's columns by their names, the business key readable.
        """
        condition = {
            None: "",
            True: " AND was_rejected",
            False: f" AND state = '{State.ACKED}'",
        }[rejected]
        columns = (
            "id, object, operation, business_key, sequence, state, attempts, created_at, sent_at, "
            "settled_at, dms_id, dms_number, matched_by, cause, reason, http_status, request_id, "
            "content_hash, revision"
        )
        with self._reading():
            cursor = self._connection.execute(
                f"SELECT {columns} FROM intent WHERE revision > ?{condition} ORDER BY revision",  # noqa: S608 - constants
                (after,),
            )
        names = [column[0] for column in cursor.description]
        while True:
            with self._reading():
                read = cursor.fetchmany(ROWS_AT_ONCE)
            if not read:
                return
            for values in read:
                row = dict(zip(names, values, strict=True))
                row["business_key"] = self._opened(row["business_key"]).decode()
                yield row

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
        if not self._failed:
            self.flush()
        self.abandon()

    def abandon(self) -> None:
        """Close without a commit, as a crash would."""
        with self._lock:
            self._failed = True
            self._connection.close()

    def _head(self, object_name: str, digest: bytes, condition: str) -> Head | None:
        with self._reading():
            row = self._connection.execute(
                f"SELECT {_HEAD_COLUMNS} FROM intent WHERE object = ? AND digest = ? {condition} "  # noqa: S608 - constants
                "ORDER BY sequence DESC LIMIT 1",
                (object_name, digest),
            ).fetchone()
        if row is None:
            return None
        head_id, state, content_hash, sequence, dms_id, cause = row
        return Head(
            head_id, State(state), content_hash, sequence, dms_id, Cause(cause) if cause else None
        )

    def _briefs(self, rest: str, values: Collection[t.Any]) -> list[Brief]:
        with self._reading():
            rows = self._connection.execute(
                f"SELECT id, object, digest, state FROM intent {rest}",  # noqa: S608 - constants
                tuple(values),
            ).fetchall()
        return [Brief(key, name, digest, State(state)) for key, name, digest, state in rows]

    def _intents(self, rest: str, values: Collection[t.Any]) -> Iterator[Intent]:
        with self._reading():
            rows = self._connection.execute(
                f"SELECT {_INTENT_COLUMNS} FROM intent {rest}",  # noqa: S608 - constants
                tuple(values),
            ).fetchall()
        names = [field.name for field in dataclasses.fields(Intent)]
        for row in rows:
            columns = dict(zip(names, row, strict=True))
            columns["state"] = State(columns["state"])
            columns["cause"] = Cause(columns["cause"]) if columns["cause"] else None
            columns["look_up"] = bool(columns["look_up"])
            columns["approved"] = bool(columns["approved"])
            columns["business_key"] = self._opened(columns["business_key"]).decode()
            columns["payload"] = _decode(self._opened(columns["payload"]))
            yield Intent(**columns)

    def _opened(self, kept: bytes) -> bytes:
        try:
            return self.seal.open(kept)
        except WrongKeyError:
            msg = (
                f"The journal {self.path} holds a text that `journal_key` does not open: the file "
                "is damaged. Restore it from a copy, or name another with `journal_path`."
            )
            raise JournalError(msg) from None

    def _next_revision(self) -> int:
        self._revision += 1
        return self._revision

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, self._explained():
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock, self._explained():
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._changes += 1

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        if self._failed:
            msg = f"The journal {self.path} is closed."
            raise JournalError(msg)
        try:
            yield
        except sqlite3.Error as error:
            # SQLite may have rolled back what other threads rely on: nobody goes on with it.
            self._failed = True
            msg = (
                f"The journal {self.path} cannot be used any more ({error}). See to its disk, then "
                "run again: what was on the disk stands, and nothing was sent that is not there."
            )
            raise JournalError(msg) from None
