"""Column types from JSON Schema, and the order in which they widen."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, settings
from support.column_types import DECIMALS, TYPES

from automate_singer.columns import VARCHAR, ColumnType, Kind, from_schema, join


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
