"""Counts of a run, and when too much of it was rejected."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from automate_api.errors import RejectsError
from target_automate.journal.intents import State
from target_automate.running.tally import ENOUGH, Counts, Tally


def tally_of(
    good: int = 0, bad: int = 0, *, most: int | None = None, percent: float = 100.0
) -> Tally:
    tally = Tally(max_rejects=most, max_reject_percent=percent)
    for _ in range(good + bad):
        tally.received("deals")
    for number in range(good):
        tally.settled("deals", State.ACKED, number)
    for number in range(good, good + bad):
        tally.settled("deals", State.REJECTED, number)
    return tally


@pytest.mark.parametrize(
    ("state", "field"),
    [
        (State.ACKED, "sent"),
        (State.DROPPED, "unchanged"),
        (State.REJECTED, "rejected"),
        (State.PARKED, "parked"),
        (State.WAITING_PARENT, "waiting"),
        (State.WAITING_APPROVAL, "waiting"),
    ],
)
def test_each_end_of_a_record_is_counted_once_for_its_object(state: State, field: str) -> None:
    tally = Tally(max_rejects=None, max_reject_percent=100)
    tally.received("deals")
    tally.settled("deals", state, 1)
    tally.resent("customers")
    counts = tally.objects()
    assert dataclasses.asdict(counts["deals"]) == {
        **dict.fromkeys((field.name for field in dataclasses.fields(Counts)), 0),
        "received": 1,
        field: 1,
    }
    assert counts["customers"].resent == 1


@pytest.mark.parametrize(
    ("good", "bad", "limits"),
    [
        (0, 0, {"percent": 0.0}),
        (95, 5, {"percent": 5.0}),
        (0, 19, {"percent": 5.0}),
        (10, 9, {"percent": 0.0}),
        (0, 7, {"most": 7}),
        (1000, 0, {"most": 0}),
    ],
)
def test_a_run_within_its_thresholds_ends_well(
    good: int, bad: int, limits: dict[str, t.Any]
) -> None:
    tally_of(good, bad, **limits).check_end()


@pytest.mark.parametrize(
    ("good", "bad", "limits"),
    [
        (94, 6, {"percent": 5.0}),
        (0, 20, {"percent": 99.0}),
        (19, 1, {"percent": 0.0}),
        (0, 8, {"most": 7}),
        (1000, 1, {"most": 0}),
    ],
)
def test_a_run_beyond_a_threshold_says_how_many_were_rejected(
    good: int, bad: int, limits: dict[str, t.Any]
) -> None:
    with pytest.raises(RejectsError, match=f"^{bad} of {good + bad} records were rejected"):
        tally_of(good, bad, **limits).check_end()


def refusing(times: int) -> Tally:
    tally = tally_of(bad=times)
    for _ in range(times):
        tally.refused()
    return tally


def test_a_run_that_begins_with_nothing_but_refusals_ends_early() -> None:
    refusing(ENOUGH - 1).check_start()
    with pytest.raises(RejectsError, match=f"first {ENOUGH} records were all rejected"):
        refusing(ENOUGH).check_start()


@pytest.mark.parametrize("state", [State.ACKED, State.DROPPED])
def test_one_good_record_is_enough_to_go_on(state: State) -> None:
    tally = refusing(ENOUGH)
    tally.settled("customers", state, 99)
    tally.check_start()


def test_rejects_of_earlier_runs_and_for_other_records_end_no_run_early() -> None:
    tally_of(bad=ENOUGH).check_start()


def test_what_goes_after_all_is_no_reject_any_more() -> None:
    tally = tally_of(good=1, bad=1, most=0)
    tally.settled("deals", State.REJECTED, 1)
    assert tally.objects()["deals"].rejected == 2
    tally.settled("deals", State.ACKED, 1)
    assert tally.objects()["deals"].rejected == 0
    assert tally.objects()["deals"].sent == 2
    tally.check_end()
