"""Threads read what one request after the other would have read, and let go when asked to."""

from __future__ import annotations

import threading
import typing as t

import pytest
from support.model import BASE, ORDERS, ModelApi

from automate_api.errors import StoppedError
from tap_automate.reading.fetching import Fetching, Parallelism
from tap_automate.reading.harvest import certified_windows
from tap_automate.reading.windows import MICROSECONDS, Page, Row, Window

if t.TYPE_CHECKING:
    from tap_automate.reading.harvest import Fetch, Harvest

END = BASE // MICROSECONDS
PATIENCE = 30.0
"""Seconds after which a test that waits for another thread has failed."""


class Together:
    """Answers only when so many requests are under way: with fewer threads nothing would move.

    Attributes:
        met: Whether they were.
    """

    def __init__(self, api: ModelApi, threads: int) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._crowd = threading.Barrier(threads)
        self.met = False

    def fetch(self, window: Window, page: int) -> Page:
        if page > 1 and not self.met:
            self._crowd.wait(PATIENCE)
            self.met = True
        with self._lock:
            return self._api.fetch(window, page)


def read(fetch: Fetch, *, concurrency: int = 8, seconds: int = 86_400) -> dict[str, int]:
    fetching = Fetching(fetch, END - seconds, END, concurrency=concurrency, stop=threading.Event())
    with fetching:
        return {row.key[0]: row.updated for window in fetching.windows() for row in window.rows}


@pytest.mark.parametrize("order", ORDERS)
def test_threads_read_every_row(order: str) -> None:
    api = ModelApi(seed=1, size=3_000, page_size=20, order=order, span_seconds=80_000)
    lock = threading.Lock()

    def fetch(window: Window, page: int) -> Page:
        with lock:
            return api.fetch(window, page)

    assert read(fetch) == api.rows


def test_as_many_requests_are_under_way_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Parallelism, "note", lambda self, *_: setattr(self, "limit", 3))
    api = ModelApi(seed=1, size=1_000, page_size=10, span_seconds=80_000)
    together = Together(api, 3)
    assert read(together.fetch) == api.rows
    assert together.met


def test_what_fetching_raises_comes_after_the_windows_before_it() -> None:
    broken = END - 20_000

    def fetch(window: Window, page: int) -> Page:
        if broken < window.start:
            raise LookupError
        return api.fetch(window, page)

    api = ModelApi(seed=1, size=3_000, page_size=10, span_seconds=80_000)
    wanted = [window.window for window in certified_windows(api.fetch, END - 86_400, END)]
    api = ModelApi(seed=1, size=3_000, page_size=10, span_seconds=80_000)
    taken: list[Window] = []
    fetching = Fetching(fetch, END - 86_400, END, concurrency=1, stop=threading.Event())
    with fetching, pytest.raises(LookupError):
        taken.extend(window.window for window in fetching.windows())
    assert taken == [window for window in wanted if window.start <= broken]
    assert len(wanted) > len(taken) > 1


def test_an_answer_that_comes_after_the_end_counts_no_more() -> None:
    answer, asked, told = threading.Event(), threading.Event(), threading.Event()

    def fetch(window: Window, page: int) -> Page:
        del window, page
        asked.set()
        answer.wait(PATIENCE)
        return Page([], 1, 0)

    stop = threading.Event()
    with Fetching(fetch, 0, 10, concurrency=1, stop=stop, answered=lambda _: told.set()):
        assert asked.wait(PATIENCE)
        (thread,) = (each for each in threading.enumerate() if each.name == "fetch-1")
    answer.set()
    thread.join(PATIENCE)
    assert not told.is_set()


def test_a_stop_ends_it_while_an_answer_is_waited_for() -> None:
    stop, asked, answer, answered = (threading.Event() for _ in range(4))

    def fetch(window: Window, page: int) -> Page:
        del window, page
        asked.set()
        answer.wait(PATIENCE)
        answered.set()
        return Page([], 1, 0)

    fetching = Fetching(fetch, 0, 10, concurrency=2, stop=stop)

    def stop_it() -> None:
        asked.wait(PATIENCE)
        stop.set()

    threading.Thread(target=stop_it).start()
    with fetching, pytest.raises(StoppedError):
        list(fetching.windows())
    assert not answered.is_set()
    answer.set()


def test_who_takes_no_more_windows_lets_the_threads_end() -> None:
    api = ModelApi(seed=1, size=5_000, page_size=10, span_seconds=80_000)
    fetching = Fetching(api.fetch, END - 86_400, END, concurrency=1, stop=threading.Event())
    before = threading.active_count()
    with fetching:
        next(fetching.windows())
    for thread in threading.enumerate():
        if thread.name.startswith("fetch-"):
            thread.join(PATIENCE)
            assert not thread.is_alive()
    assert threading.active_count() <= before


def test_who_reads_is_told_of_every_answer() -> None:
    api = ModelApi(seed=1, size=500, page_size=10, span_seconds=80_000)
    told: list[tuple[int, int | None]] = []

    def answered(harvest: Harvest) -> None:
        told.append((harvest.pages, harvest.expected))

    stop = threading.Event()
    fetching = Fetching(api.fetch, END - 86_400, END, concurrency=1, stop=stop, answered=answered)
    with fetching:
        list(fetching.windows())
    assert told == [(number, 500) for number in range(1, api.requests + 1)]


@pytest.mark.parametrize(
    ("waited", "worked", "limit"),
    [(0.0, 0.002, 1), (0.001, 0.002, 1), (0.004, 0.002, 3), (0.1, 0.002, 16)],
)
def test_threads_are_as_many_as_fit_into_the_wait_for_an_answer(
    waited: float, worked: float, limit: int
) -> None:
    parallelism = Parallelism(16)
    assert parallelism.limit == 1
    for _ in range(5):
        parallelism.note(waited, worked)
    assert parallelism.limit == limit


def test_a_wait_for_other_threads_does_not_bring_further_threads() -> None:
    parallelism = Parallelism(16)
    for waited in (0.5, 0.001, 0.7):
        parallelism.note(waited, 0.002)
    assert parallelism.limit == 1


def test_a_row_that_two_windows_share_comes_from_both() -> None:
    """Who takes the windows drops the second, as the first may be all that is ever taken."""
    rows = [Row((str(n),), (END - n) * MICROSECONDS, {}) for n in range(1, 1_000)]

    def fetch(window: Window, page: int) -> Page:
        low, high = window.start * MICROSECONDS, window.end * MICROSECONDS
        inside = [row for row in rows if low <= row.updated <= high]
        return Page(inside[(page - 1) * 5 : page * 5], 5, len(inside))

    fetching = Fetching(fetch, END - 2_000, END, concurrency=4, stop=threading.Event())
    with fetching:
        keys = [row.key for window in fetching.windows() for row in window.rows]
    assert set(keys) == {row.key for row in rows}
    assert len(keys) > len(rows)
