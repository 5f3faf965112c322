"""A resource of the API as a Singer stream, and the line streams cut from its records.

From request to message: `plan` cuts time into windows, `harvest` knows which of their pages to ask
for, `fetching` has threads ask, `reader` makes rows of the answers, `windows` certifies them,
`bookmark` leaves out what was emitted before, `records` normalises and cuts lines,
and `sdk_seams` writes rows, then state.
"""

from __future__ import annotations

import functools
import itertools
import typing as t

from automate_api.contract import stream_schema
from automate_api.errors import (
    NotEntitledError,
    NotOfferedError,
    StoppedError,
    TryLaterError,
)
from tap_automate import lateness, metrics, probes
from tap_automate.bookmark import Bookmark
from tap_automate.codec import Codec
from tap_automate.fetching import Fetching
from tap_automate.instants import FIRST_SECOND, from_seconds, to_microseconds
from tap_automate.lines import Cutter
from tap_automate.reader import UNDATED, Reader
from tap_automate.sdk_seams import Block, FamilyStream, RowStream, Step
from tap_automate.streams import PARENT_KEY, REPLICATION_KEY, STREAMS, Declaration, Lines
from tap_automate.waiting import awaited
from tap_automate.windows import MICROSECONDS, Certified, Row, UncertifiableError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from automate_api.contract import Resource
    from tap_automate.tap import TapAutomate

LEAST_COOLDOWN: t.Final = 2
"""Seconds: clocks with whole seconds on both sides need as much."""

BLOCK_ROWS: t.Final = 500
"""Rows that are written at once, and their lines behind them."""

END_OF_TIME: t.Final = 2**62
"""Microseconds; after any instant that can be written."""


