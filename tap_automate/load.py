"""One run over one partition of a resource: from its bookmarks to steps, ready to be written.

A load reads certified windows from the earliest bookmark of the family to the server's now less the
cool-down, leaves out what each stream of the family has emitted before, and moves the bookmarks
with each window. A first load asks before that whether the filter can be trusted at all, and
whether there are rows that no window shows; these come behind the windows. Until they were written,
a mark in the state has the next run bring them.
"""

from __future__ import annotations

import functools
import typing as t

from tap_automate import filters, lateness, metrics, probes
from tap_automate.blocks import blocks_of
from tap_automate.bookmark import Bookmark
from tap_automate.config import LEAST_COOLDOWN
from tap_automate.fetching import Fetching
from tap_automate.instants import FIRST_SECOND, from_seconds, to_microseconds
from tap_automate.reader import UNDATED
from tap_automate.sdk_seams import Step
from tap_automate.streams import REPLICATION_KEY
from tap_automate.waiting import awaited
from tap_automate.windows import MICROSECONDS

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Context

    from automate_singer.writer import BlockWriter
    from tap_automate.codec import Codec
    from tap_automate.resources import ResourceStream
    from tap_automate.sdk_seams import Block, RowStream
    from tap_automate.windows import Certified, Row

END_OF_TIME: t.Final = 2**62
"""Microseconds; after any instant that can be written."""

PENDING: t.Final = "undated_pending"
"""The mark in a stream's state: its rows that no window shows are still to be written."""


