"""What is counted of a run, and how it is shown: metrics, moving lines, a table at the end."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import re
import threading
import typing as t

import pytest
from rich.console import Console
from support.clock import START, FakeClock
from support.papers import code, readme_section, table

from automate_api.transport import Stats
from automate_singer.repeating import repeated
from tap_automate.downloads.store import Outcome
from tap_automate.reading.harvest import Harvest
from tap_automate.reading.windows import MICROSECONDS, Certified, Row, Window
from tap_automate.reporting.metrics import Beat, Gauge, log
from tap_automate.reporting.progress import Progress, Report
from tap_automate.reporting.summary import COLUMNS, show
from tap_automate.reporting.terminal import Lines

if t.TYPE_CHECKING:
    from tap_automate.reporting.figures import Figures

SPAN = Window(0, 10_000)


class Counters:
    """Stands for the client's counters."""

    def __init__(self) -> None:
        self.now = Stats(per_second=10)

    def __call__(self) -> Stats:
        return Stats(
            requests=self.now.requests,
            retries=self.now.retries,
            throttled=self.now.throttled,
            waited_seconds=self.now.waited_seconds,
            paced_seconds=self.now.paced_seconds,
            per_second=self.now.per_second,
        )


class Bench(t.NamedTuple):
    progress: Progress
    clock: FakeClock
    counters: Counters


@pytest.fixture
def bench() -> Bench:
    clock, counters = FakeClock(), Counters()
    return Bench(Progress(counters, clock), clock, counters)


def rows(*seconds: int) -> list[Row]:
    return [Row((f"k{second}",), second * MICROSECONDS, {}) for second in seconds]


def read(report: Report, expected: int, pages: int, certified: int | None = None) -> None:
    """Tell of answers, of which as many were in certified windows unless told otherwise."""
    harvest = Harvest(SPAN.start, SPAN.end)
    harvest.expected, harvest.pages = expected, pages
    harvest.pages_certified = pages if certified is None else certified
    report.answered(harvest)


def figures_of(progress: Progress, name: str) -> Figures:
    return next(each for each in progress.snapshot() if each.stream == name)


def test_pages_windows_rows_and_the_newest_of_them_are_counted(bench: Bench) -> None:
    report = bench.progress.stream("vehicles")
    with report.reading():
        read(report, 12, 3)
        report.window(Certified(SPAN, rows(*range(100, 112))))
        report.emitted(9)
        report.advanced(10_000)
        bench.clock.pass_by(3)
    figures = figures_of(bench.progress, "vehicles")
    assert (figures.rows, figures.certified, figures.expected) == (9, 12, 12)
    assert (figures.pages, figures.windows, figures.rereads) == (3, 1, 0)
    assert figures.newest == 111 * MICROSECONDS
    assert figures.bookmark == 10_000
    assert figures.seconds == pytest.approx(3)
    assert not figures.running


def test_pages_that_are_in_no_certified_window_were_read_in_vain(bench: Bench) -> None:
    report, harvest = bench.progress.stream("vehicles"), Harvest(SPAN.start, SPAN.end)
    with report.reading():
        for pages in (5, 6):
            harvest.pages, harvest.pages_certified = pages, 3
            report.answered(harvest)
    assert figures_of(bench.progress, "vehicles").rereads == 3


def test_what_is_read_behind_the_windows_counts_as_well(bench: Bench) -> None:
    report = bench.progress.stream("repair_orders")
    with report.reading():
        read(report, 12, 3)
        read(report, 5, 1)
        read(report, 0, 1)
        report.window(Certified(SPAN, rows(*range(100, 105))))
    figures = figures_of(bench.progress, "repair_orders")
    assert (figures.expected, figures.pages, figures.rereads) == (17, 5, 0)
    assert figures.certified == 5


def test_a_window_without_rows_has_no_newest(bench: Bench) -> None:
    report = bench.progress.stream("vehicles")
    with report.reading():
        read(report, 0, 1)
        report.window(Certified(SPAN, []))
    figures = figures_of(bench.progress, "vehicles")
    assert (figures.windows, figures.expected, figures.newest) == (1, 0, None)


