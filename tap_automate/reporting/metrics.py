"""What the tap measures beside the SDK's own metrics, in the SDK's form of a log line.

How many records were written is the SDK's own `record_count`.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from automate_singer.metrics import log_gauge
from tap_automate.instants import from_seconds

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_automate.reporting.figures import Figures
    from tap_automate.reporting.progress import Progress

BEAT_SECONDS: t.Final = 5.0
"""Seconds between two metrics of a stream that is being read."""


class Gauge(enum.Enum):
    """The names of the metrics."""

    SYNC_PROGRESS = "sync_progress"
    """How far a stream is: an object of numbers."""

    FILES = "files"
    """What came of the files that a stream's records name: an object of numbers."""

    LATE_ARRIVAL_SECONDS = "late_arrival_seconds"
    """How far a row lay before the bookmark of the run before, at most."""


def log(gauge: Gauge, value: float | Mapping[str, t.Any], *, stream: str) -> None:
    """Log a value that is measured now.

    Args:
        gauge: Of what.
        value: A number, or several by name.
        stream: Which stream it is of.
    """
    log_gauge(gauge, value, stream=stream)


class Beat:
    """Logs from time to time how far the streams are that are being read.

    Args:
        progress: Knows it.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._before: dict[str, Figures] = {}

    def beat(self) -> None:
        """Log how far each stream is that is being read."""
        per_second = self._progress.stats().per_second
        for figures in self._progress.snapshot():
            if figures.running:
                values = _values(figures, self._before.get(figures.stream))
                values["requests_per_second"] = per_second
                log(Gauge.SYNC_PROGRESS, values, stream=figures.stream)
                self._before[figures.stream] = figures


def _values(figures: Figures, before: Figures | None) -> dict[str, t.Any]:
    rows, seconds = figures.certified, figures.seconds
    if before is not None:
        rows, seconds = rows - before.certified, seconds - before.seconds
    return {
        "rows": figures.rows,
        "rows_certified": figures.certified,
        "rows_expected": figures.expected,
        "rows_per_second": round(rows / seconds, 1) if seconds > 0 else None,
        "pages": figures.pages,
        "windows": figures.windows,
        **({"files": dataclasses.asdict(figures.files)} if figures.files.any else {}),
        "retries": figures.retries,
        "waited_seconds": round(figures.waited_seconds, 1),
        "bookmark": None if figures.bookmark is None else from_seconds(figures.bookmark),
    }
