"""The contract, `openapi.yaml`, read once: what the API offers, sends and takes.

Stream schemas, payload validation and entitlements come from here, so that they are written once.
Every schema that is handed out is plain JSON Schema without `$ref` and `allOf`, and a copy of the
caller's own. Each field in it says by `x-origin` whether the API documents it or it is inferred: by
its own mark, else by that of its component, and never as more documented than what holds it.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import importlib.resources
import typing as t

import yaml

from automate_api.tenant import document

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from automate_api.tenant.overlay import Overlay

Schema: t.TypeAlias = dict[str, t.Any]
Origin: t.TypeAlias = t.Literal["documented", "inferred"]

MESSAGE_KEYWORDS: t.Final = ("description", "format", "x-sql-datatype-properties")
"""What a Singer SCHEMA keeps of a field, besides its type and its parts."""


@dataclasses.dataclass(frozen=True)
class Lines:
    """The items of an array in a record, for a stream of their own.

    Attributes:
        field: Where the array stands in the record, dotted: `lines`, `finance.products`.
        key: The fields that identify a line within its parent. `position` is no field of the line
            but its place in the array, counted by the reader.
        schema: JSON Schema of one line.
    """

    field: str
    key: tuple[str, ...]
    schema: Schema


@dataclasses.dataclass(frozen=True)
class Resource:
    """A list of records, `GET <path>`.

    Attributes:
        path: As the contract has it, from the integration's base URL on.
        origin: Whether the API documents the list.
        entitlements: Any one of them is enough to read the list; with none, any login may.
        key: The fields that identify a record.
        record_schema: JSON Schema of one record.
        parameters: The query parameters, filters and paging.
    """

    path: str
    origin: Origin
    entitlements: frozenset[str]
    key: tuple[str, ...]
    record_schema: Schema
    parameters: frozenset[str]

    def field(self, path: str) -> Schema:
        """Give the JSON Schema of a field.

        Args:
            path: Its place in the record, dotted; not through arrays.

        Raises:
            LookupError: The records have no such field.
        """
        schema: Schema = self.record_schema
        for name in path.split("."):
            schema = schema.get("properties", {}).get(name, {})
        if not schema:
            msg = f"The records of {self.path} have no field {path!r}."
            raise LookupError(msg)
        return schema

    def lines(self, field: str) -> Lines:
        """Describe the lines that the records carry in an array.

        Args:
            field: The array's place in the record, dotted.

        Raises:
            LookupError: The records have no such array, or its items have no key.
        """
        line = self.field(field).get("items", {})
        if "x-key" not in line:
            msg = f"The records of {self.path} have no lines with a key at {field!r}."
            raise LookupError(msg)
        return Lines(field, tuple(line["x-key"]), line)


@dataclasses.dataclass(frozen=True)
class Write:
    """A call that takes a body.

    Attributes:
        method: The HTTP method, in capitals.
        path: As the contract has it, from the integration's base URL on.
        origin: Whether the API documents the call.
        entitlements: Any one of them is enough to make it; with none, any login may.
        schema: JSON Schema of the body.
    """

    method: str
    path: str
    origin: Origin
    entitlements: frozenset[str]
    schema: Schema


@dataclasses.dataclass(frozen=True, eq=False)
class Contract:
    """The API by its contract. Two are equal only when they are the same object.

    Attributes:
        document: The OpenAPI 3.1 document, for reading only.
    """

    document: Mapping[str, t.Any] = dataclasses.field(repr=False)

    def resource(self, path: str) -> Resource:
        """Describe a list of records.

        Args:
            path: The list's path, `/service/repair-orders`.

        Raises:
            LookupError: The contract has no list there.
        """
        operation = self._operation("get", path)
        answer = operation["responses"]["200"]
        page = self._inline(answer["content"]["application/json"]["schema"], operation["x-origin"])
        if "items" not in page.get("properties", {}):
            msg = f"The contract has no list at {path}."
            raise LookupError(msg)
        record: Schema = page["properties"]["items"]["items"]
        return Resource(
            path=path,
            origin=operation["x-origin"],
            entitlements=frozenset(operation["x-entitlements"]),
            key=tuple(record["x-key"]),
            record_schema=record,
            parameters=frozenset(self._resolve(p)["name"] for p in operation["parameters"]),
        )

    def parameter(self, path: str, name: str) -> Schema:
        """Give the JSON Schema of a query parameter of a list, with its description.

        Args:
            path: The list's path.
            name: The parameter.

        Raises:
            LookupError: The contract has no list there, or it takes no such parameter.
        """
        operation = self._operation("get", path)
        for parameter in map(self._resolve, operation["parameters"]):
            if parameter["name"] == name:
                schema = self._inline(parameter["schema"], parameter["x-origin"])
                return schema | {"description": parameter.get("description", "")}
        msg = f"The contract has no parameter {name!r} of GET {path}."
        raise LookupError(msg)

    def write(self, operation_id: str) -> Write:
        """Describe a call that takes a body.

        Args:
            operation_id: The write, `createDeal`.

        Raises:
            LookupError: The contract has no such operation, or it takes no body.
        """
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if operation["operationId"] == operation_id and "requestBody" in operation:
                    content = operation["requestBody"]["content"]["application/json"]
                    return Write(
                        method=method.upper(),
                        path=path,
                        origin=operation["x-origin"],
                        entitlements=frozenset(operation["x-entitlements"]),
                        schema=self._inline(content["schema"], operation["x-origin"]),
                    )
        msg = f"The contract has no operation {operation_id!r} that takes a body."
        raise LookupError(msg)

    def schema(self, name: str) -> Schema:
        """Give the JSON Schema of a component.

        Args:
            name: The component, `Deal`.

        Raises:
            LookupError: The contract has no such component.
        """
        components: Mapping[str, Schema] = self.document["components"]["schemas"]
        if name not in components:
            msg = f"The contract has no schema {name!r}."
            raise LookupError(msg)
        return self._inline(components[name], "documented")

    def origin(self, method: str, path: str) -> Origin:
        """Tell whether an operation is documented or inferred.

        Args:
            method: The HTTP method, in any case.
            path: The path as the contract has it, `/deals/{id}/status`.

        Raises:
            LookupError: The contract has no such operation.
        """
        origin: Origin = self._operation(method, path)["x-origin"]
        return origin

    @functools.cached_property
    def pii_fields(self) -> frozenset[str]:
        """The names of all fields, of any record or write, that hold personal data."""
        return frozenset(
            path.rpartition(".")[2]
            for component in self.document["components"]["schemas"].values()
            for path, field in fields(component)
            if field.get("x-pii")
        )

    def _operation(self, method: str, path: str) -> Mapping[str, t.Any]:
        operation: Mapping[str, t.Any] | None
        operation = self.document["paths"].get(path, {}).get(method.lower())
        if operation is None:
            msg = f"The contract has no {method.upper()} {path}."
            raise LookupError(msg)
        return operation

    def _resolve(self, part: Mapping[str, t.Any]) -> Mapping[str, t.Any]:
        if "$ref" not in part:
            return part
        _, components, kind, name = part["$ref"].split("/")
        target: Mapping[str, t.Any] = self.document[components][kind][name]
        return target

    def _inline(self, schema: Mapping[str, t.Any], holder: str) -> Schema:
        """Replace each `$ref` by what it names, fold each `allOf`, and settle each `x-origin`.

        A keyword beside a `$ref` narrows the component and replaces its keyword.
        """
        if "$ref" in schema:
            schema = {**self._resolve(schema), **schema}
        origin = "inferred" if holder == "inferred" else schema.get("x-origin", holder)
        plain: Schema = {}
        for keyword, value in schema.items():
            match keyword:
                case "$ref" | "allOf":
                    continue
                case "properties":
                    plain[keyword] = {name: self._inline(v, origin) for name, v in value.items()}
                case "anyOf" | "oneOf":
                    plain[keyword] = [self._inline(branch, origin) for branch in value]
                case "items":
                    plain[keyword] = self._inline(value, origin)
                case _:
                    plain[keyword] = copy.deepcopy(value)
        for branch in schema.get("allOf", ()):
            _fold(self._inline(branch, origin), into=plain)
        return plain | {"x-origin": origin}


def load(overlay: Overlay | None = None) -> Contract:
    """Read the contract that comes with the package, once in a process.

    Args:
        overlay: What a tenant has beyond it; names and paths stay the contract's.
    """
    return plain() if overlay is None else _adapted(overlay)


@functools.cache
def _adapted(overlay: Overlay) -> Contract:
    return Contract(document.adapted(plain(), overlay))


@functools.cache
def plain() -> Contract:
    """Read the contract without any tenant's overlay."""
    loader: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (importlib.resources.files("automate_api") / "openapi.yaml").read_bytes()
    return Contract(yaml.load(text, Loader=loader))  # noqa: S506 - both loaders are the safe ones


