"""What the DMS has of a write settles it, and never two of them."""

from __future__ import annotations

import logging
import typing as t

import pytest
from support.clock import START, FakeClock
from support.intents import new

from automate_api.errors import NotOfferedError
from target_automate.checks.readback import ReadBack
from target_automate.journal.intents import State
from target_automate.sending.steps import Desk, Settled
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from support.listing import Lists

    from target_automate.journal.intents import Intent
    from target_automate.journal.journal import Journal

CUSTOMERS, DEALS = map(by_object, ("customers", "deals"))
BODY: t.Final = {"referenceId": "web-1", "customerId": "cust_1"}
DEAL: t.Final = {"dealId": "deal_1", "dealNumber": "D-1", "referenceId": "web-1"}


@pytest.fixture
def read_back(journal: Journal, lists: Lists) -> ReadBack:
    return ReadBack(Desk(journal, FakeClock()), lists.lookup())


def planned(journal: Journal, object_name: str = "deals", **columns: t.Any) -> Intent:  # noqa: ANN401 - columns
    number = journal.add(new(object_name, "web-1"), START)
    journal.change(number, State.UNKNOWN, START, **columns)
    return journal.get(number)


def test_a_create_that_is_there_is_settled_with_its_ids_before_it_is_sent(
    read_back: ReadBack, journal: Journal, lists: Lists
) -> None:
    intent = planned(journal)
    lists.records["deals"] = [DEAL]
    assert read_back.before_sending(intent, DEALS, BODY) == Settled(State.ACKED)
    kept = journal.get(intent.id)
    assert (kept.state, kept.dms_id) == (State.ACKED, "deal_1")
    (row,) = journal.rows()
    assert (row["dms_number"], row["matched_by"]) == ("D-1", "readBack")


def test_a_create_that_is_not_there_is_not_settled(read_back: ReadBack, journal: Journal) -> None:
    assert read_back.before_sending(planned(journal), DEALS, BODY) is None


def test_a_record_that_another_write_has_become_does_not_count(
    read_back: ReadBack, journal: Journal, lists: Lists
) -> None:
    other = journal.add(new("deals", "web-0"), START)
    journal.change(other, State.ACKED, START, dms_id="deal_1")
    intent = planned(journal)
    lists.records["deals"] = [DEAL]
    assert read_back.before_sending(intent, DEALS, BODY) is None
    assert read_back.after_sending(intent, DEALS, BODY) == "not found"


@pytest.mark.parametrize("sent", [True, False])
def test_two_records_of_its_key_park_it_and_are_told(
    read_back: ReadBack,
    journal: Journal,
    lists: Lists,
    caplog: pytest.LogCaptureFixture,
    *,
    sent: bool,
) -> None:
    intent = planned(journal)
    lists.records["deals"] = [DEAL, {**DEAL, "dealId": "deal_2"}]
    ask = read_back.after_sending if sent else read_back.before_sending
    assert ask(intent, DEALS, BODY) == Settled(State.PARKED)
    assert journal.get(intent.id).reason == "the DMS has 2 records of its key"
    (told,) = caplog.records
    assert told.levelno == logging.ERROR
    assert "web-1" not in told.getMessage()


def test_a_list_that_does_not_answer_is_told_once_and_holds_nothing_up(
    read_back: ReadBack, journal: Journal, lists: Lists, caplog: pytest.LogCaptureFixture
) -> None:
    intent = planned(journal)
    lists.failure = NotOfferedError("GET /deals: no", status=404)
    assert read_back.before_sending(intent, DEALS, BODY) is None
    assert read_back.before_sending(intent, DEALS, BODY) is None
    assert len(caplog.records) == 1
    assert read_back.after_sending(intent, DEALS, BODY) == "GET /deals: no"


def test_an_upsert_is_settled_only_by_what_it_says(
    read_back: ReadBack, journal: Journal, lists: Lists
) -> None:
    intent = planned(journal, "customers")
    body = {"externalId": "web-1", "notes": "B", "phones": [{"number": "+12025550143"}]}
    there = {"customerId": "cust_1", **body, "notes": "A", "source": "website"}
    lists.records["customers"] = [there]
    assert read_back.after_sending(intent, CUSTOMERS, body) == "not found"
    there["notes"] = "B"
    assert read_back.after_sending(intent, CUSTOMERS, body) == Settled(State.ACKED)
    assert journal.get(intent.id).dms_id == "cust_1"


def test_only_what_changed_since_it_was_first_sent_is_asked_for(
    read_back: ReadBack, journal: Journal, lists: Lists
) -> None:
    intent = planned(journal, first_sent_at=START - 60, sent_at=START - 1)
    read_back.after_sending(intent, DEALS, BODY)
    # 60 s and the margin of two minutes before the server's 14:13:40.
    assert lists.asked[0][1]["updatedFrom"] == "2026-09-21T14:10:40Z"
