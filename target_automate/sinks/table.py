"""The sinks: what can be written to the DMS, in the order of writing."""

from __future__ import annotations

import functools
import re
import typing as t

from target_automate.sinks import statuses
from target_automate.sinks.declarations import (
    ABOUT,
    Change,
    Line,
    LookupRule,
    Reference,
    SinkDeclaration,
)
from target_automate.sinks.entities import (
    APPOINTMENTS,
    ATTACHMENTS,
    CUSTOMERS,
    DEALS,
    REPAIR_ORDERS,
    VEHICLES,
)

_CHANGES: t.Final = 4
"""Rank of whatever changes or completes what is there: behind everything that is created."""

_CUSTOMER: t.Final = Reference(alias="customerExternalId", entity=CUSTOMERS)
_DEAL: t.Final = Reference(alias="dealReferenceId", entity=DEALS, shares_lane=True)
_APPOINTMENT: t.Final = Reference(
    alias="appointmentExternalId", entity=APPOINTMENTS, shares_lane=True
)
_ORDER: t.Final = Reference(alias="repairOrderExternalId", entity=REPAIR_ORDERS, shares_lane=True)
_VEHICLE: t.Final = Reference(alias="vin", entity=VEHICLES, shares_lane=True)

SINKS: t.Final[tuple[SinkDeclaration, ...]] = (
    SinkDeclaration(
        object="customers",
        title="Customer",
        aliases=("customer", "leads", "lead", "contacts"),
        rank=0,
        operation_id="upsertCustomer",
        operation="upsert",
        entity=CUSTOMERS,
        business_key=("externalId",),
        unknown="resend",
        lookup=LookupRule(query={"externalId": "externalId"}, equal=("externalId",)),
    ),
    SinkDeclaration(
        object="deals",
        title="Deal",
        aliases=("deal",),
        rank=1,
        operation_id="createDeal",
        operation="create",
        entity=DEALS,
        number_field="dealNumber",
        business_key=("referenceId",),
        references=(_CUSTOMER,),
        unknown="park",
        lookup=LookupRule(query={"referenceId": "referenceId"}, equal=("referenceId",)),
    ),
    SinkDeclaration(
        object="service_appointments",
        title="Service appointment",
        aliases=("service_appointment", "appointments", "appointment"),
        rank=2,
        operation_id="createAppointment",
        operation="create",
        entity=APPOINTMENTS,
        business_key=("externalId",),
        natural_key=(ABOUT, "vin", "appointmentTime"),
        references=(_CUSTOMER,),
        unknown="park",
        lookup=LookupRule(
            query={
                "customerId": "customerId",
                "vin": "vin",
                "appointmentFrom": "appointmentTime",
                "appointmentTo": "appointmentTime",
            },
            equal=("customerId", "vin", "appointmentTime"),
            equal_if_echoed=("externalId",),
        ),
    ),
    SinkDeclaration(
        object="repair_orders",
        title="Repair order",
        aliases=("repair_order", "ros", "ro"),
        rank=3,
        operation_id="createRepairOrder",
        operation="create",
        entity=REPAIR_ORDERS,
        number_field="roNumber",
        business_key=("externalId",),
        references=(
            _APPOINTMENT,
            Reference(alias="customerExternalId", entity=CUSTOMERS, beside=("vin",)),
        ),
        unknown="park",
        lookup=LookupRule(query={"externalId": "externalId"}, equal=("externalId",)),
    ),
    SinkDeclaration(
        object="deal_statuses",
        title="Deal status",
        aliases=("deal_status",),
        rank=_CHANGES,
        operation_id="changeDealStatus",
        operation="update",
        entity=DEALS,
        number_field="dealNumber",
        business_key=(ABOUT,),
        references=(_DEAL,),
        unknown="resend",
        change=Change(machine=statuses.DEAL, expected="expectedStatus", said=frozenset({"reason"})),
    ),
    SinkDeclaration(
        object="deal_terms",
        title="Terms of a deal",
        aliases=("deal_term", "deal_finance"),
        rank=_CHANGES,
        operation_id="changeDealTerms",
        operation="update",
        entity=DEALS,
        number_field="dealNumber",
        business_key=(ABOUT,),
        references=(_DEAL,),
        unknown="resend",
        change=Change(version="expectedUpdatedAt"),
    ),
    SinkDeclaration(
        object="vehicle_prices",
        title="Price and comments of a vehicle",
        aliases=("vehicle_price", "vehicle_comments"),
        rank=_CHANGES,
        operation_id="changeVehicle",
        operation="update",
        entity=VEHICLES,
        number_field="stockNumber",
        business_key=(ABOUT,),
        references=(_VEHICLE,),
        unknown="resend",
        change=Change(version="ifUpdatedAt"),
    ),
    SinkDeclaration(
        object="vehicle_photos",
        title="Photos of a vehicle",
        aliases=("vehicle_photo",),
        rank=_CHANGES,
        operation_id="replaceVehiclePhotos",
        operation="update",
        entity=VEHICLES,
        number_field="stockNumber",
        business_key=(ABOUT,),
        references=(_VEHICLE,),
        unknown="resend",
        change=Change(),
    ),
    SinkDeclaration(
        object="appointment_changes",
        title="Change or cancellation of an appointment",
        aliases=("appointment_change", "service_appointment_changes"),
        rank=_CHANGES,
        operation_id="changeAppointment",
        operation="update",
        entity=APPOINTMENTS,
        business_key=(ABOUT,),
        references=(_APPOINTMENT,),
        unknown="resend",
        change=Change(machine=statuses.APPOINTMENT, expected="expectedStatus"),
    ),
    SinkDeclaration(
        object="repair_order_statuses",
        title="Status of a repair order",
        aliases=("repair_order_status", "ro_statuses", "ro_status"),
        rank=_CHANGES,
        operation_id="changeRepairOrderStatus",
        operation="update",
        entity=REPAIR_ORDERS,
        number_field="roNumber",
        business_key=(ABOUT,),
        references=(_ORDER,),
        unknown="resend",
        change=Change(
            machine=statuses.REPAIR_ORDER,
            expected="expectedStatus",
            said=frozenset({"reason"}),
        ),
    ),
    SinkDeclaration(
        object="repair_order_inspections",
        title="Inspection results of a line of a repair order",
        aliases=("repair_order_inspection", "ro_inspections", "inspections"),
        rank=_CHANGES,
        operation_id="replaceInspection",
        operation="update",
        entity=REPAIR_ORDERS,
        number_field="roNumber",
        business_key=(ABOUT, "lineId"),
        natural_key=(ABOUT, "lineCode"),
        references=(_ORDER,),
        unknown="resend",
        change=Change(line=Line(array="lines", field="lineId", alias="lineCode")),
    ),
    SinkDeclaration(
        object="attachments",
        title="Attachment of a deal, a repair order or a vehicle",
        aliases=("attachment",),
        rank=_CHANGES,
        operation_id="createAttachment",
        operation="upload",
        entity=ATTACHMENTS,
        business_key=(ABOUT, "sha256"),
        references=(_DEAL, _ORDER, _VEHICLE),
        unknown="resend",
        lookup=LookupRule(
            query={"entityType": "entityType", "entityId": "entityId"},
            equal=("entityType", "entityId", "sha256"),
        ),
        local=frozenset({"path"}),
    ),
)


