"""The lines of repair orders, and the totals, taxes and pay types that follow from them."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from automate_sandbox.money import ZERO, dollars, percent_of, round_cents
from automate_sandbox.world.worksheet import STATE_RATE

if t.TYPE_CHECKING:
    import random

    from automate_sandbox.money import Record
    from automate_sandbox.world.rooftops import Rooftop

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

LABOR_RATE: t.Final = Decimal("149.9500")
WAGE: t.Final = Decimal("38.5000")
SUPPLIES_PERCENT: t.Final = Decimal("6.5")
WASTE_FEE: t.Final = Decimal("3.95")


def draw_pay_types(rng: random.Random) -> tuple[str, ...]:
    """Choose who pays for an order's lines; the first pays for the first line."""
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


def draw_line(
    rng: random.Random, rooftop: Rooftop, index: int, pay_types: tuple[str, ...]
) -> Record:
    """Make a line of an order.

    Args:
        rng: Of the world.
        rooftop: Whose technicians work on it.
        index: Of the line, from 0.
        pay_types: One of them pays.
    """
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
            "extendedPrice": extended(quantity, price),
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


def extended(quantity: Decimal, price: Decimal) -> Decimal:
    """Multiply a unit price by a quantity, rounded to the cent."""
    return round_cents(quantity * price)


def fill_totals(order: Record, *, discounted: bool) -> None:
    """Add to an order the `fees`, `discounts`, `taxes`, pay types and `totals` of its lines."""
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
            (extended(p["quantity"], p["unitCost"]) for p in line["parts"]), ZERO
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
