"""Judges the order of writes: no status goes back, and one record's writes keep the feed's order.

The ladders of statuses stand here once more, apart from the target's.
"""

from __future__ import annotations

import itertools
import typing as t
from collections import defaultdict

from proof.dms import OURS
from proof.kinds import (
    APPOINTMENTS,
    CHANGES,
    DEALS,
    FILES,
    MADE,
    ORDERS,
    Key,
    owner_of,
    text_of,
    thing_of,
    word_of,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proof.dms import Dms
    from proof.stories import Fed

LADDERS: t.Final = {
    DEALS: {"penciled": 0, "pending": 1, "contracted": 2, "delivered": 3, "finalized": 4},
    APPOINTMENTS: {
        "scheduled": 0,
        **dict.fromkeys(("confirmed", "rescheduled"), 1),
        "arrived": 2,
        "checked_in": 3,
        "in_progress": 4,
        "converted": 5,
        "completed": 6,
    },
    ORDERS: {
        "estimate": 0,
        "open": 1,
        **dict.fromkeys(("in_progress", "on_hold", "waiting_parts", "waiting_authorization"), 2),
        "completed": 3,
        "invoiced": 4,
        "partially_closed": 5,
        "closed": 6,
    },
}
"""Stream of a record to the rung of each of its statuses."""

ENDS: t.Final = frozenset({"lost", "voided", "unwound", "cancelled", "no_show"})
"""Statuses that nothing follows."""

AHEAD: t.Final = -1
"""The place of what is made: before everything that is said of it, wherever it was fed."""


def is_behind(stream: str, status: object, other: object) -> bool:
    """Tell whether a status lies behind another of the same record."""
    if status is None or other is None or status == other:
        return False
    if other in ENDS:
        return True
    ladder = LADDERS[stream]
    return status in ladder and other in ladder and ladder[status] < ladder[other]


def backwards(dms: Dms) -> Iterator[Key]:
    """List the records whose status has gone back by a write, once for each time."""
    for (stream, record_id), trail in dms.trails.items():
        if stream not in LADDERS:
            continue
        for old, new in itertools.pairwise(trail):
            went = is_behind(stream, new.record["status"], old.record["status"])
            if went and new.cause == OURS:
                yield stream, dms.named(stream, record_id) or record_id


def misordered(fed: Iterable[Fed], dms: Dms) -> Iterator[Key]:
    """List what came to the DMS behind something of the same record that was fed later.

    Only the first time counts that something comes: what is fed anew after a crash may be written
    anew. What was fed more than once may have come for any of these times.
    """
    done = _first_times(dms)
    lanes: dict[Key, dict[tuple[int, Key], list[int]]] = defaultdict(dict)
    for place, (stream, record) in enumerate(fed):
        thing = thing_of(stream, record)
        word = text_of(word_of(stream, record)) if stream in CHANGES else ""
        if (thing, word) in done:
            come = done[thing, word], thing
            for lane, at in _places(stream, record, place):
                lanes[lane].setdefault(come, []).append(at)
    for comings in lanes.values():
        now = AHEAD
        for (_, thing), places in sorted(comings.items()):
            later = [place for place in places if place >= now]
            if later:
                now = min(later)
            else:
                yield thing


def _first_times(dms: Dms) -> dict[tuple[Key, str], int]:
    """Tell at which place of the history each thing was made, and each word first carried out."""
    done: dict[tuple[Key, str], int] = {}
    for record, seq in dms.made_at.items():
        done.setdefault((dms.keys[record], ""), seq)
    for write in dms.writes:
        change = CHANGES[write.stream]
        owner = dms.named(change.of, write.record_id) or write.record_id
        thing = thing_of(write.stream, {**write.word, change.own: owner})
        done.setdefault((thing, text_of(write.word)), write.seq)
    return done


def _places(stream: str, record: dict[str, t.Any], place: int) -> Iterator[tuple[Key, int]]:
    """Tell in which records' order a record of the feed stands, and where."""
    if stream in CHANGES or stream == FILES:
        yield owner_of(stream, record), place
    elif stream in MADE:
        yield thing_of(stream, record), AHEAD
        if "appointmentExternalId" in record:
            yield (APPOINTMENTS, record["appointmentExternalId"]), place
