"""What must hold of the reader, and whether it does."""

from __future__ import annotations

import dataclasses
import typing as t

from benchmarks.contestants import CONTESTANTS, PAGE_SIZE
from benchmarks.sections import LARGER_PAGES

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.results import Cell

CEILING: t.Final = 5.0
"""Times as many rows as ours that the server has to be able to serve."""
BY_HAND: t.Final = frozenset({"airbyte-split", "dlt-split"})
"""Not the peer as it is: somebody has cut the load into pieces for it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Criterion:
    """One promise.

    Attributes:
        promise: In words.
        wanted: The figure.
        reached: The same, measured.
        at_most: Whether less is better.
    """

    promise: str
    wanted: float
    reached: float
    at_most: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is kept."""
        return self.reached <= self.wanted if self.at_most else self.reached >= self.wanted

    def facts(self) -> dict[str, t.Any]:
        """Say it in JSON."""
        return {
            "promise": self.promise,
            "wanted": self.wanted,
            "at_most": self.at_most,
            "reached": round(self.reached, 2),
            "holds": self.holds,
        }


class _Cells:
    """Cells by section, contestant and requests in flight."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells

    def find(
        self,
        section: str,
        contestant: str,
        in_flight: int | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Cell | None:
        """Return the one that is meant, if it was measured with the rows that it should have."""
        wanted = (section, contestant, page_size)
        for cell in self._cells:
            same = (cell.section, cell.run.contestant, cell.run.page_size) == wanted
            if same and in_flight in {None, cell.run.in_flight} and cell.rows == cell.run.rows:
                return cell
        return None

    def of_size(self, rows: int) -> Cell | None:
        """Return our load of so many rows."""
        grown = (cell for cell in self._cells if cell.section == "growth" and cell.rows == rows)
        return next(grown, None)

    def peers(self, section: str) -> list[Cell]:
        return [
            cell
            for cell in self._cells
            if cell.section == section
            and cell.rows == cell.run.rows
            and CONTESTANTS[cell.run.contestant].kind == "peer"
            and cell.run.contestant not in BY_HAND
        ]


def judge(cells: Sequence[Cell], pages_per_second: Mapping[int, float]) -> list[Criterion]:
    """Compare what was measured in full with what must hold.

    Args:
        cells: Of all sections.
        pages_per_second: That the server gives at most, by the rows of a page.
    """
    known = _Cells(cells)
    return [*_speed(known), *_memory(known), *_server(cells, pages_per_second)]


def _speed(known: _Cells) -> Iterator[Criterion]:
    for size in (PAGE_SIZE, *LARGER_PAGES):
        ours = known.find("read", "tap", page_size=size)
        plain = known.find("read", "plain", page_size=size)
        if ours and plain:
            text = f"0 ms, to /dev/null, pages of {size:,}: times a plain SDK tap"
            yield Criterion(text, 6.0, ours.times(plain))
    for in_flight, wanted in ((16, 12.0), (32, 20.0)):
        ours = known.find("latency", "tap", in_flight)
        peers = known.peers("latency")
        if ours and peers:
            fastest = min(peers, key=ours.times)
            label = CONTESTANTS[fastest.run.contestant].label
            text = f"100 ms, {in_flight} in flight: times the fastest of all peers ({label})"
            yield Criterion(text, wanted, ours.times(fastest))
    for contestant, wanted in (
        ("dlt-tuned", 3.5),
        ("plain-duckdb", 5.0),
        ("dlt-arrow", 1.0),
        ("floor-warehouse", 0.6),
    ):
        other = known.find("load", contestant)
        ours = known.find("load", "warehouse")
        if ours and other:
            text = f"REST to DuckDB: times {CONTESTANTS[contestant].label}"
            yield Criterion(text, wanted, ours.times(other))


def _memory(known: _Cells) -> Iterator[Criterion]:
    small, large = known.of_size(100_000), known.of_size(5_000_000)
    if small and large:
        text = "5,000,000 rows: MiB of tap and loader together"
        yield Criterion(text, 512.0, large.together, at_most=True)
        text = "the same as a multiple of 100,000 rows'"
        yield Criterion(text, 1.6, large.together / small.together, at_most=True)


def _server(cells: Sequence[Cell], pages_per_second: Mapping[int, float]) -> Iterator[Criterion]:
    ours = [cell for cell in cells if CONTESTANTS[cell.run.contestant].kind == "ours"]
    if ours:
        sizes = [(cell.run.page_size, cell.rate) for cell in ours]
        least = min(pages_per_second[size] * size / rate for size, rate in sizes)
        text = "the server's ceiling: times the fastest of ours"
        yield Criterion(text, CEILING, least)
