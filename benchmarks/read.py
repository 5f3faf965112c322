"""How fast tap-automate and target-warehouse read and load, beside others: `make bench`.

Everybody reads the same vehicles from the same page server as whole processes, round by round, each
with the others around it. Who waits for one page after the other, or is slow by itself, reads fewer
rows; the time of a short run is then taken off, so that starting up does not count for them. What
is loaded is counted and compared with what was served before a figure is believed.

A run of everything writes `results.json` and brings docs/performance.md up to date.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import sys
import tempfile
import typing as t
from importlib import metadata
from pathlib import Path

import click
from rich.console import Console

from benchmarks.contestants import CONTESTANTS, PAGE_SIZE
from benchmarks.criteria import judge
from benchmarks.environments import PEERS
from benchmarks.measuring import Meter
from benchmarks.page_server import serving
from benchmarks.report import RESULTS, update_docs
from benchmarks.results import facts_of, tables
from benchmarks.sections import FEW, FULL, LARGER_PAGES, QUICK, pick

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.criteria import Criterion
    from benchmarks.results import Cell
    from benchmarks.sections import Section

CEILING_SECONDS: t.Final = 2.0
SECTIONS: t.Final = click.Choice([section.name for section in FULL])
ROUNDS: t.Final = 3
OURS: t.Final = ("automate-dms", "singer-sdk", "msgspec", "requests", "pyarrow", "duckdb")
THEIRS: t.Final = {
    "tap_rest_api_msdk": ("tap-rest-api-msdk", "singer-sdk"),
    "target_duckdb": ("target-duckdb", "duckdb"),
    "dlt": ("dlt", "duckdb", "pyarrow"),
    "airbyte": ("airbyte", "airbyte-cdk", "duckdb"),
}


def versions() -> list[str]:
    """Name what takes part, each with its version and those of what matters in it."""
    found = [_spelled(OURS, metadata.version)]
    for peer, names in THEIRS.items():
        pins = (PEERS / peer / "requirements.txt").read_text().splitlines()
        pinned = dict(pin.split("==") for pin in pins)
        found.append(_spelled(names, pinned.__getitem__))
    return found


def _spelled(names: Sequence[str], version: Callable[[str], str]) -> str:
    first, *others = (f"{name} {version(name)}" for name in names)
    return f"{first} ({', '.join(others)})" if others else first


@dataclasses.dataclass(slots=True)
class Outcome:
    """All that was measured.

    Attributes:
        ceiling: Pages a second that the server gives at most, by their rows.
        sections: In JSON.
        criteria: What must hold, of what was measured in full.
        absent: Contestants that could not be measured, and why.
    """

    ceiling: Mapping[int, float]
    sections: list[dict[str, t.Any]]
    criteria: list[Criterion]
    absent: Mapping[str, str]

    def facts(self) -> dict[str, t.Any]:
        """Say everything in JSON."""
        # The first line of a reason: what follows is of this machine.
        reasons = {name: why.partition("\n")[0].rstrip(":") for name, why in self.absent.items()}
        return {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
            "versions": versions(),
            "server_pages_per_second": {
                str(size): round(most) for size, most in self.ceiling.items()
            },
            "sections": self.sections,
            "criteria": [each.facts() for each in self.criteria],
            "absent": {CONTESTANTS[name].label: why for name, why in reasons.items()},
        }

    def show(self) -> None:
        """Print tables, what is missing, and what holds."""
        console = Console(width=None if sys.stdout.isatty() else 110)
        for table in tables(self.sections):
            console.print(table)
        console.print("* rate and processor time without starting up")
        for name, why in self.absent.items():
            console.print(f"{CONTESTANTS[name].label}: not measured: {why}", markup=False)
        for each in self.criteria:
            sign, verdict = ("<=" if each.at_most else ">="), ("holds" if each.holds else "MISSED")
            console.print(f"{verdict}: {each.promise}: {each.reached:.2f} ({sign} {each.wanted:g})")

    def problems(self) -> list[str]:
        """Name what does not hold, and which of ours failed."""
        failed = [name for name in self.absent if CONTESTANTS[name].kind == "ours"]
        missed = [each.promise for each in self.criteria if not each.holds]
        return [*(f"{name} failed" for name in failed), *missed]


def measure(sections: Sequence[Section], rounds: int, rows: int | None, *, judged: bool) -> Outcome:
    """Measure sections one after the other, and say on standard error how it goes.

    Args:
        sections: What to measure.
        rounds: How often.
        rows: Of a run at most.
        judged: Whether to compare with what must hold.
    """

    def say(line: str) -> None:
        click.echo(line, err=True)

    with serving(FEW) as server:
        sizes = (PAGE_SIZE, *LARGER_PAGES)
        ceiling = {size: server.ceiling(size, CEILING_SECONDS) for size in sizes}
    for size, most in ceiling.items():
        say(f"The server gives {most:,.0f} pages of {size:,} rows a second at most.")
    cells: list[Cell] = []
    facts = []
    with tempfile.TemporaryDirectory() as name:
        meter = Meter(Path(name), say, most_rows=rows)
        for section in sections:
            if measured := meter.measure(section, rounds):
                cells += measured
                facts.append(facts_of(section, measured))
    return Outcome(ceiling, facts, judge(cells, ceiling) if judged else [], meter.absent)


@click.command()
@click.option("--section", "names", multiple=True, type=SECTIONS, help="May be repeated.")
@click.option("--only", multiple=True, type=click.Choice(list(CONTESTANTS)), help="The same.")
@click.option("--rounds", type=click.IntRange(1), help=f"{ROUNDS} unless --quick, which has 1.")
@click.option("--rows", type=click.IntRange(1), help="Of a run at most.")
@click.option("--quick", is_flag=True, help="Plain SDK tap, ours and the floor: within a minute.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for the figures.")
def main(  # noqa: PLR0913 - the options
    *,
    names: tuple[str, ...],
    only: tuple[str, ...],
    rounds: int | None,
    rows: int | None,
    quick: bool,
    out: Path | None,
) -> None:
    """Measure readers beside one another; exit 1 when ours are not what they must be."""
    sections = pick(QUICK if quick else FULL, names, only)
    outcome = measure(sections, rounds or (1 if quick else ROUNDS), rows, judged=not quick)
    outcome.show()
    if out is None and not (quick or names or only or rows):
        out = RESULTS
    if out is not None:
        out.write_text(json.dumps(outcome.facts(), indent=1) + "\n")
    if out == RESULTS:
        update_docs()
    if problems := outcome.problems():
        raise click.ClickException("; ".join(problems))


if __name__ == "__main__":
    main()
