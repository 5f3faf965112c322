"""Makes intents of records: what a record says, and what it means beside the journal."""

from __future__ import annotations

import dataclasses
import logging
import typing as t
from pathlib import Path

import inflection

from automate_api import contract
from target_automate.checks.comparing import STATUS
from target_automate.checks.preparation import BLOCKED, exists
from target_automate.checks.references import lane_of, parent_of
from target_automate.journal import identity
from target_automate.journal.intents import Brief, Cause, Meaning, State, meaning
from target_automate.journal.journal import NewIntent
from target_automate.records.files import FileFacts, UnusableFileError
from target_automate.records.payloads import Conformer, Invalid
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_api.tenant.overlay import Overlay
    from target_automate.journal.intents import Head
    from target_automate.journal.journal import Journal
    from target_automate.sinks.declarations import SinkDeclaration
    from target_automate.sinks.statuses import Machine

UNKEYED: t.Final = "without a key: "
"""Begins the business key of a record that has none; the hash of its content follows."""

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """A record, read.

    Attributes:
        business_key: What identifies it for its writer.
        content_hash: Of what it says.
        payload: What would be sent; the record as it came where that is refused.
        parent: Digest of the record that it refers to by the writer's own id.
        lane: Digest of what it is about.
        problem: Why it cannot be sent; None when it can.
    """

    business_key: str
    content_hash: str
    payload: Mapping[str, t.Any]
    parent: bytes | None
    lane: bytes
    problem: str | None


class Kept(t.NamedTuple):
    """The intent that a record is.

    Attributes:
        brief: Of it; with the id 0 and DROPPED when the DMS has the record as it is.
        is_new: Whether the record has made it.
    """

    brief: Brief
    is_new: bool


class Records:
    """Reads records and keeps them in a journal; for one thread.

    Args:
        journal: Where records become intents.
        overlay: What the tenant does otherwise than the contract, if anything.
    """

    def __init__(self, journal: Journal, overlay: Overlay | None = None) -> None:
        self._journal = journal
        self._contract = contract.load(overlay)
        self._overlay = overlay
        self._conformers: dict[str, Conformer] = {}
        self._unknown: set[tuple[str, str]] = set()

    def read(self, sink: SinkDeclaration, record: Mapping[str, t.Any]) -> Reading:
        """Read a record, whether it can be sent or not.

        Args:
            sink: That it is for.
            record: As the tap wrote it.
        """
        conformer = self._conformers.get(sink.object)
        if conformer is None:
            conformer = self._conformers[sink.object] = Conformer(sink, self._contract)
        try:
            payload = conformer.conform(record)
        except Invalid as invalid:
            return self._unusable(sink, record, invalid.body, str(invalid))
        for name in payload.unknown:
            if (sink.object, name) not in self._unknown:
                self._unknown.add((sink.object, name))
                logger.warning(
                    "%s: the field %r is not sent, the API does not take it%s",
                    sink.object,
                    name,
                    self._hint(sink, name),
                )
        if sink.operation == "upload" and (problem := _describe_file(payload.body)):
            return self._unusable(sink, record, payload.body, problem)
        business_key = identity.business_key(sink, payload.body)
        return Reading(
            business_key,
            identity.record_hash(sink, payload.body),
            payload.body,
            parent_of(self._journal, sink, payload.body),
            lane_of(self._journal, sink, business_key, payload.body),
            None,
        )

    def _hint(self, sink: SinkDeclaration, name: str) -> str:
        """Say what to do where the tenant's records have a field that its call does not take."""
        added = self._overlay.resource(sink.entity.name).add if self._overlay else ()
        if _plain(name) not in map(_plain, added):
            return ""
        return (
            f". `contract_overlay` adds it to what {sink.entity.name} hold; where the call takes "
            f"it, too, say so under `calls.{sink.operation_id}.add`."
        )

    def _unusable(
        self,
        sink: SinkDeclaration,
        record: Mapping[str, t.Any],
        body: Mapping[str, t.Any],
        problem: str,
    ) -> Reading:
        """Read a record that cannot be sent, by what of it could be taken."""
        content_hash = identity.content_hash(record)
        try:
            key = identity.business_key(sink, body)
        except LookupError:
            key = UNKEYED + content_hash
        parent = parent_of(self._journal, sink, body)
        lane = lane_of(self._journal, sink, key, body)
        return Reading(key, content_hash, record, parent, lane, problem)

    def keep(self, sink: SinkDeclaration, reading: Reading, at: float) -> Kept:
        """Find the intent that a record is, or make it one.

        Args:
            sink: That it is for.
            reading: Of it.
            at: Seconds since 1970.
        """
        journal = self._journal
        digest = journal.seal.digest(sink.object, reading.business_key)
        newest = journal.newest(sink.object, digest)
        acked = parked = None
        if sink.makes_once and newest is not None:
            acked = journal.acked(sink.object, digest)
            parked = journal.parked(sink.object, digest)
        what = meaning(sink.operation, reading.content_hash, newest, acked=acked, parked=parked)
        if what is Meaning.NEW and newest is not None and self._was_taken(sink, reading, digest):
            what = Meaning.UNCHANGED
        if what is Meaning.UNCHANGED:
            return Kept(Brief(0, sink.object, digest, reading.lane, State.DROPPED), is_new=False)
        if what is Meaning.SAME and newest is not None:
            state = self._there_again(newest, reading, at)
            return Kept(Brief(newest.id, sink.object, digest, reading.lane, state), is_new=False)
        state, cause, reason = _start(what, reading, acked)
        new = NewIntent(
            object=sink.object,
            operation=sink.operation,
            business_key=reading.business_key,
            content_hash=reading.content_hash,
            sequence=newest.sequence + 1 if newest else 1,
            payload=reading.payload,
            state=state,
            lane=reading.lane,
            parent=reading.parent,
            cause=cause,
            reason=reason,
        )
        intent_id = add_behind(journal, newest, new, at)
        return Kept(Brief(intent_id, sink.object, digest, reading.lane, state), is_new=True)

    def _was_taken(self, sink: SinkDeclaration, reading: Reading, digest: bytes) -> bool:
        """Tell whether a record is a change that was made before: its feed has begun anew.

        That is a step that a record takes but once, and a record that says of which version of the
        DMS's it was made.
        """
        change = sink.change
        if change is None or reading.problem is not None:
            return False
        status = reading.payload.get(STATUS) if change.machine else None
        is_once = status is not None and not t.cast("Machine", change.machine).recurs(status)
        if not is_once and not (change.version and change.version in reading.payload):
            return False
        return self._journal.has_acked(sink.object, digest, reading.content_hash)

    def _there_again(self, newest: Head, reading: Reading, at: float) -> State:
        """Plan anew what was rejected for its file, which is there now, if elsewhere."""
        if newest.cause is not Cause.CHANGED or newest.state is not State.REJECTED:
            return newest.state
        self._journal.change(
            newest.id,
            State.PLANNED,
            at,
            payload=reading.payload,
            guard=None,
            cause=None,
            reason=None,
        )
        return State.PLANNED


