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

from singer_sdk.helpers._catalog import pop_deselected_record_properties

from automate_singer.sdk_seams import PlainStream
from tap_automate.records import inferred_type

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import RecordMessage

    from automate_singer.writer import BlockWriter


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What is written between two states.

    Attributes:
        rows: Stream and record, in the order in which they are written.
        commit: Moves the bookmarks; called once all rows are written.
    """

    rows: Iterable[tuple[RowStream, Record]]
    commit: Callable[[], None]


class RowStream(PlainStream):
    """A stream whose rows come already conformed, from its own loop or its parent's."""

    def write_row(self, record: Record) -> None:
        """Write a record as Singer message, through selection and stream maps.

        Raises:
            ConfigError: When an expression of a stream map fails on the record.
        """
        self._write_record_message(record)

    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        new = record.keys() - self._expected_fields
        if new:
            self._meet(record, new)
        if self._has_deselected:
            pop_deselected_record_properties(record, self.schema, self.mask)
        yield from self.mapped(record)

    @functools.cached_property
    def _expected_fields(self) -> frozenset[str]:
        return frozenset(self.effective_schema["properties"])

    @functools.cached_property
    def _has_deselected(self) -> bool:
        return not all(self.mask.values())

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
        if self._has_deselected:
            drift.clear()
        for name in new - drift.keys():
            del record[name]
        widened = self._widen({k: v for k, v in drift.items() if v is not None})
        for name in drift.keys() - self._drifted.keys():
            del record[name]
        if widened:
            self._write_schema_message()

    def _widen(self, drift: Mapping[str, t.Any]) -> bool:
        """Add the types of unknown fields to the schema; tell whether that changed it."""
        before = copy.deepcopy(self._drifted)
        for name, value in drift.items():
            kinds = self._drifted.setdefault(name, ["null"])
            if (kind := inferred_type(value)) not in kinds:
                kinds.insert(-1, kind)
        if self._drifted == before:
            return False
        raw = self.stream_maps[0].raw_schema
        fields = {name: {"type": kinds} for name, kinds in self._drifted.items()}
        schema = {**raw, "properties": {**raw["properties"], **copy.deepcopy(fields)}}
        self._tap.mapper.register_raw_stream_schema(self.name, schema, self.primary_keys)
        self._stream_maps = None
        return True


class FamilyStream(RowStream, abc.ABC):
    """A stream that writes its own rows and those of its line streams from one loop."""

    @abc.abstractmethod
    def steps(self, context: Context | None) -> Iterator[Step]:
        """Yield what to write, state by state.

        Args:
            context: The partition, or None.
        """

    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Yield the stream's own records; the SDK asks for this method, the tap writes by steps."""
        for step in self.steps(context):
            yield from (record for stream, record in step.rows if stream is self)
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
        for child in self.child_streams:
            if child.selected and write_messages:
                child._write_schema_message()  # noqa: SLF001 - written by the parent, see above
        members = self.members()
        with contextlib.ExitStack() as metrics:
            metrics.callback(t.cast("BlockWriter", self._tap.message_writer).flush)
            metrics.enter_context(self.get_sync_timer())
            counters = {
                stream.name: metrics.enter_context(stream.get_record_counter())
                for stream in members
            }
            for partition in self._contexts(context):
                for step in self.steps(partition):
                    for stream, record in step.rows:
                        if write_messages:
                            stream.write_row(record)
                        counters[stream.name].increment()
                        yield record
                    step.commit()
                    if write_messages:
                        self.state_manager.is_flushed = False
                        self._write_state_message()
