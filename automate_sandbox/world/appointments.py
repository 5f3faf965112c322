"""Service appointments: booked ahead, then kept and turned into a repair order, missed or undone."""

from __future__ import annotations

import typing as t
from datetime import datetime
from decimal import Decimal

from automate_sandbox.instants import SECOND, render
from automate_sandbox.world.calendar import DAY, HOUR
from automate_sandbox.world.repair_lines import JOBS
from automate_sandbox.world.rooftops import Rooftop, stamp

if t.TYPE_CHECKING:
    import random

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers
    from automate_sandbox.world.service import Car

QUARTER: t.Final = HOUR // 4
"""Appointments begin at full quarters of an hour."""

ADVANCE: t.Final = (2 * HOUR, 12 * DAY)
"""How long before its time an appointment is booked, in seconds."""


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


def convert(appointment: Record, order: Record, at: int) -> None:
    """Turn an appointment into the repair order that was written up for it; both are changed."""
    order["appointmentId"] = appointment["appointmentId"]
    number = order["roNumber"]
    _step(appointment, at, "converted", repairOrderId=order["repairOrderId"], roNumber=number)


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


def _step(appointment: Record, at: int, status: str, **changes: object) -> None:
    appointment |= {"status": status, "updatedAt": render(at * SECOND), **changes}
