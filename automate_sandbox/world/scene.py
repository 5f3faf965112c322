"""What the parts of a world in the making share: chances, numbers, and who and what is there."""

from __future__ import annotations

import dataclasses
import random
import typing as t

from automate_sandbox.world.consequences import Consequences
from automate_sandbox.world.numbers import Numbers, Source

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from automate_sandbox.world.generate import Size
    from automate_sandbox.world.receipts import Payment
    from automate_sandbox.world.rooftops import Rooftop
    from automate_sandbox.world.service import Car


@dataclasses.dataclass(frozen=True, slots=True)
class Buyer:
    """What a deal or a repair order needs to know of a customer; known `since`, in seconds."""

    customer_id: str
    since: int
    tax_exempt: bool
    active: bool


Known = t.TypeVar("Known", Buyer, "Car")


class Scene:
    """Holds only what later records refer to.

    Attributes:
        size: Of the world.
        anchor: Seconds since 1970; nothing has happened after it.
        rng: Decides about customers, vehicles, deals and repair orders.
        bookings: Decides about appointments, and so that the calendar of the shop decides nothing
            else.
        delays: Decides which repair orders wait beyond their promise.
        office: Decides about recaps and receipts, which decide nothing that they write about.
        consequences: Of all records.
        rooftops: In their order; the lists below follow it.
        buyers: Who can buy, by rooftop.
        cars: What the dealer has sold or owns, by rooftop.
        payments: What the cashbook is still to write, by rooftop.
        on_account: Customers who pay for everything at once.
    """

    def __init__(self, seed: int, size: Size, anchor: int) -> None:
        """Set the scene, still empty.

        Args:
            seed: Decides all chances.
            size: Of the world.
            anchor: Seconds since 1970.
        """
        self.size = size
        self.anchor = anchor
        self.numbers = Numbers(seed)
        self.rng = random.Random(f"world/{seed}")  # noqa: S311 - a world, not a secret
        self.source = Source(self.rng, self.numbers)
        self.bookings = random.Random(f"bookings/{seed}")  # noqa: S311 - a world, not a secret
        office = random.Random(f"office/{seed}")  # noqa: S311 - a world, not a secret
        self.office = Source(office, self.numbers)
        self.delays = random.Random(f"delays/{seed}")  # noqa: S311 - a world, not a secret
        self.consequences = Consequences(seed, size, anchor, self.numbers)
        self.rooftops: list[Rooftop] = []
        self.buyers: list[list[Buyer]] = []
        self.cars: list[list[Car]] = []
        self.payments: list[list[Payment]] = []
        self.on_account: set[str] = set()

    def add(self, rooftop: Rooftop) -> None:
        """Open a rooftop where nothing has happened yet."""
        self.rooftops.append(rooftop)
        self.buyers.append([])
        self.cars.append([])
        self.payments.append([])

    def buyer(self, rooftop: Rooftop, at: int) -> Buyer:
        """Choose who buys a vehicle at an instant (seconds)."""
        buyers = self.buyers[rooftop.index]
        for _ in range(8):
            buyer = self.rng.choice(buyers)
            if buyer.active and buyer.since <= at:
                return buyer
        return buyers[0]

    def visitor(self, rooftop: Rooftop, at: int) -> Buyer:
        """Choose who comes to the shop at an instant (seconds)."""
        buyers = self.buyers[rooftop.index]
        found = _known_by(buyers, self.rng.randrange(len(buyers)), at)
        return found or min(buyers, key=lambda buyer: buyer.since)

    def car(self, rooftop: Rooftop, at: int) -> Car | None:
        """Choose a car that the dealer has sold or owns at an instant (seconds)."""
        cars = self.cars[rooftop.index]
        return _known_by(cars, self.rng.randrange(len(cars)), at) if cars else None


def _known_by(found: Sequence[Known], position: int, at: int) -> Known | None:
    """Take the one at a position, or the nearest one before it that was there at an instant."""
    for index in range(position, position - len(found), -1):
        if found[index].since <= at:
            return found[index]
    return None
