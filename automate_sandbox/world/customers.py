"""Customers: buyers, fleets, leads and those who only come for service."""

from __future__ import annotations

import typing as t

from automate_sandbox.instants import SECOND, render
from automate_sandbox.world.chance import happens
from automate_sandbox.world.names import CITIES, FIRST_NAMES, LAST_NAMES, SOURCES, STREETS
from automate_sandbox.world.rooftops import Rooftop, stamp

if t.TYPE_CHECKING:
    import random

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers

SENTINEL_BIRTHDAYS: t.Final = ("1000-01-01", "1910-01-01")
BIRTHDAY_UNKNOWN: t.Final = 0.02
BIRTHDAY_NOT_ASKED: t.Final = 0.3


def customer_number(number: int) -> str:
    """Human number of the customer with this count."""
    return f"{number + 1000:06d}"


def make_customer(
    rng: random.Random, numbers: Numbers, rooftop: Rooftop, created: int, kind: str | None = None
) -> Record:
    """Make a customer.

    Args:
        rng: Of the world.
        numbers: Gives id and customer number.
        rooftop: Whose customer it is.
        created: Seconds since 1970.
        kind: lead, retail or fleet; chosen when not given.
    """
    number, customer_id = numbers.take("customers")
    customer_type = kind or rng.choices(("retail", "lead", "fleet"), (72, 24, 4))[0]
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    is_fleet = customer_type == "fleet"
    city, region, postal_code = rng.choice(CITIES)
    handle = (
        f"{first}.{last}".encode("ascii", "ignore")
        .decode()
        .lower()
        .replace(" ", "")
        .replace("'", "")
    )
    return {
        "customerId": customer_id,
        "rooftopId": rng.choices((rooftop.rooftop_id, None, ""), (985, 10, 5))[0],
        "customerNumber": customer_number(number),
        "externalId": f"crm-{number:07d}" if happens(rng, 60) else None,
        "customerType": customer_type,
        "companyName": f"{last} Logistics LLC" if is_fleet else None,
        "firstName": first,
        "middleName": rng.choice((None, None, None, "J.", "")),
        "lastName": last,
        "emails": [f"{handle}{number}@example.com"] if happens(rng, 85) else [],
        "phones": [
            {
                "type": kind_of_phone,
                "number": f"+1{rng.choice(AREA_CODES)}555{rng.randrange(10_000):04d}",
            }
            for kind_of_phone in rng.sample(("mobile", "home", "work"), rng.randrange(1, 3))
        ],
        "address": {
            "line1": f"{rng.randrange(1, 9_900)} {rng.choice(STREETS)}",
            "line2": rng.choice((None, None, None, "Apt 4", "")),
            "city": city,
            "region": region,
            "postalCode": postal_code,
            "country": "US",
        },
        "driversLicense": None
        if customer_type == "lead"
        else {"number": f"{region}{rng.randrange(10**8):08d}", "state": region},
        "dateOfBirth": _birthday(rng),
        "marketingOptIn": {
            "email": happens(rng, 50),
            "sms": happens(rng, 30),
            "phone": False,
        },
        "preferredContact": rng.choice(("email", "phone", "sms", None)),
        "language": rng.choice(("en", "en", "en", "es")),
        "source": rng.choice(SOURCES),
        "notes": None,
        "salespersonId": rng.choice(rooftop.staff["salesperson"]),
        "arAccountNumber": "0220" if is_fleet else None,
        "taxExempt": is_fleet and happens(rng, 30),
        "isActive": True,
        "mergedIntoCustomerId": None,
        **stamp(created),
    }


def edit_customer(rng: random.Random, customer: Record, at: int) -> None:
    """Change a customer's contact details at an instant (seconds)."""
    customer["phones"] = [
        {"type": "mobile", "number": f"+1{rng.choice(AREA_CODES)}555{rng.randrange(10_000):04d}"}
    ]
    customer["notes"] = f"Contact details confirmed, call {rng.randrange(1, 100)}"
    customer["updatedAt"] = render(at * SECOND)


def merge_customer(customer: Record, survivor_id: str, at: int) -> None:
    """Merge a customer into another, as a DMS does with duplicates."""
    customer |= {
        "isActive": False,
        "mergedIntoCustomerId": survivor_id,
        "updatedAt": render(at * SECOND),
    }


AREA_CODES: t.Final = ("518", "480", "562", "309", "303", "337", "973")


def _birthday(rng: random.Random) -> str | None:
    draw = rng.random()
    if draw < BIRTHDAY_UNKNOWN:
        return rng.choice(SENTINEL_BIRTHDAYS)
    if draw < BIRTHDAY_NOT_ASKED:
        return None
    return f"{rng.randrange(1940, 2006)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