def test_a_stream_that_fails_is_no_longer_being_read(bench: Bench) -> None:
    with pytest.raises(ConnectionError), bench.progress.stream("vehicles").reading():
        raise ConnectionError
    assert not figures_of(bench.progress, "vehicles").running


def test_rooftops_add_up_and_the_bookmark_furthest_behind_counts(bench: Bench) -> None:
    for rooftop, total, bookmark in (("a", 7, 500), ("b", 3, 400)):
        report = bench.progress.stream("deals")
        with report.reading():
            read(report, total, 2, 1)
            report.window(Certified(SPAN, rows(*range(total))))
            report.advanced(bookmark, rooftop)
            bench.clock.pass_by(2)
    figures = figures_of(bench.progress, "deals")
    assert (figures.expected, figures.certified, figures.bookmark) == (10, 10, 400)
    assert (figures.pages, figures.rereads) == (4, 2)
    assert figures.seconds == pytest.approx(4)


def test_retries_and_waits_belong_to_the_stream_that_was_read_meanwhile(bench: Bench) -> None:
    now = bench.counters.now
    now.retries, now.waited_seconds = 5, 50
    with bench.progress.stream("lots").reading():
        now.retries, now.waited_seconds, now.paced_seconds = 7, 62, 4
        assert figures_of(bench.progress, "lots").waited_seconds == 8
    now.retries = 100
    with bench.progress.stream("deals").reading():
        now.retries += 1
    lots, deals = bench.progress.snapshot()
    assert (lots.retries, lots.waited_seconds) == (2, 8)
    assert (deals.retries, deals.waited_seconds) == (1, 0)


def test_many_threads_lose_no_count(bench: Bench) -> None:
    def work() -> None:
        for _ in range(500):
            bench.progress.stream("vehicles").emitted(2)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert figures_of(bench.progress, "vehicles").rows == 8_000


def test_a_metric_says_how_far_each_stream_is_that_is_being_read(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    beat = Beat(bench.progress)
    with bench.progress.stream("lots").reading():
        pass
    report = bench.progress.stream("vehicles")
    with caplog.at_level(logging.INFO, "singer_sdk.metrics"), report.reading():
        read(report, 40, 2)
        report.window(Certified(SPAN, rows(*range(10))))
        report.advanced(1_767_225_600)
        bench.clock.pass_by(5)
        beat.beat()
        report.window(Certified(SPAN, rows(*range(10, 40))))
        report.filed([Outcome("a", fetched=7)])
        bench.clock.pass_by(5)
        beat.beat()
    points = [json.loads(record.getMessage().removeprefix("METRIC: ")) for record in caplog.records]
    assert [point["tags"]["stream"] for point in points] == ["vehicles", "vehicles"]
    assert {(point["type"], point["metric"]) for point in points} == {("gauge", "sync_progress")}
    first, second = (point["value"] for point in points)
    assert (first["rows_certified"], first["rows_expected"], first["pages"]) == (10, 40, 2)
    assert (first["rows_per_second"], second["rows_per_second"]) == (2.0, 6.0)
    assert first["bookmark"] == "2026-01-01T00:00:00Z"
    assert first["requests_per_second"] == 10
    described = table(readme_section("While it runs", "docs/watching.md"), "in `value`")
    assert sorted(second) == sorted(name for row in described for name in code(row[0]))
    assert second.keys() - first.keys() == {"files"}


def test_showing_goes_on_while_the_main_thread_is_busy_and_ends_with_it() -> None:
    shown = threading.Event()
    before = threading.active_count()
    with repeated(shown.set, 0.01):
        assert shown.wait(10)
    assert threading.active_count() == before


def test_the_metrics_exclusion_filter_of_the_sdk_knows_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from singer_sdk.metrics import MetricExclusionFilter  # noqa: PLC0415

    with caplog.at_level(logging.INFO, "singer_sdk.metrics"):
        log(Gauge.LATE_ARRIVAL_SECONDS, 12.5, stream="deals")
    record = caplog.records[0]
    assert '"metric":"late_arrival_seconds","value":12.5' in record.getMessage()
    assert not MetricExclusionFilter(metrics=["late_arrival_seconds"]).filter(record)
    assert MetricExclusionFilter(metrics=["record_count"]).filter(record)


def summary(bench: Bench, *, width: int = 120) -> str:
    out = io.StringIO()
    now = dt.datetime.fromtimestamp(START, dt.UTC)
    show(bench.progress, lambda: now, Console(file=out, width=width))
    return out.getvalue()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split("[┃│]", line)[1:-1]]


