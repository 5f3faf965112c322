"""What a person sees of a run: a line that moves on a terminal, a table at the end, on stderr."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from rich.console import Console
from rich.table import Table

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.status import Status

    from automate_api.transport import Stats
    from target_automate.tally import Counts, Tally

PLAIN_WIDTH: t.Final = 110
"""Columns of a table that goes to a file or pipe, where there is no terminal to ask."""

COLUMNS: t.Final = ("sent", "unchanged", "rejected", "parked", "waiting", "resent")


class Report:
    """Shows a run on standard error.

    Args:
        console: To write to; standard error unless given.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        if not self._console.is_terminal:
            self._console = Console(file=self._console.file, width=PLAIN_WIDTH)
        self._status: Status | None = None

    @contextlib.contextmanager
    def progress(self) -> Iterator[None]:
        """Show the line while the block runs; nothing where there is no terminal."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status("pushing") as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None

    def update(self, tally: Tally) -> None:
        """Bring the line up to date."""
        if self._status is not None:
            self._status.update(_line(tally.objects()))

    def table(self, tally: Tally, stats: Stats) -> None:
        """Print what the run has done; nothing when nothing came and nothing was open."""
        objects = tally.objects()
        if not objects:
            return
        table = Table("object", *COLUMNS)
        for column in table.columns[1:]:
            column.justify = "right"
        for name, counts in objects.items():
            facts = dataclasses.asdict(counts)
            table.add_row(name, *(f"{facts[column]:,}" for column in COLUMNS))
        self._console.print(table)
        self._console.print(
            f"{stats.requests:,} requests, {stats.throttled:,} throttled, "
            f"{stats.waited_seconds:,.1f} s waited over all workers",
            highlight=False,
        )


def _line(objects: dict[str, Counts]) -> str:
    parts = []
    for name, counts in objects.items():
        facts = dataclasses.asdict(counts)
        seen = ", ".join(f"{facts[column]:,} {column}" for column in COLUMNS if facts[column])
        parts.append(f"{name}: {seen or 'none yet'}")
    return " | ".join(parts) or "waiting for records"
