"""Into which windows a span of time is cut, as far as answers have told.

Pure. The first answer for a span tells how many rows it holds, not where they lie. Pages taken
evenly from the whole list tell that in any order: in the order of time each shows the instants at
its place, in any other they are a sample of all of them.
"""

from __future__ import annotations

import itertools
import statistics
import typing as t
from collections import Counter

from tap_automate.reading.windows import NARROWEST, OVERLAP, Window

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TARGET_PAGES: t.Final = 32
"""Pages of a window at a quiet server; a failed certificate halves it."""

USUAL_ROWS: t.Final = 512
"""Rows of a page above which windows have fewer pages: what is not emitted is held in memory."""

TOO_LARGE: t.Final = 1.5
"""A window is cut unread when it holds more than this many times the pages aimed at."""

PAGES_PER_SAMPLE: t.Final = 16
"""Pages of a span for each page that is read only to learn where rows lie."""

WORTH_SAMPLES: t.Final = 2 * PAGES_PER_SAMPLE
"""Pages of a span below which it is cut without any."""

MOST_SAMPLES: t.Final = 31
"""Pages that are read for that at once; what is larger is cut again, part by part."""

WIDEST_INSTANT: t.Final = 5
"""Seconds of the widest window that is left when one second is cut out of another."""

MOST_EVEN_PARTS: t.Final = 8
"""Parts of a span about which nothing is known but its rows: they may all lie in one of them."""


class Pace:
    """How many pages a window should hold: halved when a certificate fails, grown again when quiet.

    Each failure doubles the quiet that has to pass before the next attempt to grow, so that a
    server that deals its pages in a new order every time is not asked the same vain question after
    every window.
    """

    PATIENCE: t.ClassVar[int] = 2
    MOST_PATIENCE: t.ClassVar[int] = 64

    def __init__(self) -> None:
        """Start at the size for a quiet server."""
        self.target_pages = TARGET_PAGES
        self._patience = self.PATIENCE
        self._quiet = 0

    def target(self, page_size: int) -> int:
        """Tell how many pages of so many rows a window should hold."""
        return max(1, min(self.target_pages, TARGET_PAGES * USUAL_ROWS // page_size))

    def most(self, page_size: int) -> int:
        """Tell beyond how many pages a window is cut unread."""
        target = self.target(page_size)
        return int(target * TOO_LARGE) if target > 1 else 1

    def failed(self, pages: int) -> None:
        """Aim at half of what just failed, if less is not aimed at already.

        Windows that are under way together fail together, and that is one failure.
        """
        self._quiet = 0
        half = max(1, pages // 2)
        if half < self.target_pages:
            self.target_pages = half
            self._patience = min(self._patience * 2, self.MOST_PATIENCE)

    def succeeded(self) -> None:
        """Count a quiet window, and aim at twice as much after enough of them."""
        self._quiet += 1
        if self._quiet >= self._patience and self.target_pages < TARGET_PAGES:
            self.target_pages = min(self.target_pages * 2, TARGET_PAGES)
            self._quiet = 0


def sample_pages(pages: int, parts: int) -> list[int]:
    """Choose the pages that tell where to cut: those at the borders of equal parts.

    Args:
        pages: Of the span.
        parts: Into which it is to be cut.

    Returns:
        Page numbers, rising; few enough to be worth their requests, and perhaps none.
    """
    count = min(parts - 1, pages // PAGES_PER_SAMPLE, MOST_SAMPLES)
    return [1 + pages * place // (count + 1) for place in range(1, count + 1)]


def borders(samples: Sequence[Sequence[int]], parts: int) -> list[int]:
    """Estimate the seconds at which equal parts of the rows end.

    Args:
        samples: For each page read, the first among them, the seconds of its rows.
        parts: How many.

    Returns:
        `parts - 1` seconds, rising; the same one several times where many rows share it.
    """
    seconds = sorted(itertools.chain.from_iterable(samples))
    if not seconds:
        return []
    inner = [statistics.median_low(page) for page in samples[1:] if page]
    spreads = sum(max(page) - min(page) for page in samples if page)
    if len(inner) == parts - 1 and spreads <= seconds[-1] - seconds[0]:
        return sorted(inner)  # pages lie beside each other in time: each is a border itself
    return [seconds[len(seconds) * part // parts] for part in range(1, parts)]


def points(window: Window, wanted: Sequence[int]) -> list[int]:
    """Make seconds at which a window can be cut.

    Args:
        window: What to cut.
        wanted: Seconds, rising. One that comes several times holds more rows than a part should;
            it is cut out, since windows on both sides of a border read the border's rows.

    Returns:
        Seconds, rising, each part wide enough; none where the rows of an instant cannot be parted.
        The middle where only seconds outside are wanted, as rows may lie a little beyond a window.
    """
    found: list[int] = []
    for second, times in sorted(Counter(wanted).items()):
        lowest = (found[-1] - OVERLAP if found else window.start) + NARROWEST
        candidates = [second] if times == 1 else [second - 1, second + OVERLAP + 1]
        if times == 1 and not found:
            candidates = [max(lowest, min(second, window.end - 1))]
        for point in candidates:
            if lowest <= point < window.end:
                found.append(point)
                lowest = point - OVERLAP + NARROWEST
    if not found and window.end - window.start > WIDEST_INSTANT:
        return evenly(window, 2)
    return found


def evenly(window: Window, parts: int) -> list[int]:
    """Make the seconds that cut a window into parts of one length."""
    width = window.end - window.start
    count = min(parts, MOST_EVEN_PARTS)
    return points(
        window, sorted({window.start + width * part // count for part in range(1, count)})
    )


def cut(window: Window, at: Sequence[int]) -> Iterator[Window]:
    """Cut a window; each part starts `OVERLAP` before the end of the one before."""
    start = window.start
    for end in (*at, window.end):
        yield Window(start, end)
        start = end - OVERLAP
