"""Faults that a write meets: what was processed, what was answered, what its key says after."""

from __future__ import annotations

import itertools
import time
import typing as t

import pytest
import requests
from support.visitor import Visitor, error_of, serving, visiting

from automate_sandbox import contract_file

if t.TYPE_CHECKING:
    from pathlib import Path

    from support.visitor import Shop

CUT: t.Final = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)

serial = itertools.count(1)


def send(guest: Visitor, body: object, key: str, **options: t.Any) -> requests.Response:  # noqa: ANN401 - of requests
    headers = {"Idempotency-Key": key}
    return guest.send("POST", "/service/appointments", json=body, headers=headers, **options)


def strike(shop: Shop, kind: str, **fields: str | int) -> None:
    """Let a fault strike the next POST."""
    shop.faults({"kind": kind, "match": {"method": "POST"}, "count": 1, **fields})


@pytest.fixture
def booking(visitor: Visitor) -> dict[str, t.Any]:
    """An appointment that no other test books."""
    customer = next(c for c in visitor.all("/customers") if not c["mergedIntoCustomerId"])
    number = next(serial)
    return {
        "customerId": customer["customerId"],
        "vin": "1M8GDM9AXKP042788",
        "appointmentTime": f"2026-03-09T08:30:00.{number:03d}-05:00",
    }


