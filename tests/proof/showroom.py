"""The vehicles of a sandbox: some that nobody buys, and as many others as are bought."""

from __future__ import annotations

import itertools
import random
import typing as t

from automate_sandbox.world.vin import make_vin
from proof.kinds import VEHICLES

if t.TYPE_CHECKING:
    from support.dealership import Dealership

AT_ONCE: t.Final = 50
"""Vehicles that come in together."""
MAKER: t.Final = "1FT"


class Vehicle(t.NamedTuple):
    """A vehicle for sale.

    Attributes:
        vin: Its number.
        cost: What the dealer paid, in whole dollars, rounded up.
    """

    vin: str
    cost: int


class Showroom:
    """The vehicles of a sandbox that are for sale.

    Args:
        dealer: The sandbox.

    Attributes:
        shown: Those that stay, whatever is written of them; at least one.
        arrivals: VIN of each other to the entry of the history with which it came.
    """

    def __init__(self, dealer: Dealership) -> None:
        stock = [v for v in dealer.records(VEHICLES) if v["status"] == "in_stock"]
        self.shown = [_vehicle(v) for v in stock]
        self.arrivals: dict[str, dict[str, t.Any]] = {}
        self._dealer = dealer
        self._pattern = stock[0]
        self._rng = random.Random("showroom")  # noqa: S311 - no secret
        self._numbers = itertools.count()
        self._sold_next: list[Vehicle] = []

    def take(self) -> Vehicle:
        """Take a vehicle that nobody else gets."""
        if not self._sold_next:
            made = [self._made(number) for number in itertools.islice(self._numbers, AT_ONCE)]
            since = self._dealer.stats()["lastSeq"]
            self._dealer.put(VEHICLES, *made)
            for entry in self._dealer.control(f"history?since={since}&limit={len(made)}"):
                self.arrivals[entry["record"]["vin"]] = entry
            self._sold_next = [_vehicle(record) for record in reversed(made)]
        return self._sold_next.pop()

    def _made(self, number: int) -> dict[str, t.Any]:
        return self._pattern | {
            "vehicleId": f"veh_show{number}",
            "vin": make_vin(self._rng, MAKER, 2024, number),
            "stockNumber": f"SHOW{number:06d}",
        }


def _vehicle(record: dict[str, t.Any]) -> Vehicle:
    return Vehicle(record["vin"], int(-(-record["cost"] // 1)))
