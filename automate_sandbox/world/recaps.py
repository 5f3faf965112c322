"""Recaps of deals: what accounting makes of a deal, one record per version.

A draft is made at the contract, a final version at the delivery; a revised one moves amounts
between components, and a reversal takes everything back. The unit counts of all versions of a deal
sum up to what it counts among the units sold.
"""

from __future__ import annotations

import typing as t
from decimal import Decimal

from automate_sandbox.instants import SECOND, render
from automate_sandbox.money import ZERO, dollars, percent_of
from automate_sandbox.world.calendar import DAY, HOUR
from automate_sandbox.world.chance import happens
from automate_sandbox.world.receipts import received
from automate_sandbox.world.rooftops import stamp

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from automate_sandbox.money import Record
    from automate_sandbox.world.deals import Course
    from automate_sandbox.world.numbers import Numbers, Source
    from automate_sandbox.world.receipts import Payment

PACKS: t.Final = {"new": dollars(200), "used": dollars(450), "certified": dollars(450)}
"""What the dealer adds to the cost of each vehicle before anyone earns a commission."""

LEAST_COMMISSION: t.Final = dollars(100)
FRONT_PERCENT: t.Final = Decimal(25)
BACK_PERCENT: t.Final = Decimal(12)
REVISED_PERCENT: t.Final = 6
ADDED: t.Final = (
    "salePrice",
    "holdback",
    "incentives",
    "accessoriesSale",
    "docFee",
    "otherAdjustments",
)
TAKEN: t.Final = ("vehicleCost", "pack", "accessoriesCost", "recon", "overAllowance")
"""Components of the front-end gross: it is the sum of what is added less that of what is taken."""


def of_deal(
    source: Source,
    deal: Record,
    cost: Decimal,
    course: Course,
    payments: Sequence[Payment],
) -> Iterator[Record]:
    """Make the versions of a deal's recap that there are so far.

    Args:
        source: Gives ids and chances.
        deal: With terms.
        cost: The dealer's cost of the vehicle.
        course: The deal's steps.
        payments: What has come in for the deal.
    """
    rng, numbers = source.rng, source.numbers
    recap = draft(numbers, deal, cost, received(payments, course.contracted), course.contracted)
    yield recap
    if course.delivered >= course.until:
        return
    recap = finish(source, deal, recap, received(payments, course.delivered), course.delivered)
    yield recap
    revised = course.delivered + rng.randrange(HOUR, 3 * DAY)
    if happens(rng, REVISED_PERCENT) and revised < course.until:
        recap = revise(source, recap, revised)
        yield recap
    if course.unwound is not None:
        yield reverse(numbers, recap, course.unwound)


def draft(numbers: Numbers, deal: Record, cost: Decimal, paid: Decimal, at: int) -> Record:
    """Recap a contract: no unit yet, and nothing of the reserve until the lender agrees.

    Args:
        numbers: Gives the id.
        deal: Contracted.
        cost: The dealer's cost of the vehicle.
        paid: What has come in of the cash down.
        at: Seconds since 1970.
    """
    pricing, finance = deal["pricing"], deal["finance"]
    doc_fee = sum((fee["amount"] for fee in deal["fees"] if fee["code"] == "DOC"), ZERO)
    front = {
        "salePrice": pricing["salePrice"] - pricing["discounts"],
        "vehicleCost": cost,
        "pack": ZERO,
        "holdback": ZERO,
        "incentives": pricing["incentives"],
        "accessoriesSale": pricing["accessories"],
        "accessoriesCost": ZERO,
        "recon": ZERO,
        "overAllowance": ZERO,
        "docFee": doc_fee,
        # The gross of this dealer group leaves the documentation fee out.
        "otherAdjustments": -doc_fee,
    }
    back = {
        "financeReserve": ZERO,
        "lenderFee": ZERO,
        "products": _products(finance["products"]),
        "chargebacks": ZERO,
    }
    trades = deal["tradeIns"]
    totals = {
        "taxes": deal["taxes"]["amount"],
        "fees": sum((fee["amount"] for fee in deal["fees"]), ZERO),
        "cashDown": finance["cashDown"],
        "rebates": pricing["rebates"],
        "tradeAcv": sum((trade["acv"] for trade in trades), ZERO),
        "tradePayoff": sum((trade["payoff"] for trade in trades), ZERO),
        "amountFinanced": finance["amountFinanced"],
        "balanceDue": finance["cashDown"] - paid,
    }
    recap = {
        "dealRecapId": None,
        "rooftopId": deal["rooftopId"],
        "dealId": deal["dealId"],
        "dealNumber": deal["dealNumber"],
        "version": 0,
        "frontEnd": front,
        "backEnd": back,
        "totals": totals,
        "commissions": [],
    }
    return _version(numbers, recap, at, recapStatus="draft", unitCount=0)


