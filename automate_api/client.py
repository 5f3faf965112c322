"""The only way to send a request to the API: a session's token, the retries, and typed outcomes."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import random
import threading
import typing as t
from http import HTTPStatus

from automate_api import replies
from automate_api.clock import SYSTEM_CLOCK, Clock
from automate_api.errors import AuthenticationError, ProtocolError, RequestRefusedError
from automate_api.login import Bearer
from automate_api.transport import NoAuth, Request, Stats, Transport

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from automate_api.config import ApiConfig
    from automate_api.replies import Reply
    from automate_api.session import Session


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A success.

    Attributes:
        body: Decoded JSON, numbers with a point as `Decimal`; None when the answer is empty.
        server_time: The server's clock when it answered, UTC, whole seconds.
        request_id: The server's id of the request, None when it gave none.
    """

    body: t.Any = dataclasses.field(repr=False)
    server_time: dt.datetime
    request_id: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Attributes:
        items: The records as they came.
        page: Its number, from 1, as the server echoes it.
        page_size: Records on a full page, as the server echoes it, whatever was asked for.
        total: Records of the whole list when the page was made.
        server_time: The server's clock when it answered, UTC, whole seconds.
        request_id: The server's id of the request, None when it gave none.
    """

    items: list[dict[str, t.Any]] = dataclasses.field(repr=False)
    page: int
    page_size: int
    total: int
    server_time: dt.datetime
    request_id: str | None


class Client:
    """Requests on behalf of a session; safe to share between threads.

    Args:
        config: Where to, how fast, how patiently.
        session: Gives the token; shared with others.
        stop: Ends every wait early, with `StoppedError`.
        clock: The time.
        chance: Random numbers in [0, 1), for jitter.
    """

    def __init__(
        self,
        config: ApiConfig,
        session: Session,
        *,
        stop: threading.Event | None = None,
        clock: Clock = SYSTEM_CLOCK,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._session = session
        self._clock = clock
        self._transport = Transport(
            config,
            cookies=session.cookies,
            stop=stop or threading.Event(),
            clock=clock,
            chance=chance,
        )

    @property
    def stats(self) -> Stats:
        """A copy of the counters; logins are not among them."""
        return self._transport.stats

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Answer:
        """Read something.

        Args:
            path: As the contract (or `endpoints`) names it, from the slash on.
            params: The query.

        Raises:
            NotEntitledError: 403.
            NotOfferedError: 404 or 501.
            RequestRefusedError: Any other 4xx, or 500 each time.
            AuthenticationError: When the login is refused, or its token is refused twice.
            TryLaterError: When the API is busy for too long, or unreachable (`UnreachableError`).
            ProtocolError: When the answer is no JSON, is cut short each time, or has no `Date`.
            ConfigError: When TLS fails, or the session store cannot be used.
            StoppedError: When `stop` is set.
        """
        call = f"GET {path}"
        reply = self._send("GET", path, params or {})
        if not reply.is_success:
            raise replies.refusal(reply, call)
        if not reply.is_json:
            raise replies.not_json(reply, call)
        if reply.date is None:
            msg = f"{call}: expected a `Date` header to tell new from old; there is none."
            raise ProtocolError(msg, request_id=reply.request_id)
        return Answer(reply.body, reply.date, reply.request_id)

    def list_page(self, path: str, params: Mapping[str, str | int]) -> Page:
        """Read one page of a list.

        Args:
            path: The list, from the slash on.
            params: The query: filters, `page`, `pageSize`.

        Raises:
            ProtocolError: Also when the envelope is malformed.
            AutomateError: As `get`.
        """
        answer = self.get(path, params)
        body = answer.body if isinstance(answer.body, dict) else {}
        items, numbers = (
            body.get("items"),
            [body.get(name) for name in ("page", "pageSize", "total")],
        )
        if (
            not isinstance(items, list)
            or not all(isinstance(item, dict) for item in items)
            or not all(type(number) is int and number >= 0 for number in numbers)
            or not numbers[1]
        ):
            msg = (
                f"GET {path}: expected a page {{items: [object, ...], page, pageSize, total}} with "
                f"whole numbers, got {_shape(answer.body)}."
            )
            raise ProtocolError(msg, request_id=answer.request_id)
        page, page_size, total = t.cast("list[int]", numbers)
        return Page(items, page, page_size, total, answer.server_time, answer.request_id)

    def server_time(self) -> dt.datetime:
        """Tell the server's clock, UTC, whole seconds, never ahead of it.

        From the last answer's `Date` and the time since; with one small request when there was
        none.

        Raises:
            ProtocolError: When the server sends no `Date`.
            AutomateError: As `get`, but for what a status means.
        """
        if self._transport.heard is None:
            with contextlib.suppress(RequestRefusedError):
                self._transport.send(Request("HEAD", "", NoAuth()))
        heard = self._transport.heard
        if heard is None:
            msg = "Expected a `Date` header, to tell new from old; the API sends none."
            raise ProtocolError(msg)
        date, at = heard
        return date + dt.timedelta(seconds=int(self._clock.monotonic() - at))

    def close(self) -> None:
        """Close the connections; the session stays."""
        self._transport.close()

    def _send(self, method: str, path: str, params: Mapping[str, str | int]) -> Reply:
        token = self._session.token()
        reply = self._transport.send(Request(method, path, Bearer(token), params))
        if reply.status == HTTPStatus.UNAUTHORIZED:
            token = self._session.renew(token)
            reply = self._transport.send(Request(method, path, Bearer(token), params))
        if reply.status == HTTPStatus.UNAUTHORIZED:
            msg = (
                f"{method} {path}: the DMS refuses a token that it has just issued (401). Check "
                "whether something else logs in with this user, then run again."
            )
            raise AuthenticationError(msg, request_id=reply.request_id)
        self._session.keep_cookies()
        return reply


def _shape(body: object) -> str:
    """Describe a body by types alone."""
    if not isinstance(body, dict):
        return type(body).__name__
    wanted = ("items", "page", "pageSize", "total")
    parts = [
        f"{name}: {type(body[name]).__name__ if name in body else 'missing'}" for name in wanted
    ]
    items = body.get("items")
    if isinstance(items, list) and not all(isinstance(item, dict) for item in items):
        odd = next(type(item).__name__ for item in items if not isinstance(item, dict))
        parts[0] = f"items: list with {odd}"
    return f"{{{', '.join(parts)}}}"
