"""Rows that become visible late are measured, and the overlap grows before any is missed."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.model import BOUNDS, ORDERS, ModelApi

from tap_automate.bookmark import MOST_SEEN, Bookmark
from tap_automate.lateness import MOST_OVERLAP, Lateness, overlap_for, warning
from tap_automate.reading.harvest import certified_windows
from tap_automate.reading.windows import MICROSECONDS, Row, Window

BOOKMARK: t.Final = 1_000_000
OVERLAP: t.Final = 60


def before_bookmark(seconds: float) -> int:
    return BOOKMARK * MICROSECONDS - int(seconds * MICROSECONDS)


def test_the_latest_row_counts() -> None:
    lateness = Lateness(BOOKMARK)
    for seconds in (20, 300.5, 4):
        lateness.met(before_bookmark(seconds))
    assert (lateness.rows, lateness.seconds) == (3, 300.5)


@pytest.mark.parametrize("seconds", [-3600, -0.5, 0, 0.5, 1])
def test_rows_at_or_after_the_bookmark_are_not_late(seconds: float) -> None:
    lateness = Lateness(BOOKMARK)
    lateness.met(before_bookmark(seconds))
    assert (lateness.rows, lateness.seconds) == (0, 0)


def test_without_a_bookmark_nothing_is_late() -> None:
    lateness = Lateness()
    lateness.met(0)
    assert lateness.rows == 0


def test_a_row_from_before_what_the_state_remembers_does_not_count() -> None:
    lateness = Lateness(BOOKMARK, known_from=BOOKMARK - 100)
    lateness.met(before_bookmark(100.5))
    assert lateness.rows == 0
    lateness.met(before_bookmark(100))
    assert lateness.rows == 1


@given(overlap=st.integers(2, 10 * MOST_OVERLAP), share=st.floats(0, 1))
def test_the_overlap_becomes_twice_as_long_as_rows_are_late_and_no_longer_than_a_day(
    overlap: int, share: float
) -> None:
    late = overlap * share
    wider = overlap_for(overlap, late)
    assert overlap <= wider <= max(overlap, MOST_OVERLAP)
    assert wider >= min(2 * late, MOST_OVERLAP)
    assert wider == overlap or late > overlap / 2


def test_lateness_below_half_of_the_overlap_is_not_worth_a_word() -> None:
    assert warning(Lateness(BOOKMARK, rows=5, seconds=450), 900) is None
    assert overlap_for(900, 450) == 900


def test_the_warning_says_how_late_and_what_happens() -> None:
    said = warning(Lateness(BOOKMARK, rows=5, seconds=451), 900)
    assert said is not None
    assert said.startswith("Late rows: 5 became visible after")
    assert "451 s before the bookmark" in said
    assert "read 1,800 s again instead of 900" in said
    assert "automate-dms audit" in said


def test_at_the_end_of_its_growth_the_warning_asks_for_the_setting() -> None:
    said = warning(Lateness(BOOKMARK, rows=1, seconds=MOST_OVERLAP - 1), MOST_OVERLAP)
    assert said is not None
    assert "set `overlap_seconds` higher" in said


def row(key: str, before: float) -> Row:
    return Row((key,), before_bookmark(before), {})


def ended(rows: list[Row], *, overlap: int = OVERLAP, start: int = 0) -> dict[str, t.Any]:
    """Return the state of a run that has read these rows."""
    mark = Bookmark(overlap_seconds=overlap)
    mark.fresh(sorted(rows, key=lambda row: row.updated))
    mark.advance(Window(start, BOOKMARK))
    return mark.to_state("updatedAt")


def resumed(state: dict[str, t.Any], overlap: int = OVERLAP) -> Bookmark:
    return Bookmark.from_state(state, overlap_seconds=overlap, name="vehicles")


def test_a_row_that_the_run_before_did_not_see_is_late_and_one_that_it_saw_is_not() -> None:
    mark = resumed(ended([row("seen", 20)]))
    fresh = mark.fresh([row("late", 40), row("seen", 20), row("new", -5)])
    assert [each.key for each in fresh] == [("late",), ("new",)]
    assert (mark.lateness.rows, mark.lateness.seconds) == (1, 40)


def test_a_run_that_saw_nothing_still_finds_what_is_late() -> None:
    mark = resumed(ended([]))
    mark.fresh([row("late", 40)])
    assert mark.lateness.seconds == 40


def test_a_late_row_widens_the_overlap_of_the_next_runs_for_good() -> None:
    mark = resumed(ended([]))
    mark.fresh([row("late", 31)])
    mark.advance(Window(BOOKMARK - OVERLAP, BOOKMARK + 500))
    state = mark.to_state("updatedAt")
    assert state["overlap_seconds"] == 120
    following = resumed(state)
    assert following.start == BOOKMARK + 500 - 120
    following.advance(Window(BOOKMARK, BOOKMARK + 900))
    assert following.to_state("updatedAt")["overlap_seconds"] == 120


def test_a_setting_that_is_longer_counts_instead() -> None:
    mark = resumed(ended([]) | {"overlap_seconds": 120}, overlap=300)
    assert mark.start == BOOKMARK - 300
    assert "overlap_seconds" not in mark.to_state("updatedAt")


def test_rows_of_a_dense_overlap_that_state_had_no_room_for_are_not_called_late() -> None:
    rows = [row(str(n), 50 - n / 100) for n in range(MOST_SEEN + 500)]
    mark = resumed(ended(rows))
    again = mark.fresh(rows)
    assert len(again) == 500
    assert mark.lateness.rows == 0
    assert mark.fresh([row("late", 40)])
    assert mark.lateness.seconds == 40


def test_rows_that_only_a_longer_overlap_reads_again_are_not_called_late() -> None:
    state = ended([row("old", 100), row("young", 10)])
    mark = resumed(state, overlap=3_600)
    mark.fresh([row("old", 100), row("young", 10)])
    assert mark.lateness.rows == 0


@pytest.mark.parametrize("before", [30, 20])
def test_rows_from_before_the_first_load_began_are_not_called_late(before: int) -> None:
    mark = resumed(ended([], start=BOOKMARK - 20))
    mark.fresh([row("before", before)])
    assert mark.lateness.rows == 0


def test_a_bookmark_without_a_memory_calls_nothing_late() -> None:
    mark = resumed({"replication_key_value": "2026-01-20T12:00:00Z"})
    assert mark.second is not None
    mark.fresh([Row(("a",), (mark.second - 30) * MICROSECONDS, {})])
    assert mark.lateness.rows == 0


def test_a_run_that_ends_within_the_overlap_keeps_what_is_known() -> None:
    state = ended([row("seen", 20)])
    second = resumed(state)
    second.advance(Window(BOOKMARK - OVERLAP, BOOKMARK - 30))
    kept = second.to_state("updatedAt")
    assert kept["seen_from"] == state["seen_from"]
    third = resumed(kept)
    third.fresh([row("late", 40), row("seen", 20)])
    assert (third.lateness.rows, third.lateness.seconds) == (1, 40)


def runs(api: ModelApi, cooldown: int, lookback: int = 10_000) -> t.Iterator[Bookmark]:
    """Load a model over and over, each run from the state before, the first from a start date."""
    state: dict[str, t.Any] = {}
    first = api.now // MICROSECONDS - lookback
    for _ in range(5):
        mark = resumed(state)
        start = first if mark.start is None else max(first, mark.start)
        for certified in certified_windows(api.fetch, start, api.now // MICROSECONDS - cooldown):
            mark.fresh(certified.rows)
            mark.advance(certified.window)
            state = mark.to_state("updatedAt")
        yield mark
        api.pass_time(20)


models = st.builds(
    ModelApi,
    seed=st.integers(0, 2**32),
    order=st.sampled_from(ORDERS),
    bounds=st.sampled_from(BOUNDS),
    changes=st.sampled_from([0.0, 0.3, 1.0]),
    granularity=st.sampled_from([1, MICROSECONDS // 1_000, MICROSECONDS]),
    span_seconds=st.sampled_from([50, 3_600]),
)
unhurried = settings(deadline=None, max_examples=60)


@unhurried
@given(api=models, delay=st.integers(1, 9), lookback=st.integers(15, 100))
def test_what_becomes_visible_within_the_cooldown_is_never_called_late(
    api: ModelApi, delay: int, lookback: int
) -> None:
    api.delay = delay * MICROSECONDS
    found = [mark.lateness.rows for mark in runs(api, cooldown=10, lookback=lookback)]
    assert found == [0] * 5


@unhurried
@given(api=models, delay=st.integers(1, 30))
def test_rows_are_never_called_later_than_they_can_be(api: ModelApi, delay: int) -> None:
    api.delay = delay * MICROSECONDS
    for mark in runs(api, cooldown=2):
        assert mark.lateness.seconds <= delay


def test_rows_later_than_the_cooldown_are_found() -> None:
    found = [
        mark.lateness.seconds
        for seed in range(20)
        for mark in runs(ModelApi(seed, changes=1.0, delay=30 * MICROSECONDS), cooldown=2)
    ]
    assert max(found) > 10
