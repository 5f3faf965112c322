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
from automate_api.connections import NoAuth, Request
from automate_api.errors import (
    AuthenticationError,
    ConfigError,
    ProtocolError,
    RequestRefusedError,
)
from automate_api.login import Bearer
from automate_api.tenant.wire import Wire
from automate_api.transport import Stats, Transport

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from automate_api.config import ApiConfig
    from automate_api.replies import Failure, Reply
    from automate_api.session import Session

    _Outcome = t.TypeVar("_Outcome", Reply, Reply | Failure)


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A success.

    Attributes:
        body: Decoded JSON, numbers with a point as `Decimal` unless the caller has a decoder of its
            own; None when the answer is empty.
        server_time: The server's clock when it answered, UTC, whole seconds.
        request_id: The server's id of the request, None when it gave none.
    """

    body: t.Any = dataclasses.field(repr=False)
    server_time: dt.datetime
    request_id: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class ListBody:
    """What a decoder of the caller's makes of the body of a page.

    Attributes:
        items: The records, of whatever type the decoder makes.
        page: As in the body, and whole like the next two.
        page_size: `pageSize` of the body.
        total: As in the body.
    """

    items: list[t.Any] = dataclasses.field(repr=False)
    page: int
    page_size: int
    total: int


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Attributes:
        items: The records as they came, or as the caller's decoder makes them.
        page: Its number, from 1, as the server echoes it.
        page_size: Records on a full page, as the server echoes it, whatever was asked for.
        total: Records of the whole list when the page was made.
        server_time: The server's clock when it answered, UTC, whole seconds.
        request_id: The server's id of the request, None when it gave none.
    """

    items: list[t.Any] = dataclasses.field(repr=False)
    page: int
    page_size: int
    total: int
    server_time: dt.datetime
    request_id: str | None


