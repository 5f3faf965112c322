"""Runs target-automate again and again, killed at random moments, until all is delivered."""

from __future__ import annotations

import dataclasses
import sys
import time
import typing as t

import requests
from support.dealership import run

from automate_api.errors import EXIT_AUTHENTICATION, EXIT_TRY_LATER, EXIT_UNSETTLED
from proof.checker import Verdict, judge
from proof.fates import unfinished
from proof.kinds import DEALS
from proof.pusher import Pusher
from target_automate.journal.file import read_journal
from target_automate.journal.intents import State

if t.TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from support.dealership import Dealership

    from proof.feed import Feed

Keys: t.TypeAlias = t.Literal["honoured", "ignored"]

LOOK_SECONDS: t.Final = 0.02
"""Between two looks at how far the DMS is."""
PROGRESS_SECONDS: t.Final = 10.0
IDLE_RUNS: t.Final = 25
"""Runs in a row that bring nothing forward, after which a campaign is given up."""
IDLE_SECONDS: t.Final = 180.0
"""The same, within one run."""
START_SHARE: t.Final = 0.15
"""Of the kills: so many strike by the time since the start, whatever the run is doing then."""
START_SECONDS: t.Final = 1.0
HASTE: t.Final = 0.85
"""The kills come a little sooner than evenly, so that the feed is not over before the last one."""
REPLAYED: t.Final = 2000
"""Records that are fed once more where the feed is over before the last kill."""
APPROVAL_SHARE: t.Final = 0.2
"""Of the runs: after so many a manager approves what waits."""
HISTORY_PAGE: t.Final = 10_000
EXPECTED: t.Final = frozenset({0, 1, EXIT_AUTHENTICATION, EXIT_TRY_LATER, EXIT_UNSETTLED})
"""Exit codes after which a further run is the way on.

A list answered with nonsense is a 1; sessions that are killed twice within one request are a 5.
"""


class GaveUpError(Exception):
    """The campaign does not come to its end."""


