"""Rows that became visible later than the tap assumes, and what is done about it.

Pure. A change becomes visible some time after its `updatedAt`. What comes within `cooldown_seconds`
costs nothing; what comes later is found while the overlap is read again, and lies before the
bookmark there. A row that comes later than the overlap is long is not found by reading on, only by
an audit, so the overlap grows before that happens.
"""

from __future__ import annotations

import dataclasses
import typing as t

from tap_automate.reading.windows import MICROSECONDS, OVERLAP

MOST_OVERLAP: t.Final = 86_400
"""Seconds to which the overlap grows by itself at most."""

FACTOR: t.Final = 2
"""The overlap is to be so many times as long as rows are late."""


@dataclasses.dataclass(slots=True)
class Lateness:
    """What one stream's run finds in the overlap before its bookmark.

    Attributes:
        bookmark: Second up to which the run before had certified; None when there was none.
        known_from: Second from which the state tells emitted rows from new ones; a row before
            it may have been emitted and does not count.
        rows: Late rows so far.
        seconds: How far the latest of them lay before the bookmark.
    """

    bookmark: int | None = None
    known_from: int = 0
    rows: int = 0
    seconds: float = 0.0

    def met(self, updated: int) -> None:
        """Take note of a row that has not been emitted before.

        Rows of the last second before the bookmark are left out, as a server that excludes the end
        of a window gives them to the next one.

        Args:
            updated: Its `updatedAt`, microseconds since 1970.
        """
        if self.bookmark is None:
            return
        late = self.bookmark * MICROSECONDS - updated
        if late > OVERLAP * MICROSECONDS and updated >= self.known_from * MICROSECONDS:
            self.rows += 1
            self.seconds = max(self.seconds, late / MICROSECONDS)


def overlap_for(overlap_seconds: int, late_seconds: float) -> int:
    """Return the overlap that the next run should have.

    Args:
        overlap_seconds: Of this run.
        late_seconds: How late the latest row was.

    Returns:
        The same, or the double when rows are late by more than half of it; no more than
        `MOST_OVERLAP`, unless it is more already.
    """
    if late_seconds * FACTOR <= overlap_seconds:
        return overlap_seconds
    return max(overlap_seconds, min(overlap_seconds * FACTOR, MOST_OVERLAP))


def warning(lateness: Lateness, overlap_seconds: int) -> str | None:
    """Say that rows are late by much of the overlap; None when they are not.

    Args:
        lateness: What the run has found.
        overlap_seconds: Of this run.
    """
    if lateness.seconds * FACTOR <= overlap_seconds:
        return None
    wider = overlap_for(overlap_seconds, lateness.seconds)
    then = (
        f"The next runs read {wider:,} s again instead of {overlap_seconds:,}."
        if wider > overlap_seconds
        else f"The overlap of {overlap_seconds:,} s does not grow by itself any more: set "
        "`overlap_seconds` higher."
    )
    return (
        f"Late rows: {lateness.rows:,} became visible after the run before had passed them, the "
        f"latest {lateness.seconds:,.0f} s before the bookmark. {then} Rows that were later still "
        "are missing until `automate-dms audit` finds them"
    )
