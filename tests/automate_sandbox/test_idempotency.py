"""Idempotency keys of a served sandbox: replayed, refused, in flight, forgotten, kept on disk."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from support.visitor import Visitor, error_of, serving, visiting

from automate_sandbox.idempotency import Kept, KeyRules, Keys, fingerprint_of, read_key
from automate_sandbox.instants import Clock
from automate_sandbox.problems import Problem

if t.TYPE_CHECKING:
    from pathlib import Path

    import requests
    from support.visitor import Shop

SMALL: t.Final = ("--vehicles", "30", "--days", "10", "--mfa-type", "none")

serial = itertools.count(1)


def new_key() -> str:
    return f"key-{next(serial)}"


def send(
    guest: Visitor, path: str, body: object, key: str, header: str = "Idempotency-Key"
) -> requests.Response:
    return guest.send("POST", path, json=body, headers={header: key})


def appointment(guest: Visitor) -> dict[str, t.Any]:
    customer = next(c for c in guest.all("/customers") if not c["mergedIntoCustomerId"])
    return {
        "customerId": customer["customerId"],
        "vin": "1M8GDM9AXKP042788",
        "appointmentTime": "2026-03-09T08:30:00-05:00",
    }


def bodies(guest: Visitor) -> dict[str, dict[str, t.Any]]:
    """A valid body for every write."""
    booking = appointment(guest)
    vehicle = guest.all("/vehicles", status="in_stock")[0]
    return {
        "/customers": {"firstName": "Kay", "lastName": "Key", "emails": ["kay@example.com"]},
        "/deals": {"customerId": booking["customerId"], "vehicle": {"vin": vehicle["vin"]}},
        "/service/appointments": booking,
    }


def writes(shop: Shop, since: int) -> list[dict[str, t.Any]]:
    """The accepted writes after a point of the history."""
    return [e for e in shop.control(f"history?since={since}") if e["stream"] is None]


@pytest.mark.parametrize("path", ["/customers", "/deals", "/service/appointments"])
def test_a_write_with_a_known_key_gets_its_first_answer_and_writes_nothing(
    shop: Shop, visitor: Visitor, path: str
) -> None:
    body, key = bodies(visitor)[path], new_key()
    first = send(visitor, path, body, key)
    length = shop.stats()["lastSeq"]
    again = send(visitor, path, body, f'"{key}"')
    assert first.ok
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert shop.stats()["lastSeq"] == length
    assert writes(shop, length - 1)[0]["write"]["idempotencyKey"] == key


def test_a_key_is_not_bound_to_the_order_of_fields(visitor: Visitor) -> None:
    body, key = appointment(visitor), new_key()
    send(visitor, "/service/appointments", body, key)
    turned = dict(reversed(body.items()))
    assert "Idempotent-Replayed" in send(visitor, "/service/appointments", turned, key).headers


def test_a_key_of_another_body_or_call_is_refused(shop: Shop, visitor: Visitor) -> None:
    body, key = appointment(visitor), new_key()
    assert send(visitor, "/service/appointments", body, key).ok
    length = shop.stats()["lastSeq"]
    for path, other in (
        ("/service/appointments", body | {"notes": "changed"}),
        ("/customers", {"externalId": "another-call"}),
    ):
        answer = send(visitor, path, other, key)
        assert answer.status_code == 422
        assert error_of(answer)["code"] == "idempotency_key_reused"
    assert shop.stats()["lastSeq"] == length


def test_a_refusal_is_not_kept(visitor: Visitor) -> None:
    body, key = appointment(visitor), new_key()
    refused = send(visitor, "/service/appointments", body | {"customerId": "cust_no"}, key)
    assert refused.status_code == 422
    taken = send(visitor, "/service/appointments", body, key)
    assert taken.status_code == 201
    assert "Idempotent-Replayed" not in taken.headers


@pytest.mark.parametrize("key", ["", '""', "k" * 256])
def test_a_key_that_is_none_is_refused(visitor: Visitor, key: str) -> None:
    answer = send(visitor, "/customers", {"externalId": "bad-key"}, key)
    assert answer.status_code == 400
    assert "idempotency key" in error_of(answer)["message"]


def test_the_answer_is_kept_through_a_fault_that_hides_it(shop: Shop, visitor: Visitor) -> None:
    body, key = appointment(visitor), new_key()
    shop.faults({"kind": "server_error", "status": 503, "when": "after", "count": 1})
    length = shop.stats()["lastSeq"]
    assert send(visitor, "/service/appointments", body, key).status_code == 503
    again = send(visitor, "/service/appointments", body, key)
    assert again.headers["Idempotent-Replayed"] == "true"
    (write,) = writes(shop, length)
    assert write["write"]["answer"] == again.json()


def test_a_key_is_forgotten_after_its_time_by_the_servers_clock(tmp_path: Path) -> None:
    with (
        serving(tmp_path, *SMALL, "--idempotency-seconds", "100") as served,
        visiting(served) as guest,
    ):
        body, key = appointment(guest), new_key()
        first = send(guest, "/service/appointments", body, key).json()
        served.pass_time(95)
        assert send(guest, "/service/appointments", body, key).json() == first
        served.pass_time(10)
        late = send(guest, "/service/appointments", body, key)
        assert late.json()["appointmentId"] != first["appointmentId"]
        assert served.stats()["keys"] == {"replayed": 1, "reused": 0, "in_flight": 0}


def test_a_server_may_ignore_keys_and_still_notes_them(tmp_path: Path) -> None:
    with serving(tmp_path, *SMALL, "--idempotency", "ignored") as served, visiting(served) as guest:
        body, key, length = appointment(guest), new_key(), served.stats()["lastSeq"]
        answers = [send(guest, "/service/appointments", body, key) for _ in range(2)]
        assert len({answer.json()["appointmentId"] for answer in answers}) == 2
        assert send(guest, "/customers", {"externalId": "x"}, key).ok
        assert [w["write"]["idempotencyKey"] for w in writes(served, length)] == [key] * 3


def test_the_header_may_have_another_name_and_a_replay_may_not_say_so(tmp_path: Path) -> None:
    options = ("--idempotency-header", "X-Request-Key", "--no-replay-header")
    with serving(tmp_path, *SMALL, *options) as served, visiting(served) as guest:
        body, key = appointment(guest), new_key()
        first, again = (
            send(guest, "/service/appointments", body, key, "X-Request-Key") for _ in range(2)
        )
        assert again.json() == first.json()
        assert "Idempotent-Replayed" not in again.headers
        other = send(guest, "/service/appointments", body, key)
        assert other.json() != first.json()


def test_keys_survive_a_killed_server(tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "world.db"), "--mfa-type", "none")
    body: dict[str, t.Any] = {}
    with serving(tmp_path, "--vehicles", "20", *store) as served, visiting(served) as guest:
        body = appointment(guest)
        first = send(guest, "/service/appointments", body, "kept").json()
        served.kill()
    with serving(tmp_path, *store) as served, visiting(served) as guest:
        again = send(guest, "/service/appointments", body, "kept")
        assert again.json() == first
        assert again.headers["Idempotent-Replayed"] == "true"
        reused = send(guest, "/service/appointments", body | {"notes": "x"}, "kept")
        assert error_of(reused)["code"] == "idempotency_key_reused"


def test_a_claimed_key_is_in_flight_until_it_is_kept_or_released() -> None:
    keys = Keys(KeyRules(), Clock())
    one, other = fingerprint_of("POST /deals", {"a": 1}), fingerprint_of("POST /deals", {"a": 2})
    for _ in range(2):
        assert keys.claim("k", one) is None
        with pytest.raises(Problem, match="still being carried out") as caught:
            keys.claim("k", one)
        assert (caught.value.status, caught.value.headers) == (409, {"Retry-After": "1"})
        with pytest.raises(Problem) as caught:
            keys.claim("k", other)
        assert caught.value.status == 422
        keys.release("k")
    assert keys.claim("k", one) is None
    kept = Kept(Clock().now(), one, 201, b"{}")
    keys.keep("k", kept)
    assert keys.claim("k", one) == kept
    assert keys.claim(None, one) is None


def test_a_key_in_quotes_is_the_key() -> None:
    assert read_key('"a-b"') == read_key(" a-b ") == "a-b"
    assert read_key('"') == '"'
    assert read_key(None) is None
