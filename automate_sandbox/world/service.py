"""Repair orders: written up, worked on, closed one pay type at a time, reopened, voided."""

from __future__ import annotations

import dataclasses
import typing as t

from automate_sandbox.instants import SECOND, render
from automate_sandbox.money import ZERO
from automate_sandbox.world.calendar import DAY, HOUR
from automate_sandbox.world.chance import happens
from automate_sandbox.world.journals import Header, Posting, post, reverse
from automate_sandbox.world.repair_lines import (
    draw_line,
    draw_pay_types,
    extended,
    fill_totals,
)
from automate_sandbox.world.rooftops import Rooftop, stamp
from automate_sandbox.world.vin import make_vin

if t.TYPE_CHECKING:
    import random
    from collections.abc import Iterable
    from decimal import Decimal

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers

PAYERS: t.Final = {
    "customer_pay": ("receivable", "labor_customer", "060"),
    "warranty": ("warranty_claims", "labor_warranty", "061"),
    "internal": ("reconditioning", "labor_internal", "062"),
    "service_contract": ("contract_claims", "labor_warranty", "061"),
    "goodwill": ("policy", "labor_customer", "060"),
}
"""Pay type to the account that is charged, the one for its labor, and the journal."""

CLAIMED: t.Final = frozenset({"warranty", "service_contract"})
"""Closing these leaves a claim open with the factory or the insurer."""

APART: t.Final = 59
"""So far are the numbers of one rooftop's orders ahead of those of the one before it.

They meet: two to six rooftops that take turns come to the same numbers, so that an order is known
by rooftop and number only.
"""

JUST_OPENED: t.Final = {
    "completedAt": None,
    "invoicedAt": None,
    "closedAt": None,
    "finalClosedAt": None,
    "voidedAt": None,
    "voidReason": None,
    "reopenedAt": None,
    "reopenCount": 0,
}
"""What an order says of its course before it has one."""

SENTINEL_INSTANT: t.Final = "1910-01-01T00:00:00Z"


@dataclasses.dataclass(frozen=True, slots=True)
class Car:
    """What comes into the shop.

    Attributes:
        vin: Of the car.
        vehicle_id: None when it was bought elsewhere.
        customer_id: None for the dealer's own.
        miles: On its clock.
        since: From when on the DMS knows the two together, seconds since 1970.
    """

    vin: str
    vehicle_id: str | None
    customer_id: str | None
    miles: int
    since: int = 0


def ro_number(rooftop: Rooftop, number: int) -> str:
    """Human number of the order with this count."""
    return f"{number + 10_451 + APART * rooftop.index:07d}"


def foreign_car(rng: random.Random, customer_id: str, since: int = 0) -> Car:
    """Make the car, bought elsewhere, of a customer who is known since an instant (seconds)."""
    vin = make_vin(rng, "5YJ", rng.randrange(2012, 2025), rng.randrange(10**7))
    return Car(vin, None, customer_id, rng.randrange(4_000, 140_000), since)


def write_up(rng: random.Random, numbers: Numbers, rooftop: Rooftop, car: Car, at: int) -> Record:
    """Open a repair order.

    Args:
        rng: Of the world.
        numbers: Gives id and RO number.
        rooftop: Whose shop it is.
        car: A car without a customer is the dealer's own, and all of its work internal.
        at: Seconds since 1970.
    """
    number, order_id = numbers.take("repair_orders")
    pay_types = draw_pay_types(rng) if car.customer_id else ("internal",)
    lines = [draw_line(rng, rooftop, index, pay_types) for index in range(rng.randrange(1, 5))]
    for line, pay_type in zip(lines, pay_types, strict=False):
        line["payType"] = pay_type
    order: Record = {
        "repairOrderId": order_id,
        "rooftopId": rng.choices((rooftop.rooftop_id, None, ""), (985, 5, 10))[0],
        "roNumber": ro_number(rooftop, number),
        "externalId": None,
        "status": "open",
        "appointmentId": None,
        "customerId": car.customer_id,
        "vehicleId": car.vehicle_id,
        "vin": car.vin,
        "tagNumber": f"{rng.randrange(1, 400):03d}",
        "advisorId": rng.choice(rooftop.staff["advisor"]),
        "openedAt": render(at * SECOND),
        "promisedAt": SENTINEL_INSTANT if number % 61 == 0 else render((at + 8 * HOUR) * SECOND),
        **JUST_OPENED,
        "odometerIn": car.miles,
        "odometerOut": None,
        "transportation": rng.choice(("shuttle", "loaner", "none", None)),
        "isWaiter": happens(rng, 30),
        "isComeback": happens(rng, 3),
        "department": "service" if car.customer_id else "internal",
        "lines": lines,
        **stamp(at),
    }
    fill_totals(order, discounted=happens(rng, 5))
    return order


def begin(order: Record, at: int, status: str = "in_progress") -> None:
    """Start work, or park the order (`waiting_parts`, `on_hold`, `waiting_authorization`)."""
    _step(order, at, status=status)


def complete(order: Record, at: int) -> None:
    """Finish the work on all lines."""
    for line in order["lines"]:
        line["status"] = "completed"
    _step(
        order,
        at,
        status="completed",
        completedAt=render(at * SECOND),
        odometerOut=None if order["odometerIn"] is None else order["odometerIn"] + 3,
    )


def open_pay_types(order: Record) -> list[str]:
    """Pay types that are not closed yet; customer pay comes first, as at the cashier."""
    waiting = [item["payType"] for item in order["payTypeStatuses"] if item["status"] != "closed"]
    return sorted(waiting, key=lambda pay_type: (pay_type in CLAIMED, pay_type))


