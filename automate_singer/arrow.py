"""Values of one column -> one Arrow array, at full speed when they fit, else as wide as they need.

The quick path hands the whole list to Arrow. What Arrow refuses is looked at value by value: a
number of more digits, an integer beyond 64 bits, a date with a time make the column wider; what the
schema does not allow at all is an `UnfitValueError`, which tells types, never values.
"""

from __future__ import annotations

import datetime as dt
import math
import typing as t
from collections import deque
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation

import pyarrow as pa
import pyarrow.compute as pc

from automate_api.exact_json import encode
from automate_singer.columns import (
    BIGINT,
    MAX_DIGITS,
    TIMESTAMPTZ,
    VARCHAR,
    Column,
    ColumnType,
    Kind,
    decimal,
    join,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INSTANT: t.Final = pa.timestamp("us", "UTC")
INT64_MIN: t.Final = -(2**63)
INT64_MAX: t.Final = 2**63 - 1
REFUSALS: t.Final = (pa.ArrowException, ValueError, TypeError, ArithmeticError)
"""What pyarrow and the standard library raise for a value that does not fit."""

ARROW_TYPES: t.Final[dict[Kind, pa.DataType]] = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.BIGINT: pa.int64(),
    Kind.DATE: pa.date32(),
    Kind.TIME: pa.time64("us"),
    Kind.TIMESTAMPTZ: INSTANT,
    Kind.VARCHAR: pa.string(),
    Kind.JSON: pa.string(),
}

_within_38_places: t.Final = Context(prec=39, Emin=0, Emax=MAX_EMAX, traps=[Inexact]).plus
"""Raises for a number with a digit beyond the 38th decimal place, and drops zeros there.

pyarrow (26.0) turns such a number into 0 or another without a word when it lies 39 places or more
beyond its column's scale: `Decimal("5E-43")` as decimal128(18, 4).
"""

_without_final_zeros: t.Final = Context(prec=MAX_PREC, Emin=MIN_EMIN, Emax=MAX_EMAX).normalize


class UnfitValueError(Exception):
    """A value that its column's schema does not allow.

    Attributes:
        index: Its place in the list of values.
        came: The JSON type that came, never the value.
    """

    def __init__(self, index: int, came: str) -> None:
        """Keep where and what."""
        super().__init__(came)
        self.index = index
        self.came = came


def convert(column: Column, values: Sequence[t.Any]) -> tuple[pa.Array, ColumnType]:
    """Turn one column's values into an Arrow array.

    Args:
        column: What the schema says of them.
        values: As JSON has them, numbers with a point as `Decimal`, null as None.

    Returns:
        The array and the type it has: the column's own, or a wider one that these values need.
        JSON comes as its text in a string array.

    Raises:
        UnfitValueError: For the first value that the schema does not allow.
    """
    try:
        return QUICK[column.type.kind](column.type, values), column.type
    except REFUSALS:
        return SLOW[column.type.kind](column, values)


def exact(column: Column, values: Sequence[t.Any]) -> pa.Array:
    """Turn one column's values into an Arrow array of the column's own type.

    Args:
        column: What the schema says of them.
        values: As `convert` takes them.

    Returns:
        The array.

    Raises:
        Exception: One of `REFUSALS`, when a value does not fit the type with all its digits.
    """
    return QUICK[column.type.kind](column.type, values)


def arrow_type(column_type: ColumnType) -> pa.DataType:
    """Say which Arrow type a column's arrays have.

    Args:
        column_type: Any but OTHER.

    Returns:
        The type; JSON is text.
    """
    if column_type.kind is Kind.DECIMAL:
        return pa.decimal128(column_type.precision, column_type.scale)
    return ARROW_TYPES[column_type.kind]


def text_of(value: t.Any) -> str:  # noqa: ANN401 - any JSON value
    """Write a value as text: a string as it is, anything else as JSON writes it.

    Args:
        value: As JSON has it.

    Returns:
        The text; a `Decimal` with all its digits.
    """
    return value if isinstance(value, str) else encode(value).decode()


