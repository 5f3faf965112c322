"""Windows of `updatedAt`, and what certifies that one was read whole.

Pure: it says which pages it wants and is given them, so the same code runs against the API and
against models of it, one page after the other or many at once.

A window is closed: its end lies so far in the past that no row can enter it any more. A row that
changes meanwhile gets a later `updatedAt` and leaves, so the set of rows in a window only shrinks.
Then the certificate of a window is short: the `total` of its first answer equals the `total` of its
last answer, which means that nothing left in between, and equals the number of distinct keys read,
which means that every page was seen, whatever the order in which the server deals them out. A
window that fits one page certifies itself.

A window without a certificate is never used: it is split in time and read again. Rows of two
seconds that no split can part are read over and over until the passes together, all with the same
`total`, hold that many keys.
"""

from __future__ import annotations

import dataclasses
import enum
import operator
import typing as t

import msgspec

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MICROSECONDS: t.Final = 1_000_000
"""Microseconds in a second: they order rows, while whole seconds bound windows."""

NARROWEST: t.Final = 2
"""Seconds: with exclusive bounds a narrower window could be empty by definition."""

OVERLAP: t.Final = 1
"""Seconds that a window shares with the one before, since bounds may be inclusive or exclusive."""

MOST_PASSES: t.Final = 50
"""Passes over rows that cannot be split, before the run gives up until later."""


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """Bounds of a request, in whole UTC seconds since 1970; the server may exclude either."""

    start: int
    end: int

    @property
    def is_narrowest(self) -> bool:
        """Whether no split can make it smaller."""
        return self.end - self.start <= NARROWEST


class Row(msgspec.Struct, frozen=True, gc=False):
    """One record with what windows need to know of it; made by the million.

    Attributes:
        key: The values of its primary key, as text, since rows of one instant are ordered by it.
        updated: Its `updatedAt`, in microseconds since 1970.
        record: The record itself.
    """

    key: tuple[str, ...]
    updated: int
    record: t.Any


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One answer: its rows, how many rows a page holds at most, and how many the window holds."""

    rows: Sequence[Row]
    size: int
    total: int


@dataclasses.dataclass(frozen=True, slots=True)
class Certified:
    """A window that was read whole.

    Attributes:
        window: Its bounds.
        rows: Every row in it, in the order of `updated`, then key.
    """

    window: Window
    rows: Sequence[Row]


class Doubt(enum.Enum):
    """Why a window has no certificate."""

    TOO_LARGE = "more pages than aimed at"
    CHANGED = "rows left it while it was read"
    INCOMPLETE = "the pages did not hold every row"


@dataclasses.dataclass(frozen=True, slots=True)
class Uncertified:
    """A window that has to be read in another way.

    Attributes:
        doubt: Why.
        total: Rows in it by the newest answer.
        page_size: Rows a page holds.
        rows: What was read of it, by key.
    """

    doubt: Doubt
    total: int
    page_size: int
    rows: Mapping[tuple[str, ...], Row]


class UncertifiableError(Exception):
    """Rows of an instant changed, or came in a new order, in every one of the passes allowed."""

    def __init__(self, window: Window, passes: int) -> None:
        """Say which window it was and how often it was read."""
        super().__init__(f"no certificate after {passes} passes")
        self.window = window
        self.passes = passes


def pages_of(total: int, size: int) -> int:
    """Return how many pages of `size` rows hold `total` rows."""
    return -(-total // size)


class Reading:
    """One pass over a window: which pages to ask for, in which order, and what they prove.

    The first page tells how many there are. Those between first and last may be under way
    together; the last is asked for when all others have come, since its `total` closes the window.

    Args:
        window: What to read.
        most_pages: Tells for the rows that a page has at most how many pages are worth reading:
            with more, it gives up after the first. None reads all of them, even when a key that
            comes twice has ruled a certificate out.

    Attributes:
        window: As given.
        outcome: The window with its certificate, or why there is none; None while pages are out.
    """

    def __init__(self, window: Window, most_pages: Callable[[int], int] | None) -> None:
        self.window = window
        self.outcome: Certified | Uncertified | None = None
        self._most_pages = most_pages
        self._first: Page | None = None
        self._pages = 1
        self._rows: dict[tuple[str, ...], Row] = {}
        self._received = 0
        self._asked = 0
        self._answered = 0

    @property
    def pages(self) -> int:
        """Pages of the window, as far as is known."""
        return self._pages

    def next_page(self) -> int | None:
        """Take the next page to ask for; None when answers have to come first."""
        number = self._asked + 1
        closing = number == self._pages and self._answered < self._asked
        if self.outcome is not None or number > self._pages or closing:
            return None
        self._asked = number
        return number

    def receive(self, page: Page) -> None:
        """Take an answer, in whatever order they come; nothing changes after the outcome."""
        if self.outcome is not None:
            return
        self._answered += 1
        self._received += len(page.rows)
        self._rows.update({row.key: row for row in page.rows})
        self.outcome = self._judge(page)
        if self.outcome is not None:
            self._rows = {}

    def _judge(self, page: Page) -> Certified | Uncertified | None:
        first = self._first
        if first is None:
            self._first = page
            # A window without rows is one page, too.
            self._pages = max(1, pages_of(page.total, page.size))
            if self._most_pages is not None and self._pages > self._most_pages(page.size):
                return self._uncertified(Doubt.TOO_LARGE, page)
        elif (page.total, page.size) != (first.total, first.size):
            return self._uncertified(Doubt.CHANGED, page)
        if self._most_pages is not None and len(self._rows) < self._received:
            return self._uncertified(Doubt.INCOMPLETE, page)
        if self._answered < self._pages:
            return None
        if len(self._rows) != page.total:
            return self._uncertified(Doubt.INCOMPLETE, page)
        return certified(self.window, self._rows)

    def _uncertified(self, doubt: Doubt, newest: Page) -> Uncertified:
        return Uncertified(doubt, newest.total, newest.size, self._rows)


class Passes:
    """A window that cannot be split, read over and over.

    The union of passes counts when all of their answers show one `total`.

    Args:
        window: What to read.

    Attributes:
        reading: The pass that is under way.
    """

    def __init__(self, window: Window) -> None:
        self.reading = Reading(window, None)
        self._passes = 1
        self._total: int | None = None
        self._union: dict[tuple[str, ...], Row] = {}

    def judge(self, outcome: Uncertified) -> Certified | None:
        """Take a pass without a certificate of its own, and begin the next if the union has none.

        Raises:
            UncertifiableError: When `MOST_PASSES` passes gave none.
        """
        if outcome.doubt is Doubt.CHANGED or outcome.total != self._total:
            self._union.clear()
        self._total = None
        if outcome.doubt is not Doubt.CHANGED:
            self._total = outcome.total
            self._union.update(outcome.rows)
            if len(self._union) == outcome.total:
                return certified(self.reading.window, self._union)
        if self._passes == MOST_PASSES:
            raise UncertifiableError(self.reading.window, MOST_PASSES)
        self._passes += 1
        self.reading = Reading(self.reading.window, None)
        return None


def certified(window: Window, rows: Mapping[tuple[str, ...], Row]) -> Certified:
    """Put a window's rows in the order in which they are emitted."""
    return Certified(window, sorted(rows.values(), key=operator.attrgetter("updated", "key")))
