"""The order of statuses: which of them lies behind another, so that no write goes back.

Which steps a DMS allows is its own affair and differs between tenants; here stands only what may
never be asked for. A status that is not known here stands in no order, and the DMS decides.
"""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """The statuses of an entity.

    Attributes:
        order: From the first to the last; those on one rung may follow each other either way.
        ends: What nothing follows.
    """

    order: tuple[frozenset[str], ...]
    ends: frozenset[str]

    def is_backwards(self, now: object, wanted: object) -> bool:
        """Tell whether a status lies behind the one that the DMS holds.

        Args:
            now: What the DMS holds.
            wanted: What is to be written.
        """
        if now == wanted or not isinstance(now, str) or not isinstance(wanted, str):
            return False
        if now in self.ends:
            return True
        at, to = self._rung(now), self._rung(wanted)
        return at is not None and to is not None and to < at

    def is_beside(self, now: object, wanted: object) -> bool:
        """Tell whether a status is another one on the rung of the one that the DMS holds.

        Such a one may have come before or after: it does not tell whether a step was taken.
        """
        if now == wanted or not isinstance(now, str) or not isinstance(wanted, str):
            return False
        rung = self._rung(now)
        return rung is not None and rung == self._rung(wanted)

    def recurs(self, status: object) -> bool:
        """Tell whether a record may come to a status again: another one is on its rung."""
        return any(status in rung and len(rung) > 1 for rung in self.order)

    def _rung(self, status: str) -> int | None:
        return next((rung for rung, names in enumerate(self.order) if status in names), None)


DEAL: t.Final = Machine(
    (
        frozenset({"penciled"}),
        frozenset({"pending"}),
        frozenset({"contracted"}),
        frozenset({"delivered"}),
        frozenset({"finalized"}),
    ),
    frozenset({"lost", "voided", "unwound"}),
)
APPOINTMENT: t.Final = Machine(
    (
        frozenset({"scheduled"}),
        frozenset({"confirmed", "rescheduled"}),
        frozenset({"arrived"}),
        frozenset({"checked_in"}),
        frozenset({"in_progress"}),
        frozenset({"converted"}),
        frozenset({"completed"}),
    ),
    frozenset({"cancelled", "no_show"}),
)
REPAIR_ORDER: t.Final = Machine(
    (
        frozenset({"estimate"}),
        frozenset({"open"}),
        frozenset({"in_progress", "on_hold", "waiting_parts", "waiting_authorization"}),
        frozenset({"completed"}),
        frozenset({"invoiced"}),
        frozenset({"partially_closed"}),
        frozenset({"closed"}),
    ),
    frozenset({"voided"}),
)
