"""Reads a span of time whole: which requests may be under way, and what their answers come to.

Pure, and the one piece that knows all windows: it hands out requests, takes their answers in any
order, and gives certified windows in the order of time. Who sends the requests, and how many at
once, is not its business.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections import deque

from tap_automate.reading import plan
from tap_automate.reading.windows import (
    MICROSECONDS,
    NARROWEST,
    Certified,
    Doubt,
    Page,
    Passes,
    Reading,
    UncertifiableError,
    Uncertified,
    Window,
    pages_of,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Fetch(t.Protocol):
    """Asks for one page of a window; pages count from 1."""

    def __call__(self, window: Window, page: int) -> Page:
        """Return the page as the server gives it."""
        ...


class Request(t.NamedTuple):
    """A page to ask for.

    Attributes:
        window: Of which window.
        page: Its number, from 1.
        asked_by: What takes the answer.
    """

    window: Window
    page: int
    asked_by: Reading | _Samples


class _Samples:
    """The pages that are read to learn where a window's rows lie."""

    def __init__(self, first: Sequence[int], pages: Sequence[int], total: int) -> None:
        self.parts = len(pages) + 1
        self.total = total
        self._first = first
        self._wanted = deque(pages)
        self._answers: dict[int, Sequence[int]] = {}

    def next_page(self) -> int | None:
        return self._wanted.popleft() if self._wanted else None

    def receive(self, number: int, page: Page) -> None:
        self._answers[number] = _seconds(page)

    @property
    def seconds(self) -> list[Sequence[int]] | None:
        """The seconds of each page's rows, the first page's before the others; None until then."""
        if len(self._answers) < self.parts - 1:
            return None
        return [self._first, *(self._answers[number] for number in sorted(self._answers))]


@dataclasses.dataclass(slots=True, eq=False)
class _Piece:
    """A window of the span, and how far it is.

    Attributes:
        window: Its bounds.
        rows: About how many it holds; None before an answer has told.
        work: What is being read of it; None before it is begun.
        result: Its certificate, or that there will be none.
    """

    window: Window
    rows: int | None = None
    work: Reading | Passes | _Samples | None = None
    result: Certified | UncertifiableError | None = None

    @property
    def reader(self) -> Reading | _Samples | None:
        """What takes the answers."""
        return self.work.reading if isinstance(self.work, Passes) else self.work


