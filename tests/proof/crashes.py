"""Crashes at every step of a run, inside this process: what was not committed is gone.

A crash can only matter between two things that outlast it: a change or a commit of the journal, a
write that is sent, a STATE that is written. Each of them is a crash point, beside the steps that
the courier names. Which ones a run passes is recorded, so that a new one needs no list.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import math
import shutil
import threading
import time
import typing as t
from unittest import mock

from support.dealership import dealership

from automate_api.client import Client
from automate_api.config import ApiConfig
from automate_api.errors import AutomateError, StoppedError
from proof.checker import Verdict, judge, unsettled
from proof.feed import Feed
from target_automate.config import TARGET_SETTINGS
from target_automate.courier import Courier
from target_automate.intents import OPEN, State
from target_automate.journal import Journal
from target_automate.journal_file import read_journal
from target_automate.run import open_run
from target_automate.sinks import by_object
from target_automate.watermark import NOTHING

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from support.dealership import Dealership

    from proof.campaign import Keys
    from proof.checker import Key
    from proof.faults import Rule
    from proof.feed import Fed
    from target_automate.run import Run

WATCHED: t.Final[dict[type, tuple[str, ...]]] = {
    Journal: ("add", "change", "set_fact", "flush"),
    Client: ("attempt", "get"),
}
"""Methods after which the journal or the DMS may have changed for good."""
WORLD: t.Final = ("--vehicles", "20", "--days", "3", "--mfa-type", "none")
READING: t.Final = frozenset({"get"})
RUNS: t.Final = 12
"""Runs after which a trial that has not come to its end is given up."""


class Crash(BaseException):
    """The process is gone."""


class LinkedClock:
    """The machine's clock, and the sandbox's: whoever waits moves both, and does not wait.

    Args:
        advance: Moves the sandbox's by whole seconds.
    """

    def __init__(self, advance: Callable[[int], object]) -> None:
        self._advance = advance
        self._lock = threading.Lock()
        self.skipped = 0.0
        self._told = 0

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.skipped

    def monotonic(self) -> float:
        """Seconds since some point."""
        return time.monotonic() + self.skipped

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Let time pass at once, here and there."""
        if stop.is_set():
            raise StoppedError
        if seconds > 0:
            self.skip(seconds)

    def skip(self, seconds: float) -> None:
        """Let time pass at once, here and there."""
        with self._lock:
            self.skipped += seconds
            due = math.ceil(self.skipped) - self._told
            if due > 0:
                self._advance(due)
                self._told += due


