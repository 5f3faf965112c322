"""A dealer group with a past, made from a seed: the order in which everything happens to it."""

from __future__ import annotations

import dataclasses
import random
import typing as t
from datetime import timedelta

from automate_sandbox.instants import SECOND, render
from automate_sandbox.world import appointments, deals, recaps, receipts, service
from automate_sandbox.world.calendar import DAY, HOUR
from automate_sandbox.world.cashbook import Cashbook
from automate_sandbox.world.chance import happens
from automate_sandbox.world.chart import build_accounts
from automate_sandbox.world.consequences import Consequences
from automate_sandbox.world.customers import edit_customer, make_customer, merge_customer
from automate_sandbox.world.general import build_general_journal
from automate_sandbox.world.numbers import Numbers, Source
from automate_sandbox.world.periods import build_periods
from automate_sandbox.world.rooftops import Rooftop, build_rooftops
from automate_sandbox.world.vehicles import make_vehicle, reprice

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from automate_sandbox.money import Record

Produced = tuple[str, dict[str, t.Any]]
"""Stream and record."""

SAME_SECOND: t.Final = 90
"""Vehicles that one run of the pricing feed touches in the same second."""

FATES: t.Final = {
    "sold": 46,
    "penciled": 4,
    "lost": 4,
    "voided": 1,
    "wholesale": 3,
    "transit": 5,
    "repriced": 12,
    "fed": 6,
    "quiet": 19,
}
"""What becomes of a vehicle, in percent; `fed` ones get a price from the nightly feed."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How large a world is.

    Attributes:
        rooftops: Dealerships of the group.
        vehicles: Vehicles over all rooftops, sold ones included.
        days: Days that the changes of all records are spread over.
        huge_file_bytes: Size of the one attachment that is larger than any limit.
    """

    rooftops: int = 2
    vehicles: int = 2000
    days: int = 60
    huge_file_bytes: int = 200 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Buyer:
    """What a deal or a repair order needs to know of a customer; `created` in seconds."""

    customer_id: str
    created: int
    tax_exempt: bool
    active: bool


