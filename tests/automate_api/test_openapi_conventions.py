"""openapi.yaml keeps the conventions that its readers rely on."""

from __future__ import annotations

import json
import typing as t

import jsonschema_rs
import openapi_spec_validator
import pytest

from automate_api import contract

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from automate_api.contract import Schema

API = contract.load()
DOCUMENT = dict(API.document)
SCHEMAS: dict[str, Schema] = DOCUMENT["components"]["schemas"]
OPERATIONS: dict[str, Schema] = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
LISTS = [
    path
    for path, item in DOCUMENT["paths"].items()
    if "get" in item and item["get"]["operationId"].startswith("list")
]


def walk(part: object) -> Iterator[Schema]:
    """Every mapping of a document, from the top."""
    if isinstance(part, dict):
        yield part
        for inner in part.values():
            yield from walk(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from walk(inner)


RECORD_FIELDS = {
    f"{path} {name}": field
    for path in LISTS
    for name, field in contract.fields(API.resource(path).record_schema)
}


def resolve(part: Schema) -> Schema:
    """The component that a part refers to, or the part."""
    return SCHEMAS[part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def own_fields(schema: Schema) -> list[str]:
    """The names that a schema and the branches of its `allOf` define."""
    branches = map(resolve, schema.get("allOf", []))
    return [*schema.get("properties", {}), *(name for b in branches for name in own_fields(b))]


def judge(schema: Schema) -> jsonschema_rs.Draft202012Validator:
    """A validator that follows the file's own `$ref` and `allOf`."""
    whole = {**schema, "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def answer_schema(operation: str) -> Schema:
    answer = OPERATIONS[operation]["responses"]["200"]
    schema: Schema = answer["content"]["application/json"]["schema"]
    return schema


def test_the_file_is_a_valid_openapi_3_1_document() -> None:
    openapi_spec_validator.OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_file_holds_json_values_only() -> None:
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_every_operation_parameter_and_schema_says_where_it_is_from() -> None:
    parameters = [*DOCUMENT["components"]["parameters"].values()]
    for operation in OPERATIONS.values():
        parameters += [p for p in operation.get("parameters", []) if "$ref" not in p]
    marked = [*OPERATIONS.values(), *parameters, *SCHEMAS.values()]

    assert [part for part in marked if "x-origin" not in part] == []
    origins = {part["x-origin"] for part in walk(DOCUMENT) if "x-origin" in part}
    assert origins == {"documented", "inferred"}


def test_every_extension_has_a_name_that_the_readers_know() -> None:
    extensions = {name for part in walk(DOCUMENT) for name in part if name.startswith("x-")}

    assert extensions == {
        "x-origin",
        "x-entitlements",
        "x-key",
        "x-pii",
        "x-sql-datatype-properties",
    }


def test_every_operation_says_which_entitlements_open_it() -> None:
    known = {"inventory", "sales", "service", "accounting"}

    assert {
        entitlement for op in OPERATIONS.values() for entitlement in op["x-entitlements"]
    } == known


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]

    assert len(set(ids)) == len(ids)


def test_every_schema_is_used() -> None:
    used = {part["$ref"].rpartition("/")[2] for part in walk(DOCUMENT) if "$ref" in part}

    assert set(SCHEMAS) - used == set()


def test_no_field_is_defined_twice_in_an_all_of() -> None:
    for part in walk(DOCUMENT):
        names = own_fields(part) if "allOf" in part else []
        assert len(set(names)) == len(names)


def test_the_branches_of_an_all_of_say_nothing_that_folding_loses() -> None:
    branches = [resolve(b) for part in walk(DOCUMENT) for b in part.get("allOf", [])]
    kept = {"type", "properties", "required", "allOf", "description", "x-origin"}

    assert {keyword for branch in branches for keyword in branch} <= kept


def test_personal_data_is_marked_on_fields_and_parameters_alone() -> None:
    assert [name for name, schema in SCHEMAS.items() if "x-pii" in schema] == []


def test_every_example_validates() -> None:
    contents = [part for part in walk(DOCUMENT["paths"]) if "example" in part and "schema" in part]

    assert len(contents) == 9
    for content in contents:
        judge(content["schema"]).validate(content["example"])


@pytest.mark.parametrize("path", LISTS)
def test_a_list_takes_query_parameters_alone(path: str) -> None:
    parameters = OPERATIONS[f"GET {path}"]["parameters"]
    shared = DOCUMENT["components"]["parameters"]
    resolved = [shared[p["$ref"].rpartition("/")[2]] if "$ref" in p else p for p in parameters]

    assert {parameter["in"] for parameter in resolved} == {"query"}


@pytest.mark.parametrize("path", LISTS)
def test_a_list_answers_with_the_envelope(path: str) -> None:
    page = judge(answer_schema(f"GET {path}"))
    envelope = {"items": [], "page": 1, "pageSize": 50, "total": 0}

    assert page.is_valid(envelope)
    for name in envelope:
        assert not page.is_valid({key: value for key, value in envelope.items() if key != name})
    assert not page.is_valid({**envelope, "items": [{}]})


@pytest.mark.parametrize("path", LISTS)
def test_a_detail_answers_with_a_record_of_the_list(path: str) -> None:
    page = answer_schema(f"GET {path}")

    assert page["allOf"][1]["properties"]["items"]["items"] == answer_schema(f"GET {path}/{{id}}")


@pytest.mark.parametrize("path", LISTS)
def test_a_record_begins_with_its_key_and_has_its_rooftop_and_its_times(path: str) -> None:
    resource = API.resource(path)
    properties = resource.record_schema["properties"]

    assert tuple(properties)[: len(resource.key)] == resource.key
    assert resource.record_schema["required"] == list(resource.key)
    assert "string" in properties["rooftopId"]["type"]
    assert [*properties][-3:] == ["createdAt", "updatedAt", "deletedAt"]


def test_only_keys_and_lines_with_a_key_are_never_null() -> None:
    lines = {"/accounting/gl-entries lines", "/service/repair-orders lines"}
    strict = {where for where, field in RECORD_FIELDS.items() if "null" not in field["type"]}
    strict_items = {
        where
        for where, field in RECORD_FIELDS.items()
        if "items" in field and "null" not in field["items"]["type"]
    }

    assert strict_items == lines
    assert strict == {
        *(f"{path} {name}" for path in LISTS for name in API.resource(path).key),
        *(f"{line}.lineId" for line in lines),
    }


def test_a_field_of_a_record_uses_only_what_a_stream_can_be_made_from() -> None:
    parts = {"type", "properties", "items", "required", "enum", "format", "description"}
    limits = {"minLength", "minimum", "maximum"}
    extensions = {"x-origin", "x-key", "x-pii", "x-sql-datatype-properties"}
    used = {keyword for field in RECORD_FIELDS.values() for keyword in field}

    assert used <= parts | limits | extensions


def test_ids_and_codes_are_text() -> None:
    endings = ("Id", "Ids", "Code", "Codes", "Number", "vin", ".id", ".number", "bins")
    codes = {where: f for where, f in RECORD_FIELDS.items() if where.endswith(endings)}
    other = {
        where
        for where, field in codes.items()
        if "string" not in field["type"] and "string" not in field.get("items", field)["type"]
    }

    assert len(codes) > 100
    assert other == {"/service/appointments opCodes"}


def test_instants_and_business_dates_are_told_apart() -> None:
    named: dict[str, set[str | None]] = {"At": set(), "Time": set(), "Date": set(), "On": set()}
    for where, field in RECORD_FIELDS.items():
        for ending, formats in named.items():
            if where.endswith(ending):
                formats.add(field.get("format"))
    dated = {
        w for w, field in RECORD_FIELDS.items() if field.get("format") in {"date", "date-time"}
    }

    assert named == {"At": {"date-time"}, "Time": {"date-time"}, "Date": {"date"}, "On": {"date"}}
    assert {w for w in dated if not w.endswith(tuple(named))} == {"/customers dateOfBirth"}
