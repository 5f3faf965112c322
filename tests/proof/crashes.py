"""Trials of target-automate inside this process: one input, crashes, a verdict."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import shutil
import threading
import typing as t
from unittest import mock

from support.dealership import dealership

from automate_api.config import ApiConfig
from automate_api.errors import AutomateError
from proof.checker import Verdict, judge, unsettled
from proof.fates import unfinished
from proof.feed import Feed
from proof.kinds import VEHICLES
from proof.linked_clock import LinkedClock
from proof.locks import refused_for_approval, strikes
from proof.points import Crash, Points
from proof.showroom import Showroom
from target_automate.config import TARGET_SETTINGS
from target_automate.journal.file import read_journal
from target_automate.journal.intents import OPEN, State
from target_automate.running.run import open_run
from target_automate.running.watermark import NOTHING
from target_automate.sending.courier import Courier
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from support.dealership import Dealership

    from proof.campaign import Keys
    from proof.faults import Rule
    from proof.kinds import Key
    from proof.stories import Fed
    from target_automate.running.run import Run

WORLD: t.Final = ("--vehicles", "20", "--days", "3", "--mfa-type", "none")
COOLDOWN_SECONDS: t.Final = 2
"""The sandbox's clock moves by whole seconds: of these, one at least has passed there."""
RUNS: t.Final = 12
"""Runs after which a trial that has not come to its end is given up."""


@dataclasses.dataclass(slots=True)
class Yard:
    """A sandbox for many trials, one after the other.

    Attributes:
        dealer: The sandbox.
        folder: For journals.
        settings: Of the target, for this sandbox.
        clock: That moves here and there.
        template: A journal that has delivered something of each object; None before `warm_up`.
        showroom: Vehicles that are for sale.
        known: What it has delivered.
        heard: The sandbox's history of that, and of its vehicles.
    """

    dealer: Dealership
    folder: Path
    settings: dict[str, t.Any]
    clock: LinkedClock
    showroom: Showroom
    template: Path | None = None
    known: list[Fed] = dataclasses.field(default_factory=list)
    heard: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    _numbers: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    @classmethod
    def at(cls, dealer: Dealership, folder: Path, **settings: t.Any) -> Yard:  # noqa: ANN401 - settings
        """Make one at a sandbox, with these settings beside the defaults."""
        defaults = {name: facts.get("default") for name, facts in TARGET_SETTINGS.items()}
        own = dealer.settings(
            overlap_seconds=None,
            requests_per_second=1_000_000,
            cooldown_seconds=COOLDOWN_SECONDS,
            **settings,
        )
        clock = LinkedClock(lambda seconds: dealer.control("clock", {"advance": seconds}))
        return cls(dealer, folder, defaults | own, clock, Showroom(dealer))

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
            yard.warm_up(Feed(10, 1, yard.showroom, "warm", folder).records)
            yield yard

    def warm_up(self, fed: Sequence[Fed]) -> None:
        """Deliver something of each object: from then on trials look nothing up beforehand."""
        trial = self.trial(fed)
        trial.carry_out()
        self.known = list(fed)
        self.heard = [
            entry
            for entry in self.history(0)
            if entry["stream"] == VEHICLES or entry["seq"] > trial.since
        ]
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
        losses: Deals that a manager has to approve, which happens after each run.
        pressed: Requests refused for want of an approval, beyond one a run and deal.
        rival: Changes what the trial writes, at a step of its first write; None when nobody does.
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
    losses: int = 0
    pressed: int = 0
    rival: tuple[str, Callable[[], None]] | None = None
    racing: bool = False
    _passed: set[int] = dataclasses.field(default_factory=set)

    def carry_out(self, *crashes: int) -> Points:
        """Run until everything is delivered, crashing at the given points, one in each run.

        Returns:
            The points of the last run.
        """
        for number in itertools.count():
            points = Points(crashes[number] if number < len(crashes) else None, self._heed)
            whole = self._run(points)
            self._passed |= points.approvals
            if self.losses:
                self._approve()
            if number >= len(crashes) and whole and not self._open():
                return points
            if number >= len(crashes) + RUNS:
                msg = f"not done after {number} runs: {self.errors}"
                raise AssertionError(msg)
        raise AssertionError  # it counts without end

    def prepare(self, fed: Sequence[Fed]) -> None:
        """Deliver records before the trial begins, of which it then has to know."""
        wanted, self.fed = self.fed, fed
        self.carry_out()
        self.fed = [*fed, *wanted]

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
        vins = {record["vin"] for _, record in self.fed if "vin" in record}
        arrivals = self.yard.showroom.arrivals
        came = [arrivals[vin] for vin in vins & arrivals.keys()]
        before = [entry for entry in came if entry["seq"] <= self.since]
        history = [*self.yard.heard, *before, *self.yard.history(self.since)]
        return judge([*self.yard.known, *self.fed], history, self.journal)

    def _run(self, points: Points) -> bool:
        """Run once, and count what is refused meanwhile for want of an approval."""
        if not self.losses:
            return self._run_once(points)
        before = self.yard.dealer.stats()
        whole = self._run_once(points)
        after = self.yard.dealer.stats()
        refused = refused_for_approval(after) - refused_for_approval(before)
        # Where an answer was spoiled it may be asked for once more.
        spoiled = strikes(after) - strikes(before)
        self.pressed += max(0, refused - self.losses - spoiled)
        return whole

    def _run_once(self, points: Points) -> bool:
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
        # and may be tried again by the next; and so is what comes behind it.
        held = {State.WAITING_PARENT, State.WAITING_APPROVAL, State.REJECTED}
        waiting = list(run.journal.having(held))
        lanes = {intent.lane for intent in waiting if intent.state is not State.REJECTED}
        behind = (intent for intent in run.journal.having(OPEN) if intent.lane in lanes)
        self._passed |= {intent.id for intent in (*waiting, *behind)}
        self._pass_state(run, points)

    def _pass_state(self, run: Run, points: Points) -> None:
        value = run.passed_state()
        if value is not NOTHING:
            self.state = value
            self.early += unsettled(self.fed[:value], self.journal, self._passed | points.approvals)
            points("STATE written", lasts=True)

    def _heed(self, name: str) -> None:
        """Let a rival act at the first step of its name."""
        if self.rival is not None and name == self.rival[0]:
            (_, act), self.rival = self.rival, None
            act()

    def _approve(self) -> None:
        """Approve what waits for it."""
        with read_journal(self.journal) as journal:
            waits = any(True for _ in journal.having({State.WAITING_APPROVAL}))
        for deal in self.yard.dealer.records("deals") if waits else ():
            if deal["gross"]["total"] < 0:
                self.yard.dealer.control("approve", {"dealId": deal["dealId"]})

    def _open(self) -> bool:
        with read_journal(self.journal) as journal:
            return bool(unfinished(journal))


@contextlib.contextmanager
def _held(gate: threading.Event) -> Iterator[None]:
    """Keep the worker from its work until a gate opens, so that a run is the same each time."""
    inner = Courier.work_on

    def work_on(self: Courier, intent_id: int) -> t.Any:  # noqa: ANN401 - as the original's
        gate.wait()
        return inner(self, intent_id)

    with mock.patch.object(Courier, "work_on", work_on):
        yield


def struck(dealer: Dealership, rule: Rule, path: str = "*", method: str = "POST") -> None:
    """Have a fault strike the next write, and drop all others."""
    dealer.control("reset-faults", {})
    if rule:
        dealer.faults({**rule, "match": {"method": method, "path": path}, "count": 1})
