"""Deals and their steps: pencil, contract, deliver, finalize; unwind, void, lose."""

from __future__ import annotations

import dataclasses
import typing as t
from datetime import timedelta

from automate_sandbox.instants import SECOND, render
from automate_sandbox.money import ZERO
from automate_sandbox.world.calendar import utc_year
from automate_sandbox.world.chance import happens
from automate_sandbox.world.journals import Header, Posting, post, reverse
from automate_sandbox.world.rooftops import Rooftop, stamp
from automate_sandbox.world.worksheet import draw_terms, fill_totals, tax_rates

if t.TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers, Source

SALES_JOURNALS: t.Final = {"new": "010", "used": "020", "certified": "020"}
SENTINEL_DATE: t.Final = "1000-01-01"
AHEAD_DAYS: t.Final = 90
"""So far ahead of its signing a contract may be dated."""

UNWIND_REASONS: t.Final = ("financing declined", "buyer returned vehicle", "title problem")


def blank_deal(
    numbers: Numbers, rooftop: Rooftop, vehicle: Record, customer_id: str, at: int
) -> Record:
    """Make a penciled deal without terms.

    Args:
        numbers: Gives id and deal number.
        rooftop: Where it is written.
        vehicle: From the inventory.
        customer_id: The buyer.
        at: Seconds since 1970.
    """
    number, deal_id = numbers.take("deals")
    return {
        "dealId": deal_id,
        "rooftopId": rooftop.rooftop_id,
        "dealNumber": f"D-{utc_year(at)}-{number + 128:05d}",
        "referenceId": None,
        "dealType": "cash",
        "saleClass": vehicle["condition"],
        "status": "penciled",
        "fundingStatus": "not_applicable",
        "accountingStatus": "not_sent",
        "customerId": customer_id,
        "coBuyerCustomerIds": [],
        "vehicle": {
            "vehicleId": vehicle["vehicleId"],
            "vin": vehicle["vin"],
            "stockNumber": vehicle["stockNumber"],
            "condition": vehicle["condition"],
            "odometer": vehicle["odometer"],
        },
        "pricing": None,
        "tradeIn": None,
        "tradeIns": [],
        "finance": None,
        "fees": [],
        "taxes": None,
        "gross": None,
        "salespersonId": None,
        "fniManagerId": None,
        "contractDate": None,
        "soldDate": None,
        "deliveredAt": None,
        "fundedAt": None,
        "finalizedAt": None,
        "unwoundAt": None,
        "unwindReason": None,
        "voidedAt": None,
        "previousDealId": None,
        **stamp(at),
    }


def pencil(
    source: Source, rooftop: Rooftop, vehicle: Record, customer: tuple[str, bool], at: int
) -> Record:
    """Make a penciled deal with terms.

    Args:
        source: Gives id, deal number and terms.
        rooftop: Where it is written.
        vehicle: In stock.
        customer: Id of the buyer and whether they are exempt from sales tax.
        at: Seconds since 1970.
    """
    rng = source.rng
    customer_id, tax_exempt = customer
    deal = blank_deal(source.numbers, rooftop, vehicle, customer_id, at)
    deal_type = rng.choices(("finance", "cash", "lease"), (70, 18, 12))[0]
    deal |= draw_terms(rng, vehicle, deal_type, numbers_of(deal)) | {
        "dealType": deal_type,
        "fundingStatus": "not_applicable" if deal_type == "cash" else "unfunded",
        "referenceId": f"web-{numbers_of(deal):08d}" if happens(rng, 20) else None,
        "salespersonId": rng.choice(rooftop.staff["salesperson"]),
        "fniManagerId": rng.choice(rooftop.staff["fni_manager"]),
    }
    deal["tradeIn"] = deal["tradeIns"][0] if deal["tradeIns"] else None
    fill_totals(deal, vehicle["cost"], () if tax_exempt else tax_rates(rooftop))
    return deal


