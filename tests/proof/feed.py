"""What is fed to target-automate: what is made and what is changed; repeated, out of order.

All of it follows from a seed, so that a run can be made again. A child may come before its
customer and a status before its deal, a customer's notes go from A to B and back to A, the same
record comes twice, a step comes again when the next has been taken, and a few deals come again with
another price, which must not make a second deal.
"""

from __future__ import annotations

import json
import random
import typing as t

from proof.kinds import CHANGES, CUSTOMERS, DEALS, MADE, STREAMS, Key, Record, thing_of
from proof.stories import Fed, Teller

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proof.showroom import Showroom

NO_SCHEMA: t.Final = {"schema": {"properties": {}}, "key_properties": []}
STATE_EVERY: t.Final = 25
"""Records from one STATE to the next."""
EARLY: t.Final = 3
"""Customers that a child may be ahead of its own."""
RECENT: t.Final = 40
"""Customers that get children, and records that come again."""
EACH_CHANGED: t.Final = 50
"""Creates for each vehicle whose prices, comments and photos change."""
TOLD_AT_ONCE: t.Final = 12
"""Stories that go on beside each other."""

SHARES: t.Final = {
    "customers": 0.16,
    "deals": 0.13,
    "sale": 0.04,
    "approved sale": 0.01,
    "failure": 0.02,
    "visits": 0.13,
    "changed visit": 0.05,
    "order": 0.05,
    "vehicle": 0.06,
    "step": 0.3,
    "again": 0.04,
    "changed customer": 0.03,
    "changed deal": 0.005,
}
STEPS: t.Final = "deal_statuses"
"""The stream of which an old word may come again: a step that was taken is behind the DMS."""


