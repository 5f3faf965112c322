"""Parts tickets: sales over the counter, and what the shop draws for repair orders."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from automate_sandbox.instants import SECOND, render
from automate_sandbox.money import ZERO, percent_of
from automate_sandbox.world.repair_lines import extended
from automate_sandbox.world.rooftops import stamp
from automate_sandbox.world.worksheet import STATE_RATE

if t.TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers
    from automate_sandbox.world.rooftops import Rooftop


def over_the_counter(
    numbers: Numbers,
    rooftop: Rooftop,
    lines: Sequence[Record],
    customer_id: str | None,
    at: int,
) -> Record:
    """Open a ticket for who comes to the counter.

    Args:
        numbers: Gives id and ticket number.
        rooftop: Whose counter it is.
        lines: What is bought, see `line_of`.
        customer_id: None for a stranger who pays cash.
        at: Seconds since 1970.
    """
    ticket = _ticket(numbers, lines, at, taxed=True)
    return ticket | {"rooftopId": rooftop.rooftop_id, "customerId": customer_id}


def for_order(numbers: Numbers, order: Record, at: int) -> Record:
    """Open the ticket that a repair order's parts are drawn with; the order charges for them.

    Args:
        numbers: Gives id and ticket number.
        order: With parts on its lines.
        at: Seconds since 1970.
    """
    lines = parts_of(order)
    names = ("rooftopId", "customerId", "repairOrderId", "roNumber")
    return _ticket(numbers, lines, at, taxed=False) | {name: order[name] for name in names}


def parts_of(order: Record) -> list[Record]:
    """List the parts on all lines of a repair order."""
    return [part for line in order["lines"] for part in line["parts"]]


def line_of(rng: random.Random, part: Record) -> Record:
    """Make a line of a ticket from a part: one, two or four of it."""
    quantity = Decimal(rng.choice((1, 1, 2, 4)))
    return {
        "partNumber": part["partNumber"],
        "description": part["description"],
        "quantity": quantity,
        "unitCost": part["cost"],
        "unitPrice": part["listPrice"],
        "extendedPrice": extended(quantity, part["listPrice"]),
    }


def close(ticket: Record, at: int) -> None:
    """Hand the parts out."""
    closed = render(at * SECOND)
    ticket |= {"status": "closed", "closedAt": closed, "updatedAt": closed}


def void(ticket: Record, at: int) -> None:
    """Void a ticket; the record stays."""
    ticket |= {"status": "voided", "updatedAt": render(at * SECOND)}


def _ticket(numbers: Numbers, lines: Sequence[Record], at: int, *, taxed: bool) -> Record:
    number, ticket_id = numbers.take("parts_tickets")
    parts = sum((line["extendedPrice"] for line in lines), ZERO)
    tax = percent_of(STATE_RATE, parts) if taxed else ZERO
    return {
        "partsTicketId": ticket_id,
        "rooftopId": None,
        "ticketNumber": f"P{number + 1:06d}",
        "status": "open",
        "customerId": None,
        "repairOrderId": None,
        "roNumber": None,
        "openedAt": render(at * SECOND),
        "closedAt": None,
        "parts": list(lines),
        "totals": {
            "parts": parts,
            "discounts": ZERO,
            "tax": tax,
            "total": parts + tax,
            "cost": sum((extended(line["quantity"], line["unitCost"]) for line in lines), ZERO),
        },
        **stamp(at),
    }
