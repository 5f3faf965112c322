"""Reads windows with threads, as many as pay, ahead of what is being emitted.

Every request waits in a thread of its own, so that a signal ends the run at once. Answers are taken
and the next requests handed out by whichever thread has just finished: nobody waits for the one
that emits. What is read ahead is bounded, so memory does not grow with the data.
"""

from __future__ import annotations

import queue
import threading
import time
import typing as t
from collections import deque

from automate_api.errors import StoppedError
from tap_automate.reading.harvest import Harvest
from tap_automate.reading.plan import TARGET_PAGES
from tap_automate.waiting import LOOK

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_automate.reading.harvest import Fetch, Request
    from tap_automate.reading.windows import Certified

AHEAD: t.Final = 6
"""Pages that may be held for each request under way, beside half a window: while the last page of
one window waits for the others, threads need further windows to go on with.
"""


class Parallelism:
    """How many requests are worth having under way: as many as fit into the wait for one.

    Threads take turns at the interpreter, so where answers come at once a second one only gets in
    the way of the first; where they take a while, each works while the others wait. The shortest
    of the last waits counts: the longer ones may have waited for other threads.

    Args:
        most: Never more than this.

    Attributes:
        limit: How many, from 1.
    """

    RECENT: t.ClassVar[int] = 16
    SMOOTHING: t.ClassVar[float] = 0.2

    def __init__(self, most: int) -> None:
        self.limit = 1
        self._most = most
        self._waits: deque[float] = deque(maxlen=self.RECENT)
        self._work: float | None = None

    def note(self, waited: float, worked: float) -> None:
        """Learn from a request.

        Args:
            waited: Seconds for which its thread had nothing to do.
            worked: Seconds of the processor that it took.
        """
        self._waits.append(waited)
        before = worked if self._work is None else self._work
        self._work = before + self.SMOOTHING * (worked - before)
        fitting = min(self._waits) / max(self._work, 1e-6)
        self.limit = max(1, min(self._most, 1 + int(fitting)))


class Fetching:
    """The threads that read a span of time, for as long as a `with` block lasts.

    Args:
        fetch: Asks for a page of a window; called by several threads at once.
        start: First second.
        end: Last second; no row may enter the span any more.
        concurrency: Requests under way at most.
        stop: Set when the run is to end.
        answered: Told of each answer, by one thread at a time.
    """

    def __init__(  # noqa: PLR0913 - what a run consists of
        self,
        fetch: Fetch,
        start: int,
        end: int,
        *,
        concurrency: int,
        stop: threading.Event,
        answered: Callable[[Harvest], None] = lambda _: None,
    ) -> None:
        self._fetch = fetch
        self._harvest = Harvest(start, end)
        self._stop = stop
        self._answered = answered
        self._parallelism = Parallelism(concurrency)
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._ready = threading.Condition()
        self._under_way = 0
        self._threads = 0
        self._error: BaseException | None = None
        self._over = False

    def __enter__(self) -> t.Self:
        """Begin to read ahead."""
        with self._ready:
            self._hand_out()
        return self

    def __exit__(self, *_error: object) -> None:
        """Let the threads end, each after its request."""
        with self._ready:
            self._over = True
        for _ in range(self._threads):
            self._requests.put(None)

    def windows(self) -> Iterator[Certified]:
        """Read everything.

        Yields:
            Certified windows in the order of time.

        Raises:
            StoppedError: As soon as `stop` is set.
            UncertifiableError: When an instant gives no certificate.
            Exception: What `fetch` raises; windows that were certified by then come first.
        """
        while (window := self._take()) is not None:
            yield window

    def _take(self) -> Certified | None:
        """Wait for the next window; None after the last."""
        with self._ready:
            while not self._stop.is_set():
                window = self._harvest.take()
                if window is None and self._error is not None:
                    raise self._error
                self._hand_out()
                if window is not None or self._harvest.is_done:
                    return window
                self._ready.wait(LOOK)
        raise StoppedError

    def _hand_out(self) -> None:
        """Give waiting threads what may be asked for now; to be called with the lock held."""
        limit = self._parallelism.limit
        while not self._over and self._error is None and self._under_way < limit:
            request = self._harvest.next_request(TARGET_PAGES // 2 + AHEAD * limit)
            if request is None:
                return
            self._under_way += 1
            if self._under_way > self._threads:
                self._threads += 1
                name = f"fetch-{self._threads}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
            self._requests.put(request)

    def _work(self) -> None:
        try:
            while (request := self._requests.get()) is not None:
                self._answer(request)
        except BaseException as error:  # noqa: BLE001 - raised again where windows are taken
            with self._ready:
                self._error = self._error or error
                self._ready.notify()

    def _answer(self, request: Request) -> None:
        began, busy = time.perf_counter(), time.thread_time()
        page = self._fetch(request.window, request.page)
        worked = time.thread_time() - busy
        waited = time.perf_counter() - began - worked
        with self._ready:
            if self._over:
                return
            self._under_way -= 1
            self._parallelism.note(waited, worked)
            self._harvest.receive(request, page)
            self._answered(self._harvest)
            self._hand_out()
            self._ready.notify()
