"""What the journal says became of each record."""

from __future__ import annotations

import typing as t

from proof.kinds import CHANGES, Key, text_of, thing_of, word_of
from target_automate.journal.file import read_journal
from target_automate.journal.intents import OPEN, State

if t.TYPE_CHECKING:
    from pathlib import Path

    from target_automate.journal.journal import Journal

WAITING: t.Final = frozenset({State.PLANNED, State.WAITING_PARENT})
"""States of what waits for another record, and of what comes behind that."""


class Fate(t.NamedTuple):
    """What became of a record.

    Attributes:
        id: Of the journal's row.
        thing: That it is about.
        word: What it says of that, where it changes something; else the empty text.
        sequence: 1, 2, ... of the thing.
        state: How far it is.
        cause: Why it is rejected.
        dms_id: Of the DMS's record, where it is done.
        came: When the record came, seconds since 1970.
    """

    id: int
    thing: Key
    word: str
    sequence: int
    state: State
    cause: str | None
    dms_id: str | None
    came: float


def read_fates(path: Path) -> list[Fate]:
    """Read a journal, closed or in use."""
    with read_journal(path) as journal:
        return [
            Fate(
                intent.id,
                thing_of(intent.object, intent.payload),
                text_of(word_of(intent.object, intent.payload)) if intent.object in CHANGES else "",
                intent.sequence,
                intent.state,
                intent.cause,
                intent.dms_id,
                intent.created_at,
            )
            for intent in journal.having(frozenset(State))
        ]


def unfinished(journal: Journal) -> int:
    """Count the open writes that a further run may finish; none where a person comes first.

    To be asked after a run that has come to its end: what still waits then for another record does
    so until what is parked is settled.
    """
    counts = journal.counts()
    states = {state for _, state in counts if state in OPEN}
    if states <= WAITING and any(state is State.PARKED for _, state in counts):
        return 0
    return sum(count for (_, state), count in counts.items() if state in OPEN)
