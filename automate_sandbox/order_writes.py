"""Writes to repair orders: opened, led from step to step, inspected, closed, reopened."""

from __future__ import annotations

import typing as t

from automate_sandbox.calls import Asked, Call, Changes, Outcome
from automate_sandbox.instants import SECOND, render
from automate_sandbox.problems import Problem
from automate_sandbox.refusals import existing, hold_status, hold_step, not_allowed
from automate_sandbox.resources import JOINT
from automate_sandbox.world import service
from automate_sandbox.world.rooftops import stamp
from automate_sandbox.world.written_orders import blank_order, written_line
from automate_sandbox.writes import hold_user, standing_customer

if t.TYPE_CHECKING:
    from automate_sandbox.money import Record
    from automate_sandbox.sandbox import Sandbox
    from automate_sandbox.world.rooftops import Rooftop

PAUSED: t.Final = ("on_hold", "waiting_parts", "waiting_authorization")
CLOSING: t.Final = ("partially_closed", "closed")
STEPS: t.Final = {
    "estimate": ("open", "voided"),
    "open": ("in_progress", *PAUSED, "voided"),
    "in_progress": (*PAUSED, "completed", "voided"),
    **dict.fromkeys(PAUSED, ("in_progress", *PAUSED, "voided")),
    "completed": ("invoiced", *CLOSING),
    "invoiced": CLOSING,
    "partially_closed": ("closed",),
    "closed": ("in_progress",),
}
"""Status of an order to those that may follow it; from closed it is reopened."""

BOOKED: t.Final = frozenset({"scheduled", "confirmed", "rescheduled", "arrived", "checked_in"})
"""Appointments that an order can be written up for."""

RESULTS: t.Final = ("green", "yellow", "red")
GREATEST_ODOMETER: t.Final = 10_000_000


def create(sandbox: Sandbox, asked: Asked) -> Outcome:
    """Write up an order, from an appointment or without; nothing but a rule forbids a second one.

    An order has at least one line: without any, what the customer has said is one.
    """
    payload, at = asked.payload, sandbox.clock.now() // SECOND
    _hold_external_id(sandbox, payload["externalId"])
    booked = _appointment(sandbox, payload.get("appointmentId"))
    told = booked or {}
    customer = standing_customer(sandbox, payload.get("customerId") or told.get("customerId") or "")
    vin = payload.get("vin") or told.get("vin")
    for field, value in (("customerId", customer["customerId"]), ("vin", vin)):
        if booked and booked[field] != value:
            raise Problem.invalid(422, field, "the appointment is another one's")
    hold_user(sandbox, "advisorId", payload.get("advisorId"))
    if not 0 <= payload.get("odometerIn", 0) < GREATEST_ODOMETER:
        expected = f"expected a number from 0 to {GREATEST_ODOMETER:,}"
        raise Problem.invalid(422, "odometerIn", expected)
    rooftop = sandbox.rooftop(told.get("rooftopId") or customer["rooftopId"])
    lines = _lines(sandbox, rooftop, payload, told)
    vehicles = sandbox.ledger.tables["vehicles"].find("vin", str(vin))
    facts = {
        "appointmentId": told.get("appointmentId"),
        "advisorId": told.get("advisorId"),
        "transportation": told.get("transportation"),
        **payload,
        "customerId": customer["customerId"],
        "vin": vin,
        "vehicleId": min(vehicles, default=None),
    }
    order = blank_order(sandbox.numbers, rooftop, facts, lines, at)
    changes: Changes = [("repair_orders", order)]
    if booked:
        booked |= {
            "status": "converted",
            "repairOrderId": order["repairOrderId"],
            "roNumber": order["roNumber"],
            "updatedAt": stamp(at)["updatedAt"],
        }
        changes.append(("service_appointments", booked))
    names = ("repairOrderId", "roNumber", "status", "createdAt")
    return Outcome(201, {name: order[name] for name in names}, changes)


def change_status(sandbox: Sandbox, asked: Asked) -> Outcome:
    """Lead an order a step on."""
    order = check_status(sandbox, asked)
    at = sandbox.clock.now() // SECOND
    wanted = asked.payload["status"]
    changes: Changes = [("repair_orders", order)]
    if wanted == "completed":
        service.complete(order, at)
    elif wanted in CLOSING:
        for pay_type in _closed_by(order, wanted):
            changes += _close(sandbox, order, pay_type, at)
    elif wanted == "voided":
        service.void(order, at)
        order["voidReason"] = asked.payload.get("reason") or order["voidReason"]
    elif order["status"] == "closed":
        entries = _entries_of(sandbox, order)
        rooftop = sandbox.rooftop(order["rooftopId"])
        reversals = service.reopen(sandbox.numbers, rooftop, order, entries, at)
        changes += [("gl_entries", entry) for entry in (*entries, *reversals)]
    else:
        service.begin(order, at, wanted)
        if wanted == "invoiced":
            order["invoicedAt"] = order["updatedAt"]
    return Outcome(200, order, changes)


