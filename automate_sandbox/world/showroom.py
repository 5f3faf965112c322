"""The showroom: what becomes of each vehicle, and the deals that are made of it."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from automate_sandbox.instants import SECOND, render
from automate_sandbox.world import deals, recaps, receipts
from automate_sandbox.world.calendar import DAY, HOUR
from automate_sandbox.world.chance import happens
from automate_sandbox.world.service import Car
from automate_sandbox.world.vehicles import make_vehicle, reprice

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from automate_sandbox.money import Record
    from automate_sandbox.world.generate import Produced
    from automate_sandbox.world.rooftops import Rooftop
    from automate_sandbox.world.scene import Scene

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


class Showroom:
    """Makes vehicles and their deals."""

    def __init__(self, scene: Scene) -> None:
        """Choose when the pricing feed ran.

        Args:
            scene: Of the world.
        """
        self._scene = scene
        fed = scene.size.vehicles * FATES["fed"] // 100
        self._feeds = [
            scene.anchor - 2 * HOUR - scene.rng.randrange(scene.size.days * DAY)
            for _ in range(max(1, fed // SAME_SECOND))
        ]

    def vehicle(self, rooftop: Rooftop) -> Iterator[Produced]:
        """Make a vehicle with all that becomes of it."""
        rng = self._scene.rng
        fate = rng.choices(tuple(FATES), tuple(FATES.values()))[0]
        if fate == "fed":
            moment = rng.choice(self._feeds)
        else:
            moment = rooftop.calendar.moment(rng, self._scene.size.days)
        acquired = moment - rng.randrange(3 * DAY, 90 * DAY)
        vehicle = make_vehicle(rng, self._scene.numbers, rooftop, acquired)
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
            self._remember(rooftop, vehicle, None, acquired)
        yield "vehicles", vehicle

    def _remember(
        self, rooftop: Rooftop, vehicle: Record, customer_id: str | None, since: int
    ) -> None:
        """Have a vehicle come into the shop from now on."""
        miles = vehicle["odometer"]["value"]
        car = Car(vehicle["vin"], vehicle["vehicleId"], customer_id, miles, since)
        self._scene.cars[rooftop.index].append(car)

    def _no_sale(self, rooftop: Rooftop, vehicle: Record, at: int, fate: str) -> Iterator[Produced]:
        scene = self._scene
        buyer = scene.buyer(rooftop, at)
        deal = deals.pencil(
            scene.source, rooftop, vehicle, (buyer.customer_id, buyer.tax_exempt), at
        )
        ended = at + scene.rng.randrange(HOUR, 4 * DAY)
        if fate == "lost" and ended < scene.anchor:
            deals.lose(deal, ended)
        elif fate == "voided" and ended < scene.anchor:
            deals.void(deal, ended)
        yield "deals", deal

    def _sale(
        self, rooftop: Rooftop, vehicle: Record, at: int, previous: Record | None = None
    ) -> Iterator[Produced]:
        """Lead a deal through its steps as far as time allows; a few are unwound and sold again."""
        scene, rng = self._scene, self._scene.rng
        buyer = scene.buyer(rooftop, at)
        deal = deals.pencil(
            scene.source, rooftop, vehicle, (buyer.customer_id, buyer.tax_exempt), at
        )
        deal["previousDealId"] = previous["dealId"] if previous else None
        entries: list[Record] = []
        unwound_at: int | None = None
        contracted = at + rng.randrange(HOUR, DAY)
        delivered = contracted + rng.randrange(HOUR, 2 * DAY)
        if contracted < scene.anchor:
            deals.contract(deal, rooftop, contracted)
        if delivered < scene.anchor:
            delivery = delivered, self._back_date(rooftop, delivered)
            sale = deals.deliver(scene.numbers, rooftop, deal, vehicle, delivery)
            entries.append(sale.entry)
            closing = delivered + rng.randrange(3 * DAY, 11 * DAY)
            if happens(rng, 3) and closing < scene.anchor:
                unwound_at = closing
                entries += deals.unwind(scene.source, rooftop, sale, closing)
            elif closing < scene.anchor:
                entries += deals.finalize(scene.numbers, rooftop, deal, closing)
            if not unwound_at:
                self._remember(rooftop, vehicle, buyer.customer_id, delivered)
        yield "deals", deal
        for entry in entries:
            yield "gl_entries", entry
        if contracted < scene.anchor:
            course = deals.Course(at, contracted, delivered, scene.anchor, unwound_at)
            yield from self._recaps(rooftop, deal, vehicle, course)
        again = (unwound_at or scene.anchor) + 2 * DAY
        if unwound_at and previous is None and again < scene.anchor and happens(rng, 60):
            yield from self._sale(rooftop, vehicle, again, deal)

    def _recaps(
        self, rooftop: Rooftop, deal: Record, vehicle: Record, course: deals.Course
    ) -> Iterator[Produced]:
        """Recap a deal, and remember for the cashbook what came in for it."""
        office = self._scene.office
        payments = receipts.of_deal(office.rng, deal, course)
        self._scene.payments[rooftop.index] += payments
        for recap in recaps.of_deal(office, deal, vehicle["cost"], course, payments):
            yield "deal_recaps", recap

    def _back_date(self, rooftop: Rooftop, at: int) -> date | None:
        """Choose, for one entry in thirty, the last day of the month before."""
        if self._scene.rng.random() > 1 / 30:
            return None
        return rooftop.calendar.date_of(at).replace(day=1) - timedelta(days=1)
