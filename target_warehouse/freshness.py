# ruff: noqa: S608 - the table is ours, values are parameters
"""How long a change takes from its source to a row of the warehouse, noted beside the rows.

A stream whose replication key is a time says when each record was changed last, and the loader
knows when it commits it. What lies between is noted for every transaction, in that transaction, in
a table of its own. Only records that changed since the load before count: what a first load brings,
what a tap reads again and what repairs an old row says nothing of how fresh the warehouse is.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import itertools
import typing as t
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from automate_singer.metrics import log_gauge
from target_warehouse.layout import NOTES

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from target_warehouse.warehouse import Warehouse

TABLE: t.Final = f"{NOTES}.freshness"
COLUMNS: t.Final = (
    "table_schema VARCHAR, table_name VARCHAR, load_started TIMESTAMPTZ, committed TIMESTAMPTZ, "
    "row_count BIGINT, newest_change TIMESTAMPTZ, "
    "measured_rows BIGINT, median_seconds DECIMAL(18,3), worst_seconds DECIMAL(18,3)"
)
"""A row for each transaction of a table, and for each load that brought nothing."""

COMMITS: t.Final = 100
"""Rows kept of each table, beside the one that tells how far the table has come."""

SLACK: t.Final = 15 * 60 * 1_000_000
"""Microseconds before a load within which a change counts although that load has not brought it.

