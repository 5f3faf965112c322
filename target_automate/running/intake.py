"""Takes records in, and tells when the STATE behind them may pass."""

from __future__ import annotations

import threading
import typing as t

from target_automate.journal.intents import PASSING, Cause, State

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_api.clock import Clock
    from target_automate.journal.journal import Journal
    from target_automate.records.records import Records
    from target_automate.running.delivery import Delivery
    from target_automate.running.tally import Tally
    from target_automate.running.watermark import Stretch, Watermark
    from target_automate.sinks.declarations import SinkDeclaration

REFUSALS: t.Final = frozenset({Cause.INVALID, Cause.REFUSED, Cause.FUZZY})
"""Why records are rejected for what they say, whatever became of others."""


class Intake:
    """The way in; records come from one thread, settlements from any.

    Args:
        journal: Has what became of the intents.
        records: Makes intents of records.
        watermark: Told of records and their ends.
        tally: Counts them.
        clock: The time.
    """

    def __init__(
        self,
        journal: Journal,
        records: Records,
        *,
        watermark: Watermark,
        tally: Tally,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._records = records
        self._watermark = watermark
        self._tally = tally
        self._clock = clock
        self._stretches: dict[int, list[Stretch]] = {}
        self._lock = threading.Lock()

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
        reading = self._records.read(sink, record)
        with self._lock:
            brief, is_new = self._records.keep(sink, reading, self._clock.time())
            passes = brief.state in PASSING
            if not passes:
                self._stretches.setdefault(brief.id, []).append(stretch)
        if not passes:
            delivery.hand_in(brief)
            return
        if is_new and reading.problem is not None:
            self._tally.refused()
        self._watermark.settle(stretch)
        self._tally.settled(sink.object, brief.state, brief.id)
        if brief.state is State.REJECTED:
            delivery.tell_children(brief)
            self._tally.check_start()

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
