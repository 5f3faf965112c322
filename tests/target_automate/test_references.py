"""Records by the writer's own id: from the journal, then from the DMS, through merges."""

from __future__ import annotations

import typing as t

import pytest
from support.intents import AT, intent, new

from automate_api.errors import NotEntitledError, NotOfferedError, RequestRefusedError
from target_automate.checks.references import (
    MERGES,
    Found,
    Pending,
    References,
    Refused,
    Resolution,
    parent_of,
)
from target_automate.journal.intents import OPEN, Cause, State
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from support.listing import Lists

    from target_automate.journal.journal import Journal

DEALS, STATUSES, PRICES, CHANGES, ORDERS = map(
    by_object,
    (
        "deals",
        "deal_statuses",
        "vehicle_prices",
        "appointment_changes",
        "repair_orders",
    ),
)
(REFERENCE,) = DEALS.references
DEAL: t.Final = intent("deals", payload={"referenceId": "web-1", "customerExternalId": "crm-1"})


@pytest.fixture
def references(journal: Journal, lists: Lists) -> References:
    return References(journal, lists.lookup())


def customer(number: int, **changes: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - fields
    return {"customerId": f"cust_{number}", "externalId": f"crm-{number}", **changes}


def resolve(references: References) -> Resolution:
    return references.resolve(DEAL, REFERENCE)


def resolve_again(references: References, **payload: str) -> Resolution:
    return references.resolve_again(intent("deals", payload=payload or DEAL.payload), REFERENCE)


def keep(journal: Journal, state: State, sequence: int = 1, **columns: t.Any) -> int:  # noqa: ANN401 - columns
    number = journal.add(new(sequence=sequence, content_hash=str(sequence)), AT)
    journal.change(number, state, AT, **columns)
    return number


def test_the_dms_s_own_id_needs_no_question(references: References, lists: Lists) -> None:
    given = intent("deals", payload={"customerId": "cust_9", "customerExternalId": "crm-1"})
    assert references.resolve(given, REFERENCE) == Found("cust_9")
    assert lists.asked == []


@pytest.mark.parametrize("state", sorted(OPEN | {State.PARKED}))
def test_a_customer_that_is_on_its_way_is_waited_for(
    references: References, journal: Journal, lists: Lists, state: State
) -> None:
    keep(journal, state)
    lists.records["customers"] = [customer(1)]
    assert resolve(references) == Pending(f"its customer is {state}")
    assert lists.asked == []


@pytest.mark.parametrize("state", [State.PLANNED, State.SENT, State.UNKNOWN])
def test_a_change_of_a_customer_that_is_under_way_is_waited_for(
    references: References, journal: Journal, state: State
) -> None:
    keep(journal, State.ACKED, dms_id="cust_1")
    keep(journal, state, 2)
    assert resolve(references) == Pending(f"its customer is {state}")


@pytest.mark.parametrize("state", [State.WAITING_APPROVAL, State.PARKED])
def test_a_change_of_a_customer_that_waits_for_a_person_holds_nobody_up(
    references: References, journal: Journal, state: State
) -> None:
    keep(journal, State.ACKED, dms_id="cust_1")
    keep(journal, state, 2)
    assert resolve(references) == Found("cust_1")


def test_a_customer_that_is_in_the_dms_is_found_in_the_journal(
    references: References, journal: Journal, lists: Lists
) -> None:
    keep(journal, State.ACKED, dms_id="cust_1")
    assert resolve(references) == Found("cust_1")
    assert lists.asked == []


def test_a_customer_whose_first_record_is_rejected_is_refused_with_the_reason(
    references: References, journal: Journal
) -> None:
    keep(journal, State.REJECTED, cause=Cause.INVALID)
    assert resolve(references) == Refused("its customer is rejected (invalid)")


def test_a_customer_whose_later_change_is_rejected_is_there_all_the_same(
    references: References, journal: Journal
) -> None:
    keep(journal, State.ACKED, dms_id="cust_1")
    keep(journal, State.REJECTED, 2, cause=Cause.REFUSED)
    assert resolve(references) == Found("cust_1")


def test_a_customer_that_somebody_else_wrote_is_asked_for_once(
    references: References, lists: Lists
) -> None:
    lists.records["customers"] = [customer(1), customer(2)]
    assert resolve(references) == Found("cust_1")
    assert resolve(references) == Found("cust_1")
    assert len(lists.asked) == 1


def test_a_customer_that_nobody_knows_is_asked_for_each_time(
    references: References, lists: Lists
) -> None:
    assert isinstance(resolve(references), Pending)
    lists.records["customers"] = [customer(1)]
    assert resolve(references) == Found("cust_1")


def test_two_customers_of_the_same_id_are_refused(references: References, lists: Lists) -> None:
    lists.records["customers"] = [customer(1), customer(2, externalId="crm-1")]
    assert resolve(references) == Refused("the DMS has 2 records of its customer")


def test_two_customers_of_the_same_id_that_were_merged_are_one(
    references: References, lists: Lists
) -> None:
    lists.records["customers"] = [
        customer(1, mergedIntoCustomerId="cust_2"),
        customer(2, externalId="crm-1"),
    ]
    assert resolve(references) == Found("cust_2")


def test_merges_are_followed_to_the_customer_that_is_left(
    references: References, lists: Lists
) -> None:
    lists.records["customers"] = [
        customer(1, mergedIntoCustomerId="cust_2"),
        customer(2, mergedIntoCustomerId="cust_3"),
        customer(3),
    ]
    assert resolve(references) == Found("cust_3")
    assert resolve_again(references, customerId="cust_1") == Found("cust_3")


@pytest.mark.parametrize("ends_at", ["cust_1", "cust_404"])
def test_a_circle_of_merges_and_one_into_nobody_end(
    references: References, lists: Lists, ends_at: str
) -> None:
    lists.records["customers"] = [customer(1, mergedIntoCustomerId=ends_at)]
    assert isinstance(resolve(references), Pending)
    assert len(lists.asked) <= MERGES + 1


def test_a_customer_that_is_refused_is_asked_for_anew_and_remembered(
    references: References, journal: Journal, lists: Lists
) -> None:
    keep(journal, State.ACKED, dms_id="cust_1")
    lists.records["customers"] = [customer(1, mergedIntoCustomerId="cust_2"), customer(2)]
    assert resolve(references) == Found("cust_1")
    assert resolve_again(references) == Found("cust_2")
    assert resolve(references) == Found("cust_2")


def test_a_customer_that_is_gone_is_not_found_again(references: References) -> None:
    assert isinstance(resolve_again(references, customerId="cust_1"), Pending)
    assert isinstance(resolve_again(references), Pending)


@pytest.mark.parametrize("error", [NotEntitledError, NotOfferedError])
def test_what_refers_to_a_customer_that_cannot_be_read_waits(
    references: References, lists: Lists, error: type[RequestRefusedError]
) -> None:
    lists.failure = error("GET /customers: no", status=501)
    pending = resolve(references)
    assert isinstance(pending, Pending)
    assert "cannot be looked up: GET /customers: no" in pending.reason


def test_that_records_wait_for_a_list_that_is_not_there_is_said_once_for_each_object(
    references: References, lists: Lists, caplog: pytest.LogCaptureFixture
) -> None:
    lists.failure = NotOfferedError("GET /customers: no", status=404)
    for _ in range(2):
        resolve(references)
        references.resolve(
            intent("service_appointments", payload={"customerExternalId": "crm-2"}), REFERENCE
        )
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", f"{name} wait, since their customer cannot be looked up: GET /customers: no")
        for name in ("deals", "service_appointments")
    ]


