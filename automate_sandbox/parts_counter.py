"""The parts counter as time goes on: deliveries come in, tickets are opened, handed out, voided."""

from __future__ import annotations

import typing as t

from automate_sandbox.world import parts, tickets
from automate_sandbox.world.chance import happens
from automate_sandbox.world.consequences import TICKET_PERCENT

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from automate_sandbox.money import Record
    from automate_sandbox.office import Changes, Pick
    from automate_sandbox.sandbox import Sandbox
    from automate_sandbox.world.numbers import Source

VOIDED_PERCENT: t.Final = 8
KNOWN_PERCENT: t.Final = 40
"""Of those who come to the counter, how many the dealer knows."""

DONE: t.Final = frozenset({"completed", "partially_closed", "closed"})
"""What an order is when its parts have been handed out."""


class PartsCounter:
    """Sells and hands out parts.

    What is available of a part is what lies on the shelves less what open tickets hold.
    """

    def __init__(self, sandbox: Sandbox, source: Source, pick: Pick) -> None:
        """Take over the shelves as the world has left them.

        Args:
            sandbox: Whose parts these are.
            source: Gives ids, numbers and chances.
            pick: Chooses what is worked on.
        """
        self._sandbox = sandbox
        self._source = source
        self._pick = pick
        self._shelves: dict[tuple[str, str], str] | None = None
        self._drawn: dict[str, str] | None = None

    def receive(self, at: int) -> Changes:
        """Order a part, or take in what was ordered."""
        part = self._pick("parts", "", frozenset())
        if part is None:
            return []
        parts.receive(self._source.rng, part, at)
        return [("parts", part)]

    def sell(self, at: int) -> Changes:
        """Open a ticket for a part that somebody wants."""
        rng = self._source.rng
        part = self._pick("parts", "", frozenset())
        if part is None or part["status"] != "active" or not self._is_own(part):
            return []
        buyer = self._pick("customers", "customerType", frozenset({"retail", "fleet"}))
        is_known = buyer and not buyer["mergedIntoCustomerId"] and happens(rng, KNOWN_PERCENT)
        rooftop = self._sandbox.rooftop(part["rooftopId"])
        lines = [tickets.line_of(rng, part)]
        customer_id = buyer["customerId"] if buyer and is_known else None
        ticket = tickets.over_the_counter(self._source.numbers, rooftop, lines, customer_id, at)
        return [("parts_tickets", ticket), *self._move(ticket, at)]

    def end(self, at: int) -> Changes:
        """Hand out what a ticket holds, or void it; that of an order is voided with the order."""
        ticket = self._pick("parts_tickets", "status", frozenset({"open"}))
        if ticket is None:
            return []
        is_voided = not ticket["repairOrderId"] and happens(self._source.rng, VOIDED_PERCENT)
        return self._end(ticket, at, void=is_voided)

    def follow(self, changes: Sequence[tuple[str, Record]], at: int) -> Changes:
        """Draw the parts of orders that were just written up, and hand out those of orders done."""
        found: Changes = []
        for order in [record for stream, record in changes if stream == "repair_orders"]:
            before = self._sandbox.ledger.record("repair_orders", order["repairOrderId"])
            if before is None:
                found += self._draw(order, at)
            elif order["status"] in DONE or order["status"] == "voided":
                key = self._tickets().pop(order["repairOrderId"], "")
                ticket = self._sandbox.ledger.record("parts_tickets", key)
                if ticket and ticket["status"] == "open":
                    found += self._end(ticket, at, void=order["status"] == "voided")
        return found

    def _draw(self, order: Record, at: int) -> Changes:
        is_drawn = happens(self._source.rng, TICKET_PERCENT)
        if not (is_drawn and order["rooftopId"] and tickets.parts_of(order)):
            return []
        ticket = tickets.for_order(self._source.numbers, order, at)
        self._tickets()[order["repairOrderId"]] = ticket["partsTicketId"]
        return [("parts_tickets", ticket), *self._move(ticket, at)]

    def _end(self, ticket: Record, at: int, *, void: bool) -> Changes:
        (tickets.void if void else tickets.close)(ticket, at)
        return [("parts_tickets", ticket), *self._move(ticket, at)]

    def _move(self, ticket: Record, at: int) -> Changes:
        """Count the parts of a ticket that has just been opened or ended."""
        changed: dict[str, Record] = {}
        for line in ticket["parts"]:
            key = self._parts().get((ticket["rooftopId"], line["partNumber"]), "")
            part = changed.get(key) or self._sandbox.ledger.record("parts", key)
            if part is None:
                continue
            changed[key] = part
            if ticket["status"] == "open":
                parts.reserve(part, line["quantity"], at)
            else:
                parts.release(part, line["quantity"], at, sold=ticket["status"] == "closed")
        return [("parts", part) for part in changed.values()]

    def _is_own(self, part: Record) -> bool:
        own = self._parts().get((part["rooftopId"], part["partNumber"]))
        return bool(own == part["partId"])

    def _parts(self) -> dict[tuple[str, str], str]:
        """Rooftop and part number to the part of the factory's that has them."""
        if self._shelves is None:
            self._shelves = {}
            for key in self._sandbox.ledger.tables["parts"].rows:
                part = self._sandbox.ledger.record("parts", key) or {}
                if part["manufacturerCode"] == parts.maker_of(
                    self._sandbox.rooftop(part["rooftopId"])
                ):
                    self._shelves[part["rooftopId"], part["partNumber"]] = key
        return self._shelves

    def _tickets(self) -> dict[str, str]:
        """Order to the open ticket that its parts are drawn with."""
        if self._drawn is None:
            table = self._sandbox.ledger.tables["parts_tickets"]
            self._drawn = {}
            for key in table.find("status", "open"):
                ticket = self._sandbox.ledger.record("parts_tickets", key) or {}
                if ticket["repairOrderId"]:
                    self._drawn[ticket["repairOrderId"]] = key
        return self._drawn
