"""Repair orders: written up, worked on, closed one pay type at a time, reopened, voided."""

from __future__ import annotations

import dataclasses
import typing as t
from decimal import Decimal

from automate_sandbox.instants import SECOND, render
from automate_sandbox.money import ZERO, dollars, percent_of, round_cents
from automate_sandbox.world.calendar import DAY, HOUR
from automate_sandbox.world.chance import happens
from automate_sandbox.world.journals import Header, Posting, post, reverse
from automate_sandbox.world.rooftops import Rooftop, stamp
from automate_sandbox.world.worksheet import STATE_RATE

if t.TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers

JOBS: t.Final = (
    ("01LOF", "Lube, oil and filter", "LO", 5, "Customer requests oil change"),
    ("04ROT", "Rotate and balance", "LM", 8, "Vibration at highway speed"),
    ("22BRK", "Front brakes", "LM", 18, "Grinding noise when braking"),
    ("31ELE", "Electrical diagnosis", "LD", 12, "Warning lamp on"),
    ("45WTR", "Water pump", "LW", 32, "Coolant leak"),
    ("60RCL", "Safety recall", "LW", 9, "Open recall"),
    ("9DTL", "Reconditioning detail", "LI", 25, "Prepare for front line"),
)
"""Op code, description, the dealer's labor type, hours sold in tenths, complaint."""

PARTS: t.Final = (
    ("00015601", "Oil filter", Decimal("4.1275"), Decimal("9.9500")),
    ("04465-AZ115", "Pad kit, front brake", Decimal("38.4633"), Decimal("79.9500")),
    ("16100-39545", "Water pump", Decimal("91.0049"), Decimal("168.7250")),
    ("0W20-QT", "Oil, 0W-20", Decimal("3.3308"), Decimal("6.4900")),
    ("90915YZZD1", "Gasket", Decimal("0.8125"), Decimal("2.1875")),
)
"""Part number, description, unit cost and unit price, four digits each."""

PAYERS: t.Final = {
    "customer_pay": ("cash", "labor_customer", "060"),
    "warranty": ("warranty_claims", "labor_warranty", "061"),
    "internal": ("reconditioning", "labor_internal", "062"),
    "service_contract": ("contract_claims", "labor_warranty", "061"),
    "goodwill": ("policy", "labor_customer", "060"),
}
"""Pay type to the account that is charged, the one for its labor, and the journal."""

CLAIMED: t.Final = frozenset({"warranty", "service_contract"})
"""Closing these leaves a claim open with the factory or the insurer."""

LABOR_RATE: t.Final = Decimal("149.9500")
WAGE: t.Final = Decimal("38.5000")
SUPPLIES_PERCENT: t.Final = Decimal("6.5")
WASTE_FEE: t.Final = Decimal("3.95")
SENTINEL_INSTANT: t.Final = "1910-01-01T00:00:00Z"


@dataclasses.dataclass(frozen=True, slots=True)
class Car:
    """What comes into the shop; `vehicle_id` and `customer_id` are None when the DMS has none."""

    vin: str
    vehicle_id: str | None
    customer_id: str | None
    miles: int


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
    pay_types = _pay_types(rng) if car.customer_id else ("internal",)
    lines = [_line(rng, rooftop, index, pay_types) for index in range(rng.randrange(1, 5))]
    for line, pay_type in zip(lines, pay_types, strict=False):
        line["payType"] = pay_type
    order: Record = {
        "repairOrderId": order_id,
        "rooftopId": rng.choices((rooftop.rooftop_id, None, ""), (985, 5, 10))[0],
        "roNumber": f"{number + 10_451:07d}",
        "status": "open",
        "appointmentId": None,
        "customerId": car.customer_id,
        "vehicleId": car.vehicle_id,
        "vin": car.vin,
        "tagNumber": f"{rng.randrange(1, 400):03d}",
        "advisorId": rng.choice(rooftop.staff["advisor"]),
        "openedAt": render(at * SECOND),
        "promisedAt": SENTINEL_INSTANT if number % 61 == 0 else render((at + 8 * HOUR) * SECOND),
        "completedAt": None,
        "invoicedAt": None,
        "closedAt": None,
        "finalClosedAt": None,
        "voidedAt": None,
        "voidReason": None,
        "reopenedAt": None,
        "reopenCount": 0,
        "odometerIn": car.miles,
        "odometerOut": None,
        "transportation": rng.choice(("shuttle", "loaner", "none", None)),
        "isWaiter": happens(rng, 30),
        "isComeback": happens(rng, 3),
        "department": "service" if car.customer_id else "internal",
        "lines": lines,
        **stamp(at),
    }
    _fill_totals(order, discounted=happens(rng, 5))
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
        odometerOut=order["odometerIn"] + 3,
    )


def open_pay_types(order: Record) -> list[str]:
    """Pay types that are not closed yet; customer pay comes first, as at the cashier."""
    waiting = [item["payType"] for item in order["payTypeStatuses"] if item["status"] != "closed"]
    return sorted(waiting, key=lambda pay_type: (pay_type in CLAIMED, pay_type))


