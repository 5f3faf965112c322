"""Service appointments: booked ahead, then kept by a repair order, missed, or cancelled."""

from __future__ import annotations

import typing as t
from datetime import datetime
from decimal import Decimal

from automate_sandbox.instants import SECOND, parse, render
from automate_sandbox.world.calendar import CLOSES_AFTER_NOON, DAY, HOUR, OPENS_BEFORE_NOON
from automate_sandbox.world.chance import happens
from automate_sandbox.world.repair_lines import JOBS
from automate_sandbox.world.rooftops import Rooftop, stamp

if t.TYPE_CHECKING:
    import random

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers
    from automate_sandbox.world.service import Car

QUARTER: t.Final = HOUR // 4
"""Appointments begin at full quarters of an hour."""

DAYS_AHEAD: t.Final = 14
"""How long before its time an appointment is booked at most."""


def appointment_number(number: int) -> str:
    """Human number of the appointment with this count."""
    return f"A{number + 1:06d}"


def book(
    rng: random.Random, numbers: Numbers, rooftop: Rooftop, car: Car, times: tuple[int, int]
) -> Record:
    """Book an appointment.

    Args:
        rng: Of the world.
        numbers: Gives id and appointment number.
        rooftop: Whose shop it is.
        car: A customer's.
        times: When it is booked and when it is to begin, seconds since 1970.
    """
    booked, begins = times
    number, appointment_id = numbers.take("service_appointments")
    op_code, description, _, tenths, complaint = rng.choice(JOBS[:-1])
    local = datetime.fromtimestamp(begins // QUARTER * QUARTER, rooftop.calendar.zone)
    return {
        "appointmentId": appointment_id,
        "rooftopId": rng.choices((rooftop.rooftop_id, None, ""), (985, 5, 10))[0],
        "appointmentNumber": appointment_number(number),
        "externalId": None,
        "customerId": car.customer_id,
        "vehicleId": car.vehicle_id,
        "vin": car.vin,
        "appointmentTime": local.isoformat(),
        "durationMinutes": max(30, tenths * 6 // 30 * 30),
        "status": "scheduled",
        "advisorId": rng.choice((*rooftop.staff["advisor"], None)),
        "opCodes": [
            {
                "code": op_code,
                "description": description,
                "laborHours": Decimal(tenths).scaleb(-1),
            }
        ],
        "concern": complaint,
        "transportation": rng.choice(("shuttle", "loaner", "waiter", None)),
        "notes": rng.choice((None, None, "", "Call before starting")),
        "repairOrderId": None,
        "roNumber": None,
        "cancelledAt": None,
        "cancelReason": None,
        "department": "service",
        **stamp(booked),
    }


def kept(rng: random.Random, numbers: Numbers, rooftop: Rooftop, car: Car, order: Record) -> Record:
    """Book the appointment that a repair order has been written up for, and tie the two.

    Args:
        rng: Of the world.
        numbers: Gives id and appointment number.
        rooftop: Whose shop it is.
        car: What the order is about.
        order: Just opened; changed in place.
    """
    opened = parse(order["openedAt"]) // SECOND
    booked = max(car.since, opened - rng.randrange(2 * HOUR, DAYS_AHEAD * DAY))
    appointment = book(rng, numbers, rooftop, car, (booked, opened + QUARTER))
    order["appointmentId"] = appointment["appointmentId"]
    tied = {name: order[name] for name in ("repairOrderId", "roNumber")}
    _step(appointment, opened, "converted", **tied)
    return appointment


def unkept(rng: random.Random, numbers: Numbers, rooftop: Rooftop, car: Car, booked: int) -> Record:
    """Book an appointment that is still to come, or that nobody has kept.

    Args:
        rng: Of the world.
        numbers: Gives id and appointment number.
        rooftop: Whose shop it is.
        car: A customer's.
        booked: Before the calendar's anchor, seconds since 1970.
    """
    anchor = rooftop.calendar.anchor
    begins = _day_ahead(rng, rooftop, booked)
    appointment = book(rng, numbers, rooftop, car, (booked, begins))
    called = booked + (begins - booked) // 2
    if begins + HOUR < anchor and happens(rng, 40):
        miss(appointment, begins + HOUR)
    elif called < anchor:
        (cancel if begins + HOUR < anchor else confirm)(appointment, called)
    return appointment


def confirm(appointment: Record, at: int) -> None:
    """Have the customer confirm that they come."""
    _step(appointment, at, "confirmed")


def miss(appointment: Record, at: int) -> None:
    """Note that nobody came."""
    _step(appointment, at, "no_show")


def cancel(appointment: Record, at: int) -> None:
    """Cancel an appointment; the record stays."""
    cancelled = render(at * SECOND)
    _step(appointment, at, "cancelled", cancelledAt=cancelled, cancelReason="customer request")


def _day_ahead(rng: random.Random, rooftop: Rooftop, booked: int) -> int:
    """Choose an instant in opening hours of one of the next days."""
    calendar = rooftop.calendar
    days_ago = (calendar.anchor - booked) // DAY - rng.randrange(1, DAYS_AHEAD)
    return calendar.noon(days_ago) + rng.randrange(-OPENS_BEFORE_NOON, CLOSES_AFTER_NOON)


def _step(appointment: Record, at: int, status: str, **changes: object) -> None:
    appointment |= {"status": status, "updatedAt": render(at * SECOND), **changes}
