"""The private methods of singer-sdk that this tap overrides; no other module does.

The SDK has no public way to write rows of several streams from one loop: its child streams write a
SCHEMA and a STATE for every parent record. Nor can a bookmark move by windows instead of by rows. A
test holds what is written here equal to the SDK's own path.
"""

from __future__ import annotations

import abc
import contextlib
import copy
import dataclasses
import functools
import typing as t

import msgspec
from msgspec import UNSET
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.mapper import SameRecordTransform

from automate_singer.sdk_seams import PlainStream
from tap_automate.reading.codec import plain
from tap_automate.reading.drift import inferred_type
from tap_automate.selection import Selection
from tap_automate.widened import widened

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import RecordMessage

    from automate_singer.writer import BlockWriter
    from tap_automate.reading.codec import Codec
    from tap_automate.reading.drift import Drift


Block: t.TypeAlias = "tuple[RowStream, Sequence[t.Any]]"
"""A stream, and records of it that are all structs of one type or all dicts."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What is written between two states.

    Attributes:
        blocks: In the order in which they are written.
        commit: Moves the bookmarks; called once all rows are written.
    """

    blocks: Iterable[Block]
    commit: Callable[[], None]


class RowStream(PlainStream):
    """A stream whose rows come already conformed, from its own loop or its parent's."""

    _types_followed: int = 0

    def cut(self, records: Sequence[t.Any], codec: Codec | None = None) -> Sequence[t.Any]:  # noqa: ARG002 - the streams of lines'
        """Return this stream's rows of its family's records: the records themselves.

        Args:
            records: The parent's, all dicts or all structs of one type.
            codec: What has read the structs.
        """
        return records

    def write_row(self, record: Record) -> None:
        """Write a record as Singer message, through selection and stream maps.

        Raises:
            ConfigError: When an expression of a stream map fails on the record.
        """
        self._write_record_message(record)

    def write_block(self, records: Sequence[t.Any]) -> None:
        """Write records as Singer messages, through selection and stream maps.

        Args:
            records: All structs of one type or all dicts; changed in place.

        Raises:
            ConfigError: When an expression of a stream map fails on a record.
        """
        if isinstance(records[0], dict) or not self._is_plain:
            rows = list(map(plain, records))
            self._foresee(rows)
            for row in rows:
                self.write_row(row)
            return
        unwanted, unknown = self._fields_of(type(records[0]))
        for attribute in unwanted:
            for record in records:
                setattr(record, attribute, UNSET)
        if unknown and self._meet_all(records, unknown):
            self._write_schema_message()
        if self.has_deselected:
            self._selection.apply(records)
        writer = t.cast("BlockWriter", self._tap.message_writer)
        name = self.stream_maps[0].stream_alias
        writer.write_records(name, records, version=self._stream_version)
        self.state_manager.is_flushed = False

    def allow_null(self, field: str) -> None:
        """Write a SCHEMA in which a field may be null; to be called before rows that have it so."""
        raw = self.stream_maps[0].raw_schema
        declared = raw["properties"][field]
        if "null" not in declared["type"]:
            nullable = {**declared, "type": [*declared["type"], "null"]}
            self._declare({**raw, "properties": {**raw["properties"], field: nullable}})
            self._write_schema_message()

    def place_of(self, path: str) -> str | None:
        """Say where this stream's rows have a field of its family's records; None where nowhere.

        Args:
            path: Of the field in the parent's records, as `Drift` has it.
        """
        return path

    def follow(self, drift: Drift) -> None:
        """Write a SCHEMA with the types that came in fields of another; before rows with them.

        Args:
            drift: Of the family's records.
        """
        if self.takes_in(drift):
            self._write_schema_message()

    def takes_in(self, drift: Drift) -> bool:
        """Have the next SCHEMA say the types that came in fields of another.

        Args:
            drift: Of the family's records.

        Returns:
            Whether that changes it.
        """
        known = sum(map(len, drift.types.values()))
        if known == self._types_followed:
            return False
        self._types_followed = known
        raw = self.stream_maps[0].raw_schema
        wider: Mapping[str, t.Any] = raw
        for path, kinds in drift.types.items():
            if (place := self.place_of(path)) is not None:
                wider = widened(wider, place, kinds)
        if wider is raw:
            return False
        self._declare(dict(wider))
        return True

    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        new = record.keys() - self._expected_fields
        if new:
            self._meet(record, new)
        if self.has_deselected:
            pop_deselected_record_properties(record, self.schema, self.mask)
        yield from self.mapped(record)

    @functools.cached_property
    def _expected_fields(self) -> frozenset[str]:
        return frozenset(self.effective_schema["properties"])

    @functools.cached_property
    def has_deselected(self) -> bool:
        """Whether somebody has chosen the fields one by one."""
        return not all(self.mask.values())

    @functools.cached_property
    def _selection(self) -> Selection:
        return Selection(self.mask)

    @functools.cached_property
    def _is_plain(self) -> bool:
        """Whether records go out under the stream's name as they are."""
        maps = self.stream_maps
        return (
            len(maps) == 1
            and type(maps[0]) is SameRecordTransform
            and not maps[0].flattening_enabled
        )

    def _fields_of(self, kind: type) -> tuple[list[str], dict[str, str]]:
        """Tell of a type of records which attributes never go out, and which fields are drift."""
        if kind not in self._fields:
            new = {
                field.encode_name: field.name
                for field in msgspec.structs.fields(kind)
                if field.encode_name not in self._expected_fields
            }
            unwanted = [
                attribute
                for name, attribute in new.items()
                if self.has_deselected or name in self.schema["properties"]
            ]
            drift = {name: a for name, a in new.items() if a not in unwanted}
            self._fields[kind] = unwanted, drift
        return self._fields[kind]

    @functools.cached_property
    def _fields(self) -> dict[type, tuple[list[str], dict[str, str]]]:
        return {}

    @functools.cached_property
    def _drifted(self) -> dict[str, list[str]]:
        """Unknown fields that the schema has taken in, with their types so far."""
        return {}

    def _meet(self, record: Record, new: set[str]) -> None:
        """Deal with fields that the emitted schema does not have.

        A field of the contract that the catalog does not list was taken out by its author. A field
        that the contract does not know is drift: it is kept, under a schema that follows, unless
        somebody chose the fields one by one.
        """
        drift = {name: record[name] for name in new if name not in self.schema["properties"]}
        if self.has_deselected:
            drift.clear()
        for name in new - drift.keys():
            del record[name]
        widened = self._widen({k: [v] for k, v in drift.items() if v is not None})
        for name in drift.keys() - self._drifted.keys():
            del record[name]
        if widened:
            self._write_schema_message()

    def _foresee(self, rows: Sequence[Record]) -> None:
        """Have one SCHEMA go before rows with several new fields, instead of one before each."""
        names = set[str]().union(*rows) - self._expected_fields - self.schema["properties"].keys()
        if names and not self.has_deselected:
            values = {
                name: [v for row in rows if (v := row.get(name)) is not None] for name in names
            }
            if self._widen({name: found for name, found in sorted(values.items()) if found}):
                self._write_schema_message()

    def _meet_all(self, records: Sequence[t.Any], unknown: Mapping[str, str]) -> bool:
        """Do for structs what `_meet` does for a dict; tell whether a SCHEMA has to go first."""
        values: dict[str, list[t.Any]] = {}
        for name, attribute in unknown.items():
            column = [getattr(record, attribute) for record in records]
            values[name] = [value for value in column if value is not None and value is not UNSET]
            if name not in self._drifted:
                # As long as nothing but null has come, the field has no type to be declared with.
                for record, value in zip(records, column, strict=True):
                    if value is not None and value is not UNSET:
                        break
                    setattr(record, attribute, UNSET)
        return self._widen({name: found for name, found in values.items() if found})

    def _widen(self, drift: Mapping[str, Iterable[t.Any]]) -> bool:
        """Add the types of unknown fields' values to the schema; tell whether that changed it."""
        changed = False
        for name, values in drift.items():
            kinds = self._drifted.setdefault(name, ["null"])
            for kind in dict.fromkeys(map(inferred_type, values)):
                if kind not in kinds:
                    kinds.insert(-1, kind)
                    changed = True
        if not changed:
            return False
        raw = self.stream_maps[0].raw_schema
        fields = {name: {"type": kinds} for name, kinds in self._drifted.items()}
        self._declare({**raw, "properties": {**raw["properties"], **copy.deepcopy(fields)}})
        return True

    def _declare(self, schema: dict[str, t.Any]) -> None:
        """Have the next SCHEMA say this, through selection and stream maps."""
        self._tap.mapper.register_raw_stream_schema(self.name, schema, self.primary_keys)
        self._stream_maps = None


