"""What is fed to target-automate: customers, deals, appointments; repeated, changed, out of order.

All of it follows from a seed, so that a run can be made again. A child may come before its
customer, a customer's notes go from A to B and back to A, the same record comes twice, and a few
deals come again with another price, which must not make a second deal.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Record: t.TypeAlias = dict[str, t.Any]
Fed: t.TypeAlias = tuple[str, Record]
"""Stream and record."""

STREAMS: t.Final = ("customers", "deals", "service_appointments")
NO_SCHEMA: t.Final = {"schema": {"properties": {}}, "key_properties": []}
STATE_EVERY: t.Final = 25
"""Records from one STATE to the next."""
EARLY: t.Final = 3
"""Customers that a child may be ahead of its own."""
RECENT: t.Final = 40
"""Customers that get children, and records that come again."""
FIRST_INSTANT: t.Final = dt.datetime(2027, 1, 4, 8, tzinfo=dt.UTC)

SHARES: t.Final = {
    "customers": 0.2,
    "deals": 0.36,
    "service_appointments": 0.36,
    "again": 0.04,
    "changed customer": 0.035,
    "changed deal": 0.005,
}


class Feed:
    """The records of a run.

    Args:
        creates: How many different things they are about.
        seed: Decides everything.
        vins: Of vehicles that are for sale.
        name: Begins the writer's ids, so that feeds of one DMS do not meet.
    """

    def __init__(self, creates: int, seed: int, vins: Sequence[str], name: str = "chaos") -> None:
        self._rng = random.Random(f"feed/{seed}/{name}")  # noqa: S311 - no secret
        self._vins = vins
        self._name = f"{name}{seed}"
        self._left = creates
        self._customers: list[Record] = []
        self._awaited = 0
        """Customers that children have named; the rest of the feed brings them."""
        self._deals: list[Record] = []
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
        while self._left:
            (kind,) = self._rng.choices(kinds, shares)
            if self._left <= self._awaited - len(self._customers) or not made:
                kind = "customers"
            for fed in self._next(kind, made[-RECENT:]):
                made.append(fed)
                yield fed

    def _next(self, kind: str, recent: list[Fed]) -> Iterator[Fed]:
        rng = self._rng
        match kind:
            case "customers":
                yield kind, self._customer()
            case "deals":
                if (who := self._owner()) is not None:
                    yield kind, self._deal(who)
            case "service_appointments":
                if (who := self._owner()) is not None:
                    yield kind, self._appointment(who)
            case "again":
                yield rng.choice(recent)
            case "changed customer":
                customer = rng.choice(self._customers[-RECENT:])
                changed = customer | {"notes": f"changed {rng.randrange(1000)}"}
                yield "customers", changed
                if rng.random() < 0.5:
                    yield "customers", customer
            case _ if self._deals:
                deal = rng.choice(self._deals[-RECENT:])
                yield "deals", deal | {"pricing": {"salePrice": rng.randrange(50_000, 60_000)}}

    def _take(self) -> int:
        self._left -= 1
        return self._left

    def _owner(self) -> str | None:
        """Choose a customer, now and then one who is still to come."""
        known = len(self._customers)
        ahead = self._rng.randrange(EARLY + 1) if self._rng.random() < 0.05 else 0
        number = known + ahead - 1
        if not ahead:
            number = self._rng.randrange(max(0, known - RECENT), known)
        missing = max(self._awaited, number + 1) - known
        if missing >= self._left:
            return None
        self._awaited = max(self._awaited, number + 1)
        return self._customer_id(number)

    def _customer_id(self, number: int) -> str:
        return f"{self._name}-c{number}"

    def _customer(self) -> Record:
        self._take()
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

    def _deal(self, who: str) -> Record:
        number = self._take()
        deal = {
            "referenceId": f"{self._name}-d{number}",
            "customerExternalId": who,
            "vehicle": {"vin": self._rng.choice(self._vins)},
            "pricing": {"salePrice": 20_000 + number % 9000 + 0.25, "discounts": number % 500},
            "fees": [{"code": "DOC", "description": "Documents", "amount": 85.5}],
        }
        self._deals.append(deal)
        return deal

    def _appointment(self, who: str) -> Record:
        number = self._take()
        instant = FIRST_INSTANT + dt.timedelta(minutes=number)
        appointment = {
            "customerExternalId": who,
            "vin": self._rng.choice(self._vins),
            "appointmentTime": instant.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "concern": "Brakes squeal",
        }
        if number % 2:
            appointment["externalId"] = f"{self._name}-a{number}"
        return appointment


def state_line(fed: int) -> bytes:
    """Write a STATE that stands for the first so many records."""
    return _line({"type": "STATE", "value": {"fed": fed}})


def _line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"