A tap leaves the newest seconds to its next run. What is older and comes later is the rest of a
first load that was stopped.
"""

AHEAD: t.Final = 24 * 60 * 60 * 1_000_000
"""Microseconds ahead of the loader's clock from which a time is none: a sentinel, a mistake. So is
one before 1970.
"""

EPOCH: t.Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Gauge(enum.Enum):
    """The name of the metric."""

    CHANGE_TO_WAREHOUSE = "change_to_warehouse"
    """Seconds from a change in the source to its row, at the end of a run."""


@dataclasses.dataclass(frozen=True, slots=True)
class Commit:
    """What one transaction brought of one table.

    Attributes:
        load: When its load began.
        at: When it was committed.
        rows: How many records it had.
        newest: The time of the last change among them.
        measured: How many of them have changed since the load before.
        median: Of these, the median of the seconds from change to commit.
        worst: Of these, the most seconds.
    """

    load: dt.datetime
    at: dt.datetime
    rows: int = 0
    newest: dt.datetime | None = None
    measured: int = 0
    median: Decimal | None = None
    worst: Decimal | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Delay:
    """What several transactions of a table say together.

    Attributes:
        loads: How many loads brought changes.
        rows: How many records were measured.
        median: Seconds; the median of the transactions' medians, each as often as it has rows.
        worst: Seconds.
    """

    loads: int
    rows: int
    median: Decimal
    worst: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class SoFar:
    """How fresh the table of a stream is while it is loaded.

    Attributes:
        stream: Whose rows it has.
        newest: The time of the last change that any load has brought.
        delay: Of this load; None as long as it has brought no changes.
    """

    stream: str
    newest: dt.datetime | None
    delay: Delay | None


@dataclasses.dataclass(slots=True)
class _Table:
    """What a load knows of a table.

    Attributes:
        stream: Whose rows it has.
        newest: The time of the last change before this load.
        since: Microseconds since 1970 behind which a change counts as new.
        commits: What came.
    """

    stream: str
    newest: dt.datetime | None
    since: int | None
    commits: list[Commit]


class Freshness:
    """Notes what one load brings."""

    def __init__(self, now: Callable[[], dt.datetime]) -> None:
        """Begin a load.

        Args:
            now: The time, with its zone.
        """
        self._now = now
        self._started = now()
        self._before: dict[str, tuple[dt.datetime, int]] | None = None
        self._tables: dict[str, _Table] = {}

    def expect(self, warehouse: Warehouse, table: str, stream: str) -> None:
        """Look up how far a table has come; to be called inside a transaction, before its rows.

        Args:
            warehouse: Where it is.
            table: Its name.
            stream: Whose rows it gets.
        """
        if self._before is None:
            warehouse.run(f"CREATE SCHEMA IF NOT EXISTS {NOTES}")
            warehouse.run(f"CREATE TABLE IF NOT EXISTS {TABLE} ({COLUMNS})")
            found = warehouse.run(
                f"SELECT table_name, epoch_us(newest_change), epoch_us(load_started) FROM {TABLE} "
                "WHERE table_schema = ? AND newest_change IS NOT NULL QUALIFY row_number() OVER "
                "(PARTITION BY table_name ORDER BY newest_change DESC, committed) = 1",
                [warehouse.schema],
            )
            self._before = {
                name: (_instant(newest), max(newest, load - SLACK)) for name, newest, load in found
            }
        newest, since = self._before.get(table, (None, None))
        self._tables.setdefault(table, _Table(stream, newest, since, []))

    def measure(
        self, warehouse: Warehouse, table: str, times: pa.ChunkedArray, rows: int
    ) -> Commit:
        """Note a transaction of a table; to be called inside of it, when its rows are in.

        Args:
            warehouse: Where the table is.
            table: One that is expected.
            times: When its records were changed, as `timestamp[us, UTC]`; those that say it.
            rows: How many records it has.

        Returns:
            What `keep` is to be given once it is committed.
        """
        measured = _measured(times, self._tables[table].since, self._started, self._now(), rows)
        self._write(warehouse, {table: measured})
        return measured

    def keep(self, table: str, commit: Commit) -> None:
        """Count a transaction that has been committed.

        Args:
            table: Of which table it was.
            commit: What `measure` has given.
        """
        self._tables[table].commits.append(commit)

    def finish(self, warehouse: Warehouse) -> None:
        """End the load: note tables that got nothing, forget old loads, log what was measured.

        Args:
            warehouse: Where the tables are.

        Raises:
            WarehouseError: When the file cannot be written.
        """
        if not self._tables:
            return
        with warehouse.transaction():
            nothing = Commit(self._started, self._now())
            self._write(
                warehouse,
                {name: nothing for name, table in self._tables.items() if not table.commits},
            )
            of_table = "PARTITION BY table_schema, table_name ORDER BY"
            warehouse.run(
                f"DELETE FROM {TABLE} WHERE rowid IN (SELECT rowid FROM {TABLE} "
                f"QUALIFY row_number() OVER ({of_table} committed DESC) > {COMMITS} AND "
                f"row_number() OVER ({of_table} newest_change DESC NULLS LAST, committed) > 1)"
            )
        for table in self._tables.values():
            if (delay := delay_of(table.commits)) is not None:
                value = {
                    "rows": delay.rows,
                    "median_seconds": float(delay.median),
                    "worst_seconds": float(delay.worst),
                }
                log_gauge(Gauge.CHANGE_TO_WAREHOUSE, value, stream=table.stream)

    def so_far(self) -> list[SoFar]:
        """Tell how fresh each table of this load is now; to be asked by any thread."""
        return [
            SoFar(
                table.stream,
                max(filter(None, (table.newest, *(each.newest for each in commits))), default=None),
                delay_of(commits),
            )
            for table in list(self._tables.values())
            for commits in [list(table.commits)]
        ]

    def _write(self, warehouse: Warehouse, commits: Mapping[str, Commit]) -> None:
        rows = [
            (warehouse.schema, table, *dataclasses.astuple(commit))
            for table, commit in commits.items()
        ]
        if rows:
            row = f"({', '.join('?' * len(rows[0]))})"
            places = ", ".join([row] * len(rows))
            warehouse.run(f"INSERT INTO {TABLE} VALUES {places}", list(itertools.chain(*rows)))


def delay_of(commits: Iterable[Commit]) -> Delay | None:
    """Sum up transactions of a table.

    Args:
        commits: Any number.

    Returns:
        What they say together; None when no record of theirs was measured.
    """
    measured = sorted(
        (commit.median, commit.measured, commit.worst, commit.load)
        for commit in commits
        if commit.median is not None and commit.worst is not None
    )
    if not measured:
        return None
    medians, rows, worst, loads = zip(*measured, strict=True)
    total = sum(rows)
    half = next(index for index, sum_ in enumerate(itertools.accumulate(rows)) if 2 * sum_ >= total)
    return Delay(len(set(loads)), total, medians[half], max(worst))


def _measured(
    times: pa.ChunkedArray, since: int | None, started: dt.datetime, now: dt.datetime, rows: int
) -> Commit:
    at = (now - EPOCH) // dt.timedelta(microseconds=1)
    instants = times.cast(pa.int64())
    instants = instants.filter(pc.and_(pc.less(0, instants), pc.less(instants, at + AHEAD)))
    newest = pc.max(instants).as_py()
    if newest is None:
        return Commit(started, now, rows)
    change = _instant(newest)
    if since is None or newest <= since:
        return Commit(started, now, rows, change)
    delays = pc.subtract(at, instants.filter(pc.greater(instants, since)))
    [median] = pc.quantile(delays, 0.5, interpolation="nearest").to_pylist()
    worst = pc.max(delays).as_py()
    return Commit(started, now, rows, change, len(delays), _seconds(median), _seconds(worst))


def _instant(microseconds: int) -> dt.datetime:
    return EPOCH + dt.timedelta(microseconds=microseconds)


def _seconds(microseconds: int) -> Decimal:
    return Decimal(microseconds // 1_000).scaleb(-3)
