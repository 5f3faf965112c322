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
        single: A field of the parent that some tenants send instead: one line, where the array has
            none. An object without any value is none.
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
class Open:
    """States in which a record may change without a new `updatedAt`.

    Attributes:
        values: The states.
        parameter: The field, and the query parameter of the list call.
    """

    values: tuple[str, ...]
    parameter: str = "status"


@dataclasses.dataclass(frozen=True, slots=True)
class Ahead:
    """The same for records of what has not happened yet.

    Attributes:
        field: The instant at which it does.
        parameter: The query parameter for records from an instant on.
    """

    field: str
    parameter: str


@dataclasses.dataclass(frozen=True, slots=True)
class Files:
    """Files that records name, and that the setting `download_to` has fetched.

    Attributes:
        url: The field with a file's address.
        within: The record's array of which every element names a file; None where the record does.
        name: The field with its name, which none but this file of the record has; without one, the
            place in the array is its name.
        content_type: The field with its media type.
        size: The field with its length in bytes.
        sha256: The field with the digest of its bytes.
        ends: The field with the instant at which the address ends.
        setting: The setting, a boolean, that has these files left out when false.
    """

    url: str
    within: str | None = None
    name: str | None = None
    content_type: str | None = None
    size: str | None = None
    sha256: str | None = None
    ends: str | None = None
    setting: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Declaration:
    """A stream of one list call.

    Attributes:
        name: The stream.
        path: The list call, as in the contract.
        lines: Line streams that are cut from its records.
        history: The stream of their versions, if one is kept.
        filters: What the server may be asked to leave out.
        reread: Which of its records are read again by every run.
        periods: The stream of the accounting periods by which its records are, if they are.
        files: Where its records name files, if they do.
    """

    name: str
    path: str
    lines: tuple[Lines, ...] = ()
    history: History | None = None
    filters: tuple[Filter, ...] = ()
    reread: Open | Ahead | None = None
    periods: str | None = None
    files: Files | None = None

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
        files=Files("url", within="photos", setting="download_photos"),
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
        reread=Open(("penciled", "pending", "contracted", "delivered")),
    ),
    Declaration("deal_recaps", "/deals/recaps"),
    Declaration(
        "service_appointments",
        "/service/appointments",
        reread=Ahead("appointmentTime", "appointmentFrom"),
    ),
    Declaration(
        "repair_orders",
        "/service/repair-orders",
        lines=(Lines("repair_order_lines", "lines"),),
        reread=Open(
            (
                "estimate",
                "open",
                "in_progress",
                "on_hold",
                "waiting_parts",
                "waiting_authorization",
                "completed",
                "invoiced",
                "partially_closed",
            )
        ),
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
        periods="accounting_periods",
    ),
    Declaration("receipts", "/accounting/receipts"),
    Declaration("deposits", "/accounting/deposits"),
    Declaration("accounting_periods", "/accounting/periods"),
    Declaration("users", "/users"),
    Declaration("rooftops", "/rooftops"),
    Declaration(
        "attachments",
        "/attachments",
        files=Files(
            "downloadUrl",
            name="fileName",
            content_type="contentType",
            size="size",
            sha256="sha256",
            ends="urlExpiresAt",
        ),
    ),
    Declaration("events", "/events"),
)


def stream_names() -> list[str]:
    """Return the name of every stream, those cut from another behind it."""
    return [
        name
        for declaration in STREAMS
        for name in (declaration.name, *(cut.name for cut in declaration.cuts))
    ]
