"""Column types in DuckDB's SQL: each is read back, and none loses a digit on its way to another."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from support.column_types import TYPES

from automate_singer.columns import (
    BIGINT,
    BOOLEAN,
    DATE,
    JSON,
    TIME,
    TIMESTAMPTZ,
    VARCHAR,
    ColumnType,
    Kind,
    decimal,
    join,
)
from target_warehouse.dialect import from_sql, recast


@settings(deadline=None)
@given(TYPES)
def test_a_type_is_read_back_from_the_name_duckdb_gives_it(column_type: ColumnType) -> None:
    assert from_sql(column_type.sql) == column_type


def test_a_type_of_someone_elses_table_stays_but_for_small_integers() -> None:
    assert join(from_sql("DOUBLE"), decimal(3, 2)).sql == "DOUBLE"
    assert join(from_sql("INTEGER"), BIGINT) == BIGINT


@pytest.mark.parametrize(
    ("literal", "source", "target", "expected"),
    [
        ("12", BIGINT, ColumnType(Kind.DECIMAL, 21, 2), Decimal("12.00")),
        ("'2026-01-31'::DATE", DATE, TIMESTAMPTZ, "2026-01-31 00:00:00+00:00"),
        (
            "12345678901234567890.1234::DECIMAL(38,4)",
            ColumnType(Kind.DECIMAL, 38, 4),
            JSON,
            "12345678901234567890.1234",
        ),
        ("0.10::DECIMAL(4,2)", ColumnType(Kind.DECIMAL, 4, 2), VARCHAR, "0.1"),
        ("-100.00::DECIMAL(5,2)", ColumnType(Kind.DECIMAL, 5, 2), JSON, "-100"),
        ("100::DECIMAL(3,0)", ColumnType(Kind.DECIMAL, 3, 0), VARCHAR, "100"),
        ("0.00::DECIMAL(3,2)", ColumnType(Kind.DECIMAL, 3, 2), VARCHAR, "0"),
        ("true", BOOLEAN, JSON, "true"),
        ("'say \"hi\"'", VARCHAR, JSON, '"say \\"hi\\""'),
        (
            "'2026-01-31 10:00:00.5+02'::TIMESTAMPTZ",
            TIMESTAMPTZ,
            VARCHAR,
            "2026-01-31T08:00:00.500000Z",
        ),
        ("'10:11:12'::TIME", TIME, JSON, '"10:11:12"'),
        ("NULL::VARCHAR", VARCHAR, JSON, None),
    ],
)
def test_a_recast_keeps_every_digit(
    literal: str,
    source: ColumnType,
    target: ColumnType,
    expected: object,
) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'").fetchall()
        connection.execute("SET TimeZone = 'UTC'").fetchall()
        [(value,)] = connection.execute(f"SELECT {recast(literal, source, target)}").fetchall()
    assert value == expected or str(value) == expected