class Client:
    """Requests on behalf of a session; safe to share between threads.

    Callers speak the contract: where the settings name an overlay, requests become the tenant's
    here, and answers the contract's.

    Args:
        config: Where to, how fast, how patiently, and what the tenant does otherwise.
        session: Gives the token; shared with others.
        stop: Ends every wait early, with `StoppedError`.
        clock: The time.
        chance: Random numbers in [0, 1), for jitter.
        watch: Shown the headers of every answer.
    """

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        config: ApiConfig,
        session: Session,
        *,
        stop: threading.Event | None = None,
        clock: Clock = SYSTEM_CLOCK,
        chance: Callable[[], float] = random.random,
        watch: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        self._session = session
        self._clock = clock
        self.follow(config)
        self._transport = Transport(
            config,
            cookies=session.cookies,
            stop=stop or threading.Event(),
            clock=clock,
            chance=chance,
            watch=watch,
        )

    def follow(self, config: ApiConfig) -> None:
        """Speak to the tenant by another overlay from now on, at the pace so far.

        Args:
            config: Of the same API, with the overlay.
        """
        self._wire = Wire(config.overlay, config.endpoints) if config.overlay else None

    @property
    def stats(self) -> Stats:
        """A copy of the counters; logins are not among them."""
        return self._transport.stats

    def get(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        *,
        decode: Callable[[bytes], t.Any] | None = None,
        concerning: str | None = None,
    ) -> Answer:
        """Read something.

        Args:
            path: As the contract (or `endpoints`) names it, from the slash on.
            params: The query.
            decode: Decodes the body of a success; raises `ValueError` when it is no JSON.
            concerning: Of an operation that is followed, the `operationId` of what was queued.

        Raises:
            NotEntitledError: 403.
            NotOfferedError: 404 or 501; or without a request, where the overlay says so.
            RequestRefusedError: Any other 4xx, or 500 each time.
            AuthenticationError: When the login is refused, or its token is refused twice.
            TryLaterError: When the API is busy for too long, or unreachable (`UnreachableError`).
            ProtocolError: When the answer is no JSON, is cut short each time, or has no `Date`.
            ConfigError: When TLS fails, or the session store cannot be used.
            StoppedError: When `stop` is set.
        """
        translated = self._wire.call("GET", path, concerning) if self._wire else None
        query = params or {}
        if translated:
            path, query = translated.path, translated.query(query)
        call = f"GET {path}"
        if translated and not translated.offered:
            raise replies.unoffered(call)
        own = translated.decoder(decode) if translated and decode else decode
        reply = self._with_token(
            lambda token: Request("GET", path, Bearer(token), query, decode=own),
            self._transport.send,
        )
        self._session.keep_cookies()
        if not reply.is_success:
            raise replies.refusal(reply, call)
        if not reply.is_json:
            raise replies.not_json(reply, call)
        if reply.date is None:
            msg = f"{call}: expected a `Date` header to tell new from old; there is none."
            raise ProtocolError(msg, request_id=reply.request_id)
        body = translated.answer(reply.body) if translated and not decode else reply.body
        return Answer(body, reply.date, reply.request_id)

    def attempt(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, t.Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply | Failure:
        """Send a write once; what the outcome means is the caller's to decide.

        A refused token is renewed and the write sent again: with 401 nothing was processed.

        Args:
            method: HTTP method.
            path: As the contract (or `endpoints`) names it, from the slash on.
            body: Sent as JSON, decimals as their digits; nothing is sent unless given.
            headers: Such as an idempotency key.

        Returns:
            The answer with whatever status but 401, or why there is none. Where the overlay says
            that the tenant does not offer the call, nothing is sent, and the answer is 501.

        Raises:
            AuthenticationError: When the login is refused, or its token is refused twice.
            TryLaterError: When another answer asked for a pause longer than `max_wait_seconds`.
            ConfigError: When TLS fails, at whatever moment, or the session store cannot be used.
            StoppedError: When `stop` is set; nothing was sent.
        """
        translated = self._wire.call(method, path) if self._wire else None
        if translated:
            if not translated.offered:
                return replies.not_offered()
            path, body = translated.path, translated.body(body)

        def request(token: str) -> Request:
            return Request(method, path, Bearer(token), body=body, headers=headers or {})

        outcome = self._with_token(request, self._transport.attempt)
        if translated and isinstance(outcome, replies.Reply):
            told = translated.answer(outcome.body, outcome.status)
            outcome = dataclasses.replace(outcome, body=told)
        # No outcome is lost to a session file that cannot be written: the next request says so.
        with contextlib.suppress(ConfigError):
            self._session.keep_cookies()
        return outcome

    def delay(self, call: str, outcome: Reply | Failure, *, attempts: int, budget: float) -> float:
        """Tell how long to wait before an attempted write is sent again.

        Args:
            call: Method and path, for messages.
            outcome: What the last attempt met; not a usable answer.
            attempts: How many attempts there were.
            budget: Seconds that may still be spent waiting.

        Returns:
            Seconds to wait.

        Raises:
            AutomateError: The error of the call, when there should be no further attempt.
        """
        return self._transport.delay(call, outcome, attempts=attempts, budget=budget)

    def list_page(
        self,
        path: str,
        params: Mapping[str, str | int],
        *,
        decode: Callable[[bytes], t.Any] | None = None,
    ) -> Page:
        """Read one page of a list.

        Args:
            path: The list, from the slash on.
            params: The query: filters, `page`, `pageSize`.
            decode: Decodes the body to a `ListBody`, or where it is no page, to any JSON; raises
                `ValueError` when it is none. Records are dicts unless given.

        Raises:
            ProtocolError: Also when the envelope is malformed.
            AutomateError: As `get`.
        """
        answer = self.get(path, params, decode=decode)
        found = answer.body if isinstance(answer.body, ListBody) else _list_body(answer.body)
        if found is None or min(found.page, found.total, found.page_size - 1) < 0:
            msg = (
                f"GET {path}: expected a page {{items: [object, ...], page, pageSize, total}} with "
                f"whole numbers, got {_shape(answer.body)}."
            )
            raise ProtocolError(msg, request_id=answer.request_id)
        return Page(
            found.items,
            found.page,
            found.page_size,
            found.total,
            answer.server_time,
            answer.request_id,
        )

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

    def _with_token(
        self, request: Callable[[str], Request], send: Callable[[Request], _Outcome]
    ) -> _Outcome:
        """Send a request with the session's token, and again with a new one after a 401.

        The session is renewed for it once. A token that another thread has got meanwhile does not
        count as that: many requests are under way when a session ends.
        """
        token = self._session.token()
        outcome = send(request(token))
        renewed = False
        while _is_refused(outcome):
            newest = self._session.token()
            if newest == token:
                if renewed:
                    break
                newest, renewed = self._session.renew(token), True
            token = newest
            outcome = send(request(token))
        if _is_refused(outcome):
            msg = (
                f"{request(token)}: the DMS refuses a token that it has just issued (401). Check "
                "whether something else logs in with this user, then run again."
            )
            raise AuthenticationError(msg, request_id=outcome.request_id)
        return outcome


def _is_refused(outcome: Reply | Failure) -> t.TypeGuard[Reply]:
    return isinstance(outcome, replies.Reply) and outcome.status == HTTPStatus.UNAUTHORIZED


def _list_body(body: object) -> ListBody | None:
    """Take the parts of a page out of its body, or return None when it is none."""
    if not isinstance(body, dict):
        return None
    items = body.get("items")
    numbers = [body.get(name) for name in ("page", "pageSize", "total")]
    if (
        not isinstance(items, list)
        or not all(isinstance(item, dict) for item in items)
        or not all(type(number) is int for number in numbers)
    ):
        return None
    return ListBody(items, *t.cast("list[int]", numbers))


def _shape(body: object) -> str:
    """Describe a body by types alone."""
    if isinstance(body, ListBody):
        return "numbers below zero, or pages without rows"
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
