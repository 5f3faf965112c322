"""What a person decides about writes that came to nothing: replay, resend, drop, found.

Decisions are kept in the journal; whoever delivers next carries them out. A write is not taken up
again once a later record of its key has gone out: it would undo that.
"""

from __future__ import annotations

import dataclasses
import typing as t

from target_automate.journal.intents import Cause, Intent, State
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from target_automate.journal.journal import Journal
    from target_automate.records.records import Reading, Records

BY_PERSON: t.Final = "person"
"""What the journal keeps for `matchedBy` where a person has said which record it is."""
DROPPED: t.Final = "dropped by a person"

_GONE_OUT: t.Final = frozenset({State.ACKED, State.SENT, State.UNKNOWN, State.PARKED})
"""States of a later write that the DMS has, or may have."""


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """A write that stays as it is.

    Attributes:
        id: Which.
        reason: Why; names fields, never values.
    """

    id: int
    reason: str


def replay(journal: Journal, records: Records, ids: Sequence[int], at: float) -> list[Held]:
    """Plan rejected writes anew, to be judged under a new key.

    A record that did not keep the contract is read again and planned only when it does now.

    Args:
        journal: Of the writes.
        records: Reads records.
        ids: Rejected writes, the oldest first.
        at: Seconds since 1970.

    Returns:
        Those that stay rejected.
    """
    held = []
    for intent_id in ids:
        intent = journal.get(intent_id)
        reading = None
        reason = _overtaken(journal, intent, ids)
        if reason is None and intent.cause is Cause.INVALID:
            reading = records.read(by_object(intent.object), intent.payload)
            reason = reading.problem
        if reason is not None:
            held.append(Held(intent_id, reason))
        elif reading is not None and reading.business_key != intent.business_key:
            _plan_elsewhere(journal, records, intent, reading, at)
        else:
            read = {} if reading is None else {
                "payload": reading.payload,
                "content_hash": reading.content_hash,
                "parent": reading.parent,
                "lane": reading.lane,
            }  # fmt: skip
            journal.change(
                intent_id,
                State.PLANNED,
                at,
                **read,
                generation=intent.generation + 1,
                resolved=None,
                guard=None,
                operation_id=None,
                first_sent_at=None,
                attempts=0,
                cause=None,
                reason=None,
            )
    return held


def resend(journal: Journal, ids: Sequence[int], at: float) -> list[Held]:
    """Plan parked writes anew: what is created is looked up once more before it is sent.

    Args:
        journal: Of the writes.
        ids: Parked writes, the oldest first.
        at: Seconds since 1970.

    Returns:
        Those that stay parked.
    """
    held = []
    for intent_id in ids:
        intent = journal.get(intent_id)
        if reason := _overtaken(journal, intent, ids):
            held.append(Held(intent_id, reason))
        elif by_object(intent.object).makes_once:
            journal.change(intent_id, State.PLANNED, at, look_up=True)
        else:
            # To be carried out, not to be answered from memory under its old key.
            journal.change(
                intent_id,
                State.PLANNED,
                at,
                generation=intent.generation + 1,
                first_sent_at=None,
            )
    return held


def drop(journal: Journal, ids: Sequence[int], at: float) -> None:
    """Give writes up for good.

    Args:
        journal: Of the writes.
        ids: Which.
        at: Seconds since 1970.
    """
    for intent_id in ids:
        journal.change(intent_id, State.DROPPED, at, cause=None, reason=DROPPED)


def found(
    journal: Journal, intent_id: int, dms_id: str, at: float, *, number: str | None = None
) -> None:
    """Keep which record of the DMS a write has become.

    Args:
        journal: Of the write.
        intent_id: Which.
        dms_id: The record's id.
        at: Seconds since 1970.
        number: The number that people use, where it is known.
    """
    journal.change(
        intent_id,
        State.ACKED,
        at,
        dms_id=dms_id,
        dms_number=number,
        matched_by=BY_PERSON,
        look_up=False,
        cause=None,
        reason=None,
    )


def _overtaken(journal: Journal, intent: Intent, chosen: Collection[int]) -> str | None:
    """Tell whether a later write of the key has gone out, but for those chosen with it."""
    for head in journal.heads(intent.object, intent.digest):
        later = head.sequence > intent.sequence and head.state in _GONE_OUT
        if later and not (head.state is State.PARKED and head.id in chosen):
            return (
                f"a later record of its key has gone out as write {head.id} and is {head.state}; "
                "this one is out of date, drop it"
            )
    return None


def _plan_elsewhere(
    journal: Journal, records: Records, intent: Intent, reading: Reading, at: float
) -> None:
    """Plan a record under the key that it has now, in the place of one without a key."""
    brief = records.keep(by_object(intent.object), reading, at).brief
    reason = f"its record is write {brief.id}" if brief.id else "the DMS has its record"
    journal.change(intent.id, State.DROPPED, at, cause=None, reason=reason)
