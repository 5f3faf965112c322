"""What the cashiers hold: receipts that wait for their deposit, and deposits that are prepared."""

from __future__ import annotations

import typing as t

from automate_sandbox.instants import SECOND
from automate_sandbox.world.calendar import DAY

if t.TYPE_CHECKING:
    from automate_sandbox.money import Record
    from automate_sandbox.sandbox import Sandbox

UNDEPOSITED_DAYS: t.Final = 3
"""No receipt of the world's past waits longer for its deposit."""


class Drawers:
    """The drawers of all rooftops; whoever takes money puts its receipt in here."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Take over the drawers as the world has left them, at the first look.

        Args:
            sandbox: Whose drawers these are.
        """
        self._sandbox = sandbox
        self._waiting: dict[str, list[str]] | None = None
        self._prepared: list[str] = []

    def put(self, receipt: Record) -> None:
        """Lay the receipt of money that came in into the drawer; one of money paid out is not."""
        waiting = self._open()
        if receipt["status"] == "open":
            rooftop = self._sandbox.rooftop(receipt["rooftopId"])
            waiting[rooftop.rooftop_id].append(receipt["receiptId"])

    def filled(self) -> list[str]:
        """List the rooftops whose drawer holds something."""
        return [key for key, keys in self._open().items() if keys]

    def take_prepared(self) -> Record | None:
        """Take the deposit that has been prepared first; None when there is none."""
        self._open()
        if not self._prepared:
            return None
        return self._sandbox.ledger.record("deposits", self._prepared.pop(0))

    def empty(self, rooftop_id: str) -> list[Record]:
        """Take the receipts of the oldest business date out of a drawer."""
        drawer = self._open()[rooftop_id]
        found = [self._sandbox.ledger.record("receipts", key) for key in drawer]
        waiting = [receipt for receipt in found if receipt and receipt["status"] == "open"]
        day = min((receipt["businessDate"] for receipt in waiting), default=None)
        drawer[:] = [r["receiptId"] for r in waiting if r["businessDate"] != day]
        return [receipt for receipt in waiting if receipt["businessDate"] == day]

    def _open(self) -> dict[str, list[str]]:
        """Rooftop to the receipts that wait; looked up once."""
        if self._waiting is None:
            self._waiting = {key: [] for key in self._sandbox.rooftops}
            for receipt in self._recent("receipts"):
                if receipt["status"] == "open":
                    rooftop = self._sandbox.rooftop(receipt["rooftopId"])
                    self._waiting[rooftop.rooftop_id].append(receipt["receiptId"])
            self._prepared = [
                deposit["depositId"]
                for deposit in self._recent("deposits")
                if deposit["status"] == "prepared"
            ]
        return self._waiting

    def _recent(self, stream: str) -> list[Record]:
        """Read what has changed in the last days of the world's past or later, oldest first."""
        anchor = int(self._sandbox.facts["anchor"])
        return changed_since(self._sandbox, stream, (anchor - UNDEPOSITED_DAYS * DAY) * SECOND)


def changed_since(sandbox: Sandbox, stream: str, since: int) -> list[Record]:
    """Read what has changed since an instant (milliseconds), oldest first."""
    found: list[Record] = []
    for updated, key in reversed(sandbox.ledger.tables[stream].by_time):
        if updated < since:
            break
        record = sandbox.ledger.record(stream, key)
        if record:
            found.append(record)
    return found[::-1]
