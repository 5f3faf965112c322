"""Streams that are cut from another stream's records, in its loop, without a further request."""

from __future__ import annotations

import typing as t

from automate_api.contract import stream_schema
from tap_automate import filters
from tap_automate.history import Versions
from tap_automate.lines import POSITION, POSITION_SCHEMA, Cutter
from tap_automate.sdk_seams import RowStream
from tap_automate.streams import PARENT_KEY, REPLICATION_KEY, ROOFTOP

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk.helpers.types import Context, Record

    from automate_api.contract import Resource, Schema
    from tap_automate.reading.codec import Codec
    from tap_automate.resources import ResourceStream
    from tap_automate.streams import History, Lines
    from tap_automate.tap import TapAutomate

VERSION: t.Final = (
    "The time of the change that made this version. Of changes between two runs the last one makes "
    "a version."
)


class CutStream(RowStream):
    """A stream whose rows its parent writes; it has the parent's partitions."""

    declaration: t.ClassVar[Lines | History]
    parent_stream_type: type[ResourceStream]

    def __init__(
        self,
        tap: TapAutomate,
        *,
        key: tuple[str, ...],
        fields: Schema,
        cutter: Cutter | Versions,
    ) -> None:
        """Describe the rows.

        Args:
            tap: Whose stream it is.
            key: Fields of the key.
            fields: Field to its schema in the contract, without the parent's time.
            cutter: Makes them.
        """
        dated = _parent(tap, self).record_schema["properties"][REPLICATION_KEY]
        schema = {"type": "object", "properties": {**fields, PARENT_KEY: dated}}
        super().__init__(
            tap,
            name=self.declaration.name,
            schema=tap.privacy.schema(stream_schema(schema, key=(*key, PARENT_KEY))),
        )
        self.primary_keys = key
        self.replication_key = PARENT_KEY
        self._cutter = cutter

    @property
    def partitions(self) -> list[dict[str, t.Any]] | None:
        """Those of the parent."""
        return filters.partitions(self.parent_stream_type.declaration, self.config)

    def cut(self, records: Sequence[t.Any], codec: Codec | None = None) -> Sequence[t.Any]:
        """Return this stream's rows of the parent's records."""
        return self._cutter.cut(records, codec)

    def get_records(self, context: Context | None) -> Iterator[Record]:
        """Yield nothing: the parent writes the rows."""
        del context
        return iter(())


class LineStream(CutStream):
    """The lines within the records of another stream."""

    declaration: t.ClassVar[Lines]

    def __init__(self, tap: TapAutomate) -> None:
        """Put the parent's key and rooftop before the line's own fields."""
        parent = _parent(tap, self)
        key, fields = line_fields(parent, self.declaration)
        self._taken_over = _inherited(parent)
        cutter = Cutter(self.declaration, self._taken_over, numbered=POSITION in key)
        super().__init__(tap, key=key, fields=fields, cutter=cutter)

    def place_of(self, path: str) -> str | None:
        """Say where a line has a field of its parent's lines."""
        for holder in (self.declaration.field, self.declaration.single):
            if holder and path.startswith(f"{holder}."):
                return path.removeprefix(f"{holder}.")
        return path if path in self._taken_over else None


class HistoryStream(CutStream):
    """What the records of another stream were when: a row for each version that is emitted."""

    declaration: t.ClassVar[History]

    def __init__(self, tap: TapAutomate) -> None:
        """Put the record's key, its time and its rooftop before what may change."""
        parent = _parent(tap, self)
        key, fields = version_fields(parent, self.declaration)
        self._paths = _version_paths(parent, self.declaration)
        cutter = Versions(self._paths)
        super().__init__(tap, key=key, fields=fields, cutter=cutter)

    def place_of(self, path: str) -> str | None:
        """Say where a version has a field of its record."""
        return path.rpartition(".")[2] if path in self._paths else None


def line_fields(parent: Resource, declaration: Lines) -> tuple[tuple[str, ...], Schema]:
    """Describe the rows of a line stream.

    Args:
        parent: The records that the lines are cut from.
        declaration: The stream.

    Returns:
        The fields of the key, and each field with its schema in the contract, but for the parent's
        time.
    """
    lines = parent.lines(declaration.field)
    fields = {name: parent.record_schema["properties"][name] for name in _inherited(parent)}
    if lines.key == (POSITION,):
        fields[POSITION] = POSITION_SCHEMA
    return (*parent.key, *lines.key), {**fields, **lines.schema["properties"]}


def version_fields(parent: Resource, declaration: History) -> tuple[tuple[str, ...], Schema]:
    """Describe the rows of a history, as `line_fields` those of lines."""
    paths = _version_paths(parent, declaration)
    fields = {path.rpartition(".")[2]: parent.field(path) for path in paths}
    fields[REPLICATION_KEY] |= {"description": VERSION}
    return (*parent.key, REPLICATION_KEY), fields


def _inherited(parent: Resource) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*parent.key, ROOFTOP)))


def _version_paths(parent: Resource, declaration: History) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*parent.key, REPLICATION_KEY, ROOFTOP, *declaration.fields)))


def _parent(tap: TapAutomate, stream: CutStream) -> Resource:
    return tap.contract.resource(stream.parent_stream_type.declaration.path)
