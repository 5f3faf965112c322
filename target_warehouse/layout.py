"""The columns of a table that the loader has made, and how it has named them."""

from __future__ import annotations

import dataclasses
import typing as t

from automate_singer.columns import Kind
from target_warehouse.database import explained
from target_warehouse.dialect import from_sql
from target_warehouse.names import AS_IS, SNAKE_CASE, folded, quote, styled

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

OF_LOADER: t.Final = "_sdc_"
"""What the names of the loader's own columns begin with."""

NOTES: t.Final = "_loader"
"""The DuckDB schema of what the loader notes of its loads; it holds no stream's table."""

SCHEMAS: t.Final[Mapping[Kind, Mapping[str, t.Any]]] = {
    Kind.BOOLEAN: {"type": ["boolean", "null"]},
    Kind.BIGINT: {"type": ["integer", "null"]},
    Kind.DATE: {"type": ["string", "null"], "format": "date"},
    Kind.TIME: {"type": ["string", "null"], "format": "time"},
    Kind.TIMESTAMPTZ: {"type": ["string", "null"], "format": "date-time"},
    Kind.JSON: {},
}
"""JSON Schemas whose columns have these types."""


@dataclasses.dataclass(frozen=True, slots=True)
class TablePlace:
    """Where a stream's rows are.

    Attributes:
        path: The warehouse's file.
        schema: The schema in it.
        stream: What the loader has made the table's name of, in either style.
    """

    path: Path
    schema: str
    stream: str


class Layout:
    """A table's columns, but for the loader's own, and how they are named.

    Attributes:
        path: The warehouse's file.
        table: The table in SQL.
        types: Column to its type as DuckDB spells it.
        schemas: Column to a JSON Schema that becomes such a column.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, place: TablePlace, *, dated: str
    ) -> None:
        """Look at a table.

        Args:
            connection: The open warehouse.
            place: Where it is.
            dated: A property that it needs to have, by which its style is known.

        Raises:
            LookupError: When there is no such table, or it has no such property.
            WarehouseError: When the file cannot be read.
        """
        self.path = place.path
        with explained(place.path):
            rows = connection.execute(
                "SELECT table_name, column_name, data_type FROM duckdb_columns() "
                "WHERE database_name = current_database() AND schema_name = ? "
                "AND NOT starts_with(column_name, ?) ORDER BY column_index",
                [place.schema, OF_LOADER],
            ).fetchall()
        tables = {folded(table): table for table, _, _ in rows}
        wanted = (folded(place.stream), folded(styled(place.stream, SNAKE_CASE)))
        table = next((tables[each] for each in wanted if each in tables), None)
        if table is None:
            raise LookupError(place.stream)
        self.table = f"{quote(place.schema)}.{quote(table)}"
        self.types: dict[str, str] = {column: kind for of, column, kind in rows if of == table}
        self._names = {folded(column): column for column in self.types}
        self._style = AS_IS if folded(dated) in self._names else SNAKE_CASE
        self.required(dated)
        self.schemas = {column: _schema_of(kind) for column, kind in self.types.items()}

    def column(self, field: str) -> str | None:
        """Return the column of a property, None when there is none."""
        return self._names.get(folded(self.styled(field)))

    def required(self, field: str) -> str:
        """Return the column of a property.

        Raises:
            LookupError: When there is none.
        """
        found = self.column(field)
        if found is None:
            raise LookupError(field)
        return found

    def styled(self, field: str) -> str:
        """Return the column that a property has, or would have."""
        return styled(field, self._style)


def _schema_of(name: str) -> dict[str, t.Any]:
    kind = from_sql(name)
    if kind.kind is Kind.DECIMAL:
        marks = {"precision": kind.precision, "scale": kind.scale}
        return {"type": ["number", "null"], "x-sql-datatype-properties": marks}
    return dict(SCHEMAS.get(kind.kind, {"type": ["string", "null"]}))
