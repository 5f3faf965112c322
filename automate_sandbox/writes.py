"""The documented writes: customers are upserted, deals penciled, appointments booked."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from automate_sandbox.amounts import amount, term
from automate_sandbox.calls import Asked, Outcome
from automate_sandbox.instants import SECOND, render
from automate_sandbox.matching import match_customer
from automate_sandbox.money import ZERO, Record
from automate_sandbox.problems import Problem
from automate_sandbox.world.appointments import appointment_number
from automate_sandbox.world.customers import customer_number
from automate_sandbox.world.deals import blank_deal
from automate_sandbox.world.rooftops import stamp
from automate_sandbox.world.worksheet import TaxRates, fill_totals, tax_rates

if t.TYPE_CHECKING:
    from automate_sandbox.sandbox import Sandbox
    from automate_sandbox.world.rooftops import Rooftop

BLANK_CUSTOMER: t.Final[Record] = {
    "externalId": None,
    "customerType": "lead",
    "companyName": None,
    "firstName": None,
    "middleName": None,
    "lastName": None,
    "emails": [],
    "phones": [],
    "address": None,
    "driversLicense": None,
    "dateOfBirth": None,
    "marketingOptIn": None,
    "preferredContact": None,
    "language": None,
    "source": None,
    "notes": None,
    "salespersonId": None,
    "arAccountNumber": None,
    "taxExempt": False,
    "isActive": True,
    "mergedIntoCustomerId": None,
}

BLANK_APPOINTMENT: t.Final[Record] = {
    "externalId": None,
    "advisorId": None,
    "opCodes": [],
    "concern": None,
    "transportation": None,
    "notes": None,
}


def upsert_customer(sandbox: Sandbox, asked: Asked) -> Outcome:
    """Create a customer, or update the one with this `externalId` or with this name and contact."""
    payload = asked.payload
    at = sandbox.clock.now() // SECOND
    match = match_customer(sandbox.ledger, payload)
    if match:
        found, matched_by = match
        record = found | payload | {"updatedAt": render(at * SECOND)}
        if matched_by == "externalId":
            # A customer who was merged into this one is still called by the id it had.
            record["externalId"] = found["externalId"]
    else:
        matched_by = None
        number, customer_id = sandbox.numbers.take("customers")
        record = {
            "customerId": customer_id,
            "rooftopId": sandbox.rooftop(None).rooftop_id,
            "customerNumber": customer_number(number),
            **BLANK_CUSTOMER,
            **payload,
            **stamp(at),
        }
    answer = {
        "customerId": record["customerId"],
        "status": "upserted",
        "matchedBy": matched_by,
        "updatedAt": record["updatedAt"],
    }
    return Outcome(200, answer, [("customers", record)])


def create_deal(sandbox: Sandbox, asked: Asked) -> Outcome:
    """Pencil a deal on a vehicle that is for sale; the same body twice makes two deals."""
    payload = asked.payload
    at = sandbox.clock.now() // SECOND
    _hold_reference(sandbox, payload.get("referenceId"))
    customer = standing_customer(sandbox, payload["customerId"])
    vehicle = _available(sandbox, payload["vehicle"].get("vin") or "")
    for field in ("salespersonId", "fniManagerId"):
        hold_user(sandbox, field, payload.get(field))
    rooftop = sandbox.rooftop(vehicle["rooftopId"])
    deal = blank_deal(sandbox.numbers, rooftop, vehicle, customer["customerId"], at)
    pricing, finance = payload.get("pricing") or {}, payload.get("finance") or {}
    trade = payload.get("tradeIn")
    months = term(finance, "finance.termMonths")
    deal |= {
        "referenceId": payload.get("referenceId"),
        "salespersonId": payload.get("salespersonId"),
        "fniManagerId": payload.get("fniManagerId"),
        "dealType": "finance" if months else "cash",
        "fundingStatus": "unfunded" if months else "not_applicable",
        "pricing": {
            "salePrice": amount(pricing, "salePrice", vehicle["salePrice"] or ZERO),
            "discounts": amount(pricing, "discounts", ZERO),
            "rebates": amount(pricing, "rebates", ZERO),
            "msrp": vehicle["msrp"],
            "incentives": ZERO,
            "accessories": ZERO,
        },
        "tradeIns": [
            {
                "vin": trade.get("vin"),
                "acv": amount(trade, "acv", ZERO),
                "payoff": amount(trade, "payoff", ZERO),
                "lienholder": trade.get("lienholder"),
            }
        ]
        if trade
        else [],
        "finance": {
            "cashDown": amount(finance, "cashDown", ZERO),
            "termMonths": months,
            "aprPercent": amount(finance, "aprPercent", Decimal(0)) if months else None,
            "lenderCode": finance.get("lenderCode"),
            "lenderName": None,
            "buyRatePercent": None,
            "products": [
                {
                    "code": product.get("code"),
                    "name": product.get("name"),
                    "price": amount(product, "price", ZERO),
                    "type": None,
                    "provider": None,
                    "contractNumber": None,
                    "cost": ZERO,
                    "cancelledOn": None,
                }
                for product in finance.get("products") or ()
                if product
            ],
        },
        "fees": [
            {
                "code": fee.get("code"),
                "description": fee.get("description"),
                "amount": amount(fee, "amount", ZERO),
                "cost": ZERO,
                "taxable": False,
            }
            for fee in payload.get("fees") or ()
            if fee
        ],
    }
    deal["tradeIn"] = deal["tradeIns"][0] if trade else None
    rates = _tax_rates(payload.get("taxes") or {}, rooftop)
    fill_totals(deal, vehicle["cost"], () if customer["taxExempt"] else rates)
    answer = {name: deal[name] for name in ("dealId", "dealNumber", "status", "createdAt")}
    return Outcome(201, answer, [("deals", deal)])


def create_appointment(sandbox: Sandbox, asked: Asked) -> Outcome:
    """Book an appointment; nothing tells a retried booking from a second one."""
    payload = asked.payload
    at = sandbox.clock.now() // SECOND
    customer = standing_customer(sandbox, payload["customerId"])
    hold_user(sandbox, "advisorId", payload.get("advisorId"))
    vehicles = sandbox.ledger.tables["vehicles"].find("vin", payload["vin"])
    number, appointment_id = sandbox.numbers.take("service_appointments")
    record = {
        "appointmentId": appointment_id,
        "rooftopId": sandbox.rooftop(customer["rooftopId"]).rooftop_id,
        "appointmentNumber": appointment_number(number),
        "externalId": None,
        "vehicleId": min(vehicles, default=None),
        "status": "scheduled",
        "durationMinutes": 60,
        "repairOrderId": None,
        "roNumber": None,
        "cancelledAt": None,
        "cancelReason": None,
        "department": "service",
        **BLANK_APPOINTMENT,
        **payload,
        **stamp(at),
    }
    if not sandbox.rules.external_id_echo:
        record["externalId"] = None
    answer = {name: record[name] for name in ("appointmentId", "status", "department", "createdAt")}
    return Outcome(201, answer, [("service_appointments", record)])


def standing_customer(sandbox: Sandbox, key: str) -> Record:
    """Find a customer that something can be written for.

    Raises:
        Problem: 422 for one who is not there, or has been merged into another.
    """
    record = sandbox.ledger.record("customers", key)
    if record is None:
        raise Problem.invalid(422, "customerId", "there is no such customer")
    if record["mergedIntoCustomerId"]:
        message = "this customer has been merged into another"
        raise Problem.invalid(422, "customerId", message, "customer_merged")
    return record


def _hold_reference(sandbox: Sandbox, reference: str | None) -> None:
    """Refuse the second deal with a reference, where the rules say so."""
    taken = reference and sandbox.ledger.tables["deals"].find("referenceId", reference)
    if sandbox.rules.unique_references and taken:
        message = "there is a deal with this reference"
        raise Problem.invalid(409, "referenceId", message, "duplicate")


def _available(sandbox: Sandbox, vin: str) -> Record:
    for key in sandbox.ledger.tables["vehicles"].find("vin", vin):
        vehicle = sandbox.ledger.record("vehicles", key) or {}
        if vehicle["status"] in {"in_stock", "transit"}:
            return vehicle
        raise Problem.invalid(422, "vehicle.vin", "this vehicle is no longer for sale")
    raise Problem.invalid(422, "vehicle.vin", "the inventory has no such vehicle")


def hold_user(sandbox: Sandbox, field: str, key: str | None) -> None:
    """Refuse a user who is not there; None is nobody.

    Raises:
        Problem: 422.
    """
    if key and key not in sandbox.ledger.tables["users"].rows:
        raise Problem.invalid(422, field, "there is no such user")


def _tax_rates(taxes: Record, rooftop: Rooftop) -> TaxRates:
    if taxes.get("ratePercent") is None:
        return tax_rates(rooftop)
    return (("SALES", "Sales tax", amount(taxes, "ratePercent", ZERO)),)
