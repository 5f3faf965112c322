"""What the tap tells of its streams while it runs."""

from __future__ import annotations

import typing as t

from support.clock import FakeClock
from support.model import ModelApi

from automate_api.transport import Stats
from tap_automate.reading.harvest import Harvest
from tap_automate.reading.windows import MICROSECONDS, Certified, Row, Window
from tap_automate.reporting.figures import Oddities
from tap_automate.reporting.measures import measured
from tap_automate.reporting.progress import Progress

SPAN: t.Final = Window(0, 10_000)


def told(progress: Progress) -> dict[str, dict[tuple[str, ...], float]]:
    return {measure.name: dict(measure.values) for measure in measured(progress)}


def progress_of(stats: Stats | None = None) -> Progress:
    counted = stats or Stats()
    return Progress(lambda: counted, FakeClock())


def test_requests_and_waits_are_told_of_the_run_and_those_for_the_rate_apart() -> None:
    stats = Stats(requests=9, retries=2, throttled=1, waited_seconds=7.5, paced_seconds=3.0)
    assert {name: values for name, values in told(progress_of(stats)).items() if values} == {
        "requests": {(): 9},
        "retries": {(): 2},
        "throttled": {(): 1},
        "waited_seconds": {(): 4.5},
        "paced_seconds": {(): 3.0},
    }


def test_a_stream_tells_rows_windows_and_what_was_not_as_assumed() -> None:
    progress = progress_of()
    deals, lines = progress.stream("deals"), progress.stream("deal_fees")
    harvest = Harvest(SPAN.start, SPAN.end)
    harvest.pages, harvest.windows_split, harvest.certificates_failed = 7, 2, 3
    with deals.reading():
        deals.answered(harvest)
        deals.window(Certified(SPAN, [Row(("k",), 1_500_000 * MICROSECONDS, {})]))
        deals.emitted(1)
        deals.advanced(10_000)
        deals.met(Oddities(late_rows=1, late_seconds=90, unknown_fields=4))
        deals.met(Oddities(late_rows=2, late_seconds=60, unknown_values=5, other_types=6))
        deals.met(Oddities(missing_fields=7, moved_paths=1, drift=9, drift_new=8))
    lines.emitted(3)
    found = told(progress)
    assert found["rows"] == {("deals",): 1, ("deal_fees",): 3}
    assert found["bookmark_timestamp_seconds"] == {("deals",): 10_000}
    assert found["newest_row_timestamp_seconds"] == {("deals",): 1_500_000}
    of_deals = {
        "pages": 7,
        "windows": 1,
        "windows_split": 2,
        "certificates_failed": 3,
        "late_rows": 3,
        "late_arrival_seconds": 90,
        "unknown_fields": 4,
        "unknown_values": 5,
        "other_types": 6,
        "missing_fields": 7,
        "moved_paths": 1,
        "drift_new": 8,
        "files_fetched": 0,
        "files_failed": 0,
    }
    assert {name: found[name] for name in of_deals} == {
        name: {("deals",): value} for name, value in of_deals.items()
    }


def harvested(api: ModelApi) -> Harvest:
    """Read what is older than now, one request after the other."""
    end = api.now // MICROSECONDS - 1
    harvest = Harvest(end - 2 * api.span_seconds, end)
    while not harvest.is_done:
        if request := harvest.next_request(1):
            harvest.receive(request, api.fetch(request.window, request.page))
        while harvest.take():
            pass
    return harvest


def test_a_harvest_counts_the_windows_that_it_has_to_cut() -> None:
    small, large = (harvested(ModelApi(seed=1, size=size, page_size=2)) for size in (8, 2_000))
    assert (small.windows_split, small.certificates_failed) == (0, 0)
    assert (large.windows_split > 0, large.certificates_failed) == (True, 0)


def test_a_harvest_counts_the_windows_that_rows_left_while_it_read_them() -> None:
    assert harvested(ModelApi(seed=1, size=100, page_size=10, changes=3.0)).certificates_failed > 0