class Harvest:
    """The rows of a span, window by window.

    Not safe to share between threads without a lock.

    Args:
        start: First second.
        end: Last second; no row may enter the span any more.

    Attributes:
        expected: Rows of the whole span by its first answer; None before.
        pages: Answers taken.
        pages_certified: Those of them that belong to certified windows.
        windows_split: Windows that were cut since they had more pages than aimed at.
        certificates_failed: Readings of a window that rows left, or whose pages lacked some.
    """

    def __init__(self, start: int, end: int) -> None:
        self.expected: int | None = None
        self.pages = 0
        self.pages_certified = 0
        self.windows_split = 0
        self.certificates_failed = 0
        self._pace = plan.Pace()
        self._page_size = 1
        self._pieces = [_Piece(Window(start, max(end, start + NARROWEST)))]

    @property
    def is_done(self) -> bool:
        """Whether every window has been taken."""
        return not self._pieces

    def next_request(self, most_pages: int) -> Request | None:
        """Take the next request.

        Args:
            most_pages: Pages that may be held or under way before a further window is begun;
                fewer where a page has more rows than `USUAL_ROWS`.

        Returns:
            The earliest page that is wanted; None when answers have to come, or certified windows
            have to be taken, first.
        """
        pages = sum(self._pages_in(piece) for piece in self._pieces if piece.work is not None)
        held = pages * max(1, self._page_size / plan.USUAL_ROWS)
        for place, piece in enumerate(self._pieces):
            if piece.work is None:
                if place and held >= most_pages:
                    continue
                piece = self._begin(place)  # noqa: PLW2901 - perhaps a part of what stood there
            reader = piece.reader
            page = None if reader is None or piece.result else reader.next_page()
            if reader is not None and page is not None:
                return Request(piece.window, page, reader)
        return None

    def receive(self, request: Request, page: Page) -> None:
        """Take an answer, in whatever order they come."""
        self.pages += 1
        if self.expected is None:
            self.expected = page.total
            self._page_size = page.size
        reader = request.asked_by
        piece = next((each for each in self._pieces if each.reader is reader), None)
        if piece is None:
            return  # the window was given up meanwhile
        if isinstance(reader, Reading):
            reader.receive(page)
            piece.rows = page.total
            if reader.outcome is not None:
                self._judge(piece, reader, reader.outcome)
            return
        reader.receive(request.page, page)
        if reader.seconds is not None:
            wanted = plan.borders(reader.seconds, reader.parts)
            share = reader.total // reader.parts
            self._replace(piece, plan.points(piece.window, wanted), share)

    def take(self) -> Certified | None:
        """Take the next certified window, in the order of time.

        Windows together cover the whole span. Each starts a second before the end of the one
        before, so a row near a border may come twice, unchanged; the caller drops it.

        Returns:
            None when it is not ready yet, or all have been taken.

        Raises:
            UncertifiableError: When the next window has no certificate; what was taken stands.
        """
        if not self._pieces or self._pieces[0].result is None:
            return None
        result = self._pieces.pop(0).result
        if isinstance(result, UncertifiableError):
            raise result
        return result

    def _pages_in(self, piece: _Piece) -> int:
        if piece.rows is None:
            return self._pace.target(self._page_size)
        return pages_of(piece.rows, self._page_size)

    def _begin(self, place: int) -> _Piece:
        """Put the window at a place to work, cut first when it is known to be too large."""
        piece = self._pieces[place]
        most, target = self._pace.most(self._page_size), self._pace.target(self._page_size)
        # What is worth samples is asked for its rows, which are no more than guessed at here.
        while piece.rows is not None and most < self._pages_in(piece) < plan.WORTH_SAMPLES:
            at = plan.evenly(piece.window, -(-self._pages_in(piece) // target))
            if not at:
                break
            share = piece.rows // (len(at) + 1)
            self._pieces[place : place + 1] = _parts(piece.window, at, share)
            piece = self._pieces[place]
        window = piece.window
        piece.work = Passes(window) if window.is_narrowest else Reading(window, self._pace.most)
        return piece

    def _judge(self, piece: _Piece, reading: Reading, outcome: Certified | Uncertified) -> None:
        work = piece.work
        if isinstance(outcome, Uncertified):
            too_large = outcome.doubt is Doubt.TOO_LARGE
            self.windows_split += too_large
            self.certificates_failed += not too_large
        if isinstance(outcome, Uncertified) and isinstance(work, Passes):
            try:
                piece.result = work.judge(outcome)
            except UncertifiableError as error:
                piece.result = error
        elif isinstance(outcome, Uncertified):
            self._split(piece, outcome, reading.pages)
        else:
            piece.result = outcome
            if work is reading:
                self._pace.succeeded()
        if isinstance(piece.result, Certified):
            piece.rows = len(piece.result.rows)
            self.pages_certified += reading.pages

    def _split(self, piece: _Piece, outcome: Uncertified, pages: int) -> None:
        """Cut a window that has no certificate, by what was seen of it."""
        window, total = piece.window, outcome.total
        seen = [row.updated // MICROSECONDS for row in outcome.rows.values()]
        if outcome.doubt is not Doubt.TOO_LARGE:
            self._pace.failed(pages)
            # A total without rows tells nothing of where they are.
            at = plan.points(window, plan.borders([seen], 2)) if seen else plan.evenly(window, 2)
            self._replace(piece, at, None)
            return
        parts = -(-pages // self._pace.target(outcome.page_size))
        sample = plan.sample_pages(pages, parts)
        if sample:
            piece.work = _Samples(seen, sample, total)
        else:
            at = plan.evenly(window, parts)
            self._replace(piece, at, total // (len(at) + 1))

    def _replace(self, piece: _Piece, at: Sequence[int], share: int | None) -> None:
        """Put the parts of a window in its place, or read it as one that has none.

        Args:
            piece: The window.
            at: Where to cut it.
            share: About how many rows a part holds.
        """
        if at:
            place = self._pieces.index(piece)
            self._pieces[place : place + 1] = _parts(piece.window, at, share)
        else:
            piece.work = Passes(piece.window)


def certified_windows(fetch: Fetch, start: int, end: int) -> Iterator[Certified]:
    """Read `[start, end]` in windows, in the order of time, one request after the other.

    Args:
        fetch: Asks for a page of a window.
        start: First second.
        end: Last second; no row may enter `[start, end]` any more.

    Yields:
        As `Harvest.take` gives them.

    Raises:
        UncertifiableError: When an instant gives no certificate; the windows yielded so far stand.
    """
    harvest = Harvest(start, end)
    while not harvest.is_done:
        request = harvest.next_request(1)
        if request is not None:
            harvest.receive(request, fetch(request.window, request.page))
        while (window := harvest.take()) is not None:
            yield window


def _parts(window: Window, at: Sequence[int], share: int | None) -> list[_Piece]:
    return [_Piece(part, share) for part in plan.cut(window, at)]


def _seconds(page: Page) -> list[int]:
    return [row.updated // MICROSECONDS for row in page.rows]