@dataclasses.dataclass(slots=True)
class Campaign:
    """A feed on its way into the DMS.

    Attributes:
        dealer: The sandbox, with its faults.
        feed: What is fed.
        config: Of target-automate.
        journal: Its journal's path.
        kills: How many SIGKILLs there are to be.
        rng: Chooses their moments.
        killed: How many there were.
        runs: Runs, killed ones included.
        state: The last STATE that was written.
        approved: Ids of the deals that a manager has approved.
    """

    dealer: Dealership
    feed: Feed
    config: Path
    journal: Path
    kills: int
    rng: random.Random
    killed: int = 0
    runs: int = 0
    state: int = 0
    approved: set[str] = dataclasses.field(default_factory=set)
    _over: bool = False
    """Whether the feed was over before the last kill: what comes again is mostly not sent."""
    _told: float = 0.0
    _words: str = ""
    _http: requests.Session = dataclasses.field(default_factory=requests.Session)

    def carry_out(self) -> None:
        """Feed everything, with all kills, then run until nothing is open.

        Raises:
            GaveUpError: When it does not come to its end.
        """
        self._http.trust_env = False
        idle, last = 0, (0, 0, 0)
        while True:
            ended = self._run(self._moment() if self.killed < self.kills else None)
            whole = ended and self.state == len(self.feed.records)
            self._over |= whole
            if whole and self.killed < self.kills:
                self.state = max(0, self.state - self.rng.randrange(REPLAYED))
            elif whole and not self._open():
                return
            if whole or self.rng.random() < APPROVAL_SHARE:
                self._approve()
            progress = (self.state, self.killed, self._sequence())
            idle = 0 if progress > last else idle + 1
            last = max(last, progress)
            if idle > IDLE_RUNS:
                msg = (
                    f"{IDLE_RUNS} runs in a row have brought nothing forward; {self}; {self._words}"
                )
                raise GaveUpError(msg)

    def settle(self) -> None:
        """Settle everything that is parked, with the one command that a person would use.

        Raises:
            GaveUpError: When the command fails.
        """
        done = run(
            "automate-dms", "push", "parked", "settle", "--config", self.config, "--all", "--resend"
        )
        if done.code:
            msg = f"`push parked settle --all --resend` ended with {done.code}: {done.err[-2000:]}"
            raise GaveUpError(msg)

    def verdict(self) -> Verdict:
        """Judge what has come of the feed so far."""
        return judge(self.feed.records, self._history(), self.journal)

    def __str__(self) -> str:
        """Say how far it is."""
        return (
            f"{self.state} of {len(self.feed.records)} records, {self.killed} of {self.kills} "
            f"kills, {self.runs} runs"
        )

    def _moment(self) -> tuple[float, int]:
        """Choose when to kill: after so many seconds, or once the DMS has done so many writes."""
        left = len(self.feed.records) - self.state
        if self._over or not left or self.rng.random() < START_SHARE:
            return self.rng.uniform(0.0, START_SECONDS), 0
        mean = HASTE * left / (self.kills - self.killed)
        return self.rng.uniform(0.0, 2 * LOOK_SECONDS), 1 + int(self.rng.expovariate(1 / mean))

    def _run(self, moment: tuple[float, int] | None) -> bool:
        """Run once.

        Args:
            moment: To kill it at; None to let it be.

        Returns:
            Whether it has ended by itself.
        """
        self.runs += 1
        sequence = self._sequence()
        pusher = Pusher(self.config, self.feed, self.state, self.journal.with_name("log.txt"))
        moved = time.monotonic()
        killed = False
        if moment is not None and not moment[1]:
            killed = not pusher.ended(moment[0])
        while not killed and not pusher.ended(LOOK_SECONDS):
            self._tell()
            now = self._sequence()
            if moment is not None and moment[1] and now - sequence >= moment[1] * 2:
                killed = not pusher.ended(moment[0])
            if now != sequence and moment is None:
                sequence, moved = now, time.monotonic()
            if time.monotonic() - moved > IDLE_SECONDS:
                pusher.kill()
                pusher.close()
                msg = f"a run stands still; {self}; {pusher.last_words()}"
                raise GaveUpError(msg)
        if killed:
            pusher.kill()
        code = pusher.close()
        self._words = pusher.last_words()
        self.state = max(self.state, pusher.state)
        self.killed += killed
        if not killed and code not in EXPECTED:
            msg = f"target-automate ended with {code}: {self._words}"
            raise GaveUpError(msg)
        return not killed and code in {0, EXIT_UNSETTLED}

    def _open(self) -> int:
        with read_journal(self.journal) as journal:
            return unfinished(journal)

    def _approve(self) -> None:
        """Approve the deals that the DMS wants an approval of."""
        with read_journal(self.journal) as journal:
            for intent in journal.having({State.WAITING_APPROVAL}):
                reference = intent.payload.get("dealReferenceId", "")
                deal = journal.acked(DEALS, journal.seal.digest(DEALS, reference))
                if deal is not None and deal.dms_id not in self.approved:
                    self.approved.add(str(deal.dms_id))
                    self.dealer.control("approve", {"dealId": deal.dms_id})

    def _sequence(self) -> int:
        """Tell how long the DMS's history is: two entries for a write."""
        url = f"{self.dealer.facts['control_url'].rstrip('/')}/stats"
        return int(self._http.get(url, timeout=60).json()["lastSeq"])

    def _history(self) -> Iterator[dict[str, t.Any]]:
        since = 0
        while page := self.dealer.control(f"history?since={since}&limit={HISTORY_PAGE}"):
            yield from page
            since = page[-1]["seq"]

    def _tell(self) -> None:
        if time.monotonic() - self._told > PROGRESS_SECONDS:
            self._told = time.monotonic()
            sys.stderr.write(f"{self}\n")
