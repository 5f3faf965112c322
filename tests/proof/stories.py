"""What happens to one deal, one visit to the workshop, one vehicle: records in their order."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from proof.kinds import APPOINTMENTS as VISITS
from proof.kinds import DEALS, FILES, INSPECTIONS, ORDERS, Record

if t.TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from proof.showroom import Vehicle

Fed: t.TypeAlias = tuple[str, Record]
"""Stream and record."""

FIRST_INSTANT: t.Final = dt.datetime(2027, 1, 4, 8, tzinfo=dt.UTC)
LATER: t.Final = dt.timedelta(days=4000)
"""To the times that appointments are changed to, which no appointment is made for."""

PROFIT: t.Final = 2_500
"""Dollars; more than any discount, so that nobody has to approve the deal."""
LOSS: t.Final = 3_000
"""Dollars; a manager has to approve it before the delivery."""

LENDERS: t.Final = ("0117", "AFC", "00B2")
LINE: t.Final = "L01"
"""The one line of an order that nobody has said a line of."""


@dataclasses.dataclass(slots=True)
class Teller:
    """Makes up stories; each is another for its number.

    Attributes:
        rng: Decides.
        name: Begins the writer's keys.
        folder: For the files that are attached; None attaches none.
    """

    rng: random.Random
    name: str
    folder: Path | None

    def deal(self, number: int, who: str, vehicle: Vehicle, *, at_a_loss: bool = False) -> Fed:
        """Pencil a deal that is financed."""
        over = -LOSS if at_a_loss else PROFIT + number % 900
        return DEALS, {
            "referenceId": self._deal_id(number),
            "customerExternalId": who,
            "vehicle": {"vin": vehicle.vin},
            "pricing": {"salePrice": vehicle.cost + over + 0.25, "discounts": number % 500},
            "finance": {"cashDown": 1500, "termMonths": 60, "aprPercent": 5.25},
            "fees": [{"code": "DOC", "description": "Documents", "amount": 85.5}],
        }

    def sale(self, number: int) -> Iterator[Fed]:
        """Lead a deal with a profit to its delivery or beyond."""
        rng = self.rng
        if rng.random() < 0.6:
            yield self.terms(number)
        if rng.random() < 0.3:
            yield self.step(number, "pending")
        yield self.step(number, "contracted")
        if rng.random() < 0.4:
            yield self.terms(number)
        yield from self.file({"dealReferenceId": self._deal_id(number)}, f"contract {number}")
        yield self.step(number, "delivered")
        if rng.random() < 0.5:
            yield self.step(number, "finalized")
            if rng.random() < 0.3:
                yield self.step(number, "unwound")

    def failure(self, number: int) -> Iterator[Fed]:
        """Lead a deal to nothing."""
        if self.rng.random() < 0.5:
            yield self.step(number, "voided")
        else:
            yield self.step(number, "contracted")
            yield self.step(number, "lost")

    def approved_sale(self, number: int) -> Iterator[Fed]:
        """Deliver a deal at a loss, and go on."""
        yield self.step(number, "contracted")
        yield self.step(number, "delivered")
        yield self.step(number, "finalized")

    def step(self, number: int, status: str) -> Fed:
        """Set the status of a deal."""
        return "deal_statuses", {"dealReferenceId": self._deal_id(number), "status": status}

    def terms(self, number: int) -> Fed:
        """Set the terms of a deal."""
        rng = self.rng
        finance = {
            "lenderCode": rng.choice(LENDERS),
            "aprPercent": rng.randrange(8, 40) / 4,
            "termMonths": rng.randrange(24, 85),
        }
        return "deal_terms", {"dealReferenceId": self._deal_id(number), "finance": finance}

    def visit(self, number: int, who: str, vin: str, *, named: bool = True) -> Fed:
        """Book an appointment."""
        booked = {
            "customerExternalId": who,
            "vin": vin,
            "appointmentTime": _instant(number),
            "concern": "Brakes squeal",
        }
        if named:
            booked["externalId"] = self._visit_id(number)
        return VISITS, booked

    def changes(self, number: int) -> Iterator[Fed]:
        """Change an appointment until the customer comes, or does not."""
        rng = self.rng
        if rng.random() < 0.5:
            later = FIRST_INSTANT + LATER
            yield self.change(number, appointmentTime=_instant(number, later))
            if rng.random() < 0.3:
                yield self.change(number, appointmentTime=_instant(number))
        if rng.random() < 0.5:
            yield self.change(number, status="confirmed")

    def cancellation(self, number: int) -> Fed:
        """Cancel an appointment."""
        return self.change(number, status="cancelled", cancelReason=f"Sold it, {number}")

    def order(self, number: int, who: tuple[str, str] | None = None) -> Fed:
        """Write up a repair order.

        Args:
            number: Its own, and that of the appointment.
            who: Customer and vehicle, where there is no appointment.
        """
        made: Record = {"externalId": self._order_id(number), "odometerIn": 10_000 + number % 50}
        if who is None:
            return ORDERS, made | {"appointmentExternalId": self._visit_id(number)}
        return ORDERS, made | {"customerExternalId": who[0], "vin": who[1]}

    def work(self, number: int) -> Iterator[Fed]:
        """Lead a repair order as far as to its closing."""
        rng = self.rng
        yield self.progress(number, "in_progress")
        yield self.inspection(number, "red")
        if rng.random() < 0.4:
            yield self.progress(number, "waiting_parts")
            yield self.progress(number, "in_progress")
        if rng.random() < 0.5:
            yield self.inspection(number, "green")
        yield from self.file({"repairOrderExternalId": self._order_id(number)}, f"bill {number}")
        if rng.random() < 0.8:
            yield self.progress(number, "completed")
            if rng.random() < 0.3:
                yield self.progress(number, "invoiced")
            yield self.progress(number, "closed")

    def inspection(self, number: int, brakes: str) -> Fed:
        """Say what was found of the brakes and the tires."""
        found = [
            {"item": "Brakes", "result": brakes, "note": f"{number} mm"},
            {"item": "Tires", "result": "green"},
        ]
        order = self._order_id(number)
        said = {"repairOrderExternalId": order, "lineId": LINE, "inspection": found}
        return INSPECTIONS, said

    def vehicle(self, vin: str, number: int) -> Iterator[Fed]:
        """Say something of a vehicle."""
        match self.rng.randrange(8):
            case 0:
                url = f"https://photos.example.com/{self.name}/{number}"
                photos = [{"url": f"{url}-{n}.jpg"} for n in range(1 + number % 3)]
                yield "vehicle_photos", {"vin": vin, "photos": photos}
            case 1:
                yield "vehicle_prices", {"vin": vin, "comments": f"One owner, {number}"}
            case 2:
                yield from self.file({"vin": vin}, f"sticker {number}")
            case 3 | 4:
                yield self.price(vin, number)
                yield self.price(vin, number + 1)
                yield self.price(vin, number)
            case _:
                yield self.price(vin, number)

    def price(self, vin: str, number: int) -> Fed:
        """Set the prices of a vehicle."""
        low = 15_000 + number / 4
        return "vehicle_prices", {"vin": vin, "listPrice": low + 1_000, "salePrice": low}

    def file(self, owner: Record, title: str) -> Iterator[Fed]:
        """Attach a file, where there is a folder for it."""
        if self.folder is None:
            return
        path = self.folder / f"{self.name} {title}.txt".replace(" ", "-")
        path.write_text(f"{self.name} {title}\n" * self.rng.choice((1, 40, 4000)))
        yield FILES, {**owner, "path": str(path), "contentType": "text/plain"}

    def change(self, number: int, **changed: str) -> Fed:
        """Change an appointment."""
        own = {"appointmentExternalId": self._visit_id(number)}
        return "appointment_changes", own | changed

    def progress(self, number: int, status: str) -> Fed:
        """Set the status of a repair order."""
        own = {"repairOrderExternalId": self._order_id(number)}
        return "repair_order_statuses", own | {"status": status}

    def _deal_id(self, number: int) -> str:
        return f"{self.name}-d{number}"

    def _visit_id(self, number: int) -> str:
        return f"{self.name}-a{number}"

    def _order_id(self, number: int) -> str:
        return f"{self.name}-r{number}"


def _instant(number: int, first: dt.datetime = FIRST_INSTANT) -> str:
    return (first + dt.timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
