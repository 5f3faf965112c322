"""Changes of what is there: never back, never over something newer, never twice.

Before a change is sent the record is read. What the DMS holds then is kept in the journal as the
guard of the write: a status and `updatedAt` that go along where the call takes them, and a hash of
the fields to be changed. So a write that is sent again, by whichever run, is still one about the
record as it was seen; and what somebody else has changed meanwhile stays.
"""

from __future__ import annotations

import dataclasses
import typing as t

from automate_api.errors import NotEntitledError, NotOfferedError, RequestRefusedError
from target_automate.checks.comparing import STATUS, UPDATED, in_time, wanted_of
from target_automate.checks.lookup import CannotLookUpError, holds
from target_automate.checks.readback import MATCHED_BY
from target_automate.checks.view import View
from target_automate.journal import identity
from target_automate.journal.intents import Cause, Intent, State
from target_automate.sending.outcomes import GONE as GONE_STATUSES
from target_automate.sending.outcomes import INVALID
from target_automate.sending.steps import Ready, Settled, body_of

if t.TYPE_CHECKING:
    from target_automate.checks.lookup import Lookup, Record
    from target_automate.checks.visibility import Visibility
    from target_automate.sending.steps import Desk, Later
    from target_automate.sinks.declarations import SinkDeclaration

