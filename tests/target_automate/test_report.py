"""What a person sees of a run."""

from __future__ import annotations

import io
import typing as t

from rich.console import Console

from automate_api.tables import PLAIN_WIDTH
from automate_api.transport import Stats
from target_automate.journal.intents import State
from target_automate.running.report import Report
from target_automate.running.tally import Tally

if t.TYPE_CHECKING:
    import pytest


def tally_of(*states: State) -> Tally:
    tally = Tally(max_rejects=None, max_reject_percent=100)
    for number, state in enumerate(states):
        tally.received("deals")
        tally.settled("deals", state, number)
    return tally


def show(report: Report, tally: Tally) -> None:
    with report.progress():
        report.update(tally)
    report.table(tally, Stats())


def test_the_table_counts_every_end_of_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    ends = [State.ACKED] * 1234 + [State.DROPPED, State.REJECTED, State.PARKED]
    show(Report(), tally_of(*ends, State.WAITING_PARENT))
    text = capsys.readouterr().err
    (row,) = [line for line in text.splitlines() if "deals" in line]
    assert row.replace("│", " ").split() == ["deals", "1,234", "1", "1", "1", "1", "0"]
    (head,) = [line for line in text.splitlines() if "object" in line]
    names = ["object", "sent", "unchanged", "rejected", "parked", "waiting", "resent"]
    assert head.replace("┃", " ").split() == names
    assert "0 requests, 0 throttled, 0.0 s waited" in text


def test_a_run_in_which_nothing_came_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show(Report(), tally_of())
    said = capsys.readouterr()
    assert said.out + said.err == ""


def test_a_file_or_pipe_gets_no_moving_line_and_no_escapes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(Report(), tally_of(State.ACKED))
    said = capsys.readouterr()
    assert said.out == ""
    text = said.err
    assert "\x1b" not in text
    assert "pushing" not in text
    assert max(map(len, text.splitlines())) <= PLAIN_WIDTH


def test_a_terminal_gets_a_line_that_says_how_far_it_is() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=300)
    show(Report(console), tally_of(State.ACKED, State.REJECTED))
    line, _, table = screen.getvalue().partition("object")
    assert "deals: 1 sent, 1 rejected" in line
    assert "deals" in table
