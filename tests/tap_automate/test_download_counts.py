"""What a run says of files: on a terminal, in metrics, in its summary."""

from __future__ import annotations

import datetime as dt
import io
import threading

from rich.console import Console

from automate_api.clock import SYSTEM_CLOCK
from automate_api.transport import Stats
from tap_automate.downloads.errors import TOO_LARGE, FileError
from tap_automate.downloads.store import Outcome
from tap_automate.reporting.figures import FileCounts
from tap_automate.reporting.progress import Progress
from tap_automate.reporting.summary import show
from tap_automate.reporting.terminal import troubles_text

OUTCOMES = [
    Outcome("a", fetched=7),
    Outcome("b", fetched=0),
    Outcome("c"),
    Outcome(error=FileError(TOO_LARGE)),
]


def test_many_threads_lose_no_file() -> None:
    report = Progress(Stats, SYSTEM_CLOCK).stream("attachments")

    def count() -> None:
        for _ in range(200):
            report.filed(OUTCOMES)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert report.files == FileCounts(fetched=3200, fetched_bytes=11200, kept=1600, failed=1600)


def test_a_person_sees_how_many_files_came_and_nothing_where_there_are_none() -> None:
    progress = Progress(Stats, SYSTEM_CLOCK)
    report = progress.stream("attachments")
    screen = Console(file=io.StringIO(), width=120)
    show(progress, lambda: dt.datetime.now(dt.UTC), screen)
    assert troubles_text(report.figures()) == ""
    assert "files" not in str(screen.file.getvalue())  # type: ignore[attr-defined]
    report.filed(OUTCOMES)
    progress.stream("vehicles").filed(OUTCOMES)
    assert troubles_text(report.figures()) == "3 files, 1 not to be had"
    show(progress, lambda: dt.datetime.now(dt.UTC), screen)
    said = str(screen.file.getvalue())  # type: ignore[attr-defined]
    assert "files: 4 fetched (14 bytes), 2 there already, 2 not to be had" in said
