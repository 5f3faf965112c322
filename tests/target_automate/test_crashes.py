"""A crash at every step of a run, with every fault that a write can meet: nothing lost or twice."""

from __future__ import annotations

import itertools
import random
import typing as t

import pytest
from proof import matrix
from proof.crashes import Yard
from proof.feed import Feed
from support.dealership import dealership

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proof.campaign import Keys

WORLD: t.Final = ("--vehicles", "20", "--days", "3", "--mfa-type", "none")
FEW: t.Final = 3
"""Crash points of each run that the fast suite tries; the slow one tries all."""


@pytest.fixture(scope="module", params=["honoured", "ignored"])
def yard(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Yard]:
    keys: Keys = request.param
    folder = tmp_path_factory.mktemp(f"yard-{keys}")
    with dealership(folder, *WORLD, "--idempotency", keys) as dealer:
        made = Yard.at(dealer, folder, idempotency_honoured=keys, request_timeout_seconds=1)
        made.warm_up(Feed(20, 1, made.vins, "warm").records)
        yield made


def check(yard: Yard, fault: str, choose: Callable[[int], Iterator[int]]) -> None:
    """Hold every object to a clean outcome, whichever of the chosen points it crashes at."""
    found = {
        (name, point): problems
        for name in matrix.OBJECTS
        for point, problems in matrix.cases(yard, name, fault, choose)
        if problems
    }
    assert found == {}


@pytest.mark.parametrize("fault", matrix.FAULTS)
def test_a_crash_at_a_chosen_step_loses_nothing_and_makes_nothing_twice(
    yard: Yard, fault: str
) -> None:
    rng = random.Random(fault)  # noqa: S311 - no secret
    check(yard, fault, lambda count: iter(rng.sample(range(count), FEW)))


@pytest.mark.slow
@pytest.mark.parametrize("fault", matrix.FAULTS)
def test_a_crash_at_any_step_loses_nothing_and_makes_nothing_twice(yard: Yard, fault: str) -> None:
    check(yard, fault, lambda count: iter(range(count)))


def test_every_step_that_the_courier_names_is_crashed_at(yard: Yard) -> None:
    passed = {
        point
        for name, fault in itertools.product(matrix.OBJECTS, ("cut-before", "accepted", "locked"))
        for point in matrix.trial_of(yard, name, fault).carry_out()
    }
    assert passed >= {"prepared", "marked as sent, on the disk", "answered", "outcome kept"}
    assert passed >= {"operation asked", "STATE written", "add", "flush", "change ACKED"}
