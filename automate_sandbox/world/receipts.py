"""Receipts of the cashier: down payments of deals, payments of repair orders, refunds, reversals.

A receipt posts its journal when it is written. What it is for stands open on an account until then:
the delivery of a deal takes the cash down from the customer's deposits, and the closing of a repair
order charges the customer's receivables, so that no money is booked twice.
"""

from __future__ import annotations

import dataclasses
import typing as t
import zlib

from automate_sandbox.instants import SECOND, render
from automate_sandbox.money import ZERO, dollars, percent_of
from automate_sandbox.world.calendar import DAY
from automate_sandbox.world.chance import happens
from automate_sandbox.world.journals import Header, Posting, post, reverse
from automate_sandbox.world.rooftops import Rooftop, stamp
from automate_sandbox.world.service import customer_balance

if t.TYPE_CHECKING:
    import random
    from collections.abc import Iterable
    from decimal import Decimal

    from automate_sandbox.money import Record
    from automate_sandbox.world.deals import Course
    from automate_sandbox.world.numbers import Numbers, Source

Posted = tuple["Record", "Record"]
"""A receipt and its journal entry."""

COUNTERPARTS: t.Final = {"deal": "customer_deposits", "repair_order": "receivable"}
"""Document that money is applied to, to the account where it stands open."""

DEPARTMENTS: t.Final = {"deal": "sales", "repair_order": "service"}

TENDERS: t.Final = {"card": 56, "cash": 20, "check": 16, "ach": 7, "other": 1}
"""How customers pay, in percent; `other` is a gift certificate."""

LARGE: t.Final = dollars(6_000)
"""From here on nobody pays in cash or by card."""

SPLIT_PERCENT: t.Final = 4
RETURNED_PERCENT: t.Final = 1
FORTNIGHT: t.Final = 14 * DAY
MISTAKEN_FOR: t.Final = 5 * 60
"""Seconds by which a receipt that is a mistake is older than the one in its place."""


class Application(t.NamedTuple):
    """What a payment is for: a deal or a repair order, and how much of it."""

    kind: str
    key: str
    number: str
    amount: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class Payment:
    """Money that a customer pays, or gets back when its amounts are negative.

    Attributes:
        at: Seconds since 1970.
        kind: The receipt's type.
        customer_id: Who pays.
        applied: What for.
        returned: When the bank returns the check, seconds since 1970.
    """

    at: int
    kind: str
    customer_id: str | None
    applied: tuple[Application, ...]
    returned: int | None = None

    @property
    def amount(self) -> Decimal:
        """Sum of what it is applied to."""
        return sum((application.amount for application in self.applied), ZERO)


def of_deal(rng: random.Random, deal: Record, course: Course) -> list[Payment]:
    """Choose how the cash down of a deal comes in, and goes back when the deal is unwound.

    Args:
        rng: Of the cashier.
        deal: With terms.
        course: Its steps.

    Returns:
        What has been paid so far.
    """
    due = deal["finance"]["cashDown"]
    planned = []
    hold = dollars(rng.choice((250, 500, 1_000)))
    if happens(rng, 25) and hold < due:
        held_at = rng.randrange(course.penciled + MISTAKEN_FOR, course.contracted)
        planned.append(deal_payment(deal, "deposit", hold, held_at))
        due -= hold
    # A few promise the rest for their next payday, and drive away.
    promised = percent_of(dollars(40), due) if happens(rng, 5) else ZERO
    signed = course.contracted if happens(rng, 60) else course.delivered
    planned.append(deal_payment(deal, "down_payment", due - promised, signed))
    promised_at = course.delivered + rng.randrange(DAY, 10 * DAY)
    planned.append(deal_payment(deal, "down_payment", promised, promised_at))
    if course.unwound is not None:
        planned = [payment for payment in planned if payment.at < (course.unwound or 0)]
        paid_back = -received(planned, course.unwound)
        planned.append(deal_payment(deal, "refund", paid_back, course.unwound))
    return [payment for payment in planned if payment.amount and payment.at < course.until]


def deal_payment(deal: Record, kind: str, amount: Decimal, at: int) -> Payment:
    """Make a payment for a deal at an instant (seconds)."""
    application = Application("deal", deal["dealId"], deal["dealNumber"], amount)
    return Payment(at, kind, deal["customerId"], (application,))


def order_payment(order: Record, at: int, returned: int | None = None) -> Payment:
    """Make the payment of what a customer owes for a repair order at an instant (seconds)."""
    application = Application(
        "repair_order", order["repairOrderId"], order["roNumber"], customer_balance(order)
    )
    return Payment(at, "payment", order["customerId"], (application,), returned)


def received(payments: Iterable[Payment], until: int) -> Decimal:
    """Sum the payments that have come in by an instant (seconds)."""
    return sum((payment.amount for payment in payments if payment.at <= until), ZERO)


def of_order(rng: random.Random, order: Record, closed: int, *, on_account: bool) -> list[Payment]:
    """Plan how a customer pays for a repair order, now and later.

    Args:
        rng: Of the cashier.
        order: With its customer's part closed and not paid.
        closed: When that was, seconds since 1970.
        on_account: Whether the customer pays each fortnight for everything at once.
    """
    if on_account:
        return [order_payment(order, _payday(order["customerId"], closed))]
    if not happens(rng, RETURNED_PERCENT):
        return [order_payment(order, closed)]
    returned = closed + rng.randrange(3 * DAY, 6 * DAY)
    paid_again = returned + rng.randrange(DAY, 10 * DAY)
    return [order_payment(order, closed, returned), order_payment(order, paid_again)]


