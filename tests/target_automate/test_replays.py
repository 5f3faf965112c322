"""What a person may decide about a write, and when a later one of its key forbids it."""

from __future__ import annotations

import typing as t

import pytest
from support.intents import AT, new

from target_automate.journal.intents import Cause, State
from target_automate.push import replays
from target_automate.records.records import Records

if t.TYPE_CHECKING:
    from target_automate.journal.journal import Journal


def records(journal: Journal) -> Records:
    return Records(journal)


def refused(journal: Journal, **changes: t.Any) -> int:  # noqa: ANN401 - of any attribute
    facts: dict[str, t.Any] = {"state": State.REJECTED, "cause": Cause.REFUSED, "reason": "no"}
    return journal.add(new(**facts | changes), AT)


def test_a_replayed_write_is_judged_anew_under_a_new_key(journal: Journal) -> None:
    key = refused(journal)
    journal.change(key, State.REJECTED, AT, attempts=3, first_sent_at=AT, resolved="cust_1")
    assert replays.replay(journal, records(journal), [key], AT) == []
    intent = journal.get(key)
    assert (intent.state, intent.generation, intent.attempts) == (State.PLANNED, 1, 0)
    assert (intent.first_sent_at, intent.resolved, intent.reason) == (None, None, None)


def test_a_replayed_change_is_judged_by_what_the_dms_holds_now(journal: Journal) -> None:
    key = refused(journal, object="vehicle_prices", operation="update", cause=Cause.SUPERSEDED)
    guard = {"status": None, "updatedAt": "2026-09-21T12:00:00Z", "seen": "0"}
    journal.change(key, State.REJECTED, AT, attempts=1, guard=guard, resolved="veh_1")
    assert replays.replay(journal, records(journal), [key], AT) == []
    intent = journal.get(key)
    assert (intent.state, intent.guard, intent.resolved) == (State.PLANNED, None, None)
    assert (intent.attempts, intent.generation, intent.cause) == (0, 1, None)


def test_a_parked_change_is_sent_again_as_one_of_the_record_that_was_seen(
    journal: Journal,
) -> None:
    key = journal.add(new("vehicle_prices", "vin:1HG", state=State.PARKED), AT)
    guard = {"status": None, "updatedAt": "2026-09-21T12:00:00Z", "seen": "0"}
    journal.change(key, State.PARKED, AT, attempts=9, guard=guard, resolved="veh_1")
    assert replays.resend(journal, [key], AT) == []
    intent = journal.get(key)
    assert (intent.state, intent.guard, intent.look_up) == (State.PLANNED, guard, False)
    assert (intent.attempts, intent.generation, intent.first_sent_at) == (9, 1, None)


def test_a_step_is_not_taken_up_once_a_later_step_has_gone_out(journal: Journal) -> None:
    key = refused(journal, object="deal_statuses", operation="update", key="dealId:deal_1")
    later = {"sequence": 2, "content_hash": "b" * 64, "state": State.ACKED}
    journal.add(new("deal_statuses", "dealId:deal_1", **later), AT)
    (held,) = replays.replay(journal, records(journal), [key], AT)
    assert "out of date" in held.reason


def test_a_change_that_is_valid_now_gets_its_lane_and_parent(journal: Journal) -> None:
    deal = journal.add(new("deals", "web-1"), AT)
    record = {"deal_reference_id": "web-1", "status": "contracted"}
    key = refused(
        journal,
        object="deal_statuses",
        operation="update",
        key="dealReferenceId:web-1",
        cause=Cause.INVALID,
        payload=record,
        lane=b"another",
    )
    assert replays.replay(journal, records(journal), [key], AT) == []
    intent = journal.get(key)
    assert intent.lane == intent.parent == journal.get(deal).digest
    assert intent.payload == {"dealReferenceId": "web-1", "status": "contracted"}


@pytest.mark.parametrize("later", [State.ACKED, State.SENT, State.UNKNOWN, State.PARKED])
def test_a_write_is_not_taken_up_once_a_later_one_of_its_key_has_gone_out(
    journal: Journal, later: State
) -> None:
    key = refused(journal)
    journal.add(new(sequence=2, content_hash="b" * 64, state=later), AT)
    (held,) = replays.replay(journal, records(journal), [key], AT)
    assert held.id == key
    assert "out of date" in held.reason
    assert journal.get(key).state is State.REJECTED


