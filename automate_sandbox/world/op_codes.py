"""Op codes: what each shop calls its jobs."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from automate_sandbox.instants import SECOND, parse, render
from automate_sandbox.world.repair_lines import JOBS, LABOR_RATE
from automate_sandbox.world.rooftops import stamp

if t.TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from automate_sandbox.money import Record
    from automate_sandbox.world.rooftops import Rooftop

KINDS: t.Final = {
    "LO": ("maintenance", "customer_pay"),
    "LM": ("repair", "customer_pay"),
    "LD": ("diagnosis", "customer_pay"),
    "LW": ("recall", "warranty"),
    "LI": ("internal", "internal"),
}
"""The dealer's labor type to the operation's type and who pays."""

ODD_CODES: t.Final = (
    ("0010", "Multi-point inspection", "LO", 3),
    ("10", "Battery test", "LD", 4),
    ("1E5", "Emissions test", "LD", 6),
    ("LOF SYN", "Oil service, synthetic", "LO", 6),
    ("000", "Miscellaneous", "LM", 0),
)
"""Codes that look like numbers and are none, and one with a space; no order uses them."""


def make_op_codes(rng: random.Random, rooftop: Rooftop, days: int) -> Iterator[Record]:
    """Make the op codes of a rooftop: those of its orders' lines, and odd ones.

    Args:
        rng: Decides which have been changed since the rooftop opened.
        rooftop: Each has its own.
        days: Before the anchor in which they may have been changed.
    """
    opened = parse(rooftop.record["createdAt"]) // SECOND
    jobs = [(code, text, labor, tenths) for code, text, labor, tenths, _ in JOBS]
    for code, text, labor, tenths in (*jobs, *ODD_CODES):
        kind, pay_type = KINDS[labor]
        op_code = {
            "opCode": code,
            "rooftopId": rooftop.rooftop_id,
            "description": text,
            "operationType": kind,
            "payType": pay_type,
            "flatRateHours": Decimal(tenths).scaleb(-1) if tenths else None,
            "laborRate": LABOR_RATE,
            **stamp(opened),
        }
        if rng.randrange(3) == 0:
            change_op_code(rng, op_code, rooftop.calendar.moment(rng, days))
        yield op_code


def change_op_code(rng: random.Random, op_code: Record, at: int) -> None:
    """Have the shop word an op code differently, at an instant (seconds)."""
    text = op_code["description"].partition(" (")[0]
    op_code["description"] = f"{text} (bulletin {rng.randrange(1, 100)})"
    op_code["updatedAt"] = render(at * SECOND)