def take(source: Source, rooftop: Rooftop, payment: Payment) -> Posted:
    """Write the receipt of a payment and post its journal.

    Args:
        source: Gives id, number and tenders.
        rooftop: Whose cashier it is.
        payment: Positive ones wait in the drawer; what is paid out comes from the bank.
    """
    tenders = _draw_tenders(source.rng, payment)
    return _write(source.numbers, rooftop, payment, tenders)


def void(numbers: Numbers, rooftop: Rooftop, posted: Posted, at: int) -> Record:
    """Void a receipt that was written by mistake and has not left the drawer.

    Args:
        numbers: Gives the id of the reversing entry.
        rooftop: Whose cashier it is.
        posted: The receipt and its entry; both change in place.
        at: Seconds since 1970.

    Returns:
        The reversing entry.
    """
    receipt, entry = posted
    voided = render(at * SECOND)
    receipt |= {"status": "voided", "voidedAt": voided, "updatedAt": voided}
    return reverse(numbers, rooftop, entry, at)


def return_check(numbers: Numbers, rooftop: Rooftop, receipt: Record, at: int) -> Posted:
    """Reverse a receipt whose check the bank has returned; the money leaves the bank again.

    Args:
        numbers: Gives ids and number.
        rooftop: Whose cashier it is.
        receipt: Deposited; its status changes in place, its deposit stays.
        at: Seconds since 1970.
    """
    applied = tuple(
        Application(item["type"], item["id"], item["number"], -item["amount"])
        for item in receipt["appliedTo"]
    )
    tenders = [tender | {"amount": -tender["amount"]} for tender in receipt["tenders"]]
    payment = Payment(at, "reversal", receipt["customerId"], applied)
    reversal, entry = _write(numbers, rooftop, payment, tenders)
    reversal["reversesReceiptId"] = receipt["receiptId"]
    receipt |= {"status": "reversed", "updatedAt": render(at * SECOND)}
    return reversal, entry


def _write(numbers: Numbers, rooftop: Rooftop, payment: Payment, tenders: list[Record]) -> Posted:
    number, receipt_id = numbers.take("receipts")
    receipt_number = f"{number + 4_218:08d}"
    amount = payment.amount
    comes_in = amount > ZERO
    header = Header(
        code="050" if comes_in else "051",
        journal_type="cash_receipts" if comes_in else "cash_disbursements",
        module="cashiering",
        document={"type": "receipt", "id": receipt_id, "number": receipt_number},
        posted=payment.at,
    )
    text = f"Receipt {receipt_number}"
    lines = [Posting("cash" if comes_in else "bank", amount, text)]
    lines += [
        Posting(COUNTERPARTS[item.kind], -item.amount, text, payment.customer_id, item.number)
        for item in payment.applied
    ]
    entry = post(numbers, rooftop, header, lines)
    receipt = {
        "receiptId": receipt_id,
        "rooftopId": rooftop.rooftop_id,
        "receiptNumber": receipt_number,
        "receiptType": payment.kind,
        "status": "open" if comes_in else "posted",
        "receivedAt": render(payment.at * SECOND),
        "businessDate": entry["documentDate"],
        "department": DEPARTMENTS[payment.applied[0].kind],
        "customerId": payment.customer_id,
        "appliedTo": [
            {"type": item.kind, "id": item.key, "number": item.number, "amount": item.amount}
            for item in payment.applied
        ],
        "tenders": tenders,
        "amount": amount,
        "depositId": None,
        "journalEntryId": entry["journalEntryId"],
        "voidedAt": None,
        "reversesReceiptId": None,
        **stamp(payment.at),
    }
    return receipt, entry


def _draw_tenders(rng: random.Random, payment: Payment) -> list[Record]:
    amount = payment.amount
    if amount < ZERO or payment.returned is not None:
        return [_tender(rng, "check", amount)]
    if amount >= LARGE:
        return [_tender(rng, rng.choice(("check", "ach")), amount)]
    if happens(rng, SPLIT_PERCENT):
        part = percent_of(dollars(30), amount)
        tenders = [_tender(rng, "cash", part), _tender(rng, "card", amount - part)]
        return [tender for tender in tenders if tender["amount"]]
    return [_tender(rng, rng.choices(tuple(TENDERS), tuple(TENDERS.values()))[0], amount)]


def _tender(rng: random.Random, kind: str, amount: Decimal) -> Record:
    """Make a tender; its reference is a check's number, an approval or a trace, never a card's."""
    digits = {"check": 4, "card": 6, "ach": 7}.get(kind)
    reference = f"{rng.randrange(10**digits):0{digits}d}" if digits else None
    return {"tenderType": kind, "amount": amount, "reference": reference}


def _payday(customer_id: str, closed: int) -> int:
    """Choose the instant at which a customer pays their account, five days after or later."""
    earliest = closed + 5 * DAY
    return earliest + (zlib.crc32(customer_id.encode()) - earliest) % FORTNIGHT
