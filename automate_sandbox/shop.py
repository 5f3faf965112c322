"""What a shop on the web has for the DMS: invented rows, by a database of its own.

Leads, deals for some of them and service appointments. The first lead goes the whole way: the deal
is contracted and delivered, its contract is attached, and the accessories are fitted under a repair
order that is closed. The last deal is on a vehicle that has been sold, so that there is something
to be rejected.
"""

from __future__ import annotations

import datetime as dt
import operator
import random
import typing as t

from automate_sandbox.world.names import CITIES, FIRST_NAMES, LAST_NAMES, STREETS

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    Row = dict[str, t.Any]

LEADS: t.Final = 30
DEALS: t.Final = 12
APPOINTMENTS: t.Final = 15
CONTRACT: t.Final = "contract-shop-order-0001.pdf"
"""Name of the file that is attached to the first deal."""


class TooSmallError(Exception):
    """The dealership has too few vehicles; the message says how many the shop needs."""


def make(vehicles: Sequence[Row], seed: int, today: dt.date, contract: str) -> dict[str, list[Row]]:
    """Make the rows of the shop; the same arguments give the same.

    Args:
        vehicles: The dealership's, in any order.
        seed: Of its world.
        today: There.
        contract: Path of the file that is attached to the first deal.

    Returns:
        Stream to rows; those of a stream are in the order in which they are to happen.

    Raises:
        TooSmallError: There are too few vehicles to sell.
    """
    rng = random.Random(f"outbox/{seed}")  # noqa: S311 - invented people, not secrets
    by_vin = sorted(vehicles, key=operator.itemgetter("vin"))
    for_sale = [row for row in by_vin if row["status"] == "in_stock" and row["salePrice"]]
    sold = [row for row in by_vin if row["status"] == "retail_sold"]
    if len(for_sale) < DEALS - 1 or not sold:
        message = (
            f"The dealership has {len(for_sale)} vehicles for sale and {len(sold)} that are sold; "
            f"the shop needs {DEALS - 1} and 1. Start a larger one with `--vehicles`."
        )
        raise TooSmallError(message)
    # A deal that loses money would wait for a manager.
    best = max(for_sale, key=lambda row: row["salePrice"] - row["cost"])
    for_sale.remove(best)
    chosen = [best, *rng.sample(for_sale, DEALS - 2), rng.choice(sold)]
    others = [
        _appointment(rng, number, rng.choice(sold)["vin"], today)
        for number in range(2, APPOINTMENTS + 1)
    ]
    return {
        "leads": [_lead(rng, number) for number in range(1, LEADS + 1)],
        "deals": [_deal(rng, number, vehicle) for number, vehicle in enumerate(chosen, 1)],
        "deal_statuses": _statuses("deal_reference_id", _order(1), "contracted", "delivered"),
        "attachments": [{"deal_reference_id": _order(1), "path": contract}],
        "appointments": [_fitting(best["vin"], today), *others],
        "appointment_changes": _statuses("appointment_external_id", _visit(1), "checked_in"),
        "repair_orders": [{"external_id": _visit(1), "appointment_external_id": _visit(1)}],
        "repair_order_inspections": [_inspection()],
        "repair_order_statuses": _statuses(
            "repair_order_external_id", _visit(1), "in_progress", "completed", "closed"
        ),
    }


def _lead(rng: random.Random, number: int) -> Row:
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    city, region, postal_code = rng.choice(CITIES)
    return {
        "external_id": _customer(number),
        "customer_type": "lead",
        "first_name": first,
        "last_name": last,
        "emails": [f"lead{number}@example.com"],
        "phones": [{"type": "mobile", "number": f"+1202555{1000 + number}"}],
        "address": {
            "line1": f"{rng.randint(1, 999)} {rng.choice(STREETS)}",
            "city": city,
            "region": region,
            "postal_code": postal_code,
            "country": "US",
        },
        "marketing_opt_in": {"email": True, "sms": False, "phone": False},
        "source": "website",
        "notes": rng.choice(("Prefers evenings", "Wants a test drive", "Asked for a trade-in")),
    }


def _deal(rng: random.Random, number: int, vehicle: Row) -> Row:
    return {
        "reference_id": _order(number),
        "customer_external_id": _customer(number),
        "vehicle": {"vin": vehicle["vin"]},
        "pricing": {"sale_price": vehicle["salePrice"] or 20000, "discounts": 500.00},
        "finance": {
            "cash_down": 2500.00,
            "term_months": rng.choice((36, 48, 60)),
            "apr_percent": 5.9,
            "lender_code": "AFC",
            "products": [{"code": "PPM", "name": "Prepaid maintenance", "price": 1050.00}],
        },
    }


def _appointment(rng: random.Random, number: int, vin: str, today: dt.date) -> Row:
    day = today + dt.timedelta(days=rng.randint(1, 14))
    time = f"{rng.randint(8, 16):02d}:{rng.choice((0, 15, 30)):02d}:00-05:00"
    return {
        "external_id": _visit(number),
        "customer_external_id": _customer(rng.randint(1, LEADS)),
        "vin": vin,
        "appointment_time": f"{day}T{time}",
        "op_codes": [{"code": "LOF", "description": "Lube, oil, filter", "labor_hours": 0.5}],
        "concern": rng.choice(("Oil change is due", "Noise when braking", "Recall letter")),
        "transportation": rng.choice(("shuttle", "waiter", "loaner")),
        "notes": f"Booked on the web, number {number}",
    }


def _fitting(vin: str, today: dt.date) -> Row:
    """Make the appointment of the first buyer, on the day of the sale."""
    return {
        "external_id": _visit(1),
        "customer_external_id": _customer(1),
        "vin": vin,
        "appointment_time": f"{today}T08:30:00-05:00",
        "op_codes": [{"code": "ACC", "description": "Fit accessories", "labor_hours": 1.5}],
        "concern": "Fit roof rack and floor mats",
        "transportation": "waiter",
        "notes": "Ordered with the vehicle",
    }


def _inspection() -> Row:
    return {
        "repair_order_external_id": _visit(1),
        "line_code": "A",
        "inspection": [
            {"item": "Roof rack torque", "result": "green"},
            {"item": "Tire pressure", "result": "yellow", "note": "Set to 35 psi"},
        ],
    }


def _statuses(name: str, own_id: str, *steps: str) -> list[Row]:
    return [{name: own_id, "status": step} for step in steps]


def _customer(number: int) -> str:
    return f"shop-lead-{number:04d}"


def _order(number: int) -> str:
    return f"shop-order-{number:04d}"


def _visit(number: int) -> str:
    return f"shop-visit-{number:04d}"
