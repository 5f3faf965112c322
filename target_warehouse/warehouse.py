# ruff: noqa: S608 - names are quoted, values are parameters
"""Tables of the warehouse: made, widened and filled, one transaction a batch.

No PRIMARY KEY is declared: with one, DuckDB checks keys before a transaction's own deletes take
effect, refuses to widen the column, and loads about half as fast (measured, 200 k rows of 30
columns: 5.8 us a row against 2.8). One process writes a DuckDB file, so the loader alone keeps keys
unique.
"""

from __future__ import annotations

import contextlib
import itertools
import string
import typing as t
import uuid

import duckdb
import pyarrow as pa

from automate_api.errors import ConfigError
from automate_singer.columns import JSON, ColumnType, Kind, join, join_all
from target_warehouse.batch import ORDINAL
from target_warehouse.database import MEMORY, connect, explained
from target_warehouse.dialect import from_sql, recast
from target_warehouse.layout import NOTES
from target_warehouse.names import folded, quote

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from automate_singer.columns import Column
    from target_warehouse.batch import Chunk

VERSION_COLUMN: t.Final = "_sdc_table_version"
_FOLDED: t.Final = f"translate({{}}, '{string.ascii_uppercase}', '{string.ascii_lowercase}')"
"""`names.folded` in SQL; DuckDB's `lower` also takes É for é, which its catalog does not."""


