"""Vehicles without end, made up on the fly: what the page server serves.

A thousand different vehicles are made once and repeat with an id and an `updatedAt` of their own,
so that five million of them need no memory. They change in the opening hours of a year's days: a
reader that cuts time into windows meets nights without a row.
"""

from __future__ import annotations

import bisect
import datetime as dt
import functools
import json
import random
import typing as t
from decimal import Decimal

if t.TYPE_CHECKING:
    from collections.abc import Iterable

KINDS: t.Final = 1_000
"""Vehicles that differ in more than id and `updatedAt`."""
DAYS: t.Final = 365
FIRST_DAY: t.Final = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
DAY_SECONDS: t.Final = 86_400
OPENING_SECONDS: t.Final = 8 * 3_600
OPEN_SECONDS: t.Final = 12 * 3_600

_MODELS: t.Final = (
    ("Honda", "Accord", "EX-L", "Sedan", "1.5L I4 Turbo"),
    ("Toyota", "Tacoma", "TRD Off-Road", "Crew Cab Pickup", "3.5L V6"),
    ("Ford", "Explorer", "Limited", "Sport Utility", "2.3L I4 EcoBoost"),
    ("Subaru", "Outback", "Touring XT", "Wagon", "2.4L H4 Turbo"),
    ("Chevrolet", "Silverado 1500", "LT Trail Boss", "Crew Cab Pickup", "5.3L V8"),
)
_COLORS: t.Final = ("Modern Steel Metallic", "Platinum White Pearl", "Sonic Gray", "Blazing Blue")
_EPOCH_DAY: t.Final = int(FIRST_DAY.timestamp()) // DAY_SECONDS


class Vehicles:
    """So many vehicles, in the order of `updatedAt`.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._kinds = [_kind(number) for number in range(min(count, KINDS))]
        self._spelled = [_spelling(vehicle) for vehicle in self._kinds]

    def between(self, since: float, until: float) -> range:
        """Number the vehicles that changed in a span.

        Args:
            since: Seconds since 1970, inclusive.
            until: The same.
        """
        numbers = range(self.count)
        low = bisect.bisect_left(numbers, since, key=self._second)
        high = bisect.bisect_right(numbers, until, key=self._second)
        return numbers[low:high]

    def body(self, numbers: Iterable[int]) -> bytes:
        """Spell vehicles as the items of an array."""
        kinds, spelled, second = len(self._spelled), self._spelled, self._second
        rows = []
        for number in numbers:
            day, rest = divmod(second(number), DAY_SECONDS)
            rows.append(spelled[number % kinds] % (number, _date(day), _time(rest)))
        return b",".join(rows)

    def list_prices(self) -> Decimal:
        """Add up the `listPrice` of all."""
        prices = [Decimal(str(vehicle["listPrice"])) for vehicle in self._kinds]
        rounds, rest = divmod(self.count, len(prices)) if prices else (0, 0)
        return rounds * sum(prices, Decimal(0)) + sum(prices[:rest], Decimal(0))

    def _second(self, number: int) -> int:
        day, rest = divmod(number * DAYS, self.count)
        opened = OPENING_SECONDS + rest * OPEN_SECONDS // self.count
        return (_EPOCH_DAY + day) * DAY_SECONDS + opened


def _kind(number: int) -> dict[str, t.Any]:
    choose = random.Random(number)  # noqa: S311 - makes up data, no secret
    make, model, trim, body, engine = choose.choice(_MODELS)
    price = choose.randrange(8_000_00, 70_000_00) / 100
    photos = [
        {"url": f"https://photos.example.com/inventory/{number:04d}/{side}-1600x1200.jpg"}
        for side in ("front", "left", "rear")
    ]
    return {
        "vin": f"1HGCM8{choose.randrange(10**11):011d}",
        "stockNumber": f"A{10_000 + number}",
        "status": choose.choice(("in_stock", "retail_sold", "wholesale", "transit")),
        "condition": choose.choice(("new", "used", "certified")),
        "year": choose.randrange(2016, 2027),
        "make": make,
        "model": model,
        "trim": trim,
        "bodyStyle": body,
        "exteriorColor": choose.choice(_COLORS),
        "interiorColor": "Black Leather-Trimmed",
        "odometer": {"value": choose.randrange(120_000), "unit": "mi"},
        "msrp": choose.choice((0.0, round(price + 2_000, 2))),
        "listPrice": price,
        "salePrice": round(price * 0.97, 2),
        "cost": round(price * 0.88, 2),
        "isWholesale": choose.random() < 0.1,  # noqa: PLR2004 - a tenth
        "agingDays": choose.randrange(120),
        "lot": {"lotId": f"lot_{choose.randrange(4):02d}", "name": "Main Street, north side"},
        "photos": photos,
        "fuelType": "gasoline",
        "transmission": "automatic",
        "driveType": choose.choice(("fwd", "awd", "4wd")),
        "engine": engine,
        "acquisitionDate": f"2024-{choose.randrange(1, 13):02d}-{choose.randrange(1, 29):02d}",
        "rooftopId": f"rt_{choose.randrange(3):02d}",
        "createdAt": "2024-12-31T15:04:05Z",
        "deletedAt": None,
    }


def _spelling(vehicle: dict[str, t.Any]) -> bytes:
    """Spell a kind so that number, date and time of day are what is missing."""
    text = json.dumps(vehicle, separators=(",", ":")).replace("%", "%%")
    return b'{"vehicleId":"veh_%%08x",%b,"updatedAt":"%%bT%%bZ"}' % text[1:-1].encode()


@functools.lru_cache(maxsize=2 * DAYS)
def _date(day: int) -> bytes:
    instant = dt.datetime.fromtimestamp(day * DAY_SECONDS, dt.UTC)
    return f"{instant:%Y-%m-%d}".encode()


@functools.lru_cache(maxsize=DAY_SECONDS)
def _time(second: int) -> bytes:
    return b"%02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60)
