"""A dealer group with a past, made from a seed: the order in which everything happens to it."""

from __future__ import annotations

import dataclasses
import typing as t

from automate_sandbox.world.calendar import DAY
from automate_sandbox.world.cashbook import Cashbook
from automate_sandbox.world.chance import happens
from automate_sandbox.world.chart import build_accounts
from automate_sandbox.world.customers import edit_customer, make_customer, merge_customer
from automate_sandbox.world.general import build_general_journal
from automate_sandbox.world.opening import Opening
from automate_sandbox.world.periods import build_periods
from automate_sandbox.world.rooftops import build_rooftops
from automate_sandbox.world.scene import Buyer, Scene
from automate_sandbox.world.showroom import Showroom
from automate_sandbox.world.workshop import Workshop

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Produced = tuple[str, dict[str, t.Any]]
"""Stream and record."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How large a world is.

    Attributes:
        rooftops: Dealerships of the group.
        vehicles: Vehicles over all rooftops, sold ones included.
        days: Days that the changes of all records are spread over.
        huge_file_bytes: Size of the one attachment that is larger than any limit.
    """

    rooftops: int = 2
    vehicles: int = 2000
    days: int = 60
    huge_file_bytes: int = 200 << 20


class Generator:
    """Makes the records of a world one by one."""

    def __init__(self, seed: int, size: Size, anchor: int) -> None:
        """Set the scene.

        Args:
            seed: Same seed, size and anchor make the same records, byte by byte.
            size: How many.
            anchor: Seconds since 1970; nothing has happened after it.
        """
        self._size = size
        self._scene = Scene(seed, size, anchor)
        self._showroom = Showroom(self._scene)
        self._workshop = Workshop(self._scene)

    def records(self) -> Iterator[Produced]:
        """Make every record in its last version, each once."""
        scene, opening = self._scene, Opening()
        for stream, record in self._history():
            opening.see(stream, record)
            yield stream, record
        for entry in opening.entries(scene.numbers, scene.rooftops, self._size.days):
            yield "gl_entries", entry

    def _history(self) -> Iterator[Produced]:
        """Make everything but the opening balances, which follow from it."""
        scene = self._scene
        for stream, record in self._course():
            yield stream, record
            yield from scene.consequences.of(stream, record)
        yield from scene.consequences.op_codes(scene.rooftops)
        yield from scene.consequences.shelves(scene.rooftops)

    def _course(self) -> Iterator[Produced]:
        """Let things happen; what follows from a record comes later."""
        scene, size = self._scene, self._size
        rooftops = scene.rooftops
        yield from self._organization()
        yield from self._customers()
        for index in range(size.vehicles):
            yield from self._showroom.vehicle(rooftops[index % len(rooftops)])
        for index in range(size.vehicles * 3 // 4):
            yield from self._workshop.repair_order(rooftops[index % len(rooftops)])
        for index in range(max(size.vehicles // 10, 2 * size.rooftops)):
            rooftop = rooftops[index % len(rooftops)]
            yield "service_appointments", self._workshop.appointment(rooftop)
        for rooftop in rooftops:
            for entry in build_general_journal(scene.rng, scene.numbers, rooftop, size.days):
                yield "gl_entries", entry
        for rooftop in rooftops:
            yield from Cashbook(scene.office, rooftop).records(scene.payments[rooftop.index])
            for period in build_periods(scene.numbers, rooftop, size.days):
                yield "accounting_periods", period

    def _organization(self) -> Iterator[Produced]:
        scene = self._scene
        made = build_rooftops(scene.rng, scene.numbers, self._size.rooftops, scene.anchor)
        for stream, record, rooftop in made:
            yield stream, record
            if stream == "rooftops":
                scene.add(rooftop)
        for rooftop in scene.rooftops:
            for account in build_accounts(scene.numbers, rooftop, scene.anchor):
                yield "gl_accounts", account

    def _customers(self) -> Iterator[Produced]:
        """Most customers are older than the period, so that every deal finds a buyer."""
        scene, rng, size = self._scene, self._scene.rng, self._size
        for index in range(max(size.vehicles, 4 * size.rooftops)):
            rooftop = scene.rooftops[index % size.rooftops]
            buyers = scene.buyers[rooftop.index]
            is_old = happens(rng, 70) or len(buyers) <= 1
            moment = rooftop.calendar.moment(rng, size.days)
            created = moment - size.days * DAY - rng.randrange(700 * DAY) if is_old else moment
            first = index < 2 * size.rooftops
            customer = make_customer(
                rng, scene.numbers, rooftop, created, "retail" if first else None
            )
            if is_old and happens(rng, 60):
                edit_customer(rng, customer, moment)
            survivor = rng.choice(buyers) if buyers else None
            if survivor and survivor.active and not first and happens(rng, 2):
                merge_customer(customer, survivor.customer_id, max(moment, created))
            key = customer["customerId"]
            if customer["arAccountNumber"]:
                scene.on_account.add(key)
            if customer["customerType"] != "lead":
                buyers.append(Buyer(key, created, customer["taxExempt"], customer["isActive"]))
            yield "customers", customer
