"""What the DMS has queued is asked for until it ends."""

from __future__ import annotations

import typing as t

import pytest
from support.listing import NOW

from automate_api.client import Answer, Client
from automate_api.errors import NotOfferedError
from target_automate.sending.operations import Operations
from target_automate.sending.outcomes import Kind
from target_automate.sinks.table import by_object

DEALS = by_object("deals")


class Answering:
    """A client with one answer."""

    def __init__(self, body: object) -> None:
        self.body = body
        self.asked: list[tuple[str, str]] = []

    def get(self, path: str, *, concerning: str) -> Answer:
        self.asked.append((path, concerning))
        if isinstance(self.body, Exception):
            raise self.body
        return Answer(self.body, NOW, "req_9")


def asked(body: object) -> tuple[Kind, str, str | None]:
    client = Answering(body)
    verdict = Operations(t.cast("Client", client)).ask("op_1", DEALS)
    assert client.asked == [("/operations/op_1", "createDeal")]
    return verdict.kind, verdict.reason, verdict.dms_id


def test_one_that_has_succeeded_brings_the_record_s_id() -> None:
    done = {"status": "succeeded", "result": {"dealId": "deal_1", "dealNumber": "D-1"}}
    assert asked(done) == (Kind.ACKED, "", "deal_1")


@pytest.mark.parametrize("result", [None, {}, {"customerId": "cust_1"}, []])
def test_one_that_has_succeeded_without_an_id_leaves_it_unknown(result: object) -> None:
    kind, _, _ = asked({"status": "succeeded", "result": result})
    assert kind is Kind.UNKNOWN


@pytest.mark.parametrize("status", ["queued", "running"])
def test_one_that_is_not_done_is_asked_for_again(status: str) -> None:
    assert asked({"status": status})[0] is Kind.ACCEPTED


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            {"code": "vehicle_sold", "message": "Quorndon"},
            "its operation failed, code vehicle_sold",
        ),
        ({"code": "Quorndon is sold"}, "its operation failed"),
        ("Quorndon", "its operation failed"),
        (None, "its operation failed"),
    ],
)
def test_one_that_has_failed_rejects_the_record_and_names_a_code_alone(
    error: object, reason: str
) -> None:
    assert asked({"status": "failed", "error": error}) == (Kind.REJECTED, reason, None)


@pytest.mark.parametrize(
    "body",
    [
        {"status": "cancelled"},
        {},
        [],
        None,
        NotOfferedError("GET /operations/op_1: not there", status=404),
    ],
    ids=str,
)
def test_one_of_which_nobody_knows_anything_leaves_it_unknown(body: object) -> None:
    assert asked(body)[0] is Kind.UNKNOWN


@pytest.mark.parametrize(
    ("object_name", "kind"),
    [("deal_statuses", Kind.CONFLICT), ("deals", Kind.REJECTED)],
)
def test_a_change_that_has_failed_over_what_the_dms_holds_is_to_be_judged_anew(
    object_name: str, kind: Kind
) -> None:
    detail = {"field": "expectedStatus", "message": "Quorndon", "current": "delivered"}
    error = {"code": "status_conflict", "details": [detail]}
    client = t.cast("Client", Answering({"status": "failed", "error": error}))
    verdict = Operations(client).ask("op_1", by_object(object_name))
    assert (verdict.kind, verdict.current) == (kind, "delivered")
    assert "Quorndon" not in verdict.reason


def test_one_that_has_failed_says_what_the_dms_holds() -> None:
    detail = {"field": "status", "message": "Quorndon", "current": "lost"}
    error = {"code": "status_not_allowed", "details": [detail]}
    reason = "its operation failed, code status_not_allowed, fields status, the DMS holds lost"
    assert asked({"status": "failed", "error": error}) == (Kind.REJECTED, reason, None)


def test_one_that_has_failed_for_want_of_an_approval_says_so() -> None:
    error = {"code": "approval_pending", "message": "Quorndon"}
    reason = "its operation failed, code approval_pending"
    assert asked({"status": "failed", "error": error}) == (Kind.APPROVAL, reason, None)


def test_a_change_that_has_succeeded_brings_the_version_that_it_made() -> None:
    result = {"dealId": "deal_1", "dealNumber": "D-1", "updatedAt": "2026-09-21T12:00:00Z"}
    client = t.cast("Client", Answering({"status": "succeeded", "result": result}))
    verdict = Operations(client).ask("op_1", by_object("deal_statuses"))
    assert (verdict.kind, verdict.version) == (Kind.ACKED, "2026-09-21T12:00:00Z")


def test_questions_come_less_often_the_longer_it_takes() -> None:
    operations = Operations(t.cast("Client", Answering(None)))
    waited, delays = 0.0, []
    while waited < 200:
        delays.append(operations.next_delay(waited))
        waited += delays[-1]
    assert delays[0] == operations.first_delay
    assert delays == sorted(delays)
    assert delays[-1] == operations.longest_delay
