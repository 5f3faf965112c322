"""Records on their way into a Parquet file, whose columns are those of the stream's SCHEMA.

Money is a decimal of the schema's precision, an instant a timestamp of microseconds in UTC, a date
a date, and what is nested JSON text that is marked as JSON. A record that does not fit with every
digit is a misfit. Records of its key that come after it are so, too: whoever loads the file and
then the misfits has the last version.
"""

from __future__ import annotations

import contextlib
import typing as t

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import UNSET, UnsetType

from automate_api.exact_json import decode, encode
from automate_singer.arrow import REFUSALS, arrow_type, exact, text_of
from automate_singer.columns import JSON, Column, from_schema
from tap_automate.batches.rows import BatchRows

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

AT_ONCE: t.Final = 1_000
"""Records as text that become columns together, where they come one by one."""

JSON_TEXT: t.Final = pa.json_(pa.string())


Values: t.TypeAlias = "Sequence[t.Any]"


class ParquetRows(BatchRows):
    """Columns of Arrow."""

    suffix = ".parquet"

    def __init__(
        self, schema: Mapping[str, t.Any], keys: Sequence[str], *, compression: str
    ) -> None:
        """Choose the type of each column.

        Args:
            schema: Of the stream's SCHEMA message; no other field goes into the file.
            keys: Its key properties.
            compression: Of the file's pages: `zstd`, `snappy`, `gzip` or `none`.
        """
        super().__init__()
        self._columns = [
            Column(field, field, *from_schema(declared, schema))
            for field, declared in schema["properties"].items()
        ]
        self._schema = pa.schema(
            [
                (column.field, JSON_TEXT if column.type == JSON else arrow_type(column.type))
                for column in self._columns
            ]
        )
        self._keys = [index for index, column in enumerate(self._columns) if column.field in keys]
        self._compression = compression
        self._texts: list[bytes] = []
        self._batches: list[pa.RecordBatch] = []
        self._overtaken: set[tuple[str, ...]] = set()

    def add(self, records: Sequence[t.Any]) -> None:
        """Take records as columns."""
        if isinstance(records[0], dict):
            texts = [encode(record) for record in records]
            self._texts += texts
            self.size += sum(map(len, texts))
            if len(self._texts) >= AT_ONCE:
                self._convert_texts()
            return
        self._convert_texts()
        values = zip(*map(msgspec.structs.astuple, records), strict=True)
        fields = records[0].__struct_encode_fields__
        self._convert(dict(zip(fields, values, strict=True)), records)

    def settle(self) -> int:
        """Return how many records fit."""
        self._convert_texts()
        return sum(batch.num_rows for batch in self._batches)

    def write(self, file: t.IO[bytes]) -> None:
        """Write the records that fit to a file."""
        table = pa.Table.from_batches(self._batches, self._schema)
        pq.write_table(table, file, compression=self._compression)

    def clear(self) -> None:
        """Forget everything."""
        self._batches.clear()
        self._overtaken.clear()
        self.misfits.clear()
        self.size = 0

    def _convert_texts(self) -> None:
        if not self._texts:
            return
        self.size -= sum(map(len, self._texts))
        records = [decode(text) for text in self._texts]
        self._texts.clear()
        names = set[str]().union(*records)
        self._convert({name: [r.get(name, UNSET) for r in records] for name in names}, records)

    def _convert(self, found: Mapping[str, Values], records: Values) -> None:
        """Make columns of records, and misfits of those that do not fit.

        Args:
            found: Field to its value in each record, `UNSET` where it has none.
            records: The same records, to be written as JSON.
        """
        empty = [None] * len(records)
        values = [_nulls(found.get(column.field, empty)) for column in self._columns]
        unknown = found.keys() - set(self._schema.names)
        odd = {at for name in unknown for at, v in enumerate(found[name]) if v is not UNSET}
        if not (odd or self._overtaken):
            with contextlib.suppress(*REFUSALS):
                self._keep(values)
                return
        for column, column_values in zip(self._columns, values, strict=True):
            odd.update(_refused(column, column_values))
        fitting = []
        for at in range(len(records)):
            key = self._key(values, at)
            if at in odd or (key and key in self._overtaken):
                self._overtaken.add(key)
            else:
                fitting.append(at)
        try:
            self._keep([[column[at] for at in fitting] for column in values])
        except REFUSALS:  # each fits, but not together, such as instants with and without a zone
            fitting = []
        for at in sorted(set(range(len(records))).difference(fitting)):
            self._overtaken.add(self._key(values, at))
            misfit = encode(records[at])
            self.misfits.append(msgspec.Raw(misfit))
            self.size += len(misfit)

    def _keep(self, values: Sequence[Values]) -> None:
        batch = self._batch(values)
        self._batches.append(batch)
        self.size += batch.nbytes

    def _key(self, values: Sequence[Values], at: int) -> tuple[str, ...]:
        return tuple(text_of(values[index][at]) for index in self._keys)

    def _batch(self, values: Sequence[Values]) -> pa.RecordBatch:
        arrays = [
            exact(column, column_values)
            for column, column_values in zip(self._columns, values, strict=True)
        ]
        return pa.RecordBatch.from_arrays(
            [
                pa.ExtensionArray.from_storage(JSON_TEXT, array) if column.type == JSON else array
                for column, array in zip(self._columns, arrays, strict=True)
            ],
            schema=self._schema,
        )


def _nulls(values: Values) -> Values:
    """Put null where there is no value."""
    if UnsetType in set(map(type, values)):  # `in values` would compare each
        return [None if value is UNSET else value for value in values]
    return values


def _refused(column: Column, values: Values) -> Iterator[int]:
    """Find the values that a column cannot hold exactly."""
    try:
        exact(column, values)
    except REFUSALS:
        for at, value in enumerate(values):
            try:
                exact(column, [value])
            except REFUSALS:
                yield at
