"""Double-entry journals: every entry balances to the cent, and corrections are new entries."""

from __future__ import annotations

import dataclasses
import typing as t

from automate_sandbox.instants import SECOND, render
from automate_sandbox.money import ZERO
from automate_sandbox.world.chart import CHART
from automate_sandbox.world.periods import ADJUSTING_PERIOD, fiscal_month, period_status
from automate_sandbox.world.rooftops import Rooftop, stamp

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from decimal import Decimal

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers


@dataclasses.dataclass(frozen=True, slots=True)
class Posting:
    """One line before it is numbered: a debit when `amount` is positive, a credit when negative."""

    role: str
    amount: Decimal
    text: str
    control: str | None = None
    control2: str | None = None
    units: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Header:
    """What an entry says of itself.

    Attributes:
        code: Journal code, a string with leading zeros.
        journal_type: What the journal is for.
        module: Where in the DMS the entry comes from.
        document: `{type, id, number}` of the deal, repair order, receipt or deposit behind it.
        posted: Seconds since 1970.
        accounting_date: Business date that it counts for; the posting's own date unless back-dated.
        adjusting: Whether it belongs to the 13th period.
    """

    code: str
    journal_type: str
    module: str
    document: Record | None
    posted: int
    accounting_date: date | None = None
    adjusting: bool = False


class UnbalancedError(ValueError):
    """The debits of an entry do not equal its credits: a fault of the sandbox itself."""


def post(numbers: Numbers, rooftop: Rooftop, header: Header, postings: Iterable[Posting]) -> Record:
    """Make a posted journal entry; postings of nothing are left out.

    Raises:
        UnbalancedError: Debits and credits differ.
    """
    number, entry_id = numbers.take("gl_entries")
    posted_on = rooftop.calendar.date_of(header.posted)
    counted_on = header.accounting_date or posted_on
    document = header.document or {}
    reference = document.get("number") or f"{number + 1:07d}"
    lines = [
        _line(sequence, posting, reference)
        for sequence, posting in enumerate((p for p in postings if p.amount), start=1)
    ]
    debit = sum((line["debit"] for line in lines), ZERO)
    credit = sum((line["credit"] for line in lines), ZERO)
    if debit != credit:
        message = f"entry {entry_id}: debits {debit}, credits {credit}"
        raise UnbalancedError(message)
    kind = document.get("type")
    fiscal_year, fiscal_period = fiscal_month(rooftop, counted_on)
    return {
        "journalEntryId": entry_id,
        "companyId": rooftop.company_id,
        "rooftopId": rooftop.rooftop_id,
        "journalCode": header.code,
        "journalType": header.journal_type,
        "referenceNumber": reference,
        "documentDate": posted_on.isoformat(),
        "accountingDate": counted_on.isoformat(),
        "postedAt": render(header.posted * SECOND),
        "fiscalYear": fiscal_year,
        "fiscalPeriod": ADJUSTING_PERIOD if header.adjusting else fiscal_period,
        "isAdjustingPeriod": header.adjusting,
        "periodStatus": _period_status(rooftop, counted_on, posted_on),
        "status": "posted",
        "reversesJournalEntryId": None,
        "reversedByJournalEntryId": None,
        "sourceModule": header.module,
        "sourceDocument": header.document,
        "dealId": document["id"] if kind == "deal" else None,
        "repairOrderId": document["id"] if kind == "repair_order" else None,
        "receiptId": document["id"] if kind == "receipt" else None,
        "totalDebit": debit,
        "totalCredit": credit,
        "lines": lines,
        **stamp(header.posted),
    }


def reverse(numbers: Numbers, rooftop: Rooftop, entry: Record, posted: int) -> Record:
    """Make the entry that takes another back, and mark the other as reversed.

    Args:
        numbers: Gives the new id.
        rooftop: Whose books these are.
        entry: What is taken back; its status, link and `updatedAt` change, its lines never do.
        posted: Seconds since 1970.
    """
    _, entry_id = numbers.take("gl_entries")
    posted_on = rooftop.calendar.date_of(posted)
    fiscal_year, fiscal_period = fiscal_month(rooftop, posted_on)
    entry |= {
        "status": "reversed",
        "reversedByJournalEntryId": entry_id,
        "updatedAt": render(posted * SECOND),
    }
    return entry | {
        "journalEntryId": entry_id,
        "documentDate": posted_on.isoformat(),
        "accountingDate": posted_on.isoformat(),
        "postedAt": render(posted * SECOND),
        "fiscalYear": fiscal_year,
        "fiscalPeriod": fiscal_period,
        "isAdjustingPeriod": False,
        "periodStatus": _period_status(rooftop, posted_on, posted_on),
        "status": "posted",
        "reversesJournalEntryId": entry["journalEntryId"],
        "reversedByJournalEntryId": None,
        "totalDebit": entry["totalCredit"],
        "totalCredit": entry["totalDebit"],
        "lines": [
            line
            | {
                "debit": line["credit"],
                "credit": line["debit"],
                "amount": -line["amount"],
                "unitCount": -line["unitCount"] if line["unitCount"] else None,
            }
            for line in entry["lines"]
        ],
        **stamp(posted),
    }


def _period_status(rooftop: Rooftop, counted_on: date, posted_on: date) -> str:
    """Tell it as of the day that the world is made on, or of a later posting."""
    return period_status(rooftop, counted_on, max(posted_on, rooftop.calendar.today))


def _line(sequence: int, posting: Posting, reference: str) -> Record:
    account = CHART[posting.role]
    return {
        "lineId": f"L{sequence:02d}",
        "sequence": sequence,
        "accountNumber": account.number,
        "debit": max(posting.amount, ZERO),
        "credit": max(-posting.amount, ZERO),
        "amount": posting.amount,
        "description": posting.text,
        "controlNumber": posting.control,
        "controlType": account.control if posting.control else None,
        "control2Number": posting.control2,
        "referenceNumber": reference,
        "departmentCode": account.department,
        "unitCount": posting.units,
        "isReconciled": False,
        "scheduleCode": account.schedule,
    }
