"""What a run has done, counted per object, and whether too much of it was rejected."""

from __future__ import annotations

import dataclasses
import threading
import typing as t
from collections import Counter

from automate_api.errors import RejectsError
from target_automate.journal.intents import State

if t.TYPE_CHECKING:
    from collections.abc import Mapping

ENOUGH: t.Final = 20
"""Records from which on a share of rejects says something, and rejects in a row that end a run."""


@dataclasses.dataclass(slots=True)
class Counts:
    """Counts of one object.

    Attributes:
        received: Records that came.
        sent: Writes that the DMS has taken.
        unchanged: Records that it had already, as they are.
        rejected: Records that were not taken.
        parked: Writes whose outcome nobody knows.
        waiting: Records that wait for a parent or an approval.
        resent: Requests that were sent again.
    """

    received: int = 0
    sent: int = 0
    unchanged: int = 0
    rejected: int = 0
    parked: int = 0
    waiting: int = 0
    resent: int = 0


_FIELDS: t.Final[Mapping[State, str]] = {
    State.ACKED: "sent",
    State.DROPPED: "unchanged",
    State.REJECTED: "rejected",
    State.PARKED: "parked",
    State.WAITING_PARENT: "waiting",
    State.WAITING_APPROVAL: "waiting",
}


class Tally:
    """Counts; safe to share between threads.

    Args:
        max_rejects: Rejected records that a run may have; None for any number.
        max_reject_percent: Share of rejected records that a run may have, from `ENOUGH` on.
    """

    def __init__(self, *, max_rejects: int | None, max_reject_percent: float) -> None:
        self._max_rejects = max_rejects
        self._max_percent = max_reject_percent
        self._lock = threading.Lock()
        self._objects: dict[str, Counts] = {}
        self._good = 0
        self._rejected = 0
        self._refused = 0
        self._rejects: Counter[int] = Counter()

    def received(self, object_name: str) -> None:
        """Count a record that came."""
        with self._lock:
            self._of(object_name).received += 1

    def resent(self, object_name: str) -> None:
        """Count a request that is sent again."""
        with self._lock:
            self._of(object_name).resent += 1

    def settled(self, object_name: str, state: State, intent_id: int) -> None:
        """Count what became of a record.

        Args:
            object_name: Of the record.
            state: `DROPPED` counts as unchanged.
            intent_id: What was rejected for its customer, and goes with it after all, counts once.
        """
        with self._lock:
            counts = self._of(object_name)
            name = _FIELDS[state]
            setattr(counts, name, getattr(counts, name) + 1)
            self._good += state in {State.ACKED, State.DROPPED}
            if state is State.REJECTED:
                self._rejected += 1
                self._rejects[intent_id] += 1
            elif taken_back := self._rejects.pop(intent_id, 0):
                self._rejected -= taken_back
                counts.rejected -= taken_back

    def refused(self) -> None:
        """Count a record that is rejected for what it says, in this run for the first time."""
        with self._lock:
            self._refused += 1

    def objects(self) -> dict[str, Counts]:
        """Copy the counts, by object."""
        with self._lock:
            return {name: dataclasses.replace(counts) for name, counts in self._objects.items()}

    def check_start(self) -> None:
        """End a run whose records are all refused: something general is wrong.

        What was rejected before, or for another record, tells nothing of those to come.

        Raises:
            RejectsError: When the first `ENOUGH` were refused and none was taken.
        """
        if self._refused >= ENOUGH and not self._good:
            msg = (
                f"The first {self._refused} records were all rejected; the rest is not sent. See "
                "`automate-dms push rejects list`, correct what is wrong, then run again."
            )
            raise RejectsError(msg)

    def check_end(self) -> None:
        """Hold a finished run to its thresholds.

        Raises:
            RejectsError: When too many records were rejected.
        """
        total = sum(counts.received for counts in self.objects().values())
        percent = 100 * self._rejected / total if total else 0.0
        too_many = self._max_rejects is not None and self._rejected > self._max_rejects
        if too_many or (total >= ENOUGH and percent > self._max_percent):
            msg = (
                f"{self._rejected} of {total} records were rejected, more than `max_rejects` or "
                "`max_reject_percent` allow; the others were delivered. See `automate-dms push "
                "rejects list`."
            )
            raise RejectsError(msg)

    def _of(self, object_name: str) -> Counts:
        return self._objects.setdefault(object_name, Counts())
