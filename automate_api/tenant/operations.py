"""The contract's operations by id, and the resource that each of them belongs to."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_api.contract import Contract, Schema

RECORD: t.Final = "{id}"
"""Stands in a path for a record's id."""

UNTRANSLATED: t.Final = frozenset({"createSession", "refreshSession", "deliverEvent"})
"""Logins are the same everywhere, and deliveries come from the DMS."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Operation:
    """One call of the API.

    Attributes:
        id: `operationId` of the contract.
        method: In capitals.
        path: As the contract has it.
        resource: The resource whose list it is, or whose records it is about; None where there is
            none.
        is_list: Whether it answers pages of records.
        body: The component that describes its body; None where it has none.
        answer: The component that describes the answer to a success, of a list one record; None
            where it has none.
        parameters: What its query takes: name to JSON Schema.
    """

    id: str
    method: str
    path: str
    resource: str | None
    is_list: bool
    body: str | None
    answer: str | None
    parameters: Mapping[str, Schema]

    @property
    def is_read(self) -> bool:
        """Whether it answers records of its resource as they are."""
        return self.method == "GET" and self.resource is not None

    @property
    def below(self) -> str:
        """What follows the resource's list in the path, `/{id}/status`; empty for the list."""
        start = self.path.find(f"/{RECORD}")
        return "" if start < 0 else self.path[start:]

    def at(self, base: str) -> str:
        """Give its path where the list of its resource is elsewhere."""
        return base + self.below


class Operations:
    """All calls that a client's requests are translated for.

    Attributes:
        by_id: `operationId` to operation.
        lists: Resource to its list.
    """

    def __init__(self, known: Contract) -> None:
        """Read them from a contract."""
        self._known = known
        paths: Mapping[str, Mapping[str, t.Any]] = known.document["paths"]
        named = {
            path: _snake_case(item["get"]["operationId"].removeprefix("list"))
            for path, item in paths.items()
            if item.get("get", {}).get("operationId", "").startswith("list")
        }
        self.by_id: Mapping[str, Operation] = {
            call["operationId"]: self._operation(method, path, call, named)
            for path, item in paths.items()
            for method, call in item.items()
            if call["operationId"] not in UNTRANSLATED
        }
        self.lists: Mapping[str, Operation] = {
            call.resource: call for call in self.by_id.values() if call.is_list and call.resource
        }

    def record(self, resource: str | None) -> Schema:
        """Give the schema of a resource's records, a copy; an empty one where there is none."""
        answer = self.lists[resource].answer if resource else None
        return self._known.schema(answer) if answer else {}

    def _operation(
        self, method: str, path: str, call: Mapping[str, t.Any], named: Mapping[str, str]
    ) -> Operation:
        homes = [base for base in named if path == base or path.startswith(f"{base}/{RECORD}")]
        is_list = method == "get" and path in named
        return Operation(
            id=call["operationId"],
            method=method.upper(),
            path=path,
            resource=named[homes[0]] if homes else None,
            is_list=is_list,
            body=_component(_json(call["requestBody"])) if "requestBody" in call else None,
            answer=self._answer(call, is_list=is_list),
            parameters=self._parameters(path, call) if method == "get" else {},
        )

    def _answer(self, call: Mapping[str, t.Any], *, is_list: bool) -> str | None:
        for status in ("200", "2XX"):
            if status in call["responses"]:
                schema = _json(call["responses"][status])
                if is_list:
                    schema = schema["allOf"][-1]["properties"]["items"]["items"]
                return _component(schema)
        return None

    def _parameters(self, path: str, call: Mapping[str, t.Any]) -> dict[str, Schema]:
        found: dict[str, Schema] = {}
        components = self._known.document["components"]["parameters"]
        for each in call["parameters"]:
            parameter = components[each["$ref"].rpartition("/")[2]] if "$ref" in each else each
            if parameter["in"] == "query":
                found[parameter["name"]] = self._known.parameter(path, parameter["name"])
        return found


@functools.cache
def operations_of(known: Contract) -> Operations:
    """Read the operations of a contract, once for each."""
    return Operations(known)


def _json(part: Mapping[str, t.Any]) -> Mapping[str, t.Any]:
    schema: Mapping[str, t.Any] = part["content"]["application/json"]["schema"]
    return schema


def _component(schema: Mapping[str, t.Any]) -> str:
    name: str = schema["$ref"].rpartition("/")[2]
    return name


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
