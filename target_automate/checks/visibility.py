"""Whether the DMS shows what this journal has written: what was carried out may be seen later.

A change that is judged by an older copy of its record would be held for needless, or for one of a
record that is not there.
"""

from __future__ import annotations

import dataclasses
import typing as t

from target_automate.checks.comparing import UPDATED, in_time, part_of, says, wanted_of
from target_automate.sending.steps import CLOCK_SECONDS, body_of
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from automate_api.clock import Clock
    from target_automate.checks.lookup import Record
    from target_automate.journal.intents import Intent, Work
    from target_automate.journal.journal import Journal
    from target_automate.sinks.declarations import SinkDeclaration

FIRST_WAIT_SECONDS: t.Final = 0.2


@dataclasses.dataclass(frozen=True, slots=True)
class Visibility:
    """Compares what is read with what was written.

    Attributes:
        journal: What was written, and when.
        clock: The time.
        seconds: After which a write that was carried out is visible to every read.
    """

    journal: Journal
    clock: Clock
    seconds: float

    def wait(self, intent: Intent, sink: SinkDeclaration, record: Record | None) -> float:
        """Tell how long to wait before a record is read again.

        Args:
            intent: That is to change it.
            sink: Of the intent.
            record: As it was read; None when the DMS shows none.

        Returns:
            Seconds; 0 when what was read does not lie behind what this journal has written.
        """
        if record is None:
            founder = self.journal.acked(sink.entity.name, intent.lane)
            return 0.0 if founder is None else self._left(self.journal.settled_at(founder.id))
        work = self.journal.latest_work(intent.lane)
        if work is None or not (left := self._left(work.settled_at)):
            return 0.0
        return 0.0 if self._is_shown(work, record) else left

    def _left(self, settled_at: float | None) -> float:
        """Tell how long to wait after a write: half as long again each time, until it is seen."""
        passed = self.clock.time() - (settled_at or 0.0)
        if passed < -CLOCK_SECONDS:
            # A clock that was set back is no measure: nobody waits until it is as late again.
            return 0.0
        left = self.seconds - passed
        return max(0.0, min(left, max(FIRST_WAIT_SECONDS, passed / 2)))

    def _is_shown(self, work: Work, record: Record) -> bool:
        held, before = record.get(UPDATED), work.before
        if isinstance(held, str) and work.version is not None:
            at, made = in_time(held), in_time(work.version)
            if at != made:
                return at > made
            if isinstance(before, str) and in_time(before) < made:
                return True
        # Writes of one second, or without times: only what the last of them has set tells.
        intent = self.journal.get(work.id)
        sink = by_object(intent.object)
        body = body_of(intent, sink, intent.resolved)
        return says(part_of(sink, record, body), wanted_of(sink, body))