class ResourceStream(FamilyStream):
    """The records of one list call, read through certified windows."""

    declaration: t.ClassVar[Declaration]
    _skipped: bool = False

    def __init__(self, tap: TapAutomate) -> None:
        """Take key and schema from the contract."""
        self.tap = tap
        self.resource: Resource = tap.contract.resource(self.declaration.path)
        key = (*self.resource.key, REPLICATION_KEY)
        super().__init__(
            tap,
            name=self.declaration.name,
            schema=tap.privacy.schema(stream_schema(self.resource.record_schema, key=key)),
        )
        self.primary_keys = self.resource.key
        self.replication_key = REPLICATION_KEY

    @property
    def partitions(self) -> list[dict[str, t.Any]] | None:
        """One partition, with a bookmark of its own, for each rooftop that was asked for."""
        rooftops = self.config.get("rooftop_ids")
        return [{"rooftopId": each} for each in dict.fromkeys(rooftops)] if rooftops else None

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return nothing: the end of a certified window is the limit of the bookmark."""

    def get_batch_config(self, config: object) -> None:
        """Return nothing: rows are written as RECORD messages."""

    def steps(self, context: Context | None) -> Iterator[Step]:
        """Yield the rows of each certified window, or nothing when the stream is not to be had.

        Raises:
            RequestRefusedError: When a documented path is refused.
            TryLaterError: When an instant cannot be certified; what was yielded stands.
        """
        codec = Codec(self.resource.record_schema, self.tap.privacy)
        try:
            if not self._entitled() or self._skipped:
                return
            if self.ABORT_AT_RECORD_COUNT is None:
                yield from self._windows(context, codec)
            else:
                yield self._sample(context, codec, self.ABORT_AT_RECORD_COUNT)
        except (NotEntitledError, NotOfferedError) as error:
            if self.resource.origin == "documented" and self.path == self.declaration.path:
                raise
            self._skip(str(error))
        except StoppedError:
            raise self.tap.stopped() from None
        except UncertifiableError as error:
            msg = (
                f"Stream '{self.name}': the rows of {from_seconds(error.window.start)} to "
                f"{from_seconds(error.window.end)} changed or came in a new order in each of "
                f"{error.passes} passes. The bookmark stays before them; run again later."
            )
            raise TryLaterError(msg) from None
        finally:
            for level, line in codec.drift.lines():
                self.logger.log(level, "Stream '%s': %s", self.name, line)

    def _entitled(self) -> bool:
        needed = self.resource.entitlements
        entitled = not needed or bool(needed & self.tap.session.entitlements)
        if not entitled:
            self._skip(f"the login lacks the entitlement {' or '.join(sorted(needed))}.")
        return entitled

    def _skip(self, reason: str) -> None:
        """Leave the stream and its lines out for the rest of the run; say so once."""
        if not self._skipped:
            names = " and ".join(f"'{stream.name}'" for stream in self.members())
            self.logger.warning("Skipping %s: %s", names, reason)
        self._skipped = True

    @property
    def path(self) -> str:
        """The list call, as the tenant's configuration has it."""
        overrides: dict[str, str] = self.config.get("endpoints") or {}
        return overrides.get(self.name, self.declaration.path)

    def _reader(self, context: Context | None, codec: Codec) -> Reader:
        return Reader(
            self.tap.client,
            self.path,
            self.resource.key,
            page_size=self.config["page_size"],
            parameters=dict(context or {}),
            decode=codec.decode,
        )

    def _sample(self, context: Context | None, codec: Codec, rows: int) -> Step:
        """Return a few rows of the first page, for a connection test; no bookmark moves."""
        sample = self._reader(context, codec).sample(rows)
        fresh = dict.fromkeys(self.members(), sample)
        return Step(self._blocks(sample, fresh, codec), lambda: None)

    def _windows(self, context: Context | None, codec: Codec) -> Iterator[Step]:
        first, last = self._range()
        bookmarks = {stream.name: self._bookmark(stream, context) for stream in self.members()}
        starts = [bookmark.start for bookmark in bookmarks.values()]
        earliest = max(first // MICROSECONDS - 1, FIRST_SECOND)
        start = max(earliest, min(earliest if known is None else known for known in starts))
        cooldown = max(self.config["cooldown_seconds"], LEAST_COOLDOWN)
        now = int(self.tap.client.server_time().timestamp())
        if start > now:
            self.logger.warning(
                "Stream '%s': nothing is read before %s, which is ahead of the DMS's clock. "
                "Correct `start_date`, or the bookmark in the state.",
                self.name,
                from_seconds(start),
            )
        end = min(now - cooldown, -(-last // MICROSECONDS))
        if end <= start:
            return
        reader = self._reader(context, codec)
        report = self.tap.progress.stream(self.name)
        fetching = Fetching(
            reader.fetch,
            start,
            end,
            concurrency=self.config["concurrency"],
            stop=self.tap.stop,
            answered=report.answered,
        )
        found = False
        try:
            with report.reading():
                if set(starts) == {None} and not self.config.get("end_date"):
                    yield from self._beyond_windows(reader, now, first, codec)
                for certified in fetching.windows():
                    found = found or bool(certified.rows)
                    report.window(certified)
                    yield Step(
                        self._fresh_blocks(certified, bookmarks, codec, (first, last)),
                        functools.partial(self._advance, certified, bookmarks, context),
                    )
        finally:
            self._tell_of_late_rows(next(iter(bookmarks.values())))
        if context and not found and None in starts:
            self.logger.warning(
                "Stream '%s': the DMS has no rows of rooftop %s. Where it should, compare "
                "`rooftop_ids` with the stream 'rooftops'.",
                self.name,
                context["rooftopId"],
            )

    def _beyond_windows(self, reader: Reader, now: int, first: int, codec: Codec) -> Iterator[Step]:
        """Yield the rows of a first load that no window shows, and refuse what cannot be read."""

        def find() -> tuple[int, list[Row]]:
            probes.check_filter(reader.total, self.path)
            return probes.find_beyond(reader.total, reader.whole, now)

        expected, rows = awaited(find, self.tap.stop)
        if not expected:
            return
        self.logger.warning(
            "Stream '%s': %d rows have no `%s`, or one before 1970 or ahead of the DMS's clock, so "
            "no window shows them. %d of them were found in the whole list and come first. Later "
            "runs bring them when they change.",
            self.name,
            expected,
            REPLICATION_KEY,
            len(rows),
        )
        if self.config.get("start_date"):
            rows = [row for row in rows if row.updated == UNDATED or row.updated >= first]
        if any(row.updated == UNDATED for row in rows):
            for stream in self.members():
                stream.allow_null(str(stream.replication_key))
        yield Step(self._blocks(rows, dict.fromkeys(self.members(), rows), codec), lambda: None)

    def _tell_of_late_rows(self, bookmark: Bookmark) -> None:
        late = bookmark.lateness
        if late.rows:
            metrics.log(metrics.Gauge.LATE_ARRIVAL_SECONDS, late.seconds, stream=self.name)
        if sentence := lateness.warning(late, bookmark.overlap_seconds):
            self.logger.warning("Stream '%s': %s", self.name, sentence)

    def _range(self) -> tuple[int, int]:
        """Return the instants asked for, in microseconds: from the first, before the last."""
        start, end = self.config.get("start_date"), self.config.get("end_date")
        return (
            to_microseconds(start) if start else 0,
            to_microseconds(end) if end else END_OF_TIME,
        )

    def _keeps_state(self, stream: RowStream) -> bool:
        """Tell whether bookmarks count: not in a backfill, nor for a full table."""
        return stream.replication_method == "INCREMENTAL" and not self.config.get("end_date")

    def _bookmark(self, stream: RowStream, context: Context | None) -> Bookmark:
        return Bookmark.from_state(
            stream.get_context_state(context) if self._keeps_state(stream) else {},
            overlap_seconds=max(self.config["overlap_seconds"], LEAST_COOLDOWN),
            name=stream.name,
        )

    def _fresh_blocks(
        self,
        certified: Certified,
        bookmarks: dict[str, Bookmark],
        codec: Codec,
        limits: tuple[int, int],
    ) -> Iterator[Block]:
        first, last = limits
        rows = certified.rows
        if rows and not first <= rows[0].updated <= rows[-1].updated < last:
            rows = [row for row in rows if first <= row.updated < last]
        fresh = {stream: bookmarks[stream.name].fresh(rows) for stream in self.members()}
        yield from self._blocks(rows, fresh, codec)

    def _blocks(
        self, rows: Sequence[Row], fresh: Mapping[RowStream, Sequence[Row]], codec: Codec
    ) -> Iterator[Block]:
        """Yield records and their lines, for those streams of the family that are to have them.

        Args:
            rows: In the order in which they are emitted.
            fresh: Stream to those rows that it is to have, the parent first.
            codec: What has read the records.
        """
        wanted = {
            stream: None if len(some) == len(rows) else set(map(id, some))
            for stream, some in fresh.items()
        }
        for start in range(0, len(rows), BLOCK_ROWS):
            part = rows[start : start + BLOCK_ROWS]
            if None not in wanted.values():
                ids = set[int]().union(*t.cast("Iterable[set[int]]", wanted.values()))
                part = [row for row in part if id(row) in ids]
            records = codec.normalise([row.record for row in part])
            blocks: list[Block] = []
            for stream, ids_or_all in wanted.items():
                mine = records
                if ids_or_all is not None:
                    pairs = zip(part, records, strict=True)
                    mine = [record for row, record in pairs if id(row) in ids_or_all]
                for _, group in itertools.groupby(mine, type):
                    block = list(group)
                    # Lines are cut before the parent is written, which takes deselected fields out.
                    if isinstance(stream, LineStream):
                        block = stream.cut(block, codec)
                    if block:
                        blocks.append((stream, block))
            for stream, ready in blocks:
                self.tap.progress.stream(stream.name).emitted(len(ready))
                yield stream, ready

    def _advance(
        self, certified: Certified, bookmarks: dict[str, Bookmark], context: Context | None
    ) -> None:
        for stream in self.members():
            bookmark = bookmarks[stream.name]
            bookmark.advance(certified.window)
            if self._keeps_state(stream):
                state = stream.get_context_state(context)
                state.update(bookmark.to_state(stream.replication_key or REPLICATION_KEY))
                report = self.tap.progress.stream(stream.name)
                report.advanced(bookmark.second, (context or {}).get("rooftopId", ""))


class LineStream(RowStream):
    """The lines within the records of another stream, cut in its loop without a further request."""

    declaration: t.ClassVar[Lines]
    parent_stream_type: type[ResourceStream]

    def __init__(self, tap: TapAutomate) -> None:
        """Put the parent's key and rooftop before the line's own fields."""
        parent = tap.contract.resource(self.parent_stream_type.declaration.path)
        lines = parent.lines(self.declaration.field)
        inherited = (*parent.key, "rooftopId")
        parent_fields = parent.record_schema["properties"]
        schema = {
            "type": "object",
            "properties": {
                **{name: parent_fields[name] for name in inherited},
                **lines.schema["properties"],
                PARENT_KEY: parent_fields[REPLICATION_KEY],
            },
        }
        key = (*parent.key, *lines.key)
        super().__init__(
            tap,
            name=self.declaration.name,
            schema=tap.privacy.schema(stream_schema(schema, key=(*key, PARENT_KEY))),
        )
        self.primary_keys = key
        self.replication_key = PARENT_KEY
        position = lines.key[0] if lines.key == ("position",) else None
        self._cutter = Cutter(self.declaration.field, inherited, position)

    partitions = ResourceStream.partitions

    def cut(self, parents: Sequence[t.Any], codec: Codec | None = None) -> list[t.Any]:
        """Return the lines of records, all dicts or all structs of one type of the codec's."""
        return self._cutter.cut(parents, codec)

    def get_records(self, context: Context | None) -> Iterator[Record]:
        """Yield nothing: the parent writes the lines."""
        del context
        return iter(())


def stream_types() -> list[type[RowStream]]:
    """Return a class for each stream: the SDK ties line streams to their parent by class."""
    types: list[type[RowStream]] = []
    for declaration in STREAMS:
        parent = type(f"{declaration.name}_stream", (ResourceStream,), {"declaration": declaration})
        types.append(parent)
        types.extend(
            type(
                f"{lines.name}_stream",
                (LineStream,),
                {"declaration": lines, "parent_stream_type": parent},
            )
            for lines in declaration.lines
        )
    return types
