"""The writes of the API as the proof knows them: told anew here, and not taken from the target.

A thing is a stream and the key that its writer gave it. What is made is the thing itself; of what
is changed, a thing is one record as one stream speaks of it: the status of a deal, its terms. Each
time that a stream says something new of a thing is a word.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import hashlib
import json
import types
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Mapping

Record: t.TypeAlias = dict[str, t.Any]
Key: t.TypeAlias = tuple[str, str]
"""Stream and business key."""

CUSTOMERS: t.Final = "customers"
DEALS: t.Final = "deals"
APPOINTMENTS: t.Final = "service_appointments"
ORDERS: t.Final = "repair_orders"
VEHICLES: t.Final = "vehicles"
FILES: t.Final = "attachments"

INSPECTIONS: t.Final = "repair_order_inspections"


@dataclasses.dataclass(frozen=True)
class Made:
    """What a stream makes.

    Attributes:
        call: That makes it, as the history names it.
        id_field: The DMS's id in the answer.
    """

    call: str
    id_field: str


MADE: t.Final[Mapping[str, Made]] = types.MappingProxyType(
    {
        CUSTOMERS: Made("POST /customers", "customerId"),
        DEALS: Made("POST /deals", "dealId"),
        APPOINTMENTS: Made("POST /service/appointments", "appointmentId"),
        ORDERS: Made("POST /service/repair-orders", "repairOrderId"),
        FILES: Made("POST /attachments/{id}/complete", "attachmentId"),
    }
)
"""Stream to what it makes."""


@dataclasses.dataclass(frozen=True)
class Change:
    """What a stream changes.

    Attributes:
        call: That changes it, as the history names it; its path names the record.
        of: Stream of the record.
        own: The field that names the record by its writer's key.
        fields: Of which a word is made; what else a record or a payload has is no part of it.
    """

    call: str
    of: str
    own: str
    fields: tuple[str, ...]


CHANGES: t.Final[Mapping[str, Change]] = types.MappingProxyType(
    {
        "deal_statuses": Change("POST /deals/{id}/status", DEALS, "dealReferenceId", ("status",)),
        "deal_terms": Change("PATCH /deals/{id}", DEALS, "dealReferenceId", ("finance",)),
        "vehicle_prices": Change(
            "PATCH /vehicles/{id}", VEHICLES, "vin", ("listPrice", "salePrice", "comments")
        ),
        "vehicle_photos": Change("PUT /vehicles/{id}/photos", VEHICLES, "vin", ("photos",)),
        "appointment_changes": Change(
            "PATCH /service/appointments/{id}",
            APPOINTMENTS,
            "appointmentExternalId",
            ("appointmentTime", "advisorId", "status", "cancelReason"),
        ),
        "repair_order_statuses": Change(
            "POST /service/repair-orders/{id}/status",
            ORDERS,
            "repairOrderExternalId",
            ("status",),
        ),
        INSPECTIONS: Change(
            "PUT /service/repair-orders/{id}/inspection",
            ORDERS,
            "repairOrderExternalId",
            ("lineId", "inspection"),
        ),
    }
)
"""Stream to what it changes."""

STREAMS: t.Final = (*MADE, *CHANGES)

OWNERS: t.Final[Mapping[str, tuple[str, str]]] = types.MappingProxyType(
    {
        "deal": (DEALS, "dealReferenceId"),
        "repair_order": (ORDERS, "repairOrderExternalId"),
        "vehicle": (VEHICLES, "vin"),
    }
)
"""`entityType` of a file to the stream of what it belongs to, and the field that names that."""

OWN_KEY: t.Final[Mapping[str, str]] = types.MappingProxyType(
    {
        CUSTOMERS: "externalId",
        DEALS: "referenceId",
        APPOINTMENTS: "externalId",
        ORDERS: "externalId",
        VEHICLES: "vin",
    }
)
"""Stream of a record to its field that holds its writer's key."""


def word_of(stream: str, record: Mapping[str, t.Any]) -> Record:
    """Pick what a record, or the payload of a write, says of the thing that it changes."""
    return {name: record[name] for name in CHANGES[stream].fields if name in record}


def text_of(word: Mapping[str, t.Any]) -> str:
    """Write a word so that two that say the same are equal, however numbers are spelled."""
    return json.dumps(_plain(word), sort_keys=True)


def owner_of(stream: str, record: Mapping[str, t.Any]) -> Key:
    """Name the record that a word or a file is about, by its writer's key.

    Raises:
        KeyError: It names none.
    """
    if stream in CHANGES:
        change = CHANGES[stream]
        return change.of, record[change.own]
    for of, field in OWNERS.values():
        if field in record:
            return of, record[field]
    raise KeyError(stream)


def thing_of(stream: str, record: Mapping[str, t.Any]) -> Key:
    """Name what a record is about, as it was fed.

    Raises:
        KeyError: It lacks what names it.
    """
    if stream in CHANGES:
        line = f" | {record['lineId']}" if stream == INSPECTIONS else ""
        return stream, f"{owner_of(stream, record)[1]}{line}"
    if stream == FILES:
        return file_of(owner_of(stream, record), record.get("sha256") or sha256(record["path"]))
    return stream, key_of(stream, record, {})


def file_of(owner: Key, digest: str) -> Key:
    """Name a file by what it belongs to and by its content."""
    return FILES, f"{owner[0]} {owner[1]} | {digest}"


def key_of(stream: str, record: Mapping[str, t.Any], external: Mapping[str, str]) -> str:
    """Give the key of a customer, deal, appointment or repair order.

    That of an appointment without an id of its own is its customer, vehicle and instant.

    Args:
        stream: Of the record.
        record: As it was fed, or as the DMS got it.
        external: Id of a customer in the DMS to the writer's own.
    """
    own = record.get(OWN_KEY[stream])
    if own is not None:
        return str(own)
    customer = record.get("customerExternalId") or external.get(record["customerId"])
    named = f"customerExternalId:{customer}" if customer else f"customerId:{record['customerId']}"
    instant = dt.datetime.fromisoformat(record["appointmentTime"]).astimezone(dt.UTC)
    return f"{named} | {record['vin']} | {instant:%Y-%m-%dT%H:%M:%S}.{instant:%f}"[:-3] + "Z"


def says(record: object, wanted: object) -> bool:
    """Tell whether a record holds what is wanted, whatever else it holds."""
    if isinstance(wanted, dict):
        return isinstance(record, dict) and all(
            name in record and says(record[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(record, list)
            and len(record) == len(wanted)
            and all(map(says, record, wanted))
        )
    return record == wanted


def holds(stream: str, record: Mapping[str, t.Any], word: Mapping[str, t.Any]) -> bool:
    """Tell whether a version of a record says a word."""
    if stream != INSPECTIONS:
        return says(record, word)
    return any(
        says(line["inspection"], word["inspection"])
        for line in record["lines"]
        if line["lineId"] == word["lineId"]
    )


@functools.cache
def sha256(path: str) -> str:
    """Hash a file of the feed, which does not change."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | bool):
        return value
    return float(t.cast("float", value))