def finish(source: Source, deal: Record, drafted: Record, paid: Decimal, at: int) -> Record:
    """Recap a delivery: the cost is split into its parts, the reserve and the commissions stand.

    Args:
        source: Gives id and chances.
        deal: Delivered.
        drafted: The recap of its contract.
        paid: What has come in of the cash down.
        at: Seconds since 1970.
    """
    finance, front = deal["finance"], drafted["frontEnd"]
    pack, recon = PACKS[deal["saleClass"]], ZERO
    if deal["saleClass"] != "new":
        recon = dollars(source.rng.randrange(250, 1_400))
    cost = front["vehicleCost"] - pack - recon
    recap = drafted | {
        "frontEnd": front | {"vehicleCost": cost, "pack": pack, "recon": recon},
        "backEnd": drafted["backEnd"] | {"financeReserve": finance["reserveAmount"]},
        "totals": drafted["totals"] | {"balanceDue": finance["cashDown"] - paid},
    }
    recap = _version(source.numbers, recap, at, recapStatus="final", unitCount=1)
    recap["commissions"] = [
        {"userId": user, "amount": max(LEAST_COMMISSION, percent_of(share, gross))}
        for user, share, gross in (
            (deal["salespersonId"], FRONT_PERCENT, recap["frontEnd"]["gross"]),
            (deal["fniManagerId"], BACK_PERCENT, recap["backEnd"]["gross"]),
        )
        if user
    ]
    return recap


def revise(source: Source, final: Record, at: int) -> Record:
    """Recap a delivered deal anew: a late bill of the shop is found in the vehicle's cost.

    Args:
        source: Gives id and chances.
        final: The version that holds.
        at: Seconds since 1970.
    """
    late = dollars(source.rng.randrange(40, 300))
    front = final["frontEnd"]
    moved = {"vehicleCost": front["vehicleCost"] - late, "recon": front["recon"] + late}
    recap = final | {"frontEnd": front | moved}
    return _version(source.numbers, recap, at, recapStatus="revised", unitCount=0)


def reverse(numbers: Numbers, standing: Record, at: int) -> Record:
    """Take a recap back: the same amounts with the other sign.

    Args:
        numbers: Gives the id.
        standing: The version that holds.
        at: Seconds since 1970.
    """
    recap = standing | {
        name: _negated(standing[name]) for name in ("frontEnd", "backEnd", "totals", "commissions")
    }
    return _version(numbers, recap, at, recapStatus="reversed", unitCount=-1)


def _version(numbers: Numbers, recap: Record, at: int, **changes: object) -> Record:
    """Number the next version of a recap, and sum up its components."""
    _, recap_id = numbers.take("deal_recaps")
    front, back = recap["frontEnd"], recap["backEnd"]
    front_gross = sum((front[name] for name in ADDED), ZERO) - sum(
        (front[name] for name in TAKEN), ZERO
    )
    sold = sum((product["gross"] for product in back["products"]), ZERO)
    back_gross = back["financeReserve"] - back["lenderFee"] + sold - back["chargebacks"]
    return recap | {
        "dealRecapId": recap_id,
        "version": recap["version"] + 1,
        "frontEnd": front | {"gross": front_gross},
        "backEnd": back | {"gross": back_gross},
        "totalGross": front_gross + back_gross,
        "recappedAt": render(at * SECOND),
        **changes,
        **stamp(at),
    }


def _products(products: Sequence[Record]) -> list[Record]:
    """Sum products by their type."""
    found: dict[str | None, Record] = {}
    for product in products:
        line = found.setdefault(
            product["type"],
            {"type": product["type"], "sale": ZERO, "cost": ZERO, "gross": ZERO, "count": 0},
        )
        line["sale"] += product["price"]
        line["cost"] += product["cost"]
        line["gross"] += product["price"] - product["cost"]
        line["count"] += 1
    return list(found.values())


def _negated(node: t.Any) -> t.Any:  # noqa: ANN401 - any JSON value
    if isinstance(node, dict):
        return {name: _negated(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_negated(item) for item in node]
    return -node if isinstance(node, (Decimal, int)) else node
