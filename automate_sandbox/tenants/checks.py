"""What cannot be in a tenant's file: names that the contract lacks, and two of one name."""

from __future__ import annotations

import difflib
import typing as t
from collections import Counter

import jsonschema_rs

from automate_sandbox import contract_file
from automate_sandbox.resources import resources
from automate_sandbox.tenants.names import ITEM
from automate_sandbox.tenants.tenant import Tenant, list_of, routes

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from automate_sandbox.contract_file import Operation

NAME: t.Final = {"type": "string", "pattern": r"^[A-Za-z_]\w*$"}
PATH: t.Final = {"type": "string", "pattern": r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"}
WORD: t.Final = {"type": "string", "pattern": r"^\w[\w ./-]*$"}


def _each(values: Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {"type": "object", "additionalProperties": values}


SCHEMA: t.Final = {
    "type": "object",
    "properties": {
        "options": _each({"type": ["string", "number", "boolean"]}),
        "absent": {"type": "array", "items": {"type": "string"}},
        "paths": _each({"type": "string", "pattern": r"^(/[\w.~-]+|/\{id\})+$"}),
        "parameters": _each(_each(NAME)),
        "fields": _each(_each(PATH)),
        "words": _each(_each(_each(WORD))),
        "more_fields": _each({**_each({"type": "array", "minItems": 1}), "propertyNames": NAME}),
        "more_words": _each(_each({**_each({"type": "string"}), "propertyNames": WORD})),
    },
    "additionalProperties": False,
}


def problems(content: object) -> list[str]:
    """Say everything that is wrong in what a tenant's file holds."""
    validator = jsonschema_rs.validator_for(SCHEMA)
    try:
        found = [
            f"{'.'.join(map(str, error.instance_path)) or 'the file'}: {error.message}"
            for error in validator.iter_errors(content)
        ]
    except ValueError:
        return ["expected only what JSON has; quote on, off, yes and no"]
    if found:
        return found
    tenant = Tenant(**t.cast("dict[str, t.Any]", content))
    return [*_subjects(tenant), *_paths(tenant), *_names(tenant), *_more(tenant)]


def _calls() -> dict[str, Operation]:
    return {operation.operation_id: operation for operation in contract_file.operations()}


def _subjects(tenant: Tenant) -> Iterator[str]:
    """Find names of lists and calls that there are none of."""
    either = {*resources(), *_calls()}
    for section, names, known in (
        ("absent", tenant.absent, either),
        ("paths", tenant.paths, either),
        ("parameters", tenant.parameters, resources()),
        ("fields", tenant.fields, either),
        ("words", tenant.words, resources()),
        ("more_fields", tenant.more_fields, resources()),
        ("more_words", tenant.more_words, resources()),
    ):
        for name in names:
            if name not in known:
                kind = "list or call" if known is either else "list"
                yield f"{section}.{name}: the sandbox has no such {kind}{_nearest(name, known)}"


def _paths(tenant: Tenant) -> Iterator[str]:
    calls = _calls()
    for name, path in tenant.paths.items():
        wanted = calls[name].path.count("{id}") if name in calls else 0
        if path.count("{id}") != wanted:
            yield f"paths.{name}: expected {'{id} once' if wanted else 'no {id}'}"
    ways = Counter((operation.method, path) for operation, path in routes(tenant))
    for (method, path), count in ways.items():
        if count > 1:
            yield f"paths: {count} calls are {method} {path}"


def _names(tenant: Tenant) -> Iterator[str]:
    """Find parameters, fields and words that the contract lacks, or that would be ambiguous."""
    lists, calls = resources(), _calls()
    parameters = {
        resource.stream: operation.parameters
        for operation in calls.values()
        if operation.record and (resource := list_of(operation))
    }
    for stream, pairs in tenant.parameters.items():
        known = parameters.get(stream, {})
        yield from _renamed(f"parameters.{stream}", pairs, known)
    for name, pairs in tenant.fields.items():
        schemas = [lists[name].schema] if name in lists else _schemas(calls.get(name))
        yield from _moved(f"fields.{name}", pairs, schemas)
    for stream, told in tenant.words.items():
        for path, pairs in told.items() if stream in lists else ():
            shape = contract_file.field(lists[stream].schema, path)
            if shape and shape.words:
                yield from _renamed(f"words.{stream}.{path}", pairs, shape.words)
            else:
                yield f"words.{stream}.{path}: the contract has no closed list there"


def _more(tenant: Tenant) -> Iterator[str]:
    lists = resources()
    for stream, fields in tenant.more_fields.items():
        taken = set(tenant.fields.get(stream, {}).values())
        for name in fields if stream in lists else ():
            if name in taken or contract_file.field(lists[stream].schema, name):
                yield f"more_fields.{stream}.{name}: there is such a field"
    for stream, told in tenant.more_words.items():
        for name, pairs in told.items() if stream in lists else ():
            shape = contract_file.field(lists[stream].schema, name)
            known = shape.words if shape and "." not in name else frozenset[str]()
            taken = {*known, *tenant.words.get(stream, {}).get(name, {}).values()}
            for word, instead in pairs.items():
                if word in taken:
                    yield f"more_words.{stream}.{name}.{word}: there is such a word"
                if instead not in known:
                    near = _nearest(instead, known)
                    yield f"more_words.{stream}.{name}.{word}: the contract has no {instead}{near}"


def _schemas(operation: Operation | None) -> list[str]:
    """Name the schemas of a call's body and answer."""
    return [] if operation is None else contract_file.call_schemas(operation.operation_id)


def _renamed(place: str, pairs: Mapping[str, str], known: Collection[str]) -> Iterator[str]:
    for name in pairs:
        if name not in known:
            yield f"{place}.{name}: the contract has no such name{_nearest(name, known)}"
    yield from _ambiguous(place, pairs, known)


def _ambiguous(place: str, pairs: Mapping[str, str], known: Collection[str]) -> Iterator[str]:
    """Find names that two would have: two renamed ones, or one that keeps its own."""
    for name, count in Counter(pairs.values()).items():
        if count > 1 or (name in known and name not in pairs):
            yield f"{place}: two would be called {name}"


def _moved(place: str, pairs: Mapping[str, str], schemas: list[str]) -> Iterator[str]:
    levels: dict[str, dict[str, str]] = {}
    for path, target in pairs.items():
        if path.endswith("[]"):
            yield f"{place}.{path}: expected the array's own name, without []"
        if not any(contract_file.field(schema, path) for schema in schemas):
            array, is_within, _ = path.rpartition(ITEM)
            siblings = _siblings(schemas, array if is_within else "")
            yield f"{place}.{path}: the contract has no such field{_nearest(path, siblings)}"
        array, is_within, name = path.rpartition(ITEM)
        levels.setdefault(array + is_within, {})[name] = target
    for array, moves in levels.items():
        known = {
            target
            for target in moves.values()
            for schema in schemas
            if contract_file.field(schema, array + target)
        }
        where = f"{place}.{array.removesuffix('.')}" if array else place
        yield from _ambiguous(where, moves, known)
        for name, target in moves.items():
            yield from _into(f"{place}.{array}{name}", array, name, target, schemas)


def _into(place: str, array: str, name: str, target: str, schemas: list[str]) -> Iterator[str]:
    """Find a move into what the contract has already: null there would be lost."""
    *parents, _ = target.split(".")
    for length in range(1, len(parents) + 1):
        parent = ".".join(parents[:length])
        is_own = name.startswith(f"{parent}.")
        if not is_own and any(contract_file.field(schema, array + parent) for schema in schemas):
            yield f"{place}: {parent} is there already; expected a move to where nothing is"


def _siblings(schemas: list[str], array: str) -> set[str]:
    """Name the fields beside one that is not there, with those one level further in."""
    found = set()
    for name in schemas:
        reference = {"$ref": f"#/components/schemas/{name}"}
        shape = contract_file.field(name, f"{array}[]") if array else contract_file.shape(reference)
        for field, inner in shape.properties.items() if shape else ():
            path = f"{array}{ITEM}{field}" if array else field
            found |= {path, *(f"{path}.{each}" for each in contract_file.shape(inner).properties)}
    return found


def _nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; the nearest is {near[0]}" if near else ""
