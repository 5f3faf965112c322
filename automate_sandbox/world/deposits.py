"""Deposits: the receipts of a business day are counted, brought to the bank, and reconciled."""

from __future__ import annotations

import typing as t

from automate_sandbox.instants import SECOND, render
from automate_sandbox.money import ZERO
from automate_sandbox.world.chart import CHART
from automate_sandbox.world.journals import Header, Posting, post
from automate_sandbox.world.rooftops import Rooftop, stamp

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers

TOTALS: t.Final = {
    "cash": "cash",
    "check": "checks",
    "card": "cards",
    "ach": "ach",
    "other": "other",
}
"""Type of a tender to its total in a deposit."""


def prepare(numbers: Numbers, rooftop: Rooftop, receipts: Sequence[Record], at: int) -> Record:
    """Count the receipts of a business day.

    Args:
        numbers: Gives id and number.
        rooftop: Whose drawer it is.
        receipts: Open ones of the same business date; changed in place.
        at: Seconds since 1970.
    """
    number, deposit_id = numbers.take("deposits")
    totals = dict.fromkeys(TOTALS.values(), ZERO)
    departments: dict[str, Decimal] = {}
    for receipt in receipts:
        for tender in receipt["tenders"]:
            totals[TOTALS[tender["tenderType"]]] += tender["amount"]
        department = receipt["department"]
        departments[department] = departments.get(department, ZERO) + receipt["amount"]
        receipt["depositId"] = deposit_id
    _mark(receipts, "posted", at)
    expected = sum(totals.values(), ZERO)
    return {
        "depositId": deposit_id,
        "rooftopId": rooftop.rooftop_id,
        "depositNumber": f"DP{number + 1:06d}",
        "depositDate": None,
        "businessDate": receipts[0]["businessDate"],
        "bankGlAccountNumber": CHART["bank"].number,
        "status": "prepared",
        "totals": totals | {"total": expected},
        "byDepartment": [
            {"department": department, "total": total}
            for department, total in sorted(departments.items())
        ],
        "receiptIds": [receipt["receiptId"] for receipt in receipts],
        "expectedAmount": expected,
        "bankAmount": None,
        "overShort": None,
        "journalEntryId": None,
        **stamp(at),
    }


def bank(
    numbers: Numbers,
    rooftop: Rooftop,
    deposit: Record,
    receipts: Sequence[Record],
    counted: tuple[int, Decimal],
) -> Record:
    """Bring a deposit to the bank, which may count another sum, and post its journal.

    Args:
        numbers: Gives the entry's id.
        rooftop: Whose bank it is.
        deposit: Prepared; changed in place.
        receipts: Its receipts; changed in place.
        counted: When, in seconds since 1970, and how much more the bank counts than expected.

    Returns:
        The journal entry.
    """
    at, over = counted
    expected, number = deposit["expectedAmount"], deposit["depositNumber"]
    header = Header(
        code="055",
        journal_type="bank_deposits",
        module="cashiering",
        document={"type": "deposit", "id": deposit["depositId"], "number": number},
        posted=at,
    )
    lines = [
        Posting("bank", expected + over, f"Deposit {number}"),
        Posting("cash", -expected, f"Deposit {number}"),
        Posting("over_short", -over, f"Over or short, deposit {number}"),
    ]
    entry = post(numbers, rooftop, header, lines)
    deposit |= {
        "status": "deposited",
        "depositDate": entry["documentDate"],
        "bankAmount": expected + over,
        "overShort": over,
        "journalEntryId": entry["journalEntryId"],
    }
    _mark([deposit], "deposited", at)
    _mark(receipts, "deposited", at)
    return entry


def reconcile(deposit: Record, at: int) -> None:
    """Find a deposit on the bank's statement at an instant (seconds)."""
    _mark([deposit], "reconciled", at)


def _mark(records: Sequence[Record], status: str, at: int) -> None:
    for record in records:
        record |= {"status": status, "updatedAt": render(at * SECOND)}
