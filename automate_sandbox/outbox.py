"""An outbox for the demo: what a shop on the web has for the DMS, as files of JSON lines.

Leads, deals for some of them and service appointments, with the names and in the spelling of a
database of its own. One deal is on a vehicle that has been sold, so that there is something to be
rejected. The same world gives the same outbox; one that is there is left alone.
"""

from __future__ import annotations

import datetime as dt
import http.client
import json
import os
import random
import typing as t

from automate_sandbox.daemon import HOST
from automate_sandbox.world.names import CITIES, FIRST_NAMES, LAST_NAMES, STREETS

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Row = dict[str, t.Any]

LEADS: t.Final = 30
DEALS: t.Final = 12
APPOINTMENTS: t.Final = 15
ANSWER_SECONDS: t.Final = 30.0


class OutboxError(Exception):
    """The outbox cannot be made; the message says why and what to do."""


def write(folder: Path, port: int) -> str:
    """Write the outbox of the sandbox that runs on a port, unless it is there.

    Args:
        folder: For `leads.jsonl`, `deals.jsonl` and `appointments.jsonl`.
        port: On loopback.

    Returns:
        What to tell the user.

    Raises:
        OutboxError: There is no sandbox on the port, or the folder cannot be written.
    """
    if folder.is_dir() and any(folder.glob("*.jsonl")):
        return f"The outbox {folder} is there already."
    info = json.loads(_get(port, "info"))
    vehicles = [json.loads(line) for line in _get(port, "records/vehicles").splitlines()]
    streams = make(vehicles, info["seed"], dt.date.fromisoformat(info["now"][:10]))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in streams.items():
            aside = folder / f".{name}.{os.getpid()}"
            aside.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            aside.replace(folder / f"{name}.jsonl")
    except OSError as error:
        message = f"The outbox {folder} cannot be written: {error.strerror}."
        raise OutboxError(message) from None
    counts = ", ".join(f"{len(rows)} {name}" for name, rows in streams.items())
    return f"The outbox {folder} has {counts}."


def make(vehicles: Sequence[Row], seed: int, today: dt.date) -> dict[str, list[Row]]:
    """Make the rows of an outbox.

    Args:
        vehicles: The dealership's, in any order.
        seed: Of its world.
        today: There.

    Returns:
        Stream to rows.
    """
    rng = random.Random(f"outbox/{seed}")  # noqa: S311 - invented people, not secrets
    by_vin = sorted(vehicles, key=lambda vehicle: vehicle["vin"])
    for_sale = [row["vin"] for row in by_vin if row["status"] == "in_stock" and row["salePrice"]]
    sold = [row["vin"] for row in by_vin if row["status"] == "retail_sold"]
    prices = {row["vin"]: row["salePrice"] for row in by_vin}
    chosen = rng.sample(for_sale, DEALS - 1) + rng.sample(sold, 1)
    return {
        "leads": [_lead(rng, number) for number in range(1, LEADS + 1)],
        "deals": [_deal(rng, number, vin, prices[vin]) for number, vin in enumerate(chosen, 1)],
        "appointments": [
            _appointment(rng, number, rng.choice(sold), today)
            for number in range(1, APPOINTMENTS + 1)
        ],
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


def _deal(rng: random.Random, number: int, vin: str, price: float | None) -> Row:
    return {
        "reference_id": f"shop-order-{number:04d}",
        "customer_external_id": _customer(number),
        "vehicle": {"vin": vin},
        "pricing": {"sale_price": price or 20000, "discounts": 500.00},
        "finance": {"cash_down": 2500.00, "term_months": rng.choice((36, 48, 60))},
    }


def _appointment(rng: random.Random, number: int, vin: str, today: dt.date) -> Row:
    day = today + dt.timedelta(days=rng.randint(1, 14))
    time = f"{rng.randint(8, 16):02d}:{rng.choice((0, 15, 30)):02d}:00-05:00"
    return {
        "customer_external_id": _customer(rng.randint(1, LEADS)),
        "vin": vin,
        "appointment_time": f"{day}T{time}",
        "op_codes": [{"code": "LOF", "description": "Lube, oil, filter", "labor_hours": 0.5}],
        "concern": rng.choice(("Oil change is due", "Noise when braking", "Recall letter")),
        "transportation": rng.choice(("shuttle", "waiter", "loaner")),
        "notes": f"Booked on the web, number {number}",
    }


def _customer(number: int) -> str:
    return f"shop-lead-{number:04d}"


def _get(port: int, call: str) -> bytes:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", f"/__sandbox__/{call}")
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        body = b""
    finally:
        connection.close()
    if not body:
        message = f"No sandbox answers on port {port}; start one with `automate-dms sandbox up`."
        raise OutboxError(message)
    return body
