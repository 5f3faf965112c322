"""What ties in the books of a dealer group, in a world that was made and in one that has lived."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from decimal import Decimal

from automate_sandbox.money import round_cents
from automate_sandbox.world.chart import CHART

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from automate_sandbox.money import Record
    from support.worlds import World

ZERO: t.Final = Decimal(0)
SIDES: t.Final = ("new", "used")
DELIVERED: t.Final = frozenset({"delivered", "finalized", "unwound"})
SIGNS: t.Final = {
    "salePrice": 1,
    "vehicleCost": -1,
    "pack": -1,
    "holdback": 1,
    "incentives": 1,
    "accessoriesSale": 1,
    "accessoriesCost": -1,
    "recon": -1,
    "overAllowance": -1,
    "docFee": 1,
    "otherAdjustments": 1,
}
"""Component of the front-end gross to how it counts."""

COSTS: t.Final = ("vehicleCost", "pack", "accessoriesCost", "recon")
"""What the books hold as the cost of a sold vehicle."""


class Books:
    """The books of a world, summed up as the checks need them.

    Attributes:
        made: The world.
        recaps: Deal to its recaps, by version.
        receipts: Deal or repair order to the receipts that are applied to it, voided ones left out.
    """

    def __init__(self, made: World) -> None:
        """Sort a world's records by what they belong to."""
        self.made = made
        self.recaps: dict[str, list[Record]] = defaultdict(list)
        for recap in sorted(made["deal_recaps"].values(), key=lambda each: int(each["version"])):
            self.recaps[recap["dealId"]].append(recap)
        self.receipts: dict[str, list[Record]] = defaultdict(list)
        for receipt in made["receipts"].values():
            for item in receipt["appliedTo"]:
                if receipt["status"] != "voided":
                    self.receipts[item["id"]].append(receipt | {"applied": item["amount"]})
        self._controls: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._balances: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for entry in made["gl_entries"].values():
            if entry["status"] not in {"posted", "reversed"}:
                continue
            for line in entry["lines"]:
                number = line["accountNumber"]
                self._balances[entry["companyId"], number] += line["amount"]
                if line["control2Number"]:
                    self._controls[number, line["control2Number"]] += line["amount"]

    def hold_recaps(self) -> None:
        """Hold each deal to the versions of its recap, and their components to their sums."""
        contracted = {"contracted", *DELIVERED}
        for key, deal in self.made["deals"].items():
            versions = self.recaps[key]
            # A deal that is lost after its contract leaves the draft behind.
            assert bool(versions) == (deal["status"] in contracted) or deal["status"] == "lost"
            assert [recap["version"] for recap in versions] == list(range(1, len(versions) + 1))
            for recap in versions:
                _hold_sums(recap)
                assert recap["dealNumber"] == deal["dealNumber"]
            if deal["status"] in DELIVERED:
                self._hold_delivered(deal, versions)
            else:
                assert [recap["recapStatus"] for recap in versions] == ["draft"] * len(versions)

    def _hold_delivered(self, deal: Record, versions: list[Record]) -> None:
        statuses = [recap["recapStatus"] for recap in versions]
        unwound = deal["status"] == "unwound"
        assert statuses[:2] == ["draft", "final"]
        assert (statuses[-1] == "reversed") == unwound
        assert set(statuses[2:]) <= {"revised", "reversed"}
        assert sum(recap["unitCount"] for recap in versions) == (0 if unwound else 1)
        standing = [recap for recap in versions if recap["recapStatus"] != "reversed"][-1]
        gross = standing["frontEnd"]["gross"], standing["backEnd"]["gross"], standing["totalGross"]
        assert gross == tuple(deal["gross"][name] for name in ("front", "back", "total"))
        if unwound:
            for part in ("frontEnd", "totals"):
                for name, amount in versions[-1][part].items():
                    assert amount == -standing[part][name]
            assert versions[-1]["totalGross"] == -standing["totalGross"]

    def hold_recaps_to_the_ledger(self) -> None:
        """Hold the recap of each delivered deal to the journal entry of its delivery."""
        entries = {
            entry["dealId"]: entry
            for entry in self.made["gl_entries"].values()
            if entry["journalType"] == "vehicle_sales" and not entry["reversesJournalEntryId"]
        }
        for key, deal in self.made["deals"].items():
            if deal["status"] not in DELIVERED:
                continue
            booked = _by_role(entries[key])
            side = "new" if deal["saleClass"] == "new" else "used"
            standing = [r for r in self.recaps[key] if r["recapStatus"] != "reversed"][-1]
            front, back, totals = standing["frontEnd"], standing["backEnd"], standing["totals"]
            products = back["products"]
            assert booked[f"{side}_sales"] == -(front["salePrice"] + front["accessoriesSale"])
            cost = sum(front[name] for name in COSTS)
            assert booked[f"{side}_cost"] == cost == -booked[f"{side}_inventory", -1]
            assert booked["finance_income"] == -back["financeReserve"]
            assert booked["product_sales"] == -sum(each["sale"] for each in products)
            assert booked["product_cost"] == sum(each["cost"] for each in products)
            assert booked["fees"] == -totals["fees"]
            assert booked["sales_tax"] == -totals["taxes"]
            assert booked["contracts"] == totals["amountFinanced"]
            assert booked["rebates"] == totals["rebates"]
            assert booked["payoffs"] == -totals["tradePayoff"]
            assert booked["customer_deposits"] == totals["cashDown"]

    def hold_contracts_in_transit(self) -> None:
        """Hold the schedule of contracts in transit to the deals that no lender has paid for."""
        account = CHART["contracts"].number
        companies = {key: each["companyId"] for key, each in self.made["rooftops"].items()}
        controls: dict[str, Decimal] = defaultdict(Decimal)
        balances: dict[str, Decimal] = defaultdict(Decimal)
        for deal in self.made["deals"].values():
            if deal["status"] in DELIVERED:
                waits = deal["status"] != "unwound" and deal["fundingStatus"] == "in_transit"
                amount = deal["finance"]["amountFinanced"] if waits else ZERO
                controls[deal["customerId"]] += amount
                balances[companies[deal["rooftopId"]]] += amount
        for customer, amount in controls.items():
            assert self._controls[account, customer] == amount
        for company in companies.values():
            assert self._balances[company, account] == balances[company]

    def hold_vehicle_inventory(self) -> None:
        """Hold the inventory accounts to the vehicles that are not sold, and to trade-ins."""
        companies = {key: each["companyId"] for key, each in self.made["rooftops"].items()}
        inventory = {(company, side): ZERO for company in companies.values() for side in SIDES}
        for vehicle in self.made["vehicles"].values():
            if vehicle["status"] != "retail_sold":
                side = "new" if vehicle["condition"] == "new" else "used"
                inventory[companies[vehicle["rooftopId"]], side] += vehicle["cost"]
        for deal in self.made["deals"].values():
            if deal["status"] in {"delivered", "finalized"}:
                traded = sum((trade["acv"] for trade in deal["tradeIns"]), ZERO)
                inventory[companies[deal["rooftopId"]], "used"] += traded
        for (company, side), cost in inventory.items():
            assert self._balances[company, CHART[f"{side}_inventory"].number] == cost

    def hold_assets(self) -> None:
        """Hold a world that was just made to what a company can have, and parts to theirs."""
        # Receivables may be below nothing: an order that was paid for is open again.
        assets = {a.number for a in CHART.values() if a.account_type == "asset"}
        assets.remove(CHART["receivable"].number)
        for (_, number), balance in self._balances.items():
            assert number not in assets or balance >= 0
            assert number != CHART["floor_plan"].number or balance < 0
        companies = {key: each["companyId"] for key, each in self.made["rooftops"].items()}
        value: dict[str, Decimal] = defaultdict(Decimal)
        for part in self.made["parts"].values():
            worth = round_cents(part["quantityOnHand"] * part["cost"])
            value[companies[part["rooftopId"]]] += worth
        for company, worth in value.items():
            assert self._balances[company, CHART["parts_inventory"].number] == worth

    def hold_receipts(self) -> None:
        """Hold each receipt to its tenders, to what it is applied to, and to its journal entry."""
        for receipt in self.made["receipts"].values():
            amount = receipt["amount"]
            assert sum(tender["amount"] for tender in receipt["tenders"]) == amount
            assert sum(item["amount"] for item in receipt["appliedTo"]) == amount
            assert (amount < 0) == (receipt["receiptType"] in {"refund", "reversal"})
            entry = self.made["gl_entries"][receipt["journalEntryId"]]
            assert entry["receiptId"] == receipt["receiptId"]
            assert entry["accountingDate"] == receipt["businessDate"]
            assert _by_role(entry)["cash" if amount > 0 else "bank"] == amount
            assert (entry["status"] == "reversed") == (receipt["status"] == "voided")
            assert (receipt["status"] == "voided") == (receipt["voidedAt"] is not None)
            if receipt["reversesReceiptId"]:
                original = self.made["receipts"][receipt["reversesReceiptId"]]
                assert original["status"] == "reversed"
                assert original["amount"] == -amount

    def hold_deals_to_receipts(self) -> None:
        """Hold what came in for each deal to its recaps and to the customer's deposits."""
        account = CHART["customer_deposits"].number
        for key, deal in self.made["deals"].items():
            paid = sum((receipt["applied"] for receipt in self.receipts[key]), ZERO)
            charged = ZERO
            if deal["status"] in {"delivered", "finalized"}:
                charged = deal["finance"]["cashDown"]
            elif deal["status"] in {"unwound", "lost"}:
                assert paid == 0
            assert self._controls[account, deal["dealNumber"]] == charged - paid
            for recap in self.recaps[key]:
                if recap["recapStatus"] in {"draft", "final"}:
                    by_then = [
                        receipt["applied"]
                        for receipt in self.receipts[key]
                        if receipt["receivedAt"] <= recap["recappedAt"]
                    ]
                    due = recap["totals"]["cashDown"] - recap["totals"]["balanceDue"]
                    assert due == sum(by_then, ZERO)

    def hold_orders_to_receipts(self) -> None:
        """Hold what customers owe for their part of each order to receipts and receivables."""
        account = CHART["receivable"].number
        owed: dict[str, Decimal] = defaultdict(Decimal)
        for key, order in self.made["repair_orders"].items():
            paid = sum((receipt["applied"] for receipt in self.receipts[key]), ZERO)
            parts = [p for p in order["payTypeStatuses"] if p["payType"] == "customer_pay"]
            assert sum((p["amount"] - p["balance"] for p in parts), ZERO) == paid
            charged = sum((p["amount"] for p in parts if p["status"] == "closed"), ZERO)
            # Orders of several rooftops have the same number.
            owed[order["roNumber"]] += charged - paid
            balances = sum((p["balance"] for p in order["payTypeStatuses"]), ZERO)
            assert order["totals"]["balanceDue"] == balances
        assert all(self._controls[account, number] == due for number, due in owed.items())

    def hold_deposits(self) -> None:
        """Hold each deposit to its receipts and its journal entry, and the cash that is left."""
        held: set[str] = set()
        for key, deposit in self.made["deposits"].items():
            held.update(deposit["receiptIds"])
            receipts = [self.made["receipts"][name] for name in deposit["receiptIds"]]
            assert receipts
            assert {receipt["depositId"] for receipt in receipts} == {key}
            assert {r["businessDate"] for r in receipts} == {deposit["businessDate"]}
            assert {r["rooftopId"] for r in receipts} == {deposit["rooftopId"]}
            _hold_totals(deposit, receipts)
            if deposit["status"] == "prepared":
                assert {receipt["status"] for receipt in receipts} == {"posted"}
                assert deposit["journalEntryId"] is deposit["bankAmount"] is None
                continue
            assert {receipt["status"] for receipt in receipts} <= {"deposited", "reversed"}
            assert deposit["overShort"] == deposit["bankAmount"] - deposit["expectedAmount"]
            entry = self.made["gl_entries"][deposit["journalEntryId"]]
            assert entry["accountingDate"] == deposit["depositDate"] >= deposit["businessDate"]
            booked = _by_role(entry)
            assert booked["bank"] == deposit["bankAmount"]
            assert booked["cash"] == -deposit["expectedAmount"]
            assert booked["over_short"] == -deposit["overShort"]
        self._hold_drawers(held)

    def _hold_drawers(self, held: set[str]) -> None:
        """Hold the cash on hand to the receipts that no deposit has brought to the bank."""
        waiting: dict[str, Decimal] = defaultdict(Decimal)
        companies = {key: each["companyId"] for key, each in self.made["rooftops"].items()}
        for key, receipt in self.made["receipts"].items():
            assert (receipt["depositId"] is not None) == (key in held)
            if receipt["amount"] > 0 and receipt["status"] in {"open", "posted"}:
                waiting[companies[receipt["rooftopId"]]] += receipt["amount"]
            assert (receipt["status"] == "open") <= (key not in held)
        for company in companies.values():
            assert self._balances[company, CHART["cash"].number] == waiting[company]

    def hold_periods(self) -> None:
        """Hold each entry to a period of its company that says the same of itself."""
        named = {
            (period["companyId"], period["fiscalYear"], period["fiscalPeriod"]): period
            for period in self.made["accounting_periods"].values()
        }
        assert len(named) == len(self.made["accounting_periods"])
        for entry in self.made["gl_entries"].values():
            name = entry["companyId"], entry["fiscalYear"], entry["fiscalPeriod"]
            period = named[name]
            assert period["startDate"] <= entry["accountingDate"] <= period["endDate"]
            assert period["periodStatus"] == entry["periodStatus"]
            assert period["isAdjustingPeriod"] == entry["isAdjustingPeriod"]
            assert period["rooftopId"] == entry["rooftopId"]

    def hold(self) -> None:
        """Hold everything."""
        self.hold_recaps()
        self.hold_recaps_to_the_ledger()
        self.hold_contracts_in_transit()
        self.hold_vehicle_inventory()
        self.hold_receipts()
        self.hold_deals_to_receipts()
        self.hold_orders_to_receipts()
        self.hold_deposits()
        self.hold_periods()


