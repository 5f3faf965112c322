"""The table of sinks holds what the contract offers, and streams find their sink by name."""

from __future__ import annotations

import pytest

from automate_api import contract
from target_automate import sinks

API = contract.load()
OBJECTS = ["customers", "deals", "service_appointments"]


def test_objects_are_written_in_the_order_of_their_references() -> None:
    assert [sink.object for sink in sinks.SINKS] == OBJECTS
    assert [sink.rank for sink in sinks.SINKS] == list(range(len(OBJECTS)))
    for sink in sinks.SINKS:
        if sink.reference:
            assert sinks.by_object(sink.reference.object).rank < sink.rank


@pytest.mark.parametrize("name", OBJECTS)
def test_a_sink_is_known_by_its_object(name: str) -> None:
    assert sinks.by_object(name).object == name


def test_an_object_without_a_sink_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        LookupError, match="'vehicles'; there are customers, deals, service_appointments"
    ):
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
def test_a_sink_posts_where_its_records_are_listed(sink: sinks.SinkDeclaration) -> None:
    write, listed = API.write(sink.operation_id), API.resource(sink.path)

    assert write.method == "POST"
    assert sink.path == write.path
    assert sink.entitlements == write.entitlements
    assert set(sink.lookup.query) <= listed.parameters
    assert sink.id_field in listed.key


@pytest.mark.parametrize("sink", sinks.SINKS, ids=OBJECTS)
def test_fields_that_a_sink_names_are_fields_of_the_contract(sink: sinks.SinkDeclaration) -> None:
    sent = set(API.write(sink.operation_id).schema["properties"])
    read = set(API.resource(sink.path).record_schema["properties"])
    compared = {*sink.lookup.equal, *sink.lookup.equal_if_echoed}

    assert {*sink.business_key, *sink.natural_key, *sink.lookup.query.values()} <= sent
    assert compared <= sent & read
    assert sink.id_field not in sent
    assert sink.number_field is None or sink.number_field in read
    if sink.reference:
        referred = sinks.by_object(sink.reference.object)
        assert sink.reference.field in sent & {referred.id_field}
        assert sink.reference.alias not in sent
        assert (sink.reference.external_id,) == referred.business_key


def test_what_may_not_happen_twice_is_parked_and_not_sent_again() -> None:
    assert {sink.operation: sink.unknown for sink in sinks.SINKS} == {
        "upsert": "resend",
        "create": "park",
    }
