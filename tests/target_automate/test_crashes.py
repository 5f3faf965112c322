"""A crash at every step of a run, with every fault that a write can meet: nothing lost or twice."""

from __future__ import annotations

import itertools
import random
import typing as t

import pytest
from proof import matrix
from proof.crashes import Yard
from proof.faults import CHAOS_PATHS
from proof.feed import Feed

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from proof.campaign import Keys

FEW: t.Final = 2
"""Crash points of each run of a create that the fast suite tries; the slow one tries all."""
LOGINS: t.Final = 8
"""The same of the slow one, where each run logs in anew."""
FAR: t.Final = ("none", "cut-unanswered")
"""Faults with which the slow suite tries all points of each subject."""
METHODS: t.Final = ("POST", "POST", "PATCH", "PUT")
"""Of the writes, as often as a walk chooses them."""


@pytest.fixture(scope="module", params=["honoured", "ignored"])
def yard(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Yard]:
    keys: Keys = request.param
    with Yard.open(tmp_path_factory.mktemp(f"yard-{keys}"), keys) as opened:
        yield opened


def check(
    yard: Yard, names: Iterable[str], fault: str, choose: Callable[[list[int]], Sequence[int]]
) -> None:
    """Hold subjects to a clean outcome, whichever of the chosen points they crash at."""
    found = {
        (name, point): problems
        for name in names
        for point, problems in matrix.cases(yard, name, fault, choose)
        if problems
    }
    assert found == {}


def few(fault: str, count: int) -> Callable[[list[int]], Sequence[int]]:
    """Choose so many points, for a fault always the same."""
    rng = random.Random(fault)  # noqa: S311 - no secret
    return lambda points: rng.sample(points, min(count, len(points)))


@pytest.mark.parametrize("fault", matrix.FAULTS)
def test_a_crash_at_a_chosen_step_loses_nothing_and_makes_nothing_twice(
    yard: Yard, fault: str
) -> None:
    check(yard, matrix.CREATES, fault, few(fault, FEW))


@pytest.mark.parametrize("fault", matrix.FAULTS)
def test_a_crash_in_a_change_loses_nothing_and_undoes_nothing(yard: Yard, fault: str) -> None:
    others = matrix.OTHERS if fault in matrix.FEW_FAULTS else ()
    check(yard, (*matrix.CHANGES, *others), fault, few(fault, 1))


@pytest.mark.parametrize("fault", matrix.ON_THE_WAY)
def test_a_crash_while_a_file_is_on_its_way_loses_nothing_and_makes_nothing_twice(
    yard: Yard, fault: str
) -> None:
    check(yard, [matrix.SENT], fault, few(fault, 1))


@pytest.mark.slow
@pytest.mark.parametrize("fault", matrix.FAULTS)
def test_a_crash_at_any_step_loses_nothing_and_makes_nothing_twice(yard: Yard, fault: str) -> None:
    # A new login makes each of these runs long, and is the same wherever it comes.
    is_login = fault in {"expired_token", "killed_session"}
    check(yard, matrix.CREATES, fault, few(fault, LOGINS) if is_login else lambda points: points)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*matrix.CHANGES, *matrix.OTHERS])
def test_a_crash_at_any_step_of_a_change_loses_nothing_and_undoes_nothing(
    yard: Yard, name: str
) -> None:
    for fault in FAR:
        check(yard, [name], fault, lambda points: points)


def test_every_step_that_the_courier_names_is_crashed_at(yard: Yard) -> None:
    passed = {
        point
        for name, fault in itertools.product(
            (*matrix.CREATES, *matrix.CHANGES), ("cut-before", "accepted", "locked")
        )
        for point in matrix.trial_of(yard, name, fault).carry_out().names
    }
    assert passed >= {"prepared", "marked as sent, on the disk", "answered", "outcome kept"}
    assert passed >= {"operation asked", "STATE written", "add", "flush", "change ACKED"}


@pytest.mark.parametrize(
    "name", [*matrix.CREATES[1:], "repair order", "status of a deal", "file, completed"]
)
def test_a_journal_that_is_lost_after_a_crash_makes_nothing_twice(yard: Yard, name: str) -> None:
    points = matrix.trial_of(yard, name, "none", fresh=True).carry_out()
    found = {}
    for number in points.different():
        trial = matrix.trial_of(yard, name, "none", fresh=True)
        trial.crash(number)
        trial.lose_journal()
        trial.carry_out()
        found[number] = matrix.wrong(trial, "none")
    assert {number: problems for number, problems in found.items() if problems} == {}


def walk(yard: Yard, seed: int) -> list[str]:
    """Deliver a feed with several faults and crashes, and say what is wrong."""
    rng = random.Random(f"walk/{seed}")  # noqa: S311 - no secret
    feed = Feed(12, seed, yard.showroom, "walk", yard.folder)
    trial = yard.trial(feed.records, fresh=rng.random() < 0.3)
    trial.losses = feed.losses
    trial.racing = rng.random() < 0.7
    yard.dealer.control("reset-faults", {})
    names = rng.choices([name for name in matrix.FAULTS if name in matrix.HARMLESS], k=6)
    rules = [matrix.FAULTS[name] for name in names]
    yard.dealer.faults(
        *(
            {
                **rule,
                "match": {"method": rng.choice(METHODS), "path": rng.choice(CHAOS_PATHS)},
                "count": rng.randint(1, 2),
                "skip": rng.randrange(8),
            }
            for rule in rules
        )
    )
    trial.carry_out(*rng.choices(range(250), k=rng.randint(2, 5)))
    return matrix.wrong(trial, "delayed and accepted")


@pytest.mark.parametrize("seed", range(6))
def test_faults_and_crashes_at_random_lose_nothing_and_make_nothing_twice(
    yard: Yard, seed: int
) -> None:
    assert walk(yard, seed) == []


@pytest.mark.slow
def test_many_walks_of_faults_and_crashes_lose_nothing_and_make_nothing_twice(yard: Yard) -> None:
    found = {seed: walk(yard, seed) for seed in range(6, 60)}
    assert {seed: problems for seed, problems in found.items() if problems} == {}
