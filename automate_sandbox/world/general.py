"""The general journal: monthly expenses, year-end entries, and what was never posted."""

from __future__ import annotations

import typing as t
from datetime import date, timedelta

from automate_sandbox.money import cents, dollars
from automate_sandbox.world.calendar import DAY
from automate_sandbox.world.journals import Header, Posting, post

if t.TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from decimal import Decimal

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers
    from automate_sandbox.world.rooftops import Rooftop


class Expense(t.NamedTuple):
    """What is paid from the bank.

    Attributes:
        role: Of the account that is charged.
        amount: In dollars.
        counted_on: Business date that it counts for; the posting's own date unless back-dated.
        adjusting: Whether it belongs to the 13th period.
    """

    role: str
    amount: Decimal
    counted_on: date | None = None
    adjusting: bool = False


def build_general_journal(
    rng: random.Random, numbers: Numbers, rooftop: Rooftop, days: int
) -> Iterator[Record]:
    """Make monthly expenses, the 13th period of last year, an unposted and a voided entry.

    Args:
        rng: Of the world.
        numbers: Gives the entries' ids.
        rooftop: Whose books these are.
        days: Of history before the calendar's anchor.
    """
    calendar = rooftop.calendar
    for days_ago in range(0, days, 15):
        at = calendar.noon(days_ago)
        if at < calendar.anchor:
            expense = Expense("utilities", cents(rng.randrange(40_000, 900_000)))
            yield spend(numbers, rooftop, at, expense)
    year_end = date(calendar.today.year - 1, 12, 31)
    # Nobody adjusts a year that is not over.
    days_since = (calendar.anchor - calendar.begins(year_end + timedelta(days=1))) / DAY
    at = calendar.moment(rng, min(days, days_since))
    for _ in range(3):
        amount = cents(rng.randrange(100_000, 5_000_000))
        yield spend(numbers, rooftop, at, Expense("interest", amount, year_end, adjusting=True))
    for status in ("unposted", "voided"):
        at = calendar.moment(rng, days)
        entry = spend(numbers, rooftop, at, Expense("policy", dollars(120)))
        entry["status"] = status
        if status == "unposted":
            entry["postedAt"] = None
        yield entry


def spend(numbers: Numbers, rooftop: Rooftop, at: int, expense: Expense) -> Record:
    """Post an expense at an instant (seconds)."""
    role, amount, counted_on, adjusting = expense
    header = Header(
        code="090",
        journal_type="general",
        module="accounting",
        document=None,
        posted=at,
        accounting_date=counted_on,
        adjusting=adjusting,
    )
    lines = [Posting(role, amount, "Monthly entry"), Posting("bank", -amount, "Monthly entry")]
    return post(numbers, rooftop, header, lines)
