"""Each fault as a client sees it, and rules that cannot be."""

from __future__ import annotations

import time
import typing as t
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests

from automate_sandbox.faults import FIELDS, Faults
from automate_sandbox.problems import Problem

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from support.visitor import Shop, Visitor

CUSTOMER: t.Final = {"externalId": "fault-1", "firstName": "Fay", "lastName": "Fault"}


def customers(shop: Shop) -> int:
    return sum(1 for record in shop.records("customers") if record["externalId"] == "fault-1")


def test_a_rate_limit_says_how_long_in_seconds_and_ends_with_its_count(
    shop: Shop, visitor: Visitor
) -> None:
    shop.faults(
        {"kind": "rate_limit", "match": {"path": "/vehicles*"}, "count": 2, "retry_after": 7}
    )
    answers = [visitor.get("/vehicles") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert answers[0].json()["error"]["code"] == "rate_limited"
    assert shop.stats()["faults"][0]["strikes"] == 2


def test_a_rate_limit_by_date_is_never_shorter_than_asked_for(shop: Shop, visitor: Visitor) -> None:
    shop.faults({"kind": "rate_limit", "form": "http_date", "retry_after": 5})
    answer = visitor.get("/vehicles")
    wait = parsedate_to_datetime(answer.headers["Retry-After"]) - parsedate_to_datetime(
        answer.headers["Date"]
    )
    assert timedelta(seconds=5) <= wait <= timedelta(seconds=6)


def test_a_fault_strikes_only_what_it_matches_after_what_it_skips(
    shop: Shop, visitor: Visitor
) -> None:
    shop.faults(
        {"kind": "status", "status": 403, "match": {"method": "get", "path": "/lots"}, "skip": 1}
    )
    assert visitor.get("/lots").ok
    assert visitor.get("/lots").status_code == 403
    assert visitor.get("/lots", page=2).status_code == 403
    assert visitor.get("/vehicles").ok
    shop.control("reset-faults", {})
    assert visitor.get("/lots").ok


@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
def test_a_server_error_before_or_after_the_write(
    shop: Shop, visitor: Visitor, when: str, stored: int
) -> None:
    before = customers(shop)
    shop.faults({"kind": "server_error", "status": 503, "when": when, "match": {"method": "POST"}})
    body = CUSTOMER | {"externalId": f"fault-{when}"}
    assert visitor.post("/customers", body).status_code == 503
    found = [r for r in shop.records("customers") if r["externalId"] == f"fault-{when}"]
    assert len(found) == stored
    assert customers(shop) == before


@pytest.mark.parametrize(
    ("when", "stored"), [("before", 0), ("unanswered", 1), ("during", 1), ("after", 1)]
)
def test_a_connection_is_cut_before_or_after_the_write(
    shop: Shop, visitor: Visitor, when: str, stored: int
) -> None:
    shop.faults({"kind": "cut", "when": when, "match": {"method": "POST"}, "count": 1})
    body = CUSTOMER | {"externalId": f"cut-{when}"}
    if when == "after":
        assert visitor.post("/customers", body).ok
    else:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            visitor.post("/customers", body)
    found = [r for r in shop.records("customers") if r["externalId"] == f"cut-{when}"]
    assert len(found) == stored
    assert visitor.get("/customers").ok, "the next connection works"


def test_a_cut_during_the_answer_leaves_half_of_it(shop: Shop, visitor: Visitor) -> None:
    shop.faults({"kind": "cut", "when": "during", "count": 1})
    answer = visitor.send("GET", "/vehicles", stream=True)
    announced = int(answer.headers["Content-Length"])
    sizes: list[int] = []
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        list(count(answer.iter_content(256), sizes))
    assert 0 < sum(sizes) < announced


def count(chunks: Iterable[bytes], sizes: list[int]) -> Iterator[bytes]:
    """Pass chunks on, and note how long each is."""
    for chunk in chunks:
        sizes.append(len(chunk))
        yield chunk


def test_an_expired_token_and_a_killed_session(shop: Shop, visitor: Visitor) -> None:
    shop.faults({"kind": "expired_token", "match": {"path": "/vehicles"}, "count": 1})
    answer = visitor.get("/vehicles")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "token_expired"
    visitor.login()
    shop.faults({"kind": "killed_session", "match": {"path": "/vehicles"}, "count": 1})
    assert visitor.get("/vehicles").json()["error"]["code"] == "invalid_token"
    visitor.login()
    assert visitor.get("/vehicles").ok
    assert shop.control("expire-tokens", {})["expired"] > 0
    assert visitor.get("/vehicles").status_code == 401


def test_a_web_page_instead_of_json(shop: Shop, visitor: Visitor) -> None:
    shop.faults({"kind": "html", "count": 1})
    answer = visitor.get("/vehicles")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html"
    assert "<html>" in answer.text


def test_a_field_of_records_becomes_text_or_is_gone(shop: Shop, visitor: Visitor) -> None:
    before = visitor.get("/vehicles").json()["items"]
    shop.faults({"kind": "text_field"}, {"kind": "lost_field", "field": "vin"})
    after = visitor.get("/vehicles").json()["items"]
    assert [vehicle["vehicleId"] for vehicle in before] == [v["vehicleId"] for v in after]
    assert all(vehicle["listPrice"].endswith(" USD") for vehicle in after)
    assert not any("vin" in vehicle for vehicle in after)
    assert "vin" in shop.records("vehicles")[0]


def test_unknown_fields_and_values_in_lists_and_details(shop: Shop, visitor: Visitor) -> None:
    key = visitor.get("/vehicles", pageSize=1).json()["items"][0]["vehicleId"]
    shop.faults({"kind": "unknown_field"}, {"kind": "unknown_enum"})
    for record in [
        *visitor.get("/vehicles").json()["items"],
        visitor.get(f"/vehicles/{key}").json(),
    ]:
        assert record["fieldOfTomorrow"] == "unknown"
        assert record["status"] not in {"in_stock", "retail_sold", "wholesale", "transit"}


@pytest.mark.parametrize("form", FIELDS["malformed"]["form"])
def test_a_malformed_envelope(shop: Shop, visitor: Visitor, form: str) -> None:
    whole = visitor.get("/vehicles", pageSize=2).json()
    shop.faults({"kind": "malformed", "form": form})
    answer = visitor.get("/vehicles", pageSize=2)
    if form in {"truncated", "empty"}:
        with pytest.raises(requests.exceptions.JSONDecodeError):
            answer.json()
        return
    if form == "array":
        assert answer.json() == [whole]
        return
    broken = answer.json()
    assert broken != whole
    if form == "no_total":
        assert "total" not in broken
    elif form == "text_total":
        assert isinstance(broken["total"], str)
    else:
        assert isinstance(broken["items"], dict)


def test_latency_is_waited_for(shop: Shop, visitor: Visitor) -> None:
    shop.faults({"kind": "latency", "milliseconds": 120})
    started = time.monotonic()
    assert visitor.get("/lots").ok
    assert time.monotonic() - started >= 0.12


def test_probability_follows_the_seed() -> None:
    def strikes() -> list[bool]:
        faults = Faults(3)
        faults.add([{"kind": "html", "probability": 0.5}])
        return [bool(faults.strike("GET", "/vehicles")) for _ in range(200)]

    assert strikes() == strikes()
    assert 60 < sum(strikes()) < 140


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({}, "kind"),
        ({"kind": "earthquake"}, "kind"),
        ({"kind": "latency", "seconds": 1}, "seconds"),
        ({"kind": "latency", "milliseconds": "1"}, "milliseconds"),
        ({"kind": "cut", "when": "never"}, "when"),
        ({"kind": "server_error", "status": 404}, "status"),
        ({"kind": "html", "match": {"host": "x"}}, "match"),
        ({"kind": "html", "probability": -1}, "probability"),
        ("html", "rules"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_field_and_no_rule_is_added(
    rule: t.Any,  # noqa: ANN401 - what a person may send
    field: str,
) -> None:
    faults = Faults(1)
    with pytest.raises(Problem) as caught:
        faults.add([{"kind": "html"}, rule])
    assert [detail["field"] for detail in caught.value.details] == [field]
    assert not faults.rules
