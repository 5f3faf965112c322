# ruff: noqa: S608 - names are quoted, values are parameters
"""What a table of the warehouse holds of a stream, for comparing it with where it came from.

Read-only: the keys with their times go into a temporary table, which DuckDB keeps outside the file.
"""

from __future__ import annotations

import array
import dataclasses
import typing as t

import msgspec

from automate_singer.columns import Kind
from automate_singer.tombstones import DELETED
from target_warehouse.database import explained
from target_warehouse.dialect import from_sql
from target_warehouse.names import quote

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb

    from automate_singer.tombstones import Key
    from target_warehouse.layout import Layout

FETCHED: t.Final = 100_000
"""Numbers taken from DuckDB at a time."""

VERSIONS: t.Final = 1_000
"""Whole rows looked up at a time."""


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """A row of the table.

    Attributes:
        updated: Its time in microseconds since 1970; None when it has none.
        tombstone: Whether it was marked as gone: deleted later than it was last changed. A record
            that the source itself shows as deleted was changed by that, so it is none.
    """

    updated: int | None
    tombstone: bool


class Holdings:
    """The last versions in one table; close it to free what they take.

    Attributes:
        rows: Rows that the source should have: dated, and no tombstones.
        undated: Rows without a time.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        layout: Layout,
        *,
        keys: Sequence[str],
        dated: str,
        only: Mapping[str, str],
    ) -> None:
        """Read keys and times.

        Args:
            connection: The open warehouse.
            layout: The table.
            keys: Properties of the key.
            dated: Property of the time.
            only: Property to the value that rows must have.

        Raises:
            LookupError: When the table lacks a column that is needed.
            WarehouseError: When the file cannot be read.
        """
        self._connection = connection
        self._layout = layout
        self._keys = tuple(self._column(name) for name in keys)
        self._dated = f"epoch_us(TRY_CAST({self._column(dated)} AS TIMESTAMPTZ))"
        self._texts = [f"CAST({column} AS VARCHAR)" for column in self._keys]
        self._names = [f"k{index}" for index in range(len(keys))]
        self._deleted = (
            f"epoch_us(TRY_CAST({self._column(DELETED)} AS TIMESTAMPTZ))"
            if layout.column(DELETED)
            else "NULL::BIGINT"
        )
        self._only = only
        # A table loaded append-only has every version; the last one counts.
        self._last_versions = (
            f"QUALIFY row_number() OVER (PARTITION BY {', '.join(self._keys)} "
            f"ORDER BY {self._dated} DESC NULLS LAST, stored.rowid DESC) = 1"
        )
        self._gather()

    def seconds(self) -> array.array[int]:
        """List the whole seconds of the rows that the source should have, sorted."""
        found = array.array("q")
        with explained(self._layout.path):
            self._connection.execute(
                "SELECT CAST(floor(updated / 1000000) AS BIGINT) FROM held "
                "WHERE updated IS NOT NULL AND NOT tombstone ORDER BY 1"
            )
            while rows := self._connection.fetchmany(FETCHED):
                found.extend(second for (second,) in rows)
        return found

    def newest(self, second: int) -> int | None:
        """Return the time of the newest row up to the end of a second, in microseconds."""
        [(newest,)] = self._run(
            "SELECT max(updated) FROM held WHERE NOT tombstone AND updated < ?",
            [(second + 1) * 1_000_000],
        )
        return t.cast("int | None", newest)

    def between(self, start: int, end: int) -> dict[Key, int]:
        """Return key and time (microseconds) of the rows that the source should have in a span.

        Args:
            start: Second, inclusive.
            end: Second, exclusive.
        """
        rows = self._run(
            f"SELECT {', '.join(self._names)}, updated FROM held "
            "WHERE NOT tombstone AND updated >= ? AND updated < ?",
            [start * 1_000_000, end * 1_000_000],
        )
        return {row[:-1]: row[-1] for row in rows}

    def find(self, keys: Sequence[Key]) -> dict[Key, Held]:
        """Look keys up.

        Args:
            keys: As text.

        Returns:
            Those that the table has.
        """
        names = ", ".join(self._names)
        rows = self._run(
            f"SELECT {names}, updated, tombstone FROM held JOIN {self._wanted()} "
            f"USING ({', '.join(self._names)})",
            self._parameters(keys),
        )
        return {tuple(row[:-2]): Held(row[-2], row[-1]) for row in rows}

    def versions(self, keys: Sequence[Key]) -> Iterator[dict[str, t.Any]]:
        """Read the last versions whole, numbers exact, instants as text, JSON as it stands.

        Args:
            keys: As text.

        Yields:
            Column to value.
        """
        types = self._layout.types
        values = [_value_of(quote(name), kind) for name, kind in types.items()]
        nested = [from_sql(kind).kind is Kind.JSON for kind in types.values()]
        same = " AND ".join(
            f"{text} = wanted.{name}" for text, name in zip(self._texts, self._names, strict=True)
        )
        for at in range(0, len(keys), VERSIONS):
            rows = self._run(
                f"SELECT {', '.join(values)} FROM {self._layout.table} AS stored "
                f"JOIN {self._wanted()} ON {same} {self._last_versions}",
                self._parameters(keys[at : at + VERSIONS]),
            )
            for row in rows:
                yield {
                    name: msgspec.Raw(value.encode()) if is_json and value is not None else value
                    for name, value, is_json in zip(types, row, nested, strict=True)
                }

    def close(self) -> None:
        """Forget the temporary table."""
        self._run("DROP TABLE IF EXISTS held")

    def _gather(self) -> None:
        shown = ", ".join(
            f"{text} AS {name}" for text, name in zip(self._texts, self._names, strict=True)
        )
        conditions = [f"CAST({self._column(name)} AS VARCHAR) = ?" for name in self._only]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        self._run("DROP TABLE IF EXISTS held")
        self._run(
            f"CREATE TEMP TABLE held AS SELECT {shown}, {self._dated} AS updated, "
            f"coalesce({self._deleted} > updated, false) AS tombstone "
            f"FROM {self._layout.table} AS stored {where} {self._last_versions}",
            list(self._only.values()),
        )
        [(self.rows, self.undated)] = self._run(
            "SELECT count(updated), count(*) - count(updated) FROM held WHERE NOT tombstone"
        )

    def _wanted(self) -> str:
        lists = ", ".join(f"unnest(?::VARCHAR[]) AS {name}" for name in self._names)
        return f"(SELECT {lists}) AS wanted"

    def _parameters(self, keys: Sequence[Key]) -> list[list[str]]:
        return [[key[index] for key in keys] for index in range(len(self._names))]

    def _column(self, field: str) -> str:
        return f"stored.{quote(self._layout.required(field))}"

    def _run(self, sql: str, parameters: Sequence[t.Any] = ()) -> list[t.Any]:
        with explained(self._layout.path):
            return list(self._connection.execute(sql, list(parameters)).fetchall())


def _value_of(column: str, name: str) -> str:
    """Write the SQL of a value as JSON takes it; DECIMAL, BIGINT and BOOLEAN do as they are."""
    match from_sql(name).kind:
        case Kind.BOOLEAN | Kind.BIGINT | Kind.DECIMAL:
            return f"stored.{column}"
        case Kind.TIMESTAMPTZ:
            return f"strftime(stored.{column}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    return f"CAST(stored.{column} AS VARCHAR)"
