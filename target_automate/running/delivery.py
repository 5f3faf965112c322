"""Works through the journal with N threads, in the schedule's order.

Whoever hands intents in is told when one is settled. An error that ends the run stops all threads
after what they have in hand, and is raised to whoever waits.
"""

from __future__ import annotations

import threading
import typing as t

from automate_api.errors import StoppedError
from target_automate.journal.intents import OPEN, PASSING, Brief, State
from target_automate.running.schedule import Item, Schedule
from target_automate.sending.steps import Later, Settled, Waits
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from automate_api.clock import Clock
    from target_automate.journal.journal import Journal
    from target_automate.sending.courier import Courier
    from target_automate.sending.steps import Step

LONGEST_NAP_SECONDS: t.Final = 0.05
"""Of the one thread that watches the time while others wait for work."""
LOOK_SECONDS: t.Final = 0.1
"""Between two looks of the main thread, which must see signals."""
LOAD: t.Final = 1000
"""Intents in hand at which no further ones are taken in; they cost some 300 bytes each."""
REFILL: t.Final = 100
"""How many are taken in together where they are done fast; to wake a thread for each costs."""


class Delivery:
    """The threads of a run.

    Args:
        journal: What there is to do.
        courier: Works on one intent.
        clock: The time.
        stop: Ends the run when set.
        on_settled: Told of each intent that is settled, or waits; from any thread.
        releases: Whether children of a record may join the work that were not handed in.
    """

    def __init__(  # noqa: PLR0913 - what the threads share
        self,
        journal: Journal,
        courier: Courier,
        *,
        clock: Clock,
        stop: threading.Event,
        on_settled: Callable[[int, str, State], None],
        releases: bool = True,
    ) -> None:
        self._journal = journal
        self._courier = courier
        self._clock = clock
        self._stop = stop
        self._on_settled = on_settled
        self._releases = releases
        self._schedule = Schedule()
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        """Threads wait here for intents."""
        self._rest = threading.Condition(self._lock)
        """The main thread waits here for the threads."""
        self._awaited = 0
        """The load at which it is woken."""
        self._threads: list[threading.Thread] = []
        self._known: set[int] = set()
        self._waits: dict[int, State] = {}
        self._closed = False
        self._watched = False
        self._failure: BaseException | None = None

    def start(self, workers: int) -> None:
        """Start the threads; they end with the process, at the latest."""
        for number in range(workers):
            thread = threading.Thread(target=self._run, name=f"push-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def hand_in(self, brief: Brief) -> None:
        """Give an intent to the threads; waits while they have enough.

        Raises:
            AutomateError: What has ended the run.
        """
        self.check()
        while self._schedule.load >= LOAD:
            self._wait_for(LOAD - REFILL)
            self.check()
        with self._lock:
            self._add(brief)
            self._work.notify()

    def rest(self, while_waiting: Callable[[], None]) -> None:
        """Wait until nothing is left but what waits for others.

        Args:
            while_waiting: Called again and again.

        Raises:
            AutomateError: What has ended the run.
        """
        self.check()
        while not self._schedule.is_at_rest:
            self._wait_for(0)
            while_waiting()
            self.check()

    def tell_children(self, parent: Brief) -> None:
        """Have those looked at again that wait for a record which was settled elsewhere."""
        children = self._children(_item(parent), parent.state)
        with self._lock:
            for child in children:
                self._schedule.wake(child.id)
            self._work.notify_all()

    def try_waiting(self) -> None:
        """Have everything taken once more that waits for a parent: no more records come."""
        with self._lock:
            for item in self._schedule.waiting():
                if self._waits[item.id] is State.WAITING_PARENT:
                    self._schedule.wake(item.id)
            self._work.notify_all()

    def stuck(self) -> list[tuple[Item, list[Item]]]:
        """List what waits, with what comes after it in its lane."""
        with self._lock:
            return [(item, self._schedule.behind(item)) for item in self._schedule.waiting()]

    def check(self) -> None:
        """Raise what has ended the run, if anything has.

        Raises:
            AutomateError: The first error of a thread.
        """
        if self._failure is not None:
            raise self._failure
        if self._stop.is_set():
            raise StoppedError

    def close(self, seconds: float) -> None:
        """End the threads after what they have in hand; a second call changes nothing.

        Args:
            seconds: To wait for them at most; what is sent then stays SENT in the journal.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._work.notify_all()
        end = self._clock.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - self._clock.monotonic()))

    def _wait_for(self, load: int) -> None:
        """Wait until no more than so many intents are in hand, but not for long."""
        with self._lock:
            if self._schedule.load > load:
                self._awaited = load
                self._rest.wait(LOOK_SECONDS)

    def _add(self, brief: Brief) -> None:
        if brief.id not in self._known:
            self._known.add(brief.id)
            self._schedule.add(_item(brief))

    def _run(self) -> None:
        try:
            while (item := self._next()) is not None:
                step = self._courier.work_on(item.id)
                self._hand_back(item, step)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            with self._lock:
                self._failure = self._failure or error
                self._work.notify_all()
                self._rest.notify_all()

    def _next(self) -> Item | None:
        """Take the next item; wait for one, and None when the run ends."""
        while True:
            with self._lock:
                if self._closed or self._failure is not None:
                    return None
                item = self._schedule.take(self._clock.monotonic())
                if item is not None:
                    return item
                due = self._schedule.next_due
                if due is None or self._watched:
                    self._work.wait()
                    continue
                self._watched = True
            try:
                self._journal.flush()
                nap = min(LONGEST_NAP_SECONDS, due - self._clock.monotonic())
                self._clock.wait(nap, self._stop)
            finally:
                with self._lock:
                    self._watched = False
                    self._work.notify()

    def _hand_back(self, item: Item, step: Step) -> None:
        released: list[Brief] = []
        if isinstance(step, Settled):
            released = self._children(item, step.state)
        with self._lock:
            ready = self._schedule.load
            match step:
                case Settled(state) if state in OPEN:
                    self._schedule.leave(item)
                case Settled():
                    self._schedule.done(item)
                    self._known.discard(item.id)
                case Later(seconds):
                    self._schedule.put_off(item, self._clock.monotonic() + seconds)
                case Waits(state):
                    self._waits[item.id] = state
                    self._schedule.wait(item)
            for child in released:
                if not self._schedule.wake(child.id) and self._releases:
                    self._add(child)
            # This thread takes one of them itself.
            self._work.notify(max(0, self._schedule.load - ready))
            if self._schedule.load <= self._awaited:
                self._rest.notify()
        told = isinstance(step, Settled) and step.before
        if isinstance(step, Settled | Waits) and step.state in PASSING and not told:
            self._on_settled(item.id, item.brief.object, step.state)

    def _children(self, item: Item, state: State) -> list[Brief]:
        """List what a record's fate concerns: what waits for it, or was rejected for it."""
        founds = by_object(item.brief.object).founds
        if not founds or state not in {State.ACKED, State.REJECTED}:
            return []
        children = self._journal.children(item.brief.digest)
        if state is State.REJECTED:
            return [child for child in children if child.state is State.WAITING_PARENT]
        now = self._clock.time()
        for child in children:
            if child.state is State.REJECTED and self._releases:
                self._journal.change(child.id, State.PLANNED, now, cause=None, reason=None)
        return children


def _item(brief: Brief) -> Item:
    sink = by_object(brief.object)
    return Item(sink.rank, brief.id, brief, sink.founds and brief.lane == brief.digest)
