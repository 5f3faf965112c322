"""The cashbook of a rooftop: its payments day by day, written, deposited and reconciled."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

from automate_sandbox.money import ZERO, cents, dollars
from automate_sandbox.world import deposits, receipts
from automate_sandbox.world.calendar import HOUR
from automate_sandbox.world.chance import happens

if t.TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator
    from datetime import date
    from decimal import Decimal

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Source
    from automate_sandbox.world.receipts import Payment
    from automate_sandbox.world.rooftops import Rooftop

PREPARED_BEFORE_NOON: t.Final = 5 * HOUR
DEPOSITED_BEFORE_NOON: t.Final = 2 * HOUR
DAYS_TO_STATEMENT: t.Final = 4
VOIDED_PERCENT: t.Final = 1
OVER_OR_SHORT_PERCENT: t.Final = 10


class Cashbook:
    """Writes the receipts and deposits of the past of a rooftop."""

    def __init__(self, source: Source, rooftop: Rooftop) -> None:
        """Open the book.

        Args:
            source: Gives ids, numbers and chances.
            rooftop: Whose cashier it is.
        """
        self._source = source
        self._rooftop = rooftop

    def records(self, payments: Iterable[Payment]) -> Iterator[tuple[str, Record]]:
        """Write the payments before the calendar's anchor.

        Args:
            payments: In any order; those of a customer in the same second become one receipt.

        Yields:
            Stream and record, each in its last version.
        """
        date_of = self._rooftop.calendar.date_of
        ordered = sorted(payments, key=_moment)
        for day, of_day in itertools.groupby(_merged(ordered), lambda each: date_of(each.at)):
            yield from self._day(day, of_day)

    def _day(self, day: date, payments: Iterable[Payment]) -> Iterator[tuple[str, Record]]:
        anchor = self._rooftop.calendar.anchor
        drawer: list[Record] = []
        returned: list[tuple[Record, int]] = []
        for payment in payments:
            if happens(self._source.rng, VOIDED_PERCENT) and payment.amount > ZERO:
                yield from self._mistake(payment)
            receipt, entry = receipts.take(self._source, self._rooftop, payment)
            yield "gl_entries", entry
            if receipt["status"] != "open":
                yield "receipts", receipt
                continue
            drawer.append(receipt)
            if payment.returned is not None and payment.returned < anchor:
                returned.append((receipt, payment.returned))
        if drawer:
            yield from self._deposit(day, drawer)
        for receipt, at in returned:
            made = receipts.return_check(self._source.numbers, self._rooftop, receipt, at)
            yield "receipts", made[0]
            yield "gl_entries", made[1]
        for receipt in drawer:
            yield "receipts", receipt

    def _mistake(self, payment: Payment) -> Iterator[tuple[str, Record]]:
        """Write a receipt with the wrong tender, and void it before the right one is written."""
        wrong = dataclasses.replace(payment, at=payment.at - receipts.MISTAKEN_FOR, returned=None)
        posted = receipts.take(self._source, self._rooftop, wrong)
        reversal = receipts.void(self._source.numbers, self._rooftop, posted, payment.at)
        yield "receipts", posted[0]
        yield "gl_entries", posted[1]
        yield "gl_entries", reversal

    def _deposit(self, day: date, drawer: list[Record]) -> Iterator[tuple[str, Record]]:
        """Bring a day's money to the bank as far as time allows."""
        calendar, numbers = self._rooftop.calendar, self._source.numbers
        days_ago = (calendar.today - day).days
        next_noon = calendar.noon(days_ago - 1)
        prepared, deposited = next_noon - PREPARED_BEFORE_NOON, next_noon - DEPOSITED_BEFORE_NOON
        if prepared >= calendar.anchor:
            return
        deposit = deposits.prepare(numbers, self._rooftop, drawer, prepared)
        if deposited < calendar.anchor:
            over = draw_over(self._source.rng, deposit)
            counted = deposited, over
            yield "gl_entries", deposits.bank(numbers, self._rooftop, deposit, drawer, counted)
            stated = calendar.noon(days_ago - DAYS_TO_STATEMENT)
            if stated < calendar.anchor:
                deposits.reconcile(deposit, stated)
        yield "deposits", deposit


def draw_over(rng: random.Random, deposit: Record) -> Decimal:
    """Choose how much more the bank counts than a deposit says; only notes and coins get lost."""
    cash = deposit["totals"]["cash"]
    if not happens(rng, OVER_OR_SHORT_PERCENT) or cash < dollars(100):
        return ZERO
    return cents(rng.choice((-2_000, -1_000, -500, -100, -5, 5, 100, 1_000)))


def _merged(ordered: Iterable[Payment]) -> Iterator[Payment]:
    """Join the payments that a customer makes in the same second on their account."""
    for _, same in itertools.groupby(ordered, lambda each: _moment(each)[:-1]):
        payments = tuple(same)
        applied = tuple(item for payment in payments for item in payment.applied)
        yield dataclasses.replace(payments[0], applied=applied)


def _moment(payment: Payment) -> tuple[int, str, str, int, str]:
    """Order payments by time; all but the last part is what payments on an account share."""
    kind = payment.kind if payment.kind == "payment" else f"{payment.kind} {payment.applied[0].key}"
    return (
        payment.at,
        payment.customer_id or "",
        kind,
        payment.returned or 0,
        payment.applied[0].key,
    )
