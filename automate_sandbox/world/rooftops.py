"""The dealer group: rooftops, their people and their lots."""

from __future__ import annotations

import dataclasses
import typing as t

from automate_sandbox.instants import SECOND, render
from automate_sandbox.world.calendar import DAY, Calendar
from automate_sandbox.world.chance import happens
from automate_sandbox.world.names import FIRST_NAMES, LAST_NAMES

if t.TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers

PLACES: t.Final = (
    ("Lakeside Toyota", "America/New_York", ("Toyota",)),
    ("Canyon Ford", "America/Phoenix", ("Ford",)),
    ("Harbor Honda", "America/Los_Angeles", ("Honda",)),
    ("Prairie Chevrolet", "America/Chicago", ("Chevrolet",)),
    ("Summit Subaru", "America/Denver", ("Subaru",)),
    ("Bayou Nissan", "America/Chicago", ("Nissan",)),
)
"""Name, zone and franchises; further rooftops start over with a number in the name."""

LOTS: t.Final = ("Front line", "Used cars", "Overflow", "Detail bay")
STAFF: t.Final = (
    ("salesperson", "sales", 4),
    ("fni_manager", "sales", 1),
    ("advisor", "service", 3),
    ("technician", "service", 4),
    ("controller", "accounting", 1),
)
"""Role, department and how many of them a rooftop has."""

ENTITLEMENTS: t.Final = {
    "salesperson": ["inventory", "sales"],
    "fni_manager": ["inventory", "sales", "accounting"],
    "advisor": ["service"],
    "technician": ["service"],
    "controller": ["inventory", "sales", "service", "accounting"],
}
GROUP_ROLE: t.Final = "controller"
"""Who holds it works at all rooftops of the group."""

YEARS_OPEN: t.Final = 3


@dataclasses.dataclass
class Rooftop:
    """What the other parts of the world need to know of a rooftop.

    Attributes:
        record: As the API shows it.
        calendar: Its business days.
        staff: Role to the ids of its people.
        lots: `{lotId, name}` as vehicles embed it.
        index: Its place among the rooftops of the group, from 0.
    """

    record: Record
    calendar: Calendar
    staff: dict[str, list[str]]
    lots: list[Record]
    index: int

    @property
    def rooftop_id(self) -> str:
        """Id of the rooftop."""
        return str(self.record["rooftopId"])

    @property
    def company_id(self) -> str:
        """Accounting company: its own id, not the rooftop's."""
        return str(self.record["companyId"])


def rooftop_of(record: Record, index: int, anchor: int) -> Rooftop:
    """Wrap a rooftop's record; staff and lots are added by who reads them."""
    return Rooftop(record, Calendar(record["timeZone"], anchor), {}, [], index)


def build_rooftops(
    rng: random.Random, numbers: Numbers, count: int, anchor: int
) -> Iterator[tuple[str, Record, Rooftop]]:
    """Make rooftops, users and lots.

    Yields:
        Stream, record, and the rooftop that it belongs to (the same object each time).
    """
    opened = anchor - YEARS_OPEN * 365 * DAY
    rooftop_ids = [numbers.take("rooftops")[1] for _ in range(count)]
    for index, rooftop_id in enumerate(rooftop_ids):
        name, zone, franchises = PLACES[index % len(PLACES)]
        round_ = index // len(PLACES)
        stamps = stamp(opened + index * DAY)
        record: Record = {
            "rooftopId": rooftop_id,
            "name": f"{name} {round_ + 1}" if round_ else name,
            "groupId": "grp_01",
            "dealerCode": f"{317 + 41 * index:05d}",
            "timeZone": zone,
            "companyId": f"{index + 1:02d}",
            "franchises": list(franchises),
            "fiscalYearStartMonth": 1,
            "hasThirteenthPeriod": True,
            **stamps,
        }
        rooftop = rooftop_of(record, index, anchor)
        yield "rooftops", record, rooftop
        for lot_name in LOTS:
            _, lot_id = numbers.take("lots")
            rooftop.lots.append({"lotId": lot_id, "name": lot_name})
            yield (
                "lots",
                {"lotId": lot_id, "rooftopId": rooftop_id, "name": lot_name, **stamps},
                rooftop,
            )
        for role, department, heads in STAFF:
            for _ in range(heads):
                user = _user(rng, numbers, rooftop, role, department)
                if role == GROUP_ROLE:
                    user["rooftopIds"] = rooftop_ids
                rooftop.staff.setdefault(role, []).append(user["userId"])
                yield "users", user, rooftop


def _user(
    rng: random.Random, numbers: Numbers, rooftop: Rooftop, role: str, department: str
) -> Record:
    number, user_id = numbers.take("users")
    code = f"{number + 7:04d}"
    return {
        "userId": user_id,
        "rooftopId": rooftop.rooftop_id,
        "displayName": f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}",
        "roles": [role],
        "departments": [department],
        "entitlements": ENTITLEMENTS[role],
        "rooftopIds": [rooftop.rooftop_id],
        "salespersonNumber": code if role == "salesperson" else None,
        "advisorNumber": code if role == "advisor" else None,
        "technicianNumber": code if role == "technician" else None,
        "isActive": happens(rng, 90),
        "createdAt": rooftop.record["createdAt"],
        "updatedAt": rooftop.record["updatedAt"],
        "deletedAt": None,
    }


def stamp(created: int, updated: int | None = None) -> Record:
    """Make the three stamps of every record.

    Args:
        created: Seconds since 1970.
        updated: The same, if the record has changed since.
    """
    return {
        "createdAt": render(created * SECOND),
        "updatedAt": render((created if updated is None else updated) * SECOND),
        "deletedAt": None,
    }
