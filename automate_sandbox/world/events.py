"""Events: what the DMS tells about its records beside their lists."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers


class Happening(t.NamedTuple):
    """Something that the versions of a record tell of.

    Attributes:
        kind: `deal.delivered`.
        mark: Tells it from another one of its kind with the same record.
        at: The instant, as the record has it.
        payload: Of the event.
    """

    kind: str
    mark: str
    at: str
    payload: Record | None


def happenings(stream: str, record: Record) -> list[Happening]:
    """Read from a record what has happened to it, in the order in which it did."""
    tell = TELLERS.get(stream)
    return sorted(tell(record), key=lambda each: each.at) if tell else []


def make_event(numbers: Numbers, stream: str, record: Record, happening: Happening) -> Record:
    """Make the event that tells of something.

    Args:
        numbers: Gives the id.
        stream: Of the record.
        record: That it has happened to.
        happening: What.
    """
    entity, key = ENTITIES[stream]
    _, event_id = numbers.take("events")
    return {
        "eventId": event_id,
        "rooftopId": record["rooftopId"],
        "type": happening.kind,
        "entityType": entity,
        "entityId": record[key],
        "occurredAt": happening.at,
        "payload": happening.payload,
        "createdAt": happening.at,
        "updatedAt": happening.at,
        "deletedAt": None,
    }


def following(
    numbers: Numbers,
    changes: Iterable[tuple[str, Record]],
    known: Callable[[str, str], Record | None],
) -> Iterator[tuple[str, Record]]:
    """Make the events of records that have just changed.

    Args:
        numbers: Gives the ids.
        changes: Stream and new version.
        known: Gives the version before, by stream and key.

    Yields:
        `events` and the event.
    """
    for stream, record in changes:
        if stream not in ENTITIES:
            continue
        before = known(stream, record[ENTITIES[stream][1]])
        told = {each[:2] for each in happenings(stream, before)} if before else set()
        for each in happenings(stream, record):
            if each[:2] not in told:
                yield "events", make_event(numbers, stream, record, each)


def _deal(deal: Record) -> Iterator[Happening]:
    number = {"dealNumber": deal["dealNumber"]}
    if at := deal["deliveredAt"]:
        yield Happening("deal.delivered", at, at, number)
        if deal["accountingStatus"] in {"posted", "reversed"}:
            yield Happening("deal.posted", at, at, number | {"accountingStatus": "posted"})
    if at := deal["finalizedAt"]:
        yield Happening("deal.finalized", at, at, number)
    if at := deal["unwoundAt"]:
        yield Happening("deal.unwound", at, at, number | {"unwindReason": deal["unwindReason"]})
    if at := deal["voidedAt"]:
        yield Happening("deal.voided", at, at, None)


def _order(order: Record) -> Iterator[Happening]:
    number = {"roNumber": order["roNumber"]}
    if at := order["finalClosedAt"]:
        total = {"total": order["totals"]["total"]}
        yield Happening("repair_order.closed", at, at, number | total)
    if at := order["reopenedAt"]:
        count = {"reopenCount": order["reopenCount"]}
        yield Happening("repair_order.reopened", at, at, number | count)
    if at := order["voidedAt"]:
        yield Happening("repair_order.voided", at, at, None)


def _customer(customer: Record) -> Iterator[Happening]:
    if survivor := customer["mergedIntoCustomerId"]:
        payload = {"mergedIntoCustomerId": survivor}
        # The record does not say when; at its first sight that is its last change.
        yield Happening("customer.merged", survivor, customer["updatedAt"], payload)


def _appointment(appointment: Record) -> Iterator[Happening]:
    if at := appointment["cancelledAt"]:
        yield Happening("service_appointment.cancelled", at, at, None)


TELLERS: t.Final[dict[str, Callable[[Record], Iterator[Happening]]]] = {
    "deals": _deal,
    "repair_orders": _order,
    "customers": _customer,
    "service_appointments": _appointment,
}
"""Stream to what reads its records."""

ENTITIES: t.Final = {
    "deals": ("deal", "dealId"),
    "repair_orders": ("repair_order", "repairOrderId"),
    "customers": ("customer", "customerId"),
    "service_appointments": ("service_appointment", "appointmentId"),
}
"""Stream to the `entityType` of its records and to their key."""