def close(numbers: Numbers, rooftop: Rooftop, order: Record, pay_type: str, at: int) -> Record:
    """Close one pay type of an order and post its journal.

    What the factory or an insurer pays stays open as a claim, and what the customer pays until it
    is received; the dealer's own work is settled by the journal itself.

    Args:
        numbers: Gives the entry's id.
        rooftop: Whose shop it is.
        order: Completed or partly closed; changed in place.
        pay_type: One that is open.
        at: Seconds since 1970.

    Returns:
        The journal entry.
    """
    state = next(item for item in order["payTypeStatuses"] if item["payType"] == pay_type)
    state |= {"status": "closed", "closedAt": render(at * SECOND)}
    if pay_type in CLAIMED:
        state["balance"] = state["amount"]
    elif pay_type != "customer_pay":
        state["balance"] = ZERO
    is_last = not open_pay_types(order)
    changes = {
        "status": "closed" if is_last else "partially_closed",
        "closedAt": order["closedAt"] or render(at * SECOND),
        "invoicedAt": order["invoicedAt"] or render(at * SECOND),
        "finalClosedAt": render(at * SECOND) if is_last else None,
    }
    _settle(order)
    _step(order, at, **changes)
    _, _, journal = PAYERS[pay_type]
    header = Header(
        code=journal,
        journal_type="service_sales",
        module="service",
        document={
            "type": "repair_order",
            "id": order["repairOrderId"],
            "number": order["roNumber"],
        },
        posted=at,
    )
    return post(numbers, rooftop, header, closing_postings(order, pay_type))


def closing_postings(order: Record, pay_type: str) -> Iterable[Posting]:
    """Derive the journal of a closed pay type; each line of the order posts its own labor."""
    payer, labor, _ = PAYERS[pay_type]
    number = order["roNumber"]
    amount = next(
        item["amount"] for item in order["payTypeStatuses"] if item["payType"] == pay_type
    )
    if pay_type == "customer_pay":
        yield Posting(payer, amount, f"RO {number} {pay_type}", order["customerId"], number)
    else:
        yield Posting(payer, amount, f"RO {number} {pay_type}", number)
    lines = [line for line in order["lines"] if line["payType"] == pay_type]
    parts = [part for line in lines for part in line["parts"]]
    labor_cost = sum((line["laborCost"] for line in lines), ZERO)
    parts_cost = sum((extended(part["quantity"], part["unitCost"]) for part in parts), ZERO)
    for line in lines:
        yield Posting(labor, -line["laborSale"], line["opDescription"], number)
    yield Posting(
        "parts_sales", -sum((part["extendedPrice"] for part in parts), ZERO), "Parts", number
    )
    yield Posting("labor_cost", labor_cost, "Cost of labor", number)
    yield Posting("wages", -labor_cost, "Technician wages", number)
    yield Posting("parts_cost", parts_cost, "Cost of parts", number)
    yield Posting("parts_inventory", -parts_cost, "Parts used", number)
    if pay_type == "customer_pay":
        totals = order["totals"]
        yield Posting("shop_supplies", -totals["shopSupplies"], "Shop supplies", number)
        yield Posting("shop_supplies", -totals["fees"], "Waste disposal", number)
        yield Posting(labor, totals["discounts"], "Discount", number)
        yield Posting("sales_tax", -totals["tax"], "Sales tax", number)


def customer_balance(order: Record) -> Decimal:
    """Tell what the customer still has to pay for their part of an order."""
    return sum(
        (p["balance"] for p in order["payTypeStatuses"] if p["payType"] == "customer_pay"), ZERO
    )


def receive(order: Record, amount: Decimal, at: int) -> None:
    """Apply money to what the customer owes for an order.

    Args:
        order: With a part that the customer pays; changed in place.
        amount: Negative when a payment comes to nothing.
        at: Seconds since 1970.
    """
    for state in order["payTypeStatuses"]:
        if state["payType"] == "customer_pay":
            state["balance"] -= amount
    _settle(order)
    order["updatedAt"] = max(order["updatedAt"], render(at * SECOND))


def reopen(
    numbers: Numbers, rooftop: Rooftop, order: Record, entries: Iterable[Record], at: int
) -> list[Record]:
    """Reopen a closed order: its journals are reversed, to be posted again.

    What the customer has paid stays paid.

    Args:
        numbers: Gives the ids of the reversals.
        rooftop: Whose shop it is.
        order: Closed; changed in place.
        entries: Its journals; changed in place.
        at: Seconds since 1970.

    Returns:
        The reversing entries.
    """
    for state in order["payTypeStatuses"]:
        state |= {"status": "open", "closedAt": None}
        if state["payType"] != "customer_pay":
            state["balance"] = state["amount"]
    _settle(order)
    _step(
        order,
        at,
        status="in_progress",
        closedAt=None,
        finalClosedAt=None,
        reopenedAt=render(at * SECOND),
        reopenCount=order["reopenCount"] + 1,
    )
    return [reverse(numbers, rooftop, entry, at) for entry in entries]


def void(order: Record, at: int) -> None:
    """Void an order that was never closed; the record stays."""
    _step(order, at, status="voided", voidedAt=render(at * SECOND), voidReason="duplicate")


def warranty_wait(rng: random.Random) -> int:
    """Choose how long the factory takes over a claim, in seconds."""
    return rng.randrange(3 * DAY, 16 * DAY)


def _settle(order: Record) -> None:
    """Bring `paid` and `balanceDue` to what the pay types say."""
    totals = order["totals"]
    totals["balanceDue"] = sum((item["balance"] for item in order["payTypeStatuses"]), ZERO)
    totals["paid"] = totals["total"] - totals["balanceDue"]


def _step(order: Record, at: int, **changes: object) -> None:
    order |= changes | {"updatedAt": render(at * SECOND)}
