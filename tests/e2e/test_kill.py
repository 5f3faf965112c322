"""kill -9 at any byte: a rerun from the last state that the loader wrote makes the load whole."""

from __future__ import annotations

import random
import time
import typing as t
from collections import Counter

import pytest
from support.compare import differences
from support.dealership import Dealership, dealership, run
from support.load import Load, Victim

from tap_automate.reading.plan import TARGET_PAGES

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHOLE: t.Final = 1_900_000
"""Bytes: a little less than what the first load of this world writes, its last stream included."""
WORLD = ("--vehicles", "60", "--days", "10", "--mfa-type", "none")


@pytest.fixture
def own_dealer(tmp_path: Path) -> Iterator[Dealership]:
    with dealership(tmp_path, *WORLD) as running:
        yield running


def reads(dealer: Dealership) -> Counter[str]:
    """Count the list requests so far, by path."""
    asked = dealer.stats()["requests"].items()
    return Counter({call: count for call, count in asked if call.startswith("GET ")})


def test_a_killed_first_load_repeats_no_window_that_was_loaded(
    own_dealer: Dealership, tmp_path: Path
) -> None:
    load = Load(own_dealer, tmp_path, page_size=1, gl_restatement=False)
    output = run("tap-automate", "--config", load.config).out
    full = reads(own_dealer)
    load.run("both", output.rindex('"stream":"gl_entries"'), written=b'"gl_entries"')
    before = reads(own_dealer) - full
    assert load.run() == (0, 0), load.log
    again = reads(own_dealer) - full - before
    for finished in ("GET /customers", "GET /deals/recaps", "GET /accounting/gl-accounts"):
        assert (full[finished] > 10, again[finished]) == (True, 1)
    entries = "GET /accounting/gl-entries"
    assert again[entries] <= full[entries] - TARGET_PAGES / 2
    assert differences(own_dealer, load.warehouse) == []


@pytest.mark.parametrize("victim", ["tap", "loader"])
def test_a_load_with_one_side_killed_is_made_whole_by_a_rerun(
    own_dealer: Dealership, tmp_path: Path, victim: Victim
) -> None:
    load = Load(own_dealer, tmp_path)
    tap, loader = load.run(victim, 600_000)
    assert -9 in (tap, loader), load.log
    assert load.run() == (0, 0), load.log
    assert differences(own_dealer, load.warehouse) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_load_killed_again_and_again_is_made_whole(
    own_dealer: Dealership, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    load = Load(own_dealer, tmp_path)
    for _ in range(4):
        victims: tuple[Victim, ...] = ("tap", "loader", "both")
        load.run(chance.choice(victims), chance.randint(1, WHOLE))
    own_dealer.live(20)
    load.run("both", chance.randint(1, WHOLE))
    own_dealer.live(0)
    time.sleep(3.1)  # the cool-down is counted by the server's clock, which is this machine's
    assert own_dealer.stats()["live"]["changed"] > 0
    assert load.run() == (0, 0), load.log
    assert differences(own_dealer, load.warehouse) == []
