"""What a dealership's records say of the questions of docs/queries.md, worked out in Python.

Nothing of the warehouse takes part: money is added up as the sandbox has it, days are those of the
rooftop's wall.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from collections import defaultdict
from decimal import Decimal
from zoneinfo import ZoneInfo

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from support.dealership import Dealership

ZERO = Decimal()
NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)
SENTINEL = "1910-"
CONTRACTS = "0205"
AGES = ("0-30", "31-60", "61-90", "over 90", "unknown")

Record = dict[str, t.Any]
Rows = list[tuple[t.Any, ...]]

STREAMS = (
    "rooftops",
    "users",
    "vehicles",
    "customers",
    "deals",
    "repair_orders",
    "gl_accounts",
    "gl_entries",
    "accounting_periods",
    "receipts",
    "deposits",
    "deal_recaps",
)


class Group:
    """A dealer group and its warehouse, read before and after it changed.

    Attributes:
        before: Its records when they were read first.
        after: When they were read last.
        warehouse: The file.
    """

    def __init__(
        self, before: dict[str, list[Record]], dealer: Dealership, warehouse: Path
    ) -> None:
        self.before = before
        self.warehouse = warehouse
        self.after = {stream: present(dealer, stream) for stream in STREAMS}
        self.zones = {
            rooftop["rooftopId"]: ZoneInfo(rooftop["timeZone"])
            for rooftop in self.after["rooftops"]
        }

    def day(self, rooftop: str, instant: dt.datetime) -> dt.date:
        """Return the date on a rooftop's wall."""
        return instant.astimezone(self.zones[rooftop]).date()


def present(dealer: Dealership, stream: str) -> list[Record]:
    return [record for record in dealer.records(stream) if record["deletedAt"] is None]


def instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def summed(pairs: Iterable[tuple[tuple[t.Any, ...], tuple[Decimal | None, ...]]]) -> Rows:
    """Return key, number of rows and sums of a GROUP BY, in the order of the keys."""
    groups: dict[tuple[t.Any, ...], list[tuple[Decimal | None, ...]]] = defaultdict(list)
    for key, values in pairs:
        groups[key].append(values)
    rows: Rows = []
    for key, of_key in sorted(groups.items()):
        columns = [[v for v in column if v is not None] for column in zip(*of_key, strict=True)]
        rows.append((*key, len(of_key), *(sum(c, ZERO) if c else None for c in columns)))
    return rows


def aged_inventory(group: Group, now: dt.datetime) -> Rows:
    rows = summed(
        ((vehicle["rooftopId"], age(group, vehicle, now)), (vehicle["cost"],))
        for vehicle in group.after["vehicles"]
        if vehicle["status"] == "in_stock"
    )
    return [(rooftop, AGES[bucket], *sums) for rooftop, bucket, *sums in rows]