def by_object(name: str) -> SinkDeclaration:
    """Return the sink that writes an object.

    Args:
        name: The object, `customers`.

    Raises:
        LookupError: No sink writes it.
    """
    found = founder(name)
    if found is None:
        known = ", ".join(declaration.object for declaration in SINKS)
        msg = f"No sink writes {name!r}; there are {known}."
        raise LookupError(msg)
    return found


def founder(name: str) -> SinkDeclaration | None:
    """Return the sink that writes an object; None when none does, as for vehicles."""
    return _objects().get(name)


def find(stream: str) -> SinkDeclaration | None:
    """Return the sink that takes a stream; None when no sink does.

    Neither case nor punctuation counts: `serviceAppointments` and `Service Appointments` are
    `service_appointments`. Taps of databases name a stream by its schema and table,
    `public-customers`; there the part behind the last dash decides.

    Args:
        stream: The stream's name, or its alias by a stream map.
    """
    names = _names()
    return names.get(_plain(stream)) or names.get(_plain(stream.rpartition("-")[2]))


@functools.cache
def _objects() -> dict[str, SinkDeclaration]:
    return {declaration.object: declaration for declaration in SINKS}


@functools.cache
def _names() -> dict[str, SinkDeclaration]:
    return {
        _plain(name): declaration
        for declaration in SINKS
        for name in (declaration.object, *declaration.aliases)
    }


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
