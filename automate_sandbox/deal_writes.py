"""Writes to deals that are there: their status, with all that follows in the books, and terms."""

from __future__ import annotations

import typing as t

from automate_sandbox.amounts import amount, term
from automate_sandbox.calls import Asked, Call, Changes, Outcome
from automate_sandbox.instants import SECOND, render
from automate_sandbox.money import ZERO, Record
from automate_sandbox.problems import Problem
from automate_sandbox.refusals import (
    existing,
    hold_status,
    hold_step,
    hold_version,
    not_allowed,
)
from automate_sandbox.world import deals
from automate_sandbox.world.worksheet import LENDERS, fill_totals

if t.TYPE_CHECKING:
    from decimal import Decimal

    from automate_sandbox.sandbox import Sandbox

STEPS: t.Final = {
    "penciled": ("pending", "contracted", "lost", "voided"),
    "pending": ("contracted", "lost", "voided"),
    "contracted": ("delivered", "lost"),
    "delivered": ("finalized", "unwound"),
    "finalized": ("unwound",),
}
"""Status of a deal to those that may follow it; the others are its end."""

OPEN: t.Final = frozenset({"penciled", "pending", "contracted"})
"""Terms can change."""

FOR_SALE: t.Final = {
    "contracted": frozenset({"in_stock", "transit"}),
    "delivered": frozenset({"in_stock"}),
}
"""Status that a deal gets to what its vehicle must be."""

FINANCED: t.Final = frozenset({"finance", "lease"})
RATED: t.Final = frozenset({"aprPercent", "termMonths"})
GREATEST_RATE: t.Final = 100
"""Percent a year."""


def change_status(sandbox: Sandbox, asked: Asked) -> Outcome:
    """Lead a deal a step on."""
    deal, vehicle = check_status(sandbox, asked)
    at = sandbox.clock.now() // SECOND
    rooftop = sandbox.rooftop(deal["rooftopId"])
    office = sandbox.office
    changes: Changes = [("deals", deal)]
    wanted = asked.payload["status"]
    if wanted == "contracted":
        deals.contract(deal, rooftop, at)
        changes += office.contract(deal, vehicle["cost"], at)
    elif wanted == "delivered":
        sale = deals.deliver(sandbox.numbers, rooftop, deal, vehicle, (at, None))
        changes += [("vehicles", vehicle), ("gl_entries", sale.entry)]
        changes += office.deliver(deal, vehicle["cost"], at)
    elif wanted == "finalized":
        entries = deals.finalize(sandbox.numbers, rooftop, deal, at)
        changes += [("gl_entries", entry) for entry in entries]
    elif wanted == "unwound":
        sale = deals.Sale(deal, vehicle, _entry_of(sandbox, deal))
        entries = [sale.entry, *deals.unwind(sandbox.source, rooftop, sale, at)]
        deal["unwindReason"] = asked.payload.get("reason") or deal["unwindReason"]
        changes += [("vehicles", vehicle), *(("gl_entries", entry) for entry in entries)]
        changes += office.unwind(deal, at)
    elif wanted == "voided":
        deals.void(deal, at)
    elif wanted == "lost":
        deals.lose(deal, at)
        changes += office.refund(deal, at)
    else:
        deal |= {"status": wanted, "updatedAt": render(at * SECOND)}
    return Outcome(200, deal, changes)


def check_status(sandbox: Sandbox, asked: Asked) -> tuple[Record, Record]:
    """Find a deal and its vehicle, unless the step is not to be taken.

    Raises:
        Problem: 404; 409 for another status than the expected one; 422 for a step that does not
            follow, a vehicle that is not for sale, a customer who was merged; 423 without approval.
    """
    deal = existing(sandbox, "deals", asked.key)
    wanted = asked.payload["status"]
    hold_status(deal, asked.payload["expectedStatus"])
    hold_step(deal, STEPS, wanted)
    vehicle = sandbox.ledger.record("vehicles", deal["vehicle"]["vehicleId"])
    if vehicle is None:
        raise Problem.invalid(422, "status", "the inventory no longer has the vehicle")
    if wanted in FOR_SALE and vehicle["status"] not in FOR_SALE[wanted]:
        raise Problem.invalid(422, "status", f"the vehicle is {vehicle['status']}")
    if wanted == "contracted":
        customer = sandbox.ledger.record("customers", deal["customerId"])
        if customer is None or customer["mergedIntoCustomerId"]:
            message = "the customer has been merged into another"
            raise Problem.invalid(422, "status", message, "customer_merged")
    elif wanted == "delivered":
        sandbox.approvals.hold(deal, "status")
    elif wanted == "unwound":
        _entry_of(sandbox, deal)
    return deal, vehicle


