"""What was measured of readers: samples, cells, the table, the file of results."""

from __future__ import annotations

import dataclasses
import statistics
import typing as t

from rich.table import Table

from benchmarks.contestants import CONTESTANTS, PAGE_SIZE

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.sections import Run, Section

HEADINGS: t.Final = ("", "in flight", "rows", "rows/s", "x first", "CPU s/100k", "peak MiB")


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """What a run came to.

    Attributes:
        rows: How many it read.
        rate: Rows a second.
        cpu: Seconds of the processor for 100,000 rows, all its programs together.
        memory: Peak of each program, MiB.
        together: The most that they held at the same time, MiB.
    """

    rows: int
    rate: float
    cpu: float
    memory: tuple[float, ...]
    together: float


@dataclasses.dataclass(slots=True)
class Cell:
    """The samples of one run, round by round.

    Attributes:
        section: Name of the section.
        latency: Of each page, milliseconds.
        run: What was done.
        samples: In the order of the rounds.
    """

    section: str
    latency: int
    run: Run
    samples: list[Sample] = dataclasses.field(default_factory=list)

    @property
    def label(self) -> str:
        """Whose it is, and the size of its pages where that is not the usual one."""
        size = self.run.page_size
        pages = "" if size == PAGE_SIZE else f", pages of {size:,}"
        return f"{CONTESTANTS[self.run.contestant].label}{pages}"

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return self.samples[0].rows

    @property
    def rate(self) -> float:
        """Rows a second, the median."""
        return statistics.median(sample.rate for sample in self.samples)

    @property
    def together(self) -> float:
        """The most that its programs held together in a run, MiB."""
        return max(sample.together for sample in self.samples)

    def times(self, other: Cell) -> float:
        """How many times as fast as another, the median of the rounds."""
        return statistics.median(self.times_by_round(other))

    def times_by_round(self, other: Cell) -> list[float]:
        """How many times as fast as another, round by round."""
        pairs = zip(self.samples, other.samples, strict=False)
        return [mine.rate / theirs.rate for mine, theirs in pairs]

    def facts(self, first: Cell | None) -> dict[str, t.Any]:
        """Say everything in JSON.

        Args:
            first: What it is told as a multiple of; nothing unless given.
        """
        times = None if first is None else _spread(self.times_by_round(first), 2)
        memory = [max(peaks) for peaks in zip(*(each.memory for each in self.samples), strict=True)]
        return {
            "contestant": self.run.contestant,
            "label": self.label,
            "kind": CONTESTANTS[self.run.contestant].kind,
            "in_flight": self.run.in_flight,
            "page_size": self.run.page_size,
            "rows": self.rows,
            "start_counted": self.run.from_start,
            "rows_per_second": _spread([each.rate for each in self.samples], 0),
            "times_first": times,
            "cpu_seconds_per_100k": _spread([each.cpu for each in self.samples], 2),
            "peak_mib": [round(peak) for peak in memory],
            "peak_mib_together": round(self.together),
        }


def facts_of(section: Section, cells: Sequence[Cell]) -> dict[str, t.Any]:
    """Say a section in JSON."""
    # What is compared are the first contestant's runs, each with those of its page size; where all
    # runs are of one contestant, none is.
    first = cells[0].run.contestant
    is_compared = len({cell.run.contestant for cell in cells}) > 1
    firsts = {
        cell.run.page_size: cell for cell in cells if is_compared and cell.run.contestant == first
    }
    return {
        "name": section.name,
        "title": section.title,
        "latency_ms": section.latency,
        "cells": [cell.facts(firsts.get(cell.run.page_size)) for cell in cells],
    }


def tables(sections: Iterable[dict[str, t.Any]]) -> list[Table]:
    """Lay sections out, as they stand in the file of results."""
    made = []
    for section in sections:
        table = Table(*HEADINGS, title=section["title"], title_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for cell in section["cells"]:
            table.add_row(*row(cell), style="bold" if cell["kind"] == "ours" else None)
        made.append(table)
    return made


def row(cell: dict[str, t.Any]) -> tuple[str, ...]:
    """Spell a cell as a row of a table."""
    rate, times = cell["rows_per_second"], cell["times_first"]
    peaks = " + ".join(str(peak) for peak in cell["peak_mib"])
    if len(cell["peak_mib"]) > 1:
        peaks = f"{cell['peak_mib_together']} ({peaks})"
    return (
        cell["label"],
        str(cell["in_flight"]) if cell["in_flight"] > 1 else "",
        f"{cell['rows']:,}" + ("" if cell["start_counted"] else "*"),
        f"{rate['median']:,.0f}",
        "" if times is None else f"{times['median']:.1f}",
        f"{cell['cpu_seconds_per_100k']['median']:.1f}",
        peaks,
    )


def _spread(values: Sequence[float], digits: int) -> dict[str, float]:
    figures = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: round(figure, digits) for name, figure in figures.items()}
