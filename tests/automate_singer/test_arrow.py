"""From JSON values to Arrow: exact, as wide as needed, and a refusal for what does not fit."""

from __future__ import annotations

import datetime as dt
import typing as t
from decimal import Decimal

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from automate_singer.arrow import UnfitValueError, convert
from automate_singer.columns import Column, Kind, from_schema

NUMBERS = (
    st.decimals(allow_nan=False, allow_infinity=False)
    | st.integers()
    | st.builds(
        lambda digits, places: Decimal(digits).scaleb(-places), st.integers(), st.integers(0, 99)
    )
)


def column(declared: dict[str, t.Any]) -> Column:
    column_type, accepts = from_schema(declared, {})
    return Column("field", "field", column_type, accepts)


@settings(max_examples=300, deadline=None)
@example([Decimal("5E-43")])
@example([Decimal("0.5" + "0" * 60)])
@given(st.lists(NUMBERS | st.none(), max_size=8))
def test_every_number_keeps_its_value_to_the_last_digit(values: list[Decimal | int | None]) -> None:
    array, column_type = convert(column({"type": ["number", "null"]}), values)
    stored = array.to_pylist()
    if column_type.kind is Kind.VARCHAR:
        stored = [None if text is None else Decimal(text) for text in stored]
    assert stored == values


@settings(deadline=None)
@given(st.lists(st.integers() | st.none(), max_size=8))
def test_every_integer_keeps_its_value_beyond_64_bits(values: list[int | None]) -> None:
    array, column_type = convert(column({"type": ["integer", "null"]}), values)
    stored = array.to_pylist()
    if column_type.kind is Kind.VARCHAR:
        stored = [None if text is None else Decimal(text) for text in stored]
    assert stored == values


@settings(deadline=None)
@given(st.lists(st.datetimes(timezones=st.timezones()) | st.datetimes(), max_size=5))
def test_instants_are_utc_and_naive_ones_mean_utc(values: list[dt.datetime]) -> None:
    def shifted(value: dt.datetime) -> dt.datetime | None:
        try:
            return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)
        except OverflowError:
            return None

    kept = [value for value in values if shifted(value) is not None]
    array, column_type = convert(
        column({"type": "string", "format": "date-time"}), [value.isoformat() for value in kept]
    )
    expected = [
        dt.datetime.fromisoformat(value.isoformat()).astimezone(dt.UTC)
        if value.tzinfo
        else value.replace(tzinfo=dt.UTC)
        for value in kept
    ]
    assert array.to_pylist() == expected
    assert column_type.kind is Kind.TIMESTAMPTZ


@pytest.mark.parametrize(
    ("declared", "values", "kind", "stored"),
    [
        ({"type": "integer"}, [Decimal("7.0"), 8], Kind.BIGINT, [7, 8]),
        ({"type": ["string", "integer"]}, [5, "x"], Kind.VARCHAR, ["5", "x"]),
        ({"type": ["string", "number"]}, [Decimal("1.50")], Kind.VARCHAR, ["1.50"]),
        ({"type": ["string", "boolean"]}, [True], Kind.VARCHAR, ["true"]),
        (
            {"type": "string", "format": "singer.decimal"},
            ["1.25", None],
            Kind.DECIMAL,
            [Decimal("1.2500"), None],
        ),
        (
            {"type": "string", "format": "date"},
            ["2026-01-02", "2026-01-02T03:04:05"],
            Kind.TIMESTAMPTZ,
            [
                dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
                dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
            ],
        ),
        (
            {"type": "string", "format": "date-time"},
            ["2026-01-02T03:04:05.123456789Z"],
            Kind.TIMESTAMPTZ,
            [dt.datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=dt.UTC)],
        ),
        ({"type": "string", "format": "time"}, ["10:11:12Z"], Kind.TIME, [dt.time(10, 11, 12)]),
        (
            {"type": "string", "format": "time"},
            ["10:11:12+02:00", "09:00"],
            Kind.VARCHAR,
            ["10:11:12+02:00", "09:00"],
        ),
        ({}, ["x", 5, None, [1]], Kind.JSON, ['"x"', "5", None, "[1]"]),
    ],
)
def test_values_come_in_the_type_they_need(
    declared: dict[str, t.Any],
    values: list[t.Any],
    kind: Kind,
    stored: list[t.Any],
) -> None:
    array, column_type = convert(column(declared), values)
    assert column_type.kind is kind
    assert array.to_pylist() == stored


@pytest.mark.parametrize(
    ("declared", "values", "came"),
    [
        ({"type": "integer"}, [1, "secret"], "a string"),
        ({"type": "integer"}, [1, Decimal("1.5")], "a number with a fraction"),
        ({"type": "integer"}, [1, True], "a boolean"),
        ({"type": "number"}, [1, "12.50"], "a string"),
        ({"type": "number"}, [1, True], "a boolean"),
        ({"type": "number"}, [1, {}], "an object"),
        (
            {"type": "string", "format": "singer.decimal"},
            ["1", "NaN"],
            "a string that is no number",
        ),
        ({"type": "boolean"}, [True, 1], "an integer"),
        ({"type": "string"}, ["x", 5], "an integer"),
        ({"type": "string"}, ["x", []], "an array"),
        ({"type": "string", "format": "date"}, ["2026-01-01", "soon"], "a string that is no date"),
        ({"type": "string", "format": "date"}, ["2026-01-01", 5], "an integer"),
        (
            {"type": "string", "format": "date-time"},
            ["2026-01-01T00:00:00Z", "0000-00-00 00:00:00"],
            "a string that is no date-time",
        ),
        ({"type": "string", "format": "time"}, ["10:00:00", "25:00"], "a string that is no time"),
        ({"type": "string", "format": "time"}, ["10:00:00", 10], "an integer"),
    ],
)
def test_a_value_that_its_schema_does_not_allow_is_refused_by_place_and_type(
    declared: dict[str, t.Any],
    values: list[t.Any],
    came: str,
) -> None:
    with pytest.raises(UnfitValueError) as refusal:
        convert(column(declared), values)
    assert (refusal.value.index, refusal.value.came) == (1, came)


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_nested_values_are_the_json_they_were(value: t.Any) -> None:  # noqa: ANN401 - any JSON value
    array, _ = convert(column({}), [value])
    [text] = array.to_pylist()
    assert (None if text is None else msgspec.json.decode(text)) == value
