"""Where an audit's buckets end, and that counts do not depend on what a server makes of bounds."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_automate.audit.buckets import DAY, MOST_ROWS, buckets, count, quiet_from, quiet_until
from tap_automate.reading.windows import MICROSECONDS, OVERLAP, Window

START: t.Final = 1_700_000_000 // DAY * DAY

near = st.lists(st.integers(0, 40 * MICROSECONDS), max_size=30)
"""Microseconds of rows that lie so close together that borders have to be looked for."""

wide = st.lists(st.integers(0, 9 * DAY * MICROSECONDS), max_size=60)


def counted(micros: list[int], window: Window, kind: str) -> int:
    """Count as a server does: bounds included or not, whole seconds looked at or fractions."""
    if kind.endswith("s"):
        micros = [micro - micro % MICROSECONDS for micro in micros]
    low, high = window.start * MICROSECONDS, window.end * MICROSECONDS
    return sum(
        (low < micro or (kind[0] == "[" and low == micro))
        and (micro < high or (kind[1] == "]" and micro == high))
        for micro in micros
    )


@given(rows=st.one_of(near, wide), page_size=st.integers(1, 12))
def test_each_row_is_counted_once_whatever_bounds_mean(rows: list[int], page_size: int) -> None:
    micros = sorted(START * MICROSECONDS + row for row in rows)
    seconds = [micro // MICROSECONDS for micro in micros]
    start, end = quiet_until(seconds, START), quiet_from(seconds, START + 9 * DAY)
    windows = buckets(seconds, start, end, page_size)
    assert windows[0].start == start - OVERLAP
    assert windows[-1].end == end
    for before, after in itertools.pairwise(windows):
        assert after.start == before.end - OVERLAP
    for kind in ("[]", "[)", "(]", "()", "[]s", "()s"):
        assert [counted(micros, w, kind) for w in windows] == [count(seconds, w) for w in windows]
    assert sum(count(seconds, window) for window in windows) == len(rows)


@given(rows=wide, page_size=st.integers(1, 12))
def test_there_are_no_more_buckets_than_days_with_rows(rows: list[int], page_size: int) -> None:
    seconds = sorted(START + row // MICROSECONDS for row in rows)
    end = quiet_from(seconds, START + 9 * DAY)
    days = {second // DAY for second in seconds}
    windows = buckets(seconds, quiet_until(seconds, START), end, page_size)
    # A border moves on from midnight where rows lie close to it, and takes them along.
    assert len(windows) <= max(1, len(days))


def test_days_that_fit_on_one_page_together_are_one_bucket() -> None:
    seconds = [START + day * DAY + 3_600 for day in range(60)]
    assert len(buckets(seconds, START, START + 60 * DAY, 60)) == 1
    assert len(buckets(seconds, START, START + 60 * DAY, 20)) == 3
    assert len(buckets(seconds, START, START + 60 * DAY, 1)) == 60


def test_a_day_of_many_rows_is_cut() -> None:
    seconds = [START + 8 * (number // 10) for number in range(2 * MOST_ROWS + 15)]
    windows = buckets(seconds, START - 10, START + DAY, 200)
    assert [count(seconds, window) for window in windows] == [MOST_ROWS + 10, MOST_ROWS + 5]


@pytest.mark.parametrize("rows", [[], [START + 5]])
def test_a_time_without_rows_is_one_bucket(rows: list[int]) -> None:
    assert buckets(rows, START, START + 365 * DAY, 200) == [
        Window(START - OVERLAP, START + 365 * DAY)
    ]


def test_an_empty_span_has_no_bucket() -> None:
    assert buckets([START], START + 10, START + 10, 200) == []
