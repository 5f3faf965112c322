"""Values of other systems are taken where nothing is lost, and refused by their type alone."""

from __future__ import annotations

import datetime as dt
import typing as t
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_automate.records import coercion

if t.TYPE_CHECKING:
    from collections.abc import Callable

EAST = dt.timezone(-dt.timedelta(hours=5))

AN_INSTANT = "a date and time with UTC offset such as 2026-02-03T09:30:00-05:00"

TAKEN: list[tuple[Callable[[object], object], object, object]] = [
    (coercion.text, "00123", "00123"),
    (coercion.text, " as it is ", " as it is "),
    (coercion.text, 10492, "10492"),
    (coercion.text, Decimal(10492), "10492"),
    (coercion.text, dt.date(2026, 2, 3), "2026-02-03"),
    (coercion.text, dt.time(9, 30), "09:30:00"),
    (coercion.number, 100, 100),
    (coercion.number, Decimal("26995.50"), Decimal("26995.50")),
    (coercion.number, 0.1, Decimal("0.1")),
    (coercion.number, " 26995.50 ", Decimal("26995.50")),
    (coercion.number, "-.5", Decimal("-0.5")),
    (coercion.number, "1E2", Decimal(100)),
    (coercion.integer, 60, 60),
    (coercion.integer, "60", 60),
    (coercion.integer, Decimal("60.0"), 60),
    (coercion.integer, 60.0, 60),
    (coercion.boolean, True, True),
    (coercion.boolean, 0, False),
    (coercion.boolean, Decimal(1), True),
    (coercion.boolean, "TRUE", True),
    (coercion.boolean, "f", False),
    (coercion.boolean, "0", False),
    (coercion.date, "2026-02-03", "2026-02-03"),
    (coercion.date, "20260203", "2026-02-03"),
    (coercion.date, "2026-02-03T00:00:00", "2026-02-03"),
    (coercion.date, "2026-02-03 00:00:00.000", "2026-02-03"),
    (coercion.date, "2026-02-03T00:00:00Z", "2026-02-03"),
    (coercion.date, "2026-02-03T00:00:00-05:00", "2026-02-03"),
    (coercion.date, dt.date(2026, 2, 3), "2026-02-03"),
    (coercion.date, dt.datetime(2026, 2, 3, tzinfo=dt.UTC), "2026-02-03"),
    (coercion.instant, "2026-02-03T09:30:00-05:00", "2026-02-03T09:30:00-05:00"),
    (coercion.instant, "2026-02-03T14:30:00.1234567Z", "2026-02-03T14:30:00.1234567Z"),
    (coercion.instant, "2026-02-03T09:30-05:00", "2026-02-03T09:30:00-05:00"),
    (coercion.instant, "2026-02-03 09:30:00-05", "2026-02-03T09:30:00-05:00"),
    (coercion.instant, "2026-02-03 14:30:00.25+00:00", "2026-02-03T14:30:00.250000+00:00"),
    (
        coercion.instant,
        dt.datetime(2026, 2, 3, 9, 30, tzinfo=EAST),
        "2026-02-03T09:30:00-05:00",
    ),
    (coercion.mapping, {"a": 1}, {"a": 1}),
    (coercion.mapping, '{"a": 1.50}', {"a": Decimal("1.50")}),
    (coercion.array, [1], [1]),
    (coercion.array, "[1, [2]]", [1, [2]]),
]

