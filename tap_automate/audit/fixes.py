"""What repairs a warehouse after an audit, as Singer messages for the loader that filled it.

Records go the tap's own way, through the treatment of personal data, normalising and stream maps,
and then lose every field for which the table has no column: what a catalog has deselected does not
come in by a repair. There is never a STATE: an audit moves no bookmark.
"""

from __future__ import annotations

import logging
import typing as t

from automate_api.exact_json import encode
from automate_singer.tombstones import DELETED
from tap_automate.cuts import CutStream
from tap_automate.downloads.downloads import Downloads
from tap_automate.downloads.fields import field_of
from tap_automate.partition import Partition
from tap_automate.reading.codec import Codec
from tap_automate.reading.drift import NO_DATE
from tap_automate.reading.records import Normaliser
from tap_automate.widened import with_types

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from automate_singer.tombstones import Key
    from tap_automate.audit.sides import Record
    from tap_automate.reading.drift import Drift
    from tap_automate.resources import ResourceStream
    from tap_automate.sdk_seams import RowStream
    from tap_automate.streams import Files

TEXT: t.Final = "string"


class Layout(t.Protocol):
    """The columns of a table, as `target_warehouse.holdings` has them."""

    @property
    def schemas(self) -> Mapping[str, t.Any]:
        """Column to a JSON Schema that becomes such a column."""
        ...

    def column(self, field: str) -> str | None:
        """The column of a property, None when there is none."""
        ...

    def styled(self, field: str) -> str:
        """The column that a property has, or would have."""
        ...


class Versions(t.Protocol):
    """Reads the last versions of rows, column to value."""

    def versions(self, keys: Sequence[Key]) -> Iterator[dict[str, t.Any]]:
        """The last versions of some keys."""
        ...


class Messages:
    """Writes the records of one stream under a schema that its table has columns for."""

    def __init__(
        self, stream: RowStream, layout: Layout, write: Callable[[bytes], object], now: str
    ) -> None:
        """Make the schema, to be written before the first record.

        Args:
            stream: The tap's stream.
            layout: Of its table.
            write: Takes a line.
            now: The time of the audit.
        """
        self._stream = stream
        self._layout = layout
        self._write = write
        self._now = now
        self._written = False

    def record(self, record: dict[str, t.Any], drift: Drift) -> None:
        """Write a normalised record of the tap.

        Args:
            record: It.
            drift: What normalising it, and those before, has counted.
        """
        if self._stream.takes_in(drift):
            self._written = False
        for message in self._stream.mapped(record):
            columns = {self._layout.column(name): v for name, v in message.record.items()}
            self.row({name: value for name, value in columns.items() if name is not None})

    def row(self, row: Mapping[str, t.Any]) -> None:
        """Write a row, column to value."""
        stream_map = self._stream.stream_maps[0]
        if not self._written:
            self._written = True
            key = stream_map.transformed_key_properties or ()
            self._line(
                type="SCHEMA",
                stream=stream_map.stream_alias,
                schema={"type": "object", "properties": self._properties()},
                key_properties=[self._layout.styled(name) for name in key],
            )
        self._line(
            type="RECORD", stream=stream_map.stream_alias, record=row, time_extracted=self._now
        )

    def _properties(self) -> dict[str, t.Any]:
        """All columns of the table: as the tap declares them, else by their types."""
        declared = {
            self._layout.column(name): schema
            for name, schema in self._stream.stream_maps[0].transformed_schema["properties"].items()
        }
        properties = {
            name: _as_wide_as(schema, declared.get(name, schema))
            for name, schema in self._layout.schemas.items()
        }
        if self._layout.column(DELETED) is None and not isinstance(self._stream, CutStream):
            instant = {"type": ["string", "null"], "format": "date-time"}
            properties[self._layout.styled(DELETED)] = instant
        return properties

    def _line(self, **message: t.Any) -> None:  # noqa: ANN401 - JSON
        self._write(encode(message) + b"\n")


class StreamFixes:
    """Takes what an audit finds of a stream; its line streams ride along."""

    def __init__(
        self,
        stream: ResourceStream,
        layouts: Mapping[str, Layout],
        versions: Versions,
        write: Callable[[bytes], object],
        now: str,
    ) -> None:
        """Begin.

        Args:
            stream: The tap's stream.
            layouts: By stream, of those of the family whose tables are there.
            versions: What the warehouse holds of the stream.
            write: Takes a line.
            now: The time of the audit.
        """
        schema, keep = stream.resource.record_schema, stream.keeps_unknown
        self._normalise = Normaliser(schema, stream.tap.privacy, keep_unknown=keep)
        codec = Codec(schema, stream.tap.privacy)
        files = self._wanted_files(stream, layouts[stream.name])
        partition = Partition(stream, None, codec)
        self._downloads = Downloads(partition, files, is_audit=True) if files else None
        self._messages = Messages(stream, layouts[stream.name], write, now)
        self._lines = [
            (child, Messages(child, layouts[child.name], write, now))
            for child in stream.child_streams
            if isinstance(child, CutStream) and child.name in layouts
        ]
        self._deleted = layouts[stream.name].styled(DELETED)
        self._versions = versions
        self._now = now

    @staticmethod
    def _wanted_files(stream: ResourceStream, layout: Layout) -> Files | None:
        """Return where records name files, if the table has a column that says where they are."""
        files = stream.wanted_files()
        if files is None or layout.column(field_of(files)) is not None:
            return files
        stream.say_once(
            logging.WARNING,
            f"files of repaired rows are not fetched, as the table has no column for "
            f"`{field_of(files)}`: it was loaded without `download_to`.",
        )
        return None

    def record(self, record: Record) -> None:
        """Write a record as the DMS has it, and its lines."""
        emitted = self._normalise(record)
        if self._downloads:
            self._downloads.fetch([emitted])
        lines = [
            (messages, line) for child, messages in self._lines for line in child.cut([emitted])
        ]
        drift = self._normalise.drift
        self._messages.record(emitted, drift)
        for messages, line in lines:
            messages.record(line, drift)

    def tell(self) -> None:
        """Say which files of the records could not be had."""
        if self._downloads:
            self._downloads.tell()

    def tombstones(self, keys: Sequence[Key]) -> None:
        """Write the warehouse's own last versions, marked as deleted by the time of the audit."""
        for row in self._versions.versions(keys):
            self._messages.row({**row, self._deleted: self._now})


def _as_wide_as(column: Mapping[str, t.Any], declared: Mapping[str, t.Any]) -> Mapping[str, t.Any]:
    """Return what is declared of a field, as wide as its column has become by drift."""
    is_text = TEXT in column.get("type", ()) and "format" not in column
    return with_types(declared, (TEXT, NO_DATE)) if is_text else declared