def stream_schema(record_schema: Schema, *, key: Collection[str] | None = None) -> Schema:
    """Make the JSON Schema that a Singer SCHEMA message carries.

    What the DMS sends is never refused for its shape: `required`, `enum` and limits are left out,
    and every field may be null at each level, but for the key. Format, precision and description
    stay.

    Args:
        record_schema: One record's schema, as a `Resource` or `Lines` has it, or made from one.
        key: The fields that are never null; the schema's own `x-key` unless given.
    """
    keys = record_schema.get("x-key", ()) if key is None else key
    return {
        "type": "object",
        "properties": {
            name: _column(field, nullable=name not in keys)
            for name, field in record_schema["properties"].items()
        },
    }


def fields(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Go through the fields of a record, or of a part of one, at every level.

    Args:
        schema: The record's schema.

    Yields:
        Dotted path, through arrays too (`lines.payType`), and the field's schema.
    """
    for name, field in schema.get("properties", {}).items():
        yield name, field
        for path, part in fields(field.get("items", field)):
            yield f"{name}.{path}", part


def _fold(branch: Schema, *, into: Schema) -> None:
    """Add an `allOf` branch's fields behind those that are there; no field is in two branches."""
    into["properties"] = into.get("properties", {}) | branch.get("properties", {})
    into["required"] = into.get("required", []) + branch.get("required", [])
    into.setdefault("type", branch.get("type", "object"))


def _column(field: Schema, *, nullable: bool) -> Schema:
    kinds = [field["type"]] if isinstance(field["type"], str) else field["type"]
    column: Schema = {"type": [kind for kind in kinds if kind != "null"]}
    if nullable:
        column["type"].append("null")
    column |= {keyword: field[keyword] for keyword in MESSAGE_KEYWORDS if keyword in field}
    if "properties" in field:
        column["properties"] = {
            name: _column(part, nullable=True) for name, part in field["properties"].items()
        }
    if "items" in field:
        column["items"] = _column(field["items"], nullable=True)
    return column
