"""The streams: one line for each, in the order of the API's documentation.

A declaration names a stream and its list call. Key, schema, entitlement and origin are read from
the contract, so that nothing is written twice. To add a stream, add its schema and path to
`openapi.yaml` and a line here.
"""

from __future__ import annotations

import dataclasses
import typing as t

REPLICATION_KEY: t.Final = "updatedAt"
"""The field that every record of the API is dated by."""

PARENT_KEY: t.Final = "parentUpdatedAt"
"""The same of a line's parent, which every line carries."""


@dataclasses.dataclass(frozen=True, slots=True)
class Lines:
    """A stream of the lines within another stream's records.

    Attributes:
        name: The stream.
        field: The parent's array that holds the lines, dotted where it is within an object.
        single: A field of the parent that some tenants send instead, an object, when the array has
            nothing.
    """

    name: str
    field: str
    single: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Declaration:
    """A stream of one list call.

    Attributes:
        name: The stream.
        path: The list call, as in the contract.
        lines: Line streams that are cut from its records.
    """

    name: str
    path: str
    lines: tuple[Lines, ...] = ()


STREAMS: t.Final[tuple[Declaration, ...]] = (
    Declaration("vehicles", "/vehicles"),
    Declaration("lots", "/lots"),
    Declaration("customers", "/customers"),
    Declaration(
        "deals",
        "/deals",
        lines=(
            Lines("deal_fees", "fees"),
            Lines("deal_products", "finance.products"),
            Lines("deal_trade_ins", "tradeIns", single="tradeIn"),
        ),
    ),
    Declaration("deal_recaps", "/deals/recaps"),
    Declaration("service_appointments", "/service/appointments"),
    Declaration(
        "repair_orders", "/service/repair-orders", lines=(Lines("repair_order_lines", "lines"),)
    ),
    Declaration("op_codes", "/service/op-codes"),
    Declaration("parts", "/parts"),
    Declaration("parts_tickets", "/parts/tickets"),
    Declaration("gl_accounts", "/accounting/gl-accounts"),
    Declaration("gl_entries", "/accounting/gl-entries", lines=(Lines("gl_entry_lines", "lines"),)),
    Declaration("receipts", "/accounting/receipts"),
    Declaration("deposits", "/accounting/deposits"),
    Declaration("accounting_periods", "/accounting/periods"),
    Declaration("users", "/users"),
    Declaration("rooftops", "/rooftops"),
    Declaration("attachments", "/attachments"),
    Declaration("events", "/events"),
)


def stream_names() -> list[str]:
    """Return the name of every stream, line streams behind their parent."""
    return [
        name
        for declaration in STREAMS
        for name in (declaration.name, *(lines.name for lines in declaration.lines))
    ]
