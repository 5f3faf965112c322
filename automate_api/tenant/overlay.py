"""An overlay: what one tenant does otherwise than the contract, as its file says.

Made by `reading.read`, which checks it; `as_document` is what such a file holds. The programs speak
the contract everywhere: `wire` translates where JSON leaves and enters, and `contract.load` takes
an overlay for what a tenant has beyond the contract.
"""

from __future__ import annotations

import dataclasses
import typing as t

from automate_api import contract
from automate_api.tenant.operations import operations_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automate_api.contract import Schema

Words: t.TypeAlias = "Mapping[str, str | None]"
"""The tenant's word to the contract's; None for one that means nothing in the contract."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResourceOverlay:
    """What is otherwise about the records of one list.

    Places are as `places.Place` reads them, by the contract's names unless said.

    Attributes:
        path: Of the list, instead of the contract's; details and calls below a record follow.
        offered: Whether the tenant has it.
        parameters: Query parameter of the contract to the tenant's.
        fields: Place to the tenant's path; of what is within an array, from the item on.
        add: Place of a field beyond the contract to its JSON Schema, in the contract's form.
        values: Place of a closed list to the tenant's words.
        pii: Places that hold personal data, beside those that the contract marks.
    """

    path: str | None = None
    offered: bool = True
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    fields: dict[str, str] = dataclasses.field(default_factory=dict)
    add: Mapping[str, Schema] = dataclasses.field(default_factory=dict)
    values: Mapping[str, Words] = dataclasses.field(default_factory=dict)
    pii: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class CallOverlay:
    """What is otherwise about one operation, beside what is so about its record.

    Attributes:
        path: Instead of the contract's, `{id}` in it where the contract has it.
        offered: Whether the tenant has it.
        fields: Place in the body, or in the answer, to the tenant's path.
        add: Place of a field that the body takes beyond the contract to its JSON Schema.
        values: Place of a closed list to the tenant's words.
    """

    path: str | None = None
    offered: bool = True
    fields: dict[str, str] = dataclasses.field(default_factory=dict)
    add: Mapping[str, Schema] = dataclasses.field(default_factory=dict)
    values: Mapping[str, Words] = dataclasses.field(default_factory=dict)


SAME_RESOURCE: t.Final = ResourceOverlay()
SAME_CALL: t.Final = CallOverlay()


@dataclasses.dataclass(frozen=True, eq=False)
class Overlay:
    """What one tenant does otherwise. Two are equal only when they are the same object.

    Attributes:
        source: The file that says it.
        resources: Stream, which is also the entity that a target writes, to what is otherwise.
        calls: The contract's `operationId` to what is otherwise.
    """

    source: Path
    resources: Mapping[str, ResourceOverlay] = dataclasses.field(default_factory=dict)
    calls: Mapping[str, CallOverlay] = dataclasses.field(default_factory=dict)

    def resource(self, name: str) -> ResourceOverlay:
        """Give what is otherwise about a resource; nothing, for one that is not named."""
        return self.resources.get(name, SAME_RESOURCE)

    def call(self, operation_id: str) -> CallOverlay:
        """Give what is otherwise about an operation; nothing, for one that is not named."""
        return self.calls.get(operation_id, SAME_CALL)

    def offers(self, name: str) -> bool:
        """Tell whether the tenant has a resource's list."""
        listed = operations_of(contract.load()).lists[name]
        return self.resource(name).offered and self.call(listed.id).offered

    def as_document(self) -> dict[str, t.Any]:
        """Give what a file that says the same holds, without what is as the contract has it."""
        resources = {name: _said(each, SAME_RESOURCE) for name, each in self.resources.items()}
        calls = {name: _said(each, SAME_CALL) for name, each in self.calls.items()}
        return {
            section: {name: said for name, said in parts.items() if said}
            for section, parts in (("resources", resources), ("calls", calls))
            if any(parts.values())
        }


def _said(
    part: ResourceOverlay | CallOverlay, same: ResourceOverlay | CallOverlay
) -> dict[str, t.Any]:
    said = {
        field.name: getattr(part, field.name)
        for field in dataclasses.fields(part)
        if getattr(part, field.name) != getattr(same, field.name)
    }
    if "add" in said:
        said["add"] = {place: _written(schema) for place, schema in said["add"].items()}
    if "pii" in said:
        said["pii"] = list(said["pii"])
    return said


def _written(schema: Schema) -> dict[str, t.Any]:
    """Write a field's schema as a file has it: `pii`, one type, and no mark of its origin."""
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    written: dict[str, t.Any] = {"type": next(kind for kind in kinds if kind != "null")}
    for keyword, value in schema.items():
        match keyword:
            case "type" | "x-origin":
                continue
            case "x-pii":
                written["pii"] = value
            case "enum":
                written["enum"] = [each for each in value if each is not None]
            case "properties":
                written["properties"] = {name: _written(part) for name, part in value.items()}
            case "items":
                written["items"] = _written(value)
            case _:
                written[keyword] = value
    return written