class Warehouse:
    """One DuckDB file and one schema in it."""

    def __init__(self, path: Path, schema: str) -> None:
        """Open the file and make the schema.

        Args:
            path: The DuckDB file; made where there is none.
            schema: DuckDB schema for all tables; made where there is none.

        Raises:
            ConfigError: When the schema is the one of the loader's own notes.
            AutomateError: When the file cannot be opened, see `database.connect`.
        """
        if folded(schema) == NOTES:
            msg = (
                f"The schema {schema!r} holds what the loader notes of its loads. Choose another "
                "`schema` for the tables"
            )
            raise ConfigError(msg)
        self.path = path
        self.schema = schema
        self._more_memory = iter(MEMORY)
        self._memory: str | None = next(self._more_memory)
        self._connection = connect(path)
        with explained(path):
            self.run(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")

    def close(self) -> None:
        """Close the file; DuckDB then folds its write-ahead log into it."""
        with explained(self.path):
            self._connection.close()

    def allow_memory(self) -> bool:
        """Let DuckDB hold more from now on, in the end most of what the machine has.

        Returns:
            False when it may already.
        """
        if self._memory is None:
            return False
        self._memory = next(self._more_memory, None)
        with explained(self.path):
            limit = f"SET memory_limit = '{self._memory}'" if self._memory else "RESET memory_limit"
            self.run(limit)
        return True

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all of what stands inside, or nothing of it.

        Raises:
            WarehouseError: When DuckDB fails, also at the commit.
        """
        with explained(self.path):
            self.run("BEGIN")
            try:
                yield
                self.run("COMMIT")
            except BaseException:
                # A failed COMMIT has ended the transaction already.
                with contextlib.suppress(Exception):
                    self.run("ROLLBACK")
                raise

    def columns(self, table: str) -> dict[str, tuple[str, ColumnType]]:
        """Look up a table's columns.

        Args:
            table: The table's name.

        Returns:
            Folded name to (name, type); empty when there is no such table.
        """
        rows = self.run(
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = ? "
            f"AND {_FOLDED.format('table_name')} = ? ORDER BY column_index",
            [self.schema, folded(table)],
        )
        return {folded(name): (name, from_sql(declared)) for name, declared in rows}

    def fit(self, table: str, columns: Mapping[str, ColumnType]) -> list[str]:
        """Make a table hold columns of these types: create it, add columns, widen types.

        Args:
            table: The table's name.
            columns: Column name to the type that is to go in.

        Returns:
            One line for each column that could only be widened to text.

        Raises:
            ConfigError: When the name belongs to a view.
        """
        where = self._qualified(table)
        existing = self.columns(table)
        if not existing:
            body = ", ".join(f"{quote(name)} {kind.sql}" for name, kind in columns.items())
            self.run(f"CREATE TABLE {where} ({body})")
            return []
        self._refuse_view(table)
        notes = []
        for name, wanted in columns.items():
            if folded(name) not in existing:
                self.run(f"ALTER TABLE {where} ADD COLUMN {quote(name)} {wanted.sql}")
                continue
            actual, current = existing[folded(name)]
            wider = join(current, wanted)
            if wider != current:
                column = quote(actual)
                using = recast(column, current, wider)
                self.run(f"ALTER TABLE {where} ALTER {column} TYPE {wider.sql} USING {using}")
            if wider.kind is Kind.VARCHAR and current.kind is not Kind.VARCHAR:
                was = f"column {actual!r} was {current.sql}"
                notes.append(f"{was} and is text now, so that no value loses anything")
        return notes

    def refuse_other_keys(self, table: str, keys: Sequence[str]) -> None:
        """Make sure that a table's rows can be found by these keys.

        Args:
            table: The table's name.
            keys: Names of the key columns; empty to append.

        Raises:
            ConfigError: When it has rows but not all of these columns: it was loaded with another
                `column_names`, or by a tap with other keys, and every row would come a second time.
        """
        existing = self.columns(table)
        missing = [key for key in keys if folded(key) not in existing]
        if not (existing and missing):
            return
        if self.run(f"SELECT 1 FROM {self._qualified(table)} LIMIT 1"):
            msg = (
                f"Table {self.schema}.{table} in {self.path} has rows, but no column "
                f"{' and '.join(missing)} for the key. It was loaded with another `column_names`, "
                "or with other keys: go on with those, or name another file and load it from the "
                "start"
            )
            raise ConfigError(msg)

    def load(
        self,
        table: str,
        columns: Sequence[Column],
        chunks: Sequence[Chunk],
        keys: Sequence[str],
    ) -> tuple[int, list[str]]:
        """Write a batch; to be called inside a transaction.

        With keys, a record replaces the row of its key in every column of its stream, and the last
        record of a key wins; columns that the stream does not have keep their values. Without, rows
        are added.

        Args:
            table: The table's name.
            columns: The stream's columns, in the order of the chunks' Arrow columns.
            chunks: The records, in the order they came.
            keys: Names of the key columns; empty to append.

        Returns:
            How many records a later one of the same key replaced, and `fit`'s notes.
        """
        needed = {
            column.name: join_all(chunk.types[index] for chunk in chunks)
            for index, column in enumerate(columns)
        }
        notes = self.fit(table, needed)
        stored = self.columns(table)
        targets = [stored[folded(column.name)] for column in columns]
        where = self._qualified(table)
        names = {f"c{index}": quote(name) for index, (name, _) in enumerate(targets)}
        with self._staged(chunks, [declared for _, declared in targets]) as staged:
            if keys:
                indexes = {column.name: f"c{index}" for index, column in enumerate(columns)}
                by_key = [indexes[key] for key in keys]
                return self._upsert(where, names, by_key, staged), notes
            self.run(
                f"INSERT INTO {where} ({', '.join(names.values())}) "
                f"SELECT {', '.join(names)} FROM ({staged})"
            )
        return 0, notes

    def _upsert(
        self, where: str, names: Mapping[str, str], keys: Sequence[str], staged: str
    ) -> int:
        """Replace and add rows by key; UPDATE and an anti join are DuckDB's quickest way.

        `names` tells which column of the table takes a staged one; `keys` are staged ones.

        Measured, 4 x 50 k rows of 28 columns over as many present: 2.3 us a row, against 4.0 for
        DELETE and INSERT, 4.1 for ON CONFLICT with a primary key and 35 for MERGE. What rows there
        are is looked up first, as a first load has none: 0.1 us a row against 1 M stored ones,
        where joins that find nothing take 2.
        """
        last = f"SELECT max({ORDINAL}) FROM ({staged}) GROUP BY {', '.join(keys)}"
        [(records, distinct)] = self.run(
            f"SELECT (SELECT count(*) FROM ({staged})), (SELECT count(*) FROM ({last}))"
        )
        new = staged
        if distinct < records:
            new = f"SELECT * FROM ({staged}) WHERE {ORDINAL} IN ({last})"
        same = " AND ".join(f"stored.{names[key]} = new.{key}" for key in keys)
        [(known,)] = self.run(
            f"SELECT count(*) FROM ({new}) AS new SEMI JOIN {where} AS stored ON {same}"
        )
        changes = [f"{name} = new.{came}" for came, name in names.items() if came not in keys]
        if known and changes:
            self.run(
                f"UPDATE {where} AS stored SET {', '.join(changes)} FROM ({new}) AS new "
                f"WHERE {same}"
            )
        if known < distinct:
            others = f"ANTI JOIN {where} AS stored ON {same} ORDER BY new.{ORDINAL}"
            values = ", ".join(f"new.{came}" for came in names)
            self.run(
                f"INSERT INTO {where} ({', '.join(names.values())}) "
                f"SELECT {values} FROM ({new}) AS new {others if known else ''}"
            )
        return int(records - distinct)

    def has_version(self, table: str, version: int) -> bool:
        """Tell whether a table holds rows of a version.

        Args:
            table: The table's name.
            version: Of Singer's RECORD and ACTIVATE_VERSION messages.

        Returns:
            True when there is at least one.
        """
        if folded(VERSION_COLUMN) not in self.columns(table):
            return False
        return bool(
            self.run(
                f"SELECT 1 FROM {self._qualified(table)} WHERE {VERSION_COLUMN} = ? LIMIT 1",
                [version],
            )
        )

    def delete_older(self, table: str, version: int) -> int:
        """Delete the rows of versions before one, and those loaded before versions were kept.

        Args:
            table: The table's name.
            version: The version that stays.

        Returns:
            How many rows are gone.
        """
        if not (existing := self.columns(table)):
            return 0
        older = (
            f"{VERSION_COLUMN} IS NULL OR {VERSION_COLUMN} < {int(version)}"
            if folded(VERSION_COLUMN) in existing
            else "true"
        )
        with self.transaction():
            [(count,)] = self.run(f"DELETE FROM {self._qualified(table)} WHERE {older}")
        return int(count)

    def run(self, sql: str, parameters: Sequence[t.Any] = ()) -> list[t.Any]:
        """Run a statement; to be called inside a transaction.

        Args:
            sql: With `?` for each value.
            parameters: The values.

        Returns:
            The rows of its result.
        """
        # Every result is fetched: DuckDB 2 keeps the connection busy until it is.
        return list(self._connection.execute(sql, list(parameters)).fetchall())

    @contextlib.contextmanager
    def _staged(
        self,
        chunks: Sequence[Chunk],
        targets: Sequence[ColumnType],
    ) -> Iterator[str]:
        """Lay the chunks beside each other as one query of the table's own types."""
        views: list[str] = []
        parts: list[str] = []
        try:
            for types, group in itertools.groupby(chunks, key=lambda chunk: chunk.types):
                # A name that no stream's table has: DuckDB would refuse the view.
                view = f"chunk_{uuid.uuid4().hex}"
                self._connection.register(view, pa.concat_tables([chunk.data for chunk in group]))
                views.append(view)
                values = [
                    f"{recast(_arrow_column(index, came), came, stored)} AS c{index}"
                    for index, (came, stored) in enumerate(zip(types, targets, strict=True))
                ]
                parts.append(f"SELECT {', '.join(values)}, {ORDINAL} FROM {view}")
            yield " UNION ALL ".join(parts)
        finally:
            for view in views:
                # After a failure the transaction refuses this too, and the first error counts.
                with contextlib.suppress(duckdb.Error):
                    self._connection.unregister(view)

    def _refuse_view(self, table: str) -> None:
        if self.run(
            "SELECT 1 FROM duckdb_views() WHERE database_name = current_database() "
            f"AND schema_name = ? AND {_FOLDED.format('view_name')} = ?",
            [self.schema, folded(table)],
        ):
            msg = (
                f"{self.schema}.{table} is a view in {self.path}: expected a table or nothing. "
                "Rename the view, or give the stream another name with stream_maps"
            )
            raise ConfigError(msg)

    def _qualified(self, table: str) -> str:
        return f"{quote(self.schema)}.{quote(table)}"


def _arrow_column(index: int, came: ColumnType) -> str:
    return f"CAST(c{index} AS JSON)" if came == JSON else f"c{index}"
