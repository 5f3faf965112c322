"""The workshop: repair orders with their closings and payments, and the appointments for them."""

from __future__ import annotations

import typing as t

from automate_sandbox.world import appointments, receipts, service
from automate_sandbox.world.calendar import DAY, HOUR
from automate_sandbox.world.chance import happens

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from automate_sandbox.money import Record
    from automate_sandbox.world.generate import Produced
    from automate_sandbox.world.rooftops import Rooftop
    from automate_sandbox.world.scene import Scene

LATE_DAYS: t.Final = 12
LATE_PERCENT: t.Final = 4
"""Of the orders of so many days that are still waiting for a part."""


class Workshop:
    """Makes repair orders and appointments."""

    def __init__(self, scene: Scene) -> None:
        """Open the doors.

        Args:
            scene: Of the world, with its customers and cars.
        """
        self._scene = scene

    def repair_order(self, rooftop: Rooftop) -> Iterator[Produced]:
        """Lead an order through its steps as far as time allows."""
        scene, rng = self._scene, self._scene.rng
        opened = rooftop.calendar.moment(rng, scene.size.days)
        if happens(rng, 2):
            opened = rooftop.calendar.late_evening(rng, opened)
        car = self._car(rooftop, opened)
        order = service.write_up(rng, scene.numbers, rooftop, car, opened)
        if car.customer_id and happens(scene.bookings, 40):
            kept = appointments.kept(scene.bookings, scene.numbers, rooftop, car, order)
            yield "service_appointments", kept
        entries: list[Record] = []
        begun, completed = opened + rng.randrange(600, HOUR), opened + rng.randrange(HOUR, 9 * HOUR)
        if happens(rng, 3) and begun < scene.anchor:
            service.void(order, begun)
        elif completed < scene.anchor and not self._waits(opened):
            service.complete(order, completed)
            entries = self._closings(rooftop, order, completed)
        elif begun < scene.anchor:
            waiting = rng.choice(("in_progress", "waiting_parts", "on_hold"))
            service.begin(order, begun, "waiting_parts" if completed < scene.anchor else waiting)
        yield "repair_orders", order
        for entry in entries:
            yield "gl_entries", entry

    def _waits(self, opened: int) -> bool:
        """Choose the few orders of the last days that wait for a part beyond their promise."""
        late = happens(self._scene.delays, LATE_PERCENT)
        return late and opened > self._scene.anchor - LATE_DAYS * DAY

    def appointment(self, rooftop: Rooftop) -> Record:
        """Book an appointment that nobody has kept yet."""
        scene, rng = self._scene, self._scene.bookings
        caller = rng.choice(scene.buyers[rooftop.index])
        booked = max(rooftop.calendar.moment(rng, scene.size.days), caller.since)
        car = service.foreign_car(rng, caller.customer_id)
        return appointments.unkept(rng, scene.numbers, rooftop, car, booked)

    def _car(self, rooftop: Rooftop, at: int) -> service.Car:
        """Choose a car that the dealer sold or owns, or one that was bought elsewhere."""
        scene, rng = self._scene, self._scene.rng
        if scene.cars[rooftop.index] and happens(rng, 45):
            car = scene.car(rooftop, at)
            if car:
                return car
        owner = scene.visitor(rooftop, at)
        return service.foreign_car(rng, owner.customer_id, owner.since)

    def _closings(self, rooftop: Rooftop, order: Record, completed: int) -> list[Record]:
        scene, rng, numbers = self._scene, self._scene.rng, self._scene.numbers
        entries = []
        at = completed
        charged: int | None = None
        for pay_type in service.open_pay_types(order):
            is_claim = pay_type in service.CLAIMED
            at += service.warranty_wait(rng) if is_claim else rng.randrange(300, 4 * HOUR)
            if at < scene.anchor:
                entries.append(service.close(numbers, rooftop, order, pay_type, at))
                if pay_type == "customer_pay":
                    charged = at
        reopened = at + rng.randrange(DAY, 5 * DAY)
        if order["status"] == "closed" and reopened < scene.anchor and happens(rng, 3):
            scene.consequences.note("repair_orders", order)
            entries += service.reopen(numbers, rooftop, order, entries, reopened)
            closed_again = reopened
            for pay_type in service.open_pay_types(order):
                closed_again = max(closed_again, reopened + rng.randrange(HOUR, DAY))
                if closed_again < scene.anchor:
                    entries.append(service.close(numbers, rooftop, order, pay_type, closed_again))
        if charged is not None:
            self._collect(rooftop, order, charged)
        return entries

    def _collect(self, rooftop: Rooftop, order: Record, charged: int) -> None:
        """Let a customer pay for an order; a later reopening leaves what is paid as it is."""
        scene = self._scene
        on_account = order["customerId"] in scene.on_account
        for payment in receipts.of_order(scene.office.rng, order, charged, on_account=on_account):
            if payment.at >= scene.anchor:
                continue
            scene.payments[rooftop.index].append(payment)
            service.receive(order, payment.amount, payment.at)
            if payment.returned is not None and payment.returned < scene.anchor:
                service.receive(order, -payment.amount, payment.returned)
