"""A write's payload schema holds the rules that the API's page gives for it."""

from __future__ import annotations

import typing as t

import jsonschema_rs
import pytest

from automate_api import contract

if t.TYPE_CHECKING:
    from automate_api.contract import Schema

CUSTOMER = {
    "externalId": "crm-1",
    "customerType": "retail",
    "firstName": "Dana",
    "lastName": "Example",
    "emails": ["dana@example.com"],
    "phones": [{"type": "mobile", "number": "+12025550143"}],
}
DEAL = {
    "customerId": "cust_5c01e8",
    "vehicle": {"vin": "1HGCM82633A004352"},
    "finance": {"cashDown": 2000, "products": [{"code": "VSC", "price": 1495.00}]},
    "status": "penciled",
}
APPOINTMENT = {
    "customerId": "cust_5c01e8",
    "vin": "1HGCM82633A004352",
    "appointmentTime": "2026-02-03T09:30:00-05:00",
}
REPAIR_ORDER = {"externalId": "ro-1", "appointmentId": "appt_9fa201"}
ATTACHMENT = {
    "entityType": "deal",
    "entityId": "deal_61df30",
    "fileName": "contract.pdf",
    "contentType": "application/pdf",
    "size": 1024,
    "sha256": "0" * 64,
}
WITHOUT = object()
"""Stands for a field that is left out."""


def changed(body: Schema, **changes: object) -> Schema:
    return {key: value for key, value in {**body, **changes}.items() if value is not WITHOUT}


ACCEPTED: list[tuple[str, Schema]] = [
    ("createSession", {"username": "u", "password": "p"}),
    ("createSession", {"username": "u", "password": "p", "mfa": {"type": "totp", "code": "1"}}),
    ("upsertCustomer", CUSTOMER),
    ("upsertCustomer", {"externalId": "crm-1"}),
    ("upsertCustomer", changed(CUSTOMER, externalId=WITHOUT, phones=WITHOUT)),
    ("upsertCustomer", changed(CUSTOMER, externalId=None, emails=[])),
    ("upsertCustomer", changed(CUSTOMER, customerType=None, aFieldOfTomorrow=1)),
    ("createDeal", DEAL),
    ("createDeal", changed(DEAL, status=WITHOUT, finance=None)),
    ("createAppointment", APPOINTMENT),
    ("createAppointment", changed(APPOINTMENT, appointmentTime="2026-02-03T14:30:00Z")),
    ("createRepairOrder", REPAIR_ORDER),
    ("createRepairOrder", {"externalId": "ro-1", "customerId": "cust_1", "vin": "V"}),
    ("changeDealStatus", {"status": "contracted", "expectedStatus": "penciled"}),
    ("changeVehicle", {"listPrice": 25995.00}),
    ("replaceVehiclePhotos", {"photos": []}),
    ("createAttachment", ATTACHMENT),
]
REFUSED: list[tuple[str, Schema]] = [
    ("createSession", {"username": "u"}),
    ("createSession", {"username": "u", "password": "p", "mfa": {"type": "push"}}),
    ("upsertCustomer", {}),
    ("upsertCustomer", {"externalId": ""}),
    ("upsertCustomer", changed(CUSTOMER, externalId=WITHOUT, lastName=WITHOUT)),
    ("upsertCustomer", changed(CUSTOMER, externalId=WITHOUT, emails=[], phones=None)),
    ("upsertCustomer", changed(CUSTOMER, customerType="wholesale")),
    ("upsertCustomer", changed(CUSTOMER, emails="dana@example.com")),
    ("upsertCustomer", changed(CUSTOMER, dateOfBirth="01/02/1990")),
    ("createDeal", changed(DEAL, customerId=WITHOUT)),
    ("createDeal", changed(DEAL, customerId=None)),
    ("createDeal", changed(DEAL, vehicle={"vin": None})),
    ("createDeal", changed(DEAL, status="delivered")),
    ("createDeal", changed(DEAL, finance={"cashDown": "2000"})),
    ("createDeal", changed(DEAL, finance={"termMonths": 60.5})),
    ("createAppointment", changed(APPOINTMENT, vin=WITHOUT)),
    ("createAppointment", changed(APPOINTMENT, appointmentTime="2026-02-03T09:30:00")),
    ("createAppointment", changed(APPOINTMENT, appointmentTime="2026-02-30T09:30:00Z")),
    ("createRepairOrder", changed(REPAIR_ORDER, externalId=WITHOUT)),
    ("createRepairOrder", {"externalId": "ro-1", "customerId": "cust_1"}),
    ("changeDealStatus", {"status": "contracted"}),
    ("changeDealStatus", {"status": None, "expectedStatus": "penciled"}),
    ("changeVehicle", {"ifUpdatedAt": "2026-01-20T13:45:00Z"}),
    ("changeVehicle", {"listPrice": None}),
    ("replaceVehiclePhotos", {"photos": [{"url": "https://x.example/1", "attachmentId": "a_1"}]}),
    ("createAttachment", changed(ATTACHMENT, sha256="abc")),
]


def accepts(operation_id: str, body: Schema) -> bool:
    schema = contract.load().write(operation_id).schema
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(body)


@pytest.mark.parametrize(("operation_id", "body"), ACCEPTED)
def test_a_body_that_keeps_the_rules_is_accepted(operation_id: str, body: Schema) -> None:
    assert accepts(operation_id, body)


@pytest.mark.parametrize(("operation_id", "body"), REFUSED)
def test_a_body_that_breaks_a_rule_is_refused(operation_id: str, body: Schema) -> None:
    assert not accepts(operation_id, body)
