"""Rows that become visible late are measured, and the overlap grows before any is missed."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_automate.lateness import MOST_OVERLAP, Lateness, overlap_for, warning
from tap_automate.windows import MICROSECONDS

BOOKMARK: t.Final = 1_000_000


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
    assert said.startswith("5 rows became visible after")
    assert "451 s before the bookmark" in said
    assert "read 1,800 s again instead of 900" in said
    assert "automate-dms audit" in said


def test_at_the_end_of_its_growth_the_warning_asks_for_the_setting() -> None:
    said = warning(Lateness(BOOKMARK, rows=1, seconds=MOST_OVERLAP - 1), MOST_OVERLAP)
    assert said is not None
    assert "set `overlap_seconds` higher" in said
