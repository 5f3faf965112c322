"""How far a run is: counted by stream while it reads, for a terminal, for metrics, for a summary.

Only numbers are kept, never a value of a record. Counting happens once a page, a window or a block
of rows, from whatever thread; `snapshot` may be asked for at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
import typing as t

from tap_automate.reporting.figures import Figures, FileCounts, Oddities

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from automate_api.clock import Clock
    from automate_api.transport import Stats
    from tap_automate.downloads.store import Outcome
    from tap_automate.reading.harvest import Harvest
    from tap_automate.reading.windows import Certified


@dataclasses.dataclass(frozen=True, slots=True)
class _Answers:
    """What one or more harvests have counted."""

    expected: int | None = None
    pages: int = 0
    pages_certified: int = 0
    windows_split: int = 0
    certificates_failed: int = 0

    def plus(self, other: _Answers) -> _Answers:
        known = [each for each in (self.expected, other.expected) if each is not None]
        return _Answers(
            sum(known) if known else None,
            self.pages + other.pages,
            self.pages_certified + other.pages_certified,
            self.windows_split + other.windows_split,
            self.certificates_failed + other.certificates_failed,
        )


class Report:
    """Counts for one stream; safe to share between threads.

    Made by `Progress.stream`.
    """

    def __init__(
        self, stream: str, *, stats: Callable[[], Stats], clock: Clock, lock: threading.Lock
    ) -> None:
        """Start with nothing counted.

        Args:
            stream: Its name.
            stats: The counters of all requests so far.
            clock: For durations.
            lock: Held while counting; shared by the streams of a run.
        """
        self._stream = stream
        self._stats = stats
        self._clock = clock
        self._lock = lock
        self._begun: tuple[float, Stats] | None = None
        self._reads = False
        self._seconds = 0.0
        self._retries = 0
        self._waited = 0.0
        self._rows = self._certified = self._windows = 0
        self._answers: dict[Harvest, _Answers] = {}
        self._bookmarks: dict[str, int] = {}
        self._newest: int | None = None
        self._files = FileCounts()
        self._oddities = Oddities()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Count the time, the retries and the waits of the block as the stream's.

        A stream that is read rooftop by rooftop has one block for each.
        """
        stats = self._stats()
        with self._lock:
            self._reads = True
            self._begun = (self._clock.monotonic(), stats)
        try:
            yield
        finally:
            stats = self._stats()
            with self._lock:
                seconds, retries, waited = self._since_begun(stats)
                self._seconds += seconds
                self._retries += retries
                self._waited += waited
                self._begun = None

    def answered(self, harvest: Harvest) -> None:
        """Count an answer.

        Args:
            harvest: Which has just taken it.
        """
        with self._lock:
            self._answers[harvest] = _Answers(
                harvest.expected,
                harvest.pages,
                harvest.pages_certified,
                harvest.windows_split,
                harvest.certificates_failed,
            )

    def window(self, certified: Certified) -> None:
        """Count a certified window that is about to be emitted."""
        rows = certified.rows
        with self._lock:
            self._windows += 1
            self._certified += len(rows)
            if rows:
                self._newest = max(self._newest or rows[-1].updated, rows[-1].updated)

    def emitted(self, rows: int) -> None:
        """Count rows that were written."""
        with self._lock:
            self._rows += rows

    @property
    def files(self) -> FileCounts:
        """What was counted of files so far."""
        with self._lock:
            return self._files

    def filed(self, outcomes: Sequence[Outcome]) -> None:
        """Count what came of a record's files."""
        fetched = [each.fetched for each in outcomes if each.fetched is not None]
        failed = sum(each.path is None for each in outcomes)
        counts = FileCounts(
            fetched=len(fetched),
            fetched_bytes=sum(fetched),
            kept=len(outcomes) - len(fetched) - failed,
            failed=failed,
        )
        with self._lock:
            self._files = self._files.plus(counts)

    def met(self, oddities: Oddities) -> None:
        """Count what was not as assumed."""
        with self._lock:
            self._oddities = self._oddities.plus(oddities)

    def advanced(self, second: int | None, part: str = "") -> None:
        """Take note of a bookmark.

        Args:
            second: Since 1970; None for a stream that keeps none.
            part: The rooftop, where each has a bookmark.
        """
        if second is not None:
            with self._lock:
                self._bookmarks[part] = second

    def figures(self) -> Figures:
        """Return what is known now."""
        stats = self._stats()
        with self._lock:
            seconds, retries, waited = self._since_begun(stats)
            answers = functools.reduce(_Answers.plus, self._answers.values(), _Answers())
            return Figures(
                stream=self._stream,
                reads=self._reads,
                running=self._begun is not None,
                seconds=self._seconds + seconds,
                rows=self._rows,
                certified=self._certified,
                expected=answers.expected,
                pages=answers.pages,
                windows=self._windows,
                rereads=answers.pages - answers.pages_certified,
                retries=self._retries + retries,
                waited_seconds=self._waited + waited,
                bookmark=min(self._bookmarks.values(), default=None),
                newest=self._newest,
                files=self._files,
                windows_split=answers.windows_split,
                certificates_failed=answers.certificates_failed,
                oddities=self._oddities,
            )

    def _since_begun(self, stats: Stats) -> tuple[float, int, float]:
        if self._begun is None:
            return 0.0, 0, 0.0
        at, before = self._begun
        return (
            self._clock.monotonic() - at,
            stats.retries - before.retries,
            waited_for_dms(stats) - waited_for_dms(before),
        )


class Progress:
    """Counts for a whole run.

    Args:
        stats: The counters of all requests so far.
        clock: For durations.
    """

    def __init__(self, stats: Callable[[], Stats], clock: Clock) -> None:
        self.stats = stats
        self._clock = clock
        self._lock = threading.Lock()
        self._begun = clock.monotonic()
        self._reports: dict[str, Report] = {}

    @property
    def seconds(self) -> float:
        """How long the run has lasted."""
        return self._clock.monotonic() - self._begun

    def stream(self, name: str) -> Report:
        """Return the counts of a stream; the same whenever asked."""
        with self._lock:
            if name not in self._reports:
                self._reports[name] = Report(
                    name, stats=self.stats, clock=self._clock, lock=threading.Lock()
                )
            return self._reports[name]

    def snapshot(self) -> Sequence[Figures]:
        """Return what is known of each stream now, in the order in which they came."""
        with self._lock:
            reports = list(self._reports.values())
        return [report.figures() for report in reports]


def waited_for_dms(stats: Stats) -> float:
    """Seconds that threads waited for another reason than `requests_per_second`."""
    return max(0.0, stats.waited_seconds - stats.paced_seconds)