def numbers_of(deal: Record) -> int:
    """Count in the deal's number: 128 of `D-2026-00128`."""
    return int(deal["dealNumber"].rsplit("-", 1)[1])


def contract(deal: Record, rooftop: Rooftop, at: int) -> None:
    """Sign the contract; its date may be a sentinel, as old deals have them, or far ahead."""
    number, today = numbers_of(deal), rooftop.calendar.date_of(at)
    ahead = timedelta(days=AHEAD_DAYS if number % 19 == 0 else 0)
    signed = SENTINEL_DATE if number % 97 == 0 else (today + ahead).isoformat()
    funding = "not_applicable" if deal["dealType"] == "cash" else "in_transit"
    _step(deal, at, status="contracted", contractDate=signed, fundingStatus=funding)


@dataclasses.dataclass(frozen=True, slots=True)
class Course:
    """When a deal takes its steps, in seconds since 1970.

    Attributes:
        penciled: Written down.
        contracted: Signed.
        delivered: Handed over.
        until: Steps from here on are still to come.
        unwound: Taken back; None when the sale holds.
    """

    penciled: int
    contracted: int
    delivered: int
    until: int
    unwound: int | None = None


@dataclasses.dataclass
class Sale:
    """A deal with what it moves: the vehicle, and once delivered the journal entry."""

    deal: Record
    vehicle: Record
    entry: Record


def deliver(
    numbers: Numbers,
    rooftop: Rooftop,
    deal: Record,
    vehicle: Record,
    delivery: tuple[int, date | None],
) -> Sale:
    """Hand the vehicle over: the deal is sold, the vehicle leaves the stock, the journal is posted.

    Args:
        numbers: Gives the entry's id.
        rooftop: Whose deal it is.
        deal: Contracted; changed in place.
        vehicle: In stock; changed in place.
        delivery: When, in seconds since 1970, and the accounting date if the entry is back-dated.
    """
    at, accounting_date = delivery
    _step(
        deal,
        at,
        status="delivered",
        soldDate=rooftop.calendar.date_of(at).isoformat(),
        deliveredAt=render(at * SECOND),
        accountingStatus="posted",
    )
    vehicle |= {
        "status": "retail_sold",
        "salePrice": deal["pricing"]["salePrice"],
        "updatedAt": render(at * SECOND),
    }
    header = Header(
        code=SALES_JOURNALS[deal["saleClass"]],
        journal_type="vehicle_sales",
        module="sales",
        document={"type": "deal", "id": deal["dealId"], "number": deal["dealNumber"]},
        posted=at,
        accounting_date=accounting_date,
    )
    return Sale(deal, vehicle, post(numbers, rooftop, header, sale_postings(deal, vehicle["cost"])))


def sale_postings(deal: Record, cost: Decimal) -> list[Posting]:
    """Derive the journal of a delivered deal; products and fees have lines on the same account.

    The cash down has come in, or will, by receipts: here it only leaves the customer's deposits.
    """
    pricing, finance, stock = deal["pricing"], deal["finance"], deal["vehicle"]["stockNumber"]
    side = "new" if deal["saleClass"] == "new" else "used"
    customer, number = deal["customerId"], deal["dealNumber"]
    price = pricing["salePrice"] - pricing["discounts"] + pricing["accessories"]
    lines = [
        Posting("contracts", finance["amountFinanced"], "Contract in transit", stock, customer),
        Posting("customer_deposits", finance["cashDown"], "Cash down", customer, number),
        Posting("rebates", pricing["rebates"], "Factory rebate", stock),
        Posting(f"{side}_sales", -price, "Vehicle sale", stock, units=1),
        Posting(f"{side}_cost", cost, "Cost of vehicle", stock),
        Posting(f"{side}_inventory", -cost, "Vehicle out of stock", stock),
        Posting("sales_tax", -deal["taxes"]["amount"], "Sales tax"),
        Posting("reserve", finance["reserveAmount"], "Finance reserve", stock),
        Posting("finance_income", -finance["reserveAmount"], "Finance reserve", stock),
    ]
    for trade in deal["tradeIns"]:
        lines += [
            Posting("used_inventory", trade["acv"], "Trade-in", f"{stock}A"),
            Posting("payoffs", -trade["payoff"], "Payoff of trade-in", f"{stock}A"),
        ]
    lines += [Posting("fees", -item["amount"], item["description"]) for item in deal["fees"]]
    for product in finance["products"]:
        lines += [
            Posting("product_sales", -product["price"], product["name"]),
            Posting("product_cost", product["cost"], product["name"]),
            Posting("products_payable", -product["cost"], product["name"], stock),
        ]
    return lines


