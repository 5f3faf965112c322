"""A stream on its way in: records gather, become Arrow by the thousand, and go in at a drain."""

from __future__ import annotations

import contextlib
import typing as t

from singer_sdk.sinks import Sink

from automate_api.errors import ConfigError
from automate_singer.columns import BIGINT, TIMESTAMPTZ, Column
from target_warehouse.batch import Batch
from target_warehouse.database import OutOfMemoryError
from target_warehouse.lines import RecordLines, columns
from target_warehouse.names import columns_of, styled
from target_warehouse.warehouse import VERSION_COLUMN

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa
    from singer_sdk.sinks.core import BaseJSONSchemaValidator

    from target_warehouse.batch import Record
    from target_warehouse.freshness import Commit
    from target_warehouse.target import TargetWarehouse
    from target_warehouse.warehouse import Warehouse

CHUNK_ROWS: t.Final = 1_024
"""Records held as Python objects at a time; the rest of a batch is Arrow.

Measured over 200 k records of 30 fields, the whole process: 2.1 s of CPU, 2.3 with 2,048.
"""


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
        self._freshness = target.freshness
        self._changed: int | None = None
        target.claim_table(self.table, stream_name)
        self.keys = self._key_columns()
        self.adds_metadata = self.include_sdc_metadata_properties
        self.tracks_versions = self.process_activate_version_messages
        self._tally = target.tallies[stream_name]
        self._rows: list[Record] = []
        self._typed_rows: list[t.Any] = []
        self._lines: dict[str, RecordLines | None] = {}
        self._versioned = any(column.name == VERSION_COLUMN for column in self.columns)
        self._batch = Batch(stream_name, self.columns, self.keys, self._tally)

    @property
    def current_size(self) -> int:
        """Records that are not written yet."""
        return self._batch.rows + len(self._rows) + len(self._typed_rows)

    def get_validator(self) -> BaseJSONSchemaValidator | None:
        """Leave validation to the conversion into Arrow types."""
        return None

    def make_table(self, bookmarks: Sequence[str] = ()) -> None:
        """Make the table fit the SCHEMA, so that an empty stream has its table too.

        This is no `setup`: whatever ends that, a signal too, the SDK logs as an error of its own.

        Args:
            bookmarks: The SCHEMA's `bookmark_properties`; by the first that is an instant the
                stream's freshness is measured.

        Raises:
            AutomateError: When the table cannot be as the SCHEMA has it.
        """
        instants = {
            column.field: index
            for index, column in enumerate(self.columns)
            if column.type == TIMESTAMPTZ
        }
        self._changed = next((instants[name] for name in bookmarks if name in instants), None)
        warehouse = self._warehouse()
        with warehouse.transaction():
            warehouse.refuse_other_keys(self.table, self.keys)
            notes = warehouse.fit(self.table, {column.name: column.type for column in self.columns})
            if self._changed is not None:
                self._freshness.expect(warehouse, self.table, self.stream_name)
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

    def take_arrow(self, records: pa.RecordBatch) -> None:
        """Take records as Arrow, unversioned.

        Args:
            records: A column for each field; one that is missing is null.

        Raises:
            UnfitRecordError: When one of them, or one before them, does not fit.
            MissingKeyError: When one lacks a key.
        """
        self._tally.unversioned = True
        self._convert_rows()
        self._batch.add_arrow(records)

    def process_batch(self, context: dict[str, t.Any]) -> None:  # noqa: ARG002 - SDK
        """Write everything that was taken, in one transaction.

        Args:
            context: Not used.

        Raises:
            AutomateError: When a record does not fit or the file cannot be written; nothing is
                written then.
        """
        self._convert_rows()
        self.tally_record_read(self._batch.rows)
        replaced, notes = self._load()
        self._tally.committed += self._batch.rows
        self.tally_duplicate_merged(replaced)
        self.record_counter_metric.increment(self._batch.rows)
        self._tell(notes)
        self._batch.clear()

    def _load(self) -> tuple[int, list[str]]:
        warehouse = self._warehouse()
        while True:
            try:
                with warehouse.transaction():
                    loaded = warehouse.load(self.table, self.columns, self._batch.chunks, self.keys)
                    commit = self._measure(warehouse)
            except OutOfMemoryError:
                if not warehouse.allow_memory():
                    raise
            else:
                if commit is not None:
                    self._freshness.keep(self.table, commit)
                return loaded

    def _measure(self, warehouse: Warehouse) -> Commit | None:
        if self._changed is None:
            return None
        changes = self._batch.instants(self._changed)
        return self._freshness.measure(warehouse, self.table, changes, self._batch.rows)

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
        column = Column(VERSION_COLUMN, VERSION_COLUMN, BIGINT, frozenset({"integer"}))
        self.columns.append(column)
        self._batch.add_column(column)
        self._lines.clear()
        self._versioned = True

    def _convert_rows(self) -> None:
        if self._typed_rows:
            self._batch.add_values(columns(self._typed_rows), len(self._typed_rows))
            self._typed_rows.clear()
        if self._rows:
            self._batch.add_records(self._rows)
            self._rows.clear()

    def _tell(self, notes: Sequence[str]) -> None:
        for note in notes:
            self.logger.warning("Stream %r: %s", self.stream_name, note)
