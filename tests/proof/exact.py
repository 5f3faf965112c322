"""`make exact`: seeded runs over every page order while rows change, and a verdict in one line.

Most runs are the tap's own windows, harvest and bookmark over a model of the API, killed between
windows, then a quiet run; the usual page-number reader reads the same model. Some are real
processes: tap and loader against a sandbox that changes, killed at a byte, and compared with the
sandbox's own record at the end.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools
import random
import tempfile
import time
import typing as t
from pathlib import Path

import click
from support.compare import differences
from support.dealership import dealership
from support.load import Load, Victim
from support.model import BASE, BOUNDS, ORDERS, ModelApi, ModelTap, read_plainly

from tap_automate.reading.windows import MICROSECONDS, UncertifiableError

WORLD: t.Final = ("--vehicles", "60", "--days", "10", "--mfa-type", "none")
SPAN_SECONDS: t.Final = 90_000
COOLED: t.Final = 3.1
"""Seconds: the cool-down of the sandbox's configuration, and the clocks' whole seconds."""
LIVE: t.Final = 40
"""Changes a second while processes read."""
KILLS: t.Final = 2
MOST_BYTES: t.Final = 400_000
SHOWN: t.Final = 5


@dataclasses.dataclass(slots=True)
class Score:
    """What the runs came to.

    Attributes:
        runs: How many.
        missing: Rows that never came.
        stale: Rows whose last version never came.
        later: Runs that ended with "run again later" before the quiet one.
        plain: Rows of which the plain reader does not have the last version.
    """

    runs: int = 0
    missing: int = 0
    stale: int = 0
    later: int = 0
    plain: int = 0

    def line(self) -> str:
        """The last line."""
        return (
            f"runs {self.runs} missing {self.missing} stale {self.stale} "
            f"plain-reader-missing {self.plain}"
        )


def model_of(seed: int, number: int) -> ModelApi:
    """Make the API of a run; the same numbers make the same one."""
    chance = random.Random(f"{seed}/{number}")  # noqa: S311 - no secret
    return ModelApi(
        seed=chance.randrange(10**9),
        size=chance.randint(20, 400),
        page_size=chance.choice([1, 2, 5, 10, 20]),
        order=ORDERS[number % len(ORDERS)],
        bounds=chance.choice(BOUNDS),
        changes=chance.choice([0.1, 0.3, 1.0, 3.0]),
        granularity=chance.choice([1, 1_000, MICROSECONDS]),
        span_seconds=chance.choice([60, 3_600, 86_400]),
        delay=chance.choice([0, MICROSECONDS]),
    )


def run_model(seed: int, number: int, score: Score) -> None:
    """Read a model while it changes, killed between windows, then quietly, and count."""
    chance = random.Random(f"reading/{seed}/{number}")  # noqa: S311 - no secret
    tap = ModelTap(
        model_of(seed, number),
        start=BASE // MICROSECONDS - SPAN_SECONDS,
        in_flight=chance.choice([1, 2, 4, 16, 32]),
    )
    for _ in range(chance.randint(1, 3)):
        tap.api.pass_time(chance.randint(1, 5))
        windows = chance.choice([None, None, chance.randint(0, 6)])
        try:
            collections.deque(itertools.islice(tap.steps(), windows), maxlen=0)
        except UncertifiableError:
            score.later += 1
    tap.catch_up()
    rows = tap.api.rows
    score.runs += 1
    score.missing += len(rows.keys() - tap.emitted.keys())
    score.stale += sum(tap.emitted[key] != rows[key] for key in rows.keys() & tap.emitted.keys())
    api = model_of(seed, number)
    plainly = read_plainly(api)
    score.plain += sum(plainly.get(key) != updated for key, updated in api.rows.items())


def run_processes(seed: int, number: int, score: Score) -> list[str]:
    """Load from a changing sandbox, killed at random bytes, then quietly, and compare.

    Returns:
        What differs.

    Raises:
        click.ClickException: When the quiet run fails.
    """
    chance = random.Random(f"processes/{seed}/{number}")  # noqa: S311 - no secret
    world = [*WORLD, "--seed", str(chance.randint(1, 10**6))]
    world += ["--page-order", ORDERS[number % len(ORDERS)]]
    if chance.random() < 0.5:
        world.append("--exclusive-bounds")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        dealer = stack.enter_context(dealership(folder, *world))
        load = Load(dealer, folder, page_size=chance.choice([5, 20, 100]))
        dealer.live(LIVE)
        for _ in range(KILLS):
            victim: Victim = chance.choice(t.get_args(Victim))
            load.run(victim, chance.randint(1, MOST_BYTES))
        load.run()
        dealer.live(0)
        time.sleep(COOLED)
        if load.run() != (0, 0):
            msg = f"the quiet run failed:\n{load.log}"
            raise click.ClickException(msg)
        found = differences(dealer, load.warehouse)
    score.runs += 1
    missing = sum(line.endswith(" is missing") for line in found)
    score.missing += missing
    score.stale += len(found) - missing
    return found


@click.command()
@click.option(
    "--runs", type=click.IntRange(1), default=1000, show_default=True, help="Over models."
)
@click.option(
    "--processes", type=click.IntRange(0), default=5, show_default=True, help="Real ones."
)
@click.option("--seed", type=int, default=1, show_default=True)
def main(*, runs: int, processes: int, seed: int) -> None:
    """Show that no row is missed and none is stale; exit 1 when one is."""
    score = Score()
    for number in range(runs):
        run_model(seed, number, score)
    click.echo(f"models: {score.line()}; {score.later} runs ended with 'run again later'")
    for number in range(processes):
        found = run_processes(seed, number, score)
        click.echo(f"processes, order {ORDERS[number % len(ORDERS)]}: {len(found)} differences")
        for line in found[:SHOWN]:
            click.echo(f"  {line}", err=True)
    click.echo(
        "missing: rows that never came; stale: rows whose last version never came; "
        "plain-reader-missing: rows of the models whose last version the usual reader does not have"
    )
    click.echo(score.line())
    if score.missing or score.stale:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