def kind_of(value: t.Any) -> str:  # noqa: ANN401 - any JSON value
    """Name the JSON type of a value, for messages.

    Args:
        value: As JSON has it.

    Returns:
        Such as `a string`.
    """
    names = {
        bool: "a boolean",
        int: "an integer",
        Decimal: "a number",
        float: "a number",
        str: "a string",
    }
    return names.get(type(value)) or ("an array" if isinstance(value, list) else "an object")


def _quick_integer(_type: ColumnType, values: Sequence[t.Any]) -> pa.Array:
    if Decimal in set(map(type, values)):
        raise ValueError  # pyarrow would cut the fraction off without a word
    return pa.array(values, pa.int64())


def _quick_decimal(column_type: ColumnType, values: Sequence[t.Any]) -> pa.Array:
    deque(map(_within_38_places, filter(None, values)), maxlen=0)
    return pa.array(values, pa.decimal128(column_type.precision, column_type.scale))


def _quick_instant(_type: ColumnType, values: Sequence[t.Any]) -> pa.Array:
    strings = pa.array(values, pa.string())
    try:
        return strings.cast(INSTANT)
    except pa.ArrowInvalid:
        # Without a zone in any of them: the naive date-times of many taps, which mean UTC.
        return pc.assume_timezone(strings.cast(pa.timestamp("us")), "UTC")


def _quick_time(_type: ColumnType, values: Sequence[t.Any]) -> pa.Array:
    times = [None if value is None else dt.time.fromisoformat(value) for value in values]
    if any(time is not None and time.tzinfo is not None for time in times):
        raise ValueError
    return pa.array(times, pa.time64("us"))


def _quick_json(_type: ColumnType, values: Sequence[t.Any]) -> pa.Array:
    return pa.array([None if value is None else encode(value) for value in values], pa.string())


QUICK: t.Final[dict[Kind, Callable[[ColumnType, Sequence[t.Any]], pa.Array]]] = {
    Kind.BOOLEAN: lambda _type, values: pa.array(values, pa.bool_()),
    Kind.BIGINT: _quick_integer,
    Kind.DECIMAL: _quick_decimal,
    Kind.VARCHAR: lambda _type, values: pa.array(values, pa.string()),
    Kind.DATE: lambda _type, values: pa.array(values, pa.string()).cast(pa.date32()),
    Kind.TIME: _quick_time,
    Kind.TIMESTAMPTZ: _quick_instant,
    Kind.JSON: _quick_json,
}


def _slow_numbers(column: Column, values: Sequence[t.Any]) -> tuple[pa.Array, ColumnType]:
    from_text = column.type.kind is Kind.DECIMAL and "string" in column.accepts
    numbers = [
        None if value is None else _number(value, index, from_text=from_text)
        for index, value in enumerate(values)
    ]
    needed = column.type
    if column.type.kind is Kind.BIGINT:
        for index, number in enumerate(numbers):
            if number is not None and number != number.to_integral_value():
                raise UnfitValueError(index, "a number with a fraction")
        if all(number is None or INT64_MIN <= number <= INT64_MAX for number in numbers):
            integers = [None if number is None else int(number) for number in numbers]
            return pa.array(integers, pa.int64()), BIGINT
    whole = scale = 0
    for number in numbers:
        if number is not None:
            number_whole, number_scale = _digits(number)
            whole, scale = max(whole, number_whole), max(scale, number_scale)
    needed = join(needed, decimal(whole, scale))
    if needed.kind is Kind.DECIMAL:
        exact = [None if number is None else _within_38_places(number) for number in numbers]
        return pa.array(exact, pa.decimal128(needed.precision, needed.scale)), needed
    texts = [None if number is None else _number_text(number) for number in numbers]
    return pa.array(texts, pa.string()), VARCHAR


def _number(value: t.Any, index: int, *, from_text: bool) -> Decimal:  # noqa: ANN401 - any JSON value
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, float) and math.isfinite(value):  # what a stream map has computed
        return Decimal(repr(value))
    if from_text and isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise UnfitValueError(index, "a string that is no number") from None
        if number.is_finite():
            return number
        raise UnfitValueError(index, "a string that is no number")
    raise UnfitValueError(index, kind_of(value))


def _digits(number: Decimal) -> tuple[int, int]:
    """Count digits before and after the point, without trailing zeros, exact at any length."""
    _, digits, exponent = number.as_tuple()
    if not any(digits):
        return 0, 0
    places = t.cast("int", exponent)  # not finite is refused before
    trailing = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return max(len(digits) + places, 0), max(-(places + trailing), 0)


