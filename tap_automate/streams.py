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

ROOFTOP: t.Final = "rooftopId"
"""The field, and the query parameter, of the store that a record belongs to."""

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
class History:
    """A stream of the versions of another stream's records, one row each, that only grows.

    Attributes:
        name: The stream.
        fields: What of a record may change and is kept, beside its key and its time; dotted where
            it is within an object, and then named by the last part.
    """

    name: str
    fields: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    """A setting by which the server leaves records of a stream out.

    Attributes:
        setting: The tap's setting; its type, closed list and description are the parameter's.
        parameter: The query parameter of the list call.
        field: What of a record it is about, dotted; what the parameter is called, unless given.
        holds: How a record's field stands to the setting's value.
    """

    setting: str
    parameter: str
    field: str | None = None
    holds: t.Literal["equal", "from", "to"] = "equal"


@dataclasses.dataclass(frozen=True, slots=True)
class Declaration:
    """A stream of one list call.

    Attributes:
        name: The stream.
        path: The list call, as in the contract.
        lines: Line streams that are cut from its records.
        history: The stream of their versions, if one is kept.
        filters: What the server may be asked to leave out.
    """

    name: str
    path: str
    lines: tuple[Lines, ...] = ()
    history: History | None = None
    filters: tuple[Filter, ...] = ()

    @property
    def cuts(self) -> tuple[Lines | History, ...]:
        """The streams that are cut from its records."""
        return (*self.lines, *([self.history] if self.history else []))


STREAMS: t.Final[tuple[Declaration, ...]] = (
    Declaration(
        "vehicles",
        "/vehicles",
        history=History(
            "vehicle_status_history",
            (
                "vin",
                "stockNumber",
                "status",
                "condition",
                "listPrice",
                "salePrice",
                "msrp",
                "cost",
                "isWholesale",
                "lot.lotId",
            ),
        ),
        filters=(
            Filter("vehicle_status", "status"),
            Filter("vehicle_condition", "condition"),
            Filter("vehicle_make", "make"),
            Filter("vehicle_model", "model"),
            Filter("vehicle_vin", "vin"),
            Filter("vehicle_lot_id", "lotId", field="lot.lotId"),
        ),
    ),
    Declaration("lots", "/lots"),
    Declaration("customers", "/customers", filters=(Filter("customer_type", "customerType"),)),
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
    Declaration(
        "gl_entries",
        "/accounting/gl-entries",
        lines=(Lines("gl_entry_lines", "lines"),),
        filters=(
            Filter("gl_accounting_from", "accountingFrom", "accountingDate", holds="from"),
            Filter("gl_accounting_to", "accountingTo", "accountingDate", holds="to"),
        ),
    ),
    Declaration("receipts", "/accounting/receipts"),
    Declaration("deposits", "/accounting/deposits"),
    Declaration("accounting_periods", "/accounting/periods"),
    Declaration("users", "/users"),
    Declaration("rooftops", "/rooftops"),
    Declaration("attachments", "/attachments"),
    Declaration("events", "/events"),
)


def stream_names() -> list[str]:
    """Return the name of every stream, those cut from another behind it."""
    return [
        name
        for declaration in STREAMS
        for name in (declaration.name, *(cut.name for cut in declaration.cuts))
    ]
