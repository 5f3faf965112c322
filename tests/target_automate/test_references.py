"""Customers by the writer's own id: from the journal, then from the DMS, through merges."""

from __future__ import annotations

import typing as t

import pytest
from support.intents import AT, intent, new

from automate_api.errors import NotEntitledError
from target_automate.intents import OPEN, Cause, State
from target_automate.references import (
    MERGES,
    Found,
    Pending,
    References,
    Refused,
    Resolution,
    parent_digest,
)
from target_automate.sinks import by_object

if t.TYPE_CHECKING:
    from support.listing import Lists

    from target_automate.journal import Journal

REFERENCE = by_object("deals").reference
assert REFERENCE is not None
DEAL: t.Final = intent("deals", payload={"referenceId": "web-1", "customerExternalId": "crm-1"})


@pytest.fixture
def references(journal: Journal, lists: Lists) -> References:
    return References(journal, lists.lookup())


def customer(number: int, **changes: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - fields
    return {"customerId": f"cust_{number}", "externalId": f"crm-{number}", **changes}


def resolve(references: References) -> Resolution:
    assert REFERENCE is not None
    return references.resolve(DEAL, REFERENCE)


def resolve_again(references: References, **payload: str) -> Resolution:
    assert REFERENCE is not None
    return references.resolve_again(intent("deals", payload=payload or DEAL.payload), REFERENCE)


def keep(journal: Journal, state: State, sequence: int = 1, **columns: t.Any) -> int:  # noqa: ANN401 - columns
    number = journal.add(new(sequence=sequence, content_hash=str(sequence)), AT)
    journal.change(number, state, AT, **columns)
    return number


def test_the_dms_s_own_id_needs_no_question(references: References, lists: Lists) -> None:
    assert REFERENCE is not None
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


def test_a_login_that_may_not_read_customers_waits_for_them(
    references: References, lists: Lists
) -> None:
    lists.failure = NotEntitledError("GET /customers: no", status=403)
    pending = resolve(references)
    assert isinstance(pending, Pending)
    assert "cannot be looked up: GET /customers: no" in pending.reason


def test_the_digest_of_a_parent_is_that_of_the_customer_s_own_key(journal: Journal) -> None:
    assert REFERENCE is not None
    number = journal.add(new(key="crm-1"), AT)
    assert parent_digest(journal, REFERENCE, "crm-1") == journal.get(number).digest
