"""Repair orders as another system writes them: labor alone, and one line or more."""

from __future__ import annotations

import string
import typing as t
from decimal import Decimal

from automate_sandbox.instants import SECOND, render
from automate_sandbox.money import round_cents
from automate_sandbox.world.repair_lines import LABOR_RATE, WAGE, fill_totals
from automate_sandbox.world.rooftops import Rooftop, stamp
from automate_sandbox.world.service import JUST_OPENED, ro_number

if t.TYPE_CHECKING:
    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers

HOURS: t.Final = Decimal("1.0")
"""Of a job for which nobody has said how long it takes."""

LEAST_HOURS: t.Final = Decimal("0.1")
MOST_HOURS: t.Final = Decimal(1_000)
"""Nobody holds an appointment to what can be meant; an order is held to it."""


def blank_order(
    numbers: Numbers, rooftop: Rooftop, facts: Record, lines: list[Record], at: int
) -> Record:
    """Open an order that nobody has worked on.

    Args:
        numbers: Gives id and RO number.
        rooftop: Whose shop it is.
        facts: What the writer says; its fields have the names of the record's.
        lines: At least one.
        at: Seconds since 1970.
    """
    number, order_id = numbers.take("repair_orders")
    order: Record = {
        "repairOrderId": order_id,
        "rooftopId": rooftop.rooftop_id,
        "roNumber": ro_number(rooftop, number),
        "externalId": facts["externalId"],
        "status": "open",
        "appointmentId": facts["appointmentId"],
        "customerId": facts["customerId"],
        "vehicleId": facts["vehicleId"],
        "vin": facts["vin"],
        "tagNumber": None,
        "advisorId": facts["advisorId"],
        "openedAt": render(at * SECOND),
        "promisedAt": facts.get("promisedAt"),
        **JUST_OPENED,
        "odometerIn": facts.get("odometerIn"),
        "odometerOut": None,
        "transportation": facts["transportation"],
        "isWaiter": facts.get("isWaiter"),
        "isComeback": False,
        "department": facts.get("department", "service"),
        "lines": lines,
        **stamp(at),
    }
    fill_totals(order, discounted=False)
    return order


def written_line(index: int, line: Record, op_code: Record, technician: str) -> Record:
    """Make a line without parts.

    Args:
        index: Of the line, from 0.
        line: `opCode, payType, complaint, description, laborHours`, as far as they are given.
        op_code: The shop's own record of the job; empty when it has none.
        technician: Who is to work on it.
    """
    hours = line.get("laborHours") or op_code.get("flatRateHours") or HOURS
    sold = min(max(Decimal(hours), LEAST_HOURS), MOST_HOURS)
    return {
        "lineId": f"L{index + 1:02d}",
        "lineCode": string.ascii_uppercase[index % len(string.ascii_uppercase)],
        "opCode": line.get("opCode"),
        "opDescription": line.get("description") or op_code.get("description"),
        "payType": line.get("payType") or op_code.get("payType") or "customer_pay",
        "laborType": None,
        "status": "open",
        "complaint": line.get("complaint"),
        "cause": None,
        "correction": None,
        "laborHours": {"sold": sold, "flagged": sold, "actual": sold},
        "laborRate": LABOR_RATE,
        "laborSale": round_cents(sold * LABOR_RATE),
        "laborCost": round_cents(sold * WAGE),
        "technicians": [{"userId": technician, "technicianNumber": None}],
        "parts": [],
        "sublets": [],
        "inspection": [],
    }
