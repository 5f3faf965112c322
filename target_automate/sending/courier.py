"""The one send path: what is done with one intent at one time.

    prepare -> SENT, on the disk -> send once -> outcome, kept

An outcome that leaves open whether the DMS has it is settled by sending again under the same key
where the server honours keys, else by reading back; what is not found after the visibility delay is
sent again where that does no harm, else parked for a person. A change that the DMS refuses because
it holds something else than was read is read and judged anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from automate_api.errors import AutomateError, ConfigError, ProtocolError
from target_automate.checks.comparing import STATUS
from target_automate.checks.lookup import CannotLookUpError
from target_automate.journal.intents import OPEN, Intent, State
from target_automate.sending.outcomes import Kind
from target_automate.sending.settlement import Attempt, Settlement
from target_automate.sending.steps import (
    CLOCK_SECONDS,
    Effort,
    Later,
    Ready,
    Settled,
    Step,
    body_of,
)
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_automate.checks.changes import Changes
    from target_automate.checks.preparation import Preparation
    from target_automate.checks.readback import ReadBack
    from target_automate.running.tally import Tally
    from target_automate.sending.breaker import Breaker
    from target_automate.sending.keys import Keys
    from target_automate.sending.operations import Operations
    from target_automate.sending.senders import Sender
    from target_automate.sending.steps import Desk, Policy
    from target_automate.sinks.declarations import SinkDeclaration

RESENDS: t.Final = 8
"""Attempts under one key in a run before an outcome that stays unknown is read back instead."""
SAFE_AGAIN_SECONDS: t.Final = 0.2
"""Before what may be sent again at once is sent for the second time; then twice as long each."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Courier:
    """Works on intents; safe to share between threads that work on different ones.

    Attributes:
        desk: Keeps each step.
        senders: Operation to what sends it.
        keys: The idempotency keys.
        preparation: Checks before anything is sent.
        read_back: Finds what may be there.
        changes: Judges changes of what is there.
        operations: Follows what the DMS has queued.
        breaker: Stops objects that fail.
        tally: Counts what is sent again.
        policy: About unknown outcomes.
        settlement: Keeps what attempts came to.
        probe: Told of each step by its name; a test ends the run there.
        efforts: Intent to what this run has spent on it.
    """

    desk: Desk
    senders: Mapping[str, Sender]
    keys: Keys
    preparation: Preparation
    read_back: ReadBack
    changes: Changes
    operations: Operations
    breaker: Breaker
    tally: Tally
    policy: Policy
    settlement: Settlement
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
            return self.settlement.leave_unread(intent, sink, error)
        except ProtocolError as error:
            if sink.change is None:
                raise
            return self.settlement.leave(intent, error)

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
            self.settlement.unprocessed(intent, "not sent")
            raise
        self.probe("answered")
        step = self.settlement.keep(
            Attempt(intent, sink, effort, ready, sent.outcome, sent.verdict)
        )
        self.probe("outcome kept")
        return step

    def _reconcile(self, intent: Intent, sink: SinkDeclaration, effort: Effort) -> Step:
        """Settle an unknown outcome."""
        by_key = self.keys.settles(intent, self.desk.clock.time()) and not effort.read_back
        if by_key and (pause := self.breaker.pause(intent.object)):
            return Later(pause)
        again = by_key and effort.attempts < RESENDS
        # A key does not tell whether the first time was carried out. If it was not, a second would
        # replace what somebody else has written since: a change is read back all the same.
        if again and sink.change is None:
            return self._send(intent, sink, effort, Ready(intent.resolved, intent.guard))
        found = self._read_back(intent, sink)
        self.probe("read back")
        if isinstance(found, Settled):
            self.breaker.succeeded(intent.object)
            return found
        if not again and (left := self._left(intent, sink, effort)) > 0:
            return Later(left)
        if again or (sink.unknown == "resend" and effort.attempts < RESENDS):
            return self._send(intent, sink, effort, Ready(intent.resolved, intent.guard))
        return self._give_up(intent, found, by_key=by_key)

    def _left(self, intent: Intent, sink: SinkDeclaration, effort: Effort) -> float:
        """Tell how many seconds are left until what was carried out is visible to every read."""
        delay = self.policy.visible_after
        if _is_safe_again(intent, sink):
            delay = min(delay, SAFE_AGAIN_SECONDS * 2.0**effort.attempts)
        left = (intent.sent_at or intent.created_at) + delay - self.desk.clock.time()
        # A clock that was set back since is no measure: nobody waits until it is as late again.
        return left if left <= delay + CLOCK_SECONDS else 0.0

    def _read_back(self, intent: Intent, sink: SinkDeclaration) -> Settled | str:
        if sink.change is not None:
            return self.changes.after_sending(intent, sink, t.cast("str", intent.resolved))
        body = body_of(intent, sink, intent.resolved)
        return self.read_back.after_sending(intent, sink, body)

    def _is_there(self, intent: Intent, sink: SinkDeclaration) -> Settled | None:
        """Settle an intent whose operation does not end, where the DMS shows that it has."""
        with contextlib.suppress(CannotLookUpError):
            if sink.change is not None:
                return self.changes.reached(intent, sink, t.cast("str", intent.resolved))
            found = self._read_back(intent, sink)
            return found if isinstance(found, Settled) else None
        return None

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
                return self._is_there(intent, sink) or self.desk.move(
                    intent, State.UNKNOWN, reason=verdict.reason
                )
            effort.waited += delay
            return Later(delay)
        if (step := self.settlement.ended(intent, sink, effort, verdict)) is not None:
            return step
        effort.read_back = True
        return self.desk.again(intent, State.UNKNOWN, 0.0, operation_id=None, reason=verdict.reason)


def _is_safe_again(intent: Intent, sink: SinkDeclaration) -> bool:
    """Tell whether a second time does no harm whenever it comes.

    A status is not as it was, so that the DMS refuses, where the change is one of the status and
    says which it was; but from one beside it a record may go on and come back. To complete an
    upload again is the same.
    """
    change = sink.change
    if change is None or change.expected is None:
        return sink.operation == "upload"
    held, wanted = (intent.guard or {}).get(STATUS), intent.payload.get(STATUS)
    if change.machine is not None and change.machine.is_beside(held, wanted):
        return False
    return held is not None and wanted not in {None, held}