def close(numbers: Numbers, rooftop: Rooftop, order: Record, pay_type: str, at: int) -> Record:
    """Close one pay type of an order and post its journal.

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
    claimed = pay_type in CLAIMED
    state |= {"status": "closed", "closedAt": render(at * SECOND)}
    state["balance"] = state["amount"] if claimed else ZERO
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
    yield Posting(payer, amount, f"RO {number} {pay_type}", number)
    lines = [line for line in order["lines"] if line["payType"] == pay_type]
    parts = [part for line in lines for part in line["parts"]]
    labor_cost = sum((line["laborCost"] for line in lines), ZERO)
    parts_cost = sum((_extended(part["quantity"], part["unitCost"]) for part in parts), ZERO)
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


def reopen(
    numbers: Numbers, rooftop: Rooftop, order: Record, entries: Iterable[Record], at: int
) -> list[Record]:
    """Reopen a closed order: its journals are reversed, to be posted again.

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
        state |= {"status": "open", "closedAt": None, "balance": state["amount"]}
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


def _pay_types(rng: random.Random) -> tuple[str, ...]:
    return rng.choices(
        (
            ("customer_pay",),
            ("warranty",),
            ("customer_pay", "warranty"),
            ("customer_pay", "service_contract"),
            ("customer_pay", "goodwill"),
        ),
        (58, 14, 18, 6, 4),
    )[0]


def _line(rng: random.Random, rooftop: Rooftop, index: int, pay_types: tuple[str, ...]) -> Record:
    op_code, description, labor_type, tenths, complaint = rng.choice(JOBS)
    sold = Decimal(tenths).scaleb(-1)
    actual = Decimal(max(1, tenths + rng.randrange(-3, 4))).scaleb(-1)
    parts = [
        {
            "partNumber": part_number,
            "description": text,
            "quantity": quantity,
            "unitCost": cost,
            "unitPrice": price,
            "extendedPrice": _extended(quantity, price),
        }
        for part_number, text, cost, price in rng.sample(PARTS, rng.randrange(3))
        for quantity in (Decimal(rng.choice((10, 10, 20, 45))).scaleb(-1),)
    ]
    return {
        "lineId": f"L{index + 1:02d}",
        "lineCode": "ABCDEFGH"[index],
        "opCode": op_code,
        "opDescription": description,
        "payType": rng.choice(pay_types),
        "laborType": labor_type,
        "status": "open",
        "complaint": complaint,
        "cause": None,
        "correction": None,
        "laborHours": {"sold": sold, "flagged": sold, "actual": actual},
        "laborRate": LABOR_RATE,
        "laborSale": round_cents(sold * LABOR_RATE),
        "laborCost": round_cents(actual * WAGE),
        "technicians": [
            {"userId": rng.choice(rooftop.staff["technician"]), "technicianNumber": None}
        ],
        "parts": parts,
        "sublets": [],
        "inspection": [
            {"item": "tires", "result": rng.choice(("green", "yellow", "red")), "note": None}
        ]
        if index == 0
        else [],
    }


def _extended(quantity: Decimal, price: Decimal) -> Decimal:
    return round_cents(quantity * price)


def _fill_totals(order: Record, *, discounted: bool) -> None:
    """Add `fees`, `discounts`, `taxes`, `payTypeStatuses` and `totals`, which the lines decide."""
    labor: dict[str, Decimal] = {}
    parts: dict[str, Decimal] = {}
    cost = ZERO
    for line in order["lines"]:
        pay_type = line["payType"]
        labor[pay_type] = labor.get(pay_type, ZERO) + line["laborSale"]
        parts[pay_type] = parts.get(pay_type, ZERO) + sum(
            (p["extendedPrice"] for p in line["parts"]), ZERO
        )
        cost += line["laborCost"] + sum(
            (_extended(p["quantity"], p["unitCost"]) for p in line["parts"]), ZERO
        )
    customer_labor = labor.get("customer_pay", ZERO)
    supplies = percent_of(SUPPLIES_PERCENT, customer_labor)
    waste = WASTE_FEE if customer_labor else ZERO
    discount = min(dollars(10), customer_labor) if discounted else ZERO
    tax = percent_of(STATE_RATE, parts.get("customer_pay", ZERO) + supplies)
    amounts = {pay_type: labor[pay_type] + parts[pay_type] for pay_type in labor}
    if "customer_pay" in amounts:
        amounts["customer_pay"] += supplies + waste - discount + tax
    order |= {
        "fees": [_charge("HAZ", "Waste disposal", waste)] if waste else [],
        "discounts": [_charge("CPN", "Service coupon", discount)] if discount else [],
        "taxes": [_charge("STATE", "State sales tax", tax) | {"ratePercent": STATE_RATE}]
        if tax
        else [],
        "payTypeStatuses": [
            {
                "payType": pay_type,
                "status": "open",
                "closedAt": None,
                "amount": amount,
                "balance": amount,
            }
            for pay_type, amount in amounts.items()
        ],
        "totals": {
            "labor": sum(labor.values(), ZERO),
            "parts": sum(parts.values(), ZERO),
            "sublet": ZERO,
            "gasOilGrease": ZERO,
            "shopSupplies": supplies,
            "fees": waste,
            "discounts": discount,
            "tax": tax,
            "total": sum(amounts.values(), ZERO),
            "cost": cost,
            "paid": ZERO,
            "balanceDue": sum(amounts.values(), ZERO),
            "byPayType": [
                {"payType": pay_type, "total": total} for pay_type, total in amounts.items()
            ],
        },
    }


def _charge(code: str, description: str, amount: Decimal) -> Record:
    return {"code": code, "description": description, "amount": amount}


def _settle(order: Record) -> None:
    """Bring `paid` and `balanceDue` to what the pay types say."""
    totals = order["totals"]
    totals["balanceDue"] = sum((item["balance"] for item in order["payTypeStatuses"]), ZERO)
    totals["paid"] = totals["total"] - totals["balanceDue"]


def _step(order: Record, at: int, **changes: object) -> None:
    order |= changes | {"updatedAt": render(at * SECOND)}
