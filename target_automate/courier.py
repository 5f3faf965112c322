"""The one send path: what is done with one intent at one time.

    prepare -> SENT, on the disk -> send once -> outcome, kept

An outcome that leaves open whether the DMS has it is settled by sending again under the same key
where the server honours keys, else by reading back; what is not found after the visibility delay is
sent again where that does no harm, else parked for a person. A change that the DMS refuses because
it holds something else than was read is read and judged anew.
"""

from __future__ import annotations

import dataclasses
import typing as t
from http import HTTPStatus

from automate_api.errors import (
    AutomateError,
    ConfigError,
    NotEntitledError,
    RequestRefusedError,
    UnreachableError,
)
from target_automate.intents import OPEN, Cause, Intent, State
from target_automate.lookup import CannotLookUpError
from target_automate.outcomes import UNPROCESSED, Kind, Verdict
from target_automate.references import Found
from target_automate.sinks import by_object
from target_automate.steps import Effort, Later, Ready, Settled, Step, body_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from automate_api.client import Client
    from automate_api.replies import Failure, Reply
    from target_automate.breaker import Breaker
    from target_automate.changes import Changes
    from target_automate.declarations import SinkDeclaration
    from target_automate.keys import Keys
    from target_automate.matching import Matching
    from target_automate.operations import Operations
    from target_automate.preparation import Preparation
    from target_automate.readback import ReadBack
    from target_automate.references import References
    from target_automate.sending import Sender
    from target_automate.steps import Desk, Policy
    from target_automate.tally import Tally

RESENDS: t.Final = 8
"""Attempts under one key in a run before an outcome that stays unknown is read back instead."""
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


