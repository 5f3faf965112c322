"""Which runs are made: what is read, from how slow a server, how many rows."""

from __future__ import annotations

import dataclasses
import typing as t

from benchmarks.contestants import PAGE_SIZE

if t.TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST: t.Final = 10_000
"""Rows for who takes a second for a thousand."""
SMALL: t.Final = 20_000
"""Rows for those that wait for one page after the other."""
FEW: t.Final = 50_000
"""Rows for those that are slow by themselves."""
WHOLE: t.Final = 200_000
LARGER_PAGES: t.Final = (500, 1_000)
"""Rows of pages that ours and the plain tap ask for, too."""


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What one contestant is to do.

    Attributes:
        contestant: Its name.
        rows: That there are.
        in_flight: Requests under way at once, where it can have more than one.
        from_start: Whether starting up counts; else the time of a short run is taken off, which
            is fair where fewer rows are read than the others read.
        page_size: Rows to ask for in one request.
    """

    contestant: str
    rows: int
    in_flight: int = 1
    from_start: bool = True
    page_size: int = PAGE_SIZE


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """Runs that are compared with one another, round by round.

    Attributes:
        name: Short, for `--only` and the results.
        title: For people.
        latency: Of each page, milliseconds.
        runs: In their order; the first contestant is the one that the others are told as multiples
            of, where it has a run with pages of the same size.
        rounds: How often at most.
    """

    name: str
    title: str
    latency: int
    runs: Sequence[Run]
    rounds: int = 99


READ: t.Final = Section(
    "read",
    "Read 200,000 rows, pages without latency, to /dev/null",
    0,
    (
        Run("plain", WHOLE),
        Run("tap", WHOLE, 4),
        *(
            run
            for size in LARGER_PAGES
            for run in (Run("plain", WHOLE, page_size=size), Run("tap", WHOLE, 4, page_size=size))
        ),
        Run("floor-null", WHOLE),
        Run("floor-parquet", WHOLE),
        Run("msdk", FEW, from_start=False),
        Run("airbyte", FEW, from_start=False),
    ),
)
SLOW: t.Final = Section(
    "latency",
    "Read 100,000 rows, each page 100 ms late",
    100,
    (
        Run("plain", SMALL, from_start=False),
        Run("tap", 100_000, 4),
        Run("tap", 100_000, 16),
        Run("tap", 100_000, 32),
        Run("floor-null", 100_000, 16),
        Run("floor-null", 100_000, 32),
        Run("msdk", SMALL, from_start=False),
        Run("airbyte", SMALL, from_start=False),
        Run("dlt-default", FEWEST, from_start=False),
        Run("dlt-tuned", SMALL, from_start=False),
        Run("dlt-arrow", SMALL, from_start=False),
        Run("dlt-split", FEW, 16, from_start=False),
        Run("airbyte-split", FEW, 16, from_start=False),
        Run("pyairbyte", SMALL, from_start=False),
    ),
)
LOAD: t.Final = Section(
    "load",
    "Load 200,000 rows into DuckDB, pages without latency, upsert on",
    0,
    (
        Run("plain-duckdb", WHOLE),
        Run("warehouse", WHOLE, 4),
        Run("batch", WHOLE, 4),
        Run("floor-warehouse", WHOLE),
        Run("floor-load", WHOLE),
        Run("dlt-tuned", WHOLE),
        Run("dlt-arrow", WHOLE),
        Run("dlt-default", FEWEST, from_start=False),
        Run("pyairbyte", FEW, from_start=False),
    ),
)
GROWTH: t.Final = Section(
    "growth",
    "The same with more and more rows",
    0,
    tuple(Run("warehouse", rows, 4) for rows in (10_000, 100_000, 1_000_000, 5_000_000)),
    rounds=1,
)
FULL: t.Final = (READ, SLOW, LOAD, GROWTH)

QUICK: t.Final = (
    dataclasses.replace(
        READ,
        title="Read 50,000 rows, pages without latency, to /dev/null",
        runs=(Run("plain", FEW), Run("tap", FEW, 4), Run("floor-null", FEW)),
    ),
    dataclasses.replace(
        SLOW,
        title="Read 50,000 rows, each page 100 ms late",
        runs=(
            Run("plain", 5_000, from_start=False),
            Run("tap", FEW, 16),
            Run("floor-null", FEW, 16),
        ),
    ),
    dataclasses.replace(
        LOAD,
        title="Load 50,000 rows into DuckDB, pages without latency, upsert on",
        runs=(Run("warehouse", FEW, 4), Run("floor-warehouse", FEW)),
    ),
)


def pick(
    sections: Sequence[Section], names: Sequence[str], contestants: Sequence[str]
) -> list[Section]:
    """Leave what is named, or everything.

    Args:
        sections: To pick from.
        names: Of sections.
        contestants: Their names.
    """
    picked = []
    for section in sections:
        runs = [run for run in section.runs if not contestants or run.contestant in contestants]
        if runs and (not names or section.name in names):
            picked.append(dataclasses.replace(section, runs=runs))
    return picked
