"""What writes are about: the DMS's records, where they are listed and how they are told apart."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from automate_api.config import ApiConfig


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A kind of record.

    Attributes:
        name: In the plural; also the object of the sink that creates it, where there is one.
        noun: For a person, in the singular.
        path: Its list, as the contract has it; a record's own address is its id behind it.
        id_field: The DMS's id in a record.
        own_id: The field that holds the id which its writer gave it; for a vehicle its VIN.
        is_filtered: Whether the list takes `own_id` as a filter.
    """

    name: str
    noun: str
    path: str
    id_field: str
    own_id: str
    is_filtered: bool = True


CUSTOMERS: t.Final = Entity(
    name="customers",
    noun="customer",
    path="/customers",
    id_field="customerId",
    own_id="externalId",
)
DEALS: t.Final = Entity(
    name="deals", noun="deal", path="/deals", id_field="dealId", own_id="referenceId"
)
APPOINTMENTS: t.Final = Entity(
    name="service_appointments",
    noun="appointment",
    path="/service/appointments",
    id_field="appointmentId",
    own_id="externalId",
    is_filtered=False,
)
REPAIR_ORDERS: t.Final = Entity(
    name="repair_orders",
    noun="repair order",
    path="/service/repair-orders",
    id_field="repairOrderId",
    own_id="externalId",
)
VEHICLES: t.Final = Entity(
    name="vehicles", noun="vehicle", path="/vehicles", id_field="vehicleId", own_id="vin"
)
ATTACHMENTS: t.Final = Entity(
    name="attachments",
    noun="attachment",
    path="/attachments",
    id_field="attachmentId",
    own_id="sha256",
    is_filtered=False,
)

ENTITIES: t.Final = (CUSTOMERS, DEALS, APPOINTMENTS, REPAIR_ORDERS, VEHICLES, ATTACHMENTS)


def lists_of(api: ApiConfig) -> dict[str, str]:
    """List the path of each entity's list at this tenant, by the entity's name."""
    return {entity.name: api.endpoints.get(entity.name, entity.path) for entity in ENTITIES}
