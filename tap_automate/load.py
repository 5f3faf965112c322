"""One run over one partition of a resource: from its bookmarks to steps, ready to be written.

A load reads certified windows from the earliest bookmark of the family to the server's now less the
cool-down, leaves out what each stream of the family has emitted before, and moves the bookmarks
with each window. Behind the windows come passes, for what no window can show.
"""

from __future__ import annotations

import functools
import typing as t

from tap_automate import filters, lateness
from tap_automate.bookmark import Bookmark
from tap_automate.config import LEAST_COOLDOWN
from tap_automate.instants import FIRST_SECOND, from_seconds, to_microseconds
from tap_automate.partition import Partition
from tap_automate.passes.base import Span
from tap_automate.passes.rereads import Rereads
from tap_automate.passes.restatement import RANGE, Restatement
from tap_automate.passes.undated import Undated
from tap_automate.reading.windows import MICROSECONDS
from tap_automate.reporting import metrics
from tap_automate.reporting.figures import Oddities
from tap_automate.sdk_seams import Step
from tap_automate.streams import REPLICATION_KEY

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Context

    from automate_singer.writer import BlockWriter
    from tap_automate.passes.base import Pass
    from tap_automate.reading.codec import Codec
    from tap_automate.reading.windows import Certified, Row
    from tap_automate.resources import ResourceStream
    from tap_automate.sdk_seams import Block, RowStream

END_OF_TIME: t.Final = 2**62
"""Microseconds; after any instant that can be written."""


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
        self._partition = Partition(stream, context, codec)
        self._members = self._partition.members
        self._bookmarks = {member.name: self._bookmark(member) for member in self._members}
        start, end = self._config.get("start_date"), self._config.get("end_date")
        self._first = to_microseconds(start) if start else 0
        self._last = to_microseconds(end) if end else END_OF_TIME
        self._undated = Undated(self._partition, self._first)
        self._downloads = self._partition.downloads
        self._passes: list[Pass] = [self._undated]
        self._found = False

    def steps(self) -> Iterator[Step]:
        """Yield the rows of each certified window, and then those of the passes.

        Raises:
            UncertifiableError: When an instant gives no certificate; what was yielded stands.
            TryLaterError: The same, in a pass.
            ProtocolError: Before anything is yielded, when a first load finds that the server does
                not apply the filter; later, when an answer is not as `Reader` expects it.
            ConfigError: When what the state holds for a pass cannot be used.
            StoppedError: As soon as the run is to stop.
            AutomateError: As `Client.list_page`.
        """
        now = int(self._tap.client.server_time().timestamp())
        span = self._span(now)
        if span.end <= span.start:
            return
        self._passes += self._passes_over_notes(span)
        if self._downloads:
            self._downloads.tell_of_rows_before()
            self._passes.append(self._downloads)
        report = self._partition.report
        fetching = self._partition.fetching(span.start, span.end)
        try:
            with report.reading(), fetching:
                if span.is_first and not self._config.get("end_date"):
                    marks = self._bookmarks
                    new = [each for each in self._members if marks[each.name].start is None]
                    self._undated.look(now, new)
                for certified in fetching.windows():
                    self._found = self._found or bool(certified.rows)
                    report.window(certified)
                    advance = functools.partial(self._advance, certified)
                    yield Step(self._fresh_blocks(certified), advance)
                for each in self._passes:
                    yield from each.steps(span)
        finally:
            self._tell_of_late_rows()
            if self._downloads:
                self._downloads.tell()
        if self._context and span.is_first and not self._found and not self._undated.found:
            asked = filters.described(self._stream.declaration, self._context)
            self._stream.logger.warning(
                "Stream '%s': the DMS has no rows %s", self._stream.name, asked
            )

    def _passes_over_notes(self, span: Span) -> Iterator[Pass]:
        """Make the passes that remember in the state what they have written."""
        declaration, asked = self._stream.declaration, (self._context or {}).keys()
        if not all(map(self._partition.keeps_state, self._members)):
            return
        reread = declaration.reread
        if reread and self._config["reread_open"] and reread.parameter not in asked:
            yield Rereads(self._partition, reread, span.now)
        if declaration.periods and self._config["gl_restatement"] and asked.isdisjoint(RANGE):
            yield Restatement(self._partition, declaration.periods, span)

    def _span(self, now: int) -> Span:
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
        return Span(
            first=self._first,
            earliest=earliest,
            start=start,
            end=min(now - cooldown, -(-self._last // MICROSECONDS)),
            now=now,
            is_first=None in starts,
        )

    def _tell_of_late_rows(self) -> None:
        name, bookmark = self._stream.name, next(iter(self._bookmarks.values()))
        late = bookmark.lateness
        if late.rows:
            self._partition.report.met(Oddities(late_rows=late.rows, late_seconds=late.seconds))
            metrics.log(metrics.Gauge.LATE_ARRIVAL_SECONDS, late.seconds, stream=name)
        if sentence := lateness.warning(late, bookmark.overlap_seconds):
            self._stream.logger.warning("Stream '%s': %s", name, sentence)

    def _bookmark(self, member: RowStream) -> Bookmark:
        return Bookmark.from_state(
            self._partition.state(member) if self._partition.keeps_state(member) else {},
            overlap_seconds=max(self._config["overlap_seconds"], LEAST_COOLDOWN),
            name=member.name,
        )

    def _fresh_blocks(self, certified: Certified) -> Iterator[Block]:
        rows = certified.rows
        if rows and not self._first <= rows[0].updated <= rows[-1].updated < self._last:
            rows = [row for row in rows if self._first <= row.updated < self._last]
        fresh: Mapping[RowStream, Sequence[Row]] = {
            member: self._bookmarks[member.name].fresh(rows) for member in self._members
        }
        for each in self._passes:
            fresh = each.meet(rows, fresh)
        yield from self._partition.blocks(rows, fresh)

    def _advance(self, certified: Certified) -> None:
        for member in self._members:
            bookmark = self._bookmarks[member.name]
            bookmark.advance(certified.window)
            if self._partition.keeps_state(member):
                state = self._partition.state(member)
                state.update(bookmark.to_state(member.replication_key or REPLICATION_KEY))
                rooftop = (self._context or {}).get("rooftopId", "")
                report = self._tap.progress.stream(member.name)
                tell = functools.partial(report.advanced, bookmark.second, rooftop)
                # Files of BATCH messages go out later than this, and the STATE behind them.
                t.cast("BlockWriter", self._tap.message_writer).after_state(tell)
        for each in self._passes:
            each.written()