@pytest.mark.parametrize("later", [State.PLANNED, State.REJECTED, State.DROPPED])
def test_a_later_write_that_has_not_gone_out_forbids_nothing(
    journal: Journal, later: State
) -> None:
    key = refused(journal)
    journal.add(new(sequence=2, content_hash="b" * 64, state=later), AT)
    assert replays.replay(journal, records(journal), [key], AT) == []
    assert journal.get(key).state is State.PLANNED


def test_two_parked_writes_of_a_key_are_sent_again_together_and_the_first_not_alone(
    journal: Journal,
) -> None:
    first = journal.add(new(state=State.PARKED), AT)
    second = journal.add(new(sequence=2, content_hash="b" * 64, state=State.PARKED), AT)
    (held,) = replays.resend(journal, [first], AT)
    assert held.id == first
    assert replays.resend(journal, [first, second], AT) == []
    assert {journal.get(key).state for key in (first, second)} == {State.PLANNED}


def test_a_create_is_looked_up_before_it_is_sent_again_and_keeps_its_key(journal: Journal) -> None:
    key = journal.add(new("deals", "ref-1", state=State.PARKED), AT)
    assert replays.resend(journal, [key], AT) == []
    intent = journal.get(key)
    assert (intent.state, intent.look_up, intent.generation) == (State.PLANNED, True, 0)


def test_an_upsert_is_sent_again_under_a_new_key(journal: Journal) -> None:
    key = journal.add(new(state=State.PARKED), AT)
    assert replays.resend(journal, [key], AT) == []
    intent = journal.get(key)
    assert (intent.state, intent.look_up, intent.generation) == (State.PLANNED, False, 1)


def test_a_record_that_is_still_invalid_stays_rejected_with_all_that_is_wrong(
    journal: Journal,
) -> None:
    record = {"externalId": "crm-1", "customerType": "vip", "dateOfBirth": "canary"}
    key = refused(journal, cause=Cause.INVALID, payload=record)
    (held,) = replays.replay(journal, records(journal), [key], AT)
    assert "customerType" in held.reason
    assert "dateOfBirth" in held.reason
    assert "canary" not in held.reason
    assert journal.get(key).state is State.REJECTED


def test_a_record_that_is_valid_now_is_planned_as_it_is_read_now(journal: Journal) -> None:
    record = {"external_id": "crm-1", "first_name": "Dana", "last_name": "Example"}
    key = refused(journal, cause=Cause.INVALID, payload=record)
    before = journal.get(key).content_hash
    assert replays.replay(journal, records(journal), [key], AT) == []
    intent = journal.get(key)
    assert intent.state is State.PLANNED
    assert intent.payload == {"externalId": "crm-1", "firstName": "Dana", "lastName": "Example"}
    assert intent.content_hash != before


def test_a_record_that_has_a_key_only_now_is_planned_under_it(journal: Journal) -> None:
    record = {"external_id": "crm-7", "first_name": "Dana", "last_name": "Example"}
    key = refused(journal, key="without a key: x", cause=Cause.INVALID, payload=record)
    assert replays.replay(journal, records(journal), [key], AT) == []
    assert journal.get(key).state is State.DROPPED
    newest = journal.newest("customers", journal.seal.digest("customers", "crm-7"))
    assert newest is not None
    assert newest.state is State.PLANNED


def test_what_a_person_has_found_or_dropped_is_settled(journal: Journal) -> None:
    one = journal.add(new("deals", "ref-1", state=State.PARKED), AT)
    other = journal.add(new("deals", "ref-2", state=State.PARKED), AT)
    replays.found(journal, one, "deal_1", AT, number="D-1")
    replays.drop(journal, [other], AT)
    rows = {row["id"]: row for row in journal.rows()}
    assert (rows[one]["state"], rows[one]["dms_id"], rows[one]["dms_number"]) == (
        "ACKED",
        "deal_1",
        "D-1",
    )
    assert rows[one]["matched_by"] == "person"
    assert (rows[other]["state"], rows[other]["reason"]) == ("DROPPED", "dropped by a person")