@pytest.mark.parametrize(
    ("object_name", "payload", "founder"),
    [
        ("deals", {"customerExternalId": "crm-1"}, "customers"),
        ("service_appointments", {"customerExternalId": "crm-1"}, "customers"),
        ("deal_statuses", {"dealReferenceId": "crm-1"}, "deals"),
        ("deal_terms", {"dealReferenceId": "crm-1"}, "deals"),
        ("appointment_changes", {"appointmentExternalId": "crm-1"}, "service_appointments"),
        ("repair_orders", {"appointmentExternalId": "crm-1"}, "service_appointments"),
        ("repair_orders", {"customerExternalId": "crm-1", "vin": "1HG"}, "customers"),
        ("repair_order_statuses", {"repairOrderExternalId": "crm-1"}, "repair_orders"),
        ("repair_order_inspections", {"repairOrderExternalId": "crm-1"}, "repair_orders"),
        ("attachments", {"dealReferenceId": "crm-1"}, "deals"),
        ("attachments", {"repairOrderExternalId": "crm-1"}, "repair_orders"),
    ],
)
def test_the_parent_of_a_record_is_what_is_written_under_the_key_that_it_names(
    journal: Journal, object_name: str, payload: dict[str, str], founder: str
) -> None:
    number = journal.add(new(founder, "crm-1"), AT)
    assert parent_of(journal, by_object(object_name), payload) == journal.get(number).digest


