"""The table of resources that the sandbox serves, and how their filters look at a record."""

from __future__ import annotations

import dataclasses
import functools
import sys
import typing as t

from automate_sandbox import contract_file
from automate_sandbox.instants import parse

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_sandbox.money import Record

PATHS: t.Final = {
    "rooftops": "/rooftops",
    "users": "/users",
    "lots": "/lots",
    "vehicles": "/vehicles",
    "customers": "/customers",
    "deals": "/deals",
    "service_appointments": "/service/appointments",
    "repair_orders": "/service/repair-orders",
    "gl_accounts": "/accounting/gl-accounts",
    "gl_entries": "/accounting/gl-entries",
}
"""Stream to its path. Everything else of the resource stands in the contract."""

FIELDS: t.Final = {
    ("vehicles", "lotId"): "lot.lotId",
    ("customers", "email"): "emails",
    ("customers", "phone"): "phones.number",
    ("deals", "vin"): "vehicle.vin",
    ("deals", "stockNumber"): "vehicle.stockNumber",
    ("deals", "delivered"): "deliveredAt",
    ("service_appointments", "appointment"): "appointmentTime",
    ("repair_orders", "opened"): "openedAt",
    ("repair_orders", "closed"): "closedAt",
    ("gl_entries", "accounting"): "accountingDate",
    ("gl_entries", "accountNumber"): "lines.accountNumber",
    ("gl_entries", "controlNumber"): "lines.controlNumber",
}
"""Where a filter looks when the field has not its name; a range `xFrom`, `xTo` is named `x`."""

DATES: t.Final = frozenset({"accountingDate"})
"""Ranges over bare dates; the others are over instants."""

COMMON: t.Final = frozenset({"updatedFrom", "updatedTo", "page", "pageSize"})

Value = str | int | tuple[str, ...] | None


@dataclasses.dataclass(frozen=True)
class Filter:
    """A query parameter.

    Attributes:
        position: Where the record's value stands in `Row.values`.
        bound: "from", "to", or "" for equality (of any item, for arrays).
        is_date: Whether a bound is a bare date rather than an instant.
        allowed: Values that the contract lists; empty when any is.
    """

    position: int
    bound: str
    is_date: bool
    allowed: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Resource:
    """A list of the API with its details.

    Attributes:
        stream: The project's name of it.
        path: After the integration's prefix.
        schema: Name of the record's schema in the contract.
        key: The field that identifies a record.
        entitlements: One of them is needed, unless there are none.
        filters: Query parameter to what it compares, beyond the common ones.
        fields: Dotted paths of the values that filters look at, in the order of `Row.values`.
    """

    stream: str
    path: str
    schema: str
    key: str
    entitlements: frozenset[str]
    filters: Mapping[str, Filter]
    fields: tuple[str, ...]

    def values(self, record: Record) -> tuple[Value, ...]:
        """Take from a record what its filters look at."""
        return tuple(_value(record, field) for field in self.fields)


@functools.cache
def resources() -> dict[str, Resource]:
    """Stream to resource, as the contract and the table above say."""
    return {stream: _resource(stream, path) for stream, path in PATHS.items()}


def _resource(stream: str, path: str) -> Resource:
    operation = contract_file.listing(path)
    schema = str(operation.record)
    fields: list[str] = []
    filters = {}
    for name, parameter in operation.parameters.items():
        if name in COMMON:
            continue
        bound = "from" if name.endswith("From") else "to" if name.endswith("To") else ""
        base = name.removesuffix("From").removesuffix("To") if bound else name
        field = FIELDS.get((stream, base), base)
        if field not in fields:
            fields.append(field)
        allowed = frozenset(value for value in parameter.get("enum", ()) if value is not None)
        filters[name] = Filter(fields.index(field), bound, field in DATES, allowed)
    return Resource(
        stream=stream,
        path=path,
        schema=schema,
        key=contract_file.record_key(schema)[0],
        entitlements=operation.entitlements,
        filters=filters,
        fields=tuple(fields),
    )


def _value(record: Record, field: str) -> Value:
    """Follow a dotted path; arrays give all their items' values, instants become milliseconds."""
    node: t.Any = record
    for name in field.split("."):
        if isinstance(node, list):
            node = [item.get(name) for item in node]
        else:
            node = node.get(name) if node else None
    if isinstance(node, list):
        return tuple(sorted({sys.intern(item) for item in node if item}))
    if isinstance(node, str):
        return parse(node) if field.endswith(("At", "Time")) else sys.intern(node)
    return None
