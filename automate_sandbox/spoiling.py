"""What faults make of an answer: instead of processing, or after it."""

from __future__ import annotations

import dataclasses
import typing as t
from email.utils import formatdate
from http import HTTPStatus

import msgspec

from automate_sandbox.answers import HTML_HEADER, JSON_HEADER, Answer
from automate_sandbox.idempotency import in_flight
from automate_sandbox.instants import SECOND
from automate_sandbox.money import Record, decode, encode
from automate_sandbox.problems import Problem

if t.TYPE_CHECKING:
    from automate_sandbox.faults import Rule

FUTURE_VALUE: t.Final = "beamed_up"
"""A status that no contract knows."""

IDS: t.Final = (
    "customerId",
    "dealId",
    "appointmentId",
    "repairOrderId",
    "vehicleId",
    "attachmentId",
    "operationId",
)
"""What the answer to a write names the record by."""

PAGE: t.Final = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
)


def instead(rule: Rule, request_id: str, now: int) -> Answer | None:
    """Make the answer that a fault gives without any processing.

    Args:
        rule: Of the fault.
        request_id: Of the request.
        now: Milliseconds since 1970.

    Returns:
        None when the request goes on.
    """
    if rule.fields.get("when", "before") != "before":
        return None
    if rule.kind == "html":
        return _page(rule)
    make = REFUSALS.get(rule.kind)
    return Answer.of_problem(make(rule.fields, now), request_id) if make else None


def spoil(rule: Rule, answer: Answer, request_id: str) -> Answer:
    """Let a fault change an answer that has been made."""
    kind, fields = rule.kind, rule.fields
    if kind == "server_error" and fields["when"] == "after":
        return Answer.of_problem(_server_error(fields, 0), request_id)
    if kind == "html" and fields["when"] == "after":
        return _page(rule)
    is_good = answer.status < HTTPStatus.MULTIPLE_CHOICES and JSON_HEADER in answer.headers
    if is_good and kind == "malformed" and fields["form"] in BREAKS:
        return dataclasses.replace(answer, body=BREAKS[fields["form"]](answer.body))
    content = _object(answer.body) if is_good and kind in CHANGES else None
    if content is None:
        return answer
    CHANGES[kind](content, fields)
    return dataclasses.replace(answer, body=encode(content))


def _object(body: bytes) -> Record | None:
    """Decode a body; None when another fault has left no object of it."""
    try:
        content = decode(body)
    except msgspec.DecodeError:
        return None
    return content if isinstance(content, dict) else None


def _page(rule: Rule) -> Answer:
    return Answer(int(rule.fields["status"]), [HTML_HEADER], PAGE)


def _rate_limit(fields: Record, now: int) -> Problem:
    seconds = int(fields["retry_after"])
    if fields["form"] == "http_date":
        # A date has whole seconds: the next one, lest the wait is shorter than asked for.
        value = formatdate(-(-now // SECOND) + seconds, usegmt=True)
    else:
        value = str(seconds)
    return Problem(429, "Too many requests.", headers={"retry-after": value})


def _server_error(fields: Record, _now: int) -> Problem:
    seconds = int(fields["retry_after"])
    headers = {"retry-after": str(seconds)} if seconds else {}
    return Problem(int(fields["status"]), "A fault of the sandbox.", headers=headers)


def _status(fields: Record, _now: int) -> Problem:
    return Problem(int(fields["status"]), "A fault of the sandbox.", fields["code"])


def _conflict(fields: Record, _now: int) -> Problem:
    if fields["form"] == "in_flight":
        return in_flight()
    return Problem(409, "There is such a record already.", "duplicate")


def _locked(_fields: Record, _now: int) -> Problem:
    return Problem(423, "An approval is missing.", "approval_pending")


REFUSALS: t.Final[dict[str, t.Callable[[Record, int], Problem]]] = {
    "rate_limit": _rate_limit,
    "server_error": _server_error,
    "status": _status,
    "conflict": _conflict,
    "locked": _locked,
}
"""Kind of fault to the error it answers with instead of processing."""


def _add_field(content: Record, _fields: Record) -> None:
    for record in content.get("items", [content]):
        record["fieldOfTomorrow"] = "unknown"


def _add_value(content: Record, _fields: Record) -> None:
    for record in content.get("items", [content]):
        if "status" in record:
            record["status"] = FUTURE_VALUE


def _make_text(content: Record, fields: Record) -> None:
    for record in content.get("items", [content]):
        if record.get(fields["field"]) is not None:
            record[fields["field"]] = f"{record[fields['field']]} USD"


def _lose_field(content: Record, fields: Record) -> None:
    for record in content.get("items", [content]):
        record.pop(fields["field"], None)


def _lose_id(content: Record, _fields: Record) -> None:
    for name in IDS:
        content.pop(name, None)


def _break_envelope(content: Record, fields: Record) -> None:
    if "items" not in content:
        return
    if fields["form"] == "no_total":
        del content["total"]
    elif fields["form"] == "text_total":
        content["total"] = "many"
    else:
        content["items"] = {str(index): item for index, item in enumerate(content["items"])}


BREAKS: t.Final[dict[str, t.Callable[[bytes], bytes]]] = {
    "truncated": lambda body: body[: len(body) // 2],
    "empty": lambda _body: b"",
    "array": lambda body: b"[" + body + b"]",
}
"""Form of a malformed answer to what it makes of any JSON."""

CHANGES: t.Final[dict[str, t.Callable[[Record, Record], None]]] = {
    "unknown_field": _add_field,
    "unknown_enum": _add_value,
    "text_field": _make_text,
    "lost_field": _lose_field,
    "lost_id": _lose_id,
    "malformed": _break_envelope,
}
"""Kind of fault to what it does to a decoded answer."""