GONE: t.Final = "the DMS has no such record"
NO_LINE: t.Final = "the DMS's record has no such line, or several; it has "
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
            CannotLookUpError: When this login may not read it, or the tenant does not show it.
            AutomateError: When it cannot be read.
        """
        record = self.read(sink, dms_id)
        if seconds := self.visibility.wait(intent, sink, record):
            return self.desk.again(intent, State.PLANNED, seconds, reason=UNSEEN)
        view = None if record is None else View.of(intent, sink, dms_id, record)
        if view is None or not view.there:
            reason = GONE if view is None else f"{NO_LINE}{view.lines}"
            return self.desk.move(intent, State.REJECTED, cause=Cause.PARENT, reason=reason)
        if self._is_done(view):
            return self._settle(view)
        if self._was_there(view):
            return self.desk.move(intent, State.DROPPED, reason=PASSED, cause=None)
        refusal, seen = self._refusal(view), self._seen(view)
        if refusal is None and intent.guard is not None and intent.guard.get(SEEN) != seen:
            refusal = "somebody has changed it since it was read first"
        if refusal is not None:
            return self._supersede(view, refusal)
        line = view.change.line
        named = {line.field: view.there.get(line.field)} if line else {}
        guard = {STATUS: view.status, UPDATED: view.version, SEEN: seen, **named}
        return Ready(dms_id, guard, view.record)

    def after_sending(self, intent: Intent, sink: SinkDeclaration, dms_id: str) -> Settled | str:
        """Settle a change whose outcome is unknown by what the DMS holds.

        Returns:
            The settled step; or, while the DMS holds what was there before, why it is not settled.

        Raises:
            CannotLookUpError: When this login may not read it, or the tenant does not show it.
            AutomateError: When it cannot be read.
        """
        record = self.read(sink, dms_id)
        if record is None:
            return GONE
        view = View.of(intent, sink, dms_id, record)
        if self._is_done(view):
            return self._settle(view)
        if view.is_older:
            return UNSEEN
        if view.is_backwards:
            return self._supersede(view, "it is further on")
        if view.guard.get(SEEN) != self._seen(view) or view.is_aside:
            return self._supersede(view, "somebody has changed it meanwhile")
        return "unchanged"

    def reached(self, intent: Intent, sink: SinkDeclaration, dms_id: str) -> Settled | None:
        """Settle a change that the DMS holds; None where it does not hold it.

        Raises:
            CannotLookUpError: When this login may not read it, or the tenant does not show it.
            AutomateError: When it cannot be read.
        """
        record = self.read(sink, dms_id)
        if record is None:
            return None
        view = View.of(intent, sink, dms_id, record)
        return self._settle(view) if self._is_done(view) else None

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
            return self._superseded(intent, f"it is further on; the DMS holds {STATUS} {current}")
        return None

    def read(self, sink: SinkDeclaration, dms_id: str) -> Record | None:
        """Read the record that a sink changes; None when the DMS has none.

        Raises:
            CannotLookUpError: When this login may not read it, or the tenant does not show it.
            AutomateError: When it cannot be read.
        """
        try:
            return self.lookup.detail(sink.entity, dms_id)
        except (NotEntitledError, NotOfferedError) as error:
            raise CannotLookUpError(str(error)) from None
        except RequestRefusedError as error:
            if error.status not in NO_SUCH:
                raise
            # To end the run for one record would keep every later run from all others.
            return None

    def _is_done(self, view: View) -> bool:
        return view.says_so and not self._takes_away(view)

    def _was_there(self, view: View) -> bool:
        """Tell whether a change is one that was made before: a feed that begins anew is no fault.

        So is a step back, and a record that says of which version of the DMS's it was made.
        """
        intent = view.intent
        if not view.is_backwards and view.given_version is None:
            return False
        return self.desk.journal.has_acked(intent.object, intent.digest, intent.content_hash)

    def _takes_away(self, view: View) -> bool:
        """Tell whether the DMS holds in a list what an own write has put there, and this one not.

        What else an item holds is the DMS's affair: that it is not said does not mean to clear it.
        """
        intent, wanted = view.intent, view.wanted
        lists = [name for name, value in wanted.items() if isinstance(value, list)]
        if not lists:
            return False
        acked = self.desk.journal.acked(intent.object, intent.digest)
        if acked is None:
            return False
        own = self.desk.journal.get(acked.id)
        said = wanted_of(view.sink, body_of(own, view.sink, own.resolved))
        return any(
            holds(view.there.get(name), said.get(name)) and not holds(wanted[name], said.get(name))
            for name in lists
        )

    def _refusal(self, view: View) -> str | None:
        """Tell why a change is not to be sent to a record as it is; None when it may be."""
        if view.is_backwards:
            return "it is further on"
        change, payload = view.change, view.intent.payload
        expected = payload.get(change.expected) if change.expected else None
        if expected is not None and view.status is not None and view.status != expected:
            return f"the record expects {STATUS} {expected}"
        given = view.given_version
        if given is not None and self._is_newer(view, given):
            return f"it was changed after the {change.version} of the record"
        return None

    def _is_newer(self, view: View, given: str) -> bool:
        """Tell whether others have changed a record since a time; own writes do not count."""
        if view.updated is None:
            return False
        if (at := in_time(view.updated)) <= (seen := in_time(given)):
            return False
        own = {
            in_time(version): guard.get(UPDATED)
            for version, guard in self.desk.journal.versions(view.intent.lane).items()
        }
        while at in own:
            before = own.pop(at)
            if not isinstance(before, str):
                return True
            if (at := in_time(before)) <= seen:
                return False
        return True

    def _settle(self, view: View) -> Settled:
        """Settle what the DMS holds: by this intent, or without anything being sent."""
        intent, sink = view.intent, view.sink
        if not intent.attempts:
            return self.desk.move(intent, State.DROPPED, reason=UNCHANGED, cause=None)
        return self._done(
            intent,
            dms_id=view.record.get(sink.id_field),
            dms_number=sink.number_in(view.record),
            version=view.updated,
        )

    def _done(self, intent: Intent, **columns: t.Any) -> Settled:  # noqa: ANN401 - as the journal's
        facts = {"dms_id": intent.resolved} | columns
        return self.desk.move(
            intent, State.ACKED, matched_by=MATCHED_BY, operation_id=None, reason=None, cause=None,
            **facts,
        )  # fmt: skip

    def _supersede(self, view: View, reason: str) -> Settled:
        return self._superseded(view.intent, f"{reason}; the DMS holds {view.told}")

    def _superseded(self, intent: Intent, reason: str) -> Settled:
        return self.desk.move(
            intent, State.REJECTED, cause=Cause.SUPERSEDED, reason=reason, operation_id=None
        )

    def _seen(self, view: View) -> str:
        """Hash what the DMS holds of the fields to be changed."""
        held = identity.canonical(view.held).decode()
        return self.desk.journal.seal.digest("seen", held).hex()
