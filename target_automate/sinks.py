"""The sinks: what can be written to the DMS, one declaration for each, in the order of writing.

A declaration names an object and its call. Where the call is posted, who may make it and what it
takes are read from the contract, so that nothing is written twice.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import types
import typing as t

from automate_api import contract

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_api.contract import Write

Form: t.TypeAlias = t.Literal["text", "vin", "instant"]

FORMS: t.Final[Mapping[str, Form]] = types.MappingProxyType(
    {"vin": "vin", "appointmentTime": "instant"}
)
"""Fields of keys that say the same in more than one spelling; all others are plain text.

A VIN is the same in capitals, an instant with any UTC offset.
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A field that names another object by the DMS's id, and the field that may stand in for it.

    Attributes:
        field: Holds the DMS's id, and is what the call takes.
        alias: Holds the writer's own id instead; it is never sent. Where a record has both, `field`
            counts.
        object: What is referred to.
        external_id: The field of that object which `alias` holds.
    """

    field: str
    alias: str
    object: str
    external_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LookupRule:
    """How a record that may have been written is found by the API's list.

    Attributes:
        query: Query parameter to the payload's field that it is filled from.
        equal: Fields that a found record and the payload must both have, and with the same content.
        equal_if_echoed: Fields that must be the same where both have them: the DMS may leave them
            out.
    """

    query: Mapping[str, str]
    equal: tuple[str, ...]
    equal_if_echoed: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SinkDeclaration:
    """A sink.

    Attributes:
        object: What it writes, in the plural; also its stream's name.
        aliases: Further names of streams that it takes.
        rank: Its place in the order of writing; what others refer to goes first.
        operation_id: The contract's call.
        operation: `upsert` changes what is there, `create` makes a new one each time.
        id_field: The DMS's id in the answer. A record that carries it is not new, and no create
            takes it.
        number_field: The number that people use, in the answer.
        business_key: The fields that identify a record to its writer.
        natural_key: The fields that identify it where the business key is not given. With none, the
            business key is required.
        reference: What its records refer to.
        unknown: What becomes of a record that may have been written, is not found and whose key the
            server does not honour: `resend` where a second time does no harm, else `park` it for a
            person.
        lookup: How it is found.
    """

    object: str
    aliases: tuple[str, ...]
    rank: int
    operation_id: str
    operation: t.Literal["upsert", "create"]
    id_field: str
    number_field: str | None = None
    business_key: tuple[str, ...]
    natural_key: tuple[str, ...] = ()
    reference: Reference | None = None
    unknown: t.Literal["resend", "park"]
    lookup: LookupRule

    @property
    def path(self) -> str:
        """Where it is posted, and listed: as in the contract, from the slash on."""
        return _write(self.operation_id).path

    @property
    def entitlements(self) -> frozenset[str]:
        """Any one of them is enough to write."""
        return _write(self.operation_id).entitlements


_CUSTOMER: t.Final = Reference(
    field="customerId", alias="customerExternalId", object="customers", external_id="externalId"
)

SINKS: t.Final[tuple[SinkDeclaration, ...]] = (
    SinkDeclaration(
        object="customers",
        aliases=("customer", "leads", "lead", "contacts"),
        rank=0,
        operation_id="upsertCustomer",
        operation="upsert",
        id_field="customerId",
        business_key=("externalId",),
        unknown="resend",
        lookup=LookupRule(query={"externalId": "externalId"}, equal=("externalId",)),
    ),
    SinkDeclaration(
        object="deals",
        aliases=("deal",),
        rank=1,
        operation_id="createDeal",
        operation="create",
        id_field="dealId",
        number_field="dealNumber",
        business_key=("referenceId",),
        reference=_CUSTOMER,
        unknown="park",
        lookup=LookupRule(query={"referenceId": "referenceId"}, equal=("referenceId",)),
    ),
    SinkDeclaration(
        object="service_appointments",
        aliases=("service_appointment", "appointments", "appointment"),
        rank=2,
        operation_id="createAppointment",
        operation="create",
        id_field="appointmentId",
        business_key=("externalId",),
        natural_key=("customerId", "vin", "appointmentTime"),
        reference=_CUSTOMER,
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
)


def by_object(name: str) -> SinkDeclaration:
    """Return the sink that writes an object.

    Args:
        name: The object, `customers`.

    Raises:
        LookupError: No sink writes it.
    """
    for declaration in SINKS:
        if declaration.object == name:
            return declaration
    known = ", ".join(declaration.object for declaration in SINKS)
    msg = f"No sink writes {name!r}; there are {known}."
    raise LookupError(msg)


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
def _names() -> dict[str, SinkDeclaration]:
    return {
        _plain(name): declaration
        for declaration in SINKS
        for name in (declaration.object, *declaration.aliases)
    }


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


@functools.cache
def _write(operation_id: str) -> Write:
    return contract.load().write(operation_id)
