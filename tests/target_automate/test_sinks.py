"""The table of sinks holds what the contract offers, and streams find their sink by name."""

from __future__ import annotations

import re
import typing as t

import pytest

from automate_api import contract
from automate_api.config import ApiConfig
from automate_api.errors import ConfigError
from automate_api.settings import resolve
from target_automate.config import PROGRAM
from target_automate.running.parts import paths_of
from target_automate.sinks import table as sinks
from target_automate.sinks.declarations import ABOUT
from target_automate.sinks.entities import ENTITIES
from target_automate.target import TargetAutomate

if t.TYPE_CHECKING:
    from target_automate.sinks.declarations import SinkDeclaration
    from target_automate.sinks.entities import Entity

API = contract.load()
FOUNDERS = ["customers", "deals", "service_appointments", "repair_orders"]
CHANGES = [
    "deal_statuses",
    "deal_terms",
    "vehicle_prices",
    "vehicle_photos",
    "appointment_changes",
    "repair_order_statuses",
    "repair_order_inspections",
]
OBJECTS = [*FOUNDERS, *CHANGES, "attachments"]


def test_objects_are_written_in_the_order_of_their_references() -> None:
    assert [sink.object for sink in sinks.SINKS] == OBJECTS
    ranks = [sink.rank for sink in sinks.SINKS]
    assert ranks[: len(FOUNDERS)] == list(range(len(FOUNDERS)))
    assert set(ranks[len(FOUNDERS) :]) == {len(FOUNDERS)}
    for sink in sinks.SINKS:
        for reference in sink.references:
            founder = sinks.founder(reference.entity.name)
            assert founder is None or founder.rank < sink.rank


@pytest.mark.parametrize("name", OBJECTS)
def test_a_sink_is_known_by_its_object(name: str) -> None:
    assert sinks.by_object(name).object == name


def test_an_object_without_a_sink_is_refused_with_those_there_are() -> None:
    known = ", ".join(OBJECTS)
    with pytest.raises(LookupError, match=f"'vehicles'; there are {known}"):
        sinks.by_object("vehicles")


@pytest.mark.parametrize(
    ("stream", "name"),
    [
        ("customers", "customers"),
        ("Customers", "customers"),
        ("CUSTOMER", "customers"),
        ("leads", "customers"),
        ("lead", "customers"),
        ("contacts", "customers"),
        ("public-customers", "customers"),
        ("crm-public-leads", "customers"),
        ("deals", "deals"),
        ("Deal", "deals"),
        ("service_appointments", "service_appointments"),
        ("service-appointments", "service_appointments"),
        ("serviceAppointments", "service_appointments"),
        ("Service Appointment", "service_appointments"),
        ("public-service_appointments", "service_appointments"),
        ("appointments", "service_appointments"),
        ("repairOrders", "repair_orders"),
        ("public-ro_status", "repair_order_statuses"),
        ("Deal Status", "deal_statuses"),
        ("vehicle-prices", "vehicle_prices"),
        ("serviceAppointmentChanges", "appointment_changes"),
        ("attachment", "attachments"),
        ("vehicles", None),
        ("deals-archive", None),
        ("deal_fees", None),
        ("", None),
    ],
)
def test_a_stream_finds_its_sink_whatever_its_spelling(stream: str, name: str | None) -> None:
    sink = sinks.find(stream)

    assert (sink.object if sink else None) == name


def test_no_two_sinks_take_the_same_stream() -> None:
    names = [(name, sink) for sink in sinks.SINKS for name in (sink.object, *sink.aliases)]

    assert all(sinks.find(name) is sink for name, sink in names)


@pytest.mark.parametrize("sink", sinks.SINKS, ids=OBJECTS)
def test_a_sink_is_sent_where_the_contract_says_by_whom_it_says(sink: SinkDeclaration) -> None:
    write, listed = API.write(sink.operation_id), API.resource(sink.entity.path)

    assert (sink.method, sink.path) == (write.method, write.path)
    assert sink.entitlements == write.entitlements
    assert sink.path.startswith(sink.entity.path)
    assert ("{id}" in sink.path) is (sink.change is not None)
    assert sink.id_field in listed.key
    if sink.lookup:
        assert set(sink.lookup.query) <= listed.parameters


