"""Compares what a warehouse holds of a stream with what the DMS has, and says what differs.

The two are counted bucket by bucket, and a bucket is read where the counts differ or where its rows
fit on one page. What has changed since the load has left its bucket, and is no difference: the next
run brings it. So what is newer than the load is read first, and again whenever a count is in doubt,
since the DMS is in use.

A key that the warehouse has, and no bucket that was read, has *vanished* only if a second look does
not find it: its detail is 404 at a tenant where details work, or it is in no window of all time.
Many that vanish at once have not been deleted: the login sees less than before.
"""

from __future__ import annotations

import bisect
import dataclasses
import logging
import typing as t

from tap_automate.audit.buckets import DAY, buckets, count, quiet_from, quiet_until
from tap_automate.audit.findings import Findings
from tap_automate.reading.windows import MICROSECONDS, OVERLAP, Window

if t.TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Mapping, Sequence

    from automate_singer.tombstones import Key
    from tap_automate.audit.findings import Span
    from tap_automate.audit.sides import Fixes, Held, Holdings, Record, Source
    from tap_automate.reading.windows import Row

BEGINNING: t.Final = -OVERLAP
"""Where the tap begins to read, seconds since 1970."""

ROUNDS: t.Final = 3
"""Times that a bucket is counted, before it is read."""

FEW: t.Final = 20
"""Rows that may vanish at once from a stream of any size."""

SHARE: t.Final = 100
"""One in so many may vanish at once."""

ROUNDING: t.Final = 1
"""Microseconds by which two times are still the same: a server may give more digits."""

logger = logging.getLogger(__name__)


