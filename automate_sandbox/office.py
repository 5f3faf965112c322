"""The office as time goes on: recaps, receipts, deposits, back-dated entries, ends of months."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from automate_sandbox.drawers import changed_since
from automate_sandbox.instants import SECOND, render
from automate_sandbox.money import ZERO, Record, cents
from automate_sandbox.world import deposits, periods, recaps, receipts, service
from automate_sandbox.world.cashbook import draw_over
from automate_sandbox.world.chance import happens
from automate_sandbox.world.general import Expense, spend

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from automate_sandbox.sandbox import Sandbox
    from automate_sandbox.world.numbers import Source
    from automate_sandbox.world.receipts import Payment

Changes = list[tuple[str, Record]]
"""Stream and new version."""

Pick = t.Callable[[str, str, frozenset[str]], Record | None]
"""Chooses a record of a stream, among those whose filter value is wanted."""

Period = tuple[str, int, int]
"""Company, fiscal year and period."""

TRIES: t.Final = 5
SIGNED_PERCENT: t.Final = 60
"""Down payments that are made with the contract; the others come with the delivery."""


class Office:
    """Does the accounting of what happens to deals and repair orders, and its own work."""

    def __init__(self, sandbox: Sandbox, source: Source, pick: Pick) -> None:
        """Begin work.

        Args:
            sandbox: Whose books these are.
            source: Gives ids, numbers and chances.
            pick: Chooses what is worked on.
        """
        self._sandbox = sandbox
        self._source = source
        self._pick = pick
        self._month_ends = 0

    def contract(self, deal: Record, cost: Decimal, at: int) -> Changes:
        """Recap a contract that was just signed; most buyers pay the cash down now."""
        changes: Changes = []
        due = deal["finance"]["cashDown"] - self._received(deal)
        if due > ZERO and happens(self._source.rng, SIGNED_PERCENT):
            changes += self._take(receipts.deal_payment(deal, "down_payment", due, at), deal)
            due = ZERO
        paid = deal["finance"]["cashDown"] - due
        recap = recaps.draft(self._source.numbers, deal, cost, paid, at)
        return [*changes, ("deal_recaps", recap)]

    def deliver(self, deal: Record, cost: Decimal, at: int) -> Changes:
        """Recap a delivery, for which the rest of the cash down comes in."""
        changes: Changes = []
        total = deal["finance"]["cashDown"]
        due = total - self._received(deal)
        if due:
            kind = "down_payment" if due > ZERO else "refund"
            changes += self._take(receipts.deal_payment(deal, kind, due, at), deal)
        drafted = self._newest_recap(deal["dealId"])
        if drafted is None:
            drafted = recaps.draft(self._source.numbers, deal, cost, total, at)
            changes.append(("deal_recaps", drafted))
        recap = recaps.finish(self._source, deal, drafted, total, at)
        return [*changes, ("deal_recaps", recap)]

    def refund(self, deal: Record, at: int) -> Changes:
        """Give a buyer back what they have paid for a deal that comes to nothing."""
        paid = self._received(deal)
        if paid <= ZERO:
            return []
        return self._take(receipts.deal_payment(deal, "refund", -paid, at), deal)

    def unwind(self, deal: Record, at: int) -> Changes:
        """Take a deal's recap back, and give the buyer back what they have paid."""
        changes = self.refund(deal, at)
        recap = self._newest_recap(deal["dealId"])
        if recap is not None and recap["recapStatus"] in {"final", "revised"}:
            reversal = recaps.reverse(self._source.numbers, recap, at)
            changes.append(("deal_recaps", reversal))
        return changes

    def collect(self, order: Record, at: int) -> Changes:
        """Let a customer pay for an order whose part of it was just closed, unless on account.

        Args:
            order: Changed in place.
            at: Seconds since 1970.
        """
        customer = self._sandbox.ledger.record("customers", order["customerId"] or "")
        if customer is not None and customer["arAccountNumber"]:
            return []
        return self._pay(order, at)

    def pay_account(self, at: int) -> Changes:
        """Let a customer with an account pay for a closed order."""
        for _ in range(TRIES):
            wanted = frozenset({"closed", "partially_closed"})
            order = self._pick("repair_orders", "status", wanted)
            changes = self._pay(order, at) if order else []
            if order and changes:
                return [("repair_orders", order), *changes]
        return []

    def deposit(self, at: int) -> Changes:
        """Bring a deposit to the bank: a prepared one, or what is in a drawer of one day."""
        drawers = self._sandbox.drawers
        numbers, ledger = self._source.numbers, self._sandbox.ledger
        deposit = drawers.take_prepared()
        if deposit is not None:
            found = [ledger.record("receipts", key) for key in deposit["receiptIds"]]
            counted = [receipt for receipt in found if receipt]
            rooftop = self._sandbox.rooftop(deposit["rooftopId"])
        else:
            filled = drawers.filled()
            if not filled:
                return []
            rooftop = self._sandbox.rooftop(self._source.rng.choice(filled))
            counted = drawers.empty(rooftop.rooftop_id)
            if not counted:
                return []
            deposit = deposits.prepare(numbers, rooftop, counted, at)
        over = draw_over(self._source.rng, deposit)
        entry = deposits.bank(numbers, rooftop, deposit, counted, (at, over))
        return [
            ("deposits", deposit),
            ("gl_entries", entry),
            *(("receipts", receipt) for receipt in counted),
        ]

    def back_date(self, at: int) -> Changes:
        """Post an expense into the month before, which is closed."""
        rng = self._source.rng
        rooftop = rng.choice(list(self._sandbox.rooftops.values()))
        counted_on = rooftop.calendar.date_of(at).replace(day=1) - timedelta(days=1)
        expense = Expense("utilities", cents(rng.randrange(5_000, 90_000)), counted_on)
        return [("gl_entries", spend(self._source.numbers, rooftop, at, expense))]

    def revise_recap(self, at: int) -> Changes:
        """Recap a deal anew whose sale holds."""
        for _ in range(TRIES):
            recap = self._pick("deal_recaps", "", frozenset())
            if recap and recap["recapStatus"] == "final":
                newest = self._newest_recap(recap["dealId"])
                if newest and newest["dealRecapId"] == recap["dealRecapId"]:
                    return [("deal_recaps", recaps.revise(self._source, recap, at))]
        return []

    def turn_month(self, at: int) -> Changes:
        """Close the periods that are over, with their entries, and open those that have begun."""
        if at < self._month_ends:
            return []
        changes: Changes = []
        ends = []
        closed: dict[Period, int] = {}
        table = self._sandbox.ledger.tables["accounting_periods"]
        records = [self._sandbox.ledger.record("accounting_periods", key) for key in table.rows]
        known = {
            (period["companyId"], period["fiscalYear"], period["fiscalPeriod"]): period
            for period in records
            if period
        }
        for rooftop in self._sandbox.rooftops.values():
            today = rooftop.calendar.date_of(at)
            for span in periods.spans(rooftop, rooftop.calendar.today, today):
                name = rooftop.company_id, span.year, span.period
                period = known.get(name) or periods.make_period(
                    self._source.numbers, rooftop, span, span.end, at
                )
                if span.end < today and period["periodStatus"] == "open":
                    periods.close_period(period, at)
                    closed[name] = rooftop.calendar.begins(span.start)
                if name in closed or name not in known:
                    changes.append(("accounting_periods", period))
                if span.end >= today:
                    ends.append(periods.closing(rooftop, span))
        self._month_ends = min(ends)
        if closed:
            changes += self._closed_entries(closed, at)
        return changes

    def _closed_entries(self, closed: Mapping[Period, int], at: int) -> Changes:
        """Have the entries of periods that were just closed say so.

        Args:
            closed: Period to its first instant; no entry of it was posted before.
            at: Seconds since 1970.
        """
        changes: Changes = []
        since = min(closed.values()) * SECOND
        for entry in changed_since(self._sandbox, "gl_entries", since):
            name = entry["companyId"], entry["fiscalYear"], entry["fiscalPeriod"]
            if name in closed and entry["periodStatus"] == "open":
                entry |= {"periodStatus": "closed", "updatedAt": render(at * SECOND)}
                changes.append(("gl_entries", entry))
        return changes

    def _take(self, payment: Payment, record: Record) -> Changes:
        """Write the receipt of a payment for a deal or an order."""
        rooftop = self._sandbox.rooftop(record["rooftopId"])
        receipt, entry = receipts.take(self._source, rooftop, payment)
        self._sandbox.drawers.put(receipt)
        return [("receipts", receipt), ("gl_entries", entry)]

    def _pay(self, order: Record, at: int) -> Changes:
        closed = {p["payType"] for p in order["payTypeStatuses"] if p["status"] == "closed"}
        if "customer_pay" not in closed or service.customer_balance(order) <= ZERO:
            return []
        payment = receipts.order_payment(order, at)
        service.receive(order, payment.amount, at)
        return self._take(payment, order)

    def _received(self, deal: Record) -> Decimal:
        """Sum what has come in for a deal."""
        ledger = self._sandbox.ledger
        found = (
            ledger.record("receipts", key)
            for key in ledger.tables["receipts"].find("dealId", deal["dealId"])
        )
        return sum(
            (
                item["amount"]
                for receipt in found
                if receipt and receipt["status"] != "voided"
                for item in receipt["appliedTo"]
                if item["id"] == deal["dealId"]
            ),
            ZERO,
        )

    def _newest_recap(self, deal_id: str) -> Record | None:
        ledger = self._sandbox.ledger
        keys = ledger.tables["deal_recaps"].find("dealId", deal_id)
        found = (ledger.record("deal_recaps", key) for key in keys)
        return max((recap for recap in found if recap), key=_version, default=None)


def _version(recap: Record) -> int:
    version: int = recap["version"]
    return version
