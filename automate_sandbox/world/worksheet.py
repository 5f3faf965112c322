"""The numbers of a deal: price, products, fees, tax, what is financed, what the dealer earns."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from automate_sandbox.money import ZERO, cents, dollars, percent_of, round_cents
from automate_sandbox.world.chance import happens
from automate_sandbox.world.vin import make_vin

if t.TYPE_CHECKING:
    import random

    from automate_sandbox.money import Record
    from automate_sandbox.world.rooftops import Rooftop

STATE_RATE: t.Final = Decimal("6.25")
COUNTY_RATE: t.Final = Decimal("0.0375")
"""Four digits that a column of two would round away."""

TaxRates = tuple[tuple[str, str, Decimal], ...]
"""Code, description and percent of each tax."""

LENDERS: t.Final = (
    ("0117", "First Harbor Bank"),
    ("AFC", "Auto Finance Credit"),
    ("00B2", "Members Credit Union"),
)
PRODUCTS: t.Final = (
    ("VSC", "Vehicle service contract", "service_contract", 2_400, 1_150),
    ("GAP", "Guaranteed asset protection", "gap", 895, 310),
    ("TWP", "Tire and wheel protection", "tire_wheel", 699, 260),
    ("PPM", "Prepaid maintenance", "maintenance", 1_050, 640),
)
"""Code, name, type, price and cost in dollars."""

TERMS: t.Final = (36, 48, 60, 72)


def draw_terms(rng: random.Random, vehicle: Record, deal_type: str, number: int) -> Record:
    """Choose what a customer and a salesperson agree on.

    Returns:
        `pricing`, `tradeIns`, `finance`, `fees` of a deal, before the totals.
    """
    price = vehicle["salePrice"]
    is_new = vehicle["condition"] == "new"
    trade = []
    if happens(rng, 38):
        acv = percent_of(dollars(rng.randrange(8, 45)), price)
        owes = happens(rng, 50)
        trade.append(
            {
                "vin": make_vin(rng, "2HG", 2016, number),
                "acv": acv,
                "payoff": percent_of(dollars(rng.randrange(20, 130)), acv) if owes else ZERO,
                "lienholder": rng.choice(LENDERS)[1] if owes else None,
            }
        )
    lender_code, lender_name = rng.choice(LENDERS)
    financed = deal_type in {"finance", "lease"}
    apr = Decimal(rng.randrange(199, 1199)).scaleb(-2)
    return {
        "pricing": {
            "salePrice": price,
            "discounts": dollars(50 * rng.randrange(8)),
            "rebates": dollars(rng.choice((0, 0, 500, 1_000))) if is_new else ZERO,
            "msrp": vehicle["msrp"],
            "incentives": ZERO,
            "accessories": ZERO,
        },
        "tradeIns": trade,
        "finance": {
            "cashDown": dollars(500 * rng.randrange(1, 12)),
            "termMonths": rng.choice(TERMS) if financed else None,
            "aprPercent": apr if financed else None,
            "lenderCode": lender_code if financed else None,
            "lenderName": lender_name if financed else None,
            "buyRatePercent": apr - Decimal("0.75") if financed else None,
            "products": [
                {
                    "code": code,
                    "name": name,
                    "price": dollars(sold_for),
                    "type": kind,
                    "provider": "Harbor Warranty",
                    "contractNumber": f"{code}{number:07d}",
                    "cost": dollars(cost),
                    "cancelledOn": None,
                }
                for code, name, kind, sold_for, cost in rng.sample(PRODUCTS, rng.randrange(4))
            ],
        },
        "fees": [
            fee("DOC", "Documentation fee", cents(17_500 + 5 * rng.randrange(100)), taxable=True),
            fee("TTL", "Title and registration handling", cents(4_995), taxable=False),
        ],
    }


def fee(code: str, description: str, amount: Decimal, *, taxable: bool) -> Record:
    """Make a fee that costs the dealer nothing."""
    return {
        "code": code,
        "description": description,
        "amount": amount,
        "cost": ZERO,
        "taxable": taxable,
    }


def tax_rates(rooftop: Rooftop) -> TaxRates:
    """Name the sales taxes of a rooftop; every second one has a county tax of 0.0375 %."""
    state = ("STATE", "State sales tax", STATE_RATE)
    return (state,) if rooftop.index % 2 else (state, ("COUNTY", "County transit tax", COUNTY_RATE))


def fill_totals(deal: Record, cost: Decimal, rates: TaxRates) -> None:
    """Compute everything that follows from price, trade, products and fees.

    What comes in equals what goes out: financed + cash down + trade value + rebates =
    price - discounts + accessories + products + fees + tax + payoff of the trade.

    Args:
        deal: Gets `pricing.totalPrice`, `taxes`, `finance` totals and `gross`.
        cost: The dealer's cost of the vehicle.
        rates: Sales taxes; none for a buyer that is exempt.
    """
    pricing, finance = deal["pricing"], deal["finance"]
    price = pricing["salePrice"] - pricing["discounts"] + pricing["accessories"]
    products = sum((product["price"] for product in finance["products"]), ZERO)
    fees = sum((item["amount"] for item in deal["fees"]), ZERO)
    taxable = price + sum((item["amount"] for item in deal["fees"] if item["taxable"]), ZERO)
    deal["taxes"] = taxes = _taxes(taxable, rates)
    pricing["totalPrice"] = total = price + products + fees + taxes["amount"]
    traded = sum((trade["acv"] - trade["payoff"] for trade in deal["tradeIns"]), ZERO)
    due = total - traded - pricing["rebates"]
    if deal["dealType"] in {"finance", "lease"} and due > finance["cashDown"]:
        financed = due - finance["cashDown"]
        finance["paymentAmount"] = payment(financed, finance["aprPercent"], finance["termMonths"])
        buy_rate = (
            finance["aprPercent"]
            if finance["buyRatePercent"] is None
            else finance["buyRatePercent"]
        )
        spread = (finance["aprPercent"] - buy_rate) * finance["termMonths"] / 12
        reserve = percent_of(spread, financed)
    else:
        financed = reserve = ZERO
        finance["cashDown"] = due
        finance["paymentAmount"] = None
    finance["amountFinanced"] = financed
    finance["reserveAmount"] = reserve
    front = price - cost
    back = reserve + sum((item["price"] - item["cost"] for item in finance["products"]), ZERO)
    deal["gross"] = {"front": front, "back": back, "total": front + back}


def payment(principal: Decimal, apr: Decimal, months: int) -> Decimal:
    """Compute the level monthly payment of a loan, in dollars rounded to the cent."""
    rate = apr / 1200
    paid_off = 1 - (1 + rate) ** -months
    # A rate too small to be felt is none.
    return round_cents(principal * rate / paid_off if paid_off else principal / months)


def _taxes(taxable: Decimal, rates: TaxRates) -> Record:
    amounts = [percent_of(rate, taxable) for _, _, rate in rates]
    items = [
        {"code": code, "description": text, "ratePercent": rate, "amount": amount}
        for (code, text, rate), amount in zip(rates, amounts, strict=True)
    ]
    return {
        "ratePercent": sum((rate for _, _, rate in rates), start=Decimal()),
        "amount": sum(amounts, ZERO),
        "items": items,
    }
