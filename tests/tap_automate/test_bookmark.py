"""The bookmark: what it keeps in state, and which rows it lets through."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate_api.errors import ConfigError
from tap_automate.bookmark import MOST_SEEN, Bookmark
from tap_automate.instants import from_seconds, to_microseconds
from tap_automate.reading.windows import MICROSECONDS, Row, Window

NOON = to_microseconds("2026-01-20T12:00:00Z") // MICROSECONDS


def row(key: str, second: float) -> Row:
    return Row((key,), int(second * MICROSECONDS), {})


def bookmark(state: dict[str, t.Any] | None = None, overlap: int = 60) -> Bookmark:
    return Bookmark.from_state(state or {}, overlap_seconds=overlap, name="vehicles")


def after(rows: list[Row], end: int, overlap: int = 60) -> dict[str, t.Any]:
    mark = bookmark(overlap=overlap)
    for each in rows:
        assert mark.fresh((each,))
    mark.advance(Window(0, end))
    state: dict[str, t.Any] = json.loads(json.dumps(mark.to_state("updatedAt")))
    return state


def test_state_has_the_fields_that_singer_users_know() -> None:
    state = after([], NOON)
    assert state["replication_key"] == "updatedAt"
    assert state["replication_key_value"] == "2026-01-20T12:00:00Z"


def test_a_row_of_the_overlap_is_emitted_once_over_two_runs() -> None:
    state = after([row("a", NOON - 5)], NOON)
    assert not bookmark(state).fresh((row("a", NOON - 5),))


def test_a_row_that_became_visible_late_is_emitted() -> None:
    state = after([row("a", NOON - 5)], NOON)
    assert bookmark(state).fresh((row("late", NOON - 7),))


def test_the_same_key_with_a_later_change_is_emitted() -> None:
    state = after([row("a", NOON - 5)], NOON)
    assert bookmark(state).fresh((row("a", NOON - 4),))


def test_rows_before_the_overlap_are_not_kept_in_state() -> None:
    state = after([row(str(n), NOON - 3_600 + n) for n in range(100)], NOON)
    assert state["seen"] == []


def test_state_holds_no_more_digests_than_agreed_and_they_are_the_newest() -> None:
    rows = [row(str(n), NOON - 50 + n / 1_000) for n in range(MOST_SEEN + 500)]
    state = after(rows, NOON)
    assert len(state["seen"]) == MOST_SEEN
    again = bookmark(state)
    assert again.fresh((rows[0],))
    assert not again.fresh((rows[-1],))


def test_what_an_earlier_run_has_seen_survives_a_run_that_ends_within_the_overlap() -> None:
    state = after([row("a", NOON - 5)], NOON)
    second = bookmark(state)
    second.advance(Window(NOON - 60, NOON - 30))
    third = bookmark(second.to_state("updatedAt"))
    assert third.second == NOON
    assert not third.fresh((row("a", NOON - 5),))


def test_runs_that_end_within_a_dense_overlap_do_not_let_the_state_grow() -> None:
    state = after([row(f"new{n}", NOON - 5) for n in range(MOST_SEEN)], NOON)
    second = bookmark(state)
    for number in range(MOST_SEEN):
        second.fresh((row(f"old{number}", NOON - 50),))
    second.advance(Window(NOON - 60, NOON - 30))
    assert second.to_state("updatedAt")["seen"] == state["seen"]


def test_state_tells_nothing_of_keys_and_instants() -> None:
    state = after([row("cust_5c01e8", NOON - 5)], NOON)
    assert "cust" not in json.dumps(state["seen"])


@pytest.mark.parametrize(
    ("state", "named"),
    [
        ({"replication_key_value": "yesterday"}, "replication_key_value"),
        ({"replication_key_value": 17}, "replication_key_value"),
        ({"replication_key_value": from_seconds(NOON), "seen": "abc"}, "seen"),
        ({"replication_key_value": from_seconds(NOON), "seen": [1]}, "seen"),
        ({"replication_key_value": from_seconds(NOON), "seen_from": "noon"}, "seen_from"),
        ({"replication_key_value": from_seconds(NOON), "overlap_seconds": -1}, "overlap_seconds"),
        ({"replication_key_value": from_seconds(NOON), "overlap_seconds": "9"}, "overlap_seconds"),
    ],
)
def test_a_state_of_another_form_is_refused_with_what_to_do(
    state: dict[str, t.Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=f"'vehicles'.*`{named}`"):
        bookmark(state)


def test_a_bookmark_that_a_person_wrote_by_hand_is_taken() -> None:
    assert bookmark({"replication_key_value": "2026-01-20"}).second == NOON - 12 * 3_600


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2026-01-20T12:00:00Z", "2026-01-20T12:00:00.500Z"),
        ("2026-01-20T12:00:00.500Z", "2026-01-20T12:00:01Z"),
        ("2026-01-20T12:00:00+02:00", "2026-01-20T12:00:00Z"),
    ],
)
def test_instants_compare_as_instants_where_their_text_does_not(earlier: str, later: str) -> None:
    assert to_microseconds(earlier) < to_microseconds(later)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "0999-12-31T23:59:59Z"])
def test_instants_of_any_year_are_written_as_they_are_read(text: str) -> None:
    assert from_seconds(to_microseconds(text) // MICROSECONDS) == text


def test_the_rows_of_a_window_are_let_through_together_without_those_emitted_before() -> None:
    state = after([row("a", NOON - 5), row("b", NOON - 4)], NOON)
    again = bookmark(state)
    rows = [
        row("old", NOON - 61),
        row("late", NOON - 7),
        row("a", NOON - 5),
        row("b", NOON - 3),
        row("new", NOON + 30),
    ]
    assert [fresh.key for fresh in again.fresh(rows)] == [("late",), ("b",), ("new",)]


def test_a_window_of_new_rows_is_passed_on_as_it_is() -> None:
    rows = [row(str(number), NOON + number) for number in range(10)]
    assert bookmark().fresh(rows) is rows
    assert bookmark(after([row("a", NOON - 5)], NOON)).fresh(rows[5:]) == rows[5:]


@given(
    seconds=st.lists(st.integers(0, 40), max_size=12),
    changed=st.lists(st.integers(0, 40), max_size=4),
    overlap=st.integers(2, 50),
    middle=st.integers(3, 37),
)
def test_rows_read_twice_are_emitted_once_and_others_never_less(
    seconds: list[int], changed: list[int], overlap: int, middle: int
) -> None:
    rows = [row(f"k{number}", NOON + second) for number, second in enumerate(seconds)]
    rows += [row(f"new{number}", NOON + second) for number, second in enumerate(changed)]
    rows.sort(key=lambda each: each.updated)
    first = [each for each in rows if not each.key[0].startswith("new")]
    emitted: list[Row] = []
    mark = bookmark(overlap=overlap)
    for start, end in ((0, middle), (middle - 1, 41)):
        low, high = (NOON + start) * MICROSECONDS, (NOON + end) * MICROSECONDS
        emitted += mark.fresh([each for each in first if low <= each.updated <= high])
        mark.advance(Window(NOON + start, NOON + end))
    assert emitted == first
    later = bookmark(mark.to_state("updatedAt"), overlap=overlap)
    since = (NOON + 41 - overlap) * MICROSECONDS
    found = later.fresh([each for each in rows if each.updated >= since])
    assert [each.key for each in found] == [
        each.key for each in rows if each.updated >= since and each not in first
    ]
