"""A stream on its way in: records gather, become Arrow by the thousand, and go in at a drain."""

from __future__ import annotations

import contextlib
import dataclasses
import operator
import typing as t
from collections import Counter

import pyarrow as pa
from singer_sdk.sinks import Sink

from automate_api.errors import ConfigError
from automate_singer.arrow import UnfitValueError, convert
from automate_singer.columns import BIGINT, Column
from automate_singer.errors import UnfitRecordError
from target_warehouse.errors import MissingKeyError
from target_warehouse.lines import RecordLines, columns
from target_warehouse.names import columns_of, styled
from target_warehouse.warehouse import ORDINAL, VERSION_COLUMN, Chunk

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk.sinks.core import BaseJSONSchemaValidator

    from target_warehouse.target import TargetWarehouse
    from target_warehouse.warehouse import Warehouse

CHUNK_ROWS: t.Final = 2_048
"""Records held as Python objects at a time, a vector of DuckDB's; the rest of a batch is Arrow.

Measured over 200 k records of 32 fields: 2.0 s of CPU, as with 1,000; 2.5 s with 4,000.
"""

Record: t.TypeAlias = dict[str, t.Any]


@dataclasses.dataclass(slots=True)
class Tally:
    """What is known of a stream over a whole run, through every change of its SCHEMA.

    Attributes:
        records: Records converted so far.
        unknown_fields: Fields that no SCHEMA named, with the number of records that had them.
        unversioned: True once a record came without a version.
        pending_version: A version announced before its first row.
    """

    records: int = 0
    unknown_fields: Counter[str] = dataclasses.field(default_factory=Counter)
    unversioned: bool = False
    pending_version: int | None = None


