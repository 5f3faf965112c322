"""Changes of what is there: never back, never over something newer, never twice.

Before a change is sent the record is read. What the DMS holds then is kept in the journal as the
guard of the write: a status and `updatedAt` that go along where the call takes them, and a hash of
the fields to be changed. So a write that is sent again, by whichever run, is still one about the
record as it was seen; and what somebody else has changed meanwhile stays.
"""

from __future__ import annotations

import dataclasses
import typing as t

from automate_api.errors import NotEntitledError, RequestRefusedError
from target_automate.checks.comparing import (
    STATUS,
    UPDATED,
    in_time,
    lasting,
    part_of,
    picked,
    says,
    told,
    wanted_of,
)
from target_automate.checks.lookup import CannotLookUpError, holds
from target_automate.checks.readback import MATCHED_BY
from target_automate.journal import identity
from target_automate.journal.intents import Cause, Intent, State
from target_automate.sending.outcomes import GONE as GONE_STATUSES
from target_automate.sending.outcomes import INVALID
from target_automate.sending.steps import Ready, Settled, body_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from target_automate.checks.lookup import Lookup, Record
    from target_automate.checks.visibility import Visibility
    from target_automate.sending.steps import Desk, Later
    from target_automate.sinks.declarations import Change, SinkDeclaration

GONE: t.Final = "the DMS has no such record"
NO_LINE: t.Final = "the DMS's record has no such line, or several"
UNSEEN: t.Final = "the DMS does not show yet what was written before"
UNCHANGED: t.Final = "unchanged: the DMS holds it already"
SEEN: t.Final = "seen"
"""What a guard calls the hash of the fields to be changed, as they were before."""
NO_SUCH: t.Final = GONE_STATUSES | INVALID
"""Statuses with which a DMS says that it has no record with an id."""
PASSED: t.Final = "unchanged: it was there before, and the DMS is further on"


