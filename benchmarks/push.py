"""How fast target-automate pushes, beside a plain target of the Singer SDK: `make bench-push`.

Both are whole processes that read the same lines from a file, the slower ones fewer of them, and
write to one sandbox process. Each run of ours is paired with one of the plain target's right before
it. What starting up takes is measured with a single record and taken off: records a second and
processor time are those of the records after the first. The journal is a new file in each run, and
every write is on the disk before it is sent. Deals go into a journal that knows their customers.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import typing as t
from pathlib import Path

import click
from rich.console import Console

from benchmarks import feed, processes
from benchmarks.figures import Cell, Sample, missed, table
from benchmarks.processes import RunFailedError
from benchmarks.server import BIN, Server, serve

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.feed import Lines
    from benchmarks.processes import Took

LATENCIES: t.Final = (0, 50, 150)
WORKERS: t.Final = (1, 2, 4, 8, 16, 32)
QUICK_WORKERS: t.Final = (1, 16, 32)
CEILING_SECONDS: t.Final = 2.0
MOST_RATE: t.Final = 800.0
"""Records a second that are expected at most, to tell how many make a run as long as asked for."""
OWN_SECONDS: t.Final = 0.003
"""The same for what a record takes beside the latency."""
PLAIN_SHARE: t.Final = 0.5
"""Of the time of a run of ours, for that of the plain target."""
LEAST_RECORDS: t.Final = 20
PARENTS: t.Final = 100
"""Customers that the deals refer to."""
DEAL_WORKERS: t.Final = 16


class Bench:
    """The programs, their configurations and their input, in a folder.

    Args:
        server: To write to.
        folder: For all files.
        seconds: That a run should take.
        records: Of every run instead, when given.
    """

    def __init__(
        self, server: Server, folder: Path, *, seconds: float, records: int | None
    ) -> None:
        self._server = server
        self._folder = folder
        self._seconds = seconds
        self._records = records
        self._runs = 0
        self._vin = server.vehicle()
        self._starts: dict[tuple[str, int], Took] = {}
        self._plain_config = folder / "plain.json"
        settings = {"url": server.base_url, "token": server.token}
        self._plain_config.write_text(json.dumps(settings))
        self._used = folder / "used" / "journal.db"

    def prepare(self) -> None:
        """Fill a journal with customers and a deal, as an earlier run leaves it."""
        customers = [feed.customer(number) for number in range(PARENTS)]
        lines = feed.write(self._folder / "parents", "customers", "externalId", customers)
        self._push(lines, self._used, DEAL_WORKERS)
        self._push(self._deals(1), self._used, DEAL_WORKERS)

    def start(self, latency: int) -> None:
        """Measure what starting up takes, for the runs that follow at this latency."""
        customers, deals = self._customers(1), self._deals(1)
        self._starts = {
            ("plain", latency): self._post_plainly(customers),
            ("customers", latency): self._push(customers, self._new_journal(), 1),
            ("deals", latency): self._push(deals, self._new_journal(used=True), 1),
        }

    def plain(self, latency: int) -> Sample:
        """Run the plain target on customers."""
        count = self._records or self._fitting(latency, 1, self._seconds * PLAIN_SHARE)
        return self._sample("plain", latency, count, self._post_plainly(self._customers(count)))

    def ours(self, stream: str, latency: int, workers: int) -> Sample:
        """Run target-automate."""
        count = self._records or self._fitting(latency, workers, self._seconds)
        if stream == "deals":
            took = self._push(self._deals(count), self._new_journal(used=True), workers)
        else:
            took = self._push(self._customers(count), self._new_journal(), workers)
        return self._sample(stream, latency, count, took)

    def _sample(self, program: str, latency: int, count: int, took: Took) -> Sample:
        start = self._starts[program, latency]
        more = count - 1
        rate, cpu = more / (took.wall - start.wall), 100 * (took.cpu - start.cpu) / more
        return Sample(count, rate, cpu, took.rss)

    def _post_plainly(self, lines: Lines) -> Took:
        command = [sys.executable, "-m", "benchmarks.plain_sink", "--config"]
        return self._run([*command, str(self._plain_config)], lines)

    def _push(self, lines: Lines, journal: Path, workers: int) -> Took:
        settings = {
            name: value
            for name, value in self._server.settings.items()
            if name != "overlap_seconds"  # the tap's
        }
        settings |= {
            "journal_path": str(journal),
            "workers": workers,
            "requests_per_second": 1_000_000,
        }
        config = self._folder / "target.json"
        config.write_text(json.dumps(settings))
        command = [str(BIN / "target-automate"), "--config", str(config)]
        return self._run(command, lines)

    def _run(self, command: Sequence[str], lines: Lines) -> Took:
        before = self._server.writes(lines.stream)
        took = processes.run(command, lines.path, self._folder)
        arrived = self._server.writes(lines.stream) - before
        if arrived != lines.count:
            msg = f"{command[0]} sent {arrived} writes for {lines.count} records"
            raise RunFailedError(msg)
        return took

    def _new_journal(self, *, used: bool = False) -> Path:
        shutil.rmtree(self._folder / "journal", ignore_errors=True)
        journal = self._folder / "journal" / "journal.db"
        if used:
            shutil.copytree(self._used.parent, journal.parent)
        return journal

    def _fitting(self, latency: int, workers: int, seconds: float) -> int:
        """Tell how many records take about so many seconds."""
        rate = min(MOST_RATE, workers / (latency / 1000 + OWN_SECONDS))
        return max(LEAST_RECORDS, int(rate * seconds))

    def _customers(self, count: int) -> Lines:
        records = [feed.customer(number) for number in range(count)]
        return feed.write(self._folder / "customers", "customers", "externalId", records)

    def _deals(self, count: int) -> Lines:
        self._runs += 1
        run = str(self._runs)
        records = [feed.deal(number, PARENTS, run, self._vin) for number in range(count)]
        return feed.write(self._folder / "deals", "deals", "referenceId", records)


def measure(
    bench: Bench, latencies: Sequence[int], workers: Sequence[int], rounds: int, server: Server
) -> list[Cell]:
    """Measure everything, in pairs and round by round.

    Args:
        bench: Runs the programs.
        latencies: Of each answer, milliseconds.
        workers: Of target-automate.
        rounds: How often.
        server: Told of the latency.
    """
    cells = [
        Cell(stream, latency, count)
        for latency in latencies
        for stream, counts in (("customers", workers), ("deals", (DEAL_WORKERS,)))
        for count in counts
    ]
    for number in range(rounds):
        for latency in latencies:
            server.delay(latency)
            bench.start(latency)
            for cell in cells:
                if cell.latency != latency:
                    continue
                if cell.stream == "customers":
                    cell.plain.append(bench.plain(latency))
                cell.ours.append(bench.ours(cell.stream, latency, cell.workers))
            click.echo(f"round {number + 1} of {rounds}: {latency} ms done", err=True)
    return cells


@click.command()
@click.option("--latency", "latencies", multiple=True, type=int, help="ms; may be repeated.")
@click.option("--workers", multiple=True, type=click.IntRange(1, 32), help="May be repeated.")
@click.option("--records", type=click.IntRange(2), help="Of every run, instead of --seconds.")
@click.option("--seconds", type=float, default=5.0, show_default=True, help="About, a run.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--quick", is_flag=True, help="One short round with few workers, below a minute.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for the figures.")
def main(  # noqa: PLR0913 - the options
    *,
    latencies: tuple[int, ...],
    workers: tuple[int, ...],
    records: int | None,
    seconds: float,
    rounds: int,
    quick: bool,
    out: Path | None,
) -> None:
    """Measure target-automate beside a plain target; exit 1 when it is too slow."""
    if quick:
        rounds, seconds = 1, 1.5
        workers = workers or QUICK_WORKERS
    with tempfile.TemporaryDirectory() as name, serve(Path(name)) as server:
        ceiling = server.ceiling(CEILING_SECONDS)
        click.echo(f"The server takes {ceiling:,.0f} writes a second.")
        bench = Bench(server, Path(name), seconds=seconds, records=records)
        bench.prepare()
        cells = measure(bench, latencies or LATENCIES, workers or WORKERS, rounds, server)
    Console(width=None if sys.stdout.isatty() else 110).print(table(cells))
    if out is not None:
        facts = {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
            "rounds": rounds,
            "server_writes_per_second": round(ceiling),
            "cells": [cell.facts() for cell in cells],
        }
        out.write_text(json.dumps(facts, indent=1) + "\n")
    if problems := missed(cells):
        raise click.ClickException("; ".join(problems))


if __name__ == "__main__":
    main()
