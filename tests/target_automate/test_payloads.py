"""Records of any source become the body that the API takes, or a list of all that is wrong."""

from __future__ import annotations

import copy
import datetime as dt
import json
import typing as t
from decimal import Decimal
from pathlib import Path

import inflection
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automate_api import contract
from automate_api.tenant.overlay import CallOverlay, Overlay
from target_automate.journal import identity
from target_automate.records.payloads import Conformer, Invalid, Problem
from target_automate.sinks import table as sinks
from target_automate.sinks.declarations import ABOUT

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_api.contract import Schema

API = contract.load()
CONFORMERS = {sink.object: Conformer(sink, API) for sink in sinks.SINKS}
OBJECTS = list(CONFORMERS)
ID: t.Final = {"type": "string", "minLength": 1}

RECORDS: dict[str, dict[str, t.Any]] = {
    "customers": {
        "externalId": "crm-10492",
        "customerType": "retail",
        "firstName": "Dana",
        "lastName": "Example",
        "emails": ["dana@example.com"],
        "phones": [{"type": "mobile", "number": "+12025550143"}],
        "address": {"line1": "1 Main St", "city": "Albany", "postalCode": "12207"},
        "driversLicense": {"number": "X0000000", "state": "NY"},
        "dateOfBirth": "1990-01-01",
        "marketingOptIn": {"email": True, "sms": False},
        "source": "website",
        "notes": "Prefers evenings",
    },
    "deals": {
        "referenceId": "web-2026-000128",
        "customerExternalId": "crm-10492",
        "vehicle": {"vin": "1HGCM82633A004352"},
        "pricing": {"salePrice": Decimal("26995.00")},
        "tradeIn": {"vin": "1M8GDM9AXKP042788", "acv": 8000},
        "finance": {"termMonths": 60, "products": [{"code": "VSC", "price": Decimal("1495.00")}]},
        "fees": [{"code": "DOC", "amount": 175}],
        "taxes": {"ratePercent": Decimal("8.75")},
        "status": "penciled",
    },
    "service_appointments": {
        "customerId": "cust_5c01e8",
        "vin": "1HGCM82633A004352",
        "appointmentTime": "2026-02-03T09:30:00-05:00",
        "opCodes": [{"code": "LOF", "laborHours": Decimal("0.5")}],
        "concern": "Oil change due",
    },
    "repair_orders": {
        "externalId": "ro-77",
        "appointmentExternalId": "bk-1",
        "odometerIn": 41200,
        "promisedAt": "2026-02-03T16:00:00-05:00",
        "isWaiter": True,
        "lines": [{"opCode": "LOF", "payType": "customer_pay", "complaint": "Oil change due"}],
    },
    "deal_statuses": {
        "dealReferenceId": "web-2026-000128",
        "status": "contracted",
        "expectedStatus": "penciled",
        "reason": "Signed on paper",
    },
    "deal_terms": {
        "dealId": "deal_61df30",
        "finance": {"lenderCode": "AFC", "aprPercent": Decimal("5.49"), "termMonths": 72},
        "expectedUpdatedAt": "2026-02-03T14:30:00Z",
    },
    "vehicle_prices": {
        "vin": "1HGCM82633A004352",
        "listPrice": Decimal("26995.00"),
        "salePrice": 25995,
        "comments": "One owner",
        "ifUpdatedAt": "2026-02-03T14:30:00Z",
    },
    "vehicle_photos": {
        "vehicleId": "veh_1",
        "photos": [{"url": "https://a.example/1.jpg"}, {"attachmentId": "att_1"}],
    },
    "appointment_changes": {
        "appointmentExternalId": "bk-1",
        "appointmentTime": "2026-02-04T09:30:00-05:00",
        "advisorId": "u_1",
        "status": "rescheduled",
        "expectedStatus": "scheduled",
    },
    "repair_order_statuses": {"repairOrderExternalId": "ro-77", "status": "in_progress"},
    "repair_order_inspections": {
        "repairOrderId": "ro_1",
        "lineId": "l_1",
        "inspection": [{"item": "Brakes", "result": "yellow", "note": "4 mm left"}],
    },
    "attachments": {
        "path": "scans/web-2026-000128.pdf",
        "dealReferenceId": "web-2026-000128",
        "fileName": "contract.pdf",
        "contentType": "application/pdf",
    },
}
LEFT_OUT = object()