def test_the_summary_has_a_line_for_each_stream_and_one_for_all(bench: Bench) -> None:
    report = bench.progress.stream("repair_orders")
    with report.reading():
        read(report, 1_234, 250, 247)
        report.window(Certified(SPAN, rows(*range(int(START) - 1_300, int(START) - 66))))
        report.emitted(1_234)
        bench.progress.stream("repair_order_lines").emitted(5_000)
        report.advanced(int(START) - 60)
        now = bench.counters.now
        now.requests, now.retries, now.throttled = 252, 2, 1
        now.waited_seconds, now.paced_seconds = 42.25, 30.0
        bench.clock.pass_by(10)
    text = summary(bench)
    head, own, lines = (line for line in text.splitlines() if line[0] in "┃│")
    assert cells(head) == [*COLUMNS]
    assert cells(own) == [
        *("repair_orders", "1,234", "250", "1", "3", "2", "12 s", "2026-09-21T14:12:40Z", "1 min")
    ]
    assert cells(lines) == ["repair_order_lines", "5,000", *"-------"]
    assert text.endswith(
        "6,234 rows in 10.0 s, 623 a second; requests: 252, throttled: 1, retried: 2\n"
        "waited, all threads together: 12.2 s for the DMS, 30.0 s for `requests_per_second`\n"
    )


def test_the_summary_fits_a_log_with_the_longest_names_and_large_numbers(bench: Bench) -> None:
    report = bench.progress.stream("service_appointments")
    with report.reading():
        read(report, 12_345_678, 61_729, 61_698)
        report.window(Certified(SPAN, rows(int(START) - 90)))
        report.emitted(12_345_678)
        report.advanced(int(START))
    text = summary(bench)
    assert max(map(len, text.splitlines())) <= 120
    assert "service_appointments" in text
    assert "12,345,678" in text
    assert "2026-09-21T14:13:40Z" in text


def test_a_run_that_read_nothing_has_no_summary(bench: Bench) -> None:
    def no_clock() -> dt.datetime:
        pytest.fail("there are no rows whose age is asked for")

    out = io.StringIO()
    show(bench.progress, no_clock, Console(file=out))
    assert out.getvalue() == ""


def test_a_line_on_a_terminal_has_rows_speed_time_left_and_troubles(bench: Bench) -> None:
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True, color_system=None)
    lines = Lines(bench.progress, console)

    def shown() -> None:
        lines.bring_up_to_date()
        console.print(lines.get_renderable())

    report = bench.progress.stream("vehicles")
    bench.progress.stream("repair_order_lines").emitted(5)
    with report.reading():
        read(report, 2_000, 1)
        shown()
        report.window(Certified(SPAN, rows(*range(500))))
        bench.counters.now.retries, bench.counters.now.waited_seconds = 1, 7
        bench.clock.pass_by(5)
        shown()
    shown()
    begun, half, done = out.getvalue().splitlines()
    assert "0 of 2,000 rows" in begun
    assert "500 of 2,000 rows" in half
    assert "100 rows/s" in half
    assert "1 retry, 7 s waited" in half
    assert "500 rows" in done
    assert "of 2,000" not in done
    assert "repair_order_lines" not in out.getvalue()
