"""The contract's reader gives plain schemas that judge as the file does."""

from __future__ import annotations

import copy
import json
import typing as t

import jsonschema_rs
import pytest
import yaml

from automate_api import contract

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from automate_api.contract import Schema

API = contract.load()
COMPONENTS: dict[str, Schema] = API.document["components"]["schemas"]
LISTS = [
    path
    for path, item in API.document["paths"].items()
    if "get" in item and item["get"]["operationId"].startswith("list")
]
LINES = [
    ("/accounting/gl-entries", "lines", ("lineId",)),
    ("/service/repair-orders", "lines", ("lineId",)),
    ("/deals", "fees", ("position",)),
    ("/deals", "finance.products", ("position",)),
    ("/deals", "tradeIns", ("position",)),
]
RECORDS = {
    **{path: API.resource(path).record_schema for path in LISTS},
    **{f"{path} {field}": API.resource(path).lines(field).schema for path, field, _ in LINES},
}


def validator(schema: Schema) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def instance(schema: Schema) -> t.Any:  # noqa: ANN401 - any JSON value
    """A full value of a plain schema."""
    if "enum" in schema:
        return schema["enum"][0]
    if "type" not in schema:
        return instance(schema["oneOf"][0])
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    match kind:
        case "object":
            properties = schema.get("properties", {})
            required: Schema = dict.fromkeys(schema.get("required", ()), True)
            return required | {name: instance(field) for name, field in properties.items()}
        case "array":
            return [instance(schema["items"])]
        case "string":
            texts = {
                "date": "2026-02-03",
                "date-time": "2026-02-03T09:30:00Z",
                "uri": "https://x.y",
            }
            return texts.get(schema.get("format", ""), "0" * 64)
        case _:
            return {"integer": 1, "number": 1.25, "boolean": True}[kind]


def spoiled(value: object) -> Iterator[t.Any]:
    """The value with one part at a time made null, of another type, or left out."""
    yield from (None, [[]], "unknown")
    if isinstance(value, dict):
        for name in value:
            yield {key: part for key, part in value.items() if key != name}
            yield from ({**value, name: worse} for worse in spoiled(value[name]))
    elif isinstance(value, list):
        yield from ([worse] for worse in spoiled(value[0]))


def columns(schema: Schema) -> Iterator[Schema]:
    """A stream's schema and those of its parts, at each level."""
    yield schema
    for column in schema.get("properties", {}).values():
        yield from columns(column)
    if "items" in schema:
        yield from columns(schema["items"])


def test_the_contract_is_read_once_in_a_process() -> None:
    assert contract.load() is API
    assert contract.load(None) is API


def test_without_libyaml_the_contract_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)

    assert contract.plain.__wrapped__().document == API.document


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_plain_schema_judges_as_the_component_in_the_file_does(name: str) -> None:
    plain = API.schema(name)
    component = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": COMPONENTS}}
    ours, theirs = validator(plain), validator(component)
    value = instance(plain)
    values = [value, *spoiled(value)]
    verdicts = [ours.is_valid(v) for v in values]

    assert set(verdicts) == {True, False}
    assert verdicts == [theirs.is_valid(v) for v in values]
    assert not any(word in json.dumps(plain) for word in ('"$ref"', '"allOf"'))


def test_an_all_of_adds_its_fields_behind_the_own_ones_and_requires_what_each_branch_does() -> None:
    record = {"type": "object", "required": ["at"], "properties": {"at": {"type": "string"}}}
    lot = {
        "required": ["id"],
        "properties": {"id": {"type": "integer"}},
        "allOf": [{"$ref": "#/components/schemas/Record"}],
    }
    api = contract.Contract({"components": {"schemas": {"Record": record, "Lot": lot}}})

    plain = api.schema("Lot")

    assert list(plain["properties"]) == ["id", "at"]
    assert plain["required"] == ["id", "at"]
    assert plain["type"] == "object"


def test_what_a_caller_does_to_a_schema_stays_with_the_caller() -> None:
    before = copy.deepcopy(API.document)
    deal = API.resource("/deals").record_schema
    deal["x-key"].clear()
    deal["properties"]["status"]["enum"].clear()
    deal["properties"]["gross"]["properties"]["front"]["x-sql-datatype-properties"].clear()

    assert API.document == before


def test_a_resource_knows_what_a_reader_needs() -> None:
    customers = API.resource("/customers")

    assert customers.path == "/customers"
    assert customers.origin == "inferred"
    assert customers.entitlements == {"sales", "service"}
    assert customers.key == ("customerId",)
    assert customers.parameters > {"updatedFrom", "updatedTo", "page", "pageSize", "externalId"}
    assert customers.record_schema["required"] == ["customerId"]


def test_a_write_knows_what_a_writer_needs() -> None:
    deals, vehicle = API.write("createDeal"), API.write("changeVehicle")

    assert (deals.method, deals.path, deals.origin) == ("POST", "/deals", "documented")
    assert deals.entitlements == {"sales"}
    assert deals.schema["required"] == ["customerId", "vehicle"]
    assert (vehicle.method, vehicle.path, vehicle.origin) == ("PATCH", "/vehicles/{id}", "inferred")


