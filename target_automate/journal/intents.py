"""What is to be written, how far it is, and what a further record for the same key means.

PLANNED -> SENT -> ACKED | REJECTED | UNKNOWN        SENT -> PLANNED when nothing was processed
UNKNOWN -> ACKED (found) | SENT (same key) | PARKED | REJECTED
PLANNED -> WAITING_PARENT | WAITING_APPROVAL -> PLANNED
REJECTED | PARKED -> PLANNED | ACKED | DROPPED by a person's command
REJECTED -> PLANNED when the parent that it was rejected for is there after all
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping


class State(enum.StrEnum):
    """How far an intent is."""

    PLANNED = "PLANNED"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    WAITING_PARENT = "WAITING_PARENT"
    WAITING_APPROVAL = "WAITING_APPROVAL"
    ACKED = "ACKED"
    REJECTED = "REJECTED"
    PARKED = "PARKED"
    DROPPED = "DROPPED"


OPEN: t.Final = frozenset(
    {State.PLANNED, State.SENT, State.UNKNOWN, State.WAITING_PARENT, State.WAITING_APPROVAL}
)
"""States that a run still works on."""

PASSING: t.Final = frozenset(
    {State.ACKED, State.REJECTED, State.PARKED, State.WAITING_APPROVAL, State.DROPPED}
)
"""States that let a Singer STATE pass."""


class Cause(enum.StrEnum):
    """Why an intent is rejected."""

    INVALID = "invalid"
    """The record does not keep the contract; nothing was sent."""
    REFUSED = "refused"
    """The DMS refused it."""
    EXISTS = "exists"
    """It was created before, with other content."""
    BLOCKED = "blocked"
    """An earlier record of the same key is parked."""
    PARENT = "parent"
    """The record that it refers to is rejected or does not exist."""
    FUZZY = "fuzzy"
    """The DMS would match it with somebody by name and contact."""
    CHANGED = "changed"
    """The file is not any more what it was when its record came."""
    SUPERSEDED = "superseded"
    """The DMS holds something newer, or is further on."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A write and its fate.

    Attributes:
        id: Grows in the order in which records came.
        object: What is written, `customers`, `deal_statuses`.
        operation: `upsert`, `create`, `update` or `upload`.
        business_key: What identifies the record for the writer.
        digest: The same, hashed: what the journal compares.
        lane: Digest of what it is about: writes of one lane go one after the other.
        content_hash: Of the payload.
        sequence: 1, 2, ... within the business key.
        generation: Grows when the same content is to be judged anew under a new key.
        state: How far it is.
        payload: What the record says, before its reference is resolved; for a record that does not
            keep the contract, the record as it came.
        parent: Digest of the record that it refers to by the writer's own id; None when it does
            not.
        resolved: The DMS's id of what it refers to.
        guard: What the DMS held when it was to be sent: `status`, `updatedAt`, and `seen`, a hash
            of the fields to be changed; for an upload the `attachmentId`. None before.
        look_up: Whether it has to be looked up in the DMS before it is sent.
        approved: Whether a person has approved it.
        attempts: How often it was sent.
        created_at: When the record came, seconds since 1970 by this machine's clock.
        first_sent_at: When it was first sent under its key; None when it was not.
        sent_at: When it was last sent.
        operation_id: Of the operation that the DMS queued it as.
        dms_id: The id that the DMS gave it.
        cause: Why it is rejected.
        reason: The same for a person; names fields, never values.
    """

    id: int
    object: str
    operation: str
    business_key: str = dataclasses.field(repr=False)
    digest: bytes = dataclasses.field(repr=False)
    lane: bytes = dataclasses.field(repr=False)
    content_hash: str
    sequence: int
    generation: int
    state: State
    payload: Mapping[str, t.Any] = dataclasses.field(repr=False)
    parent: bytes | None = dataclasses.field(repr=False)
    resolved: str | None
    guard: Mapping[str, t.Any] | None
    look_up: bool
    approved: bool
    attempts: int
    created_at: float
    first_sent_at: float | None
    sent_at: float | None
    operation_id: str | None
    dms_id: str | None
    cause: Cause | None
    reason: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Head:
    """The newest intent of a business key, or the one that was acknowledged, in short."""

    id: int
    state: State
    content_hash: str
    sequence: int
    dms_id: str | None
    cause: Cause | None


class Brief(t.NamedTuple):
    """An intent without what it says."""

    id: int
    object: str
    digest: bytes
    lane: bytes
    state: State


class Work(t.NamedTuple):
    """A change that the DMS has carried out.

    Attributes:
        id: Of its intent.
        version: `updatedAt` of the record after it; None where the DMS did not say.
        before: The same before it.
        settled_at: When it was known to be carried out, seconds since 1970.
    """

    id: int
    version: str | None
    before: object
    settled_at: float


class Meaning(enum.Enum):
    """What a record means beside what the journal holds of its key."""

    NEW = "the next intent of its key"
    SAME = "the intent that is there"
    UNCHANGED = "nothing: the DMS has it"
    EXISTS = "a change of something that was created and cannot be changed"
    BLOCKED = "a change of something that may or may not have been created"


def meaning(
    operation: str,
    content_hash: str,
    newest: Head | None,
    *,
    acked: Head | None = None,
    parked: Head | None = None,
) -> Meaning:
    """Tell what to do with a record that keeps the contract.

    Args:
        operation: `upsert`, `create`, `update` or `upload`.
        content_hash: Of the record's payload.
        newest: The newest intent of its business key.
        acked: The newest of them that is in the DMS.
        parked: The newest of them that is parked: a create may be in the DMS as that.
    """
    if newest is None:
        return Meaning.NEW
    makes_once = operation in {"create", "upload"}
    created = acked if makes_once else None
    if created is not None and created.content_hash == content_hash:
        return Meaning.UNCHANGED
    if newest.content_hash == content_hash:
        has_come = newest.state in {State.ACKED, State.DROPPED}
        return Meaning.UNCHANGED if has_come else Meaning.SAME
    if created is not None:
        return Meaning.EXISTS
    return Meaning.BLOCKED if makes_once and parked is not None else Meaning.NEW
