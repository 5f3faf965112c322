"""Where else tenants have a list, and what else they call its filters: a few likely names."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_PATHS: t.Final = 3
"""Paths that are tried for a list that answers 404."""

MOST_PARAMETERS: t.Final = 3
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
_STEMS: t.Final = ("modified", "changed", "lastModified")


def parameters(updated: str) -> Iterator[tuple[str, str]]:
    """List what `updatedFrom` and `updatedTo` may be called.

    Args:
        updated: What the tenant calls `updatedAt`; the likeliest names are made of that.

    Yields:
        Both names, the likeliest first; `MOST_PARAMETERS` of them.
    """
    name = updated.rpartition(".")[2]
    stem = name.removesuffix("At").removesuffix("On").removesuffix("_at")
    stems = dict.fromkeys((stem, *_STEMS))
    pairs = [(f"{stem}{start}", f"{stem}{end}") for start, end in _ENDS]
    pairs += [(f"{each}{_ENDS[0][0]}", f"{each}{_ENDS[0][1]}") for each in stems]
    own = [pair for pair in dict.fromkeys(pairs) if pair[0] != "updatedFrom"]
    if stem == "updated":
        # The field has its name: a filter by another word is likelier than by another ending.
        own.sort(key=lambda pair: pair[0].startswith("updated"))
    yield from own[:MOST_PARAMETERS]
