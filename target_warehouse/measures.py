"""What a run of the loader puts into `metrics_file`."""

from __future__ import annotations

import typing as t

from automate_singer.metrics_file import of_each

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automate_singer.metrics_file import Measure
    from target_warehouse.batch import Tally
    from target_warehouse.freshness import Freshness

PREFIX: t.Final = "automate_warehouse"


def measured(tallies: Mapping[str, Tally], freshness: Freshness) -> Iterator[Measure]:
    """Yield what is known of a run now.

    Args:
        tallies: What is known of each stream.
        freshness: What is noted of their tables.
    """
    # Taken at once: the thread that loads may add to it meanwhile.
    streams = dict(tallies)
    committed = {name: tally.committed for name, tally in streams.items()}
    yield of_each("stream", "rows", "Rows committed.", committed)
    yield of_each(
        "stream",
        "unstored_fields",
        "Fields that a SCHEMA does not name and that were not stored, counted in each record.",
        {name: sum(list(tally.unknown_fields.values())) for name, tally in streams.items()},
    )
    known = freshness.so_far()
    newest = {of.stream: of.newest.timestamp() for of in known if of.newest}
    delays = {of.stream: of.delay for of in known if of.delay}
    yield of_each(
        "stream",
        "newest_change_timestamp_seconds",
        "When the newest row that any load has brought was changed at its source.",
        newest,
    )
    for name, meaning, seconds in (
        (
            "delay_median_seconds",
            "From a change at the source to its row in the warehouse, the median of this run.",
            {stream: float(delay.median) for stream, delay in delays.items()},
        ),
        (
            "delay_worst_seconds",
            "The same, of the row that took longest.",
            {stream: float(delay.worst) for stream, delay in delays.items()},
        ),
    ):
        yield of_each("stream", name, meaning, seconds)