def check_status(sandbox: Sandbox, asked: Asked) -> Record:
    """Find an order, unless the step is not to be taken.

    Raises:
        Problem: 404; 409 for another status than the expected one; 422 for a step that does not
            follow.
    """
    order = existing(sandbox, "repair_orders", asked.key)
    wanted = asked.payload["status"]
    hold_status(order, asked.payload["expectedStatus"])
    hold_step(order, STEPS, wanted)
    if wanted == "partially_closed":
        waiting = service.open_pay_types(order)
        if "customer_pay" not in waiting or waiting == ["customer_pay"]:
            message = "there is no part of a customer beside one of somebody else"
            raise not_allowed(order, message)
    if wanted == "voided" and order["reopenCount"]:
        raise not_allowed(order, "the order was closed before")
    return order


def replace_inspection(sandbox: Sandbox, asked: Asked) -> Outcome:
    """Put other inspection results on a line, until the order is closed."""
    order = existing(sandbox, "repair_orders", asked.key)
    if order["status"] in {"closed", "voided"}:
        raise not_allowed(order, "the order is at its end", "inspection")
    lines = {line["lineId"]: line for line in order["lines"]}
    if asked.payload["lineId"] not in lines:
        raise Problem.invalid(422, "lineId", "the order has no such line")
    found = [item for item in asked.payload["inspection"] if item]
    for position, item in enumerate(found):
        if not item.get("item"):
            raise Problem.invalid(422, f"inspection.{position}.item", "expected a text")
        if item.get("result") not in RESULTS:
            expected = f"expected one of {', '.join(RESULTS)}"
            raise Problem.invalid(422, f"inspection.{position}.result", expected)
    lines[asked.payload["lineId"]]["inspection"] = [
        {"item": item["item"], "result": item["result"], "note": item.get("note")} for item in found
    ]
    order["updatedAt"] = render(sandbox.clock.now() // SECOND * SECOND)
    return Outcome(200, order, [("repair_orders", order)])


def _hold_external_id(sandbox: Sandbox, external_id: str) -> None:
    """Refuse the second order with an id of its writer's, where the rules say so."""
    taken = sandbox.ledger.tables["repair_orders"].find("externalId", external_id)
    if sandbox.rules.unique_references and taken:
        message = "there is a repair order with this externalId"
        raise Problem.invalid(409, "externalId", message, "duplicate")


def _appointment(sandbox: Sandbox, key: str | None) -> Record | None:
    if key is None:
        return None
    record = sandbox.ledger.record("service_appointments", key)
    if record is None:
        raise Problem.invalid(422, "appointmentId", "there is no such appointment")
    if record["status"] not in BOOKED:
        message = "no repair order can be opened for this appointment"
        raise not_allowed(record, message, "appointmentId")
    return record


def _lines(sandbox: Sandbox, rooftop: Rooftop, payload: Record, told: Record) -> list[Record]:
    """Make the lines: those that are given, else those of the appointment, else one."""
    given = [line for line in payload.get("lines") or () if line]
    booked = [{"opCode": job.get("code"), **job} for job in told.get("opCodes") or () if job]
    wanted = given or booked or [{"complaint": told.get("concern")}]
    made = []
    for index, line in enumerate(wanted):
        code = line.get("opCode")
        known = sandbox.ledger.record("op_codes", f"{code}{JOINT}{rooftop.rooftop_id}") or {}
        if given and code and not known:
            raise Problem.invalid(422, f"lines.{index}.opCode", "the shop has no such op code")
        technician = sandbox.source.rng.choice(rooftop.staff["technician"])
        wish = {"complaint": told.get("concern"), **line}
        made.append(written_line(index, wish, known, technician))
    return made


def _closed_by(order: Record, wanted: str) -> list[str]:
    return ["customer_pay"] if wanted == "partially_closed" else service.open_pay_types(order)


def _close(sandbox: Sandbox, order: Record, pay_type: str, at: int) -> Changes:
    """Close a part of an order: its journal is posted, and the customer pays theirs."""
    rooftop = sandbox.rooftop(order["rooftopId"])
    entry = service.close(sandbox.numbers, rooftop, order, pay_type, at)
    paid = sandbox.office.collect(order, at) if pay_type == "customer_pay" else []
    return [("gl_entries", entry), *paid]


def _entries_of(sandbox: Sandbox, order: Record) -> list[Record]:
    """Find the journal entries of a closed order that stand."""
    ledger = sandbox.ledger
    keys = sorted(ledger.tables["gl_entries"].find("controlNumber", order["roNumber"]))
    found = (ledger.record("gl_entries", key) for key in keys)
    return [
        entry
        for entry in found
        if entry
        and entry["repairOrderId"] == order["repairOrderId"]
        and entry["status"] == "posted"
        and not entry["reversesJournalEntryId"]
    ]


CREATE: t.Final = Call(create)
STATUS: t.Final = Call(
    change_status,
    check=check_status,
    is_queued=lambda _, asked: asked.payload["status"] in CLOSING,
    posts=True,
)
INSPECTION: t.Final = Call(replace_inspection)
