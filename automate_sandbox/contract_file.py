"""The contract as the sandbox reads it: the file alone, none of the client's code.

Paths, parameters, keys, entitlements and the schemas of records and payloads come from
`automate_api/openapi.yaml`, so that a mistake of the client's reader cannot hide in here too.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import typing as t

import jsonschema_rs
import yaml

if t.TYPE_CHECKING:
    from collections.abc import Mapping

JSON: t.Final = "application/json"
METHODS: t.Final = frozenset({"get", "post", "put", "patch", "delete"})


@dataclasses.dataclass(frozen=True)
class Operation:
    """One call of the API.

    Attributes:
        operation_id: `listVehicles`.
        method: In capitals.
        path: `/vehicles/{id}`, after the integration's prefix.
        entitlements: One of these is enough; none means any login.
        parameters: Query parameter to its JSON Schema, references resolved.
        record: Name of the schema of the items, for a list.
    """

    operation_id: str
    method: str
    path: str
    entitlements: frozenset[str]
    parameters: Mapping[str, Mapping[str, t.Any]]
    record: str | None


class Shape(t.NamedTuple):
    """What a schema allows, as far as names go.

    Attributes:
        properties: Of an object, with their schemas.
        items: Schema of an array's items; None when it is no array.
        words: Of a closed list; none when it is none.
    """

    properties: Mapping[str, Mapping[str, t.Any]]
    items: Mapping[str, t.Any] | None
    words: frozenset[str]


@functools.cache
def document() -> dict[str, t.Any]:
    """Read the contract file, once per process."""
    source = importlib.resources.files("automate_api") / "openapi.yaml"
    loader: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content: dict[str, t.Any] = yaml.load(source.read_text("utf-8"), Loader=loader)  # noqa: S506 - a safe loader
    return content


@functools.cache
def operations() -> tuple[Operation, ...]:
    """List every call that the contract names."""
    return tuple(
        _operation(method, path, body)
        for path, item in document()["paths"].items()
        for method, body in item.items()
        if method in METHODS
    )


def record_key(schema_name: str) -> tuple[str, ...]:
    """Name the fields that identify a record."""
    return tuple(document()["components"]["schemas"][schema_name]["x-key"])


@functools.cache
def validator(schema_name: str) -> jsonschema_rs.Validator:
    """Compile a component schema; its messages never repeat a value."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": f"#/components/schemas/{schema_name}",
        "components": document()["components"],
    }
    return jsonschema_rs.validator_for(schema, validate_formats=True, mask="the value")


def payload_schema(operation_id: str) -> str:
    """Name the schema of a call's request body."""
    for item in document()["paths"].values():
        for body in item.values():
            if isinstance(body, dict) and body.get("operationId") == operation_id:
                reference: str = body["requestBody"]["content"][JSON]["schema"]["$ref"]
                return _name(reference)
    message = f"the contract has no operation {operation_id}"
    raise LookupError(message)


def call_schemas(operation_id: str) -> list[str]:
    """Name the schemas of a call's body and of its good answer, as far as they have names."""
    found = []
    for item in document()["paths"].values():
        for call in item.values():
            if not isinstance(call, dict) or call.get("operationId") != operation_id:
                continue
            answers = [call["responses"].get(status) for status in ("200", "2XX")]
            for part in (call.get("requestBody"), *answers):
                schema = (part or {}).get("content", {}).get(JSON, {}).get("schema", {})
                found += [_name(schema["$ref"])] if "$ref" in schema else []
    return found


@functools.cache
def properties(schema_name: str) -> frozenset[str]:
    """Name the fields of a component schema, those that it is composed of included."""
    schema = document()["components"]["schemas"][schema_name]
    names = set(schema.get("properties", ()))
    for part in schema.get("allOf", ()):
        names |= properties(_name(part["$ref"])) if "$ref" in part else set(part["properties"])
    return frozenset(names)


def field(schema_name: str, path: str) -> Shape | None:
    """Find a field of a component schema.

    Args:
        schema_name: `RepairOrder`.
        path: `lines[].laborHours.sold`, where `[]` stands for each item of an array.

    Returns:
        What is known of it; None when the schema has no such field.
    """
    node: Mapping[str, t.Any] = {"$ref": f"#/components/schemas/{schema_name}"}
    for name in path.split("."):
        found = shape(node).properties.get(name.removesuffix("[]"))
        if found is not None and name.endswith("[]"):
            found = shape(found).items
        if found is None:
            return None
        node = found
    return shape(node)


def shape(node: Mapping[str, t.Any]) -> Shape:
    """Say what a schema allows, with that of the schemas that it is composed of."""
    node = {**_resolve(node), **node}
    properties, items = dict(node.get("properties", {})), node.get("items")
    words = {word for word in node.get("enum", ()) if isinstance(word, str)}
    for part in node.get("allOf", ()):
        inner = shape(part)
        properties |= inner.properties
        items, words = items or inner.items, words | inner.words
    return Shape(properties, items, frozenset(words))


def _operation(method: str, path: str, body: Mapping[str, t.Any]) -> Operation:
    parameters = [_resolve(parameter) for parameter in body.get("parameters", ())]
    return Operation(
        operation_id=body["operationId"],
        method=method.upper(),
        path=path,
        entitlements=frozenset(body.get("x-entitlements", ())),
        parameters={
            parameter["name"]: _resolve(parameter["schema"])
            for parameter in parameters
            if parameter["in"] == "query"
        },
        record=_record(body) if method == "get" else None,
    )


def _record(body: Mapping[str, t.Any]) -> str | None:
    """Name the schema of a list's items; None when the answer is no list."""
    schema = body["responses"].get("200", {}).get("content", {}).get(JSON, {}).get("schema", {})
    for part in schema.get("allOf", ()):
        reference = part.get("properties", {}).get("items", {}).get("items", {}).get("$ref")
        if reference:
            return _name(reference)
    return None


def _resolve(node: Mapping[str, t.Any]) -> Mapping[str, t.Any]:
    if "$ref" not in node:
        return node
    _, _, kind, name = node["$ref"].split("/")
    found: Mapping[str, t.Any] = document()["components"][kind][name]
    return found


def _name(reference: str) -> str:
    return reference.rsplit("/", 1)[1]