def booked(shop: Shop, booking: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The appointments made from a body."""
    when = booking["appointmentTime"]
    return [r for r in shop.records("service_appointments") if r["appointmentTime"] == when]


def until(met: t.Callable[[], bool]) -> None:
    """Wait for what happens by itself."""
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def outcome(guest: Visitor, answer: requests.Response) -> dict[str, t.Any]:
    """Follow a queued write to its end."""
    path = f"/operations/{answer.json()['operationId']}"
    until(lambda: guest.get(path).json()["status"] in {"succeeded", "failed"})
    operation: dict[str, t.Any] = guest.get(path).json()
    assert contract_file.validator("Operation").is_valid(operation)
    return operation


@pytest.mark.parametrize("form", ["cut", "gateway", "none"])
def test_a_delayed_write_is_in_flight_until_it_is_carried_out(
    shop: Shop, visitor: Visitor, booking: dict[str, t.Any], form: str
) -> None:
    key = f"delayed-{form}"
    before = shop.stats()["keys"]["in_flight"]
    strike(shop, "delayed", answer=form, milliseconds=60_000)
    if form == "cut":
        with pytest.raises(CUT):
            send(visitor, booking, key)
    elif form == "none":
        url = f"{visitor.base}/service/appointments"
        headers = {"Authorization": f"Bearer {visitor.token}", "Idempotency-Key": key}
        with pytest.raises(requests.ReadTimeout):
            visitor.http.post(url, json=booking, headers=headers, timeout=0.5)
    else:
        answer = send(visitor, booking, key)
        assert (answer.status_code, error_of(answer)["code"]) == (504, "gateway_timeout")
    assert booked(shop, booking) == []
    early = send(visitor, booking, key)
    assert early.status_code == 409
    assert error_of(early)["code"] == "idempotency_key_in_flight"
    assert early.headers["Retry-After"] == "1"
    shop.pass_time(60)
    until(lambda: bool(booked(shop, booking)))
    late = send(visitor, booking, key)
    assert late.headers["Idempotent-Replayed"] == "true"
    (record,) = booked(shop, booking)
    assert late.json()["appointmentId"] == record["appointmentId"]
    assert shop.stats()["keys"]["in_flight"] == before + 1
    version, write = shop.control(f"history?since={shop.stats()['lastSeq'] - 2}")
    assert version["record"] == record
    assert write["write"]["answer"] == late.json()
    assert write["write"]["idempotencyKey"] == key
    assert write["requestId"] == version["requestId"]


def test_a_delayed_write_that_is_refused_frees_its_key(
    shop: Shop, visitor: Visitor, booking: dict[str, t.Any]
) -> None:
    strike(shop, "delayed", answer="gateway", milliseconds=1)
    bad = booking | {"customerId": "cust_no"}
    assert send(visitor, bad, "delayed-bad").status_code == 504
    until(lambda: send(visitor, booking, "delayed-bad").status_code == 201)
    assert len(booked(shop, booking)) == 1


@pytest.mark.parametrize("milliseconds", [0, 60])
def test_an_accepted_write_is_carried_out_and_told_by_its_operation(
    shop: Shop, visitor: Visitor, booking: dict[str, t.Any], milliseconds: int
) -> None:
    key, length = f"accepted-{milliseconds}", shop.stats()["lastSeq"]
    strike(shop, "accepted", milliseconds=milliseconds)
    answer = send(visitor, booking, key)
    assert answer.status_code == 202
    assert contract_file.validator("Accepted").is_valid(answer.json())
    again = send(visitor, booking, key)
    assert (again.status_code, again.json()) == (202, answer.json())
    operation = outcome(visitor, answer)
    (record,) = booked(shop, booking)
    assert operation["status"] == "succeeded"
    assert operation["result"]["appointmentId"] == record["appointmentId"]
    history = shop.control(f"history?since={length}")
    assert {entry["requestId"] for entry in history} == {answer.headers["X-Request-Id"]}
    accepted, version, write = history
    assert accepted["write"]["status"] == 202
    assert version["record"] == record
    assert write["write"]["operationId"] == answer.json()["operationId"]
    assert write["write"]["answer"] == operation["result"]


def test_an_accepted_write_is_queued_and_running_first(
    shop: Shop, visitor: Visitor, booking: dict[str, t.Any]
) -> None:
    strike(shop, "accepted", milliseconds=120_000)
    answer = send(visitor, booking, "slow")
    path = f"/operations/{answer.json()['operationId']}"
    assert visitor.get(path).json() == {
        "operationId": answer.json()["operationId"],
        "status": "queued",
        "result": None,
        "error": None,
    }
    shop.pass_time(60)
    until(lambda: visitor.get(path).json()["status"] == "running")
    assert booked(shop, booking) == []
    shop.pass_time(60)
    assert outcome(visitor, answer)["status"] == "succeeded"


def test_an_accepted_write_that_is_refused_fails_and_frees_its_key(
    shop: Shop, visitor: Visitor, booking: dict[str, t.Any]
) -> None:
    strike(shop, "accepted")
    answer = send(visitor, booking | {"customerId": "cust_no"}, "accepted-bad")
    operation = outcome(visitor, answer)
    assert operation["status"] == "failed"
    assert operation["error"]["details"][0]["field"] == "customerId"
    assert operation["error"]["requestId"] == answer.headers["X-Request-Id"]
    assert send(visitor, booking, "accepted-bad").status_code == 201


def test_a_body_that_breaks_the_contract_is_not_even_queued(shop: Shop, visitor: Visitor) -> None:
    strike(shop, "accepted")
    assert visitor.post("/service/appointments", {"vin": "x"}).status_code == 422


def test_no_operation_has_an_unknown_id(visitor: Visitor) -> None:
    assert error_of(visitor.get("/operations/op_none"))["code"] == "record_not_found"


def test_a_queued_write_survives_a_killed_server(tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "world.db"), "--mfa-type", "none")
    body: dict[str, t.Any] = {"externalId": "queued", "firstName": "Q"}
    keys = ("kept-queue", "kept-done", "kept-bad")
    answers = {}
    with serving(tmp_path, "--vehicles", "20", *store) as served, visiting(served) as guest:
        for key, path, content, milliseconds in (
            ("kept-queue", "/customers", body, 60_000),
            ("kept-done", "/customers", {"externalId": "done"}, 0),
            ("kept-bad", "/deals", {"customerId": "cust_no", "vehicle": {"vin": "v"}}, 0),
        ):
            strike(served, "accepted", milliseconds=milliseconds)
            headers = {"Idempotency-Key": key}
            answers[key] = guest.send("POST", path, json=content, headers=headers)
        ends = {key: outcome(guest, answers[key]) for key in keys[1:]}
        served.kill()
    with serving(tmp_path, *store) as served, visiting(served) as guest:
        first = outcome(guest, answers["kept-queue"])
        (customer,) = guest.all("/customers", externalId="queued")
        assert first["result"]["customerId"] == customer["customerId"]
        assert {key: outcome(guest, answers[key]) for key in keys[1:]} == ends
        for key, content in (("kept-queue", body), ("kept-done", {"externalId": "done"})):
            headers = {"Idempotency-Key": key}
            again = guest.send("POST", "/customers", json=content, headers=headers)
            assert again.json() == answers[key].json()
        headers = {"Idempotency-Key": "kept-bad"}
        freed = guest.send("POST", "/customers", json={"externalId": "other"}, headers=headers)
        assert freed.status_code == 200
        new = {entry["requestId"] for entry in served.control("history") if entry["requestId"]}
        assert len(new) == 4, "no request id comes again after a restart"


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        ({"kind": "conflict"}, (409, "idempotency_key_in_flight")),
        ({"kind": "conflict", "form": "duplicate"}, (409, "duplicate")),
        ({"kind": "locked"}, (423, "approval_pending")),
        ({"kind": "status", "status": 403}, (403, "not_entitled")),
        ({"kind": "status", "status": 410, "code": "gone_for_good"}, (410, "gone_for_good")),
        ({"kind": "rate_limit", "retry_after": 3}, (429, "rate_limited")),
        ({"kind": "server_error", "status": 503, "retry_after": 4}, (503, "unavailable")),
    ],
)
def test_a_refusal_by_fault_processes_nothing_and_says_why(
    shop: Shop,
    visitor: Visitor,
    booking: dict[str, t.Any],
    fault: dict[str, t.Any],
    refusal: tuple[int, str],
) -> None:
    status, code = refusal
    key = f"refused-{status}-{code}"
    shop.faults(fault | {"count": 1})
    answer = send(visitor, booking, key)
    assert (answer.status_code, error_of(answer)["code"]) == (status, code)
    waits = {"idempotency_key_in_flight": "1", "rate_limited": "3", "unavailable": "4"}
    assert answer.headers.get("Retry-After") == waits.get(code)
    assert booked(shop, booking) == []
    assert "Idempotent-Replayed" not in send(visitor, booking, key).headers


@pytest.mark.parametrize(
    ("fault", "stored"),
    [
        ({"kind": "cut", "when": "before"}, 0),
        ({"kind": "cut", "when": "unanswered"}, 1),
        ({"kind": "cut", "when": "during"}, 1),
        ({"kind": "cut", "when": "after"}, 1),
        ({"kind": "server_error", "when": "before"}, 0),
        ({"kind": "server_error", "when": "after"}, 1),
        ({"kind": "html", "when": "before"}, 0),
        ({"kind": "html", "when": "after"}, 1),
        ({"kind": "malformed", "form": "truncated"}, 1),
        ({"kind": "malformed", "form": "empty"}, 1),
        ({"kind": "malformed", "form": "array"}, 1),
        ({"kind": "lost_id"}, 1),
        ({"kind": "latency", "milliseconds": 5}, 1),
        ({"kind": "unknown_field"}, 1),
        ({"kind": "unknown_enum"}, 1),
        ({"kind": "text_field", "field": "firstName"}, 1),
        ({"kind": "lost_field", "field": "firstName"}, 1),
        ({"kind": "expired_token"}, 0),
        ({"kind": "killed_session"}, 0),
    ],
)
def test_after_any_fault_the_same_key_gives_the_one_appointment(
    shop: Shop, visitor: Visitor, booking: dict[str, t.Any], fault: dict[str, t.Any], stored: int
) -> None:
    key = "-".join(map(str, fault.values()))
    shop.faults(fault | {"match": {"method": "POST"}, "count": 1})
    try:
        first = send(visitor, booking, key)
    except CUT:
        first = None
    assert len(booked(shop, booking)) == stored
    if fault["kind"] == "lost_id":
        assert first is not None
        assert set(first.json()) == {"status", "department", "createdAt"}
    if fault["kind"] in {"expired_token", "killed_session"}:
        visitor.login()
    again = send(visitor, booking, key)
    assert ("Idempotent-Replayed" in again.headers) == bool(stored)
    (record,) = booked(shop, booking)
    assert again.json()["appointmentId"] == record["appointmentId"]


def test_a_client_that_gives_up_waiting_has_written_all_the_same(
    shop: Shop, visitor: Visitor, booking: dict[str, t.Any]
) -> None:
    strike(shop, "latency", milliseconds=700)
    url = f"{visitor.base}/service/appointments"
    with pytest.raises(requests.ReadTimeout):
        visitor.http.post(
            url, json=booking, headers={"Authorization": f"Bearer {visitor.token}"}, timeout=0.5
        )
    until(lambda: len(booked(shop, booking)) == 1)


@pytest.mark.parametrize("form", ["array", "truncated", "empty"])
def test_a_fault_leaves_an_answer_alone_that_another_has_broken(
    shop: Shop, visitor: Visitor, booking: dict[str, t.Any], form: str
) -> None:
    strike(shop, "malformed", form=form)
    strike(shop, "unknown_field")
    answer = send(visitor, booking, f"broken-{form}")
    assert answer.status_code == 201
    assert "fieldOfTomorrow" not in answer.text
