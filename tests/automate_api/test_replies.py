from __future__ import annotations

import datetime as dt
import typing as t
from decimal import Decimal

import pytest
from requests.structures import CaseInsensitiveDict

from automate_api import replies
from automate_api.errors import (
    NotEntitledError,
    NotOfferedError,
    ProtocolError,
    RequestRefusedError,
)
from automate_api.replies import Failure, Reply
from automate_api.retry import Trouble

DATE: t.Final = "Mon, 21 Sep 2026 14:13:30 GMT"
JSON: t.Final = {"content-type": "application/json", "date": DATE}
NOW: t.Final = dt.datetime(2026, 9, 21, 14, 13, 30, tzinfo=dt.UTC)


def reply(status: int, content: bytes = b"{}", **headers: str) -> Reply:
    found = replies.read(status, CaseInsensitiveDict({**JSON, **headers}), content)
    assert isinstance(found, Reply)
    return found


def test_numbers_with_a_point_are_decimals() -> None:
    body = reply(200, b'{"rate": 0.0375, "price": 19999.10, "count": 3}').body
    assert body == {"rate": Decimal("0.0375"), "price": Decimal("19999.10"), "count": 3}
    assert str(body["price"]) == "19999.10"
    assert type(body["count"]) is int


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("Mon, 21 Sep 2026 14:15:00 GMT", 90.0),
        ("Mon, 21 Sep 2026 14:00:00 GMT", 0.0),
        ("9" * 400, replies.LONGEST_SECONDS),
        (f"Mon, {'9' * 20} Sep 2026 14:15:00 GMT", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_against_the_servers_own_clock(
    value: str | None, seconds: float | None
) -> None:
    assert replies.retry_after(value, NOW) == seconds


def test_a_retry_after_date_without_a_date_says_nothing() -> None:
    assert replies.retry_after("Mon, 21 Sep 2026 14:15:00 GMT", None) is None


@pytest.mark.parametrize(
    "content", [b'{"items": [', b'"\xff"', b"{'a': 1}", b"[" * 9999, b"[1e" + b"9" * 30 + b"]"]
)
def test_a_success_that_says_json_and_is_not_counts_as_cut_short(content: bytes) -> None:
    found = replies.read(200, CaseInsensitiveDict(JSON), content)
    assert isinstance(found, Failure)
    assert found.trouble is Trouble.TRUNCATED


def test_an_html_page_is_no_json_and_not_cut_short() -> None:
    found = reply(200, b"<html>", **{"content-type": "text/html"})
    assert not found.is_json


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ProtocolError),
        (400, RequestRefusedError),
        (403, NotEntitledError),
        (404, NotOfferedError),
        (409, RequestRefusedError),
        (422, RequestRefusedError),
        (423, RequestRefusedError),
        (501, NotOfferedError),
    ],
)
def test_a_status_becomes_the_error_by_what_can_be_done(
    status: int, kind: type[RequestRefusedError]
) -> None:
    error = replies.refusal(reply(status), "GET /deals")
    assert type(error) is kind
    assert str(error).startswith("GET /deals:")
    assert str(status) in str(error)


@pytest.mark.parametrize("status", [404, 501])
def test_what_is_not_offered_may_have_another_path_and_where_it_is_said_is_named(
    status: int,
) -> None:
    said = str(replies.refusal(reply(status), "GET /deals"))
    assert "name it in `contract_overlay` or `endpoints`; `automate-dms doctor` looks for" in said


def test_a_403_that_is_no_json_is_a_proxy_and_not_a_missing_entitlement() -> None:
    page = reply(403, b"<html>blocked", **{"content-type": "text/html"})
    error = replies.refusal(page, "GET /deals")
    assert isinstance(error, ProtocolError)
    assert "proxy or firewall" in str(error)


def test_an_error_tells_code_fields_and_request_id_and_nothing_of_the_record() -> None:
    content = (
        b'{"error": {"code": "invalid", "message": "Jane canary", "requestId": "req_77",'
        b' "details": [{"field": "address.city", "message": "canary"}, {"field": "can ary"}, 7]}}'
    )
    error = replies.refusal(reply(422, content), "POST /customers")
    assert "code invalid; fields address.city" in str(error)
    assert error.request_id == "req_77"
    assert "req_77" in str(error)
    assert "canary" not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"code": "Jane Doe, 1 Main St", "requestId": "a b\\n"}}',
        b'{"error": {"code": {"x": 1}, "details": {"field": "x"}, "requestId": 7}}',
        b'{"error": "canary"}',
        b'["canary"]',
        b"canary",
        b"",
    ],
)
def test_an_error_body_of_any_shape_is_survived_and_not_quoted(body: bytes) -> None:
    error = replies.refusal(reply(400, body), "GET /deals")
    assert str(error) == "GET /deals: the DMS answered 400."
    assert error.request_id is None


def test_the_request_id_may_come_as_a_header() -> None:
    assert reply(200, b"{}", **{"X-Request-ID": "abc-1"}).request_id == "abc-1"
