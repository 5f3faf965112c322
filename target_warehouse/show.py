"""What is in a warehouse: its tables, how fresh they are, and the queries worth looking at."""

from __future__ import annotations

import dataclasses
import importlib.resources
import re
import typing as t

from target_warehouse.database import explained
from target_warehouse.names import folded, quote

if t.TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    import duckdb

FRESHNESS: t.Final = (
    "updatedAt",
    "updated_at",
    "parentUpdatedAt",
    "parent_updated_at",
    "occurredAt",
    "occurred_at",
    "settledAt",
    "settled_at",
    "_sdc_extracted_at",
)
"""Columns that date a row, the best one first."""

INSTANT: t.Final = "TIMESTAMP WITH TIME ZONE"
QUERIES: t.Final = ("pushed", "posted", "aged_inventory", "gross_by_month", "trial_balance")


@dataclasses.dataclass(frozen=True, slots=True)
class TableSummary:
    """One table.

    Attributes:
        name: The table's name.
        rows: How many rows it has.
        newest: The instant of its newest row; None when no column tells.
    """

    name: str
    rows: int
    newest: dt.datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """One of `queries/*.sql`.

    Attributes:
        title: The first line of the file: what it answers.
        sql: The whole file.
        needs: Table to the columns that have to be there.
        may_lack: The same for tables that need not be there: without one it counts as empty.
    """

    title: str
    sql: str
    needs: dict[str, frozenset[str]]
    may_lack: dict[str, frozenset[str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A query's answer.

    Attributes:
        title: What it answers.
        columns: The headings.
        rows: The values; money as `Decimal`.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[t.Any, ...]]


def load_query(name: str) -> Query:
    """Read a query and what it needs from its file.

    Args:
        name: The file's name without `.sql`.

    Returns:
        The query.
    """
    file = importlib.resources.files("target_warehouse") / "queries" / f"{name}.sql"
    sql = file.read_text(encoding="utf-8")
    title = sql.partition("\n")[0].removeprefix("-- ")
    return Query(title, sql, _named(sql, "needs"), _named(sql, "may lack"))


class Inspection:
    """A look at one schema of a warehouse that is open for reading."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, schema: str) -> None:
        """List the tables and their columns.

        Args:
            connection: The open warehouse.
            path: Its file, for messages.
            schema: The schema to look at.

        Raises:
            WarehouseError: When the file cannot be read.
        """
        self._connection = connection
        self._path = path
        self._schema = schema
        self._columns: dict[str, dict[str, str]] = {}
        with explained(path):
            rows = connection.execute(
                "SELECT table_name, column_name, data_type FROM duckdb_columns() "
                "JOIN duckdb_tables() USING (database_name, schema_name, table_name) "
                "WHERE database_name = current_database() AND schema_name = ? "
                "ORDER BY table_name, column_index",
                [schema],
            ).fetchall()
        for table, column, data_type in rows:
            self._columns.setdefault(table, {})[folded(column)] = data_type

    def tables(self) -> list[TableSummary]:
        """Count every table.

        Returns:
            One summary a table, by name.

        Raises:
            WarehouseError: When the file cannot be read.
        """
        with explained(self._path):
            return [self._summary(table) for table in self._columns]

    def answers(self, today: dt.date) -> list[Answer]:
        """Ask the queries whose tables and columns are there.

        Args:
            today: The day that ages are counted to.

        Returns:
            Their answers; none for a warehouse of other names.

        Raises:
            WarehouseError: When the file cannot be read.
        """
        found = []
        with explained(self._path):
            self._connection.execute("SET VARIABLE today = ?::DATE", [today]).fetchall()
            for query in map(load_query, QUERIES):
                if self._has(query):
                    self._stand_in(query)
                    self._connection.execute(f"SET schema = {quote(self._schema)}").fetchall()
                    self._connection.execute(query.sql)
                    columns = tuple(column[0] for column in self._connection.description or ())
                    found.append(Answer(query.title, columns, self._connection.fetchall()))
        return found

    def _has(self, query: Query) -> bool:
        there = {table: query.may_lack[table] for table in query.may_lack.keys() & self._columns}
        return all(
            {folded(column) for column in columns} <= self._columns.get(table, {}).keys()
            for table, columns in (query.needs | there).items()
        )

    def _stand_in(self, query: Query) -> None:
        """Have an empty table, of this session alone, for each that the query may lack."""
        for table in query.may_lack.keys() - self._columns.keys():
            columns = ", ".join(f"NULL::VARCHAR AS {quote(c)}" for c in query.may_lack[table])
            self._connection.execute(
                f"CREATE OR REPLACE TEMP VIEW {quote(table)} AS SELECT {columns} WHERE false"
            ).fetchall()

    def _summary(self, table: str) -> TableSummary:
        columns = self._columns[table]
        dated = [name for name in FRESHNESS if columns.get(folded(name)) == INSTANT]
        newest = f"max({quote(dated[0])})" if dated else "NULL::TIMESTAMPTZ"
        where = f"{quote(self._schema)}.{quote(table)}"
        [(rows, instant)] = self._connection.execute(
            f"SELECT count(*), {newest} FROM {where}"  # noqa: S608 - the names are quoted
        ).fetchall()
        return TableSummary(table, rows, instant)


def _named(sql: str, what: str) -> dict[str, frozenset[str]]:
    """Read the tables and columns that a query names in its comments, `-- needs deals: dealId`."""
    return {
        table: frozenset(column.strip() for column in columns.split(","))
        for table, columns in re.findall(rf"^-- {what} (\w+): (.+)$", sql, re.MULTILINE)
    }
