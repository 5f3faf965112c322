"""Into which buckets of `updatedAt` an audit cuts a span, so that each costs one request.

Pure. A bucket is a UTC day, which is compared by its count, the `total` of a request with its
bounds; or it is as many days as fit on one page, which is compared row by row. Whether the server
counts a row that lies on a bound is not known, so no bound is put near a row.
"""

from __future__ import annotations

import bisect
import typing as t

from tap_automate.reading.windows import OVERLAP, Window

if t.TYPE_CHECKING:
    from collections.abc import Sequence

DAY: t.Final = 86_400
"""Seconds."""

MARGIN: t.Final = 1
"""Seconds without a row on either side of the second that two buckets share."""

MOST_ROWS: t.Final = 50_000
"""Rows of a bucket, about: what is read again, and compared in memory, where a count differs."""


def count(seconds: Sequence[int], window: Window) -> int:
    """Count the rows of a bucket.

    Args:
        seconds: Of the rows, sorted.
        window: Whose bounds lie near no row.
    """
    return bisect.bisect_left(seconds, window.end) - bisect.bisect_left(seconds, window.start)


def quiet_from(seconds: Sequence[int], second: int) -> int:
    """Return the first second from `second` on that a border may have.

    Args:
        seconds: Of the rows, sorted.
        second: To begin with.
    """
    at = bisect.bisect_left(seconds, second - OVERLAP - MARGIN)
    while at < len(seconds) and seconds[at] <= second + MARGIN:
        second = seconds[at] + OVERLAP + MARGIN + 1
        at += 1
    return second


def quiet_until(seconds: Sequence[int], second: int) -> int:
    """Return the last second up to `second` that a border may have.

    Args:
        seconds: Of the rows, sorted.
        second: To begin with.
    """
    at = bisect.bisect_right(seconds, second + MARGIN) - 1
    while at >= 0 and seconds[at] >= second - OVERLAP - MARGIN:
        second = seconds[at] - MARGIN - 1
        at -= 1
    return second


def buckets(seconds: Sequence[int], start: int, end: int, page_size: int) -> list[Window]:
    """Cut a span into buckets, each beginning where the one before ends.

    A bucket ends with the day of its first row, or as late as its rows fit on one page. So a time
    without rows costs no request of its own. A day of many rows is cut.

    Args:
        seconds: Of the rows, sorted.
        start: First border, near no row.
        end: Last border, near no row.
        page_size: Rows on a page.

    Returns:
        Windows that share `OVERLAP` with the one before; none when the span is empty.
    """
    found: list[Window] = []
    border = start
    while border < end:
        at = bisect.bisect_left(seconds, border)
        until = end
        if at + page_size < len(seconds):
            until = quiet_from(seconds, (seconds[at] // DAY + 1) * DAY)
            if at + MOST_ROWS < len(seconds):
                until = min(until, quiet_from(seconds, seconds[at + MOST_ROWS]))
            until = min(end, max(until, quiet_until(seconds, seconds[at + page_size])))
        if bisect.bisect_left(seconds, until) == bisect.bisect_left(seconds, end):
            until = end
        found.append(Window(border - OVERLAP, until))
        border = until
    return found
