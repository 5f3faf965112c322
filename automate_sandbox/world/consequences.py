"""What the records of a world bring with them: events, attachments, tickets for their parts.

All chances are drawn apart from those of the records themselves, which are the same whether or not
anything follows from them.
"""

from __future__ import annotations

import random
import typing as t

from automate_sandbox.instants import SECOND, parse
from automate_sandbox.world import attachments, events, parts, tickets
from automate_sandbox.world.calendar import DAY
from automate_sandbox.world.chance import happens
from automate_sandbox.world.numbers import Source
from automate_sandbox.world.op_codes import make_op_codes

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from automate_sandbox.money import Record
    from automate_sandbox.world.generate import Produced, Size
    from automate_sandbox.world.numbers import Numbers
    from automate_sandbox.world.rooftops import Rooftop

ATTACHED_PERCENT: t.Final = {"deals": 35, "repair_orders": 20, "vehicles": 8}
TICKET_PERCENT: t.Final = 25
"""Of the orders with parts whose parts are drawn with a ticket."""

COUNTER_SHARE: t.Final = 10
"""Vehicles of a world to each ticket of its counters."""

OPEN_DAYS: t.Final = 3
"""A counter ticket is paid, or voided, within so many days."""

STILL: t.Final = 120
"""Seconds before a world's now in which nothing is attached: the first run of a tap reads all."""

REMEMBERED: t.Final = 200
"""Customers of a rooftop that may come to its counter."""


class Consequences:
    """Follows the making of a world."""

    def __init__(self, seed: int, size: Size, anchor: int, numbers: Numbers) -> None:
        """Take up the chances.

        Args:
            seed: Of the world.
            size: Of the world.
            anchor: Seconds since 1970; nothing happens after it.
            numbers: Of the world.
        """
        self._rng = random.Random(f"consequences/{seed}")  # noqa: S311 - a world, not a secret
        self._size = size
        self._anchor = anchor
        self._numbers = numbers
        self._attached = 0
        self._noted: list[Produced] = []
        self._versions: dict[tuple[str, str], Record] = {}
        self._drawn: list[Record] = []
        self._customers: dict[str, list[tuple[str, int]]] = {}

    def op_codes(self, rooftops: Sequence[Rooftop]) -> Iterator[Produced]:
        """Make the op codes of all rooftops."""
        for rooftop in rooftops:
            for op_code in make_op_codes(self._rng, rooftop, self._size.days):
                yield "op_codes", op_code

    def note(self, stream: str, record: Record) -> None:
        """Remember the events of a record before a change takes the marks of them away."""
        self._noted += events.following(self._numbers, [(stream, record)], lambda *_: None)
        self._versions[stream, record[events.ENTITIES[stream][1]]] = dict(record)

    def of(self, stream: str, record: Record) -> Iterator[Produced]:
        """Make what follows from a record in its last version."""
        yield from self._noted
        self._noted.clear()
        if stream in events.ENTITIES:
            yield from events.following(
                self._numbers, [(stream, record)], lambda *name: self._versions.pop(name, None)
            )
        if stream in attachments.KEYS:
            yield from self._attachments(stream, record)
        if stream == "repair_orders":
            yield from self._ticket(record)
        elif stream == "customers":
            self._remember(record)

    def shelves(self, rooftops: Sequence[Rooftop]) -> Iterator[Produced]:
        """Sell parts over the counters, then make all parts with what is reserved of them."""
        source = Source(self._rng, self._numbers)
        stock: dict[tuple[str, str], Record] = {}
        every: list[list[Record]] = []
        for rooftop in rooftops:
            count = self._size.vehicles // parts.SHARE // len(rooftops)
            made = list(parts.make_parts(source, rooftop, count, self._size.days))
            every.append(made)
            own = [part for part in made if part["manufacturerCode"] == parts.maker_of(rooftop)]
            stock |= {(rooftop.rooftop_id, part["partNumber"]): part for part in own}
        for index in range(max(self._size.vehicles // COUNTER_SHARE, len(rooftops))):
            at = index % len(rooftops)
            ticket = self._counter_ticket(rooftops[at], every[at])
            self._drawn.append(ticket)
            yield "parts_tickets", ticket
        for ticket in self._drawn:
            for line in ticket["parts"] if ticket["status"] == "open" else ():
                part = stock[ticket["rooftopId"], line["partNumber"]]
                part["quantityOnHand"] += line["quantity"]
                opened = parse(ticket["openedAt"]) // SECOND
                parts.touch(part, opened)
        for made in every:
            for part in made:
                yield "parts", part

    def _attachments(self, stream: str, record: Record) -> Iterator[Produced]:
        """Attach nothing, one file, or a few, of which two may have one name."""
        rng = self._rng
        created = parse(record["createdAt"]) // SECOND
        if created > self._anchor - STILL:
            return
        while self._attached < attachments.ODD_ONES or happens(rng, ATTACHED_PERCENT[stream]):
            at = max(created, min(created + rng.randrange(2 * DAY), self._anchor - STILL))
            attached = attachments.attach(
                rng, self._numbers, (stream, record), at, self._size.huge_file_bytes
            )
            self._attached += 1
            yield "attachments", attached
            if happens(rng, 70):
                break

    def _ticket(self, order: Record) -> Iterator[Produced]:
        """Draw an order's parts with a ticket; an order without a rooftop is nobody's."""
        is_drawn = happens(self._rng, TICKET_PERCENT)
        if not (is_drawn and order["rooftopId"] and tickets.parts_of(order)):
            return
        ticket = tickets.for_order(self._numbers, order, parse(order["openedAt"]) // SECOND)
        if order["voidedAt"]:
            tickets.void(ticket, parse(order["voidedAt"]) // SECOND)
        elif order["completedAt"]:
            tickets.close(ticket, parse(order["completedAt"]) // SECOND)
        self._drawn.append(ticket)
        yield "parts_tickets", ticket

    def _counter_ticket(self, rooftop: Rooftop, stock: Sequence[Record]) -> Record:
        rng = self._rng
        at = rooftop.calendar.moment(rng, self._size.days)
        maker = parts.maker_of(rooftop)
        sold = [
            part
            for part in rng.sample(stock, min(len(stock), rng.randrange(2, 6)))
            if part["manufacturerCode"] == maker and part["status"] == "active"
        ]
        lines = [tickets.line_of(rng, part) for part in sold or stock[:1]]
        customers = self._customers.get(rooftop.rooftop_id, ())
        known = [customer_id for customer_id, created in customers if created <= at]
        buyer = rng.choice(known) if known and happens(rng, 40) else None
        ticket = tickets.over_the_counter(self._numbers, rooftop, lines, buyer, at)
        ended = at + rng.randrange(300, OPEN_DAYS * DAY)
        if ended < self._anchor:
            (tickets.void if happens(rng, 6) else tickets.close)(ticket, ended)
        return ticket

    def _remember(self, customer: Record) -> None:
        known = self._customers.setdefault(customer["rooftopId"] or "", [])
        if customer["isActive"] and customer["customerType"] != "lead" and len(known) < REMEMBERED:
            known.append((customer["customerId"], parse(customer["createdAt"]) // SECOND))
