"""A line for each stream on a terminal, brought up to date while it is read."""

from __future__ import annotations

import contextlib
import logging
import sys
import typing as t

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from singer_sdk import metrics

from automate_singer.repeating import repeated

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import Task, TaskID

    from tap_automate.reporting import progress
    from tap_automate.reporting.figures import Figures

REFRESH_SECONDS: t.Final = 0.5
BAR_COLUMNS: t.Final = 20


class Lines(Progress):
    """The lines: rows of total, rows a second, time left, retries and waits.

    They stand below whatever is logged meanwhile, and vanish at the end.

    Args:
        run: Knows how far the streams are.
        console: On standard error.
    """

    def __init__(self, run: progress.Progress, console: Console) -> None:
        self._run = run
        self._lines: dict[str, TaskID] = {}
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(BAR_COLUMNS),
            TextColumn("{task.fields[rows]}", justify="right"),
            TextColumn("{task.fields[speed]}", justify="right"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[troubles]}"),
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
        )

    def bring_up_to_date(self) -> None:
        """Show the lines as of now."""
        for figures in self._run.snapshot():
            if figures.reads:
                self._change(figures)
        self.refresh()

    def _change(self, figures: Figures) -> None:
        line = self._lines.get(figures.stream)
        if line is None:
            line = self.add_task(figures.stream, total=None, rows="", speed="", troubles="")
            self._lines[figures.stream] = line
        self.update(
            line,
            total=figures.expected if figures.running else figures.certified,
            completed=figures.certified,
            rows=rows_text(figures),
            speed=speed_text(figures, self._task(line)),
            troubles=troubles_text(figures),
        )

    def _task(self, line: TaskID) -> Task:
        return next(task for task in self.tasks if task.id == line)


def rows_text(figures: Figures) -> str:
    """Say how many rows are read, and of how many while that is not the same."""
    if figures.expected is None or not figures.running:
        return f"{figures.certified:,} rows"
    return f"{figures.certified:,} of {figures.expected:,} rows"


def speed_text(figures: Figures, task: Task) -> str:
    """Say how many rows a second are read: lately, or over the whole time once it is over."""
    speed = task.speed if figures.running else None
    if speed is None and figures.seconds > 0:
        speed = figures.certified / figures.seconds
    return f"{speed:,.0f} rows/s" if speed else ""


def troubles_text(figures: Figures) -> str:
    """Say what went wrong so far, and how many files came; nothing where nothing did."""
    parts = []
    if figures.files.any:
        parts.append(f"{figures.files.fetched + figures.files.kept:,} files")
    if figures.files.failed:
        parts.append(f"{figures.files.failed:,} not to be had")
    if figures.retries:
        parts.append(f"{figures.retries:,} {'retry' if figures.retries == 1 else 'retries'}")
    if figures.waited_seconds >= 1:
        parts.append(f"{figures.waited_seconds:,.0f} s waited")
    return ", ".join(parts)


@contextlib.contextmanager
def lines(run: progress.Progress, console: Console) -> Iterator[None]:
    """Show the lines while the block runs; what is logged meanwhile appears above them.

    Metrics are left out of the log: they are for programs, and the lines say the same.

    Args:
        run: Knows how far the streams are.
        console: On standard error.
    """
    plain = sys.stderr
    metrics_logger = metrics.get_metrics_logger()
    level = metrics_logger.level
    handlers = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is plain
    ]
    try:
        metrics_logger.setLevel(logging.WARNING)
        with Lines(run, console) as shown:
            for handler in handlers:
                handler.setStream(sys.stderr)  # by now one that writes above the lines
            with repeated(shown.bring_up_to_date, REFRESH_SECONDS):
                yield
    finally:
        metrics_logger.setLevel(level)
        for handler in handlers:
            handler.setStream(plain)
