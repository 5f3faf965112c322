"""What the matrix writes: of each sink something small, with the call that a fault strikes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import random
import typing as t

from proof.faults import UPLOADS
from proof.kinds import CUSTOMERS, DEALS, VEHICLES, Record
from proof.stories import FIRST_INSTANT, Teller

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proof.crashes import Yard
    from proof.stories import Fed

A_MOMENT: t.Final = 3
"""Seconds after which a rival acts: later than any two clocks are apart, and in another second."""


BEFORE: t.Final = "marked as sent, on the disk"
"""The step at which a write is decided on and has not been sent."""
AFTER: t.Final = "answered"
"""The step at which it has been sent."""


class Writing(t.NamedTuple):
    """What a trial writes.

    Attributes:
        fed: Its input.
        before: What has to be there.
        rival: What somebody else does, and at which step of the first write.
        losses: Deals of it that a manager has to approve.
    """

    fed: Sequence[Fed]
    before: Sequence[Fed] = ()
    rival: tuple[str, Callable[[], None]] | None = None
    losses: int = 0


@dataclasses.dataclass(frozen=True)
class Subject:
    """Something that is written.

    Attributes:
        make: Makes the input of a trial, another one for each number.
        path: Of the call that a fault strikes.
        method: Of it.
    """

    make: Callable[[int, Yard], Writing]
    path: str = "*"
    method: str = "POST"


def customer(number: int, _: Yard) -> Writing:
    """Say A of a customer, then B, then A again."""
    record = {"externalId": f"m-c{number}", "firstName": "Pat", "lastName": "Doe", "notes": "A"}
    return Writing([(CUSTOMERS, record | {"notes": notes}) for notes in "ABA"])


def deal(number: int, yard: Yard) -> Writing:
    """Make a deal of a customer that the journal knows, and send it twice."""
    return Writing([_deal(number, _known(yard), yard)] * 2)


def early_deal(number: int, yard: Yard) -> Writing:
    """Make a deal before its customer."""
    who = {"externalId": f"m-e{number}", "firstName": "Sam", "lastName": "Roe"}
    return Writing([_deal(number, who["externalId"], yard), (CUSTOMERS, who)])


def appointment(number: int, yard: Yard) -> Writing:
    """Book an appointment with an id of its own."""
    ((stream, record),) = nameless_appointment(number, yard).fed
    return Writing([(stream, record | {"externalId": f"m-a{number}"})])


def nameless_appointment(number: int, yard: Yard) -> Writing:
    """Book an appointment that is known by its customer, vehicle and instant alone."""
    instant = FIRST_INSTANT + dt.timedelta(days=1000, minutes=number)
    record = {
        "customerExternalId": _known(yard),
        "vin": yard.showroom.shown[0].vin,
        "appointmentTime": instant.isoformat(),
    }
    return Writing([("service_appointments", record)])


def order(number: int, yard: Yard) -> Writing:
    """Write up a repair order, and send it twice."""
    vin = yard.showroom.shown[0].vin
    return Writing([_teller(number, yard).order(number, (_known(yard), vin))] * 2)


def order_of_a_visit(number: int, yard: Yard) -> Writing:
    """Write up an order for an appointment, behind a change of that."""
    teller, vin = _teller(number, yard), yard.showroom.shown[0].vin
    booked = teller.visit(number, _known(yard), vin)
    return Writing([teller.change(number, status="arrived"), teller.order(number)], [booked])


def status(number: int, yard: Yard) -> Writing:
    """Lead a deal two steps on, and take the first once more."""
    teller = _teller(number, yard)
    penciled = teller.deal(number, _known(yard), yard.showroom.shown[0])
    first = teller.step(number, "pending")
    return Writing([first, teller.step(number, "contracted"), first], [penciled])


def early_status(number: int, yard: Yard) -> Writing:
    """Set a status before the deal is there; then its terms, a file, the delivery."""
    teller = _teller(number, yard)
    return Writing(
        [
            teller.step(number, "contracted"),
            teller.deal(number, _known(yard), yard.showroom.take()),
            teller.terms(number),
            *teller.file({"dealReferenceId": f"{teller.name}-d{number}"}, f"contract {number}"),
            teller.step(number, "delivered"),
        ]
    )


def approved_status(number: int, yard: Yard) -> Writing:
    """Deliver a deal that loses money, and finalize it."""
    teller = _teller(number, yard)
    lossy = teller.deal(number, _known(yard), yard.showroom.take(), at_a_loss=True)
    steps = [teller.step(number, name) for name in ("contracted", "delivered", "finalized")]
    return Writing(steps[1:], [lossy, steps[0]], losses=1)


def terms(number: int, yard: Yard) -> Writing:
    """Say two terms of a deal, and contract it."""
    teller = _teller(number, yard)
    penciled = teller.deal(number, _known(yard), yard.showroom.shown[0])
    said = [teller.terms(number), teller.terms(number), teller.step(number, "contracted")]
    return Writing(said, [penciled])


def price(number: int, yard: Yard) -> Writing:
    """Say A of the prices of a vehicle, then B, then A again."""
    teller, vin = _teller(number, yard), yard.showroom.take().vin
    return Writing([teller.price(vin, n) for n in (number, number + 1, number)])


def contested_price(number: int, yard: Yard, moment: str = AFTER) -> Writing:
    """Set the prices of a vehicle, which somebody else sets at a moment of the first attempt."""
    teller, vin = _teller(number, yard), yard.showroom.take().vin
    prices = {"listPrice": 90_000, "salePrice": 80_000}
    rival = moment, _rival(yard, vin, prices)
    return Writing([teller.price(vin, number)], rival=rival)


def photos(number: int, yard: Yard) -> Writing:
    """Show two photos of a vehicle, then one."""
    vin = yard.showroom.take().vin
    return Writing([_photos(vin, number, 2), _photos(vin, number, 1)])


def contested_photos(number: int, yard: Yard) -> Writing:
    """Show photos of a vehicle, and somebody else shows others right after the first attempt."""
    vin = yard.showroom.take().vin
    others = {"photos": [{"url": "https://photos.example.com/other.jpg", "attachmentId": None}]}
    return Writing([_photos(vin, number, 2)], rival=(AFTER, _rival(yard, vin, others)))


def changed_visit(number: int, yard: Yard) -> Writing:
    """Give an appointment another time, confirm it, cancel it."""
    teller = _teller(number, yard)
    booked = teller.visit(number, _known(yard), yard.showroom.shown[0].vin)
    later = f"2031-05-{1 + number % 28:02d}T09:00:00Z"
    return Writing(
        [
            teller.change(number, appointmentTime=later),
            teller.change(number, status="confirmed"),
            teller.cancellation(number),
        ],
        [booked],
    )


def work(number: int, yard: Yard) -> Writing:
    """Lead a repair order to its closing, and take the first step once more."""
    teller = _teller(number, yard)
    steps = ("in_progress", "completed", "closed", "in_progress")
    return Writing([teller.progress(number, step) for step in steps], order(number, yard).fed[:1])


def pause(number: int, yard: Yard) -> Writing:
    """Let a repair order wait, and go on with it: its status is again what it was."""
    teller = _teller(number, yard)
    begun = [*order(number, yard).fed[:1], teller.progress(number, "in_progress")]
    steps = ("waiting_parts", "in_progress")
    return Writing([teller.progress(number, step) for step in steps], begun)


def inspection(number: int, yard: Yard) -> Writing:
    """Say what was found, then something else."""
    teller = _teller(number, yard)
    found = [teller.inspection(number, result) for result in ("red", "green")]
    return Writing(found, order(number, yard).fed[:1])


def file(number: int, yard: Yard) -> Writing:
    """Attach a file to a vehicle, twice."""
    owner = {"vin": yard.showroom.shown[0].vin}
    return Writing([*_teller(number, yard).file(owner, f"sticker {number}")] * 2)


SUBJECTS: t.Final[dict[str, Subject]] = {
    "customer": Subject(customer, "/customers"),
    "deal": Subject(deal, "/deals"),
    "deal before its customer": Subject(early_deal),
    "appointment": Subject(appointment, "/service/appointments"),
    "appointment without an id": Subject(nameless_appointment, "/service/appointments"),
    "repair order": Subject(order, "/service/repair-orders"),
    "repair order of an appointment": Subject(order_of_a_visit, "/service/*", "PATCH"),
    "status of a deal": Subject(status, "/deals/*/status"),
    "status before its deal": Subject(early_status),
    "status that wants approval": Subject(approved_status, "/deals/*/status"),
    "terms of a deal": Subject(terms, "/deals/*", "PATCH"),
    "price": Subject(price, "/vehicles/*", "PATCH"),
    "price that somebody else sets": Subject(contested_price, "/vehicles/*", "PATCH"),
    "price that somebody else sets meanwhile": Subject(
        functools.partial(contested_price, moment=BEFORE), "/vehicles/*", "PATCH"
    ),
    "photos": Subject(photos, "/vehicles/*/photos", "PUT"),
    "photos that somebody else sets": Subject(contested_photos, "/vehicles/*/photos", "PUT"),
    "change of an appointment": Subject(changed_visit, "/service/appointments/*", "PATCH"),
    "status of a repair order": Subject(work, "/service/repair-orders/*/status"),
    "pause of a repair order": Subject(pause, "/service/repair-orders/*/status"),
    "inspection": Subject(inspection, "/service/repair-orders/*", "PUT"),
    "file, announced": Subject(file, "/attachments"),
    "file, sent": Subject(file, UPLOADS, "PUT"),
    "file, completed": Subject(file, "/attachments/*/complete"),
}
"""Name to what is written."""


def _teller(number: int, yard: Yard) -> Teller:
    # Of a number, so that a trial is the same whichever came before.
    rng = random.Random(number)  # noqa: S311 - no secret
    return Teller(rng, "matrix", yard.folder)


def _known(yard: Yard) -> str:
    """Name a customer that the journal knows."""
    return str(yard.known[0][1]["externalId"])


def _deal(number: int, who: str, yard: Yard) -> Fed:
    return DEALS, {
        "referenceId": f"m-d{number}",
        "customerExternalId": who,
        "vehicle": {"vin": yard.showroom.shown[0].vin},
        "pricing": {"salePrice": 20_000.5},
    }


def _photos(vin: str, number: int, count: int) -> Fed:
    urls = (f"https://photos.example.com/m{number}-{n}.jpg" for n in range(count))
    return "vehicle_photos", {"vin": vin, "photos": [{"url": url} for url in urls]}


def _rival(yard: Yard, vin: str, changes: Record) -> Callable[[], None]:
    """Let somebody else change a vehicle, a moment later."""

    def act() -> None:
        yard.clock.skip(A_MOMENT)
        now = yard.dealer.control("info")["now"]
        (held,) = (v for v in yard.dealer.records(VEHICLES) if v["vin"] == vin)
        yard.dealer.put(VEHICLES, held | changes | {"updatedAt": now})

    return act