def _number_text(number: Decimal) -> str:
    """Write a number the one way that the warehouse's SQL writes it, so that it can be a key."""
    if not number:
        return "0"
    number = _without_final_zeros(number)
    return f"{number:f}" if sum(_digits(number)) <= MAX_DIGITS else str(number)


def _slow_strings(column: Column, values: Sequence[t.Any]) -> tuple[pa.Array, ColumnType]:
    for index, value in enumerate(values):
        if value is not None and not _allowed(value, column.accepts):
            raise UnfitValueError(index, kind_of(value))
    try:
        return pa.array([None if v is None else text_of(v) for v in values], pa.string()), VARCHAR
    except UnicodeEncodeError as error:
        raise UnfitValueError(0, "a string that is not valid Unicode") from error


def _allowed(value: t.Any, accepts: frozenset[str]) -> bool:  # noqa: ANN401 - any JSON value
    match value:
        case str():
            return True
        case bool():
            return "boolean" in accepts
        case int():
            return bool(accepts & {"integer", "number"})
        case Decimal() | float():
            return "number" in accepts
        case list():
            return "array" in accepts
    return "object" in accepts


def _slow_instants(_column: Column, values: Sequence[t.Any]) -> tuple[pa.Array, ColumnType]:
    instants = [
        None if value is None else _instant(value, index) for index, value in enumerate(values)
    ]
    return pa.array(instants, INSTANT), TIMESTAMPTZ


def _instant(value: t.Any, index: int) -> dt.datetime:  # noqa: ANN401 - any JSON value
    if not isinstance(value, str):
        raise UnfitValueError(index, kind_of(value))
    try:
        instant = dt.datetime.fromisoformat(value)
        if instant.tzinfo is None:
            return instant.replace(tzinfo=dt.UTC)
        return instant.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise UnfitValueError(index, "a string that is no date-time") from None


def _slow_dates(column: Column, values: Sequence[t.Any]) -> tuple[pa.Array, ColumnType]:
    try:
        dates = [None if value is None else dt.date.fromisoformat(value) for value in values]
    except (TypeError, ValueError):
        # Taps that call a date-time a date are common: the column takes the times as well.
        try:
            return _slow_instants(column, values)
        except UnfitValueError as error:
            came = "a string that is no date" if error.came.startswith("a string") else error.came
            raise UnfitValueError(error.index, came) from None
    return pa.array(dates, pa.date32()), column.type


def _slow_times(column: Column, values: Sequence[t.Any]) -> tuple[pa.Array, ColumnType]:
    times: list[dt.time | None] = []
    elsewhere = False
    for index, value in enumerate(values):
        if value is None:
            times.append(None)
            continue
        if not isinstance(value, str):
            raise UnfitValueError(index, kind_of(value))
        try:
            time = dt.time.fromisoformat(value)
        except ValueError:
            raise UnfitValueError(index, "a string that is no time") from None
        elsewhere = elsewhere or bool(time.tzinfo and time.utcoffset())
        times.append(time.replace(tzinfo=None))
    if elsewhere:
        # DuckDB's TIME has no zone, and without a day an offset cannot be taken away.
        return pa.array(values, pa.string()), VARCHAR
    return pa.array(times, pa.time64("us")), column.type


def _slow_booleans(column: Column, values: Sequence[t.Any]) -> tuple[pa.Array, ColumnType]:
    for index, value in enumerate(values):
        if value is not None and not isinstance(value, bool):
            raise UnfitValueError(index, kind_of(value))
    return pa.array(values, pa.bool_()), column.type


SLOW: t.Final[dict[Kind, Callable[[Column, Sequence[t.Any]], tuple[pa.Array, ColumnType]]]] = {
    Kind.BOOLEAN: _slow_booleans,
    Kind.BIGINT: _slow_numbers,
    Kind.DECIMAL: _slow_numbers,
    Kind.VARCHAR: _slow_strings,
    Kind.DATE: _slow_dates,
    Kind.TIME: _slow_times,
    Kind.TIMESTAMPTZ: _slow_instants,
    Kind.JSON: _slow_strings,
}
