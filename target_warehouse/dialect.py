"""The column types in DuckDB's SQL: read from a table's columns, and one turned into another."""

from __future__ import annotations

import re
import typing as t

from automate_singer.columns import WITHOUT_PRECISION, ColumnType, Kind

MADE: t.Final = {made.sql: made for made in WITHOUT_PRECISION}


def from_sql(name: str) -> ColumnType:
    """Read a type as `duckdb_columns()` spells it.

    Args:
        name: Such as `DECIMAL(18,2)`.

    Returns:
        The column type; OTHER with that name for a type that the loader does not make.
    """
    if match := re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", name):
        return ColumnType(Kind.DECIMAL, int(match[1]), int(match[2]))
    return MADE.get(name) or ColumnType(Kind.OTHER, name=name)


def recast(expression: str, source: ColumnType, target: ColumnType) -> str:
    """Write the SQL that turns an expression of one type into a wider one, losing nothing.

    DuckDB's `to_json` would take a DECIMAL through a float, and its text of an instant depends on
    the session; so numbers go to JSON as their own text, and instants are written in ISO 8601.
    A DECIMAL's text has no zeros at its end: how many there are depends on the other numbers of the
    column, and a number that is a key must have one text only (`arrow` writes the same).

    Args:
        expression: SQL of type `source`.
        source: Its type.
        target: The type to reach.

    Returns:
        SQL of type `target`.
    """
    if source == target:
        return expression
    if target.kind not in {Kind.VARCHAR, Kind.JSON}:
        return f"CAST({expression} AS {target.sql})"
    text = (
        f"strftime({expression}, '%Y-%m-%dT%H:%M:%S.%fZ')"
        if source.kind is Kind.TIMESTAMPTZ
        else f"CAST({expression} AS VARCHAR)"
    )
    if source.kind is Kind.DECIMAL and source.scale:
        text = f"rtrim(rtrim({text}, '0'), '.')"
    if target.kind is Kind.VARCHAR:
        return text
    if source.kind in {Kind.BOOLEAN, Kind.BIGINT, Kind.DECIMAL}:
        return f"CAST({text} AS JSON)"
    return f"to_json({text})"