class Feed:
    """The records of a run.

    Args:
        creates: How many different things it makes.
        seed: Decides everything.
        showroom: Vehicles that are for sale.
        name: Begins the writer's ids, so that feeds of one DMS do not meet.
        folder: For the files that it attaches; None attaches none.

    Attributes:
        records: All of them, in their order.
        losses: Deals among them that a manager has to approve before the delivery.
    """

    def __init__(
        self,
        creates: int,
        seed: int,
        showroom: Showroom,
        name: str = "chaos",
        folder: Path | None = None,
    ) -> None:
        self._rng = random.Random(f"feed/{seed}/{name}")  # noqa: S311 - no secret
        self._showroom = showroom
        self._name = f"{name}{seed}"
        self._teller = Teller(self._rng, self._name, folder)
        # Of its own: what another feed has said of them stands in no history of this one's.
        self._changed = [showroom.take() for _ in range(2 + creates // EACH_CHANGED)]
        self._left = creates
        self._numbers = 0
        self._customers: list[Record] = []
        self._awaited = 0
        """Customers that children have named; the rest of the feed brings them."""
        self._deals: list[Record] = []
        self._stories: list[list[Fed]] = []
        """What is still to happen, of each the last first."""
        self._newest: dict[Key, Record] = {}
        self.losses = 0
        self.records: list[Fed] = list(self._make())

    def lines(self, start: int = 0) -> Iterator[bytes]:
        """Write the Singer messages from a record on; a STATE names the records before it.

        Args:
            start: Number of the first record, as a STATE has it.
        """
        for stream in STREAMS:
            yield _line({"type": "SCHEMA", "stream": stream, **NO_SCHEMA})
        for number in range(start, len(self.records)):
            stream, record = self.records[number]
            yield _line({"type": "RECORD", "stream": stream, "record": record})
            if (number + 1) % STATE_EVERY == 0:
                yield state_line(number + 1)
        yield state_line(len(self.records))

    def _make(self) -> Iterator[Fed]:
        made: list[Fed] = []
        kinds, shares = [*SHARES], [*SHARES.values()]
        while self._left or self._stories:
            (kind,) = self._rng.choices(kinds, shares)
            if self._left and (self._left <= self._missing or not made):
                kind = "customers"
            elif not self._left or len(self._stories) >= TOLD_AT_ONCE:
                kind = "step"
            for stream, record in self._next(kind, made[-RECENT:]):
                made.append((stream, record))
                if stream in CHANGES:
                    self._newest[thing_of(stream, record)] = record
                yield stream, record

    def _next(self, kind: str, recent: list[Fed]) -> Iterator[Fed]:
        rng = self._rng
        match kind:
            case "customers":
                yield CUSTOMERS, self._customer()
            case "step":
                if self._stories:
                    yield self._step()
            case "again":
                yield self._again(*rng.choice(recent))
            case "changed customer":
                customer = rng.choice(self._customers[-RECENT:])
                yield CUSTOMERS, customer | {"notes": f"changed {rng.randrange(1000)}"}
                if rng.random() < 0.5:
                    yield CUSTOMERS, customer
            case "changed deal":
                if self._deals:
                    deal = rng.choice(self._deals[-RECENT:])
                    yield DEALS, deal | {"pricing": {"salePrice": rng.randrange(50_000, 60_000)}}
            case _:
                if (who := self._owner()) is not None:
                    self._begin(kind, who)

    def _again(self, stream: str, record: Record) -> Fed:
        """Say once more what was said, or what was said last of the same thing."""
        if stream in CHANGES and stream != STEPS:
            record = self._newest[thing_of(stream, record)]
        return stream, record

    def _step(self) -> Fed:
        """Let the next thing happen in one of the stories."""
        story = self._rng.choice(self._stories)
        fed = story.pop()
        if not story:
            self._stories.remove(story)
        return fed

    def _begin(self, kind: str, who: str) -> None:
        """Begin a story, if all that it makes may still be made."""
        story = list(self._told(kind, who))
        cost = len({thing_of(*fed) for fed in story if fed[0] in MADE})
        if cost > self._left - self._missing:
            return
        if len(story) > 1 and self._rng.random() < 0.1:
            story[0], story[1] = story[1], story[0]
        self._left -= cost
        self.losses += kind == "approved sale"
        self._deals += [record for stream, record in story if stream == DEALS]
        self._stories.append(story[::-1])

    def _told(self, kind: str, who: str) -> Iterator[Fed]:
        """Tell a whole story of a kind, about a customer."""
        teller, rng = self._teller, self._rng
        number = self._numbers = self._numbers + 1
        vehicle = rng.choice(self._showroom.shown)
        match kind:
            case "deals":
                yield teller.deal(number, who, vehicle)
            case "sale":
                yield teller.deal(number, who, self._showroom.take())
                yield from teller.sale(number)
            case "approved sale":
                yield teller.deal(number, who, self._showroom.take(), at_a_loss=True)
                yield from teller.approved_sale(number)
            case "failure":
                yield teller.deal(number, who, vehicle)
                yield from teller.failure(number)
            case "visits":
                yield teller.visit(number, who, vehicle.vin, named=bool(number % 2))
            case "changed visit":
                yield teller.visit(number, who, vehicle.vin)
                yield from teller.changes(number)
                yield teller.cancellation(number)
            case "order" if number % 4:
                yield teller.visit(number, who, vehicle.vin)
                yield from teller.changes(number)
                yield teller.order(number)
                yield from teller.work(number)
            case "order":
                yield teller.order(number, (who, vehicle.vin))
                yield from teller.work(number)
            case _:
                yield from teller.vehicle(rng.choice(self._changed).vin, number)

    @property
    def _missing(self) -> int:
        """Customers that were named and have not come."""
        return max(0, self._awaited - len(self._customers))

    def _owner(self) -> str | None:
        """Choose a customer, now and then one who is still to come."""
        known = len(self._customers)
        ahead = self._rng.randrange(EARLY + 1) if self._rng.random() < 0.05 else 0
        number = known + ahead - 1
        if not ahead:
            number = self._rng.randrange(max(0, known - RECENT), known)
        if max(self._awaited, number + 1) - known >= self._left:
            return None
        self._awaited = max(self._awaited, number + 1)
        return self._customer_id(number)

    def _customer_id(self, number: int) -> str:
        return f"{self._name}-c{number}"

    def _customer(self) -> Record:
        self._left -= 1
        number = len(self._customers)
        external_id = self._customer_id(number)
        customer = {
            "externalId": external_id,
            "customerType": "retail",
            "firstName": "Pat",
            "lastName": f"Example {number}",
            "emails": [f"{external_id}@example.com"],
            "phones": [{"type": "mobile", "number": f"+1555{number:07d}"}],
            "address": {"line1": f"{number} Main St", "city": "Springfield", "postalCode": "01101"},
            "notes": "A",
        }
        self._customers.append(customer)
        return customer


def state_line(fed: int) -> bytes:
    """Write a STATE that stands for the first so many records."""
    return _line({"type": "STATE", "value": {"fed": fed}})


def _line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"
