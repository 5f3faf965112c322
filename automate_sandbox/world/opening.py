"""The opening balances of each company: what it had before the first entry of its history."""

from __future__ import annotations

import typing as t
from collections import defaultdict

from automate_sandbox.money import ZERO, dollars, percent_of, round_cents
from automate_sandbox.world.chart import CHART
from automate_sandbox.world.journals import Header, Posting, post

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers
    from automate_sandbox.world.rooftops import Rooftop

BANK: t.Final = dollars(400_000)
OPENED: t.Final = ("new_inventory", "used_inventory", "parts_inventory", "floor_plan")
FLOORED_PERCENT: t.Final = dollars(80)
"""Of the cost of the new vehicles on the lot, which a lender has paid; sold ones are paid off."""


class Opening:
    """Watches the making of a world, and posts what its companies must have had before it.

    Vehicles are bought, and parts too, before the history begins or without an entry of their own,
    so that without this the inventory accounts would only fall.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._had: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
        self._parts = CHART["parts_inventory"].number

    def see(self, stream: str, record: Record) -> None:
        """Count what a record, in its last version, tells of the beginning."""
        rooftop = record["rooftopId"]
        if stream == "vehicles":
            side = "new" if record["condition"] == "new" else "used"
            self._had[rooftop, f"{side}_inventory"] += record["cost"]
            if side == "new" and record["status"] != "retail_sold":
                floored = percent_of(FLOORED_PERCENT, record["cost"])
                self._had[rooftop, "floor_plan"] -= floored
        elif stream == "parts":
            value = round_cents(record["quantityOnHand"] * record["cost"])
            self._had[rooftop, "parts_inventory"] += value
        elif stream == "gl_entries" and record["status"] in {"posted", "reversed"}:
            for line in record["lines"]:
                if line["accountNumber"] == self._parts:
                    self._had[rooftop, "parts_inventory"] -= line["amount"]

    def entries(self, numbers: Numbers, rooftops: Sequence[Rooftop], days: int) -> Iterator[Record]:
        """Post one entry for each company, the day before its history begins.

        Args:
            numbers: Gives the entries' ids.
            rooftops: One for each company.
            days: Of history before the calendars' anchor.
        """
        for rooftop in rooftops:
            balances = {"bank": BANK} | {
                role: self._had[rooftop.rooftop_id, role] for role in OPENED
            }
            balances["retained"] = -sum(balances.values(), ZERO)
            header = Header(
                code="090",
                journal_type="general",
                module="accounting",
                document=None,
                posted=rooftop.calendar.noon(days + 1),
            )
            lines = [Posting(role, amount, "Opening balance") for role, amount in balances.items()]
            yield post(numbers, rooftop, header, lines)
