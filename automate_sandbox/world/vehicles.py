"""Vehicles of the inventory, from a factory's truck or a trade."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from automate_sandbox.instants import SECOND, render
from automate_sandbox.links import link
from automate_sandbox.money import ZERO, dollars, percent_of
from automate_sandbox.world.names import COLORS, ENGINES, INTERIORS, MODELS, TRIMS
from automate_sandbox.world.rooftops import Rooftop, stamp
from automate_sandbox.world.vin import make_vin

if t.TYPE_CHECKING:
    import random
    from decimal import Decimal

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers

NEW_SHARE: t.Final = 0.55
CERTIFIED_SHARE: t.Final = 0.12
SENTINEL_SHARE: t.Final = 0.004
SENTINEL_DATE: t.Final = "0001-01-01"
MILES_A_YEAR: t.Final = 12_400


def make_vehicle(rng: random.Random, numbers: Numbers, rooftop: Rooftop, acquired: int) -> Record:
    """Make a vehicle in stock.

    Args:
        rng: Of the world.
        numbers: Gives the id, the stock number and the VIN's serial.
        rooftop: Where it stands.
        acquired: Seconds since 1970; also its `createdAt` and `updatedAt`.
    """
    number, vehicle_id = numbers.take("vehicles")
    draw = rng.random()
    is_new = draw < NEW_SHARE
    make = rooftop.record["franchises"][0] if is_new else rng.choice(list(MODELS))
    maker, models = MODELS[make]
    model, body, base = rng.choice(models)
    today = rooftop.calendar.date_of(acquired)
    age = 0 if is_new else rng.randrange(1, 11)
    year = today.year + rng.randrange(2) if is_new else today.year - age
    sticker = dollars(base + 95 * rng.randrange(90))
    value = sticker if is_new else percent_of(_worth(age), sticker)
    miles = rng.randrange(4, 90) if is_new else MILES_A_YEAR * age + rng.randrange(9_000)
    fuel, engine, transmission, drive = rng.choice(ENGINES)
    cost = percent_of(dollars(93 if is_new else 86), value)
    list_price = sticker if is_new else value
    return {
        "vehicleId": vehicle_id,
        "rooftopId": rooftop.rooftop_id,
        "vin": make_vin(rng, maker, year, number),
        "stockNumber": f"{number + 412:06d}"
        if is_new
        else f"{number + 412:05d}{rng.choice('ABC')}",
        "status": "in_stock",
        "condition": "new" if is_new else "certified" if draw > 1 - CERTIFIED_SHARE else "used",
        "year": year,
        "make": make,
        "model": model,
        "trim": rng.choice(TRIMS),
        "bodyStyle": body,
        "exteriorColor": rng.choice(COLORS),
        "interiorColor": rng.choice(INTERIORS),
        "odometer": {"value": miles, "unit": "mi"},
        "msrp": sticker if is_new else ZERO,
        "listPrice": list_price,
        "salePrice": asking_price(rng, list_price),
        "cost": cost,
        "isWholesale": False,
        "agingDays": (rooftop.calendar.today - today).days,
        "lot": rng.choice(rooftop.lots),
        "photos": [
            {"url": link(f"/vehicles/{vehicle_id}/{shot}.jpg"), "attachmentId": None}
            for shot in range(rng.randrange(4))
        ],
        "fuelType": fuel,
        "transmission": transmission,
        "driveType": drive,
        "engine": engine,
        "acquisitionDate": SENTINEL_DATE if rng.random() < SENTINEL_SHARE else today.isoformat(),
        "comments": None,
        **stamp(acquired),
    }


def asking_price(rng: random.Random, list_price: Decimal) -> Decimal:
    """Choose a price up to 8 % below the list price."""
    return list_price - percent_of(dollars(rng.randrange(9)), list_price)


def reprice(rng: random.Random, vehicle: Record, at: int) -> None:
    """Change the asking price of a vehicle at an instant (seconds)."""
    vehicle["salePrice"] = asking_price(rng, vehicle["listPrice"]) - dollars(
        rng.randrange(1, 20) * 5
    )
    vehicle["updatedAt"] = render(at * SECOND)


def age_in_stock(vehicle: Record, rooftop: Rooftop, at: int) -> None:
    """Bring `agingDays` up to date, which the DMS does without touching `updatedAt`."""
    acquired = vehicle["acquisitionDate"]
    if acquired != SENTINEL_DATE:
        day = rooftop.calendar.date_of(at)
        vehicle["agingDays"] = max(
            0, (day - type(day).fromisoformat(acquired)) // timedelta(days=1)
        )


def _worth(age: int) -> Decimal:
    return dollars(max(20, 82 - 6 * age))