def _hold_sums(recap: Record) -> None:
    front, back = recap["frontEnd"], recap["backEnd"]
    assert front["gross"] == sum(sign * front[name] for name, sign in SIGNS.items())
    assert set(front) == {"gross", *SIGNS}
    for product in back["products"]:
        assert product["gross"] == product["sale"] - product["cost"]
    sold = sum((product["gross"] for product in back["products"]), ZERO)
    assert back["gross"] == back["financeReserve"] - back["lenderFee"] + sold - back["chargebacks"]
    assert recap["totalGross"] == front["gross"] + back["gross"]


def _hold_totals(deposit: Record, receipts: list[Record]) -> None:
    totals = deposit["totals"]
    names = {"cash": "cash", "check": "checks", "card": "cards", "ach": "ach", "other": "other"}
    for kind, name in names.items():
        tenders = (each for receipt in receipts for each in receipt["tenders"])
        expected = sum((t["amount"] for t in tenders if t["tenderType"] == kind), ZERO)
        assert totals[name] == expected
    assert totals["total"] == sum(totals[name] for name in names.values())
    assert totals["total"] == deposit["expectedAmount"] == _total(receipts)
    for part in deposit["byDepartment"]:
        inside = [each for each in receipts if each["department"] == part["department"]]
        assert part["total"] == _total(inside) > 0
    assert sum(part["total"] for part in deposit["byDepartment"]) == totals["total"]


def _total(receipts: Iterable[Record]) -> Decimal:
    return sum((receipt["amount"] for receipt in receipts), ZERO)


def _by_role(entry: Record) -> dict[t.Any, Decimal]:
    """Sum an entry's lines by the role of their account; `(role, -1)` sums its credits alone."""
    roles = {account.number: role for role, account in CHART.items()}
    sums: dict[t.Any, Decimal] = defaultdict(Decimal)
    for line in entry["lines"]:
        role = roles[line["accountNumber"]]
        sums[role] += line["amount"]
        sums[role, -1] -= line["credit"]
    return sums
