"""What a run of the tap puts into `metrics_file`."""

from __future__ import annotations

import typing as t

from automate_singer.metrics_file import of_each, of_requests
from tap_automate.reading.windows import MICROSECONDS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from automate_singer.metrics_file import Measure
    from tap_automate.reporting.figures import Figures
    from tap_automate.reporting.progress import Progress

PREFIX: t.Final = "automate_tap"

OF_ANY_STREAM: t.Final[dict[str, tuple[str, Callable[[Figures], float | None]]]] = {
    "rows": ("Rows emitted, before stream maps.", lambda of: of.rows),
    "bookmark_timestamp_seconds": (
        "How far the stream is certified, as the last STATE says.",
        lambda of: of.bookmark,
    ),
    "newest_row_timestamp_seconds": (
        "When the newest row that was read was changed.",
        lambda of: None if of.newest is None else of.newest / MICROSECONDS,
    ),
}
"""Metric to its meaning, and what tells it of a stream; None where nothing is known."""

OF_A_STREAM_WITH_REQUESTS: t.Final[dict[str, tuple[str, Callable[[Figures], float]]]] = {
    "pages": ("Answers read.", lambda of: of.pages),
    "windows": ("Windows certified.", lambda of: of.windows),
    "windows_split": ("Windows cut for having too many pages.", lambda of: of.windows_split),
    "certificates_failed": (
        "Readings of a window that rows left, or whose pages lacked some; each was read again.",
        lambda of: of.certificates_failed,
    ),
    "late_rows": (
        "Rows that became visible after the run before had passed them.",
        lambda of: of.oddities.late_rows,
    ),
    "late_arrival_seconds": (
        "How far the latest of these lay before the bookmark.",
        lambda of: of.oddities.late_seconds,
    ),
    "unknown_fields": (
        "Fields that the contract does not have, counted in each row.",
        lambda of: of.oddities.unknown_fields,
    ),
    "unknown_values": (
        "Values that the contract's closed lists do not have, counted in each row.",
        lambda of: of.oddities.unknown_values,
    ),
    "other_types": (
        "Values of another type than the contract's, counted in each row.",
        lambda of: of.oddities.other_types,
    ),
    "missing_fields": (
        "Fields of the contract that no row has.",
        lambda of: of.oddities.missing_fields,
    ),
    "moved_paths": (
        "Lists that earlier runs have read, and that are not there any more.",
        lambda of: of.oddities.moved_paths,
    ),
    "drift_new": (
        "Fields and values unlike the contract that no run before has told of, each counted once.",
        lambda of: of.oddities.drift_new,
    ),
    "files_fetched": ("Files fetched for `download_to`.", lambda of: of.files.fetched),
    "files_failed": ("Files that were not to be had.", lambda of: of.files.failed),
}
"""The same, of streams that do not come with their parent's rows."""


def measured(progress: Progress) -> Iterator[Measure]:
    """Yield what is known of a run now.

    Args:
        progress: Counts it.
    """
    yield from of_requests(progress.stats())
    figures = progress.snapshot()
    with_requests = [each for each in figures if each.reads]
    for metrics, streams in (
        (OF_ANY_STREAM, figures),
        (OF_A_STREAM_WITH_REQUESTS, with_requests),
    ):
        for name, (meaning, value_of) in metrics.items():
            values = {each.stream: value_of(each) for each in streams}
            known = {stream: value for stream, value in values.items() if value is not None}
            yield of_each("stream", name, meaning, known)
