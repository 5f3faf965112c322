"""The file that says what a tenant does otherwise than the contract.

A YAML object; every section may be left out. Lists go by the names that the sandbox has for them
(`vehicles`, `repair_orders`), calls by their `operationId` in the contract. The contract's name
always stands before the tenant's.

| section | what it says |
|---|---|
| `options` | options of `sandbox serve` that hold unless they are given, `max-page-size: 100` |
| `absent` | lists and calls that the tenant does not have: 404 |
| `paths` | list or call to its path; the calls of a list's records move with the list |
| `parameters` | list to its query parameters, `{updatedFrom: modifiedFrom}` |
| `fields` | list or call to its fields, `{stockNumber: stockNo, odometer.value: mileage}` |
| `words` | list to field to the words of its closed list, `{customerType: {lead: prospect}}` |
| `more_fields` | list to fields that the contract lacks, each with the values that it takes |
| `more_words` | list to field to a word that the contract lacks and the one it is used instead of |

- `lines[].laborSale: labor.sale`: a field in the items of an array, and its path within the item.
- Fields and words of a list hold for the bodies and answers of its calls too; those of a call are
  fields that only its body or answer has. A filter takes the words of the field that it looks at.
- A query parameter that the tenant does not know is ignored.
- Every record has the `more_fields`, by its key; one record in four, by its key, has the word of
  `more_words` wherever it would have the other one.
- Faults, statistics and records of the control calls keep the contract's names; `more_fields` and
  `more_words` are in those records, since the tenant's DMS holds them.
"""

from __future__ import annotations

import dataclasses
import typing as t

from automate_sandbox import contract_file
from automate_sandbox.resources import Resource, resources

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automate_sandbox.contract_file import Operation

Table = t.Mapping[str, t.Mapping[str, str]]
Words = t.Mapping[str, Table]


@dataclasses.dataclass(frozen=True)
class Tenant:
    """What a tenant does otherwise: the sections of its file."""

    options: Mapping[str, str | float | bool] = dataclasses.field(default_factory=dict)
    absent: tuple[str, ...] = ()
    paths: Mapping[str, str] = dataclasses.field(default_factory=dict)
    parameters: Table = dataclasses.field(default_factory=dict)
    fields: Table = dataclasses.field(default_factory=dict)
    words: Words = dataclasses.field(default_factory=dict)
    more_fields: Mapping[str, Mapping[str, list[t.Any]]] = dataclasses.field(default_factory=dict)
    more_words: Words = dataclasses.field(default_factory=dict)


def list_of(operation: Operation) -> Resource | None:
    """Find the list that a call belongs to: the one whose path its own begins with."""
    fitting = [
        resource
        for resource in resources().values()
        if f"{operation.path}/".startswith(f"{resource.path}/")
    ]
    return max(fitting, key=lambda resource: len(resource.path), default=None)


def routes(tenant: Tenant) -> Iterator[tuple[Operation, str]]:
    """List the calls that a tenant has, with their paths there."""
    for operation in contract_file.operations():
        resource = list_of(operation)
        stream = resource.stream if resource else ""
        if {operation.operation_id, stream} & set(tenant.absent):
            continue
        path = operation.path
        if resource and stream in tenant.paths:
            path = tenant.paths[stream] + path.removeprefix(resource.path)
        yield operation, tenant.paths.get(operation.operation_id, path)
