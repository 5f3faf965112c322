"""What a person sees of a run: a line that moves on a terminal, a table at the end, on stderr."""

from __future__ import annotations

import contextlib
import typing as t

from automate_api import tables

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.status import Status

    from automate_api.transport import Stats
    from target_automate.running.tally import Counts, Tally

COLUMNS: t.Final = ("sent", "unchanged", "rejected", "parked", "waiting", "resent")


class Report:
    """Shows a run on standard error.

    Args:
        console: To write to; standard error unless given.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or tables.console(stderr=True)
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
        rows = [
            (name, *(getattr(counts, column) for column in COLUMNS))
            for name, counts in objects.items()
        ]
        self._console.print(tables.table(("object", *COLUMNS), rows))
        self._console.print(
            f"{stats.requests:,} requests, {stats.throttled:,} throttled, "
            f"{stats.waited_seconds:,.1f} s waited over all workers",
            highlight=False,
        )


def _line(objects: dict[str, Counts]) -> str:
    parts = []
    for name, counts in objects.items():
        numbers = {column: getattr(counts, column) for column in COLUMNS}
        seen = ", ".join(f"{number:,} {column}" for column, number in numbers.items() if number)
        parts.append(f"{name}: {seen or 'none yet'}")
    return " | ".join(parts) or "waiting for records"
