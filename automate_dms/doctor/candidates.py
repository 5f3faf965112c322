"""Where else tenants have a list, and what else they call its filters: a few likely names."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_PATHS: t.Final = 3
"""Paths that are tried for a list that answers 404."""

MOST_PARAMETERS: t.Final = 10
"""The same for a query parameter that is not applied."""

PATHS: t.Final[Mapping[str, tuple[str, ...]]] = {
    "vehicles": ("/inventory/vehicles", "/inventory/units", "/inventory"),
    "lots": ("/inventory/lots", "/inventory/locations", "/vehicles/lots"),
    "customers": ("/crm/customers", "/sales/customers", "/contacts"),
    "deals": ("/sales/deals", "/sales", "/fi/deals"),
    "deal_recaps": ("/sales/deals/recaps", "/accounting/deal-recaps", "/deal-recaps"),
    "service_appointments": ("/appointments", "/service/bookings", "/service/schedule"),
    "repair_orders": ("/service/ros", "/service/orders", "/repair-orders"),
    "op_codes": ("/service/opcodes", "/service/operations", "/op-codes"),
    "parts": ("/parts/inventory", "/inventory/parts", "/parts/items"),
    "parts_tickets": ("/parts/invoices", "/parts/counter-tickets", "/parts-tickets"),
    "gl_accounts": ("/accounting/accounts", "/accounting/chart-of-accounts", "/gl/accounts"),
    "gl_entries": ("/accounting/journal-entries", "/accounting/entries", "/gl/entries"),
    "receipts": ("/accounting/cash-receipts", "/receipts", "/cashiering/receipts"),
    "deposits": ("/accounting/bank-deposits", "/deposits", "/cashiering/deposits"),
    "accounting_periods": ("/accounting/fiscal-periods", "/periods", "/gl/periods"),
    "users": ("/employees", "/staff", "/admin/users"),
    "rooftops": ("/stores", "/locations", "/dealerships"),
    "attachments": ("/documents", "/files", "/media"),
    "events": ("/audit/events", "/webhooks/events", "/activity"),
}
"""List to paths that are not the contract's."""

_ENDS: t.Final = (("From", "To"), ("Since", "Until"), ("After", "Before"))
_STEMS: t.Final = ("updated", "modified", "changed", "lastModified")


def parameters(updated: str) -> Iterator[tuple[str, str]]:
    """List what `updatedFrom` and `updatedTo` may be called.

    Args:
        updated: What the tenant calls `updatedAt`; the likeliest names are made of that, unless it
            is called as in the contract.

    Yields:
        Both names, the likeliest first; `MOST_PARAMETERS` of them.
    """
    name = updated.rpartition(".")[2]
    stem = name.removesuffix("At").removesuffix("On").removesuffix("_at")
    short = stem.removeprefix("last")
    own = () if stem == "updated" else (short[:1].lower() + short[1:], stem)
    pairs = [(f"{each}{start}", f"{each}{end}") for each in own for start, end in _ENDS]
    pairs += [(f"{each}{start}", f"{each}{end}") for start, end in _ENDS for each in _STEMS]
    likely = [pair for pair in dict.fromkeys(pairs) if pair[0] != "updatedFrom"]
    yield from likely[:MOST_PARAMETERS]
