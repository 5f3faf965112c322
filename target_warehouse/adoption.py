"""Columns of Parquet files on their way to the warehouse: taken as they are where their type fits.

What a file declares another way than the SCHEMA does, text in place of a date for one, goes through
the conversion that records go through.
"""

from __future__ import annotations

import typing as t
from decimal import Decimal

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from automate_api.exact_json import decode
from automate_singer.arrow import INSTANT, REFUSALS, UnfitValueError, arrow_type, convert
from automate_singer.columns import (
    BIGINT,
    BOOLEAN,
    DATE,
    JSON,
    MAX_DIGITS,
    TIME,
    TIMESTAMPTZ,
    ColumnType,
    Kind,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from automate_singer.columns import Column

JSON_NAMES: t.Final = {
    Kind.BOOLEAN: {"boolean"},
    Kind.BIGINT: {"integer", "number"},
    Kind.DECIMAL: {"number"},
    Kind.DATE: {"string"},
    Kind.TIME: {"string"},
    Kind.TIMESTAMPTZ: {"string"},
}
"""Which JSON types a SCHEMA must allow, one of them, for Arrow's to be taken as they are."""

SIMPLE: t.Final = (
    (pa.types.is_boolean, BOOLEAN),
    (pa.types.is_integer, BIGINT),
    (pa.types.is_date, DATE),
    (pa.types.is_time, TIME),
)

TEXTS: t.Final = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
)
"""Not all writers mark what is text as such."""


def adopted(column: Column, array: pa.Array) -> tuple[pa.Array, ColumnType]:
    """Bring an Arrow column into one of the loader's types.

    Args:
        column: What the SCHEMA says of it.
        array: The values.

    Returns:
        The array and its type, the column's own or another that these values have.

    Raises:
        UnfitValueError: For the first value that the schema does not allow.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), arrow_type(column.type)), column.type
    if isinstance(array.type, pa.JsonType) and column.type == JSON:
        return array.storage.cast(pa.string()), JSON
    try:
        known = _known(array)
    except REFUSALS:  # such as an instant outside of the calendar
        known = None
    if known is not None and JSON_NAMES[known[1].kind] & column.accepts:
        return known
    if any(is_kind(array.type) for is_kind in TEXTS):
        try:
            array = array.cast(pa.string())
        except REFUSALS:
            raise UnfitValueError(0, "bytes that are no text") from None
        if column.type.kind is Kind.VARCHAR:
            return array, column.type
    return convert(column, _values(array))


def records(batch: pa.RecordBatch) -> Iterator[dict[str, t.Any]]:
    """Turn Arrow into records, for streams whose records are changed one by one.

    Args:
        batch: Any columns.

    Yields:
        Each record as JSON has it, numbers with a point as `Decimal`.
    """
    columns = [_values(array) for array in batch.columns]
    for row in zip(*columns, strict=True):
        yield dict(zip(batch.schema.names, row, strict=True))


def _known(array: pa.Array) -> tuple[pa.Array, ColumnType] | None:
    """Find the loader's type that an Arrow type is, or goes into without loss."""
    kind = array.type
    for is_kind, simple in SIMPLE:
        if is_kind(kind):
            return array.cast(arrow_type(simple)), simple
    if pa.types.is_decimal(kind) and kind.precision <= MAX_DIGITS and kind.scale >= 0:
        exact = ColumnType(Kind.DECIMAL, kind.precision, kind.scale)
        return array.cast(arrow_type(exact)), exact
    if pa.types.is_timestamp(kind):
        # Microseconds are what the warehouse has; digits beyond them are cut off, as in records.
        instants = array.cast(pa.timestamp("us", kind.tz), safe=False)
        return (instants if kind.tz else pc.assume_timezone(instants, "UTC")).cast(
            INSTANT
        ), TIMESTAMPTZ
    return None


def _values(array: pa.Array) -> list[t.Any]:
    """List the values as JSON has them."""
    if isinstance(array.type, pa.JsonType):
        return [None if text is None else decode(text) for text in array.storage.to_pylist()]
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False)
    values: list[t.Any] = msgspec.to_builtins(array.to_pylist(), builtin_types=(Decimal,))
    return values
