"""Changes of appointments: another time, another advisor, a step on, a cancellation."""

from __future__ import annotations

import typing as t

from automate_sandbox.calls import Asked, Call, Outcome
from automate_sandbox.instants import SECOND, render
from automate_sandbox.refusals import existing, hold_status, hold_step, not_allowed
from automate_sandbox.writes import hold_user

if t.TYPE_CHECKING:
    from automate_sandbox.money import Record
    from automate_sandbox.sandbox import Sandbox

STEPS: t.Final = {
    "scheduled": (
        *("confirmed", "rescheduled", "arrived", "checked_in", "in_progress"),
        *("cancelled", "no_show"),
    ),
    "confirmed": (
        *("rescheduled", "arrived", "checked_in", "in_progress"),
        *("cancelled", "no_show"),
    ),
    "rescheduled": (
        *("confirmed", "arrived", "checked_in", "in_progress"),
        *("cancelled", "no_show"),
    ),
    "arrived": ("checked_in", "in_progress", "cancelled"),
    "checked_in": ("in_progress", "cancelled"),
    "in_progress": ("completed",),
    "converted": ("completed",),
}
"""Status of an appointment to those that may follow it; a repair order makes it converted."""

AWAITED: t.Final = frozenset({"scheduled", "confirmed", "rescheduled"})
"""The customer has not come: time and advisor can change."""


def change(sandbox: Sandbox, asked: Asked) -> Outcome:
    """Change an appointment."""
    payload = asked.payload
    record = existing(sandbox, "service_appointments", asked.key)
    hold_status(record, payload.get("expectedStatus"))
    names = ("appointmentTime", "advisorId")
    given: Record = {name: payload[name] for name in names if name in payload}
    for field in given:
        if record["status"] not in AWAITED:
            raise not_allowed(record, "the customer has come, or will not", field)
    hold_user(sandbox, "advisorId", payload.get("advisorId"))
    now = render(sandbox.clock.now() // SECOND * SECOND)
    status = payload.get("status")
    if status is not None:
        hold_step(record, STEPS, status)
        given["status"] = status
    if status == "cancelled":
        given |= {"cancelledAt": now, "cancelReason": payload.get("cancelReason")}
    record |= given | {"updatedAt": now}
    return Outcome(200, record, [("service_appointments", record)])


CHANGE: t.Final = Call(change)
