"""What a person sees of a run on standard error: how far it is, and at its end what it has done."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import sys
import typing as t

from rich import filesize

from automate_api import tables
from automate_singer.repeating import repeated
from tap_automate.instants import EPOCH, from_seconds
from tap_automate.reporting import terminal
from tap_automate.reporting.figures import FileCounts
from tap_automate.reporting.metrics import BEAT_SECONDS, Beat
from tap_automate.reporting.progress import waited_for_dms

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from tap_automate.reporting.figures import Figures
    from tap_automate.reporting.progress import Progress

COLUMNS: t.Final = (
    "stream",
    "rows",
    "pages",
    "windows",
    "re-reads",
    "retries",
    "waited",
    "bookmark",
    "newest",
)


@contextlib.contextmanager
def shown(progress: Progress, now: Callable[[], dt.datetime]) -> Iterator[None]:
    """Show how far a run is while the block runs, and what it has done however it ends.

    Lines that move are for a terminal; anywhere else metrics are logged. Where standard output is a
    terminal too, the Singer messages would run into such lines, so there are none.

    Args:
        progress: Of the run.
        now: The server's clock.
    """
    console = tables.console(stderr=True)
    moving = sys.stderr.isatty() and not sys.stdout.isatty() and not console.is_dumb_terminal
    try:
        with (
            terminal.lines(progress, console)
            if moving
            else repeated(Beat(progress).beat, BEAT_SECONDS)
        ):
            yield
    finally:
        # Whoever does not read the log must not make a run fail that has its data.
        with contextlib.suppress(OSError):
            show(progress, now, console)


def show(progress: Progress, now: Callable[[], dt.datetime], console: Console) -> None:
    """Print a table of the streams that were read, and a line about the whole run.

    Args:
        progress: Of the run.
        now: The server's clock; asked when there are rows.
        console: Where to print.
    """
    streams = progress.snapshot()
    if not streams:
        return
    known = any(each.newest is not None for each in streams)
    at = now() if known else EPOCH
    console.print(tables.table(COLUMNS, [_row(each, at) for each in streams]))
    console.print(_total(progress, streams), highlight=False, soft_wrap=True)


def _row(figures: Figures, now: dt.datetime) -> tuple[t.Any, ...]:
    own: tuple[t.Any, ...] = (None,) * 5
    if figures.reads:
        waited = dt.timedelta(seconds=figures.waited_seconds)
        own = (figures.pages, figures.windows, figures.rereads, figures.retries, waited)
    bookmark = None if figures.bookmark is None else from_seconds(figures.bookmark)
    age = (
        None if figures.newest is None else now - EPOCH - dt.timedelta(microseconds=figures.newest)
    )
    return (figures.stream, figures.rows, *own, bookmark, age)


def _total(progress: Progress, streams: t.Sequence[Figures]) -> str:
    rows, seconds, stats = sum(each.rows for each in streams), progress.seconds, progress.stats()
    files = functools.reduce(FileCounts.plus, (each.files for each in streams))
    return (
        f"{rows:,} rows in {seconds:,.1f} s, {rows / max(seconds, 0.001):,.0f} a second; "
        f"requests: {stats.requests:,}, throttled: {stats.throttled:,}, "
        f"retried: {stats.retries:,}\n"
        f"waited, all threads together: {waited_for_dms(stats):,.1f} s for the DMS, "
        f"{stats.paced_seconds:,.1f} s for `requests_per_second`"
        f"{_files_text(files)}{_drift_text(streams)}"
    )


def _drift_text(streams: t.Sequence[Figures]) -> str:
    said = [
        f"{each.stream} {each.oddities.drift:,} ({each.oddities.drift_new:,} new)"
        for each in streams
        if each.oddities.drift
    ]
    return f"\nnot as the contract has it: {', '.join(said)}" if said else ""


def _files_text(files: FileCounts) -> str:
    if not files.any:
        return ""
    return (
        f"\nfiles: {files.fetched:,} fetched ({filesize.decimal(files.fetched_bytes)}), "
        f"{files.kept:,} there already, {files.failed:,} not to be had"
    )
