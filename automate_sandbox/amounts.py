"""Numbers that a payload gives, held to what can be meant."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from automate_sandbox.money import CENT
from automate_sandbox.problems import Problem

if t.TYPE_CHECKING:
    from automate_sandbox.money import Record

GREATEST_AMOUNT: t.Final = 100_000_000
"""Dollars, or percent; more is a slip of the keyboard."""

GREATEST_TERM: t.Final = 180
"""Months."""


def amount(record: Record, field: str, default: Decimal) -> Decimal:
    """Take an amount or a rate that a deal can have.

    Raises:
        Problem: 422 for a negative one, or one beyond all reason.
    """
    value = record.get(field)
    if value is None:
        return default
    if not 0 <= value < GREATEST_AMOUNT:
        raise Problem.invalid(422, field, f"expected a number from 0 to {GREATEST_AMOUNT:,}")
    return Decimal(value)


def term(record: Record, field: str) -> int | None:
    """Take the months of a loan; None when none are given.

    Raises:
        Problem: 422.
    """
    value = record.get("termMonths")
    if value is None:
        return None
    if not 0 < value <= GREATEST_TERM:
        raise Problem.invalid(422, field, f"expected whole months from 1 to {GREATEST_TERM}")
    return int(value)


def price(record: Record, field: str) -> Decimal | None:
    """Take the price of a vehicle, in whole cents; None when none is given.

    Raises:
        Problem: 422.
    """
    value = record.get(field)
    if value is None:
        return None
    if not 0 < value < GREATEST_AMOUNT:
        expected = f"expected a number above 0 and below {GREATEST_AMOUNT:,}"
        raise Problem.invalid(422, field, expected)
    exact = Decimal(value)
    if exact != exact.quantize(CENT):
        raise Problem.invalid(422, field, "expected whole cents")
    return exact.quantize(CENT)