def changed(name: str, **changes: object) -> dict[str, t.Any]:
    record = RECORDS[name] | changes
    return {field: value for field, value in record.items() if value is not LEFT_OUT}


def body(name: str, record: Mapping[str, t.Any]) -> dict[str, t.Any]:
    return CONFORMERS[name].conform(record).body


def problems(name: str, record: Mapping[str, t.Any]) -> list[Problem]:
    with pytest.raises(Invalid) as invalid:
        CONFORMERS[name].conform(record)
    return list(invalid.value.problems)


def snake(value: t.Any) -> t.Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {inflection.underscore(name): snake(part) for name, part in value.items()}
    return [snake(item) for item in value] if isinstance(value, list) else value


def flat(record: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """As the SDK flattens: objects into columns, arrays into JSON text."""
    columns: dict[str, t.Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            columns |= {f"{name}__{inner}": part for inner, part in flat(value).items()}
        else:
            columns[name] = json.dumps(value, default=float) if isinstance(value, list) else value
    return columns


def lines(value: t.Any) -> t.Any:  # noqa: ANN401 - any JSON value
    """As CSV has it: nothing but text."""
    if isinstance(value, dict):
        return {name: lines(part) for name, part in value.items()}
    return value if isinstance(value, str) else json.dumps(value, default=float)


@st.composite
def records(draw: st.DrawFn, schema: Schema) -> dict[str, t.Any]:
    """Full or partial bodies by a call's schema, nulls and blanks among them."""
    return t.cast("dict[str, t.Any]", draw(values(schema)))


def values(schema: Schema) -> st.SearchStrategy[t.Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    found: st.SearchStrategy[t.Any]
    match kinds[0], schema.get("format"):
        case "object", _:
            required = schema.get("required", [])
            parts = {name: values(part) for name, part in schema["properties"].items()}
            found = st.fixed_dictionaries(
                {name: parts[name] for name in required},
                optional={name: part for name, part in parts.items() if name not in required},
            )
        case "array", _:
            found = st.lists(values(schema["items"]), max_size=3)
        case "string", "date":
            found = st.dates().map(dt.date.isoformat)
        case "string", "date-time":
            found = st.datetimes(
                dt.datetime(2, 1, 1),  # noqa: DTZ001 - the zone comes next
                timezones=st.just(dt.timezone(dt.timedelta(hours=-5))),
            ).map(dt.datetime.isoformat)
        case "string", _:
            found = st.text(min_size=schema.get("minLength", 0)).filter(
                lambda text: bool(text.strip()) or not schema.get("minLength")
            )
        case "number", _:
            found = st.decimals(-(10**12), 10**12, places=2)
        case "integer", _:
            found = st.integers(-(10**6), 10**6)
        case _:
            found = st.booleans()
    return found | st.none() if "null" in kinds else found


NEEDED: t.Final[dict[str, dict[str, Schema]]] = {
    "vehicle_prices": {"salePrice": {"type": "number"}},
    "appointment_changes": {"status": {"enum": ["confirmed", "cancelled"]}},
    "repair_orders": {"customerId": ID, "vin": ID},
}
"""One of the ways in which a call can be complete."""

DRAWN: t.Final = (*OBJECTS[:5], "vehicle_prices", "appointment_changes", "repair_order_statuses")
"""Objects whose calls have no rule beyond fields, kinds and what is required."""


def full_records(name: str) -> st.SearchStrategy[dict[str, t.Any]]:
    sink = sinks.by_object(name)
    schema = API.write(sink.operation_id).schema
    aliases = [found.alias for found in sink.references]
    keys = [aliases[0] if field == ABOUT else field for field in sink.business_key]
    schema["properties"] |= dict.fromkeys(keys, ID) | NEEDED.get(name, {})
    schema["required"] = list({*schema.get("required", ()), *keys, *NEEDED.get(name, ())})
    for field in schema["required"]:
        if "enum" in schema["properties"][field]:
            options = [option for option in schema["properties"][field]["enum"] if option]
            schema["properties"][field] = {"enum": options}
    return records(schema)


ANY_RECORD = st.sampled_from(DRAWN).flatmap(
    lambda name: st.tuples(st.just(name), full_records(name))
)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_record_in_the_contracts_words_is_the_body(name: str) -> None:
    payload = CONFORMERS[name].conform(RECORDS[name])

    assert payload.body == RECORDS[name]
    assert payload.unknown == frozenset()


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize(
    "spell", [snake, flat, lines, lambda r: flat(snake(r)), lambda r: lines(flat(r))]
)
def test_every_spelling_of_a_record_gives_the_same_body(
    name: str, spell: t.Callable[[t.Any], dict[str, t.Any]]
) -> None:
    spelled = body(name, spell(RECORDS[name]))

    assert spelled == RECORDS[name]
    assert identity.content_hash(spelled) == identity.content_hash(RECORDS[name])


@settings(deadline=None)
@given(ANY_RECORD)
def test_snake_case_and_flattened_records_give_the_body_of_camel_case(
    drawn: tuple[str, dict[str, t.Any]],
) -> None:
    name, record = drawn
    expected = body(name, record)

    assert body(name, snake(record)) == expected
    assert body(name, flat(record)) == expected
    assert identity.content_hash(body(name, flat(snake(record)))) == identity.content_hash(expected)


@settings(deadline=None)
@given(ANY_RECORD)
def test_a_body_is_taken_again_as_it_is(drawn: tuple[str, dict[str, t.Any]]) -> None:
    name, record = drawn
    once = CONFORMERS[name].conform(record)

    assert CONFORMERS[name].conform(once.body) == once


@settings(deadline=None)
@given(ANY_RECORD)
def test_a_body_keeps_the_contract_and_holds_no_null(drawn: tuple[str, dict[str, t.Any]]) -> None:
    name, record = drawn
    taken = body(name, record)
    write = API.write(sinks.by_object(name).operation_id)

    assert jsonschema_rs.is_valid(write.schema, taken, validate_formats=True)
    assert said(taken) == taken


@settings(deadline=None)
@given(ANY_RECORD)
def test_what_a_record_says_arrives_whole(drawn: tuple[str, dict[str, t.Any]]) -> None:
    name, record = drawn

    assert body(name, record) == (said(record) or {})


def said(value: t.Any) -> t.Any:  # noqa: ANN401 - any JSON value
    """A value without what says nothing: nulls, blank text, empty objects, arrays of such."""
    if isinstance(value, dict):
        parts = {name: said(part) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part is not None} or None
    if isinstance(value, list):
        items = [item for item in map(said, value) if item is not None]
        return items if items or not value else None
    return None if isinstance(value, str) and not value.strip() else value


def test_null_blank_text_and_empty_objects_are_not_given_but_an_empty_array_says_none() -> None:
    record = changed(
        "customers",
        firstName=None,
        lastName="",
        source=" ",
        address={"city": None, "line1": ""},
        driversLicense={},
        phones=[None, {}],
        emails=[],
    )

    assert body("customers", record) == {
        "externalId": "crm-10492",
        "customerType": "retail",
        "emails": [],
        "dateOfBirth": "1990-01-01",
        "marketingOptIn": {"email": True, "sms": False},
        "notes": "Prefers evenings",
    }


def test_dates_and_numbers_of_the_sdks_sinks_are_taken() -> None:
    east = dt.timezone(dt.timedelta(hours=-5))
    appointment = changed(
        "service_appointments", appointmentTime=dt.datetime(2026, 2, 3, 9, 30, tzinfo=east)
    )
    customer = changed("customers", dateOfBirth=dt.datetime(1990, 1, 1, tzinfo=dt.UTC))

    assert body("service_appointments", appointment) == RECORDS["service_appointments"]
    assert body("customers", customer) == RECORDS["customers"]


def test_fields_that_the_contract_does_not_know_are_named_and_not_sent() -> None:
    record = changed(
        "deals",
        colour="red",
        empty=None,
        _sdc_batched_at="2026-01-01T00:00:00Z",
        vehicle={"vin": "1HGCM82633A004352", "trim": "LX"},
        fees=[{"code": "DOC", "amount": 175, "id": 1}, {"code": "TAG", "id": 2}],
    )
    payload = CONFORMERS["deals"].conform(record)

    assert payload.unknown == {"colour", "vehicle.trim", "fees[].id"}
    assert payload.body["vehicle"] == {"vin": "1HGCM82633A004352"}
    assert payload.body["fees"] == [{"code": "DOC", "amount": 175}, {"code": "TAG"}]
    assert payload.body.keys() == RECORDS["deals"].keys()


def test_an_object_that_a_tenant_adds_without_naming_its_fields_is_sent_as_it_is() -> None:
    added = {"extra": {"type": ["object", "null"], "x-origin": "inferred"}}
    call = CallOverlay(add=added)
    known = contract.load(Overlay(Path("tenant.yaml"), calls={"createDeal": call}))
    extra = {"a": {"b": [Decimal("1.10"), None]}}
    conformer = Conformer(sinks.by_object("deals"), known)
    for told in (extra, json.dumps(extra, default=float)):
        body = conformer.conform(RECORDS["deals"] | {"extra": told}).body
        assert body["extra"] == {"a": {"b": [Decimal("1.1"), None]}}


def test_the_dms_id_of_a_customer_is_not_sent() -> None:
    payload = CONFORMERS["customers"].conform(changed("customers", customerId="cust_5c01e8"))

    assert payload.body == RECORDS["customers"]
    assert payload.unknown == {"customerId"}


@pytest.mark.parametrize("spell", [lambda name: name, inflection.underscore])
@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("deals", "dealId"),
        ("service_appointments", "appointmentId"),
        ("repair_orders", "repairOrderId"),
        ("attachments", "attachmentId"),
    ],
)
def test_a_record_that_was_read_from_the_dms_is_not_created_again(
    name: str, field: str, spell: t.Callable[[str], str]
) -> None:
    message = f"the record carries {field}: what has been read from the DMS is not sent back as new"

    assert problems(name, changed(name, **{spell(field): "id_61df30"})) == [Problem(field, message)]
    assert problems(name, changed(name, **{spell(field): {"id": 7}})) == [Problem(field, message)]
    both = {field: "id_61df30", inflection.underscore(field): "id_61df30"}
    assert problems(name, changed(name, **both)) == [Problem(field, message)]
    assert body(name, changed(name, **{spell(field): None})) == RECORDS[name]
    assert body(name, changed(name, **{spell(field): ""})) == RECORDS[name]


@pytest.mark.parametrize("name", ["deals", "service_appointments"])
def test_a_customer_may_be_named_by_either_id(name: str) -> None:
    by_own = changed(name, customerId=None, customerExternalId="crm-1")
    by_dms = changed(name, customerExternalId=LEFT_OUT, customerId="cust_1")
    by_both = changed(name, customerExternalId="crm-1", customerId="cust_1")

    assert "customerId" not in body(name, by_own)
    assert body(name, by_dms)["customerId"] == "cust_1"
    assert (
        body(name, by_both).items()
        >= {"customerId": "cust_1", "customerExternalId": "crm-1"}.items()
    )
    assert problems(name, changed(name, customerExternalId=" ", customerId=None)) == [
        Problem("customerId", "required, but neither it nor customerExternalId is given")
    ]
    assert problems(name, changed(name, customerExternalId=True)) == [
        Problem("customerExternalId", "expected text, got a boolean")
    ]


@pytest.mark.parametrize("missing", [None, "", LEFT_OUT])
def test_a_record_without_its_business_key_is_refused(missing: object) -> None:
    message = "required (it identifies the record), but not given"

    assert problems("customers", changed("customers", externalId=missing)) == [
        Problem("externalId", message)
    ]
    assert problems("customers", {"externalId": None, "notes": "?"}) == [
        Problem("externalId", message)
    ]
    assert problems("deals", changed("deals", referenceId=missing)) == [
        Problem("referenceId", message)
    ]
    assert body("service_appointments", changed("service_appointments", externalId=missing))


def test_a_whole_number_as_business_key_is_its_digits() -> None:
    assert body("customers", changed("customers", externalId=10492))["externalId"] == "10492"


def test_one_field_in_two_spellings_has_to_be_the_same() -> None:
    same = changed(
        "deals",
        reference_id="web-2026-000128",
        vehicle__vin="1HGCM82633A004352",
        taxes__rate_percent="8.75",
    )
    other = changed(
        "deals",
        reference_id="web-2",
        vehicle__vin="2HGCM82633A004352",
        trade_in={"acv": Decimal("8000.01"), "payoff": 1},
        salespersonId=None,
        salesperson_id="u_1",
    )
    message = "given in two spellings with different values"

    assert body("deals", same) == RECORDS["deals"]
    assert problems("deals", other) == [
        Problem(field, message) for field in ("referenceId", "vehicle.vin", "tradeIn.acv")
    ]


def test_every_problem_is_told_at_once_and_no_other() -> None:
    record = {
        "dealId": "deal_1",
        "vehicle__vin": Decimal("3.5"),
        "finance": '{"cash_down": "abc", "term_months": 60.5}',
        "status": "won",
        "fees": [{"amount": 1}, {"amount": True}, "DOC"],
        "tradeIn": "none",
    }

    assert problems("deals", record) == [
        Problem("vehicle.vin", "expected text, got a number"),
        Problem("finance.cashDown", "expected a number, got text"),
        Problem("finance.termMonths", "expected a whole number, got a number"),
        Problem("fees[1].amount", "expected a number, got a boolean"),
        Problem("fees[2]", "expected an object, got text"),
        Problem("tradeIn", "expected an object, got text"),
        Problem(
            "dealId",
            "the record carries dealId: what has been read from the DMS is not sent back as new",
        ),
        Problem("customerId", "required, but neither it nor customerExternalId is given"),
        Problem("referenceId", "required (it identifies the record), but not given"),
        Problem("status", "expected one of penciled; got other text"),
    ]


def test_what_is_missing_within_an_object_is_named() -> None:
    missing = [Problem("vehicle.vin", "required, but not given")]

    assert problems("deals", changed("deals", vehicle=LEFT_OUT)) == missing
    assert problems("deals", changed("deals", vehicle={"vin": None})) == missing
    assert problems("deals", changed("deals", vehicle=7)) == [
        Problem("vehicle", "expected an object, got a number")
    ]


def test_an_appointment_without_offset_is_refused() -> None:
    record = changed("service_appointments", appointmentTime="2026-02-03T09:30:00")

    assert problems("service_appointments", record) == [
        Problem(
            "appointmentTime",
            "expected a date and time with UTC offset such as 2026-02-03T09:30:00-05:00, got text",
        )
    ]


ABOUT_NOTHING: t.Final[dict[str, Problem]] = {
    "repair_orders": Problem(
        "appointmentId",
        "required, but none of it, appointmentExternalId, customerId, customerExternalId is given",
    ),
    **{
        name: Problem(f"{entity}Id", f"required, but neither it nor {alias} is given")
        for name, entity, alias in (
            ("deal_statuses", "deal", "dealReferenceId"),
            ("deal_terms", "deal", "dealReferenceId"),
            ("vehicle_prices", "vehicle", "vin"),
            ("vehicle_photos", "vehicle", "vin"),
            ("appointment_changes", "appointment", "appointmentExternalId"),
            ("repair_order_statuses", "repairOrder", "repairOrderExternalId"),
            ("repair_order_inspections", "repairOrder", "repairOrderExternalId"),
        )
    },
    "attachments": Problem(
        "dealId",
        "required, but none of it, dealReferenceId, repairOrderId, repairOrderExternalId, "
        "vehicleId, vin is given",
    ),
}


@pytest.mark.parametrize("name", ABOUT_NOTHING)
def test_a_record_that_names_nothing_is_told_by_what_it_could(name: str) -> None:
    names = [
        field for found in sinks.by_object(name).references for field in (found.field, found.alias)
    ]
    record = changed(name, **dict.fromkeys(names, LEFT_OUT))

    assert problems(name, record) == [ABOUT_NOTHING[name]]
    for field in names:
        beside = {"vin": "1HGCM82633A004352"} if name == "repair_orders" else {}
        assert body(name, record | beside | {field: "id-1"})[field] == "id-1"


@pytest.mark.parametrize("by", ["customerId", "customerExternalId"])
def test_an_order_without_appointment_wants_the_vehicle_beside_its_customer(by: str) -> None:
    record = changed("repair_orders", appointmentExternalId=None) | {by: "c-1"}

    assert problems("repair_orders", record) == [
        Problem("vin", f"required beside {by}, but not given")
    ]
    assert body("repair_orders", record | {"vin": "1HG"})["vin"] == "1HG"


@pytest.mark.parametrize("name", OBJECTS)
def test_what_the_dms_is_thought_to_hold_need_not_be_said(name: str) -> None:
    change = sinks.by_object(name).change
    for guard in change.guards if change else ():
        assert guard not in body(name, changed(name, **{guard: LEFT_OUT}))
        with pytest.raises(Invalid, match=guard):
            body(name, changed(name, **{guard: [1]}))


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        (
            "vehicle_prices",
            {"listPrice": None, "salePrice": None, "comments": " "},
            [Problem("listPrice", "expected at least one of listPrice, salePrice, comments")],
        ),
        (
            "vehicle_prices",
            {"salePrice": "cheap", "ifUpdatedAt": "yesterday"},
            [
                Problem("salePrice", "expected a number, got text"),
                Problem(
                    "ifUpdatedAt",
                    "expected a date and time with UTC offset such as 2026-02-03T09:30:00-05:00, "
                    "got text",
                ),
            ],
        ),
        (
            "appointment_changes",
            {"appointmentTime": None, "advisorId": None, "status": None},
            [
                Problem(
                    "appointmentTime", "expected at least one of appointmentTime, advisorId, status"
                )
            ],
        ),
        ("deal_statuses", {"status": None}, [Problem("status", "required, but not given")]),
        (
            "deal_statuses",
            {"status": "sold", "expectedStatus": 7},
            [
                Problem(
                    "expectedStatus",
                    "expected one of penciled, pending, contracted, delivered, finalized, unwound, "
                    "voided, lost; got other text",
                ),
                Problem(
                    "status",
                    "expected one of penciled, pending, contracted, delivered, finalized, unwound, "
                    "voided, lost; got other text",
                ),
            ],
        ),
        ("deal_terms", {"finance": {}}, [Problem("finance", "required, but not given")]),
        (
            "vehicle_photos",
            {"photos": [{"url": "https://a.example/1.jpg", "attachmentId": "att_1"}]},
            [Problem("photos[0]", "expected exactly one of url, attachmentId")],
        ),
        ("vehicle_photos", {"photos": None}, [Problem("photos", "required, but not given")]),
        (
            "repair_order_inspections",
            {"lineId": None, "inspection": "fine"},
            [
                Problem("inspection", "expected an array, got text"),
                Problem("lineId", "expected at least one of lineId, lineCode"),
            ],
        ),
        ("attachments", {"path": ""}, [Problem("path", "required, but not given")]),
        (
            "repair_orders",
            {"externalId": None},
            [Problem("externalId", "required (it identifies the record), but not given")],
        ),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_change_is_told_by_its_fields(
    name: str, changes: dict[str, t.Any], expected: list[Problem]
) -> None:
    found = problems(name, changed(name, **changes))

    assert sorted(found, key=lambda problem: problem.field) == sorted(
        expected, key=lambda problem: problem.field
    )


def test_no_photos_are_said_by_an_empty_array() -> None:
    assert body("vehicle_photos", changed("vehicle_photos", photos=[]))["photos"] == []


def test_what_follows_from_a_file_is_not_taken_from_a_record() -> None:
    given = {"size": 1, "entityType": "vehicle", "entityId": "veh_1"}
    payload = CONFORMERS["attachments"].conform(RECORDS["attachments"] | given)

    assert payload.unknown == given.keys()
    assert payload.body == RECORDS["attachments"]


def test_where_a_file_is_on_this_machine_is_no_part_of_what_a_record_says() -> None:
    sink = sinks.by_object("attachments")
    moved = RECORDS["attachments"] | {"path": "elsewhere.pdf"}
    other = RECORDS["attachments"] | {"fileName": "other.pdf"}

    assert identity.record_hash(sink, moved) == identity.record_hash(sink, RECORDS["attachments"])
    assert identity.record_hash(sink, other) != identity.record_hash(sink, RECORDS["attachments"])


def test_an_invalid_record_still_tells_which_it_is() -> None:
    with pytest.raises(Invalid) as invalid:
        CONFORMERS["deals"].conform(changed("deals", vehicle=None, taxes=3))

    assert identity.business_key(sinks.by_object("deals"), invalid.value.body) == "web-2026-000128"
    assert str(invalid.value) == (
        "taxes: expected an object, got a number; vehicle.vin: required, but not given"
    )


def test_a_rule_that_the_contract_gets_later_is_kept_and_told_without_the_value() -> None:
    document = copy.deepcopy(dict(API.document))
    fields = document["components"]["schemas"]["CustomerFields"]["properties"]
    fields["notes"] = {"type": ["string", "null"], "maxLength": 5}
    conformer = Conformer(sinks.by_object("customers"), contract.Contract(document))

    with pytest.raises(Invalid) as invalid:
        conformer.conform(changed("customers", notes="a secret"))

    assert [problem.field for problem in invalid.value.problems] == ["notes"]
    assert "5 characters" in str(invalid.value)
    assert "secret" not in str(invalid.value)


CANARY = "canary-7f3a"
ODD = st.sampled_from(
    [
        CANARY,
        {CANARY: CANARY},
        [CANARY],
        [[CANARY]],
        {"vin": [CANARY]},
        [{"amount": CANARY}],
        f"{{{CANARY}",
    ]
)


@settings(deadline=None)
@given(st.sampled_from(OBJECTS).flatmap(lambda name: st.tuples(st.just(name), spoiled(name))))
def test_no_value_of_a_record_is_in_a_problem(drawn: tuple[str, dict[str, t.Any]]) -> None:
    name, record = drawn
    try:
        CONFORMERS[name].conform(record)
    except Invalid as invalid:
        told = f"{invalid} {invalid!r} {invalid.problems}"
        assert CANARY not in told


def spoiled(name: str) -> st.SearchStrategy[dict[str, t.Any]]:
    fields = [
        path.replace(".", "__")
        for path, _ in contract.fields(API.write(sinks.by_object(name).operation_id).schema)
    ]
    return st.dictionaries(st.sampled_from([*fields, "dealId", "appointmentId"]), ODD, min_size=1)


def test_a_record_of_nothing_but_canaries_has_problems_without_them() -> None:
    found = problems("deals", {field: [CANARY] for field in RECORDS["deals"]})

    assert len(found) >= len(RECORDS["deals"])
    assert CANARY not in str(found)


def test_a_file_belongs_to_one_record() -> None:
    record = {"dealReferenceId": "web-1", "vin": "1HGCM82633A004352", "path": "a.pdf"}
    with pytest.raises(Invalid) as invalid:
        CONFORMERS["attachments"].conform(record)
    assert invalid.value.problems == (
        Problem("vin", "the file of one vehicle, or of another record: not both"),
    )