class FamilyStream(RowStream, abc.ABC):
    """A stream that writes its own rows and those of its line streams from one loop."""

    @abc.abstractmethod
    def steps(self, context: Context | None) -> Iterator[Step]:
        """Yield what to write, state by state.

        Args:
            context: The partition, or None.
        """

    def begin(self) -> None:
        """Write the SCHEMAs of the line streams, before any row is read."""
        for child in self.child_streams:
            if child.selected:
                child._write_schema_message()  # noqa: SLF001 - written by the parent, see above

    def keep_notes(self) -> bool:
        """Put into the state what is known now that every partition has been written.

        Returns:
            Whether that has changed it.
        """
        return False

    def tell(self) -> None:
        """Say what was noticed of the stream, however its reading has ended."""

    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Yield the stream's own records; the SDK asks for this method, the tap writes by steps."""
        for step in self.steps(context):
            for stream, records in step.blocks:
                if stream is self:
                    yield from map(plain, records)
            step.commit()

    def members(self) -> list[RowStream]:
        """Return the selected streams of the family, the parent first."""
        streams = [self, *t.cast("list[RowStream]", self.child_streams)]
        return [stream for stream in streams if stream.selected]

    def _contexts(self, context: Context | None) -> list[Context | None]:
        if context:
            return [context]
        return list(self.partitions) if self.partitions else [None]

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, None, None]:
        members = self.members()
        if write_messages:
            self.begin()
        with contextlib.ExitStack() as metrics:
            metrics.callback(t.cast("BlockWriter", self._tap.message_writer).finish)
            metrics.callback(self.tell)
            metrics.enter_context(self.get_sync_timer())
            counters = {
                stream.name: metrics.enter_context(stream.get_record_counter())
                for stream in members
            }
            for partition in self._contexts(context):
                for step in self.steps(partition):
                    for stream, records in step.blocks:
                        if write_messages:
                            stream.write_block(records)
                        counters[stream.name].increment(len(records))
                        if not write_messages:  # a connection test counts them
                            yield from t.cast("Sequence[Record]", records)
                    step.commit()
                    if write_messages:
                        self._state_changed()
            if write_messages and self.keep_notes():
                self._state_changed()

    def _state_changed(self) -> None:
        self.state_manager.is_flushed = False
        self._write_state_message()
