"""What came back for one request, decoded once, and which error it is when it is one.

Errors quote an answer's error code, field names and request id, and only when they look like what
they should be: a server's free text may repeat a customer's data.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import email.utils
import functools
import re
import typing as t
from http import HTTPStatus

from automate_api import exact_json
from automate_api.errors import (
    AutomateError,
    NotEntitledError,
    NotOfferedError,
    ProtocolError,
    RequestRefusedError,
    TryLaterError,
    UnreachableError,
)
from automate_api.retry import STATUSES, Trouble

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOT_OFFERED: t.Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED})

REPLAYED_HEADER: t.Final = "Idempotent-Replayed"
"""The field's usual name; the vendor promises keys and says nothing of their answers."""

LONGEST_SECONDS: t.Final = 1e9
"""Thirty years: what a server says beyond that, without end or beyond a float, means the same."""

_CODE: t.Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_FIELD: t.Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\[\]]{0,127}")
_CURRENT: t.Final = re.compile(r"[a-z][a-z_]{0,63}|-?[0-9][0-9T:.+Z-]{0,39}")
_REQUEST_ID: t.Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer, whatever its status.

    Attributes:
        status: HTTP status.
        body: The decoded JSON, numbers with a point as `Decimal` unless the request has a decoder
            of its own; None when there is none.
        is_json: Whether the body was JSON.
        content_type: As the server named it, for messages.
        date: The server's clock, from the `Date` header; None when it sent none.
        retry_after: Seconds that the server asks to wait, None when it does not.
        request_id: The server's id of the request.
        replayed: Whether the answer is that of an earlier request with the same idempotency key.
    """

    status: int
    body: t.Any = dataclasses.field(repr=False)
    is_json: bool
    content_type: str
    date: dt.datetime | None
    retry_after: float | None
    request_id: str | None
    replayed: bool = False

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def error_code(self) -> str | None:
        """`error.code` of the body, when it looks like one."""
        return _matching(_CODE, self._error.get("code"))

    @property
    def error_fields(self) -> list[str]:
        """The names in `error.details`, without their messages."""
        details = self._error.get("details")
        rows = details if isinstance(details, list) else []
        names = [row.get("field") for row in rows if isinstance(row, dict)]
        return [name for name in map(functools.partial(_matching, _FIELD), names) if name]

    @property
    def error_current(self) -> str | None:
        """What the DMS holds in the place of what it refuses: a status, a number or a time."""
        details = self._error.get("details")
        rows = details if isinstance(details, list) else []
        told = (str(row["current"]) for row in rows if isinstance(row, dict) and "current" in row)
        return next((found for value in told if (found := _matching(_CURRENT, value))), None)

    @property
    def _error(self) -> Mapping[str, t.Any]:
        error = self.body.get("error") if isinstance(self.body, dict) else None
        return error if isinstance(error, dict) else {}


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """No complete answer.

    Attributes:
        trouble: What kept it away.
        reason: The same for a user.
    """

    trouble: Trouble
    reason: str


def read(
    status: int,
    headers: Mapping[str, str],
    content: bytes,
    decode: Callable[[bytes], t.Any] | None = None,
) -> Reply | Failure:
    """Decode an answer that arrived.

    Args:
        status: HTTP status.
        headers: Its headers, found without regard to case.
        content: Its body.
        decode: Decodes the body of a success, raising `ValueError` when it is no JSON. To Python's
            own types unless given.

    Returns:
        The reply; a failure when a success says that it is JSON and is not, since then it is most
        likely cut short.
    """
    body: t.Any = None
    is_json = False
    if content:
        with contextlib.suppress(ValueError, ArithmeticError, RecursionError):
            is_success = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
            body = decode(content) if decode and is_success else exact_json.decode(content)
            is_json = True
    date = _instant(headers.get("Date"))
    request_id = headers.get("X-Request-Id")
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        request_id = body["error"].get("requestId") or request_id
    reply = Reply(
        status=status,
        body=body,
        is_json=is_json,
        content_type=headers.get("Content-Type", ""),
        date=date,
        retry_after=retry_after(headers.get("Retry-After"), date),
        request_id=_matching(_REQUEST_ID, request_id),
        replayed=headers.get(REPLAYED_HEADER, "").lower() == "true",
    )
    if reply.is_success and content and not is_json and "json" in reply.content_type:
        return Failure(Trouble.TRUNCATED, "the answer is not complete JSON")
    return reply


def retry_after(value: str | None, date: dt.datetime | None) -> float | None:
    """Read a `Retry-After` header (RFC 9110, 10.2.3).

    Args:
        value: Seconds or an HTTP date, None when there is no such header.
        date: The answer's own `Date`: both are the server's clock, so the difference holds whatever
            the clock of this machine says.

    Returns:
        Seconds to wait, at least 0; None when the header is missing, unreadable, or a date without
        `Date`.
    """
    if value is None:
        return None
    try:
        return min(max(0.0, float(int(value))), LONGEST_SECONDS)
    except OverflowError:
        return LONGEST_SECONDS
    except ValueError:
        until = _instant(value)
    if until is None or date is None:
        return None
    return max(0.0, (until - date).total_seconds())


def refusal(reply: Reply, call: str) -> AutomateError:
    """Make the error of an answer that is no success.

    Args:
        reply: What came, not 2xx, and not 401.
        call: Method and path, for the message.
    """
    status, request_id = reply.status, reply.request_id
    said = f"{call}: the DMS answered {status}{_explanation(reply)}"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        msg = f"{call}: expected an answer, got a redirect ({status}). Check `api_url`."
        return ProtocolError(msg, request_id=request_id)
    if status == HTTPStatus.FORBIDDEN:
        if not reply.is_json:
            msg = (
                f"{call}: expected the API's JSON, got 403 with {_kind(reply)}: most likely a "
                "proxy or firewall between here and the API. Have it let this machine through."
            )
            return ProtocolError(msg, request_id=request_id)
        msg = f"{said}: this login is not entitled to it; the dealer can change that."
        return NotEntitledError(msg, status=status, request_id=request_id)
    if status in NOT_OFFERED:
        msg = (
            f"{said}: this tenant does not offer it. Has it another path, name it in "
            "`contract_overlay` or `endpoints`; `automate-dms doctor` looks for it."
        )
        return NotOfferedError(msg, status=status, request_id=request_id)
    return RequestRefusedError(f"{said}.", status=status, request_id=request_id)


def unoffered(call: str) -> NotOfferedError:
    """Make the error of a request that is not sent, since the overlay says that it has no use.

    Args:
        call: Method and path, for the message.
    """
    msg = f"{call}: this tenant does not offer it, says `contract_overlay` (`offered: false`)."
    return NotOfferedError(msg, status=HTTPStatus.NOT_IMPLEMENTED)


def not_offered() -> Reply:
    """Make the answer of a tenant that does not offer a call, where the overlay says so."""
    return Reply(
        status=HTTPStatus.NOT_IMPLEMENTED,
        body={"error": {"code": "not_offered_by_contract_overlay"}},
        is_json=True,
        content_type="",
        date=None,
        retry_after=None,
        request_id=None,
    )


def unsuccessful(last: Reply | Failure, call: str, host: str, attempts: int) -> AutomateError:
    """Make the error of a request that was given up after its attempts.

    Args:
        last: What happened to the last attempt.
        call: Method and path, for the message.
        host: Of the API, for the message.
        attempts: How often it was sent.
    """
    times = "once" if attempts == 1 else f"{attempts} times"
    if isinstance(last, Reply):
        said = f"{call}: sent {times}, the DMS last answered {last.status}{_explanation(last)}"
        if STATUSES.get(last.status) is Trouble.BROKEN:
            msg = f"{said}. Give the vendor's support the request id."
            return RequestRefusedError(msg, status=last.status, request_id=last.request_id)
        return TryLaterError(f"{said}. Run again later.", request_id=last.request_id)
    if last.trouble is Trouble.TRUNCATED:
        msg = f"{call}: expected complete JSON, {last.reason}; sent {times}. Run again later."
        return ProtocolError(msg)
    msg = (
        f"{call}: {host} gave no answer ({last.reason}); tried {times}. Check `api_url` and the "
        "network, then run again."
    )
    return UnreachableError(msg)


def asks_too_long(reply: Reply, call: str, limit: float) -> TryLaterError:
    """Make the error of an API that asks to wait for longer than the settings allow.

    Args:
        reply: With `retry_after`.
        call: Method and path, for the message.
        limit: `max_wait_seconds`.
    """
    msg = (
        f"{call}: the DMS answered {reply.status} and asks to wait {reply.retry_after:.0f} s; "
        f"`max_wait_seconds` allows {limit:.0f}. Run again later."
    )
    return TryLaterError(msg, request_id=reply.request_id)


def not_json(reply: Reply, call: str) -> ProtocolError:
    """Make the error of a success whose body is something else than JSON."""
    msg = (
        f"{call}: expected JSON, got {_kind(reply)} with status {reply.status}. Check `api_url` "
        "and `integration_id`, and whether a proxy answers in the API's place."
    )
    return ProtocolError(msg, request_id=reply.request_id)


def _kind(reply: Reply) -> str:
    if "html" in reply.content_type:
        return "an HTML page"
    return "JSON" if reply.is_json else "a body that is not JSON"


def _explanation(reply: Reply) -> str:
    parts = [f"code {reply.error_code}"] if reply.error_code else []
    if reply.error_fields:
        parts.append(f"fields {', '.join(reply.error_fields)}")
    return f" ({'; '.join(parts)})" if parts else ""


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


@functools.lru_cache(maxsize=8)
def _instant(value: str | None) -> dt.datetime | None:
    if value is None:
        return None
    try:
        instant = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return instant.replace(tzinfo=dt.UTC) if instant.tzinfo is None else instant