class Generator:
    """Makes the records of a world one by one; memory holds only what later ones refer to."""

    def __init__(self, seed: int, size: Size, anchor: int) -> None:
        """Set the scene.

        Args:
            seed: Same seed, size and anchor make the same records, byte by byte.
            size: How many.
            anchor: Seconds since 1970; nothing has happened after it.
        """
        self.rng = random.Random(f"world/{seed}")  # noqa: S311 - a world, not a secret
        self.size = size
        self.anchor = anchor
        self.numbers = Numbers(seed)
        self.source = Source(self.rng, self.numbers)
        # Of its own, so that the calendar of the shop decides nothing else.
        self.bookings = random.Random(f"bookings/{seed}")  # noqa: S311 - a world, not a secret
        # So does the office: the recaps and the cashier decide nothing that they write about.
        office = random.Random(f"office/{seed}")  # noqa: S311 - a world, not a secret
        self.office = Source(office, self.numbers)
        self.consequences = Consequences(seed, size, anchor, self.numbers)
        self.rooftops: list[Rooftop] = []
        self.buyers: list[list[Buyer]] = []
        self.cars: list[list[service.Car]] = []
        self.payments: list[list[receipts.Payment]] = []
        self.on_account: set[str] = set()
        self.feeds = [
            anchor - 2 * HOUR - self.rng.randrange(size.days * DAY)
            for _ in range(max(1, size.vehicles * FATES["fed"] // 100 // SAME_SECOND))
        ]

    def records(self) -> Iterator[Produced]:
        """Make every record in its last version, each once."""
        for stream, record in self._course():
            yield stream, record
            yield from self.consequences.of(stream, record)
        yield from self.consequences.op_codes(self.rooftops)
        yield from self.consequences.shelves(self.rooftops)

    def _course(self) -> Iterator[Produced]:
        """Let things happen; what follows from a record comes later."""
        yield from self._organization()
        yield from self._customers()
        for index in range(self.size.vehicles):
            yield from self._vehicle(self.rooftops[index % len(self.rooftops)])
        for index in range(self.size.vehicles * 3 // 4):
            yield from self._repair_order(self.rooftops[index % len(self.rooftops)])
        for index in range(max(self.size.vehicles // 10, 2 * self.size.rooftops)):
            rooftop = self.rooftops[index % len(self.rooftops)]
            yield "service_appointments", self._appointment(rooftop)
        for rooftop in self.rooftops:
            for entry in build_general_journal(self.rng, self.numbers, rooftop, self.size.days):
                yield "gl_entries", entry
        for rooftop in self.rooftops:
            yield from Cashbook(self.office, rooftop).records(self.payments[rooftop.index])
            for period in build_periods(self.numbers, rooftop, self.size.days):
                yield "accounting_periods", period

    def _organization(self) -> Iterator[Produced]:
        made = build_rooftops(self.rng, self.numbers, self.size.rooftops, self.anchor)
        for stream, record, rooftop in made:
            yield stream, record
            if stream == "rooftops":
                self.rooftops.append(rooftop)
                self.buyers.append([])
                self.cars.append([])
                self.payments.append([])
        for rooftop in self.rooftops:
            for account in build_accounts(self.numbers, rooftop, self.anchor):
                yield "gl_accounts", account

    def _customers(self) -> Iterator[Produced]:
        """Most customers are older than the period, so that every deal finds a buyer."""
        rng, days = self.rng, self.size.days
        for index in range(max(self.size.vehicles, 4 * self.size.rooftops)):
            rooftop = self.rooftops[index % self.size.rooftops]
            buyers = self.buyers[rooftop.index]
            is_old = happens(rng, 70) or len(buyers) <= 1
            moment = rooftop.calendar.moment(rng, days)
            created = moment - days * DAY - rng.randrange(700 * DAY) if is_old else moment
            first = index < 2 * self.size.rooftops
            customer = make_customer(
                rng, self.numbers, rooftop, created, "retail" if first else None
            )
            if is_old and happens(rng, 60):
                edit_customer(rng, customer, moment)
            survivor = rng.choice(buyers) if buyers else None
            if survivor and survivor.active and not first and happens(rng, 2):
                merge_customer(customer, survivor.customer_id, max(moment, created))
            if customer["arAccountNumber"]:
                self.on_account.add(customer["customerId"])
            if customer["customerType"] != "lead":
                buyers.append(
                    Buyer(
                        customer["customerId"], created, customer["taxExempt"], customer["isActive"]
                    )
                )
            yield "customers", customer

    def _buyer(self, rooftop: Rooftop, at: int) -> Buyer:
        buyers = self.buyers[rooftop.index]
        for _ in range(8):
            buyer = self.rng.choice(buyers)
            if buyer.active and buyer.created <= at:
                return buyer
        return buyers[0]

    def _vehicle(self, rooftop: Rooftop) -> Iterator[Produced]:
        rng = self.rng
        fate = rng.choices(tuple(FATES), tuple(FATES.values()))[0]
        if fate == "fed":
            moment = rng.choice(self.feeds)
        else:
            moment = rooftop.calendar.moment(rng, self.size.days)
        acquired = moment - rng.randrange(3 * DAY, 90 * DAY)
        vehicle = make_vehicle(rng, self.numbers, rooftop, acquired)
        if fate == "sold":
            yield from self._sale(rooftop, vehicle, moment)
        elif fate in {"penciled", "lost", "voided"}:
            yield from self._no_sale(rooftop, vehicle, moment, fate)
        elif fate in {"wholesale", "transit"}:
            vehicle |= {
                "status": fate,
                "isWholesale": fate == "wholesale",
                "updatedAt": render(moment * SECOND),
            }
        elif fate in {"repriced", "fed"}:
            reprice(rng, vehicle, moment)
        if vehicle["status"] == "in_stock" and vehicle["condition"] != "new":
            car = service.Car(
                vehicle["vin"], vehicle["vehicleId"], None, vehicle["odometer"]["value"]
            )
            self.cars[rooftop.index].append(car)
        yield "vehicles", vehicle

    def _no_sale(self, rooftop: Rooftop, vehicle: Record, at: int, fate: str) -> Iterator[Produced]:
        buyer = self._buyer(rooftop, at)
        deal = deals.pencil(
            self.source, rooftop, vehicle, (buyer.customer_id, buyer.tax_exempt), at
        )
        ended = at + self.rng.randrange(HOUR, 4 * DAY)
        if fate == "lost" and ended < self.anchor:
            deals.lose(deal, ended)
        elif fate == "voided" and ended < self.anchor:
            deals.void(deal, ended)
        yield "deals", deal

    def _sale(
        self, rooftop: Rooftop, vehicle: Record, at: int, previous: Record | None = None
    ) -> Iterator[Produced]:
        """Lead a deal through its steps as far as time allows; a few are unwound and sold again."""
        rng, numbers = self.rng, self.numbers
        buyer = self._buyer(rooftop, at)
        deal = deals.pencil(
            self.source, rooftop, vehicle, (buyer.customer_id, buyer.tax_exempt), at
        )
        deal["previousDealId"] = previous["dealId"] if previous else None
        entries: list[Record] = []
        unwound_at: int | None = None
        contracted = at + rng.randrange(HOUR, DAY)
        delivered = contracted + rng.randrange(HOUR, 2 * DAY)
        if contracted < self.anchor:
            deals.contract(deal, rooftop, contracted)
        if delivered < self.anchor:
            back_dated = self._back_date(rooftop, delivered)
            sale = deals.deliver(numbers, rooftop, deal, vehicle, (delivered, back_dated))
            entries.append(sale.entry)
            closing = delivered + rng.randrange(3 * DAY, 11 * DAY)
            if happens(rng, 3) and closing < self.anchor:
                unwound_at = closing
                entries.append(deals.unwind(self.source, rooftop, sale, closing))
            elif closing < self.anchor:
                deals.finalize(deal, closing)
            if not unwound_at:
                car = service.Car(
                    vehicle["vin"],
                    vehicle["vehicleId"],
                    buyer.customer_id,
                    vehicle["odometer"]["value"],
                )
                self.cars[rooftop.index].append(car)
        yield "deals", deal
        for entry in entries:
            yield "gl_entries", entry
        if contracted < self.anchor:
            course = deals.Course(at, contracted, delivered, self.anchor, unwound_at)
            yield from self._recaps(rooftop, deal, vehicle, course)
        again = (unwound_at or self.anchor) + 2 * DAY
        if unwound_at and previous is None and again < self.anchor and happens(rng, 60):
            yield from self._sale(rooftop, vehicle, again, deal)

    def _recaps(
        self, rooftop: Rooftop, deal: Record, vehicle: Record, course: deals.Course
    ) -> Iterator[Produced]:
        """Recap a deal, and remember for the cashbook what came in for it."""
        payments = receipts.of_deal(self.office.rng, deal, course)
        self.payments[rooftop.index] += payments
        for recap in recaps.of_deal(self.office, deal, vehicle["cost"], course, payments):
            yield "deal_recaps", recap

    def _back_date(self, rooftop: Rooftop, at: int) -> date | None:
        """Choose, for one entry in thirty, the last day of the month before."""
        if self.rng.random() > 1 / 30:
            return None
        return rooftop.calendar.date_of(at).replace(day=1) - timedelta(days=1)

    def _car(self, rooftop: Rooftop) -> service.Car:
        """Choose a car that the dealer sold or owns, or one that was bought elsewhere."""
        rng, cars = self.rng, self.cars[rooftop.index]
        if cars and happens(rng, 45):
            return rng.choice(cars)
        return service.foreign_car(rng, rng.choice(self.buyers[rooftop.index]).customer_id)

    def _repair_order(self, rooftop: Rooftop) -> Iterator[Produced]:
        """Lead an order through its steps as far as time allows."""
        rng, numbers, calendar = self.rng, self.numbers, rooftop.calendar
        opened = calendar.moment(rng, self.size.days)
        if happens(rng, 2):
            opened = calendar.late_evening(rng, opened)
        car = self._car(rooftop)
        order = service.write_up(rng, numbers, rooftop, car, opened)
        if car.customer_id and happens(self.bookings, 40):
            kept = appointments.kept(self.bookings, numbers, rooftop, car, order)
            yield "service_appointments", kept
        entries: list[Record] = []
        begun, completed = opened + rng.randrange(600, HOUR), opened + rng.randrange(HOUR, 9 * HOUR)
        if happens(rng, 3) and begun < self.anchor:
            service.void(order, begun)
        elif completed < self.anchor:
            service.complete(order, completed)
            entries = self._closings(rooftop, order, completed)
        elif begun < self.anchor:
            service.begin(order, begun, rng.choice(("in_progress", "waiting_parts", "on_hold")))
        yield "repair_orders", order
        for entry in entries:
            yield "gl_entries", entry

    def _appointment(self, rooftop: Rooftop) -> Record:
        """Book an appointment that nobody has kept yet."""
        rng = self.bookings
        buyer = rng.choice(self.buyers[rooftop.index])
        booked = rooftop.calendar.moment(rng, self.size.days)
        car = service.foreign_car(rng, buyer.customer_id)
        return appointments.unkept(rng, self.numbers, rooftop, car, booked)

    def _closings(self, rooftop: Rooftop, order: Record, completed: int) -> list[Record]:
        rng, numbers = self.rng, self.numbers
        entries = []
        at = completed
        charged: int | None = None
        for pay_type in service.open_pay_types(order):
            is_claim = pay_type in service.CLAIMED
            at += service.warranty_wait(rng) if is_claim else rng.randrange(300, 4 * HOUR)
            if at < self.anchor:
                entries.append(service.close(numbers, rooftop, order, pay_type, at))
                if pay_type == "customer_pay":
                    charged = at
        reopened = at + rng.randrange(DAY, 5 * DAY)
        if order["status"] == "closed" and reopened < self.anchor and happens(rng, 3):
            self.consequences.note("repair_orders", order)
            entries += service.reopen(numbers, rooftop, order, entries, reopened)
            for pay_type in service.open_pay_types(order):
                closed_again = reopened + rng.randrange(HOUR, DAY)
                if closed_again < self.anchor:
                    entries.append(service.close(numbers, rooftop, order, pay_type, closed_again))
        if charged is not None:
            self._collect(rooftop, order, charged)
        return entries

    def _collect(self, rooftop: Rooftop, order: Record, charged: int) -> None:
        """Let a customer pay for an order; a later reopening leaves what is paid as it is."""
        on_account = order["customerId"] in self.on_account
        for payment in receipts.of_order(self.office.rng, order, charged, on_account=on_account):
            if payment.at >= self.anchor:
                continue
            self.payments[rooftop.index].append(payment)
            service.receive(order, payment.amount, payment.at)
            if payment.returned is not None and payment.returned < self.anchor:
                service.receive(order, -payment.amount, payment.returned)
