"""Customers whom the DMS finds by name and contact may be other people."""

from __future__ import annotations

import logging
import typing as t

import pytest
from support.intents import AT, intent, new
from support.listing import Lists

from automate_api.errors import NotOfferedError
from target_automate.checks.matching import Matching
from target_automate.journal.intents import State

if t.TYPE_CHECKING:
    from target_automate.journal.journal import Journal

BODY: t.Final[dict[str, t.Any]] = {
    "externalId": "crm-1",
    "firstName": "Dana",
    "lastName": "Example",
    "emails": ["dana@example.com"],
    "phones": [{"type": "cell", "number": "+12025550143"}, {"type": "home"}],
}
THEIRS: t.Final = {**BODY, "customerId": "cust_7", "externalId": None}


def refusal(
    journal: Journal, lists: Lists, policy: str = "reject", object_name: str = "customers"
) -> str | None:
    return Matching(policy, journal, lists.lookup()).refuses(intent(object_name), BODY)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "email"),
        ({"emails": None}, "phone"),
        ({"firstName": " DANA ", "lastName": "example"}, "email"),
        ({"lastName": None}, "email"),
        ({"externalId": "crm-other"}, "email"),
    ],
)
def test_a_customer_whom_the_dms_would_take_for_another_is_refused_before_it_is_sent(
    journal: Journal, changes: dict[str, t.Any], field: str
) -> None:
    reason = refusal(journal, Lists(customers=[THEIRS | changes]))
    assert reason
    assert f"by name and {field} with cust_7" in reason
    assert "dana" not in reason.lower()


@pytest.mark.parametrize(
    "changes",
    [
        {"emails": ["other@example.com"], "phones": []},
        {"firstName": "Dan"},
        {"lastName": "Other"},
    ],
)
def test_somebody_else_with_the_same_name_or_contact_is_no_match(
    journal: Journal, changes: dict[str, t.Any]
) -> None:
    assert refusal(journal, Lists(customers=[THEIRS | changes])) is None


def test_one_whom_the_dms_knows_by_our_own_id_is_no_match_by_name(journal: Journal) -> None:
    lists = Lists(customers=[THEIRS, {**THEIRS, "customerId": "cust_1", "externalId": "crm-1"}])
    assert refusal(journal, lists) is None


def test_one_whom_we_have_written_before_is_not_asked_for(journal: Journal) -> None:
    journal.change(journal.add(new(), AT), State.ACKED, AT, dms_id="cust_1")
    lists = Lists(customers=[THEIRS])
    assert refusal(journal, lists) is None
    assert lists.asked == []


@pytest.mark.parametrize(
    ("policy", "object_name"),
    [("accept", "customers"), ("warn", "customers"), ("reject", "deals")],
)
def test_nobody_is_asked_for_where_the_policy_does_not_need_it(
    journal: Journal, policy: str, object_name: str
) -> None:
    lists = Lists(customers=[THEIRS])
    assert refusal(journal, lists, policy, object_name) is None
    assert lists.asked == []


def test_where_it_cannot_be_asked_the_promise_is_kept_by_refusing(journal: Journal) -> None:
    lists = Lists()
    lists.failure = NotOfferedError("GET /customers: no", status=404)
    assert "cannot be kept" in (refusal(journal, lists) or "")


@pytest.mark.parametrize(
    ("policy", "matched_by", "object_name", "warnings"),
    [
        ("warn", "nameAndContact", "customers", 1),
        ("warn", "email", "customers", 1),
        ("warn", "externalId", "customers", 0),
        ("warn", None, "customers", 0),
        ("warn", "nameAndContact", "deals", 0),
        ("accept", "nameAndContact", "customers", 0),
    ],
)
def test_a_match_by_name_is_told_once_it_has_happened(  # noqa: PLR0913, PLR0917 - a table
    journal: Journal,
    caplog: pytest.LogCaptureFixture,
    policy: str,
    matched_by: str | None,
    object_name: str,
    warnings: int,
) -> None:
    caplog.set_level(logging.WARNING)
    Matching(policy, journal, Lists().lookup()).note(intent(object_name), "cust_7", matched_by)
    assert len(caplog.records) == warnings
    assert all("cust_7" in record.getMessage() for record in caplog.records)