@pytest.mark.parametrize(
    ("object_name", "payload"),
    [
        ("deals", {"customerId": "cust_1"}),
        ("deals", {"customerId": "cust_1", "customerExternalId": "crm-1"}),
        ("deal_statuses", {"dealId": "deal_1"}),
        ("vehicle_prices", {"vin": "1HG"}),
        ("customers", {"externalId": "crm-1"}),
    ],
)
def test_what_names_the_dms_s_id_or_what_nobody_writes_has_no_parent(
    journal: Journal, object_name: str, payload: dict[str, str]
) -> None:
    assert parent_of(journal, by_object(object_name), payload) is None


def test_a_deal_that_another_system_entered_is_found_by_its_reference(
    references: References, lists: Lists
) -> None:
    lists.records["deals"] = [{"dealId": "deal_1", "referenceId": "web-1", "status": "pending"}]
    step = intent("deal_statuses", payload={"dealReferenceId": "web-1"})
    assert references.resolve(step, STATUSES.references[0]) == Found("deal_1")


def test_a_deal_that_stands_is_meant_and_not_a_lost_one_of_the_same_reference(
    references: References, lists: Lists
) -> None:
    lists.records["deals"] = [
        {"dealId": "deal_1", "referenceId": "web-1", "status": "lost"},
        {"dealId": "deal_2", "referenceId": "web-1", "status": "penciled"},
    ]
    step = intent("deal_statuses", payload={"dealReferenceId": "web-1"})
    assert references.resolve(step, STATUSES.references[0]) == Found("deal_2")
    lists.records["deals"].pop()
    references = References(references._journal, lists.lookup())  # noqa: SLF001 - one that remembers nothing
    assert references.resolve(step, STATUSES.references[0]) == Found("deal_1")


@pytest.mark.parametrize("vin", ["1HGCM82633A004352", "1hgcm82633a004352"])
def test_a_vehicle_is_found_by_its_vin_in_either_case(
    references: References, lists: Lists, vin: str
) -> None:
    lists.records["vehicles"] = [{"vehicleId": "veh_1", "vin": "1HGCM82633A004352"}]
    price = intent("vehicle_prices", payload={"vin": vin, "salePrice": 1})
    assert references.resolve(price, PRICES.references[0]) == Found("veh_1")


def test_two_vehicles_of_a_vin_are_not_guessed_at(references: References, lists: Lists) -> None:
    lists.records["vehicles"] = [
        {"vehicleId": f"veh_{number}", "vin": "1HG"} for number in range(2)
    ]
    price = intent("vehicle_prices", payload={"vin": "1HG", "salePrice": 1})
    assert references.resolve(price, PRICES.references[0]) == Refused(
        "the DMS has 2 records of its vehicle"
    )


def test_an_appointment_that_others_have_booked_cannot_be_found_by_their_id(
    references: References, lists: Lists, caplog: pytest.LogCaptureFixture
) -> None:
    change = intent("appointment_changes", payload={"appointmentExternalId": "bk-1"})
    pending = references.resolve(change, CHANGES.references[0])
    assert pending == Pending(
        "its appointment cannot be looked up: the API finds no appointment by externalId"
    )
    assert lists.asked == []
    assert caplog.records == []


@pytest.mark.parametrize("state", [State.WAITING_APPROVAL, State.PARKED])
def test_a_change_waits_for_a_record_that_is_not_there_before_a_person_has_decided(
    references: References, journal: Journal, state: State
) -> None:
    number = journal.add(new("deals", "web-1"), AT)
    journal.change(number, state, AT)
    step = intent("deal_statuses", payload={"dealReferenceId": "web-1"})
    assert references.resolve(step, STATUSES.references[0]) == Pending(f"its deal is {state}")


def test_an_order_names_its_appointment_before_its_customer() -> None:
    both = {"appointmentExternalId": "bk-1", "customerId": "cust_1", "vin": "1HG"}
    found = ORDERS.reference_in(both)
    assert found is not None
    assert found.field == "appointmentId"
