"""Windows of `updatedAt`, and what certifies that one was read whole.

Pure: the pages come from a function that the caller passes in, so the same code runs against the
API and against models of it.

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
import typing as t

import msgspec

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


class Fetch(t.Protocol):
    """Asks for one page of a window; pages count from 1."""

    def __call__(self, window: Window, page: int) -> Page:
        """Return the page as the server gives it."""
        ...


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


def read_window(fetch: Fetch, window: Window, most_pages: int | None) -> Certified | Uncertified:
    """Read a window once, one page after the other.

    Args:
        fetch: Asks for a page.
        window: What to read.
        most_pages: Give up after the first page when there are more than this. None reads all of
            them, even when a key that comes twice has ruled a certificate out.

    Returns:
        The window with its certificate, or why there is none.
    """
    first = fetch(window, 1)
    rows = {row.key: row for row in first.rows}
    received = len(first.rows)
    pages = pages_of(first.total, first.size)

    def uncertified(doubt: Doubt, total: int) -> Uncertified:
        return Uncertified(doubt, total, first.size, rows)

    if most_pages is not None and pages > most_pages:
        return uncertified(Doubt.TOO_LARGE, first.total)
    for number in range(2, pages + 1):
        page = fetch(window, number)
        rows |= {row.key: row for row in page.rows}
        if (page.total, page.size) != (first.total, first.size):
            return uncertified(Doubt.CHANGED, page.total)
        received += len(page.rows)
        if most_pages is not None and len(rows) < received:
            return uncertified(Doubt.INCOMPLETE, page.total)
    if len(rows) != first.total:
        return uncertified(Doubt.INCOMPLETE, first.total)
    return certified(window, rows)


def read_narrowest(fetch: Fetch, window: Window) -> Certified:
    """Read a window that cannot be split: the union of passes that all show one `total`.

    Args:
        fetch: Asks for a page.
        window: What to read.

    Returns:
        The window with its certificate.

    Raises:
        UncertifiableError: When `MOST_PASSES` passes gave none.
    """
    union: dict[tuple[str, ...], Row] = {}
    total: int | None = None
    for _ in range(MOST_PASSES):
        outcome = read_window(fetch, window, None)
        if isinstance(outcome, Certified):
            return outcome
        if outcome.doubt is Doubt.CHANGED or outcome.total != total:
            union.clear()
        if outcome.doubt is Doubt.CHANGED:
            total = None
            continue
        total = outcome.total
        union.update(outcome.rows)
        if len(union) == total:
            return certified(window, union)
    raise UncertifiableError(window, MOST_PASSES)


def certified(window: Window, rows: Mapping[tuple[str, ...], Row]) -> Certified:
    """Put a window's rows in the order in which they are emitted."""
    return Certified(window, sorted(rows.values(), key=lambda row: (row.updated, row.key)))
