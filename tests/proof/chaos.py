"""`make chaos`: writes by the thousand, faulty requests, SIGKILLs, and a verdict in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import click
from support.dealership import Dealership, dealership

from proof import faults
from proof.campaign import Campaign, GaveUpError, Keys
from proof.feed import Feed
from proof.locks import refused_for_approval
from proof.showroom import Showroom

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from proof.checker import Verdict

FAULTY: t.Final = 0.05
"""Share of the requests that meet a fault."""
WARM_UP: t.Final = 12
"""Creates of a first quiet run; after it the target relies on its journal and looks nothing up."""
SHOWN: t.Final = 5
"""Things that are named where a verdict is bad."""

WORLD: t.Final = ("--vehicles", "60", "--days", "5", "--mfa-type", "none", "--max-failures", "1000")
SETTINGS: t.Final = {
    "overlap_seconds": None,
    "workers": 16,
    "requests_per_second": 100_000,
    "cooldown_seconds": 1,
    "request_timeout_seconds": 1,
    "max_wait_seconds": 60,
    "max_reject_percent": 100,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What a campaign came to.

    Attributes:
        verdict: At the end.
        parked: Records parked, before they were settled.
        kills: SIGKILLs.
        runs: Runs of target-automate.
        pressed: Requests refused for want of an approval, beyond one a run and deal.
    """

    verdict: Verdict
    parked: int
    kills: int
    runs: int
    pressed: int

    @property
    def line(self) -> str:
        """The last line."""
        found = self.verdict
        return (
            f"created {len(found.created)} lost {len(found.lost)} "
            f"duplicated {len(found.duplicated)} parked {self.parked} kills {self.kills} "
            f"changed {len(found.changed)} backwards {len(found.backwards)} "
            f"misordered {len(found.misordered)}"
        )

    def problems(self, keys: Keys) -> list[str]:
        """Name what should not be.

        Args:
            keys: What the server did with them.
        """
        found: dict[str, list[t.Any]] = {
            **self.verdict.faults,
            "rejected": self.verdict.rejected,
            "open": self.verdict.open,
            "parked at the end": sorted(self.verdict.parked),
        }
        problems = [
            f"{len(things)} {name}: {', '.join(map(str, things[:SHOWN]))}"
            for name, things in found.items()
            if things
        ]
        if self.pressed:
            problems.append(f"{self.pressed} requests too many for want of an approval")
        if self.parked and keys == "honoured":
            problems.append(f"{self.parked} parked although keys are honoured")
        return problems


def campaign(  # noqa: PLR0913 - the options of the command
    folder: Path, *, creates: int, kills: int, seed: int, keys: Keys, warm_up: bool = True
) -> Outcome:
    """Feed a DMS that fails, through a target that is killed, and judge.

    Args:
        folder: For journal, settings and logs.
        creates: Customers, deals, appointments, repair orders and files.
        kills: SIGKILLs.
        seed: Decides the feed, the world with its faults, and which moments are tried for kills.
        keys: What the server does with idempotency keys; the target is told.
        warm_up: Whether a quiet run comes first. Without it every create is looked up before it is
            sent, which hides what the keys do.

    Raises:
        GaveUpError: When it does not come to its end.
    """
    with _dealer(folder, seed, keys) as dealer:
        journal = folder / "journal.db"
        config = dealer.config(
            "target", journal_path=str(journal), idempotency_honoured=keys, **SETTINGS
        )
        showroom = Showroom(dealer)
        rng = random.Random(f"kills/{seed}")  # noqa: S311 - no secret
        feed = Feed(creates, seed, showroom, folder=folder)
        losses = feed.losses
        if warm_up:
            first = Feed(WARM_UP, seed, showroom, "first", folder)
            losses += first.losses
            Campaign(dealer, first, config, journal, 0, rng).carry_out()
            feed.records[:0] = first.records
        chaos = Campaign(dealer, feed, config, journal, kills, rng)
        dealer.faults(*faults.chaos(FAULTY))
        chaos.carry_out()
        _tell_faults(dealer)
        pressed = refused_for_approval(dealer.stats()) - chaos.runs * losses
        dealer.control("reset-faults", {})
        verdict = chaos.verdict()
        parked = len(verdict.parked)
        if parked and keys == "ignored":
            chaos.settle()
            chaos.carry_out()
            verdict = chaos.verdict()
        return Outcome(verdict, parked, chaos.killed, chaos.runs, max(0, pressed))


@contextlib.contextmanager
def _dealer(folder: Path, seed: int, keys: Keys) -> Iterator[Dealership]:
    echo = () if seed % 2 else ("--no-external-id-echo",)
    with dealership(folder, *WORLD, "--seed", str(seed), "--idempotency", keys, *echo) as running:
        yield running


def _tell_faults(dealer: Dealership) -> None:
    stats = dealer.stats()
    strikes: dict[str, int] = {}
    for rule in stats["faults"]:
        strikes[rule["kind"]] = strikes.get(rule["kind"], 0) + rule["strikes"]
    told = {"requests": stats["requests"], "faults": strikes, "keys": stats["keys"]}
    sys.stderr.write(json.dumps(told) + "\n")


@click.command()
@click.option("--creates", type=click.IntRange(1), default=2000, show_default=True)
@click.option("--kills", type=click.IntRange(0), default=30, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--keys", type=click.Choice(t.get_args(Keys)), default="honoured", show_default=True)
@click.option("--warm-up/--no-warm-up", default=True, show_default=True)
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Keeps journal and log in a new one there."
)
def main(folder: Path | None, **options: t.Any) -> None:  # noqa: ANN401 - what click read
    """Push what makes CREATES things, and their changes, into a sandbox that fails.

    5 % of the requests meet a fault: cut before, during or after the answer, 5xx before or after
    processing, late, queued, throttled, unreadable, expired; and so do the files on their way.
    target-automate is a process that is ended with SIGKILL at KILLS random moments and started
    again from the last STATE that it wrote. Deals are led to their delivery or to nothing, now and
    then with a loss that a manager approves later; prices, photos, appointments, repair orders
    change.

    The last line is `created N lost N duplicated N parked N kills N changed N backwards N
    misordered N`, read from the sandbox's history and the journal alone. created: things of the
    feed that the DMS has. lost: things and changes that it never had. duplicated: records too many,
    and changes that were carried out twice. parked: writes that were left to a person since nobody
    could know their outcome. With --keys ignored these are settled at the end by the one command
    `automate-dms push parked settle --all --resend`, and everything else is counted after it.
    changed: changes of the feed that the DMS has, or had before a later one. backwards: statuses
    that went back. misordered: writes that came before an earlier one of the same record.

    A quiet run of a few records, counted among the created, comes first. An odd SEED has a DMS that
    gives back the externalId of appointments, an even one does not.

    Exit code 0 when nothing is lost, duplicated, stale, misplaced, backwards, misordered or left
    open, nothing was sent on and on that waits for an approval, and with keys honoured nothing is
    parked; else 1, with what is wrong on stderr.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=folder))
        started = time.monotonic()
        try:
            outcome = campaign(folder, **options)
        except GaveUpError as error:
            sys.stderr.write(f"Given up: {error}\n")
            sys.exit(1)
        seconds = time.monotonic() - started
        sys.stderr.write(f"{outcome.runs} runs in {seconds:.0f} s\n")
        problems = outcome.problems(options["keys"])
        for problem in problems:
            sys.stderr.write(f"{problem}\n")
        sys.stdout.write(f"{outcome.line}\n")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