def age(group: Group, vehicle: Record, now: dt.datetime) -> int:
    if vehicle["acquisitionDate"] in {None, "1000-01-01"}:
        return AGES.index("unknown")
    acquired = dt.date.fromisoformat(vehicle["acquisitionDate"])
    days = (group.day(vehicle["rooftopId"], now) - acquired).days
    return min(max(days - 1, 0) // 30, 3)


def history(group: Group, _now: dt.datetime) -> Rows:
    known = {vehicle["vehicleId"]: vehicle for vehicle in group.before["vehicles"]}
    changed = [
        (known[vehicle["vehicleId"]], vehicle)
        for vehicle in group.after["vehicles"]
        if vehicle["vehicleId"] in known
    ]
    return sorted(
        (
            (
                new["vehicleId"],
                new["stockNumber"],
                instant(new["updatedAt"]),
                old["status"],
                new["status"],
                old["salePrice"],
                new["salePrice"],
                new["salePrice"] - old["salePrice"],
            )
            for old, new in changed
            if (old["status"], old["salePrice"]) != (new["status"], new["salePrice"])
        ),
        key=lambda row: (row[2], row[0]),
    )


def gross(group: Group, _now: dt.datetime) -> Rows:
    names = {user["userId"]: user["displayName"] for user in group.after["users"]}
    deals = {deal["dealId"]: deal for deal in group.after["deals"]}
    counting: dict[tuple[str, bool], Record] = {}
    for recap in sorted(group.after["deal_recaps"], key=lambda recap: recap["version"]):
        if recap["recapStatus"] != "draft":
            counting[recap["dealId"], recap["recapStatus"] == "reversed"] = recap
    rows = summed(
        (
            (
                str(group.day(recap["rooftopId"], instant(recap["recappedAt"])))[:7]
                if is_reversed
                else deals[deal]["soldDate"][:7],
                deals[deal]["salespersonId"],
            ),
            (
                Decimal(-1 if is_reversed else 1),
                recap["frontEnd"]["gross"],
                recap["backEnd"]["gross"],
                recap["frontEnd"]["gross"] + recap["backEnd"]["gross"],
            ),
        )
        for (deal, is_reversed), recap in counting.items()
    )
    sold = [deal for deal in deals.values() if deal["status"] in {"delivered", "finalized"}]
    assert sum(row[3] for row in rows) == len(sold)
    assert sum(row[-1] for row in rows) == sum(deal["gross"]["total"] for deal in sold)
    assert any(is_reversed for _, is_reversed in counting)
    return [(month, who, names[who], *sums) for month, who, _count, *sums in rows]


def in_transit(group: Group, now: dt.datetime) -> Rows:
    deals = [
        deal
        for deal in group.after["deals"]
        if deal["fundingStatus"] in {"unfunded", "in_transit"}
        and deal["status"] in {"delivered", "finalized"}
    ]
    deals.sort(key=lambda deal: (deal["deliveredAt"], deal["dealNumber"]))
    rows: Rows = []
    for deal in deals:
        delivered = group.day(deal["rooftopId"], instant(deal["deliveredAt"]))
        today = group.day(deal["rooftopId"], now)
        rows.append(
            (
                deal["dealNumber"],
                deal["finance"]["lenderName"],
                deal["fundingStatus"],
                delivered,
                (today - delivered).days,
                deal["finance"]["amountFinanced"],
            )
        )
    booked = sum(
        line["amount"]
        for entry in counted(group)
        for line in entry["lines"]
        if line["accountNumber"] == CONTRACTS
    )
    assert booked == sum(financed for *_, financed in rows)
    return rows


def late_orders(group: Group, now: dt.datetime) -> Rows:
    names = {user["userId"]: user["displayName"] for user in group.after["users"]}
    waiting = {"open", "in_progress", "on_hold", "waiting_parts", "waiting_authorization"}
    late = [
        (instant(order["promisedAt"]), order)
        for order in group.after["repair_orders"]
        if order["status"] in waiting and not order["promisedAt"].startswith(SENTINEL)
    ]
    rows: Rows = [
        (
            order["roNumber"],
            order["status"],
            order["isWaiter"],
            names[order["advisorId"]],
            promised,
            (now - promised) // dt.timedelta(hours=1),
        )
        for promised, order in late
        if promised < now
    ]
    return sorted(rows, key=lambda row: (row[4], row[0]))


def labor(group: Group, _now: dt.datetime) -> Rows:
    return summed(
        (
            (line["payType"],),
            (line["laborHours"]["sold"], line["laborSale"], line["laborCost"]),
        )
        for order in group.after["repair_orders"]
        if order["status"] != "voided"
        for line in order["lines"]
    )


def counted(group: Group) -> list[Record]:
    return [e for e in group.after["gl_entries"] if e["status"] in {"posted", "reversed"}]


def by_period(group: Group, _now: dt.datetime) -> Rows:
    rows = summed(
        (
            (entry["companyId"], entry["fiscalYear"], entry["fiscalPeriod"]),
            (entry["totalDebit"], entry["totalCredit"]),
        )
        for entry in counted(group)
    )
    assert {row[2] for row in rows} >= {13}
    assert all(debit == credit for *_, debit, credit in rows)
    return [(*row, ZERO) for row in rows]


def by_account(group: Group, _now: dt.datetime) -> Rows:
    accounts = {(a["companyId"], a["accountNumber"]): a for a in group.after["gl_accounts"]}
    rows = summed(
        ((entry["companyId"], line["accountNumber"]), (line["amount"],))
        for entry in counted(group)
        for line in entry["lines"]
    )
    assert sum(balance for *_, balance in rows) == 0
    return [
        (*key, accounts[key]["name"], accounts[key]["accountType"], balance)
        for *key_, _, balance in rows
        for key in [tuple(key_)]
    ]


def period(record: Record) -> tuple[str, int, int]:
    return record["companyId"], record["fiscalYear"], record["fiscalPeriod"]


def back_dated(group: Group, _now: dt.datetime) -> Rows:
    closed = {
        period(each): instant(each["closedAt"])
        for each in group.after["accounting_periods"]
        if each["closedAt"]
    }
    return summed(
        (
            (
                entry["companyId"],
                entry["fiscalYear"],
                entry["fiscalPeriod"],
                entry["journalCode"],
            ),
            (entry["totalDebit"],),
        )
        for entry in counted(group)
        if instant(entry["postedAt"]) > closed.get(period(entry), NEVER)
    )


def undeposited(group: Group, _now: dt.datetime) -> Rows:
    rows = summed(
        ((dt.date.fromisoformat(r["businessDate"]), r["rooftopId"]), (r["amount"],))
        for r in group.after["receipts"]
        if r["status"] in {"open", "posted"}
        and r["depositId"] is None
        and r["receiptType"] not in {"refund", "reversal"}
    )
    return [(rooftop, day, *rest) for day, rooftop, *rest in rows]


def over_short(group: Group, _now: dt.datetime) -> Rows:
    rows: Rows = [
        (
            deposit["rooftopId"],
            deposit["depositNumber"],
            dt.date.fromisoformat(deposit["businessDate"]),
            deposit["expectedAmount"],
            deposit["bankAmount"],
            deposit["bankAmount"] - deposit["expectedAmount"],
        )
        for deposit in group.after["deposits"]
        if deposit["bankAmount"] not in {None, deposit["expectedAmount"]}
        and deposit["status"] != "voided"
    ]
    return sorted(rows, key=lambda row: (row[2], row[1]))


def merged(group: Group, _now: dt.datetime) -> Rows:
    into = {c["customerId"]: c["mergedIntoCustomerId"] for c in group.after["customers"]}
    ids: dict[str, list[str]] = defaultdict(list)
    for customer in into:
        survivor = customer
        while into[survivor]:
            survivor = into[survivor]
        ids[survivor].append(customer)
    buyers = [deal["customerId"] for deal in group.after["deals"]]
    rows: Rows = [
        (survivor, len(known), sum(buyer in known for buyer in buyers))
        for survivor, known in ids.items()
        if len(known) > 1
    ]
    return sorted(rows, key=lambda row: (-row[1], -row[2], row[0]))


ANSWERS: dict[str, Callable[[Group, dt.datetime], Rows]] = {
    "Aged inventory": aged_inventory,
    "Price and status history": history,
    "Gross by month and salesperson": gross,
    "Contracts in transit": in_transit,
    "Repair orders past their promise": late_orders,
    "Current lines": labor,
    "Trial balance by period": by_period,
    "Trial balance by account": by_account,
    "Posted into a closed period": back_dated,
    "Receipts that are not deposited": undeposited,
    "Deposits over or short": over_short,
    "Merged customers": merged,
}