@dataclasses.dataclass(slots=True, kw_only=True)
class Courier:
    """Works on intents; safe to share between threads that work on different ones.

    Attributes:
        desk: Keeps each step.
        client: Tells how long to wait.
        senders: Operation to what sends it.
        keys: The idempotency keys.
        preparation: Checks before anything is sent.
        read_back: Finds what may be there.
        changes: Judges changes of what is there.
        references: Resolves anew.
        matching: Told by whom a customer was found.
        operations: Follows what the DMS has queued.
        breaker: Stops objects that fail.
        tally: Counts what is sent again.
        policy: About unknown outcomes.
        paths: Object to the path of its call at this tenant.
        probe: Told of each step by its name; a test ends the run there.
        efforts: Intent to what this run has spent on it.
    """

    desk: Desk
    client: Client
    senders: Mapping[str, Sender]
    keys: Keys
    preparation: Preparation
    read_back: ReadBack
    changes: Changes
    references: References
    matching: Matching
    operations: Operations
    breaker: Breaker
    tally: Tally
    policy: Policy
    paths: Mapping[str, str]
    probe: Callable[[str], None]
    efforts: dict[int, Effort] = dataclasses.field(default_factory=dict)

    def work_on(self, intent_id: int) -> Step:
        """Do the next thing with an intent.

        Args:
            intent_id: Which.

        Raises:
            AutomateError: What ends the run: the host is unreachable, the login is refused.
        """
        intent = self.desk.journal.get(intent_id)
        sink = by_object(intent.object)
        effort = self.efforts.setdefault(intent_id, Effort())
        if intent.state not in OPEN:
            # A record that came twice: it was settled while the second was handed in.
            step: Step = Settled(intent.state, before=True)
        elif self.breaker.closed_for(intent.object):
            step = Settled(intent.state)
        else:
            step = self._next(intent, sink, effort)
        if isinstance(step, Settled):
            self.efforts.pop(intent_id, None)
        return step

    def _next(self, intent: Intent, sink: SinkDeclaration, effort: Effort) -> Step:
        try:
            if intent.operation_id is not None:
                return self._follow(intent, sink, effort)
            if intent.state is State.UNKNOWN:
                return self._reconcile(intent, sink, effort)
            if pause := self.breaker.pause(intent.object):
                return Later(pause)
            return self._prepare(intent, sink, effort)
        except CannotLookUpError as error:
            return self._leave_unread(intent, sink, error)

    def _prepare(self, intent: Intent, sink: SinkDeclaration, effort: Effort) -> Step:
        """Send an intent, if it may be sent."""
        checked = self.preparation.check(intent, sink, effort)
        self.probe("prepared")
        if isinstance(checked, Ready):
            return self._send(intent, sink, effort, checked)
        return checked

    def _send(self, intent: Intent, sink: SinkDeclaration, effort: Effort, ready: Ready) -> Step:
        """Send an intent once; before the first byte leaves, the journal is on the disk."""
        journal, now = self.desk.journal, self.desk.clock.time()
        if intent.attempts and ready.guard != intent.guard:
            # Another body wants another key: the server may refuse it, or answer for the old one.
            intent = dataclasses.replace(
                intent, generation=intent.generation + 1, first_sent_at=None
            )
        journal.change(
            intent.id,
            State.SENT,
            now,
            sent_at=now,
            first_sent_at=intent.first_sent_at or now,
            attempts=intent.attempts + 1,
            generation=intent.generation,
            resolved=ready.resolved,
            guard=ready.guard,
            look_up=False,
            reason=None,
            cause=None,
        )
        self.probe("marked as sent")
        journal.flush()
        self.probe("marked as sent, on the disk")
        effort.attempts += 1
        if intent.attempts:
            self.tally.resent(intent.object)
        try:
            sent = self.senders[sink.operation].send(intent, sink, ready)
        except ConfigError:
            raise  # TLS may fail in the middle of an answer: it stays SENT, the next run settles it
        except AutomateError:
            # Raised before anything is sent, or after a refusal by 401: nothing was processed.
            self._unprocessed(intent, "not sent")
            raise
        self.probe("answered")
        step = self._keep(Attempt(intent, sink, effort, ready, sent.outcome, sent.verdict))
        self.probe("outcome kept")
        return step

    def _keep(self, attempt: Attempt) -> Step:
        """Keep what an attempt came to, and say what comes next."""
        if attempt.verdict.kind in UNPROCESSED:
            self._unprocessed(attempt.intent, attempt.verdict.reason)
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

    def _reconcile(self, intent: Intent, sink: SinkDeclaration, effort: Effort) -> Step:
        """Settle an unknown outcome."""
        by_key = self.keys.settles(intent, self.desk.clock.time()) and not effort.read_back
        if by_key:
            if pause := self.breaker.pause(intent.object):
                return Later(pause)
            if effort.attempts < RESENDS:
                return self._send(intent, sink, effort, Ready(intent.resolved, intent.guard))
        found = self._read_back(intent, sink)
        self.probe("read back")
        if isinstance(found, Settled):
            self.breaker.succeeded(intent.object)
            return found
        sent_at = intent.sent_at or intent.created_at
        left = sent_at + self.policy.visible_after - self.desk.clock.time()
        if left > 0 and not self._is_safe_again(intent, sink):
            return Later(left)
        if sink.unknown == "resend" and effort.attempts < RESENDS:
            return self._send(intent, sink, effort, Ready(intent.resolved, intent.guard))
        return self._give_up(intent, found, by_key=by_key)

    def _read_back(self, intent: Intent, sink: SinkDeclaration) -> Settled | str:
        if sink.change is not None:
            return self.changes.after_sending(intent, sink, t.cast("str", intent.resolved))
        body = body_of(intent, sink, intent.resolved)
        return self.read_back.after_sending(intent, sink, body)

    @staticmethod
    def _is_safe_again(intent: Intent, sink: SinkDeclaration) -> bool:
        """Tell whether a second time does no harm whenever it comes.

        A status is not as it was, so that the DMS refuses; to complete an upload again is the same.
        """
        change = sink.change
        is_step = change is not None and change.expected and "status" in intent.payload
        return bool(is_step) or sink.operation == "upload"

    def _give_up(self, intent: Intent, found: str, *, by_key: bool) -> Step:
        """Leave an unknown outcome to the next run where its key settles it, else to a person."""
        if by_key:
            return Settled(intent.state)
        reason = f"unknown outcome ({intent.reason}); read back: {found}"
        return self.desk.move(intent, State.PARKED, reason=reason)

    def _follow(self, intent: Intent, sink: SinkDeclaration, effort: Effort) -> Step:
        """Ask how a queued operation goes."""
        verdict = self.operations.ask(t.cast("str", intent.operation_id), sink)
        self.probe("operation asked")
        if verdict.kind is Kind.ACCEPTED:
            delay = self.operations.next_delay(effort.waited)
            if effort.waited + delay > self.policy.patience:
                return self.desk.move(intent, State.UNKNOWN, reason=verdict.reason)
            effort.waited += delay
            return Later(delay)
        if verdict.kind is Kind.ACKED:
            return self._acknowledge_by(intent, verdict)
        if verdict.kind is Kind.REJECTED:
            return self._reject_by(intent, Cause.REFUSED, verdict)
        if verdict.kind is Kind.CONFLICT:
            return self._judge_again(intent, sink, effort, verdict)
        effort.read_back = True
        return self.desk.again(intent, State.UNKNOWN, 0.0, operation_id=None, reason=verdict.reason)

    def _acknowledge(self, attempt: Attempt) -> Step:
        return self._acknowledge_by(attempt.intent, attempt.verdict)

    def _acknowledge_by(self, intent: Intent, verdict: Verdict) -> Step:
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
        return self._reject_by(attempt.intent, Cause.REFUSED, attempt.verdict)

    def _reject_by(self, intent: Intent, cause: Cause, verdict: Verdict) -> Step:
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
        return self._reject_by(intent, Cause.PARENT, attempt.verdict)

    def _ask_for_approval(self, attempt: Attempt) -> Step:
        return self.desk.wait(
            attempt.intent,
            State.WAITING_APPROVAL,
            reason=f"the DMS wants an approval first ({attempt.verdict.reason})",
            http_status=attempt.verdict.status,
            request_id=attempt.verdict.request_id,
        )

    def _close_object(self, attempt: Attempt) -> Step:
        """Stop writing an object that the DMS does not take from this login at all."""
        name, verdict = attempt.intent.object, attempt.verdict
        msg = (
            f"{attempt.sink.method} {self.paths[name]}: the DMS takes no {name} from this login "
            f"({verdict.reason}). "
            "They stay planned; have the dealer grant it, or name the tenant's path in `endpoints`."
        )
        self.breaker.close(
            name,
            RequestRefusedError(msg, status=verdict.status or 0, request_id=verdict.request_id),
        )
        return Settled(_before(attempt.intent))

    def _judge_anew(self, attempt: Attempt) -> Step:
        """Judge a change by what the DMS holds now; nothing of it was carried out this time."""
        self.breaker.succeeded(attempt.intent.object)
        intent = dataclasses.replace(attempt.intent, resolved=attempt.ready.resolved)
        return self._judge_again(intent, attempt.sink, attempt.effort, attempt.verdict)

    def _judge_again(
        self, intent: Intent, sink: SinkDeclaration, effort: Effort, verdict: Verdict
    ) -> Step:
        if settled := self.changes.conflicts(intent, sink, verdict.current):
            return settled
        effort.conflicts += 1
        if effort.conflicts > CONFLICTS:
            return self._reject_by(intent, Cause.SUPERSEDED, verdict)
        # What is read may be behind what the DMS judges by: give it time, twice as much each time.
        delay = min(self.policy.visible_after, FIRST_AWAIT_SECONDS * 2.0**effort.conflicts)
        return self.desk.again(
            intent,
            State.PLANNED,
            delay if effort.conflicts > 1 else 0.0,
            operation_id=None,
            reason=verdict.reason,
        )

    def _leave_unread(
        self, intent: Intent, sink: SinkDeclaration, error: CannotLookUpError
    ) -> Settled:
        """Stop writing an object whose records this login may not read: nothing would be safe."""
        msg = (
            f"{sink.method} {self.paths[sink.object]}: a change is not sent unread, and the "
            f"{sink.entity.noun} cannot be read. {error}"
        )
        self.breaker.close(sink.object, NotEntitledError(msg, status=HTTPStatus.FORBIDDEN))
        return Settled(intent.state)

    def _reject_changed(self, attempt: Attempt) -> Step:
        self.breaker.succeeded(attempt.intent.object)
        return self.desk.move(
            attempt.intent, State.REJECTED, cause=Cause.CHANGED, reason=attempt.verdict.reason
        )

    def _leave_unreached(self, attempt: Attempt) -> Settled:
        """Leave files to the next run: where the DMS wants them sent there is no answer."""
        name = attempt.intent.object
        msg = (
            f"{name}: the place that the DMS names for files does not take them "
            f"({attempt.verdict.reason}). They stay planned; run again later."
        )
        self.breaker.close(name, UnreachableError(msg))
        return Settled(_before(attempt.intent))

    def _unprocessed(self, intent: Intent, reason: str) -> None:
        """Take SENT back: a crash from here on leaves nothing unknown that was not before."""
        self.desk.move(intent, _before(intent), reason=reason)
        self.desk.journal.flush()

    def _unknown(self, attempt: Attempt) -> None:
        self.desk.move(
            attempt.intent,
            State.UNKNOWN,
            reason=attempt.verdict.reason,
            http_status=attempt.verdict.status,
            request_id=attempt.verdict.request_id,
        )


def _before(intent: Intent) -> State:
    """Tell the state that an intent goes back to when an attempt was not processed."""
    return State.UNKNOWN if intent.state is State.UNKNOWN else State.PLANNED