def finalize(numbers: Numbers, rooftop: Rooftop, deal: Record, at: int) -> list[Record]:
    """Close the deal's folder; the lender has paid.

    Args:
        numbers: Gives the entry's id.
        rooftop: Whose deal it is.
        deal: Delivered; changed in place.
        at: Seconds since 1970.

    Returns:
        The journal entry of the lender's payment; none where nothing is financed.
    """
    is_cash = deal["dealType"] == "cash"
    _step(
        deal,
        at,
        status="finalized",
        finalizedAt=render(at * SECOND),
        fundedAt=None if is_cash else render(at * SECOND),
        fundingStatus="not_applicable" if is_cash else "funded",
    )
    return _settle(numbers, rooftop, deal, deal["finance"]["amountFinanced"], at)


def unwind(source: Source, rooftop: Rooftop, sale: Sale, at: int) -> list[Record]:
    """Take a delivered deal back: the vehicle returns to stock, the journal is reversed.

    Args:
        source: Gives the reason and the ids of the entries.
        rooftop: Whose deal it is.
        sale: Changed in place, all three records.
        at: Seconds since 1970.

    Returns:
        The reversing entry; behind it that of what the lender gets back, where they have paid.
    """
    deal = sale.deal
    repaid = (
        _settle(source.numbers, rooftop, deal, -deal["finance"]["amountFinanced"], at)
        if deal["fundingStatus"] == "funded"
        else []
    )
    _step(
        deal,
        at,
        status="unwound",
        unwoundAt=render(at * SECOND),
        unwindReason=source.rng.choice(UNWIND_REASONS),
        accountingStatus="reversed",
        fundingStatus="not_applicable" if deal["dealType"] == "cash" else "returned",
    )
    sale.vehicle |= {"status": "in_stock", "updatedAt": render(at * SECOND)}
    return [reverse(source.numbers, rooftop, sale.entry, at), *repaid]


def void(deal: Record, at: int) -> None:
    """Void a deal that was entered by mistake."""
    _step(deal, at, status="voided", voidedAt=render(at * SECOND))


def lose(deal: Record, at: int) -> None:
    """Mark a deal as lost; the customer went elsewhere."""
    _step(deal, at, status="lost")


def _settle(
    numbers: Numbers, rooftop: Rooftop, deal: Record, amount: Decimal, at: int
) -> list[Record]:
    """Post what a lender pays for a contract, or gets back; nothing where nothing is financed."""
    if not amount:
        return []
    comes_in = amount > ZERO
    header = Header(
        code="050" if comes_in else "051",
        journal_type="cash_receipts" if comes_in else "cash_disbursements",
        module="accounting",
        document={"type": "deal", "id": deal["dealId"], "number": deal["dealNumber"]},
        posted=at,
    )
    stock, customer = deal["vehicle"]["stockNumber"], deal["customerId"]
    text = "Contract funded" if comes_in else "Contract returned"
    lines = [
        Posting("bank", amount, text),
        # The controls of the delivery, so that the schedule of the account clears.
        Posting("contracts", -amount, text, stock, customer),
    ]
    return [post(numbers, rooftop, header, lines)]


def _step(deal: Record, at: int, **changes: object) -> None:
    deal |= changes | {"updatedAt": render(at * SECOND)}
