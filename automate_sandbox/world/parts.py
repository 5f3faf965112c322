"""The parts on a rooftop's shelves: counted, reserved, superseded by others."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from automate_sandbox.instants import SECOND, parse, render
from automate_sandbox.world.calendar import DAY
from automate_sandbox.world.chance import happens
from automate_sandbox.world.repair_lines import PARTS
from automate_sandbox.world.rooftops import stamp

if t.TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Source
    from automate_sandbox.world.rooftops import Rooftop

SHARE: t.Final = 8
"""Vehicles of a world to each part of it, beyond those that every rooftop has."""

MAKERS: t.Final = {
    "Toyota": "TOY",
    "Ford": "FOM",
    "Honda": "HON",
    "Chevrolet": "GMC",
    "Subaru": "SUB",
    "Nissan": "NIS",
}
"""Franchise to the code of the manufacturer whose parts it keeps."""

OTHER_MAKER: t.Final = "AFT"
"""Of the parts that are not the factory's."""

CHAIN: t.Final = ("87139-30040", "87139-YZZ08", "87139-YZZ20")
"""A cabin filter and what came after it, twice."""

ODD_NUMBERS: t.Final = ("12E45", "000742", "SU003-06180", "3.0-KIT")
"""Part numbers that look like other things."""

NAMES: t.Final = ("Wiper blade", "Air filter", "Bulb", "Seal", "Clip", "Hose", "Bracket", "Fuse")


def maker_of(rooftop: Rooftop) -> str:
    """Code of the manufacturer whose franchise a rooftop has."""
    return MAKERS[rooftop.record["franchises"][0]]


def make_parts(source: Source, rooftop: Rooftop, count: int, days: int) -> Iterator[Record]:
    """Make the parts of a rooftop, nothing reserved yet; the shop's own come first.

    Args:
        source: Gives ids and decides about quantities and prices.
        rooftop: Whose shelves they lie on.
        count: Beyond those that every rooftop has.
        days: Before the anchor in which they have last changed.
    """
    rng, maker = source.rng, maker_of(rooftop)
    for number, text, cost, price in PARTS:
        yield _part(source, rooftop, (number, maker, text), (cost, price), days)
    # Two manufacturers have a part with one number: the number alone is no key.
    number, text, cost, price = PARTS[3]
    yield _part(source, rooftop, (number, OTHER_MAKER, text), (cost / 2, price / 2), days)
    for number, successor in zip(CHAIN, (*CHAIN[1:], None), strict=True):
        prices = Decimal("11.4075"), Decimal("24.9500")
        part = _part(source, rooftop, (number, maker, "Filter, cabin"), prices, days)
        if successor:
            part |= {"supersededByPartNumber": successor, "status": "superseded"}
            part |= {"quantityOnOrder": Decimal(0)}
        yield part
    for index in range(count):
        number = (
            ODD_NUMBERS[index]
            if index < len(ODD_NUMBERS)
            else f"{rng.randrange(10**5):05d}-{index:05d}"
        )
        cost = Decimal(rng.randrange(2_500, 2_400_000)).scaleb(-4)
        prices = cost, (cost * 17 / 10).quantize(Decimal("0.0001"))
        yield _part(source, rooftop, (number, maker, rng.choice(NAMES)), prices, days)


def receive(rng: random.Random, part: Record, at: int) -> None:
    """Take a delivery in, or order some when none is under way."""
    ordered = part["quantityOnOrder"]
    if ordered:
        part["quantityOnHand"] += ordered
        part["quantityAvailable"] += ordered
        part["quantityOnOrder"] = Decimal(0)
    else:
        part["quantityOnOrder"] = Decimal(rng.randrange(2, 40))
    touch(part, at)


def reserve(part: Record, quantity: Decimal, at: int) -> None:
    """Keep some for a ticket; what is not there is owed, and less than nothing is available."""
    part["quantityAvailable"] -= quantity
    touch(part, at)


def release(part: Record, quantity: Decimal, at: int, *, sold: bool) -> None:
    """Hand out what was reserved, or put it back."""
    if sold:
        part["quantityOnHand"] -= quantity
    else:
        part["quantityAvailable"] += quantity
    touch(part, at)


def touch(part: Record, at: int) -> None:
    """Note a change; a part that was changed later keeps its time."""
    if parse(part["updatedAt"]) < at * SECOND:
        part["updatedAt"] = render(at * SECOND)


def _part(
    source: Source,
    rooftop: Rooftop,
    name: tuple[str, str, str],
    prices: tuple[Decimal, Decimal],
    days: int,
) -> Record:
    rng = source.rng
    _, part_id = source.numbers.take("parts")
    part_number, maker, text = name
    changed = rooftop.calendar.moment(rng, days)
    on_hand = Decimal(rng.randrange(0, 60))
    if text.startswith("Oil,"):
        on_hand += Decimal(rng.randrange(40, 400)) / 4
    cost, price = prices
    return {
        "partId": part_id,
        "rooftopId": rooftop.rooftop_id,
        "partNumber": part_number,
        "manufacturerCode": maker,
        "description": text,
        "bins": [
            f"{rng.choice('ABCD')}{rng.randrange(1, 40):02d}" for _ in range(rng.randrange(3))
        ],
        "quantityOnHand": on_hand,
        "quantityAvailable": on_hand,
        "quantityOnOrder": Decimal(rng.randrange(1, 25) if happens(rng, 30) else 0),
        "cost": cost,
        "listPrice": price,
        "supersededByPartNumber": None,
        "status": "active",
        **stamp(changed - rng.randrange(DAY, 600 * DAY), changed),
    }
