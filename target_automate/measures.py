"""What a run of the target puts into `metrics_file`."""

from __future__ import annotations

import typing as t

from automate_singer.metrics_file import Measure, of_each, of_requests
from target_automate.journal.intents import OPEN, State

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from target_automate.running.run import Run

PREFIX: t.Final = "automate_target"

COUNTED: t.Final = {
    "received": "Records that came.",
    "sent": "Writes that the DMS has taken.",
    "unchanged": "Records that the DMS had already, as they are.",
    "rejected": "Records that were not taken.",
    "parked": "Writes that were parked, since nobody knows their outcome.",
    "waiting": "Records that were left to wait for a parent or an approval.",
    "resent": "Requests that were sent again.",
}
"""Count of the run, as `Counts` has it, to its meaning."""

STANDING: t.Final = OPEN | {State.PARKED}
"""States of writes that somebody, or a later run, has to do something about."""


def measured(run: Run) -> Iterator[Measure]:
    """Yield what is known of a run, and of its journal, now.

    Args:
        run: Not closed yet.

    Raises:
        JournalError: When the journal cannot be read.
    """
    yield from of_requests(run.stats)
    objects = run.tally.objects()
    for name, meaning in COUNTED.items():
        counts = {object_name: getattr(of, name) for object_name, of in objects.items()}
        yield of_each("object", name, meaning, counts)
    standing = run.journal.standing(STANDING)
    labels = ("object", "state")
    yield Measure(
        "journal_writes",
        "Writes in the journal that are not settled, or parked.",
        {(name, state.lower()): count for (name, state), (count, _) in standing.items()},
        labels,
    )
    yield Measure(
        "journal_oldest_timestamp_seconds",
        "When the record of the oldest of these came.",
        {(name, state.lower()): oldest for (name, state), (_, oldest) in standing.items()},
        labels,
    )
