"""The promise of extraction: every record's last version is emitted, in any page order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.model import BASE, BOUNDS, ORDERS, ModelApi, ModelTap

from tap_automate.plan import Pace, Plan, certified_windows
from tap_automate.windows import (
    MICROSECONDS,
    MOST_PASSES,
    Certified,
    Page,
    Row,
    UncertifiableError,
    Window,
    read_narrowest,
    read_window,
)

apis = st.builds(
    ModelApi,
    seed=st.integers(0, 10**9),
    size=st.integers(0, 120),
    page_size=st.integers(1, 12),
    order=st.sampled_from(ORDERS),
    bounds=st.sampled_from(BOUNDS),
    changes=st.sampled_from([0.0, 0.2, 1.0, 3.0]),
    granularity=st.sampled_from([1, 1_000, MICROSECONDS]),
    span_seconds=st.sampled_from([3, 60, 3_600, 86_400]),
    delay=st.sampled_from([0, MICROSECONDS]),
)


def marks_of(tap: ModelTap, windows: int | None = None) -> list[str | None]:
    """Run until the end or for so many windows; only changes may keep a run from its end."""
    marks: list[str | None] = []
    try:
        marks.extend(itertools.islice(tap.steps(), windows))
    except UncertifiableError:
        assert tap.api.changes > 0
    return marks


def has_everything_after_a_quiet_run(tap: ModelTap) -> bool:
    """Let changes end and time pass, run once more, and compare with the API."""
    tap.api.changes = 0.0
    tap.api.pass_time(10)
    tap.run()
    return {key: tap.emitted.get(key) for key in tap.api.rows} == tap.api.rows


@settings(max_examples=150, deadline=None)
@given(api=apis, runs=st.integers(1, 4))
def test_after_a_quiet_run_no_row_is_missing_and_none_is_stale(api: ModelApi, runs: int) -> None:
    tap = ModelTap(api, start=BASE // MICROSECONDS - 90_000)
    for _ in range(runs):
        api.pass_time(5)
        marks_of(tap)
    assert has_everything_after_a_quiet_run(tap)


@settings(max_examples=60, deadline=None)
@given(api=apis, kills=st.lists(st.integers(0, 6), max_size=5))
def test_a_run_killed_after_any_window_resumes_without_losing_rows(
    api: ModelApi, kills: list[int]
) -> None:
    tap = ModelTap(api, start=BASE // MICROSECONDS - 90_000)
    for windows in kills:
        api.pass_time(3)
        marks_of(tap, windows)
    assert has_everything_after_a_quiet_run(tap)


@settings(max_examples=60, deadline=None)
@given(api=apis)
def test_bookmarks_never_move_back(api: ModelApi) -> None:
    tap = ModelTap(api, start=BASE // MICROSECONDS - 90_000)
    marks: list[str | None] = []
    for _ in range(3):
        api.pass_time(5)
        marks += marks_of(tap)
    assert marks == sorted(marks, key=str)


@pytest.mark.parametrize("order", ORDERS)
def test_a_second_run_over_a_quiet_server_emits_nothing(order: str) -> None:
    api = ModelApi(seed=3, size=200, order=order)
    tap = ModelTap(api, start=BASE // MICROSECONDS - 7_200)
    api.pass_time(30)
    tap.run()
    first = len(tap.messages)
    api.pass_time(30)
    tap.run()
    assert first == len(api.rows)
    assert len(tap.messages) == first


@pytest.mark.parametrize("order", ORDERS)
def test_the_plain_page_by_page_reader_loses_rows_where_windows_do_not(order: str) -> None:
    """The same model makes the usual reader fail, so it can tell the two apart."""
    lost = 0
    for seed in range(20):
        api = ModelApi(seed=seed, size=300, page_size=10, order=order, changes=1.0)
        emitted: dict[str, int] = {}
        bookmark = 0
        for _ in range(2):
            everything = Window(bookmark, 2**33)
            page = 1
            while rows := api.fetch(everything, page).rows:
                emitted |= {row.key[0]: row.updated for row in rows}
                page += 1
            bookmark = max(emitted.values()) // MICROSECONDS
            api.changes = 0.0
        lost += sum(emitted.get(key) != updated for key, updated in api.rows.items())
    assert lost > 0


def page_of(keys: str, total: int, size: int = 2) -> Page:
    return Page([Row((key,), BASE, {}) for key in keys], size, total)


def test_equal_totals_do_not_certify_pages_that_repeat_a_row() -> None:
    pages = {1: page_of("ab", 4), 2: page_of("bc", 4)}
    outcome = read_window(lambda _, page: pages[page], Window(0, 10), None)
    assert not isinstance(outcome, Certified)


def test_a_total_that_shrinks_on_the_last_page_rules_the_certificate_out() -> None:
    pages = {1: page_of("ab", 4), 2: page_of("d", 3)}
    outcome = read_window(lambda _, page: pages[page], Window(0, 10), None)
    assert not isinstance(outcome, Certified)


def test_a_total_that_grows_rules_the_certificate_out_though_the_keys_add_up() -> None:
    pages = {1: page_of("ab", 4), 2: page_of("cd", 5)}
    outcome = read_window(lambda _, page: pages[page], Window(0, 10), None)
    assert not isinstance(outcome, Certified)


def test_a_total_without_rows_is_never_certified() -> None:
    with pytest.raises(UncertifiableError):
        list(certified_windows(lambda *_: page_of("", 3), 0, 1_000))


def test_an_instant_is_certified_by_the_union_of_passes_with_one_total() -> None:
    answers = iter([page_of("ab", 4), page_of("ab", 4), page_of("cd", 4), page_of("cd", 4)])
    certified = read_narrowest(lambda *_: next(answers), Window(0, 2))
    assert [row.key for row in certified.rows] == [("a",), ("b",), ("c",), ("d",)]


def test_passes_with_different_totals_are_not_united() -> None:
    answers = itertools.cycle(
        [page_of("ab", 4), page_of("ab", 4), page_of("cd", 3), page_of("cd", 3)]
    )
    with pytest.raises(UncertifiableError) as raised:
        read_narrowest(lambda *_: next(answers), Window(0, 2))
    assert raised.value.passes == MOST_PASSES


@settings(max_examples=100, deadline=None)
@given(api=apis, start=st.integers(0, 90_000))
def test_windows_cover_the_span_without_a_gap(api: ModelApi, start: int) -> None:
    api.changes = 0.0
    end = BASE // MICROSECONDS + 60
    windows = [c.window for c in certified_windows(api.fetch, end - 60 - start, end)]
    assert windows[0].start == end - 60 - start
    assert windows[-1].end == end
    assert all(after.start == before.end - 1 for before, after in itertools.pairwise(windows))


def test_a_window_aims_at_fewer_pages_after_a_failure_and_grows_back_when_quiet() -> None:
    pace = Pace()
    start = pace.target_pages
    pace.failed(start)
    assert pace.target_pages == start // 2
    for _ in range(Pace.PATIENCE * 2):
        pace.succeeded()
    assert pace.target_pages == start


@pytest.mark.parametrize(
    ("order", "changes", "most"),
    [
        ("ascending", 0.0, 1.1),
        ("opaque", 0.0, 1.1),
        ("ascending", 1.0, 2.5),
        ("by_id", 1.0, 2.5),
        ("unstable", 0.0, 8.0),
    ],
)
def test_requests_stay_near_those_of_a_plain_reader(
    order: str, changes: float, most: float
) -> None:
    api = ModelApi(
        seed=11, size=2_000, page_size=10, order=order, span_seconds=30 * 86_400, changes=changes
    )
    list(certified_windows(api.fetch, BASE // MICROSECONDS - 30 * 86_400, BASE // MICROSECONDS))
    assert api.requests <= most * 2_000 / 10


def test_an_empty_span_takes_one_request() -> None:
    api = ModelApi(seed=1, size=0)
    list(certified_windows(api.fetch, 0, BASE // MICROSECONDS))
    assert api.requests == 1


def test_a_plan_ends() -> None:
    plan = Plan(0, 1)
    window = plan.next_window()
    assert window == Window(0, 2)
    plan.passed(Certified(window, []))
    assert plan.next_window() is None
