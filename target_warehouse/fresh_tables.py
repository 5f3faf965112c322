# ruff: noqa: S608 - the table is ours, values are parameters
"""How fresh the tables of a warehouse are, by what loads have noted beside their rows."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

from target_warehouse.database import explained
from target_warehouse.freshness import TABLE, Commit, delay_of

if t.TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    import duckdb

    from target_warehouse.freshness import Delay

LOADS: t.Final = 20
"""Loads that a median and a worst delay are of."""


@dataclasses.dataclass(frozen=True, slots=True)
class TableFreshness:
    """How fresh one table is.

    Attributes:
        table: Its name.
        newest: The time of the last change that any load has brought.
        loaded: When the last load was committed, with or without rows.
        delay: Of the last `LOADS` loads that brought changes; None as long as none has.
    """

    table: str
    newest: dt.datetime | None
    loaded: dt.datetime
    delay: Delay | None


def read(connection: duckdb.DuckDBPyConnection, path: Path, schema: str) -> list[TableFreshness]:
    """Read how fresh the tables of a warehouse are.

    Args:
        connection: The open warehouse.
        path: Its file, for messages.
        schema: The schema of the tables.

    Returns:
        One for each table whose stream has a time as its replication key, by name; none when no
        load has noted any.

    Raises:
        WarehouseError: When the file cannot be read.
    """
    with explained(path):
        noted = connection.execute(
            "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() "
            f"AND schema_name || '.' || table_name = '{TABLE}'"
        ).fetchall()
        if not noted:
            return []
        rows = connection.execute(
            "SELECT table_name, load_started, committed, row_count, newest_change, measured_rows, "
            f"median_seconds, worst_seconds FROM {TABLE} WHERE table_schema = ? "
            "ORDER BY table_name, committed DESC",
            [schema],
        ).fetchall()
    return [
        _summed(table, [Commit(*values) for _, *values in of_table])
        for table, of_table in itertools.groupby(rows, key=lambda row: row[0])
    ]


def _summed(table: str, commits: list[Commit]) -> TableFreshness:
    """Sum up what is noted of a table, the last transaction first."""
    newest = max((commit.newest for commit in commits if commit.newest), default=None)
    loads = list(dict.fromkeys(commit.load for commit in commits if commit.measured))[:LOADS]
    delay = delay_of(commit for commit in commits if commit.load in loads)
    return TableFreshness(table, newest, commits[0].at, delay)