@pytest.mark.parametrize(("path", "field", "key"), LINES)
def test_lines_have_their_key_within_the_parent(
    path: str, field: str, key: tuple[str, ...]
) -> None:
    lines = API.resource(path).lines(field)

    assert lines.field == field
    assert lines.key == key
    assert "object" in lines.schema["type"]
    assert set(key) <= {"position", *lines.schema["properties"]}


@pytest.mark.parametrize("field", ["photos", "lot.name", "nothing"])
def test_what_is_no_array_of_keyed_lines_is_refused_by_name(field: str) -> None:
    with pytest.raises(LookupError, match=f"/vehicles.*'{field}'"):
        API.resource("/vehicles").lines(field)


def test_origins_of_operations() -> None:
    assert API.origin("GET", "/vehicles") == "documented"
    assert API.origin("get", "/vehicles/{id}") == "inferred"
    assert API.origin("POST", "/deals") == "documented"
    assert API.origin("GET", "/deals") == "inferred"


def test_a_field_is_never_more_documented_than_what_holds_it() -> None:
    vehicle = API.resource("/vehicles").record_schema["properties"]
    deal = API.resource("/deals").record_schema
    write = API.write("createDeal").schema["properties"]

    assert vehicle["updatedAt"]["x-origin"] == "documented"
    assert vehicle["lot"]["properties"]["name"]["x-origin"] == "documented"
    assert vehicle["rooftopId"]["x-origin"] == "inferred"
    assert write["referenceId"]["x-origin"] == "documented"
    assert {field["x-origin"] for _, field in contract.fields(deal)} == {"inferred"}


def test_a_mark_on_a_field_goes_before_that_of_its_component() -> None:
    assert API.schema("DealStatus")["x-origin"] == "inferred"
    assert API.schema("DealCreated")["properties"]["status"]["x-origin"] == "documented"


def test_what_the_contract_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(LookupError, match="no GET /ros"):
        API.resource("/ros")
    with pytest.raises(LookupError, match=r"no list at /vehicles/\{id\}"):
        API.resource("/vehicles/{id}")
    with pytest.raises(LookupError, match="no DELETE /deals"):
        API.origin("DELETE", "/deals")
    with pytest.raises(LookupError, match="'listDeals' that takes a body"):
        API.write("listDeals")
    with pytest.raises(LookupError, match="no schema 'Ro'"):
        API.schema("Ro")


@pytest.mark.parametrize("name", RECORDS)
def test_a_stream_takes_null_in_all_but_its_key_and_no_value_of_another_type(name: str) -> None:
    record = RECORDS[name]
    stream = validator(contract.stream_schema(record))
    value = instance(record)

    assert stream.is_valid(value)
    for field, column in record["properties"].items():
        assert stream.is_valid({**value, field: None}) == (field not in record["x-key"])
        assert not stream.is_valid({**value, field: 1 if "object" in column["type"] else {}})


@pytest.mark.parametrize("name", RECORDS)
def test_a_stream_carries_types_formats_digits_and_descriptions_alone(name: str) -> None:
    stream = contract.stream_schema(RECORDS[name])
    kept = {"type", "properties", "items", "format", "description", "x-sql-datatype-properties"}

    assert {keyword for column in columns(stream) for keyword in column} <= kept
    assert list(stream["properties"]) == list(RECORDS[name]["properties"])


@pytest.mark.parametrize("name", RECORDS)
def test_what_a_stream_nests_may_be_null_at_each_level(name: str) -> None:
    properties = contract.stream_schema(RECORDS[name])["properties"]
    nested = [part for column in properties.values() for part in columns(column)]
    strict = [part for part in nested if "null" not in part["type"]]

    assert strict == [properties[key] for key in RECORDS[name]["x-key"] if key in properties]


def test_a_stream_keeps_what_a_loader_needs_to_know() -> None:
    vehicle = contract.stream_schema(API.resource("/vehicles").record_schema)["properties"]

    assert vehicle["vehicleId"] == {"type": ["string"]}
    assert vehicle["updatedAt"]["type"] == ["string", "null"]
    assert vehicle["updatedAt"]["format"] == "date-time"
    assert vehicle["acquisitionDate"]["format"] == "date"
    assert vehicle["cost"] == {
        "type": ["number", "null"],
        "description": "USD.",
        "x-sql-datatype-properties": {"precision": 18, "scale": 2},
    }
    assert vehicle["photos"]["items"]["properties"]["url"] == {"type": ["string", "null"]}


def test_a_stream_takes_values_and_fields_that_the_contract_does_not_know() -> None:
    stream = validator(contract.stream_schema(API.resource("/vehicles").record_schema))

    assert stream.is_valid({"vehicleId": "veh_1", "status": "on_the_moon", "aFieldOfTomorrow": 1})


def test_a_stream_may_have_another_key_than_its_schema() -> None:
    lines = API.resource("/service/repair-orders").lines("lines").schema

    columns_of = contract.stream_schema(lines, key={"lineCode"})["properties"]

    assert columns_of["lineCode"]["type"] == ["string"]
    assert columns_of["lineId"]["type"] == ["string", "null"]


def test_the_fields_of_a_record_are_found_at_every_level_and_through_arrays() -> None:
    found = [path for path, _ in contract.fields(API.resource("/vehicles").record_schema)]

    assert found[0] == "vehicleId"
    assert set(found) > {"odometer", "odometer.value", "photos", "photos.url", "updatedAt"}
    assert len(set(found)) == len(found)
