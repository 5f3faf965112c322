"""What becomes of an intent after an attempt: a handler for each outcome."""

from __future__ import annotations

import dataclasses
import typing as t
from http import HTTPStatus

from automate_api.errors import NotEntitledError, RequestRefusedError, UnreachableError
from target_automate.checks.references import Found
from target_automate.journal.intents import Cause, Intent, State
from target_automate.sending.outcomes import UNPROCESSED, Kind, Verdict
from target_automate.sending.steps import Effort, Later, Ready, Settled, Step

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from automate_api.client import Client
    from automate_api.errors import AutomateError
    from automate_api.replies import Failure, Reply
    from target_automate.checks.changes import Changes
    from target_automate.checks.lookup import CannotLookUpError
    from target_automate.checks.matching import Matching
    from target_automate.checks.references import References
    from target_automate.sending.breaker import Breaker
    from target_automate.sending.operations import Operations
    from target_automate.sending.steps import Desk, Policy
    from target_automate.sinks.declarations import SinkDeclaration

CONFLICTS: t.Final = 5
"""How often a change is judged anew in a run while others change the same record."""
FIRST_AWAIT_SECONDS: t.Final = 0.2
LONGEST_AWAIT_SECONDS: t.Final = 10.0
"""Between two questions for an attempt that the DMS is still processing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """An intent that was sent, and what came back.

    Attributes:
        intent: As it was before it was sent.
        sink: Of the intent.
        effort: What the run has spent on it.
        ready: With what it was sent.
        outcome: What came back.
        verdict: What that means.
    """

    intent: Intent
    sink: SinkDeclaration
    effort: Effort
    ready: Ready
    outcome: Reply | Failure
    verdict: Verdict


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Keeps what attempts came to, and says what comes next.

    Attributes:
        desk: Keeps each step.
        client: Tells how long to wait.
        references: Resolves anew.
        changes: Judges changes of what is there.
        matching: Told by whom a customer was found.
        operations: Tells when to ask for what the DMS has queued.
        breaker: Stops objects that fail.
        policy: About unknown outcomes.
        paths: Object to the path of its call at this tenant.
    """

    desk: Desk
    client: Client
    references: References
    changes: Changes
    matching: Matching
    operations: Operations
    breaker: Breaker
    policy: Policy
    paths: Mapping[str, str]

    def keep(self, attempt: Attempt) -> Step:
        """Keep what an attempt came to, and say what comes next."""
        if attempt.verdict.kind in UNPROCESSED:
            self.unprocessed(attempt.intent, attempt.verdict.reason)
        handlers: Mapping[Kind, Callable[[Attempt], Step]] = {
            Kind.ACKED: self._acknowledge,
            Kind.ACCEPTED: self._accept,
            Kind.NOT_SENT: self._put_off,
            Kind.THROTTLED: self._put_off,
            Kind.IN_FLIGHT: self._await_first,
            Kind.UNKNOWN: self._leave_open,
            Kind.DUPLICATE: self._leave_open,
            Kind.CONFLICT: self._judge_anew,
            Kind.PARENT_GONE: self._heal,
            Kind.APPROVAL: self._ask_for_approval,
            Kind.CLOSED: self._close_object,
            Kind.REJECTED: self._reject,
            Kind.CHANGED: self._reject_changed,
            Kind.UNREACHABLE: self._leave_unreached,
        }
        return handlers[attempt.verdict.kind](attempt)

    def _acknowledge(self, attempt: Attempt) -> Step:
        return self.acknowledge(attempt.intent, attempt.verdict)

    def acknowledge(self, intent: Intent, verdict: Verdict) -> Settled:
        """Keep that the DMS has it."""
        self.breaker.succeeded(intent.object)
        self.matching.note(intent, verdict.dms_id, verdict.matched_by)
        return self.desk.move(
            intent,
            State.ACKED,
            dms_id=verdict.dms_id,
            dms_number=verdict.dms_number,
            matched_by=verdict.matched_by,
            version=verdict.version,
            http_status=verdict.status,
            request_id=verdict.request_id,
            operation_id=None,
            reason=None,
            cause=None,
        )

    def _reject(self, attempt: Attempt) -> Step:
        intent = dataclasses.replace(attempt.intent, resolved=attempt.ready.resolved)
        return self._refuse(intent, attempt.sink, attempt.verdict)

    def _refuse(self, intent: Intent, sink: SinkDeclaration, verdict: Verdict) -> Settled:
        """Keep a refusal, unless it is for a status that the DMS holds, or is beyond, already."""
        if settled := self.changes.conflicts(intent, sink, verdict.current):
            self.breaker.succeeded(intent.object)
            return settled
        return self.reject(intent, Cause.REFUSED, verdict)

    def reject(self, intent: Intent, cause: Cause, verdict: Verdict) -> Settled:
        """Keep that the DMS does not take it."""
        self.breaker.succeeded(intent.object)
        return self.desk.move(
            intent,
            State.REJECTED,
            cause=cause,
            reason=f"the DMS refuses it ({verdict.reason})",
            http_status=verdict.status,
            request_id=verdict.request_id,
            operation_id=None,
        )

    def _accept(self, attempt: Attempt) -> Step:
        """Keep the operation, on the disk: after a crash it is followed, not sent again."""
        step = self.desk.again(
            attempt.intent,
            State.SENT,
            self.operations.first_delay,
            operation_id=attempt.verdict.operation_id,
            reason="queued by the DMS",
        )
        self.desk.journal.flush()
        return step

    def _put_off(self, attempt: Attempt) -> Step:
        """Wait for a busy or unreachable API, as long as the settings allow."""
        effort = attempt.effort
        delay = self.client.delay(
            f"{attempt.sink.method} {self.paths[attempt.intent.object]}",
            attempt.outcome,
            attempts=effort.attempts,
            budget=self.policy.patience - effort.waited,
        )
        effort.waited += delay
        return Later(delay)

    def _await_first(self, attempt: Attempt) -> Step:
        """Wait for an attempt that the DMS is still processing."""
        effort, reply = attempt.effort, t.cast("Reply", attempt.outcome)
        delay = max(
            reply.retry_after or 0.0,
            min(LONGEST_AWAIT_SECONDS, FIRST_AWAIT_SECONDS + effort.waited / 2),
        )
        self._unknown(attempt)
        if effort.waited + delay > self.policy.patience:
            return Settled(State.UNKNOWN)
        effort.waited += delay
        effort.attempts -= 1  # it tells nothing against this intent
        return Later(delay)

    def _leave_open(self, attempt: Attempt) -> Step:
        self._unknown(attempt)
        if attempt.verdict.kind is Kind.DUPLICATE:
            attempt.effort.read_back = True
        else:
            self.breaker.failed(attempt.intent.object)
        return Later(0.0)

    def _heal(self, attempt: Attempt) -> Step:
        """Ask anew, once, for a reference that the DMS refuses."""
        intent = attempt.intent
        reference = attempt.sink.reference_in(intent.payload)
        if reference is not None and not attempt.effort.resolved_again:
            attempt.effort.resolved_again = True
            resolution = self.references.resolve_again(intent, reference)
            if isinstance(resolution, Found) and resolution.dms_id != attempt.ready.resolved:
                return self.desk.again(
                    intent,
                    State.PLANNED,
                    0.0,
                    # A new key: the server may answer the old one with the old refusal.
                    generation=intent.generation + 1,
                    first_sent_at=None,
                    resolved=resolution.dms_id,
                    guard=None,
                    reason=f"its reference was refused ({attempt.verdict.reason})",
                )
        return self.reject(intent, Cause.PARENT, attempt.verdict)

    def ended(
        self, intent: Intent, sink: SinkDeclaration, effort: Effort, verdict: Verdict
    ) -> Step | None:
        """Keep how an operation of the DMS has ended; None where nobody knows."""
        match verdict.kind:
            case Kind.ACKED:
                return self.acknowledge(intent, verdict)
            case Kind.REJECTED:
                return self._refuse(intent, sink, verdict)
            case Kind.CONFLICT:
                return self.judge_again(intent, sink, effort, verdict)
            case Kind.APPROVAL:
                # A new key: the server may answer the old one with the operation that has failed.
                generation = intent.generation + 1
                return self._wait_for_approval(
                    intent, verdict, generation=generation, first_sent_at=None, operation_id=None
                )
        return None

    def _ask_for_approval(self, attempt: Attempt) -> Step:
        return self._wait_for_approval(attempt.intent, attempt.verdict)

    def _wait_for_approval(self, intent: Intent, verdict: Verdict, **columns: t.Any) -> Step:  # noqa: ANN401 - as the journal's
        return self.desk.wait(
            intent,
            State.WAITING_APPROVAL,
            reason=f"the DMS wants an approval first ({verdict.reason})",
            http_status=verdict.status,
            request_id=verdict.request_id,
            **columns,
        )

    def _close_object(self, attempt: Attempt) -> Step:
        """Stop writing an object that the DMS does not take from this login at all."""
        name, verdict = attempt.intent.object, attempt.verdict
        msg = (
            f"{attempt.sink.method} {self.paths[name]}: the DMS takes no {name} from this login "
            f"({verdict.reason}). "
            "They stay planned; have the dealer grant it, or say in `contract_overlay` where the "
            "tenant has it."
        )
        self.breaker.close(
            name,
            RequestRefusedError(msg, status=verdict.status or 0, request_id=verdict.request_id),
        )
        return Settled(before(attempt.intent))

    def _judge_anew(self, attempt: Attempt) -> Step:
        """Judge a change by what the DMS holds now; nothing of it was carried out this time."""
        self.breaker.succeeded(attempt.intent.object)
        intent = dataclasses.replace(attempt.intent, resolved=attempt.ready.resolved)
        return self.judge_again(intent, attempt.sink, attempt.effort, attempt.verdict)

    def judge_again(
        self, intent: Intent, sink: SinkDeclaration, effort: Effort, verdict: Verdict
    ) -> Step:
        """Have a change judged by what the DMS holds now."""
        if settled := self.changes.conflicts(intent, sink, verdict.current):
            return settled
        effort.conflicts += 1
        if effort.conflicts > CONFLICTS:
            return self.reject(intent, Cause.SUPERSEDED, verdict)
        # What is read may be behind what the DMS judges by: give it time, twice as much each time.
        delay = min(self.policy.visible_after, FIRST_AWAIT_SECONDS * 2.0**effort.conflicts)
        if effort.conflicts == CONFLICTS:
            delay = self.policy.visible_after
        return self.desk.again(
            intent,
            State.PLANNED,
            delay if effort.conflicts > 1 else 0.0,
            operation_id=None,
            reason=verdict.reason,
        )

    def _reject_changed(self, attempt: Attempt) -> Step:
        self.breaker.succeeded(attempt.intent.object)
        return self.desk.move(
            attempt.intent, State.REJECTED, cause=Cause.CHANGED, reason=attempt.verdict.reason
        )

    def _leave_unreached(self, attempt: Attempt) -> Settled:
        """Leave a file to the next run: where the DMS wants it sent it is not taken."""
        name = attempt.intent.object
        msg = (
            f"{name}: the place that the DMS names for files does not take write "
            f"{attempt.intent.id} ({attempt.verdict.reason}). It stays planned; run again later."
        )
        self.breaker.leave(name, UnreachableError(msg))
        return Settled(before(attempt.intent))

    def leave(self, intent: Intent, error: AutomateError) -> Settled:
        """Leave a change to the next run: what the DMS answers for its record is no such record."""
        self.breaker.leave(intent.object, error)
        return Settled(intent.state)

    def leave_unread(
        self, intent: Intent, sink: SinkDeclaration, error: CannotLookUpError
    ) -> Settled:
        """Leave a change of a record that this login may not read: nothing would be safe."""
        msg = (
            f"{sink.method} {self.paths[sink.object]}: a change is not sent unread, and the "
            f"{sink.entity.noun} cannot be read. {error}"
        )
        self.breaker.leave(sink.object, NotEntitledError(msg, status=HTTPStatus.FORBIDDEN))
        return Settled(intent.state)

    def unprocessed(self, intent: Intent, reason: str) -> None:
        """Take SENT back: a crash from here on leaves nothing unknown that was not before."""
        self.desk.move(intent, before(intent), reason=reason)
        self.desk.journal.flush()

    def _unknown(self, attempt: Attempt) -> None:
        self.desk.move(
            attempt.intent,
            State.UNKNOWN,
            reason=attempt.verdict.reason,
            http_status=attempt.verdict.status,
            request_id=attempt.verdict.request_id,
        )


def before(intent: Intent) -> State:
    """Tell the state that an intent goes back to when an attempt was not processed."""
    return State.UNKNOWN if intent.state is State.UNKNOWN else State.PLANNED
