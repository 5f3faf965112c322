"""The promise of extraction: every record's last version is emitted, in any page order."""

from __future__ import annotations

import itertools
import random
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.model import BASE, BOUNDS, ORDERS, ModelApi, ModelTap, read_plainly, read_together

from tap_automate.reading.harvest import Harvest, certified_windows
from tap_automate.reading.plan import (
    MOST_SAMPLES,
    TARGET_PAGES,
    TOO_LARGE,
    USUAL_ROWS,
    Pace,
    cut,
    points,
)
from tap_automate.reading.windows import (
    MICROSECONDS,
    MOST_PASSES,
    NARROWEST,
    Certified,
    Page,
    Reading,
    Row,
    UncertifiableError,
    Uncertified,
    Window,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_automate.reading.harvest import Request

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


together = st.sampled_from([1, 2, 4, 16, 32])
"""Requests under way together."""


def marks_of(tap: ModelTap, windows: int | None = None) -> list[str | None]:
    """Run until the end or for so many windows; only changes may keep a run from its end."""
    marks: list[str | None] = []
    try:
        marks.extend(itertools.islice(tap.steps(), windows))
    except UncertifiableError:
        assert tap.api.changes > 0
    return marks


def has_everything_after_a_quiet_run(tap: ModelTap) -> bool:
    tap.catch_up()
    return {key: tap.emitted.get(key) for key in tap.api.rows} == tap.api.rows


@settings(max_examples=150, deadline=None)
@given(api=apis, runs=st.integers(1, 4), in_flight=together)
def test_after_a_quiet_run_no_row_is_missing_and_none_is_stale(
    api: ModelApi, runs: int, in_flight: int
) -> None:
    tap = ModelTap(api, start=BASE // MICROSECONDS - 90_000, in_flight=in_flight)
    for _ in range(runs):
        api.pass_time(5)
        marks_of(tap)
    assert has_everything_after_a_quiet_run(tap)


@settings(max_examples=60, deadline=None)
@given(api=apis, kills=st.lists(st.integers(0, 6), max_size=5), in_flight=together)
def test_a_run_killed_after_any_window_resumes_without_losing_rows(
    api: ModelApi, kills: list[int], in_flight: int
) -> None:
    tap = ModelTap(api, start=BASE // MICROSECONDS - 90_000, in_flight=in_flight)
    for windows in kills:
        api.pass_time(3)
        marks_of(tap, windows)
    assert has_everything_after_a_quiet_run(tap)


@settings(max_examples=60, deadline=None)
@given(api=apis, in_flight=together)
def test_bookmarks_never_move_back(api: ModelApi, in_flight: int) -> None:
    tap = ModelTap(api, start=BASE // MICROSECONDS - 90_000, in_flight=in_flight)
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
        emitted = read_plainly(api)
        lost += sum(emitted.get(key) != updated for key, updated in api.rows.items())
    assert lost > 0


def page_of(keys: str, total: int, size: int = 2) -> Page:
    return Page([Row((key,), BASE, {}) for key in keys], size, total)


def outcome_of(*pages: Page) -> Certified | Uncertified | None:
    reading = Reading(Window(0, 10), None)
    for page in pages:
        assert reading.next_page() is not None
        reading.receive(page)
    return reading.outcome


def test_pages_that_hold_every_row_under_one_total_are_a_certificate() -> None:
    assert isinstance(outcome_of(page_of("ab", 4), page_of("cd", 4)), Certified)


def test_equal_totals_do_not_certify_pages_that_repeat_a_row() -> None:
    assert isinstance(outcome_of(page_of("ab", 4), page_of("bc", 4)), Uncertified)


def test_a_total_that_shrinks_on_the_last_page_rules_the_certificate_out() -> None:
    assert isinstance(outcome_of(page_of("ab", 4), page_of("d", 3)), Uncertified)


def test_a_total_that_grows_rules_the_certificate_out_though_the_keys_add_up() -> None:
    assert isinstance(outcome_of(page_of("ab", 4), page_of("cd", 5)), Uncertified)


def test_the_last_page_is_asked_for_when_all_others_have_come() -> None:
    reading = Reading(Window(0, 10), None)
    assert [reading.next_page(), reading.next_page()] == [1, None]
    reading.receive(page_of("ab", 8))
    assert [reading.next_page() for _ in range(3)] == [2, 3, None]
    reading.receive(page_of("ef", 8))
    assert reading.next_page() is None
    reading.receive(page_of("cd", 8))
    assert reading.next_page() == 4


def windows_from(
    answers: Iterable[Page], start: int = 0, end: int = NARROWEST
) -> Iterator[Certified]:
    """Read a span with these answers, whatever is asked for."""
    given = iter(answers)
    return certified_windows(lambda *_: next(given), start, end)


def test_a_total_without_rows_is_never_certified() -> None:
    with pytest.raises(UncertifiableError):
        list(windows_from(itertools.repeat(page_of("", 3)), end=1_000))


def test_an_instant_is_certified_by_the_union_of_passes_with_one_total() -> None:
    answers = [page_of("ab", 4), page_of("ab", 4), page_of("cd", 4), page_of("cd", 4)]
    (certified,) = windows_from(answers)
    assert [row.key for row in certified.rows] == [("a",), ("b",), ("c",), ("d",)]


def test_passes_with_different_totals_are_not_united() -> None:
    answers = [page_of("ab", 4), page_of("ab", 4), page_of("cd", 3), page_of("cd", 3)]
    with pytest.raises(UncertifiableError) as raised:
        list(windows_from(itertools.cycle(answers)))
    assert raised.value.passes == MOST_PASSES


def test_windows_before_one_without_a_certificate_are_given_first() -> None:
    """A later window may fail while an earlier one is still being read."""
    rows = [Row((f"k{n}",), n * 10 * MICROSECONDS, {}) for n in range(120)]

    def fetch(window: Window, page: int) -> Page:
        low, high = window.start * MICROSECONDS, window.end * MICROSECONDS
        inside = [row for row in rows if low <= row.updated <= high]
        # The newest row is counted and never shown.
        shown = [row for row in inside if row.key != ("k119",)]
        return Page(shown[(page - 1) * 2 : page * 2], 2, len(inside))

    harvest = Harvest(0, 2_000)
    asked: list[Request] = []
    taken: list[Certified] = []

    def take_all() -> None:
        while not harvest.is_done:
            while (request := harvest.next_request(1_000)) is not None:
                asked.append(request)
            last = asked.pop()
            harvest.receive(last, fetch(last.window, last.page))
            while (window := harvest.take()) is not None:
                taken.append(window)

    with pytest.raises(UncertifiableError):
        take_all()
    read = {row.key for window in taken for row in window.rows}
    assert read == {row.key for row in rows if row.key != ("k119",)}


@settings(max_examples=100, deadline=None)
@given(api=apis, start=st.integers(0, 90_000), in_flight=together)
def test_windows_cover_the_span_without_a_gap(api: ModelApi, start: int, in_flight: int) -> None:
    api.changes = 0.0
    end = BASE // MICROSECONDS + 60
    chance = random.Random(start)  # noqa: S311 - a model, not a secret
    read = read_together(api, end - 60 - start, end, in_flight=in_flight, chance=chance)
    windows = [certified.window for certified in read]
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


def test_windows_that_fail_together_are_one_failure() -> None:
    pace = Pace()
    start = pace.target_pages
    for _ in range(3):
        pace.failed(start)
    assert pace.target_pages == start // 2
    for _ in range(Pace.PATIENCE * 2):
        pace.succeeded()
    assert pace.target_pages == start


@pytest.mark.parametrize("in_flight", [1, 4, 32])
@pytest.mark.parametrize(
    ("order", "changes", "most"),
    [
        ("ascending", 0.0, 1.1),
        ("descending", 0.0, 1.1),
        ("opaque", 0.0, 1.1),
        ("ascending", 1.0, 2.5),
        ("by_id", 1.0, 2.5),
        ("unstable", 0.0, 8.0),
    ],
)
def test_requests_stay_near_those_of_a_plain_reader(
    order: str, changes: float, most: float, in_flight: int
) -> None:
    api = ModelApi(
        seed=11, size=2_000, page_size=10, order=order, span_seconds=30 * 86_400, changes=changes
    )
    end = BASE // MICROSECONDS
    chance = random.Random(1)  # noqa: S311 - a model, not a secret
    list(read_together(api, end - 30 * 86_400, end, in_flight=in_flight, chance=chance))
    assert api.requests <= most * 2_000 / 10


@pytest.mark.parametrize("order", ["ascending", "opaque"])
def test_rows_that_share_an_instant_are_not_read_again_and_again(order: str) -> None:
    """An import writes many rows at once, and no cut in time parts them."""
    api = ModelApi(seed=5, size=500, page_size=10, order=order, span_seconds=86_400)
    for number in range(2_000):
        api.write(f"import{number:04d}", BASE - 40_000 * MICROSECONDS)
    end = BASE // MICROSECONDS
    windows = certified_windows(api.fetch, end - 86_400, end)
    assert len({row.key for window in windows for row in window.rows}) == 2_500
    assert api.requests <= 1.2 * 250


def test_rows_that_lie_in_one_corner_of_a_long_span_take_few_requests() -> None:
    api = ModelApi(seed=2, size=2_000, page_size=10, span_seconds=3_600)
    end = BASE // MICROSECONDS
    list(certified_windows(api.fetch, end - 20 * 365 * 86_400, end))
    assert api.requests <= 1.1 * 200


def test_memory_is_bounded_by_the_pages_that_may_be_held() -> None:
    """Nothing is taken: only so many windows are begun."""
    api = ModelApi(seed=4, size=20_000, page_size=10, span_seconds=30 * 86_400)
    end = BASE // MICROSECONDS
    harvest = Harvest(end - 30 * 86_400, end)
    while (request := harvest.next_request(100)) is not None:
        harvest.receive(request, api.fetch(request.window, request.page))
    assert api.requests < 100 + 2 * TOO_LARGE * TARGET_PAGES + MOST_SAMPLES
    assert harvest.take() is not None


@pytest.mark.parametrize("page_size", [200, 1_000, 5_000])
def test_what_is_held_is_bounded_where_pages_are_large(page_size: int) -> None:
    api = ModelApi(seed=4, size=100_000, page_size=page_size, span_seconds=30 * 86_400)
    end = BASE // MICROSECONDS
    harvest = Harvest(end - 30 * 86_400, end)
    while (request := harvest.next_request(TARGET_PAGES)) is not None:
        harvest.receive(request, api.fetch(request.window, request.page))
    held = 0
    while (window := harvest.take()) is not None:
        held += len(window.rows)
    assert 0 < held <= (1 + 2 * TOO_LARGE) * TARGET_PAGES * USUAL_ROWS


@pytest.mark.parametrize("second", [-1, 10**6 + 1])
def test_rows_just_outside_a_window_do_not_make_it_one_that_cannot_be_cut(second: int) -> None:
    assert points(Window(0, 10**6), [second] * 3) == [10**6 // 2]


def test_an_instant_is_left_alone_when_nothing_but_it_is_left() -> None:
    (window,) = (
        w for w in cut(Window(0, 100), points(Window(0, 100), [50, 50])) if w.start < 50 < w.end
    )
    assert points(window, [50, 50]) == []


def test_an_empty_span_takes_one_request() -> None:
    api = ModelApi(seed=1, size=0)
    list(certified_windows(api.fetch, 0, BASE // MICROSECONDS))
    assert api.requests == 1


def test_a_span_that_ends_where_it_starts_is_wide_enough_to_hold_a_row() -> None:
    (certified,) = windows_from([page_of("a", 1)], start=5, end=5)
    assert certified.window == Window(5, 7)