class Audit:
    """One stream, or one rooftop of it."""

    def __init__(self, source: Source, holdings: Holdings, fixes: Fixes | None = None) -> None:
        """Begin with nothing found.

        Args:
            source: The DMS.
            holdings: The warehouse.
            fixes: Takes what repairs the warehouse, if anything does.
        """
        self.findings = Findings()
        self._source = source
        self._holdings = holdings
        self._fixes = fixes
        self._seconds = holdings.seconds()
        self._newer: dict[Key, int] = {}
        self._moved: list[int] = []
        self._repaired: set[Key] = set()
        self._listed: Key | None = None
        self._first = 0
        self._horizon = 0
        self._read_until = 0

    def run(self, span: Span) -> Findings:
        """Compare.

        Args:
            span: What of it.
        """
        end = self._source.now() - self._source.cooldown
        newest = self._holdings.newest(end)
        if span.loaded is not None:
            # Whether the load has read what lies on its last bound is not known.
            newest = max(newest or 0, min(span.loaded - OVERLAP, end) * MICROSECONDS)
        if newest is None or not len(self._seconds):
            newest, span = self._of_empty(newest, span, end)
        if newest is None:
            return self.findings
        self._horizon, self._read_until = newest, newest // MICROSECONDS - OVERLAP
        self._look_for_newer(end)
        known = self._known()
        start = self._start(span, known)
        last = quiet_from(known, max(newest // MICROSECONDS + 1, start))
        if span.end is not None:
            last = min(last, quiet_from(known, span.end))
        last = max(start, last if last <= end else quiet_until(known, end))
        windows = buckets(known, start, last, self._source.page_size)
        large = [window for window in windows if count(known, window) > self._source.page_size]
        alike = self._count(large)
        self.findings.buckets = len(windows)
        self.findings.warehouse_rows = count(self._seconds, Window(start, last))
        absent = self._compare([window for window in windows if window not in alike])
        self._settle(absent, accepts_all=span.accepts_vanished)
        self.findings.newer = len(self._newer)
        return self.findings

    def _of_empty(self, newest: int | None, span: Span, end: int) -> tuple[int | None, Span]:
        """Choose up to where the rows of a warehouse without any were loaded, and from when on.

        Nothing of it is compared where neither a bookmark nor a start says that it was.
        """
        if newest is not None:
            return newest, dataclasses.replace(span, start=span.start or 0)
        if span.start is not None and not span.has_state:
            return end * MICROSECONDS, span
        total = self._source.total(Window(BEGINNING, end))
        self.findings.buckets = 1
        if span.has_state:
            self.findings.newer = total
        else:
            self.findings.unloaded = self.findings.dms_rows = total
        return None, span

    def _start(self, span: Span, known: Sequence[int]) -> int:
        """Choose the first border; ask what lies before it where nobody has said."""
        oldest = known[0] if len(known) else self._horizon // MICROSECONDS
        start = span.start
        if start is None:
            start = oldest // DAY * DAY
        self._first = start * MICROSECONDS
        start = quiet_until(known, start)
        if span.start is None and start - OVERLAP > BEGINNING:
            self.findings.older = self._source.total(Window(BEGINNING, start - OVERLAP))
        return start

    def _look_for_newer(self, end: int) -> None:
        """Note what has changed since the load, as far as the DMS shows it at this moment."""
        if end > self._read_until:
            for window in self._source.windows(self._read_until, end):
                self._note(window.rows)
            self._read_until = end - OVERLAP
        self._note(self._source.glimpse(self._read_until))
        held = self._holdings.find(list(self._newer))
        self._moved = sorted(
            row.updated // MICROSECONDS
            for row in held.values()
            if row.updated is not None and not row.tombstone
        )

    def _note(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if row.updated > self._horizon:
                self._newer[row.key] = row.updated

    def _known(self) -> array[int]:
        """Return the seconds of what the warehouse will have after the next run, and of old rows.

        What lies behind the load is newer than all before, so they are sorted one after the other.
        """
        border = bisect.bisect_right(self._seconds, self._horizon // MICROSECONDS)
        newer = sorted(updated // MICROSECONDS for updated in self._newer.values())
        known = self._seconds[:border]
        known.extend(newer)
        return known

    def _count(self, windows: Sequence[Window]) -> set[Window]:
        """Count buckets; return those that are alike, once what has moved is known."""
        totals: dict[Window, int] = {}
        doubtful = list(windows)
        for number in range(ROUNDS):
            if number:
                self._look_for_newer(self._source.now() - self._source.cooldown)
            totals |= {window: self._source.total(window) for window in doubtful}
            known = self._known()
            doubtful = [
                window
                for window in doubtful
                if totals[window] != count(known, window) - count(self._moved, window)
            ]
            if not doubtful:
                break
        alike = totals.keys() - set(doubtful)
        self.findings.dms_rows += sum(totals[window] for window in alike)
        return alike

    def _compare(self, windows: Sequence[Window]) -> list[Key]:
        """Read buckets; return the keys that the DMS has in none of them."""
        absent: list[Key] = []
        for window in windows:
            here = self._holdings.between(window.start, window.end)
            there: set[Key] = set()
            differs = False
            # Records are judged as they come: of a table that is empty there is but one bucket.
            for part in self._source.windows(window.start, window.end):
                self._note(part.rows)
                rows = {row.key: row for row in part.rows if row.updated <= self._horizon}
                there |= rows.keys()
                self._listed = next(iter(rows), self._listed)
                differs |= self._compare_rows(rows, here)
            gone = here.keys() - there - self._newer.keys()
            absent += gone
            self.findings.read += 1
            self.findings.differing += bool(gone or differs)
            self.findings.dms_rows += len(there)
        return absent

    def _compare_rows(self, rows: Mapping[Key, Row], here: Mapping[Key, int]) -> bool:
        """Judge rows that the DMS has; tell whether one is not as its bucket has it."""
        other = {key: row for key, row in rows.items() if not _same(here.get(key), row.updated)}
        held = self._holdings.find(list(other)) if other else {}
        for key, row in other.items():
            if row.updated >= self._first:
                self._judge(key, row.updated, held.get(key), row.record)
        return bool(other)

    def _judge(self, key: Key, updated: int, held: Held | None, record: Record) -> None:
        """Note a row that the DMS has, unless the warehouse has that version of it."""
        if key in self._repaired:
            return
        if held is None or held.tombstone:
            self.findings.missing += 1
        elif not _same(held.updated, updated):
            self.findings.stale += 1
        else:
            return
        self._repaired.add(key)
        if self._fixes:
            self._fixes.record(record)

    def _settle(self, absent: list[Key], *, accepts_all: bool) -> None:
        """Find out which keys have vanished, and which have only gone elsewhere."""
        if not self._left(absent):
            return
        self._look_for_newer(self._source.now() - self._source.cooldown)
        left = self._left(absent)
        listed = self._listed or next(iter(self._newer), None)
        most = len(left) if accepts_all else max(FEW, self._holdings.rows // SHARE)
        if left and listed and self._source.has_details(listed):
            gone = self._look_at_each(left, most)
        else:
            gone = self._look_everywhere(left)
        self.findings.vanished = len(gone)
        self.findings.too_many = len(gone) > most
        if gone and self._fixes and not self.findings.too_many:
            self._fixes.tombstones(gone)

    def _left(self, absent: Iterable[Key]) -> list[Key]:
        return sorted(key for key in absent if key not in self._newer and key not in self._repaired)

    def _look_at_each(self, keys: list[Key], most: int) -> list[Key]:
        """Ask for the record of each key; of too many, only so many as make that sure."""
        gone: list[Key] = []
        for number, key in enumerate(keys, 1):
            record = self._source.detail(key)
            if record is None:
                gone.append(key)
            else:
                self._meet(key, self._source.updated_of(record), record)
            if len(keys) > most and len(gone) == number > FEW:
                return keys
            if len(gone) > most:
                break
        return gone

    def _look_everywhere(self, keys: list[Key]) -> list[Key]:
        """Read the whole list, once what happened while buckets were read is visible."""
        if not keys:
            return []
        logger.info("No record can be read by its key; the whole list is read again instead")
        end = self._source.now() + OVERLAP
        self._source.wait_until(end + self._source.cooldown)
        left = set(keys)
        for part in self._source.windows(min(self._first // MICROSECONDS, 0), end):
            for row in part.rows:
                if row.key in left:
                    left.discard(row.key)
                    self._meet(row.key, row.updated, row.record)
        self._look_for_newer(self._source.now() - self._source.cooldown)
        return self._left(left)

    def _meet(self, key: Key, updated: int | None, record: Record) -> None:
        """Note a record that was looked for and is there after all."""
        held = self._holdings.find([key])[key]
        if updated is None or _same(held.updated, updated):
            self.findings.hidden += 1
        elif updated > self._horizon:
            self._newer[key] = updated
        else:
            self._judge(key, updated, held, record)


def _same(one: int | None, other: int) -> bool:
    return one is not None and abs(one - other) <= ROUNDING
