"""What was measured: samples, the cells of a table, and what has to be reached."""

from __future__ import annotations

import dataclasses
import statistics
import typing as t

from rich.table import Table

if t.TYPE_CHECKING:
    from collections.abc import Sequence

FASTER: t.Final = {(50, 16): 12.0, (50, 32): 24.0}
"""Latency (ms) and workers to how many times as fast as the plain target it has to be."""
MOST_CPU: t.Final = 0.15
"""Seconds of the processor that 100 records may take, where they take a second at most."""
FAST: t.Final = 100.0
ENOUGH: t.Final = 200
"""Records of a run that tell what one takes: with fewer, starting up does not come out even."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """What a run came to.

    Attributes:
        records: How many it pushed.
        rate: Records a second.
        cpu: Seconds of the processor for 100 records.
        rss: Peak of the memory, MiB.
    """

    records: int
    rate: float
    cpu: float
    rss: float


@dataclasses.dataclass(slots=True)
class Cell:
    """The runs of one kind, and of the plain target beside them.

    Attributes:
        stream: What is pushed.
        latency: Of each answer, milliseconds.
        workers: Of target-automate.
        ours: Its runs.
        plain: The plain target's, in the same order; none where it cannot do the same.
    """

    stream: str
    latency: int
    workers: int
    ours: list[Sample] = dataclasses.field(default_factory=list)
    plain: list[Sample] = dataclasses.field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """How many times as fast as the plain target, pair by pair."""
        pairs = zip(self.ours, self.plain, strict=bool(self.plain))
        return [ours.rate / plain.rate for ours, plain in pairs]

    @property
    def is_fast(self) -> bool:
        """Whether it takes a second for 100 records at most."""
        return statistics.median(sample.rate for sample in self.ours) >= FAST

    def facts(self) -> dict[str, t.Any]:
        """Say everything in JSON: median, least and most."""
        return {
            "stream": self.stream,
            "latency_ms": self.latency,
            "workers": self.workers,
            "records_per_second": _spread([sample.rate for sample in self.ours]),
            "plain_records_per_second": _spread([sample.rate for sample in self.plain]),
            "times_plain": _spread(self.ratios),
            "cpu_seconds_per_100": _spread(_cpu(self.ours), 3),
            "plain_cpu_seconds_per_100": _spread(_cpu(self.plain), 3),
            "peak_mib": _spread([sample.rss for sample in self.ours]),
            "plain_peak_mib": _spread([sample.rss for sample in self.plain]),
        }


def table(cells: Sequence[Cell]) -> Table:
    """Lay the figures out: the median, and in brackets the least and the most."""
    columns = ("latency", "pushed", "workers", "records/s", "x plain", "CPU s/100", "peak MiB")
    made = Table(*columns)
    for column in made.columns:
        column.justify = "right"
    for latency in dict.fromkeys(cell.latency for cell in cells):
        here = [cell for cell in cells if cell.latency == latency]
        plain = [sample for cell in here for sample in cell.plain]
        made.add_row(f"{latency} ms", "customers", "plain", *_row(plain, []), end_section=False)
        for cell in here:
            row = _row(cell.ours, cell.ratios)
            last = cell is here[-1]
            made.add_row(f"{latency} ms", cell.stream, str(cell.workers), *row, end_section=last)
    return made


def missed(cells: Sequence[Cell]) -> list[str]:
    """Say which of what it has to reach it does not."""
    found = []
    for cell in cells:
        wanted = FASTER.get((cell.latency, cell.workers))
        where = f"{cell.stream} at {cell.latency} ms with {cell.workers} workers"
        if wanted is not None and cell.ratios and statistics.median(cell.ratios) < wanted:
            found.append(
                f"{where}: {statistics.median(cell.ratios):.1f} times the plain target, "
                f"expected {wanted:g}"
            )
        cpu = _cpu(cell.ours)
        if cpu and cell.is_fast and statistics.median(cpu) > MOST_CPU:
            found.append(
                f"{where}: {statistics.median(cpu):.3f} s of the processor for 100 records, "
                f"expected {MOST_CPU:g} at most"
            )
    return found


def _row(samples: Sequence[Sample], ratios: Sequence[float]) -> tuple[str, ...]:
    return (
        _shown([sample.rate for sample in samples], 0),
        _shown(ratios, 1),
        _shown(_cpu(samples), 3),
        f"{max(sample.rss for sample in samples):.0f}",
    )


def _cpu(samples: Sequence[Sample]) -> list[float]:
    return [sample.cpu for sample in samples if sample.records >= ENOUGH]


def _shown(values: Sequence[float], digits: int) -> str:
    if not values:
        return ""
    shown = f"{statistics.median(values):,.{digits}f}"
    if len(values) > 1:
        shown += f" ({min(values):,.{digits}f}-{max(values):,.{digits}f})"
    return shown


def _spread(values: Sequence[float], digits: int = 1) -> dict[str, float] | None:
    if not values:
        return None
    figures = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: round(figure, digits) for name, figure in figures.items()}