@pytest.mark.parametrize("sink", sinks.SINKS, ids=OBJECTS)
def test_fields_that_a_sink_names_are_fields_of_the_contract(sink: SinkDeclaration) -> None:
    sent = set(API.write(sink.operation_id).schema["properties"])
    read = set(API.resource(sink.entity.path).record_schema["properties"])
    keys = {*sink.business_key, *sink.natural_key} - {ABOUT}
    line = sink.change.line if sink.change else None

    assert keys - ({line.alias} if line else set()) <= sent
    assert sink.id_field not in sent
    assert sink.number_field is None or sink.number_field in read
    if sink.lookup:
        compared = {*sink.lookup.equal, *sink.lookup.equal_if_echoed}
        assert {*sink.lookup.query.values()} <= sent
        assert compared <= sent & read
    for reference in sink.references:
        assert reference.entity in ENTITIES
        assert reference.alias not in sent or sink.founds or reference.alias == "vin"
        assert (reference.field in sent) is sink.founds
        assert {*reference.beside} <= sent


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_change_sets_can_be_read_back_and_its_guards_are_taken_by_the_call(
    name: str,
) -> None:
    sink = sinks.by_object(name)
    assert sink.change is not None
    sent = set(API.write(sink.operation_id).schema["properties"])
    read = API.resource(sink.entity.path).record_schema["properties"]

    assert sink.change.guards | sink.change.said <= sent
    assert sink.is_step is ("status" in sent)
    assert not sink.is_step or sink.change.expected
    wanted = sent - sink.change.guards - sink.change.said
    if sink.change.line:
        line = sink.change.line
        assert line.field in wanted
        read = read[line.array]["items"]["properties"]
        assert line.alias in read
    assert wanted <= set(read)


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_an_entity_is_a_list_of_the_contract_with_its_ids(entity: Entity) -> None:
    listed = API.resource(entity.path)
    founder = sinks.founder(entity.name)

    assert entity.id_field in listed.key
    assert entity.own_id in listed.record_schema["properties"]
    assert entity.is_filtered is (entity.own_id in listed.parameters)
    assert founder is None or founder.entity is entity


def test_what_may_not_happen_twice_is_parked_and_not_sent_again() -> None:
    assert {sink.operation: sink.unknown for sink in sinks.SINKS} == {
        "upsert": "resend",
        "create": "park",
        "update": "resend",
        "upload": "resend",
    }


def configured(endpoints: dict[str, str]) -> ApiConfig:
    settings = {
        "api_url": "https://dms.example",
        "integration_id": "int_1",
        "platform_token": "a-token",
        "username": "somebody",
        "password": "a-password",
        "mfa_type": "none",
        "endpoints": endpoints,
    }
    schema = TargetAutomate.settings_schema()
    return ApiConfig.from_settings(resolve(schema, settings, prefix=None), program=PROGRAM)


def test_a_list_at_another_path_takes_the_calls_of_its_records_with_it() -> None:
    endpoints = {"deals": "/v2/deals", "vehicle_photos": "/pictures/{id}/all"}
    paths = paths_of(configured(endpoints))

    assert paths["deals"] == "/v2/deals"
    assert paths["deal_statuses"] == "/v2/deals/{id}/status"
    assert paths["deal_terms"] == "/v2/deals/{id}"
    assert paths["vehicle_photos"] == "/pictures/{id}/all"
    assert paths["vehicle_prices"] == "/vehicles/{id}"


@pytest.mark.parametrize(
    ("endpoints", "words"),
    [
        ({"deal_statuses": "/v2/deals"}, "`endpoints.deal_statuses` must have `{id}`"),
        ({"deals": "/v2/deals/{id}"}, "`endpoints.deals` must have no `{id}`"),
    ],
    ids=str,
)
def test_a_path_that_would_send_to_another_call_is_refused(
    endpoints: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        paths_of(configured(endpoints))
