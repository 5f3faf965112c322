"""What a batch of a stream is made of: records become Arrow, some thousand at a time."""

from __future__ import annotations

import dataclasses
import operator
import typing as t
from collections import Counter

import pyarrow as pa

from automate_singer.arrow import INSTANT, UnfitValueError, convert
from automate_singer.columns import BIGINT, TIMESTAMPTZ
from automate_singer.errors import UnfitRecordError
from target_warehouse.adoption import adopted
from target_warehouse.errors import MissingKeyError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from automate_singer.columns import Column, ColumnType

ORDINAL: t.Final = "ordinal"
"""The Arrow column that says in which order the records of a batch came.

It stands beside columns `c0`, `c1`, ..., also in queries, so that no column of a stream, which may
have any name, is ever taken for it.
"""

Record: t.TypeAlias = dict[str, t.Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Chunk:
    """Some records of a batch as Arrow.

    Attributes:
        data: Arrow columns `c0`, `c1`, ... in the order of the stream's columns, then `ordinal`.
        types: The type of each column in this chunk.
    """

    data: pa.Table
    types: tuple[ColumnType, ...]


@dataclasses.dataclass(slots=True)
class Tally:
    """What is known of a stream over a whole run, through every change of its SCHEMA.

    Attributes:
        records: Records converted so far.
        committed: Those of them that are in the warehouse.
        unknown_fields: Fields that no SCHEMA named, with the number of records that had them.
        unversioned: True once a record came without a version.
        pending_version: A version announced before its first row.
    """

    records: int = 0
    committed: int = 0
    unknown_fields: Counter[str] = dataclasses.field(default_factory=Counter)
    unversioned: bool = False
    pending_version: int | None = None


class Batch:
    """The records of a stream that are not written yet.

    Attributes:
        chunks: The records, in the order they came.
        rows: How many there are.
    """

    def __init__(
        self, stream: str, columns: Sequence[Column], keys: Collection[str], tally: Tally
    ) -> None:
        """Start without records.

        Args:
            stream: The stream, for messages.
            columns: What its SCHEMA says of them.
            keys: Names of the key columns, which have a value in every record.
            tally: Where records and unknown fields are counted.
        """
        self.chunks: list[Chunk] = []
        self.rows = 0
        self._stream = stream
        self._tally = tally
        self._keys = keys
        self._columns: list[Column] = []
        for column in columns:
            self.add_column(column)

    def add_column(self, column: Column) -> None:
        """Expect one more column; in the records that came before it is null.

        Args:
            column: What is said of it.
        """
        at = len(self._columns)
        self._columns.append(column)
        for index, chunk in enumerate(self.chunks):
            nulls = pa.nulls(len(chunk.data), pa.int64())
            data = chunk.data.add_column(at, f"c{at}", [nulls])
            self.chunks[index] = Chunk(data, (*chunk.types, BIGINT))
        fields = [known.field for known in self._columns]
        self._fields = frozenset(fields)
        # itemgetter gives a bare value for one name.
        self._get: Callable[[Record], tuple[t.Any, ...]] = (
            operator.itemgetter(*fields) if len(fields) > 1 else lambda record: (record[fields[0]],)
        )

    def instants(self, index: int) -> pa.ChunkedArray:
        """List the values of a column that is declared as an instant.

        Args:
            index: Its place among the columns.

        Returns:
            As `timestamp[us, UTC]`; without those of chunks in which they were something else.
        """
        arrays = [
            array
            for chunk in self.chunks
            if chunk.types[index] == TIMESTAMPTZ
            for array in chunk.data.column(index).chunks
        ]
        return pa.chunked_array(arrays, INSTANT)

    def clear(self) -> None:
        """Forget the records: they are written."""
        self.chunks.clear()
        self.rows = 0

    def add_records(self, records: Sequence[Record]) -> None:
        """Add records.

        Args:
            records: At least one, as JSON has it, numbers with a point as `Decimal`; a field that
                one lacks is null.

        Raises:
            UnfitRecordError: When one has a value that the SCHEMA does not allow.
            MissingKeyError: When one lacks a key.
        """
        if not self._fields.issuperset(set().union(*records)):
            self._tally.unknown_fields.update(
                field for record in records for field in record if field not in self._fields
            )
        values: list[Sequence[t.Any]]
        try:
            values = list(zip(*map(self._get, records), strict=True))
        except KeyError:
            values = [[record.get(column.field) for record in records] for column in self._columns]
        self.add_values(values, len(records))

    def add_values(self, values: Sequence[Sequence[t.Any]], count: int) -> None:
        """Add records by their columns.

        Args:
            values: The values of each column.
            count: How many each has.

        Raises:
            UnfitRecordError: When one is a value that the SCHEMA does not allow.
            MissingKeyError: When a key is null.
        """
        for column, found in zip(self._columns, values, strict=True):
            if column.name in self._keys and None in found:
                self._refuse_null_key(column, found.index(None))
        self._add(
            [
                self._checked(column, convert, found)
                for column, found in zip(self._columns, values, strict=True)
            ],
            count,
        )

    def add_arrow(self, records: pa.RecordBatch) -> None:
        """Add records that come as Arrow.

        Args:
            records: A column for each field; one that is missing is null.

        Raises:
            UnfitRecordError: When one has a value that the SCHEMA does not allow.
            MissingKeyError: When a key is null.
        """
        names = set(records.schema.names)
        self._tally.unknown_fields.update(dict.fromkeys(names - self._fields, records.num_rows))
        arrays = [
            records.column(column.field) if column.field in names else pa.nulls(records.num_rows)
            for column in self._columns
        ]
        for column, array in zip(self._columns, arrays, strict=True):
            if column.name in self._keys and array.null_count:
                self._refuse_null_key(column, array.is_null().index(True).as_py())
        self._add(
            [
                self._checked(column, adopted, array)
                for column, array in zip(self._columns, arrays, strict=True)
            ],
            records.num_rows,
        )

    def _add(self, converted: Sequence[tuple[pa.Array, ColumnType]], count: int) -> None:
        arrays = [array for array, _ in converted]
        arrays.append(pa.array(range(self.rows, self.rows + count), pa.int64()))
        names = [*(f"c{index}" for index in range(len(self._columns))), ORDINAL]
        types = tuple(column_type for _, column_type in converted)
        self.chunks.append(Chunk(pa.table(arrays, names=names), types))
        self.rows += count
        self._tally.records += count

    def _checked(
        self,
        column: Column,
        conversion: Callable[[Column, t.Any], tuple[pa.Array, ColumnType]],
        values: t.Any,  # noqa: ANN401 - what the conversion takes
    ) -> tuple[pa.Array, ColumnType]:
        try:
            return conversion(column, values)
        except UnfitValueError as error:
            expected = " or ".join(sorted(column.accepts - {"null"})) or "null"
            ordinal = self._tally.records + 1 + error.index
            msg = (
                f"Stream {self._stream!r}, record {ordinal}, field {column.field!r}: expected "
                f"{expected} for {column.type.sql}, got {error.came}. Correct the tap's schema, or "
                "convert the field with stream_maps; nothing of the batch was kept"
            )
            raise UnfitRecordError(msg) from None

    def _refuse_null_key(self, column: Column, index: int) -> t.NoReturn:
        msg = (
            f"Stream {self._stream!r}, record {self._tally.records + 1 + index}: no value for the "
            f"key property {column.field!r}. Expected one in every record; correct the tap, or "
            "load with load_method append-only"
        )
        raise MissingKeyError(msg)
