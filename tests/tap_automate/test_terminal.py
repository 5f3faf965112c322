"""What stands on a terminal while a run is on, and after it."""

from __future__ import annotations

import os
import sys
import textwrap
import typing as t

import pytest
from support.screen import Screen, Shown, on_terminal

RUN: t.Final = """
    import datetime as dt, logging, sys, time
    from automate_api.clock import SYSTEM_CLOCK
    from automate_api.transport import Stats
    from tap_automate.reporting import terminal
    from tap_automate.reading.harvest import Harvest
    from tap_automate.reporting.progress import Progress
    from tap_automate.reporting.summary import shown
    from tap_automate.reading.windows import Certified, Row, Window

    terminal.REFRESH_SECONDS = 0.02
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    progress = Progress(Stats, SYSTEM_CLOCK)
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    with shown(progress, lambda: now):
        for name in ("vehicles", "deals"):
            report = progress.stream(name)
            with report.reading():
                harvest = Harvest(0, 9)
                harvest.expected = 200
                for place in range(40):
                    harvest.pages += 1
                    report.answered(harvest)
                    rows = [Row((str(each),), 0, {}) for each in range(5)]
                    report.window(Certified(Window(0, 9), rows))
                    report.emitted(5)
                    logging.info("%s: line %d of the log %s", name, place, "x" * 60)
                    print("a message", flush=True)
                    time.sleep(0.01)
        ENDING
    logging.info("the end")
"""


def run(ending: str = "pass", *, output_too: bool = False) -> Shown:
    script = textwrap.dedent(RUN).replace("ENDING", ending)
    return on_terminal([sys.executable, "-c", script], os.environ, output_too=output_too)


@pytest.fixture(scope="module")
def done() -> Shown:
    return run()


def test_the_log_is_whole_and_in_order_and_the_summary_stands_below_it(done: Shown) -> None:
    assert done.code == 0, done.written
    screen = done.screen()
    log = [line for line in screen if "of the log" in line]
    assert log == [
        f"{name}: line {place} of the log {'x' * 60}"
        for name in ("vehicles", "deals")
        for place in range(40)
    ]
    assert screen[: len(log)] == log
    rest = [line for line in screen[len(log) :] if line]
    assert "stream" in rest[1]
    assert [line.split()[1] for line in rest if line.startswith("│")] == ["vehicles", "deals"]
    assert rest[-1] == "the end"


def test_lines_that_moved_are_gone_in_the_end(done: Shown) -> None:
    assert "rows/s" in done.written
    assert not [line for line in done.screen() if "rows/s" in line or "of 200 rows" in line]


def test_each_stream_has_one_line_that_grows_below_the_log(done: Shown) -> None:
    screen, most = Screen(), 0
    seen: dict[str, set[str]] = {"vehicles": set(), "deals": set()}
    for part in done.written.split("\x1b[?25h")[0].splitlines(keepends=True):
        screen.show(part)
        moving = [line for line in screen.lines if "of 200 rows" in line or "200 rows " in line]
        most = max(most, len(moving))
        for line in moving:
            seen[line.split()[0]].add(line)
    assert most == 2
    assert all(len(lines) > 1 for lines in seen.values())


def test_messages_and_terminal_stay_apart(done: Shown) -> None:
    assert done.out == b"a message\n" * 80
    assert "a message" not in done.written


def test_the_cursor_is_back_after_a_failure_too() -> None:
    failed = run("raise SystemExit(75)")
    assert failed.code == 75
    assert failed.written.count("\x1b[?25l") == failed.written.count("\x1b[?25h") == 1
    assert "400 rows in" in failed.written


def test_nothing_moves_where_the_messages_go_to_the_terminal_too() -> None:
    both = run(output_too=True)
    assert both.code == 0
    assert "\x1b[?25l" not in both.written
    assert both.written.count("a message") == 80
    assert "400 rows in" in both.written
