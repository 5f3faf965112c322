"""How fast tap-automate and target-warehouse read and load, beside others: `make bench`.

Everybody reads the same vehicles from the same page server as whole processes, round by round, each
with the others around it. Who waits for one page after the other, or is slow by itself, reads fewer
rows; the time of a short run is then taken off, so that starting up does not count for them. What
is loaded is counted and compared with what was served before a figure is believed.
"""

from __future__ import annotations

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
from benchmarks.results import facts_of, tables
from benchmarks.sections import FEW, FULL, QUICK, pick

if t.TYPE_CHECKING:
    from benchmarks.results import Cell

CEILING_SECONDS: t.Final = 2.0
RESULTS: t.Final = Path(__file__).with_name("results.json")
ROUNDS: t.Final = 3
OURS: t.Final = ("singer-sdk", "msgspec", "requests", "pyarrow", "duckdb")
THEIRS: t.Final = {
    "tap_rest_api_msdk": ("tap-rest-api-msdk", "singer-sdk"),
    "target_duckdb": ("target-duckdb", "duckdb"),
    "dlt": ("dlt", "duckdb", "pyarrow"),
    "airbyte": ("airbyte", "airbyte-cdk", "duckdb"),
}


def versions() -> dict[str, str]:
    """Name what takes part, and its versions."""
    found = {name: metadata.version(name) for name in OURS}
    for peer, names in THEIRS.items():
        pins = (PEERS / peer / "requirements.txt").read_text().splitlines()
        pinned = dict(pin.split("==") for pin in pins)
        found |= {f"{peer}: {name}": pinned[name] for name in names}
    return found


@click.command()
@click.option("--only", multiple=True, help="Section or contestant; may be repeated.")
@click.option("--rounds", type=click.IntRange(1), help=f"{ROUNDS} unless --quick, which has 1.")
@click.option("--rows", type=click.IntRange(1), help="Of a run at most.")
@click.option("--quick", is_flag=True, help="Plain SDK tap, ours and the floor: within a minute.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for the figures.")
def main(
    *, only: tuple[str, ...], rounds: int | None, rows: int | None, quick: bool, out: Path | None
) -> None:
    """Measure readers beside one another; exit 1 when ours are not what they must be."""
    sections = QUICK if quick else FULL
    known = {*CONTESTANTS, *(section.name for section in sections)}
    if strange := sorted(set(only) - known):
        msg = f"{', '.join(strange)} is none of: {', '.join(sorted(known))}"
        raise click.BadParameter(msg, param_hint="--only")

    def say(line: str) -> None:
        click.echo(line, err=True)

    with serving(FEW) as server:
        ceiling = server.ceiling(PAGE_SIZE, CEILING_SECONDS)
    say(f"The server gives {ceiling:,.0f} pages of {PAGE_SIZE} rows a second at most.")
    cells: list[Cell] = []
    facts = []
    with tempfile.TemporaryDirectory() as name:
        meter = Meter(Path(name), say, most_rows=rows)
        for section in pick(sections, only):
            measured = meter.measure(section, rounds or (1 if quick else ROUNDS))
            if measured:
                cells += measured
                facts.append(facts_of(section, measured))
    criteria = judge(cells, ceiling)
    console = Console(width=None if sys.stdout.isatty() else 110)
    for table in tables(facts):
        console.print(table)
    console.print("* rate and processor time without starting up")
    for name, reason in meter.absent.items():
        console.print(f"{CONTESTANTS[name].label}: not measured: {reason}", markup=False)
    for each in criteria:
        sign, verdict = ("<=" if each.at_most else ">="), ("holds" if each.holds else "MISSED")
        console.print(f"{verdict}: {each.promise}: {each.reached:.2f} ({sign} {each.wanted:g})")
    if out is not None:
        written = {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
            "versions": versions(),
            "server_pages_per_second": round(ceiling),
            "sections": facts,
            "criteria": [each.facts() for each in criteria],
            "absent": {CONTESTANTS[name].label: why for name, why in meter.absent.items()},
        }
        out.write_text(json.dumps(written, indent=1) + "\n")
    failed = [name for name in meter.absent if CONTESTANTS[name].kind == "ours"]
    missed = [each.promise for each in criteria if not each.holds]
    if problems := [f"{name} failed" for name in failed] + missed:
        raise click.ClickException("; ".join(problems))


if __name__ == "__main__":
    main()
