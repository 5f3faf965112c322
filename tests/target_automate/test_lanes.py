"""Writes about one record are in one lane, by whichever id and in whichever stream they name it."""

from __future__ import annotations

import typing as t

import pytest
from support.intents import AT, new

from target_automate.checks.references import lane_of
from target_automate.journal import identity
from target_automate.journal.intents import State
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from target_automate.journal.journal import Journal

Named: t.TypeAlias = tuple[str, dict[str, t.Any]]

DEAL: t.Final[list[Named]] = [
    ("deals", {"referenceId": "web-1", "customerExternalId": "crm-1"}),
    ("deal_statuses", {"dealReferenceId": "web-1", "status": "contracted"}),
    ("deal_terms", {"dealReferenceId": "web-1", "finance": {}}),
    ("attachments", {"dealReferenceId": "web-1", "sha256": "0"}),
    ("deal_statuses", {"dealId": "deal_1", "status": "delivered"}),
    ("attachments", {"dealId": "deal_1", "sha256": "1"}),
]
APPOINTMENT: t.Final[list[Named]] = [
    ("service_appointments", {"externalId": "bk-1", "customerExternalId": "crm-1"}),
    ("appointment_changes", {"appointmentExternalId": "bk-1", "status": "confirmed"}),
    ("appointment_changes", {"appointmentId": "appt_1", "status": "confirmed"}),
    ("repair_orders", {"externalId": "ro-1", "appointmentExternalId": "bk-1"}),
    ("repair_orders", {"externalId": "ro-2", "appointmentId": "appt_1"}),
]
ORDER: t.Final[list[Named]] = [
    ("repair_orders", {"externalId": "ro-1", "customerExternalId": "crm-1", "vin": "1HG"}),
    ("repair_order_statuses", {"repairOrderExternalId": "ro-1", "status": "open"}),
    ("repair_order_statuses", {"repairOrderId": "ro_1", "status": "open"}),
    ("repair_order_inspections", {"repairOrderExternalId": "ro-1", "lineId": "l_1"}),
    ("attachments", {"repairOrderId": "ro_1", "sha256": "0"}),
]
VEHICLE: t.Final[list[Named]] = [
    ("vehicle_prices", {"vin": "1HGCM82633A004352", "salePrice": 1}),
    ("vehicle_photos", {"vin": "1hgcm82633a004352", "photos": []}),
    ("attachments", {"vin": "1HGCM82633A004352", "sha256": "0"}),
]
OTHERS: t.Final[list[Named]] = [
    ("customers", {"externalId": "crm-1"}),
    ("deals", {"referenceId": "web-2", "customerExternalId": "crm-1"}),
    ("deal_statuses", {"dealReferenceId": "WEB-1", "status": "contracted"}),
    ("deal_statuses", {"dealId": "deal_2", "status": "contracted"}),
    ("deal_statuses", {"dealReferenceId": "deal_1", "status": "contracted"}),
    ("repair_order_statuses", {"repairOrderExternalId": "web-1", "status": "open"}),
    ("service_appointments", {"externalId": "web-1", "customerExternalId": "crm-1"}),
    ("vehicle_prices", {"vehicleId": "veh_1", "salePrice": 1}),
    ("vehicle_prices", {"vehicleId": "deal_2", "salePrice": 1}),
]


@pytest.fixture
def made(journal: Journal) -> Journal:
    """A journal that has made a deal, an appointment and a repair order."""
    for name, key, dms_id in (
        ("deals", "web-1", "deal_1"),
        ("service_appointments", "bk-1", "appt_1"),
        ("repair_orders", "ro-1", "ro_1"),
    ):
        number = journal.add(new(name, key), AT)
        journal.change(number, State.ACKED, AT, dms_id=dms_id)
    return journal


def lane(journal: Journal, named: Named) -> bytes:
    object_name, body = named
    sink = by_object(object_name)
    return lane_of(journal, sink, identity.business_key(sink, body), body)


@pytest.mark.parametrize(
    "group",
    [DEAL, APPOINTMENT, ORDER, VEHICLE],
    ids=["deal", "appointment", "repair order", "vehicle"],
)
def test_whatever_is_about_one_record_is_in_one_lane(made: Journal, group: list[Named]) -> None:
    assert len({lane(made, named) for named in group}) == 1


def test_different_records_are_in_different_lanes(made: Journal) -> None:
    lanes = [lane(made, named) for named in (DEAL[0], APPOINTMENT[0], ORDER[0], VEHICLE[0])]
    lanes += [lane(made, named) for named in OTHERS]
    assert len(set(lanes)) == len(lanes)


@pytest.mark.parametrize("named", [DEAL[0], APPOINTMENT[0], ORDER[0], OTHERS[0]], ids=str)
def test_what_makes_a_record_is_in_the_lane_of_its_own_key(journal: Journal, named: Named) -> None:
    object_name, body = named
    key = identity.business_key(by_object(object_name), body)
    assert lane(journal, named) == journal.seal.digest(object_name, key)


def test_a_deal_that_others_have_made_has_one_lane_for_each_id_and_never_another_s(
    journal: Journal,
) -> None:
    lanes = [lane(journal, named) for named in (DEAL[1], DEAL[4], OTHERS[3], OTHERS[4])]
    assert len(set(lanes)) == len(lanes)
