"""Every version of every record, and the indexes that pages are cut from.

The truth of the sandbox: an append-only history, and per resource the current rows, encoded once,
sorted by change time and (for the page orders that need it) by a rank of the key. All of it belongs
to one thread.
"""

from __future__ import annotations

import bisect
import hashlib
import typing as t
from collections import deque

from automate_sandbox.instants import parse
from automate_sandbox.links import guarded
from automate_sandbox.money import Record, decode, encode

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from automate_sandbox.resources import Resource, Value
    from automate_sandbox.store import Store

Rank = str | bytes

UNDATED: t.Final = -(1 << 62)
"""The time of a record whose `updatedAt` is null: before any bound that a request can name."""

REMOVED: t.Final = b"null"
"""The body of an entry that says that the record is gone."""


class Row(t.NamedTuple):
    """The current version of a record.

    Attributes:
        key: Its id, or the parts of its key joined.
        updated: `updatedAt` in milliseconds since 1970.
        body: The record as JSON.
        values: What the resource's filters look at.
    """

    key: str
    updated: int
    body: bytes
    values: tuple[Value, ...]


class Entry(t.NamedTuple):
    """A line of the history.

    Attributes:
        seq: 1, 2, 3, ...
        at: When it was accepted, milliseconds since 1970.
        stream: Of the record; None for an accepted write, whose versions carry the same request id.
        key: Of the record; method and path for a write.
        cause: world, live, api, or control.
        request_id: Of the request behind it.
        body: The record, `null` when it was removed; for a write
            `{status, payload, answer, idempotencyKey}`, and `id` when its path names a record. A
            queued write has two entries: status 202 when it is accepted, and at its end one with
            its `operationId` and `answer`, or `error` when it was refused and nothing has changed.
            An approval that control has given stands there like a write.
    """

    seq: int
    at: int
    stream: str | None
    key: str
    cause: str
    request_id: str | None
    body: bytes

    def render(self) -> bytes:
        """Write the entry as one JSON object, `record` or `write` being its body."""
        head = encode(
            {
                "seq": self.seq,
                "at": self.at,
                "stream": self.stream,
                "key": self.key,
                "cause": self.cause,
                "requestId": self.request_id,
            }
        )
        return head[:-1] + (b',"record":' if self.stream else b',"write":') + self.body + b"}"


def key_rank(key: str) -> Rank:
    """Rank for the order by id."""
    return key


def opaque_rank(key: str) -> Rank:
    """Rank for an order that is stable but says nothing to a reader."""
    return hashlib.blake2b(key.encode(), digest_size=8).digest()