REFUSED: list[tuple[Callable[[object], object], object, str]] = [
    (coercion.text, True, "expected text, got a boolean"),
    (coercion.text, Decimal("100.0"), "expected text, got a number"),
    (coercion.text, 10492.0, "expected text, got a number"),
    (coercion.text, 10**38, "expected text, got a number"),
    (coercion.text, {"a": 1}, "expected text, got an object"),
    (coercion.text, b"raw", "expected text, got another type"),
    (coercion.text, "half \ud800", "expected text of whole characters, got text"),
    (coercion.number, True, "expected a number, got a boolean"),
    (coercion.number, "1,000.00", "expected a number, got text"),
    (coercion.number, "1_000", "expected a number, got text"),
    (coercion.number, "\u0663", "expected a number, got text"),
    (coercion.number, "nan", "expected a number, got text"),
    (coercion.number, float("nan"), "expected a finite number, got a number"),
    (coercion.number, Decimal("-Infinity"), "expected a finite number, got a number"),
    (coercion.number, Decimal("1E+999999"), "expected a number of at most 38 digits, got a number"),
    (coercion.number, 10**38, "expected a number of at most 38 digits, got a number"),
    (coercion.number, dt.date(2026, 2, 3), "expected a number, got a date"),
    (coercion.integer, Decimal("60.5"), "expected a whole number, got a number"),
    (coercion.integer, "60.5", "expected a whole number, got text"),
    (
        coercion.integer,
        Decimal("1E+999999"),
        "expected a number of at most 38 digits, got a number",
    ),
    (coercion.boolean, "perhaps", "expected a boolean, got text"),
    (coercion.boolean, 2, "expected a boolean, got a number"),
    (coercion.boolean, Decimal("sNaN"), "expected a boolean, got a number"),
    (coercion.number, Decimal("sNaN"), "expected a finite number, got a number"),
    (coercion.text, Decimal("sNaN"), "expected text, got a number"),
    (coercion.boolean, [], "expected a boolean, got an array"),
    (coercion.date, "02/03/2026", "expected a date such as 2026-02-03, got text"),
    (coercion.date, "2026-02-30", "expected a date such as 2026-02-03, got text"),
    (coercion.date, "2026-02-03T05:00:00Z", "expected a date such as 2026-02-03, got text"),
    (
        coercion.date,
        "2026-02-03T00:00:00+\u0660\u0665:00",
        "expected a date such as 2026-02-03, got text",
    ),
    (coercion.date, 20260203, "expected a date such as 2026-02-03, got a number"),
    (
        coercion.date,
        dt.datetime(2026, 2, 3, 5, tzinfo=dt.UTC),
        "expected a date such as 2026-02-03, got a date and time",
    ),
    *(
        (
            coercion.instant,
            value,
            f"expected {AN_INSTANT}, got {kind}",
        )
        for value, kind in (
            ("2026-02-03T09:30:00", "text"),
            ("2026-02-30T09:30:00Z", "text"),
            ("2026-02-03T23:59:60Z", "text"),
            ("0000-01-01T00:00:00Z", "text"),
            ("0001-01-01T00:00:00+14:00", "text"),
            ("2026-02-03T09:30:00+05:30:15", "text"),
            ("tomorrow", "text"),
            (1770125400, "a number"),
            (dt.date(2026, 2, 3), "a date"),
            (dt.datetime(2026, 2, 3, 9, 30), "a date and time"),  # noqa: DTZ001 - what is refused
        )
    ),
    (coercion.mapping, "plain", "expected an object, got text"),
    (coercion.mapping, "[1]", "expected an object, got text"),
    (coercion.mapping, 1, "expected an object, got a number"),
    (coercion.array, "dana@example.com", "expected an array, got text"),
    (coercion.array, "[1e99999999999999999999]", "expected an array, got text"),
    (coercion.array, {}, "expected an array, got an object"),
]

ALL = [
    coercion.text,
    coercion.number,
    coercion.integer,
    coercion.boolean,
    coercion.date,
    coercion.instant,
    coercion.mapping,
    coercion.array,
]


@pytest.mark.parametrize(("coerce", "value", "expected"), TAKEN)
def test_a_value_that_loses_nothing_is_taken(
    coerce: Callable[[object], object], value: object, expected: object
) -> None:
    taken = coerce(value)

    assert taken == expected
    assert type(taken) is type(expected) or isinstance(taken, int | Decimal)
    assert coerce(taken) == taken


@pytest.mark.parametrize(("coerce", "value", "message"), REFUSED)
def test_a_value_of_another_kind_is_refused_by_its_type(
    coerce: Callable[[object], object], value: object, message: str
) -> None:
    with pytest.raises(coercion.UnfitError) as refused:
        coerce(value)

    assert str(refused.value) == message


def test_text_that_nests_without_end_is_no_array() -> None:
    with pytest.raises(coercion.UnfitError, match="expected an array, got text"):
        coercion.array("[" * 100_000)


@pytest.mark.parametrize("blank", ["", " ", "\t\r\n", "\u00a0"])
@pytest.mark.parametrize("coerce", ALL)
def test_text_without_a_character_that_shows_says_nothing(
    coerce: Callable[[object], object], blank: str
) -> None:
    assert coerce(blank) is None


@settings(deadline=None)
@given(st.decimals(min_value=-(10**30), max_value=10**30, allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_value_whether_it_comes_as_number_or_text(value: Decimal) -> None:
    assert coercion.number(value) == value
    assert coercion.number(f"{value:f}") == value


@settings(deadline=None)
@given(
    st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1)),  # noqa: DTZ001 - offsets come next
    st.integers(-23 * 60, 23 * 60),
)
def test_an_instant_keeps_its_moment_and_its_offset(local: dt.datetime, minutes: int) -> None:
    value = local.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))

    written = coercion.instant(value)

    assert written is not None
    again = dt.datetime.fromisoformat(written)
    assert again == value
    assert again.utcoffset() == value.utcoffset()


@settings(deadline=None)
@given(
    st.sampled_from(ALL),
    st.one_of(
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.dates(),
        st.datetimes(),
        st.decimals(),
        st.lists(st.integers()),
        st.dictionaries(st.text(), st.integers()),
    ),
)
def test_any_value_is_taken_for_good_or_refused(
    coerce: Callable[[object], object], value: object
) -> None:
    try:
        taken = coerce(value)
    except coercion.UnfitError as error:
        told = str(error)
    else:
        assert taken is None or coerce(taken) == taken
        return
    assert told.startswith("expected ")
    assert told.endswith(f", got {coercion.kind(value)}")
