"""SIGKILL at random moments and 5 % faulty requests: `make chaos`, smaller."""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from proof.campaign import Keys
from support.dealership import environment

TESTS = Path(__file__).resolve().parents[1]
LAST_LINE = re.compile(
    r"created (\d+) lost (\d+) duplicated (\d+) parked (\d+) kills (\d+)"
    r" changed (\d+) backwards (\d+) misordered (\d+)"
)
WARM_UP = 12


def chaos(**options: str | int) -> list[int]:
    """Run the command, and return the figures of its last line."""
    arguments = [f"--{name}={value}" for name, value in options.items()]
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "proof.chaos", *arguments],
        cwd=TESTS.parent,
        env=environment({"PYTHONPATH": str(TESTS)}),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = LAST_LINE.fullmatch(done.stdout.splitlines()[-1])
    assert figures, done.stdout
    return [int(figure) for figure in figures.groups()]


@pytest.mark.parametrize("keys", t.get_args(Keys))
def test_a_little_chaos_loses_nothing_and_makes_nothing_twice(keys: Keys) -> None:
    created, lost, duplicated, parked, *others = chaos(creates=150, kills=2, seed=3, keys=keys)
    assert (created, lost, duplicated) == (150 + WARM_UP, 0, 0)
    kills, changed, backwards, misordered = others
    assert (kills, backwards, misordered) == (2, 0, 0)
    assert changed > created
    assert keys == "ignored" or not parked


@pytest.mark.slow
@pytest.mark.parametrize("keys", t.get_args(Keys))
def test_chaos_loses_nothing_and_makes_nothing_twice(keys: Keys) -> None:
    created, lost, duplicated, parked, *others = chaos(creates=600, kills=12, seed=4, keys=keys)
    assert (created, lost, duplicated) == (600 + WARM_UP, 0, 0)
    assert (others[0], others[2:]) == (12, [0, 0])
    assert bool(parked) == (keys == "ignored")
