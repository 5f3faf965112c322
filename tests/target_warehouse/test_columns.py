"""Column types from JSON Schema, and the order in which they widen."""

from __future__ import annotations

import typing as t
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_warehouse.columns import (
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
    from_schema,
    from_sql,
    join,
    recast,
)

DECIMALS = st.integers(1, 38).flatmap(
    lambda precision: st.builds(
        ColumnType, st.just(Kind.DECIMAL), st.just(precision), st.integers(0, precision)
    )
)
TYPES = DECIMALS | st.sampled_from([BOOLEAN, BIGINT, DATE, TIME, TIMESTAMPTZ, VARCHAR, JSON])


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"type": "boolean"}, "BOOLEAN"),
        ({"type": ["null", "integer"]}, "BIGINT"),
        ({"type": "number"}, "DECIMAL(18,4)"),
        ({"type": ["integer", "number", "null"]}, "DECIMAL(18,4)"),
        (
            {"type": "number", "x-sql-datatype-properties": {"precision": 12, "scale": 2}},
            "DECIMAL(12,2)",
        ),
        (
            {"type": "number", "x-sql-datatype-properties": {"precision": 99, "scale": 2}},
            "DECIMAL(18,4)",
        ),
        ({"type": ["string", "null"], "format": "singer.decimal"}, "DECIMAL(18,4)"),
        (
            {"type": "string", "format": "x-singer.decimal", "precision": 20, "scale": 6},
            "DECIMAL(20,6)",
        ),
        ({"type": "string"}, "VARCHAR"),
        ({"type": "string", "format": "uuid"}, "VARCHAR"),
        ({"type": "string", "format": "date-time"}, "TIMESTAMP WITH TIME ZONE"),
        ({"type": "string", "format": "date"}, "DATE"),
        ({"type": "string", "format": "time"}, "TIME"),
        ({"type": ["string", "integer"]}, "VARCHAR"),
        ({"type": ["object", "null"], "properties": {}}, "JSON"),
        ({"type": "array", "items": {"type": "string"}}, "JSON"),
        ({"type": ["string", "array"]}, "JSON"),
        ({"type": "null"}, "VARCHAR"),
        ({}, "JSON"),
        (True, "JSON"),
        ({"description": "anything"}, "JSON"),
        ({"enum": ["new", "used", None]}, "VARCHAR"),
        ({"const": 5}, "BIGINT"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "BIGINT"),
        ({"oneOf": [{"type": "string", "format": "date-time"}, {"type": "string"}]}, "VARCHAR"),
        ({"allOf": [{"type": "string", "format": "date"}, {"minLength": 1}]}, "DATE"),
        ({"anyOf": [{"type": "string", "format": "date"}, {}]}, "JSON"),
        ({"$ref": "#/definitions/price"}, "DECIMAL(18,2)"),
        ({"anyOf": [{"$ref": "#/definitions/price"}, {"type": "null"}]}, "DECIMAL(18,2)"),
        ({"$ref": "#/definitions/circle"}, "JSON"),
        ({"$ref": "#/nowhere"}, "JSON"),
        ({"$ref": "https://elsewhere.example/schema"}, "JSON"),
        ({"type": "what"}, "JSON"),
    ],
)
def test_a_property_gets_the_type_that_holds_what_its_schema_allows(
    declared: dict[str, t.Any],
    expected: str,
) -> None:
    root = {
        "definitions": {
            "price": {
                "type": "number",
                "x-sql-datatype-properties": {"precision": 18, "scale": 2},
            },
            "circle": {"$ref": "#/definitions/circle"},
        }
    }
    assert from_schema(declared, root)[0].sql == expected


@settings(deadline=None)
@given(TYPES, TYPES, TYPES)
def test_widening_does_not_depend_on_the_order_of_what_arrives(
    first: ColumnType,
    second: ColumnType,
    third: ColumnType,
) -> None:
    assert join(first, second) == join(second, first)
    assert join(join(first, second), second) == join(first, second)
    kinds = {first.kind, second.kind, third.kind}
    if kinds <= {Kind.BIGINT, Kind.DECIMAL} or len(kinds) == 1:
        # Across other kinds text is the end of both ways, by whatever road.
        assert join(join(first, second), third) == join(first, join(second, third))


@settings(deadline=None)
@given(DECIMALS, DECIMALS)
def test_a_wider_decimal_has_room_for_both_before_and_after_the_point(
    left: ColumnType,
    right: ColumnType,
) -> None:
    wider = join(left, right)
    if wider.kind is Kind.DECIMAL:
        assert wider.scale >= max(left.scale, right.scale)
        assert wider.precision - wider.scale >= max(
            left.precision - left.scale, right.precision - right.scale
        )
    else:
        assert wider == VARCHAR


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