@dataclasses.dataclass(frozen=True, slots=True)
class Changes:
    """Reads records and judges changes of them.

    Attributes:
        desk: Keeps what comes of it.
        lookup: Asks the DMS.
        visibility: Tells whether what the DMS shows is behind what was written.
    """

    desk: Desk
    lookup: Lookup
    visibility: Visibility

    def prepare(
        self, intent: Intent, sink: SinkDeclaration, dms_id: str
    ) -> Ready | Settled | Later:
        """Read the record, and settle a change that is not to be sent, or put it off.

        Args:
            intent: That is to be sent.
            sink: Of the intent.
            dms_id: Of the record.

        Raises:
            CannotLookUpError: When this login may not read it.
            AutomateError: When it cannot be read.
        """
        record = self.read(sink, dms_id)
        if seconds := self.visibility.wait(intent, sink, record):
            return self.desk.again(intent, State.PLANNED, seconds, reason=UNSEEN)
        body = body_of(intent, sink, dms_id)
        wanted = wanted_of(sink, body)
        there = {} if record is None else part_of(sink, record, body)
        if record is None or not there:
            reason = GONE if record is None else NO_LINE
            return self.desk.move(intent, State.REJECTED, cause=Cause.PARENT, reason=reason)
        if says(there, wanted) and not self._takes_away(intent, sink, there, wanted):
            return self._settle(intent, sink, record)
        if self._was_there(intent, sink, record, wanted):
            return self.desk.move(intent, State.DROPPED, reason=PASSED, cause=None)
        refusal = self._refusal(intent, sink, record, wanted)
        seen = self._seen(there, wanted)
        if refusal is None and intent.guard is not None and intent.guard.get(SEEN) != seen:
            refusal = "somebody has changed it since it was read first"
        if refusal is not None:
            return self._supersede(intent, refusal, there, wanted, record)
        version = _version(sink, body, record)
        line = sink.change.line if sink.change else None
        named = {line.field: there.get(line.field)} if line else {}
        guard = {STATUS: record.get(STATUS), UPDATED: version, SEEN: seen, **named}
        return Ready(dms_id, guard, record)

    def after_sending(self, intent: Intent, sink: SinkDeclaration, dms_id: str) -> Settled | str:
        """Settle a change whose outcome is unknown by what the DMS holds.

        Returns:
            The settled step; or, while the DMS holds what was there before, why it is not settled.

        Raises:
            CannotLookUpError: When this login may not read it.
            AutomateError: When it cannot be read.
        """
        record = self.read(sink, dms_id)
        if record is None:
            return GONE
        body = body_of(intent, sink, dms_id)
        wanted, there = wanted_of(sink, body), part_of(sink, record, body)
        if says(there, wanted) and not self._takes_away(intent, sink, there, wanted):
            return self._settle(intent, sink, record)
        guard = intent.guard or {}
        if _is_older(sink, body, record, guard):
            return UNSEEN
        reason = None
        if _is_backwards(t.cast("Change", sink.change), record.get(STATUS), wanted):
            reason = "it is further on"
        elif guard.get(SEEN) != self._seen(there, wanted) or _is_aside(sink, record, wanted, guard):
            reason = "somebody has changed it meanwhile"
        if reason is not None:
            return self._supersede(intent, reason, there, wanted, record)
        return "unchanged"

    def reached(self, intent: Intent, sink: SinkDeclaration, dms_id: str) -> Settled | None:
        """Settle a change that the DMS holds; None where it does not hold it.

        Raises:
            CannotLookUpError: When this login may not read it.
            AutomateError: When it cannot be read.
        """
        record = self.read(sink, dms_id)
        if record is None:
            return None
        body = body_of(intent, sink, dms_id)
        wanted, there = wanted_of(sink, body), part_of(sink, record, body)
        if says(there, wanted) and not self._takes_away(intent, sink, there, wanted):
            return self._settle(intent, sink, record)
        return None

    def conflicts(
        self, intent: Intent, sink: SinkDeclaration, current: str | None
    ) -> Settled | None:
        """Settle a change that the DMS refuses for what it holds, where it says what that is.

        Args:
            intent: That was sent.
            sink: Of the intent.
            current: What the DMS holds, as far as it says.

        Returns:
            None where the record has to be read.
        """
        machine = sink.change.machine if sink.change else None
        wanted = intent.payload.get(STATUS)
        if machine is None or wanted is None or current is None:
            return None
        if current == wanted and len(wanted_of(sink, body_of(intent, sink, None))) == 1:
            return self._done(intent)
        if machine.is_backwards(current, wanted):
            reason = f"it is further on; the DMS holds {STATUS} {current}"
            return self.desk.move(
                intent,
                State.REJECTED,
                cause=Cause.SUPERSEDED,
                reason=reason,
                operation_id=None,
            )
        return None

    def read(self, sink: SinkDeclaration, dms_id: str) -> Record | None:
        """Read the record that a sink changes; None when the DMS has none.

        Raises:
            CannotLookUpError: When this login may not read it.
            AutomateError: When it cannot be read.
        """
        try:
            return self.lookup.detail(sink.entity, dms_id)
        except NotEntitledError as error:
            raise CannotLookUpError(str(error)) from None
        except RequestRefusedError as error:
            if error.status not in NO_SUCH:
                raise
            # To end the run for one record would keep every later run from all others.
            return None

    def _was_there(
        self, intent: Intent, sink: SinkDeclaration, record: Record, wanted: Mapping[str, t.Any]
    ) -> bool:
        """Tell whether a change is one that was made before: a feed that begins anew is no fault.

        So is a step back, and a record that says of which version of the DMS's it was made.
        """
        change = t.cast("Change", sink.change)
        is_back = _is_backwards(change, record.get(STATUS), wanted)
        if not is_back and not (change.version and change.version in intent.payload):
            return False
        return any(
            head.state is State.ACKED and head.content_hash == intent.content_hash
            for head in self.desk.journal.heads(intent.object, intent.digest)
        )

    def _takes_away(
        self,
        intent: Intent,
        sink: SinkDeclaration,
        there: Mapping[str, t.Any],
        wanted: Mapping[str, t.Any],
    ) -> bool:
        """Tell whether the DMS holds in a list what an own write has put there, and this one not.

        What else an item holds is the DMS's affair: that it is not said does not mean to clear it.
        """
        lists = [name for name, value in wanted.items() if isinstance(value, list)]
        if not lists:
            return False
        heads = self.desk.journal.heads(intent.object, intent.digest)
        acked = [head.id for head in heads if head.state is State.ACKED and head.id != intent.id]
        if not acked:
            return False
        own = self.desk.journal.get(acked[-1])
        said = wanted_of(sink, body_of(own, sink, own.resolved))
        return any(
            holds(there.get(name), said.get(name)) and not holds(wanted[name], said.get(name))
            for name in lists
        )

    def _refusal(
        self, intent: Intent, sink: SinkDeclaration, record: Record, wanted: Mapping[str, t.Any]
    ) -> str | None:
        """Tell why a change is not to be sent to a record as it is; None when it may be."""
        change = t.cast("Change", sink.change)
        status = record.get(STATUS)
        if _is_backwards(change, status, wanted):
            return "it is further on"
        expected = intent.payload.get(change.expected) if change.expected else None
        if expected is not None and status is not None and status != expected:
            return f"the record expects {STATUS} {expected}"
        given = intent.payload.get(change.version) if change.version else None
        if given is not None and self._is_newer(intent, record.get(UPDATED), given):
            return f"it was changed after the {change.version} of the record"
        return None

    def _is_newer(self, intent: Intent, held: object, given: str) -> bool:
        """Tell whether others have changed a record since a time; own writes do not count."""
        if not isinstance(held, str):
            return False
        if (at := in_time(held)) <= (seen := in_time(given)):
            return False
        own = {
            in_time(version): guard.get(UPDATED)
            for version, guard in self.desk.journal.versions(intent.lane).items()
        }
        while at in own:
            before = own.pop(at)
            if not isinstance(before, str):
                return True
            if (at := in_time(before)) <= seen:
                return False
        return True

    def _settle(self, intent: Intent, sink: SinkDeclaration, record: Record) -> Settled:
        """Settle what the DMS holds: by this intent, or without anything being sent."""
        if not intent.attempts:
            return self.desk.move(intent, State.DROPPED, reason=UNCHANGED, cause=None)
        number = record.get(sink.number_field) if sink.number_field else None
        version = record.get(UPDATED)
        return self._done(
            intent,
            dms_id=record.get(sink.id_field),
            dms_number=None if number is None else str(number),
            version=version if isinstance(version, str) else None,
        )

    def _done(self, intent: Intent, **columns: t.Any) -> Settled:  # noqa: ANN401 - as the journal's
        facts = {"dms_id": intent.resolved} | columns
        return self.desk.move(
            intent, State.ACKED, matched_by=MATCHED_BY, operation_id=None, reason=None, cause=None,
            **facts,
        )  # fmt: skip

    def _supersede(
        self,
        intent: Intent,
        reason: str,
        there: Mapping[str, t.Any],
        wanted: Mapping[str, t.Any],
        record: Record,
    ) -> Settled:
        held = told(there, wanted, record)
        return self.desk.move(
            intent,
            State.REJECTED,
            cause=Cause.SUPERSEDED,
            reason=f"{reason}; the DMS holds {held}",
            operation_id=None,
        )

    def _seen(self, there: Mapping[str, t.Any], wanted: Mapping[str, t.Any]) -> str:
        """Hash what the DMS holds of the fields to be changed, but for the status."""
        held = lasting({n: v for n, v in picked(there, wanted).items() if n != STATUS})
        return self.desk.journal.seal.digest("seen", identity.canonical(held).decode()).hex()


