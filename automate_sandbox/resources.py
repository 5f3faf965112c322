"""The resources that the sandbox serves: the contract's lists, and how filters look at a record."""

from __future__ import annotations

import dataclasses
import functools
import re
import sys
import typing as t

from automate_sandbox import contract_file
from automate_sandbox.instants import parse

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_sandbox.contract_file import Operation
    from automate_sandbox.money import Record

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
    ("receipts", "dealId"): "appliedTo.id",
    ("events", "occurred"): "occurredAt",
}
"""Where a filter looks when the field has not its name; a range `xFrom`, `xTo` is named `x`."""

DATES: t.Final = frozenset({"accountingDate"})
"""Ranges over bare dates; the others are over instants."""

COMMON: t.Final = frozenset({"updatedFrom", "updatedTo", "page", "pageSize"})

JOINT: t.Final = "|"
"""Between the parts of a composite key where it is one text; no part has it."""

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
        stream: `op_codes` of `listOpCodes`.
        path: After the integration's prefix.
        schema: Name of the record's schema in the contract.
        key: The fields that identify a record together; the first is the `{id}` of its detail call.
        entitlements: One of them is needed, unless there are none.
        filters: Query parameter to what it compares, beyond the common ones.
        fields: Dotted paths of the values that filters look at, in the order of `Row.values`.
    """

    stream: str
    path: str
    schema: str
    key: tuple[str, ...]
    entitlements: frozenset[str]
    filters: Mapping[str, Filter]
    fields: tuple[str, ...]

    def key_of(self, record: Record) -> str:
        """Make the one text that a record is known by within the sandbox.

        Raises:
            KeyError: A field of the key is missing.
            TypeError: One is no text.
        """
        return JOINT.join([record[field] for field in self.key])

    def values(self, record: Record) -> tuple[Value, ...]:
        """Take from a record what its filters look at."""
        return tuple([_value(record, path, is_time=is_time) for path, is_time in self._places])

    @functools.cached_property
    def _places(self) -> tuple[tuple[tuple[str, ...], bool], ...]:
        """The names on the way to each field, and whether an instant is there."""
        return tuple(
            (tuple(field.split(".")), field.endswith(("At", "Time"))) for field in self.fields
        )


@functools.cache
def resources() -> dict[str, Resource]:
    """Stream to resource, one for each list of the contract, in its order."""
    found = [_resource(each) for each in contract_file.operations() if each.record]
    return {resource.stream: resource for resource in found}


def _resource(operation: Operation) -> Resource:
    stream = _snake_case(operation.operation_id.removeprefix("list"))
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
        path=operation.path,
        schema=schema,
        key=contract_file.record_key(schema),
        entitlements=operation.entitlements,
        filters=filters,
        fields=tuple(fields),
    )


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _value(record: Record, path: tuple[str, ...], *, is_time: bool) -> Value:
    """Follow a path; arrays give all their items' values, instants become milliseconds."""
    node: t.Any = record
    for name in path:
        if isinstance(node, list):
            node = [item.get(name) for item in node if item]
        else:
            node = node.get(name) if node else None
    if isinstance(node, list):
        return tuple(sorted({sys.intern(item) for item in node if item}))
    if isinstance(node, str):
        return parse(node) if is_time else sys.intern(node)
    return None