class Load:
    """What of a partition is new since the bookmarks, in steps."""

    def __init__(self, stream: ResourceStream, context: Context | None, codec: Codec) -> None:
        """Read settings and bookmarks.

        Args:
            stream: The parent of the family.
            context: The partition; None where there is one.
            codec: Reads the records.

        Raises:
            ConfigError: When a bookmark cannot be used.
        """
        self._stream = stream
        self._tap = stream.tap
        self._config = stream.config
        self._context = context
        self._codec = codec
        self._reader = stream.reader(context, codec)
        self._members = stream.members()
        self._bookmarks = {member.name: self._bookmark(member) for member in self._members}
        start, end = self._config.get("start_date"), self._config.get("end_date")
        self._pending = {
            member
            for member in self._members
            if self._keeps_state(member) and member.get_context_state(context).get(PENDING)
        }
        self._found = False
        self._first = to_microseconds(start) if start else 0
        self._last = to_microseconds(end) if end else END_OF_TIME

    def steps(self) -> Iterator[Step]:
        """Yield the rows of each certified window, and then those that no window shows.

        Raises:
            UncertifiableError: When an instant gives no certificate; what was yielded stands.
            ProtocolError: Before anything is yielded, when a first load finds that the server does
                not apply the filter; later, when an answer is not as `Reader` expects it.
            StoppedError: As soon as the run is to stop.
            AutomateError: As `Client.list_page`.
        """
        now = int(self._tap.client.server_time().timestamp())
        start, end = self._span(now)
        if end <= start:
            return
        name = self._stream.name
        report = self._tap.progress.stream(name)
        fetching = Fetching(
            self._reader.fetch,
            start,
            end,
            concurrency=self._config["concurrency"],
            stop=self._tap.stop,
            answered=report.answered,
        )
        is_first = None in [bookmark.start for bookmark in self._bookmarks.values()]
        try:
            with report.reading(), fetching:
                if is_first and not self._config.get("end_date"):
                    self._check_and_count(now)
                for certified in fetching.windows():
                    self._found = self._found or bool(certified.rows)
                    report.window(certified)
                    advance = functools.partial(self._advance, certified)
                    yield Step(self._fresh_blocks(certified), advance)
                if self._pending:
                    yield from self._beyond_windows(now)
        finally:
            self._tell_of_late_rows()
        if self._context and is_first and not self._found:
            asked = filters.described(self._stream.declaration, self._context)
            self._stream.logger.warning("Stream '%s': the DMS has no rows %s", name, asked)

    def _span(self, now: int) -> tuple[int, int]:
        """Return the seconds to read from and to; nothing is new where they are none."""
        earliest = max(self._first // MICROSECONDS - 1, FIRST_SECOND)
        starts = [bookmark.start for bookmark in self._bookmarks.values()]
        start = max(earliest, min(earliest if known is None else known for known in starts))
        if start > now:
            self._stream.logger.warning(
                "Stream '%s': nothing is read before %s, which is ahead of the DMS's clock. "
                "Correct `start_date`, or the bookmark in the state.",
                self._stream.name,
                from_seconds(start),
            )
        cooldown = max(self._config["cooldown_seconds"], LEAST_COOLDOWN)
        return start, min(now - cooldown, -(-self._last // MICROSECONDS))

    def _check_and_count(self, now: int) -> None:
        """Refuse a filter that is not applied; find out whether there are rows beyond windows."""
        reader = self._reader

        def ask() -> int | None:
            probes.check_filter(reader.total, self._stream.path)
            return probes.count_beyond(reader.total, now)

        if awaited(ask, self._tap.stop) != 0:
            new = [each for each in self._members if self._bookmarks[each.name].start is None]
            self._pending.update(new)

    def _beyond_windows(self, now: int) -> Iterator[Step]:
        """Yield the rows that no window shows, for the streams that have not had them yet."""
        name = self._stream.name
        self._stream.logger.info(
            "Stream '%s': looking through the whole list for rows that no window shows.", name
        )
        rows, is_whole = awaited(
            lambda: probes.read_beyond(self._reader.whole, now), self._tap.stop
        )
        if rows:
            self._stream.logger.warning(
                "Stream '%s': %d rows have no `%s`, or one before 1970 or ahead of the DMS's "
                "clock, so no window shows them. They were read out of the whole list and come "
                "last. Later runs bring them when they change.",
                name,
                len(rows),
                REPLICATION_KEY,
            )
        if not is_whole:
            self._stream.logger.warning(
                "Stream '%s': rows came or went in each of %d passes over the whole list, so rows "
                "that no window shows may be missing. To look for them again in a quieter hour, "
                "load the stream anew without its bookmark.",
                name,
                probes.PASSES,
            )
        self._found = self._found or bool(rows)
        if self._config.get("start_date"):
            rows = [row for row in rows if row.updated == UNDATED or row.updated >= self._first]
        members = [member for member in self._members if member in self._pending]
        if any(row.updated == UNDATED for row in rows):
            for member in members:
                member.allow_null(str(member.replication_key))
        yield Step(self._blocks(rows, dict.fromkeys(members, rows)), self._settle)

    def _settle(self) -> None:
        """Take the mark out of the state: the rows that no window shows were written."""
        self._pending.clear()
        for member in self._members:
            if self._keeps_state(member):
                member.get_context_state(self._context).pop(PENDING, None)

    def _tell_of_late_rows(self) -> None:
        name, bookmark = self._stream.name, next(iter(self._bookmarks.values()))
        late = bookmark.lateness
        if late.rows:
            metrics.log(metrics.Gauge.LATE_ARRIVAL_SECONDS, late.seconds, stream=name)
        if sentence := lateness.warning(late, bookmark.overlap_seconds):
            self._stream.logger.warning("Stream '%s': %s", name, sentence)

    def _keeps_state(self, member: RowStream) -> bool:
        """Tell whether bookmarks count: not in a backfill, nor for a full table."""
        return member.replication_method == "INCREMENTAL" and not self._config.get("end_date")

    def _bookmark(self, member: RowStream) -> Bookmark:
        return Bookmark.from_state(
            member.get_context_state(self._context) if self._keeps_state(member) else {},
            overlap_seconds=max(self._config["overlap_seconds"], LEAST_COOLDOWN),
            name=member.name,
        )

    def _fresh_blocks(self, certified: Certified) -> Iterator[Block]:
        rows = certified.rows
        if rows and not self._first <= rows[0].updated <= rows[-1].updated < self._last:
            rows = [row for row in rows if self._first <= row.updated < self._last]
        fresh = {member: self._bookmarks[member.name].fresh(rows) for member in self._members}
        yield from self._blocks(rows, fresh)

    def _blocks(
        self, rows: Sequence[Row], fresh: Mapping[RowStream, Sequence[Row]]
    ) -> Iterator[Block]:
        for member, records in blocks_of(rows, fresh, self._codec):
            self._tap.progress.stream(member.name).emitted(len(records))
            yield member, records

    def _advance(self, certified: Certified) -> None:
        for member in self._members:
            bookmark = self._bookmarks[member.name]
            bookmark.advance(certified.window)
            if self._keeps_state(member):
                state = member.get_context_state(self._context)
                state.update(bookmark.to_state(member.replication_key or REPLICATION_KEY))
                if member in self._pending:
                    state[PENDING] = True
                rooftop = (self._context or {}).get("rooftopId", "")
                report = self._tap.progress.stream(member.name)
                tell = functools.partial(report.advanced, bookmark.second, rooftop)
                # Files of BATCH messages go out later than this, and the STATE behind them.
                t.cast("BlockWriter", self._tap.message_writer).after_state(tell)
