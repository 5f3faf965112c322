"""Each row of the table of outcomes, from what came over the wire to what is known then."""

from __future__ import annotations

import json
import typing as t

import pytest

from automate_api import replies
from automate_api.retry import Trouble
from target_automate.sending.outcomes import UNPROCESSED, Kind, Verdict, judge
from target_automate.sinks.table import SINKS, by_object

if t.TYPE_CHECKING:
    from target_automate.sinks.declarations import SinkDeclaration

CUSTOMERS, DEALS, APPOINTMENTS = SINKS[:3]
JSON: t.Final = "application/json"
PRIVATE: t.Final = "Plantania Quorndon"


def reply(status: int, body: object = None, **headers: str) -> replies.Reply:
    """Read an answer as it comes over the wire."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    read = replies.read(status, {"Content-Type": JSON, **named}, content)
    assert isinstance(read, replies.Reply)
    return read


def refusal(status: int, code: str = "invalid", *fields: str, **headers: str) -> replies.Reply:
    details = [{"field": field, "message": PRIVATE} for field in fields]
    error = {"code": code, "message": PRIVATE, "details": details, "requestId": "req_7"}
    return reply(status, {"error": error}, **headers)


def verdict(
    outcome: replies.Reply | replies.Failure, object_name: str = "deals", *, honoured: bool = False
) -> Verdict:
    return judge(outcome, by_object(object_name), keys_honoured=honoured)


@pytest.mark.parametrize("honoured", [True, False])
@pytest.mark.parametrize("sink", SINKS, ids=lambda sink: sink.object)
@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (replies.Failure(Trouble.UNSENT, "connection refused"), Kind.NOT_SENT),
        (refusal(429, "rate_limited"), Kind.THROTTLED),
        (refusal(429, "rate_limited", retry_after="3"), Kind.THROTTLED),
        (replies.Failure(Trouble.CUT, "cut"), Kind.UNKNOWN),
        (replies.Failure(Trouble.TIMED_OUT, "late"), Kind.UNKNOWN),
        (replies.Failure(Trouble.TRUNCATED, "half"), Kind.UNKNOWN),
        (refusal(408, "timeout"), Kind.UNKNOWN),
        (refusal(500, "internal"), Kind.UNKNOWN),
        (refusal(502, "gateway"), Kind.UNKNOWN),
        (refusal(504, "gateway"), Kind.UNKNOWN),
        (refusal(507, "full"), Kind.UNKNOWN),
        (reply(502, b"<html>"), Kind.UNKNOWN),
        (reply(200, {"status": "upserted"}), Kind.UNKNOWN),
        (reply(200, []), Kind.UNKNOWN),
        (reply(200, b"", content_type="text/html"), Kind.UNKNOWN),
        (reply(200, b"<html>", content_type="text/html"), Kind.UNKNOWN),
        (reply(204, b""), Kind.UNKNOWN),
        (reply(202, {"status": "queued"}), Kind.UNKNOWN),
        (refusal(409, "idempotency_key_in_flight"), Kind.IN_FLIGHT),
        (refusal(409, "request_in_progress"), Kind.IN_FLIGHT),
        (refusal(409, "conflict", retry_after="1"), Kind.IN_FLIGHT),
        (refusal(403, "not_entitled"), Kind.CLOSED),
        (reply(403, b"<html>"), Kind.CLOSED),
        (refusal(405, "method_not_allowed"), Kind.CLOSED),
        (refusal(501, "not_offered"), Kind.CLOSED),
        (refusal(404, "path_not_found"), Kind.CLOSED),
        (reply(404, b"<html>"), Kind.CLOSED),
        (reply(400, b"bad request"), Kind.CLOSED),
        (reply(302, b""), Kind.CLOSED),
        (refusal(423, "approval_pending"), Kind.APPROVAL),
        (refusal(400, "invalid", "emails[0]"), Kind.REJECTED),
        (refusal(402), Kind.REJECTED),
        (refusal(413), Kind.REJECTED),
        (refusal(418), Kind.REJECTED),
        (refusal(422, "invalid", "vehicle.vin"), Kind.REJECTED),
        (refusal(404, "not_found", "salespersonId"), Kind.REJECTED),
        (reply(202, {"operationId": "op_1"}), Kind.ACCEPTED),
    ],
    ids=str,
)
def test_an_outcome_means_the_same_for_every_object(
    outcome: replies.Reply | replies.Failure, kind: Kind, sink: SinkDeclaration, *, honoured: bool
) -> None:
    assert judge(outcome, sink, keys_honoured=honoured).kind is kind


CHANGES: t.Final = [sink for sink in SINKS if sink.change]


@pytest.mark.parametrize("sink", SINKS, ids=lambda sink: sink.object)
@pytest.mark.parametrize(
    "outcome",
    [refusal(409, "duplicate"), refusal(409, "status_conflict", "expectedStatus"), reply(409, b"")],
    ids=str,
)
def test_a_conflict_is_a_second_one_of_a_create_and_another_state_for_a_change(
    outcome: replies.Reply, sink: SinkDeclaration
) -> None:
    kind = Kind.CONFLICT if sink.change else Kind.DUPLICATE
    assert judge(outcome, sink, keys_honoured=False).kind is kind


def conflict(current: object, field: str = "expectedStatus") -> replies.Reply:
    detail = {"field": field, "message": PRIVATE, "current": current}
    return reply(409, {"error": {"code": "status_conflict", "details": [detail]}})


@pytest.mark.parametrize("current", ["delivered", "2026-09-21T12:00:00Z", 27500, 27500.5])
def test_a_refusal_says_what_the_dms_holds(current: object) -> None:
    known = verdict(conflict(current), "deal_statuses")
    assert known.current == str(current)
    assert known.reason.endswith(f"fields expectedStatus, the DMS holds {current}")


@pytest.mark.parametrize(
    "current",
    [PRIVATE, "Dana", "dana@example.com", "+12025550143", "a" * 65, ["lost"], {"a": 1}, None, True],
    ids=str,
)
def test_what_the_dms_holds_is_not_told_when_it_may_be_anything(current: object) -> None:
    known = verdict(conflict(current), "deal_statuses")
    assert known.kind is Kind.CONFLICT
    assert known.current is None
    assert known.reason == "status 409, code status_conflict, fields expectedStatus"


@pytest.mark.parametrize("sink", CHANGES, ids=lambda sink: sink.object)
def test_the_version_that_a_change_made_comes_with_its_acknowledgement(
    sink: SinkDeclaration,
) -> None:
    body = {sink.id_field: "x_1", "updatedAt": "2026-09-21T12:00:00Z"}
    known = judge(reply(200, body), sink, keys_honoured=False)
    assert (known.kind, known.version) == (Kind.ACKED, "2026-09-21T12:00:00Z")
    odd = judge(reply(200, body | {"updatedAt": PRIVATE}), sink, keys_honoured=False)
    assert (odd.kind, odd.version) == (Kind.ACKED, None)


@pytest.mark.parametrize("sink", CHANGES, ids=lambda sink: sink.object)
def test_a_record_that_is_not_there_is_told_from_a_call_that_is_not(sink: SinkDeclaration) -> None:
    gone, no_call = refusal(404, "record_not_found"), refusal(404, "path_not_found")
    assert judge(gone, sink, keys_honoured=False).kind is Kind.PARENT_GONE
    assert judge(no_call, sink, keys_honoured=False).kind is Kind.CLOSED


def test_unavailable_is_a_refusal_only_where_keys_are_honoured() -> None:
    unavailable = refusal(503, "unavailable", retry_after="2")
    assert verdict(unavailable, honoured=True).kind is Kind.THROTTLED
    assert verdict(unavailable, honoured=False).kind is Kind.UNKNOWN


@pytest.mark.parametrize(
    "outcome",
    [
        refusal(404, "not_found"),
        refusal(404, "not_found", "customerId"),
        refusal(410, "gone"),
        refusal(410, "gone", "customerId"),
        refusal(422, "customer_merged", "customerId"),
        refusal(400, "invalid", "concern", "customerId"),
    ],
    ids=str,
)
def test_a_refusal_of_the_reference_is_told_from_one_of_the_record(
    outcome: replies.Reply,
) -> None:
    assert verdict(outcome, "deals").kind is Kind.PARENT_GONE
    assert verdict(outcome, "service_appointments").kind is Kind.PARENT_GONE
    assert verdict(outcome, "customers").kind is Kind.REJECTED


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("sink", SINKS, ids=lambda sink: sink.object)
def test_an_answer_with_an_id_acknowledges(sink: SinkDeclaration, status: int) -> None:
    body = {sink.id_field: "x_1", "operationId": "op_1", "matchedBy": "email"}
    numbers = {"dealNumber": "D-7", "roNumber": "R-7", "stockNumber": "S-7"}
    known = judge(reply(status, body | numbers), sink, keys_honoured=False)
    assert (known.kind, known.dms_id, known.matched_by) == (Kind.ACKED, "x_1", "email")
    assert known.dms_number == numbers.get(sink.number_field or "")


@pytest.mark.parametrize("odd", [None, "", 7, True, {"id": "x"}, "a b", "x" * 129, "<script>"])
def test_an_id_that_is_none_leaves_the_outcome_unknown(odd: object) -> None:
    assert verdict(reply(201, {"dealId": odd})).kind is Kind.UNKNOWN
    assert verdict(reply(202, {"operationId": odd})).kind is Kind.UNKNOWN


def test_an_odd_number_or_match_does_not_stand_in_the_way_of_the_id() -> None:
    known = verdict(reply(201, {"dealId": "d", "dealNumber": 128, "matchedBy": {"by": "name"}}))
    assert (known.kind, known.dms_number, known.matched_by) == (Kind.ACKED, None, None)


@pytest.mark.parametrize(
    ("outcome", "proof"),
    [
        (reply(201, {"dealId": "d"}, idempotent_replayed="true"), True),
        (reply(201, {"dealId": "d"}), False),
        (reply(202, {"operationId": "o"}, idempotent_replayed="true"), True),
        (refusal(409, "idempotency_key_in_flight"), True),
        (refusal(409, "duplicate_key"), False),
        (refusal(409, "concurrent_update", retry_after="1"), False),
        (refusal(409, "processing"), False),
        (refusal(429, "idempotency"), False),
        (replies.Failure(Trouble.CUT, "cut"), False),
    ],
    ids=str,
)
def test_only_an_answer_about_the_key_proves_that_keys_are_honoured(
    outcome: replies.Reply | replies.Failure, *, proof: bool
) -> None:
    assert verdict(outcome).proves_keys is proof


def test_only_outcomes_that_were_not_processed_may_be_taken_back() -> None:
    maybe = {Kind.UNKNOWN, Kind.IN_FLIGHT, Kind.DUPLICATE, Kind.ACCEPTED, Kind.ACKED}
    assert not UNPROCESSED & maybe


def test_a_reason_names_status_code_and_fields_and_no_text_of_the_server() -> None:
    known = verdict(refusal(422, "invalid", "vehicle.vin", "fees[0].amount"))
    assert known.reason == "status 422, code invalid, fields vehicle.vin, fees[0].amount"
    assert (known.status, known.request_id) == (422, "req_7")
    assert PRIVATE not in repr(known)
    odd = verdict(refusal(422, f"{PRIVATE} is wrong", PRIVATE))
    assert odd.reason == "status 422"