def _plain(name: str) -> str:
    """Spell a field as the contract or a database does alike: `lotRow`, `lot_row`, `lot__row`."""
    return inflection.underscore(name.replace("__", "."))


def _describe_file(body: dict[str, t.Any]) -> str | None:
    """Add to a payload what the call says of its file; tell why it cannot be sent."""
    path = Path(body["path"]).absolute()  # the next run may be started in another folder
    try:
        facts = FileFacts.of(path)
    except UnusableFileError as error:
        return str(error)
    if body.setdefault("sha256", facts.sha256) != facts.sha256:
        return "`sha256`: the file has another digest than the record says"
    body |= {
        "path": str(path),
        "size": facts.size,
        "fileName": body.get("fileName", facts.name),
        "contentType": body.get("contentType", facts.content_type),
    }
    return None


def add_behind(journal: Journal, newest: Head | None, new: NewIntent, at: float) -> int:
    """Keep the next intent of a business key; one that was rejected gives way to it.

    Not where the new one is another step of the same record: a status that was refused is not said
    by the next.

    Args:
        journal: Where.
        newest: The newest of the key so far; None when it is the first.
        new: What to keep.
        at: Seconds since 1970.

    Returns:
        Its id.
    """
    is_step = by_object(new.object).is_step
    if newest is not None and newest.state is State.REJECTED and not is_step:
        reason = "a later record of its key has taken its place"
        # Behind it, so that a crash between the two leaves what was said last in the journal.
        number = journal.add(new, at)
        journal.change(newest.id, State.DROPPED, at, reason=reason)
        return number
    return journal.add(new, at)


def _start(
    what: Meaning, reading: Reading, acked: Head | None
) -> tuple[State, Cause | None, str | None]:
    """Tell how a new intent begins."""
    if reading.problem is not None:
        return State.REJECTED, Cause.INVALID, reading.problem
    if what is Meaning.EXISTS:
        return State.REJECTED, Cause.EXISTS, exists(acked.dms_id if acked else None)
    if what is Meaning.BLOCKED:
        return State.REJECTED, Cause.BLOCKED, BLOCKED
    return State.PLANNED, None, None