class WarehouseSink(Sink):
    """Writes one stream to its table.

    A record is the whole of its row: a field that it lacks is null, in an update as in an insert.
    Fields that the SCHEMA does not name are not stored; they are counted in the stream's `Tally`.
    """

    def __init__(
        self,
        target: TargetWarehouse,
        stream_name: str,
        schema: dict[str, t.Any],
        key_properties: Sequence[str] | None,
    ) -> None:
        """Read the schema into columns.

        Args:
            target: The loader; it keeps the warehouse and what is counted over a whole run.
            stream_name: The stream, after stream maps.
            schema: Its JSON Schema, after stream maps.
            key_properties: Its keys; none to append.

        Raises:
            ConfigError: When the schema cannot become a table.
        """
        super().__init__(target, stream_name, schema, key_properties)
        style = self.config["column_names"]
        # The SDK's `schema` has lost `_sdc_` columns that a tap declares; the original has them.
        declared = self.schema if self.include_sdc_metadata_properties else self.original_schema
        self.columns = columns_of(declared, stream=stream_name, style=style)
        if not self.columns:
            msg = (
                f"Stream {stream_name!r}: its SCHEMA has no properties, so there is no table for it"
            )
            raise ConfigError(msg)
        self.table = styled(stream_name, style)
        self._warehouse: Callable[[], Warehouse] = target.open_warehouse
        target.claim_table(self.table, stream_name)
        self.keys = self._key_columns()
        self.adds_metadata = self.include_sdc_metadata_properties
        self.tracks_versions = self.process_activate_version_messages
        self._tally = target.tallies[stream_name]
        self._rows: list[Record] = []
        self._typed_rows: list[t.Any] = []
        self._lines: dict[str, RecordLines | None] = {}
        self._chunks: list[Chunk] = []
        self._held = 0
        self._versioned = any(column.name == VERSION_COLUMN for column in self.columns)
        self._compile()

    @property
    def current_size(self) -> int:
        """Records that are not written yet."""
        return self._held + len(self._rows) + len(self._typed_rows)

    def get_validator(self) -> BaseJSONSchemaValidator | None:
        """Leave validation to the conversion into Arrow types."""
        return None

    def setup(self) -> None:
        """Make the table fit the SCHEMA, so that an empty stream has its table too."""
        warehouse = self._warehouse()
        with warehouse.transaction():
            warehouse.refuse_other_keys(self.table, self.keys)
            notes = warehouse.fit(self.table, {column.name: column.type for column in self.columns})
        self._tell(notes)

    def process_record(self, record: Record, context: dict[str, t.Any]) -> None:  # noqa: ARG002 - SDK
        """Take a record of the current SCHEMA, unversioned.

        Args:
            record: As JSON has it, numbers with a point as `Decimal`.
            context: Not used.
        """
        self.take(record, None)

    def take(self, record: Record, version: int | None) -> None:
        """Take a record of the current SCHEMA.

        Args:
            record: As JSON has it, numbers with a point as `Decimal`.
            version: Of its RECORD message, if it has one.

        Raises:
            UnfitRecordError: When it, or one before it in its chunk, does not fit.
            MissingKeyError: When one of them lacks a key.
        """
        if self._typed_rows:
            self._convert_rows()
        if version is None:
            self._tally.unversioned = True
        elif self.tracks_versions:
            if not self._versioned:
                self._track_versions()
            record[VERSION_COLUMN] = version
        self._rows.append(record)
        if len(self._rows) >= CHUNK_ROWS:
            self._convert_rows()

    def record_lines(self, stream: str) -> RecordLines | None:
        """Give what reads the lines of a stream whose records come here as they are.

        Args:
            stream: As the tap names it.

        Returns:
            The reader of its lines, whose rows `take_rows` takes; None when each record is changed,
            or its fields have names that cannot be read so.
        """
        if self.adds_metadata:
            return None
        if stream not in self._lines:
            self._lines[stream] = None
            with contextlib.suppress(ValueError):
                self._lines[stream] = RecordLines(stream, [column.field for column in self.columns])
        return self._lines[stream]

    def take_rows(self, rows: Sequence[t.Any]) -> None:
        """Take rows of `record_lines`.

        Args:
            rows: In the order in which they came.

        Raises:
            UnfitRecordError: When one of them, or one before them in their chunk, does not fit.
            MissingKeyError: When one lacks a key.
        """
        self._tally.unversioned = True
        if self._rows:
            self._convert_rows()
        self._typed_rows += rows
        if len(self._typed_rows) >= CHUNK_ROWS:
            self._convert_rows()

    def process_batch(self, context: dict[str, t.Any]) -> None:  # noqa: ARG002 - SDK
        """Write everything that was taken, in one transaction.

        Args:
            context: Not used.

        Raises:
            AutomateError: When a record does not fit or the file cannot be written; nothing is
                written then.
        """
        self._convert_rows()
        self.tally_record_read(self._held)
        warehouse = self._warehouse()
        with warehouse.transaction():
            replaced, notes = warehouse.load(self.table, self.columns, self._chunks, self.keys)
        self.tally_duplicate_merged(replaced)
        self.record_counter_metric.increment(self._held)
        self._tell(notes)
        self._chunks.clear()
        self._held = 0

    def activate_version(self, new_version: int) -> None:
        """Delete the rows of older versions, once there are rows of the new one.

        A tap that announces a version before its first record has its old rows until the end of the
        input. To be called when everything that was taken has been written.

        Args:
            new_version: The version that stays.
        """
        if self._tally.unversioned:
            self.logger.warning(
                "Stream %r: ACTIVATE_VERSION is ignored, as its records carry no version and "
                "nothing tells new rows from old ones",
                self.stream_name,
            )
            return
        if not self._warehouse().has_version(self.table, new_version):
            self._tally.pending_version = new_version
            return
        self._delete_older(new_version)

    def finish(self) -> None:
        """Do what waited for the end of the input."""
        if self._tally.pending_version is not None and not self._tally.unversioned:
            self._delete_older(self._tally.pending_version)
        self._tally.pending_version = None

    def _delete_older(self, version: int) -> None:
        gone = self._warehouse().delete_older(self.table, version)
        self.logger.info("Stream %r: %d rows of older versions deleted", self.stream_name, gone)

    def _key_columns(self) -> tuple[str, ...]:
        if self.config["load_method"] == "append-only":
            return ()
        by_field = {column.field: column.name for column in self.columns}
        if unknown := [key for key in self.key_properties if key not in by_field]:
            msg = (
                f"Stream {self.stream_name!r}: the key properties {unknown} are not in its SCHEMA. "
                "Select them in the tap, or load with load_method append-only"
            )
            raise ConfigError(msg)
        return tuple(dict.fromkeys(by_field[key] for key in self.key_properties))

    def _track_versions(self) -> None:
        self._convert_rows()
        if self._chunks:
            # Chunks of one batch have the same columns: those without a version get it as null.
            nulls = [pa.nulls(len(chunk.data), pa.int64()) for chunk in self._chunks]
            at = len(self.columns)
            self._chunks = [
                Chunk(chunk.data.add_column(at, f"c{at}", [null]), (*chunk.types, BIGINT))
                for chunk, null in zip(self._chunks, nulls, strict=True)
            ]
        self.columns.append(Column(VERSION_COLUMN, VERSION_COLUMN, BIGINT, frozenset({"integer"})))
        self._versioned = True
        self._compile()

    def _compile(self) -> None:
        self._lines.clear()
        fields = [column.field for column in self.columns]
        self._fields = frozenset(fields)
        # itemgetter gives a bare value for one name.
        self._get: Callable[[Record], tuple[t.Any, ...]] = (
            operator.itemgetter(*fields) if len(fields) > 1 else lambda record: (record[fields[0]],)
        )
        self._key_indexes = [
            index for index, column in enumerate(self.columns) if column.name in self.keys
        ]

    def _convert_rows(self) -> None:
        if self._typed_rows:
            self._keep(columns(self._typed_rows), len(self._typed_rows))
            self._typed_rows.clear()
        rows = self._rows
        if not rows:
            return
        if not self._fields.issuperset(set().union(*rows)):
            self._tally.unknown_fields.update(
                field for row in rows for field in row if field not in self._fields
            )
        values: list[Sequence[t.Any]]
        try:
            values = list(zip(*map(self._get, rows), strict=True))
        except KeyError:
            values = [[row.get(column.field) for row in rows] for column in self.columns]
        self._keep(values, len(rows))
        rows.clear()

    def _keep(self, values: Sequence[Sequence[t.Any]], count: int) -> None:
        """Convert the values of each column into a chunk."""
        first = self._tally.records + 1
        for index in self._key_indexes:
            if None in values[index]:
                self._refuse_null_key(index, first + values[index].index(None))
        arrays, types = [], []
        for column, column_values in zip(self.columns, values, strict=True):
            try:
                array, column_type = convert(column, column_values)
            except UnfitValueError as error:
                raise self._unfit(column, error, first + error.index) from None
            arrays.append(array)
            types.append(column_type)
        arrays.append(pa.array(range(self._held, self._held + count), pa.int64()))
        names = [*(f"c{index}" for index in range(len(self.columns))), ORDINAL]
        self._chunks.append(Chunk(pa.table(arrays, names=names), tuple(types)))
        self._held += count
        self._tally.records += count

    def _refuse_null_key(self, index: int, ordinal: int) -> t.NoReturn:
        msg = (
            f"Stream {self.stream_name!r}, record {ordinal}: no value for the key property "
            f"{self.columns[index].field!r}. Expected one in every record; correct the tap, or "
            "load with load_method append-only"
        )
        raise MissingKeyError(msg)

    def _unfit(self, column: Column, error: UnfitValueError, ordinal: int) -> UnfitRecordError:
        expected = " or ".join(sorted(column.accepts - {"null"})) or "null"
        return UnfitRecordError(
            f"Stream {self.stream_name!r}, record {ordinal}, field {column.field!r}: expected "
            f"{expected} for {column.type.sql}, got {error.came}. Correct the tap's schema, or "
            "convert the field with stream_maps; nothing of the batch was kept"
        )

    def _tell(self, notes: Sequence[str]) -> None:
        for note in notes:
            self.logger.warning("Stream %r: %s", self.stream_name, note)
