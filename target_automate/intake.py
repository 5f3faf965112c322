"""Takes records in: what each means beside the journal, and when the STATE behind it may pass."""

from __future__ import annotations

import dataclasses
import logging
import threading
import typing as t

from target_automate import identity
from target_automate.intents import PASSING, Brief, Cause, Meaning, State, meaning
from target_automate.journal import NewIntent
from target_automate.payloads import Conformer, Invalid
from target_automate.preparation import BLOCKED, exists
from target_automate.references import parent_digest

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_api.clock import Clock
    from automate_api.contract import Contract
    from target_automate.delivery import Delivery
    from target_automate.intents import Head
    from target_automate.journal import Journal
    from target_automate.sinks import SinkDeclaration
    from target_automate.tally import Tally
    from target_automate.watermark import Stretch, Watermark

REFUSALS: t.Final = frozenset({Cause.INVALID, Cause.REFUSED, Cause.FUZZY})
"""Why records are rejected for what they say, whatever became of others."""

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
        parent: Digest of the customer that it refers to by external id.
        problem: Why it cannot be sent; None when it can.
    """

    business_key: str
    content_hash: str
    payload: Mapping[str, t.Any]
    parent: bytes | None
    problem: str | None


class Intake:
    """The way in; records come from one thread, settlements from any.

    Args:
        journal: Where records become intents.
        contract: What a payload may be.
        watermark: Told of records and their ends.
        tally: Counts them.
        clock: The time.
    """

    def __init__(
        self,
        journal: Journal,
        contract: Contract,
        *,
        watermark: Watermark,
        tally: Tally,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._contract = contract
        self._watermark = watermark
        self._tally = tally
        self._clock = clock
        self._conformers: dict[str, Conformer] = {}
        self._stretches: dict[int, list[Stretch]] = {}
        self._lock = threading.Lock()
        self._unknown: set[tuple[str, str]] = set()

    def take(self, sink: SinkDeclaration, record: Mapping[str, t.Any], delivery: Delivery) -> None:
        """Take a record.

        Args:
            sink: That it is for.
            record: As the tap wrote it.
            delivery: Is handed the intent, where there is work to do.

        Raises:
            AutomateError: What has ended the run.
        """
        self._tally.received(sink.object)
        stretch = self._watermark.take()
        reading = self.read(sink, record)
        with self._lock:
            brief = self.keep(sink, reading)
            passes = brief.state in PASSING
            if not passes:
                self._stretches.setdefault(brief.id, []).append(stretch)
        if not passes:
            delivery.hand_in(brief)
            return
        self._watermark.settle(stretch)
        self._tally.settled(sink.object, brief.state, brief.id)
        if brief.state is State.REJECTED:
            delivery.tell_children(brief)
            self._tally.check_start()

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
            content_hash = identity.content_hash(record)
            try:
                key = identity.business_key(sink, invalid.body)
            except LookupError:
                key = UNKEYED + content_hash
            parent = self._parent(sink, invalid.body)
            return Reading(key, content_hash, record, parent, str(invalid))
        for name in payload.unknown:
            if (sink.object, name) not in self._unknown:
                self._unknown.add((sink.object, name))
                logger.warning(
                    "%s: the field %r is not sent, the API does not take it", sink.object, name
                )
        return Reading(
            identity.business_key(sink, payload.body),
            identity.content_hash(payload.body),
            payload.body,
            self._parent(sink, payload.body),
            None,
        )

    def settled(self, intent_id: int, object_name: str, state: State) -> None:
        """Be told where an intent has come to rest.

        Args:
            intent_id: Which.
            object_name: Of it.
            state: Where it is.
        """
        if state in PASSING:
            if state is State.REJECTED and self._journal.get(intent_id).cause in REFUSALS:
                self._tally.refused()
            self._tally.settled(object_name, state, intent_id)
            self.let_pass(intent_id)

    def let_pass(self, intent_id: int) -> None:
        """Let the STATE behind an intent's records pass."""
        with self._lock:
            stretches = self._stretches.pop(intent_id, ())
        for stretch in stretches:
            self._watermark.settle(stretch)

    def keep(self, sink: SinkDeclaration, reading: Reading) -> Brief:
        """Find the intent that a record is, or make it one.

        Args:
            sink: That it is for.
            reading: Of it.

        Returns:
            The intent; with the id 0 and DROPPED when the DMS has the record as it is.
        """
        digest = self._journal.seal.digest(sink.object, reading.business_key)
        newest = self._journal.newest(sink.object, digest)
        acked = parked = None
        if sink.operation == "create" and newest is not None:
            acked = self._journal.acked(sink.object, digest)
            parked = self._journal.parked(sink.object, digest)
        what = meaning(sink.operation, reading.content_hash, newest, acked=acked, parked=parked)
        if what is Meaning.UNCHANGED:
            return Brief(0, sink.object, digest, State.DROPPED)
        if what is Meaning.SAME and newest is not None:
            return Brief(newest.id, sink.object, digest, newest.state)
        state, cause, reason = _start(what, reading, acked)
        if cause in REFUSALS:
            self._tally.refused()
        if newest is not None and newest.state is State.REJECTED:
            self._journal.change(
                newest.id,
                State.DROPPED,
                self._clock.time(),
                reason="a later record of its key has taken its place",
            )
        new = NewIntent(
            object=sink.object,
            operation=sink.operation,
            business_key=reading.business_key,
            content_hash=reading.content_hash,
            sequence=newest.sequence + 1 if newest else 1,
            payload=reading.payload,
            state=state,
            parent=reading.parent,
            cause=cause,
            reason=reason,
        )
        return Brief(self._journal.add(new, self._clock.time()), sink.object, digest, state)

    def _parent(self, sink: SinkDeclaration, body: Mapping[str, t.Any]) -> bytes | None:
        reference = sink.reference
        if reference is None or reference.field in body or reference.alias not in body:
            return None
        return parent_digest(self._journal, reference, str(body[reference.alias]))


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