def _parts(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


class Table:
    """Current rows of a resource with their indexes.

    Attributes:
        rows: Key to row.
        by_time: (updated, key), sorted.
        by_rank: (rank, key), sorted; empty when no page order asks for it.
        revision: Counts the changes, so that a cached selection knows when it is stale.
    """

    def __init__(self, resource: Resource, rank: Callable[[str], Rank] | None) -> None:
        """Make an empty table.

        Args:
            resource: Whose records it holds.
            rank: Orders keys for `by_rank`.
        """
        self.resource = resource
        self.rank = rank
        self.rows: dict[str, Row] = {}
        self.by_time: list[tuple[int, str]] = []
        self.by_rank: list[tuple[Rank, str]] = []
        self.revision = 0
        self._indexes: dict[int, dict[Value, set[str]]] = {}

    def row(self, record: Record, body: bytes) -> Row:
        """Make the row of a record."""
        resource, text = self.resource, record["updatedAt"]
        updated = UNDATED if text is None else parse(text)
        return Row(resource.key_of(record), updated, body, resource.values(record))

    def load(self, rows: Iterable[Row]) -> None:
        """Take many rows at once; of several with one key the last counts."""
        self.rows.update((row.key, row) for row in rows)
        self.by_time = sorted((row.updated, row.key) for row in self.rows.values())
        if self.rank:
            self.by_rank = sorted((self.rank(key), key) for key in self.rows)
        self.revision += 1

    def put(self, row: Row) -> None:
        """Make a row the current one of its key."""
        old = self.rows.get(row.key)
        if old is not None:
            del self.by_time[bisect.bisect_left(self.by_time, (old.updated, old.key))]
        elif self.rank:
            bisect.insort(self.by_rank, (self.rank(row.key), row.key))
        bisect.insort(self.by_time, (row.updated, row.key))
        self.rows[row.key] = row
        self.revision += 1
        for position, index in self._indexes.items():
            for value in _parts(old.values[position]) if old else ():
                index[value].discard(row.key)
            for value in _parts(row.values[position]):
                index.setdefault(value, set()).add(row.key)

    def remove(self, key: str) -> None:
        """Forget a record; one that is not there is nothing to forget."""
        old = self.rows.pop(key, None)
        if old is None:
            return
        del self.by_time[bisect.bisect_left(self.by_time, (old.updated, key))]
        if self.rank:
            del self.by_rank[bisect.bisect_left(self.by_rank, (self.rank(key), key))]
        self.revision += 1
        for position, index in self._indexes.items():
            for value in _parts(old.values[position]):
                index[value].discard(key)

    def find(self, parameter: str, value: str) -> set[str]:
        """Find the keys of the rows that an equality filter would pass."""
        return self.having(self.resource.filters[parameter].position, value)

    def having(self, position: int, value: Value) -> set[str]:
        """Find the keys of the rows with a value, or with an item of it; indexed at first use.

        Args:
            position: Of the value in `Row.values`.
            value: Wanted.

        Returns:
            The index's own set: not to be changed, nor kept.
        """
        index = self._indexes.get(position)
        if index is None:
            index = self._indexes[position] = {}
            for row in self.rows.values():
                for part in _parts(row.values[position]):
                    index.setdefault(part, set()).add(row.key)
        return index.get(value, set())


class Ledger:
    """All tables and the history of a world.

    Attributes:
        tables: Stream to table, as writes see it.
        history: In the order of acceptance; `history[n].seq` is `n + 1`.
    """

    def __init__(
        self,
        resources: Mapping[str, Resource],
        rank: Callable[[str], Rank] | None = None,
        store: Store | None = None,
        lag: int = 0,
        add: Callable[[str, Record], None] | None = None,
    ) -> None:
        """Make an empty world.

        Args:
            resources: Stream to resource.
            rank: For the page order in use.
            store: Keeps the history on disk; without one it lives in memory only.
            lag: Milliseconds until reads show a change.
            add: Gives a new version of a stream's record, in place, what the contract does not.
        """
        self.tables = {stream: Table(resource, rank) for stream, resource in resources.items()}
        self.history: list[Entry] = []
        self._store = store
        self._lag = lag
        self._add = add
        self._views = self.tables
        if lag:
            self._views = {stream: Table(resource, rank) for stream, resource in resources.items()}
        self._hidden: deque[tuple[int, str, Row]] = deque()

    def create(
        self, records: Iterable[tuple[str, Record]], at: int, facts: Mapping[str, str]
    ) -> None:
        """Fill an empty world, in one transaction.

        Args:
            records: Stream and record.
            at: Milliseconds since 1970.
            facts: What the world is made from, kept beside it.
        """
        rows: dict[str, list[Row]] = {stream: [] for stream in self.tables}
        for entry, row in self._versions(records, at, "world", None):
            self.history.append(entry)
            rows[entry.stream or ""].append(row)
        if self._store:
            self._store.create(facts, self.history)
        self._load(rows)

    def restore(self) -> None:
        """Take the world from the store."""
        rows: dict[str, dict[str, Row]] = {stream: {} for stream in self.tables}
        for entry in self._store.read() if self._store else ():
            self.history.append(entry)
            if entry.stream is None:
                continue
            if entry.body == REMOVED:
                rows[entry.stream].pop(entry.key, None)
            else:
                row = self.tables[entry.stream].row(decode(entry.body), entry.body)
                rows[entry.stream][entry.key] = row
        self._load({stream: list(found.values()) for stream, found in rows.items()})

    def commit(
        self,
        records: Iterable[tuple[str, Record]],
        at: int,
        *,
        cause: str,
        request_id: str | None = None,
        write: tuple[str, Record] | None = None,
    ) -> None:
        """Accept new versions: on disk first, then visible to readers, all or none.

        Args:
            records: Stream and record.
            at: Milliseconds since 1970.
            cause: live, api or control.
            request_id: Of the request behind it.
            write: `POST /deals` and `{status, payload, answer, idempotencyKey}` of an accepted
                write.
        """
        versions = list(self._versions(records, at, cause, request_id))
        entries = [entry for entry, _ in versions]
        if write:
            name, facts = write
            seq = len(self.history) + len(entries) + 1
            entries.append(Entry(seq, at, None, name, cause, request_id, encode(facts)))
        if self._store:
            self._store.append(entries)
        for entry, row in versions:
            stream = entry.stream or ""
            self.tables[stream].put(row)
            if self._lag:
                self._hidden.append((at + self._lag, stream, row))
        self.history.extend(entries)

    def remove(self, stream: str, keys: Iterable[str], at: int) -> None:
        """Let records vanish, for every reader at once: no list and no detail has them any more.

        Args:
            stream: Of the records.
            keys: Theirs.
            at: Milliseconds since 1970.
        """
        entries = [
            Entry(seq, at, stream, key, "control", None, REMOVED)
            for seq, key in enumerate(keys, start=len(self.history) + 1)
        ]
        if self._store:
            self._store.append(entries)
        gone = {entry.key for entry in entries}
        self._hidden = deque(
            hidden for hidden in self._hidden if hidden[1] != stream or hidden[2].key not in gone
        )
        for key in gone:
            self.tables[stream].remove(key)
            self._views[stream].remove(key)
        self.history.extend(entries)

    def record(self, stream: str, key: str) -> Record | None:
        """Read the current version of a record; the caller may change what it gets."""
        row = self.tables[stream].rows.get(key)
        record: Record | None = decode(row.body) if row else None
        return record

    def view(self, stream: str, now: int) -> Table:
        """Give a table as reads show it: as it was `lag` ago.

        Args:
            stream: Of the table.
            now: Milliseconds since 1970.
        """
        while self._hidden and self._hidden[0][0] <= now:
            _, changed, row = self._hidden.popleft()
            self._views[changed].put(row)
        return self._views[stream]

    def counts(self) -> dict[str, int]:
        """Stream to the number of its records."""
        return {stream: len(table.rows) for stream, table in self.tables.items()}

    def _load(self, rows: Mapping[str, list[Row]]) -> None:
        for stream, table in self.tables.items():
            table.load(rows[stream])
            if self._lag:
                self._views[stream].load(rows[stream])

    def _versions(
        self, records: Iterable[tuple[str, Record]], at: int, cause: str, request_id: str | None
    ) -> Iterator[tuple[Entry, Row]]:
        for seq, (stream, record) in enumerate(records, start=len(self.history) + 1):
            if self._add:
                self._add(stream, record)
            row = self.tables[stream].row(record, guarded(stream, encode(record)))
            yield Entry(seq, at, stream, row.key, cause, request_id, row.body), row