def change_terms(sandbox: Sandbox, asked: Asked) -> Outcome:
    """Change what the lender and the buyer have agreed on, before the delivery."""
    deal = existing(sandbox, "deals", asked.key)
    hold_version(deal, "expectedUpdatedAt", asked.payload.get("expectedUpdatedAt"))
    if deal["status"] not in OPEN:
        raise not_allowed(deal, "terms change before the delivery only", "finance")
    given = {name: value for name, value in asked.payload["finance"].items() if value is not None}
    _fill_in(deal, _hold_terms(deal, given), _cost(sandbox, deal))
    if deal["status"] == "contracted":
        sandbox.approvals.hold(deal, "finance")
    deal["updatedAt"] = render(sandbox.clock.now() // SECOND * SECOND)
    return Outcome(200, deal, [("deals", deal)])


def _hold_terms(deal: Record, given: Record) -> Record:
    """Take terms that a deal can have.

    Raises:
        Problem: 422 naming the field.
    """
    if deal["dealType"] not in FINANCED:
        raise Problem.invalid(422, "finance", "a deal that is paid in cash has no such terms")
    rate = amount(given, "aprPercent", deal["finance"]["aprPercent"])
    if rate >= GREATEST_RATE:
        raise Problem.invalid(422, "finance.aprPercent", f"expected less than {GREATEST_RATE}")
    terms = {
        "lenderCode": given.get("lenderCode"),
        "aprPercent": rate if "aprPercent" in given else None,
        "termMonths": term(given, "finance.termMonths"),
        "reserveAmount": amount(given, "reserveAmount", ZERO) if "reserveAmount" in given else None,
    }
    found = {name: value for name, value in terms.items() if value is not None}
    if not found:
        raise Problem.invalid(422, "finance", "expected something to change")
    return found


def _fill_in(deal: Record, terms: Record, cost: Decimal) -> None:
    """Put terms into a deal and compute what follows.

    A reserve that is not given is computed anew with the rate, where the lender's is known.

    Raises:
        Problem: 422 for a reserve that is more than the loan.
    """
    finance = deal["finance"]
    changes_rate = not RATED.isdisjoint(terms) and finance["buyRatePercent"] is not None
    reserve = terms.pop("reserveAmount", None if changes_rate else finance["reserveAmount"])
    finance |= terms
    if "lenderCode" in terms:
        lenders: dict[str, str] = dict(LENDERS)
        finance["lenderName"] = lenders.get(terms["lenderCode"])
    rates = (
        (tax["code"], tax["description"], tax["ratePercent"]) for tax in deal["taxes"]["items"]
    )
    fill_totals(deal, cost, tuple(rates))
    if reserve is None:
        return
    if reserve > finance["amountFinanced"]:
        raise Problem.invalid(422, "finance.reserveAmount", "expected no more than is financed")
    more = reserve - finance["reserveAmount"]
    finance["reserveAmount"] = reserve
    for part in ("back", "total"):
        deal["gross"][part] += more


def _cost(sandbox: Sandbox, deal: Record) -> Decimal:
    """Look up what the dealer paid for the vehicle of a deal.

    Raises:
        Problem: 422 when it is no longer in the inventory.
    """
    vehicle = sandbox.ledger.record("vehicles", deal["vehicle"]["vehicleId"])
    if vehicle is None:
        raise Problem.invalid(422, "finance", "the inventory no longer has the vehicle")
    cost: Decimal = vehicle["cost"]
    return cost


def _entry_of(sandbox: Sandbox, deal: Record) -> Record:
    """Find the journal entry of a delivery.

    Raises:
        Problem: 422 when there is none to take back.
    """
    table = sandbox.ledger.tables["gl_entries"]
    for key in sorted(table.find("controlNumber", deal["vehicle"]["stockNumber"])):
        entry = sandbox.ledger.record("gl_entries", key) or {}
        if (
            entry["dealId"] == deal["dealId"]
            and entry["journalType"] == "vehicle_sales"
            and entry["status"] == "posted"
            and not entry["reversesJournalEntryId"]
        ):
            return entry
    raise Problem.invalid(422, "status", "no journal entry of the delivery stands")


STATUS: t.Final = Call(
    change_status,
    check=check_status,
    is_queued=lambda sandbox, _: sandbox.rules.queue_deals,
    posts=True,
)
TERMS: t.Final = Call(change_terms)
