"""What a journal is asked for: intents, the newest of a key, counts, rows for a person.

Business keys and payloads come readable, also where the file keeps them encrypted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
import threading
import typing as t

from automate_api.errors import AutomateError
from automate_api.exact_json import decode
from target_automate.journal.intents import Brief, Cause, Head, Intent, State, Work
from target_automate.journal.sealing import Seal, WrongKeyError

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

ROWS_AT_ONCE: t.Final = 1000
"""Rows that a listing takes at once, so that a large journal is never in memory."""

VERSIONS: t.Final = 100
"""Own writes of a record, one after the other, that are remembered to be no conflict."""

_INTENT_COLUMNS: t.Final = ", ".join(field.name for field in dataclasses.fields(Intent))
_HEAD_COLUMNS: t.Final = ", ".join(field.name for field in dataclasses.fields(Head))
_ROW_COLUMNS: t.Final = (
    "id, object, operation, business_key, sequence, state, attempts, created_at, sent_at, "
    "settled_at, dms_id, dms_number, matched_by, cause, reason, http_status, request_id, "
    "content_hash, revision"
)


class JournalError(AutomateError):
    """The journal cannot be written or read; what is durable in it stands."""


class JournalQueries:
    """The questions; safe to share between threads.

    Attributes:
        path: Of the file.
        seal: How what is personal is kept.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, seal: Seal) -> None:
        self.path = path
        self.seal = seal
        self._connection = connection
        self._lock = threading.RLock()
        self._failure: str | None = None
        """Why it cannot be used any more: every thread tells the same."""

    def fact(self, name: str) -> str | None:
        """Read something that holds for the whole journal; None when nobody wrote it."""
        with self._reading():
            row = self._connection.execute(
                "SELECT value FROM fact WHERE name = ?", (name,)
            ).fetchone()
        return row[0] if row else None

    @property
    def journal_id(self) -> str:
        """The journal's own random id."""
        return self.fact("journal_id") or ""

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

    def parked(self, object_name: str, digest: bytes) -> Head | None:
        """Find the newest intent of a business key that is parked; None when there is none."""
        return self._head(object_name, digest, f"AND state = '{State.PARKED}'")

    def has_acked(self, object_name: str, digest: bytes, content_hash: str) -> bool:
        """Tell whether the DMS has taken this very content of a business key, however long ago."""
        with self._reading():
            return bool(
                self._connection.execute(
                    "SELECT 1 FROM intent WHERE object = ? AND digest = ? AND content_hash = ? "
                    "AND state = ?",
                    (object_name, digest, content_hash, State.ACKED.value),
                ).fetchone()
            )

    def heads(self, object_name: str, digest: bytes) -> list[Head]:
        """List the intents of a business key, the oldest first."""
        with self._reading():
            rows = self._connection.execute(
                f"SELECT {_HEAD_COLUMNS} FROM intent WHERE object = ? AND digest = ? "  # noqa: S608 - constants
                "ORDER BY sequence",
                (object_name, digest),
            ).fetchall()
        return [_head(row) for row in rows]

    def claimed(self, object_name: str, dms_id: str) -> bool:
        """Tell whether an intent has been found to be this record of the DMS."""
        with self._reading():
            return bool(
                self._connection.execute(
                    "SELECT 1 FROM intent WHERE object = ? AND dms_id = ?", (object_name, dms_id)
                ).fetchone()
            )

    def key_of(self, object_name: str, dms_id: str) -> bytes | None:
        """Find the digest of the business key under which a record of the DMS was made.

        Returns:
            It; None when this journal has not made the record.
        """
        with self._reading():
            row = self._connection.execute(
                "SELECT digest FROM intent WHERE object = ? AND dms_id = ? "
                "ORDER BY id DESC LIMIT 1",
                (object_name, dms_id),
            ).fetchone()
        return row[0] if row else None

    def versions(self, lane: bytes) -> dict[str, Mapping[str, t.Any]]:
        """Tell which versions of a record are this journal's own work.

        Args:
            lane: Of the record's writes.

        Returns:
            `updatedAt` after a write to what the DMS held before it, of the last writes.
        """
        with self._reading():
            rows = self._connection.execute(
                "SELECT version, guard FROM intent WHERE lane = ? AND operation = 'update' "
                "AND version IS NOT NULL ORDER BY id DESC LIMIT ?",
                (lane, VERSIONS),
            ).fetchall()
        return {version: decode(guard) for version, guard in rows if guard is not None}

    def latest_work(self, lane: bytes) -> Work | None:
        """Find the last change of a lane that the DMS has carried out; None when there is none."""
        with self._reading():
            row = self._connection.execute(
                "SELECT id, version, guard, settled_at FROM intent WHERE lane = ? "
                "AND operation = 'update' AND state = ? ORDER BY id DESC LIMIT 1",
                (lane, State.ACKED.value),
            ).fetchone()
        if row is None:
            return None
        work_id, version, guard, settled_at = row
        before = decode(guard).get("updatedAt") if guard is not None else None
        return Work(work_id, version, before, settled_at)

    def settled_at(self, intent_id: int) -> float | None:
        """Tell when an intent was settled, seconds since 1970; None while it is not."""
        with self._reading():
            row = self._connection.execute(
                "SELECT settled_at FROM intent WHERE id = ?", (intent_id,)
            ).fetchone()
        return row[0] if row else None

    def having(self, states: Collection[State], object_name: str | None = None) -> Iterator[Intent]:
        """List the intents that are in one of some states, in their order.

        Args:
            states: Which.
            object_name: Of this object alone.
        """
        condition, values = _among(states, object_name)
        return self._intents(f"{condition} ORDER BY id", values)

    def children(self, parent: bytes) -> list[Brief]:
        """List what waits for a record or is rejected for it, in its order.

        Of what creates, the newest of its key alone; each of several updates is a step of its own.

        Args:
            parent: Digest of the record's business key.
        """
        return self._briefs(
            "AS child WHERE parent = ? AND (state = ? OR state = ? AND cause = ?) "
            "AND (operation = 'update' OR NOT EXISTS (SELECT 1 FROM intent AS later "
            "WHERE later.object = child.object AND later.digest = child.digest "
            "AND later.sequence > child.sequence)) ORDER BY id",
            (parent, State.WAITING_PARENT.value, State.REJECTED.value, Cause.PARENT.value),
        )

    def counts(self) -> dict[tuple[str, State], int]:
        """Count the intents by object and state."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT object, state, count(*) FROM intent GROUP BY object, state"
            ).fetchall()
        return {(name, State(state)): count for name, state, count in rows}

    def oldest(self) -> dict[tuple[str, State], float]:
        """Tell when the oldest intent came, by object and state: seconds since 1970."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT object, state, min(created_at) FROM intent GROUP BY object, state"
            ).fetchall()
        return {(name, State(state)): at for name, state, at in rows}

    def standing(self, states: Collection[State]) -> dict[tuple[str, State], tuple[int, float]]:
        """Count the intents in some states, and tell when the oldest came, by object and state.

        Args:
            states: Which; `ACKED` has none, so that a journal with much behind it is asked
                quickly.

        Returns:
            Number, and seconds since 1970.
        """
        condition, values = _among(states, None)
        with self._reading():
            rows = self._connection.execute(
                "SELECT object, state, count(*), min(created_at) FROM intent "  # noqa: S608 - constants
                f"{condition} AND state != 'ACKED' GROUP BY object, state",
                values,
            ).fetchall()
        return {(name, State(state)): (count, oldest) for name, state, count, oldest in rows}

    def listed(
        self, states: Collection[State], object_name: str | None = None
    ) -> Iterator[dict[str, t.Any]]:
        """Read everything but payloads of the intents in some states, in their order.

        Args:
            states: Which.
            object_name: Of this object alone.

        Yields:
            As `rows`.
        """
        condition, values = _among(states, object_name)
        yield from self._rows(f"{condition} ORDER BY id", values)

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
        yield from self._rows(f"WHERE revision > ?{condition} ORDER BY revision", (after,))

    def _rows(self, rest: str, values: Collection[t.Any]) -> Iterator[dict[str, t.Any]]:
        with self._reading():
            cursor = self._connection.execute(
                f"SELECT {_ROW_COLUMNS} FROM intent {rest}",  # noqa: S608 - constants
                tuple(values),
            )
        names = [column[0] for column in cursor.description]
        while True:
            with self._reading():
                read = cursor.fetchmany(ROWS_AT_ONCE)
            if not read:
                return
            for found in read:
                row = dict(zip(names, found, strict=True))
                row["business_key"] = self._opened(row["business_key"]).decode()
                yield row

    def _head(self, object_name: str, digest: bytes, condition: str) -> Head | None:
        with self._reading():
            row = self._connection.execute(
                f"SELECT {_HEAD_COLUMNS} FROM intent WHERE object = ? AND digest = ? {condition} "  # noqa: S608 - constants
                "ORDER BY sequence DESC LIMIT 1",
                (object_name, digest),
            ).fetchone()
        return None if row is None else _head(row)

    def _briefs(self, rest: str, values: Collection[t.Any]) -> list[Brief]:
        with self._reading():
            rows = self._connection.execute(
                f"SELECT id, object, digest, lane, state FROM intent {rest}",  # noqa: S608 - constants
                tuple(values),
            ).fetchall()
        return [
            Brief(key, name, digest, lane, State(state)) for key, name, digest, lane, state in rows
        ]

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
            columns["guard"] = decode(columns["guard"]) if columns["guard"] else None
            columns["business_key"] = self._opened(columns["business_key"]).decode()
            columns["payload"] = decode(self._opened(columns["payload"]))
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

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, self._explained():
            yield

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        if self._failure is not None:
            raise JournalError(self._failure)
        try:
            yield
        except sqlite3.Error as error:
            # SQLite may have rolled back what other threads rely on: nobody goes on with it.
            self._failure = (
                f"The journal {self.path} cannot be used any more ({error}). See to its disk, then "
                "run again: what was on the disk stands, and nothing was sent that is not there."
            )
            raise JournalError(self._failure) from None


def _head(row: tuple[t.Any, ...]) -> Head:
    head_id, state, content_hash, sequence, dms_id, cause = row
    return Head(
        head_id, State(state), content_hash, sequence, dms_id, Cause(cause) if cause else None
    )


def _among(states: Collection[State], object_name: str | None) -> tuple[str, tuple[str, ...]]:
    condition = f"WHERE state IN ({', '.join('?' for _ in states)})"
    values = tuple(state.value for state in states)
    if object_name is None:
        return condition, values
    return f"{condition} AND object = ?", (*values, object_name)
