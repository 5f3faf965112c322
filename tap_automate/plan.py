"""The plan: into which windows a span of time is split, as far as answers have told.

Pure. The first answer for a span tells how many rows it holds, not where they lie, so the plan
guesses a share of the time, reads, and corrects itself by what came.
"""

from __future__ import annotations

import dataclasses
import typing as t

from tap_automate.windows import (
    MICROSECONDS,
    NARROWEST,
    OVERLAP,
    Certified,
    Doubt,
    Uncertified,
    Window,
    pages_of,
    read_narrowest,
    read_window,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_automate.windows import Fetch

TARGET_PAGES: t.Final = 32
"""Pages of a window at a quiet server; a failed certificate halves it."""

TOO_LARGE: t.Final = 1.5
"""A window is split unread when it holds more than this many times the pages aimed at."""


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

    @property
    def most_pages(self) -> int:
        """Pages beyond which a window is split unread."""
        return max(1, int(self.target_pages * TOO_LARGE)) if self.target_pages > 1 else 1

    def failed(self, pages: int) -> None:
        """Aim at half of what just failed."""
        self.target_pages = max(1, min(self.target_pages, pages) // 2)
        self._patience = min(self._patience * 2, self.MOST_PATIENCE)
        self._quiet = 0

    def succeeded(self) -> None:
        """Count a quiet window, and aim at twice as much after enough of them."""
        self._quiet += 1
        if self._quiet >= self._patience and self.target_pages < TARGET_PAGES:
            self.target_pages = min(self.target_pages * 2, TARGET_PAGES)
            self._quiet = 0


@dataclasses.dataclass(slots=True)
class _Stretch:
    """From the cursor to `end`: about how many rows, None before an answer has told."""

    end: int
    rows: int | None


class Plan:
    """What is left of a span, and the next window of it.

    The stretches ahead all begin at the cursor and end in one another; the last is the shortest.
    """

    def __init__(self, start: int, end: int) -> None:
        """Begin with the whole span, of which nothing is known.

        Args:
            start: First second.
            end: Last second.
        """
        self.pace = Pace()
        self._cursor = start
        self._ahead = [_Stretch(max(end, start + NARROWEST), None)]
        self._page_size = 1
        self._share = 1.0

    def next_window(self) -> Window | None:
        """Return the window to read next, or None when the span is read."""
        if not self._ahead:
            return None
        top = self._ahead[-1]
        if top.rows is None or pages_of(top.rows, self._page_size) <= self.pace.most_pages:
            return Window(self._cursor, top.end)
        # Rows are rarely spread evenly, so half of the time is the most that is worth a guess.
        share = self._share * self.pace.target_pages / pages_of(top.rows, self._page_size)
        seconds = int((top.end - self._cursor) * min(0.5, share))
        return Window(self._cursor, self._split(top.end, self._cursor + seconds))

    def split(self, window: Window, outcome: Uncertified) -> None:
        """Learn from a window without a certificate, so that the next one is smaller."""
        self._page_size = outcome.page_size
        guessed = window.end != self._ahead[-1].end
        if guessed:
            self._ahead.append(_Stretch(window.end, outcome.total))
        else:
            self._ahead[-1].rows = outcome.total
        if outcome.doubt is Doubt.TOO_LARGE:
            self._share = min(self._share, 1.0) / 2 if guessed else 1.0
            return
        self.pace.failed(pages_of(outcome.total, outcome.page_size))
        updated = sorted(row.updated for row in outcome.rows.values())
        middle = (
            updated[len(updated) // 2] // MICROSECONDS
            if updated  # a total without rows tells nothing of when they changed
            else (window.start + window.end) // 2
        )
        self._ahead.append(_Stretch(self._split(window.end, middle), None))

    def passed(self, certified: Certified) -> None:
        """Move the cursor behind a certified window."""
        window, rows = certified.window, len(certified.rows)
        if not window.is_narrowest:
            self.pace.succeeded()
        if window.end != self._ahead[-1].end:
            sparse = pages_of(rows, self._page_size) * 2 < self.pace.target_pages
            self._share = self._share * 2 if sparse else 1.0
        while self._ahead and self._ahead[-1].end <= window.end:
            self._ahead.pop()
        for stretch in self._ahead:
            if stretch.rows is not None:
                stretch.rows = max(0, stretch.rows - rows)
        self._cursor = window.end - OVERLAP

    def _split(self, end: int, second: int) -> int:
        """Bring a split between cursor and `end`, so that the first part is wide enough."""
        return max(self._cursor + NARROWEST, min(second, end - 1))


def certified_windows(fetch: Fetch, start: int, end: int) -> Iterator[Certified]:
    """Read `[start, end]` in windows, in the order of time, each with its certificate.

    Args:
        fetch: Asks for a page of a window.
        start: First second.
        end: Last second; no row may enter `[start, end]` any more.

    Yields:
        Windows that together cover the whole span. Each starts `OVERLAP` before the end of the one
        before, so a row near a border may come twice, unchanged; the caller drops it.

    Raises:
        UncertifiableError: When an instant gives no certificate; the windows yielded so far stand.
    """
    plan = Plan(start, end)
    while (window := plan.next_window()) is not None:
        outcome = (
            read_narrowest(fetch, window)
            if window.is_narrowest
            else read_window(fetch, window, plan.pace.most_pages)
        )
        if isinstance(outcome, Uncertified):
            plan.split(window, outcome)
        else:
            yield outcome
            plan.passed(outcome)