def _is_backwards(change: Change, status: object, wanted: Mapping[str, t.Any]) -> bool:
    if change.machine is None or STATUS not in wanted:
        return False
    return change.machine.is_backwards(status, wanted[STATUS])


def _is_aside(
    sink: SinkDeclaration,
    record: Record,
    wanted: Mapping[str, t.Any],
    guard: Mapping[str, t.Any],
) -> bool:
    """Tell whether others have set a status that may come before or after the one that was sent."""
    machine = sink.change.machine if sink.change else None
    if machine is None or STATUS not in wanted or record.get(STATUS) == guard.get(STATUS):
        return False
    return machine.is_beside(record.get(STATUS), wanted[STATUS])


def _is_older(
    sink: SinkDeclaration,
    body: Mapping[str, t.Any],
    record: Record,
    guard: Mapping[str, t.Any],
) -> bool:
    """Tell whether what is read now lies behind what was read before the change was sent."""
    held, seen = record.get(UPDATED), guard.get(UPDATED)
    given = body.get(sink.change.version) if sink.change and sink.change.version else None
    # The guard may also be what the payload says, which nobody has read.
    if not isinstance(held, str) or not isinstance(seen, str) or seen == given:
        return False
    return in_time(held) < in_time(seen)


def _version(sink: SinkDeclaration, body: Mapping[str, t.Any], record: Record) -> str | None:
    """Choose the `updatedAt` to guard by: the record's own where the DMS holds nothing newer."""
    held = record.get(UPDATED)
    field = sink.change.version if sink.change else None
    given = body.get(field) if field else None
    if not isinstance(held, str):
        return given
    if given is not None and in_time(given) > in_time(held):
        return str(given)
    return held
