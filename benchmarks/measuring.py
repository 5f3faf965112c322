"""Runs contestants against a page server, and believes them when they have got every row."""

from __future__ import annotations

import shutil
import typing as t

from benchmarks.contestants import CONTESTANTS, WAREHOUSE, Task
from benchmarks.environments import NotInstalledError, environment
from benchmarks.loaded import check_files, check_lines, check_table
from benchmarks.page_server import serving
from benchmarks.processes import RunFailedError, run_pipeline
from benchmarks.results import Cell, Sample
from benchmarks.vehicles import Vehicles

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.processes import Pipeline
    from benchmarks.sections import Run, Section

SHORT: t.Final = 2_000
"""Rows of the run that tells what starting up takes, and whether the output is right."""
PER: t.Final = 100_000
"""Rows that processor time is told for."""


class Meter:
    """Measures run after run.

    Args:
        folder: For whatever is written.
        say: Takes a line on what happens.
        most_rows: Of every run, fewer than its own.
    """

    def __init__(
        self, folder: Path, say: Callable[[str], None], *, most_rows: int | None = None
    ) -> None:
        self.absent: dict[str, str] = {}
        self._folder = folder
        self._say = say
        self._most_rows = most_rows
        self._proven: set[tuple[str, int, int]] = set()

    def measure(self, section: Section, rounds: int) -> list[Cell]:
        """Measure a section's runs, round by round.

        Args:
            section: What to measure.
            rounds: How often.

        Returns:
            A cell for each run that has a sample; why others have none stands in `absent`.
        """
        cells = [Cell(section.name, section.latency, run) for run in section.runs]
        for number in range(min(rounds, section.rounds)):
            for cell in cells:
                contestant = CONTESTANTS[cell.run.contestant]
                flight = f" ({cell.run.in_flight})" if cell.run.in_flight > 1 else ""
                if contestant.name in self.absent:
                    continue
                try:
                    sample = self._sample(cell.run, section.latency)
                except (NotInstalledError, RunFailedError) as error:
                    self.absent[contestant.name] = str(error)
                    self._say(f"{contestant.label}: {error}")
                    continue
                cell.samples.append(sample)
                self._say(
                    f"{section.name} {number + 1}: {cell.label}{flight}, "
                    f"{sample.rows:,} rows: {sample.rate:,.0f} rows/s"
                )
        return [cell for cell in cells if cell.samples]

    def _sample(self, run: Run, latency: int) -> Sample:
        for name in CONTESTANTS[run.contestant].environments:
            environment(name)
        if run.from_start:
            self._prove(run, latency)
        rows = min(run.rows, self._most_rows or run.rows)
        start = None if run.from_start else self._short_run(run, latency)
        took = self._run(run, rows, latency)
        wall, cpu, counted = took.wall, took.cpu, rows
        if start is not None and rows > SHORT:
            wall, cpu, counted = wall - start.wall, cpu - start.cpu, rows - SHORT
        if min(wall, cpu) <= 0:
            msg = f"{rows} rows took no longer than {SHORT}: the machine is busy with others"
            raise RunFailedError(msg)
        memory = tuple(each.rss for each in took.programs)
        return Sample(rows, counted / wall, cpu / counted * PER, memory, took.together)

    def _prove(self, run: Run, latency: int) -> None:
        """Look once at lines that go nowhere when they are measured."""
        way = (run.contestant, run.in_flight, run.page_size)
        if way not in self._proven:
            self._short_run(run, latency)
            self._proven.add(way)

    def _short_run(self, run: Run, latency: int) -> Pipeline:
        return self._run(run, SHORT, latency, out=self._folder / "lines")

    def _run(self, run: Run, rows: int, latency: int, *, out: Path | None = None) -> Pipeline:
        contestant = CONTESTANTS[run.contestant]
        folder = self._folder / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        vehicles = Vehicles(rows)
        with serving(rows, latency) as server:
            task = Task(server.api_url, folder, run.in_flight, run.page_size)
            if contestant.before is not None:
                run_pipeline(contestant.before(task), folder)
            served = server.rows_served()
            took = run_pipeline(contestant.commands(task), folder, out=out)
            served = server.rows_served() - served
        if contestant.reads and served < rows:
            msg = f"{contestant.label} asked for {served} of {rows} rows"
            raise RunFailedError(msg)
        if contestant.leaves is not None:
            check_files(folder / contestant.leaves, vehicles)
        if (folder / WAREHOUSE).exists():
            check_table(folder / WAREHOUSE, vehicles)
        elif out is not None and contestant.leaves is None:
            check_lines(out, vehicles)
        return took
