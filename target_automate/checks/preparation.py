"""What has to hold before an intent is sent: its reference known, not there yet, approved."""

from __future__ import annotations

import dataclasses
import typing as t

from target_automate.checks.references import Pending, Refused
from target_automate.journal.intents import Cause, Intent, State
from target_automate.sending.steps import Ready, body_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from target_automate.checks.approvals import Approvals
    from target_automate.checks.changes import Changes
    from target_automate.checks.matching import Matching
    from target_automate.checks.readback import ReadBack
    from target_automate.checks.references import References
    from target_automate.sending.steps import Desk, Effort, Step
    from target_automate.sinks.declarations import SinkDeclaration


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """Checks intents before they are sent.

    Attributes:
        desk: Keeps what comes of it.
        references: Resolves what is referred to.
        read_back: Finds what is there from before.
        changes: Judges changes of what is there.
        matching: Judges by whom a customer would be found.
        approvals: What a person has to approve.
        look_up: Objects whose new records are looked up first.
    """

    desk: Desk
    references: References
    read_back: ReadBack
    changes: Changes
    matching: Matching
    approvals: Approvals
    look_up: frozenset[str]

    def check(self, intent: Intent, sink: SinkDeclaration, effort: Effort) -> Ready | Step:
        """Tell whether an intent may be sent, and settle it or have it wait where it may not.

        Raises:
            CannotLookUpError: When this login may not read what it is to change.
            AutomateError: When the DMS cannot be asked.
        """
        if sink.makes_once and (step := self._second(intent)):
            return step
        if sink.change is None and (step := self._unapproved(intent)):
            return step
        ready = self._resolve(intent, sink)
        if not isinstance(ready, Ready):
            return ready
        if sink.change is None:
            return self._there_from_before(intent, sink, effort, ready) or ready
        checked = self.changes.prepare(intent, sink, t.cast("str", ready.resolved))
        if not isinstance(checked, Ready):
            return checked
        return self._unapproved(intent, checked.record) or checked

    def _unapproved(self, intent: Intent, record: Mapping[str, t.Any] | None = None) -> Step | None:
        reason = self.approvals.holds(intent, record)
        return self.desk.wait(intent, State.WAITING_APPROVAL, reason=reason) if reason else None

    def _second(self, intent: Intent) -> Step | None:
        """Settle a create whose key has been created meanwhile, or may have been."""
        acked = self.desk.journal.acked(intent.object, intent.digest)
        if acked is not None and acked.content_hash == intent.content_hash:
            reason = f"unchanged: it is there as {acked.dms_id}"
            return self.desk.move(intent, State.DROPPED, reason=reason)
        if acked is not None:
            return self.desk.move(
                intent, State.REJECTED, cause=Cause.EXISTS, reason=exists(acked.dms_id)
            )
        if self.desk.journal.parked(intent.object, intent.digest) is not None:
            return self.desk.move(intent, State.REJECTED, cause=Cause.BLOCKED, reason=BLOCKED)
        return None

    def _resolve(self, intent: Intent, sink: SinkDeclaration) -> Ready | Step:
        reference = sink.reference_in(intent.payload)
        if reference is None or intent.resolved is not None:
            return Ready(intent.resolved, intent.guard)
        resolution = self.references.resolve(intent, reference)
        if isinstance(resolution, Refused):
            return self.desk.move(
                intent, State.REJECTED, cause=Cause.PARENT, reason=resolution.reason
            )
        if isinstance(resolution, Pending):
            return self.desk.wait(intent, State.WAITING_PARENT, reason=resolution.reason)
        return Ready(resolution.dms_id)

    def _there_from_before(
        self, intent: Intent, sink: SinkDeclaration, effort: Effort, ready: Ready
    ) -> Step | None:
        body = body_of(intent, sink, ready.resolved)
        is_first = sink.makes_once and not intent.attempts
        if (intent.look_up or (is_first and sink.object in self.look_up)) and not effort.looked_up:
            effort.looked_up = True
            if step := self.read_back.before_sending(intent, sink, body):
                return step
        if reason := self.matching.refuses(intent, body):
            return self.desk.move(intent, State.REJECTED, cause=Cause.FUZZY, reason=reason)
        return None


BLOCKED: t.Final = "an earlier record of this key is parked; settle that first"


def exists(dms_id: str | None) -> str:
    """Say that a create is refused since its key was created before."""
    return f"exists as {dms_id}; a change of it is not sent as a new one"
