"""The benchmarks run, and judge as they say."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from benchmarks.figures import Cell, Sample, missed

if t.TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[1]


def cell(latency: int, workers: int, *rates: tuple[float, float], cpu: float = 0.1) -> Cell:
    """Make a cell of our rates, each with the plain target's beside it."""
    ours = [Sample(1000, rate, cpu, 80.0) for rate, _ in rates]
    return Cell("customers", latency, workers, ours, [Sample(50, p, 0.1, 50.0) for _, p in rates])


def test_a_speed_is_judged_by_the_median_of_the_pairs() -> None:
    slow = cell(50, 16, (230.0, 20.0), (300.0, 20.0), (230.0, 20.0))
    assert missed([slow]) == [
        "customers at 50 ms with 16 workers: 11.5 times the plain target, expected 12"
    ]
    assert missed([cell(50, 16, (230.0, 20.0), (240.0, 20.0), (300.0, 20.0))]) == []
    assert missed([cell(50, 8, (20.0, 20.0))]) == []


def test_processor_time_is_judged_where_records_are_many_and_come_fast() -> None:
    (found,) = missed([cell(0, 8, (500.0, 900.0), cpu=0.2)])
    assert found.endswith(": 0.200 s of the processor for 100 records, expected 0.15 at most")
    assert missed([cell(150, 1, (6.0, 6.0), cpu=0.2)]) == []
    few = Cell("deals", 0, 8, [Sample(100, 500.0, 0.2, 80.0)])
    assert missed([few]) == []


@pytest.mark.slow
def test_the_benchmark_of_pushing_measures_both_targets(tmp_path: Path) -> None:
    out = tmp_path / "push.json"
    command = [sys.executable, "-m", "benchmarks.push", "--rounds", "1", "--records", "150"]
    command += ["--latency", "20", "--workers", "4", "--out", str(out)]
    done = subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    facts: Mapping[str, t.Any] = json.loads(out.read_text())
    customers, deals = facts["cells"]
    assert (customers["stream"], deals["stream"]) == ("customers", "deals")
    # Four workers that wait 20 ms each do more than the one of the plain target.
    assert customers["times_plain"]["median"] > 1
    assert deals["records_per_second"]["median"] > 0