class Points:
    """The crash points that a run passes.

    Args:
        crash_at: The number of the one to crash at, from 0; None to record them all.

    Attributes:
        names: Those passed, in order.
        approvals: Ids of the writes for which the DMS wanted an approval first.
        lasting: For each whether something has happened just before it that outlasts a crash.
        crashed: Whether it has crashed.
    """

    def __init__(self, crash_at: int | None = None) -> None:
        self.names: list[str] = []
        self.lasting: list[bool] = []
        self.approvals: set[int] = set()
        self.crashed = False
        self._crash_at = crash_at
        self._journal: Journal | None = None
        self._lock = threading.RLock()

    def watch(self, journal: Journal) -> None:
        """Begin to count; the journal loses what is not committed when it crashes."""
        self._journal = journal

    def different(self) -> list[int]:
        """List the points that differ in what outlasts a crash, the last of each that do not."""
        return [number for number, lasts in enumerate([*self.lasting[1:], True]) if lasts]

    def __call__(self, name: str, *, lasts: bool = False) -> None:
        """Pass a point, or crash there."""
        with self._lock:
            if self._journal is None:
                return
            if self.crashed:
                raise Crash
            number = len(self.names)
            self.names.append(name)
            self.lasting.append(lasts)
            if number == self._crash_at:
                self.crashed = True
                self._journal.abandon()
                raise Crash

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Have everything that lasts be a point."""
        with contextlib.ExitStack() as stack:
            for owner, names in WATCHED.items():
                for name in names:
                    inner = getattr(owner, name)
                    stack.enter_context(mock.patch.object(owner, name, self._after(name, inner)))
            yield

    def _after(self, name: str, inner: Callable[..., t.Any]) -> Callable[..., t.Any]:
        @functools.wraps(inner)
        def wrapped(*args: t.Any, **options: t.Any) -> t.Any:  # noqa: ANN401 - any method
            before = _on_disk(args[0])
            result = inner(*args, **options)
            lasts = name not in READING and (name != "flush" or _on_disk(args[0]) != before)
            if name == "change":
                if args[2] is State.WAITING_APPROVAL:
                    self.approvals.add(args[1])
                self(f"change {args[2]}", lasts=lasts)
            else:
                self(name, lasts=lasts)
            return result

        return wrapped


@dataclasses.dataclass(slots=True)
class Yard:
    """A sandbox for many trials, one after the other.

    Attributes:
        dealer: The sandbox.
        folder: For journals.
        settings: Of the target, for this sandbox.
        clock: That moves here and there.
        template: A journal that has delivered something of each object; None before `warm_up`.
        vins: Of vehicles that are for sale.
        known: What it has delivered.
        heard: The sandbox's history of that.
    """

    dealer: Dealership
    folder: Path
    settings: dict[str, t.Any]
    clock: LinkedClock
    vins: list[str]
    template: Path | None = None
    known: list[Fed] = dataclasses.field(default_factory=list)
    heard: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    _numbers: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    @classmethod
    def at(cls, dealer: Dealership, folder: Path, **settings: t.Any) -> Yard:  # noqa: ANN401 - settings
        """Make one at a sandbox, with these settings beside the defaults."""
        defaults = {name: facts.get("default") for name, facts in TARGET_SETTINGS.items()}
        own = dealer.settings(
            overlap_seconds=None, requests_per_second=1_000_000, cooldown_seconds=1, **settings
        )
        clock = LinkedClock(lambda seconds: dealer.control("clock", {"advance": seconds}))
        vins = [v["vin"] for v in dealer.records("vehicles") if v["status"] == "in_stock"]
        return cls(dealer, folder, defaults | own, clock, vins)

    @classmethod
    @contextlib.contextmanager
    def open(cls, folder: Path, keys: Keys) -> Iterator[Yard]:
        """Serve a sandbox, and deliver something to it.

        Args:
            folder: For journals.
            keys: What the sandbox does with idempotency keys.
        """
        with dealership(folder, *WORLD, "--idempotency", keys) as dealer:
            yard = cls.at(dealer, folder, idempotency_honoured=keys, request_timeout_seconds=1)
            yard.warm_up(Feed(20, 1, yard.vins, "warm").records)
            yield yard

    def warm_up(self, fed: Sequence[Fed]) -> None:
        """Deliver something of each object: from then on trials look nothing up beforehand."""
        since = self.dealer.stats()["lastSeq"]
        trial = self.trial(fed)
        trial.carry_out()
        self.known, self.heard = list(fed), self.history(since)
        self.template = trial.journal

    def trial(self, fed: Sequence[Fed], *, fresh: bool = False) -> Trial:
        """Begin a trial.

        Args:
            fed: Its input.
            fresh: Whether with a journal that knows nothing.
        """
        journal = self.folder / f"{next(self._numbers)}.db"
        if self.template is not None and not fresh:
            shutil.copy(self.template, journal)
        since = int(self.dealer.stats()["lastSeq"])
        return Trial(self, fed, journal, since)

    def history(self, since: int) -> list[dict[str, t.Any]]:
        """Return what has happened since an entry."""
        entries: list[dict[str, t.Any]] = self.dealer.control(f"history?since={since}")
        return entries


@dataclasses.dataclass(slots=True)
class Trial:
    """Runs on one journal with one input, until all of it is delivered.

    Attributes:
        yard: Where.
        fed: The input.
        journal: Of this trial.
        since: Length of the sandbox's history before it.
        state: The last STATE that was written: how many records it stands for.
        early: Records that a STATE stood for before they were settled.
        errors: What ended runs that did not crash.
        settings: Beside the yard's.
        racing: Whether the worker starts with the first record instead of after the last.
    """

    yard: Yard
    fed: Sequence[Fed]
    journal: Path
    since: int
    state: int = 0
    early: list[Key] = dataclasses.field(default_factory=list)
    errors: list[str] = dataclasses.field(default_factory=list)
    settings: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    racing: bool = False
    _passed: set[int] = dataclasses.field(default_factory=set)

    def carry_out(self, *crashes: int) -> Points:
        """Run until everything is delivered, crashing at the given points, one in each run.

        Returns:
            The points of the last run.
        """
        for number in itertools.count():
            points = Points(crashes[number] if number < len(crashes) else None)
            whole = self._run(points)
            self._passed |= points.approvals
            if number >= len(crashes) and whole and not self._open():
                return points
            if number >= len(crashes) + RUNS:
                msg = f"not done after {number} runs: {self.errors}"
                raise AssertionError(msg)
        raise AssertionError  # it counts without end

    def crash(self, number: int) -> None:
        """Run once, and crash at a point."""
        self._run(Points(number))

    def lose_journal(self) -> None:
        """Begin anew without journal and STATE."""
        for path in self.journal.parent.glob(f"{self.journal.name}*"):
            path.unlink()
        self.state = 0

    def verdict(self) -> Verdict:
        """Judge it."""
        history = [*self.yard.heard, *self.yard.history(self.since)]
        return judge([*self.yard.known, *self.fed], history, self.journal)

    def _run(self, points: Points) -> bool:
        """Run once.

        Returns:
            Whether it has reached its end.
        """
        values = self.yard.settings | self.settings | {"journal_path": str(self.journal)}
        api = ApiConfig.from_settings(values, program="target-automate")
        gate = threading.Event()
        if self.racing:
            gate.set()
        try:
            with (
                points.in_place(),
                _held(gate),
                open_run(
                    api,
                    values,
                    stop=threading.Event(),
                    clock=self.yard.clock,
                    probe=points,
                    workers=1,
                ) as run,
            ):
                points.watch(run.journal)
                try:
                    self._feed(run, points, gate)
                finally:
                    gate.set()
        except Crash:
            return False
        except AutomateError as error:
            if not points.crashed:
                self.errors.append(str(error))
            return False
        return not points.crashed

    def _feed(self, run: Run, points: Points, gate: threading.Event) -> None:
        run.recover()
        for number in range(self.state, len(self.fed)):
            stream, record = self.fed[number]
            run.take(by_object(stream), record)
            run.state(number + 1)
            self._pass_state(run, points)
        gate.set()
        run.finish(lambda: None)
        # What waits at the end of a run, or is rejected for its customer, is passed by its STATE,
        # and may be tried again by the next.
        held = {State.WAITING_PARENT, State.WAITING_APPROVAL, State.REJECTED}
        self._passed |= {intent.id for intent in run.journal.having(held)}
        self._pass_state(run, points)

    def _pass_state(self, run: Run, points: Points) -> None:
        value = run.passed_state()
        if value is not NOTHING:
            self.state = value
            self.early += unsettled(self.fed[:value], self.journal, self._passed | points.approvals)
            points("STATE written", lasts=True)

    def _open(self) -> bool:
        with read_journal(self.journal) as journal:
            return any(state in OPEN for _, state in journal.counts())


def _on_disk(owner: object) -> int:
    """Tell up to which of its changes a journal is durable; 0 for anything else."""
    return owner._durable if isinstance(owner, Journal) else 0  # noqa: SLF001 - it tells nobody else


@contextlib.contextmanager
def _held(gate: threading.Event) -> Iterator[None]:
    """Keep the worker from its work until a gate opens, so that a run is the same each time."""
    inner = Courier.work_on

    def work_on(self: Courier, intent_id: int) -> t.Any:  # noqa: ANN401 - as the original's
        gate.wait()
        return inner(self, intent_id)

    with mock.patch.object(Courier, "work_on", work_on):
        yield


def struck(dealer: Dealership, rule: Rule, path: str = "*") -> None:
    """Have a fault strike the next write, and drop all others."""
    dealer.control("reset-faults", {})
    if rule:
        dealer.faults({**rule, "match": {"method": "POST", "path": path}, "count": 1})
