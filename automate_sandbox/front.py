"""What every request passes: request id, clock, statistics, faults, one way to answer errors."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import time
import typing as t
from email.utils import formatdate
from http import HTTPStatus

from starlette.exceptions import HTTPException

from automate_sandbox.instants import SECOND
from automate_sandbox.money import Record, decode, encode
from automate_sandbox.problems import Problem
from automate_sandbox.sessions import bearer
from automate_sandbox.transport import connection

if t.TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from automate_sandbox.api import Api
    from automate_sandbox.faults import Rule
    from automate_sandbox.sandbox import Sandbox

CONTROL: t.Final = "/__sandbox__"
FUTURE_VALUE: t.Final = "beamed_up"
"""A status that no contract knows."""

PAGE: t.Final = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
)

logger = logging.getLogger(__name__)


@dataclasses.dataclass
class Answer:
    """A whole answer, before it is sent."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @classmethod
    def of_problem(cls, problem: Problem, request_id: str) -> Answer:
        """Make the error envelope."""
        headers = [
            (name.lower().encode(), value.encode()) for name, value in problem.headers.items()
        ]
        return cls(problem.status, [*headers, JSON_HEADER], problem.body(request_id))


JSON_HEADER: t.Final = (b"content-type", b"application/json")


class Front:
    """The ASGI application.

    Attributes:
        last_request: When the last request ended, by the monotonic clock.
        in_flight: Requests that are being answered.
    """

    def __init__(self, sandbox: Sandbox, api: Api, control: ASGIApp) -> None:
        """Put the API and its control side by side.

        Args:
            sandbox: What they act on.
            api: The API's own paths.
            control: The paths below `/__sandbox__`.
        """
        self._sandbox = sandbox
        self._api = api
        self._control = control
        self._prefix = f"/integrations/{sandbox.rules.integration_id}"
        self._ids = itertools.count(1)
        self.last_request = time.monotonic()
        self.in_flight = 0

    def idle_seconds(self, now: float) -> float:
        """Tell how long nobody has asked for anything; 0 while a request is being answered.

        Args:
            now: By the monotonic clock.
        """
        return 0.0 if self.in_flight else now - self.last_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        self.in_flight += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            self.in_flight -= 1
            self.last_request = time.monotonic()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = scope["request_id"] = f"req_{next(self._ids):08x}"
        scope["app"] = self
        path: str = scope["path"]
        if path.startswith(CONTROL + "/"):
            answer = await self._run(self._control, scope, receive)
            await self._send(answer, request_id, scope, send)
            return
        method, path = scope["method"], path.removeprefix(self._prefix)
        self._sandbox.requests[f"{method} {self._template(path)}"] += 1
        strikes = self._sandbox.faults.strike(method, path)
        if self._sandbox.rules.latency:
            await asyncio.sleep(self._sandbox.rules.latency / 1000)
        answer_or_none = await self._before(strikes, scope, request_id)
        if any(rule.kind == "cut" and rule.fields["when"] == "before" for rule in strikes):
            await _cut(scope, receive)
            return
        answer = answer_or_none or await self._run(self._api.router, scope, receive)
        for rule in strikes:
            answer = _spoil(rule, answer, request_id)
        when = next((rule.fields["when"] for rule in strikes if rule.kind == "cut"), "")
        if when == "unanswered":
            await _cut(scope, receive)
        else:
            await self._send(answer, request_id, scope, send, half=when == "during")
            if when in {"during", "after"}:
                await _cut(scope, receive, written=True)

    def _template(self, path: str) -> str:
        """Name a path without its id, so that requests can be counted by what they ask for."""
        if path in self._api.paths:
            return path
        base = path.rsplit("/", 1)[0]
        return f"{base}/{{id}}" if f"{base}/{{id}}" in self._api.paths else path

    async def _run(self, app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
        """Run an application to its whole answer."""
        answer = Answer(500, [], b"")

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.headers = message["status"], list(message["headers"])
            else:
                answer.body += message.get("body", b"")

        try:
            await app(scope, receive, collect)
        except Problem as problem:
            return Answer.of_problem(problem, scope["request_id"])
        except HTTPException as error:
            refusal = Problem(error.status_code, error.detail, headers=error.headers or {})
            return Answer.of_problem(refusal, scope["request_id"])
        except Exception:
            logger.exception("%s %s failed", scope["method"], self._template(scope["path"]))
            failure = Problem(500, "The sandbox failed; its log has the reason.")
            return Answer.of_problem(failure, scope["request_id"])
        return answer

    async def _before(self, strikes: list[Rule], scope: Scope, request_id: str) -> Answer | None:
        """Let faults strike that come before the request is looked at; they may answer it."""
        for rule in strikes:
            fields = rule.fields
            if rule.kind == "latency":
                await asyncio.sleep(float(fields["milliseconds"]) / 1000)
            elif rule.kind == "expired_token":
                self._expire_token(scope)
            elif rule.kind == "killed_session":
                self._sandbox.sessions.kill_all()
            elif rule.kind == "rate_limit":
                return Answer.of_problem(self._rate_limit(rule), request_id)
            elif rule.kind == "status" or (
                rule.kind == "server_error" and fields["when"] == "before"
            ):
                problem = Problem(int(fields["status"]), "A fault of the sandbox.")
                return Answer.of_problem(problem, request_id)
            elif rule.kind == "html":
                return Answer(int(fields["status"]), [(b"content-type", b"text/html")], PAGE)
        return None

    def _rate_limit(self, rule: Rule) -> Problem:
        seconds = int(rule.fields["retry_after"])
        if rule.fields["form"] == "http_date":
            # A date has whole seconds: the next one, lest the wait is shorter than asked for.
            at = -(-self._sandbox.clock.now() // SECOND) + seconds
            value = formatdate(at, usegmt=True)
        else:
            value = str(seconds)
        return Problem(429, "Too many requests.", headers={"retry-after": value})

    def _expire_token(self, scope: Scope) -> None:
        for name, value in scope["headers"]:
            if name == b"authorization" and value.lower().startswith(b"bearer"):
                self._sandbox.sessions.expire(bearer(value.decode("latin-1")))

    async def _send(
        self, answer: Answer, request_id: str, scope: Scope, send: Send, *, half: bool = False
    ) -> None:
        headers = [(name, value) for name, value in answer.headers if name != b"content-length"]
        headers += [
            (b"content-length", b"%d" % len(answer.body)),
            (b"date", formatdate(self._sandbox.clock.now() // SECOND, usegmt=True).encode()),
            (b"x-request-id", request_id.encode()),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        body = answer.body[: len(answer.body) // 2] if half else answer.body
        if scope["method"] == "HEAD":
            body = b""
        await send({"type": "http.response.body", "body": body, "more_body": half})


async def _cut(scope: Scope, receive: Receive, *, written: bool = False) -> None:
    """End the connection, and wait until the server has seen it."""
    transport = connection(scope)
    if transport is None:
        return
    if written:
        transport.close()
    else:
        transport.abort()
    while not written and (await receive())["type"] != "http.disconnect":
        pass


def _spoil(rule: Rule, answer: Answer, request_id: str) -> Answer:
    """Let a fault change an answer that has been made."""
    if rule.kind == "server_error" and rule.fields["when"] == "after":
        problem = Problem(int(rule.fields["status"]), "A fault of the sandbox.")
        return Answer.of_problem(problem, request_id)
    is_good = answer.status < HTTPStatus.MULTIPLE_CHOICES
    if not is_good or JSON_HEADER not in answer.headers or rule.kind not in SPOILERS:
        return answer
    if rule.kind == "malformed" and rule.fields["form"] == "truncated":
        return dataclasses.replace(answer, body=answer.body[: len(answer.body) // 2])
    content = decode(answer.body)
    SPOILERS[rule.kind](content, rule.fields)
    return dataclasses.replace(answer, body=encode(content))


def _add_field(content: Record, _fields: Record) -> None:
    for record in content.get("items", [content]):
        record["fieldOfTomorrow"] = "unknown"


def _add_value(content: Record, _fields: Record) -> None:
    for record in content.get("items", [content]):
        if "status" in record:
            record["status"] = FUTURE_VALUE


def _break_envelope(content: Record, fields: Record) -> None:
    if "items" not in content:
        return
    if fields["form"] == "no_total":
        del content["total"]
    elif fields["form"] == "text_total":
        content["total"] = "many"
    else:
        content["items"] = {str(index): item for index, item in enumerate(content["items"])}


SPOILERS: t.Final[dict[str, t.Callable[[Record, Record], None]]] = {
    "unknown_field": _add_field,
    "unknown_enum": _add_value,
    "malformed": _break_envelope,
}
"""Kind of fault to what it does to a decoded answer."""
