"""What every request passes: request id, clock, statistics, faults, one way to answer errors."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
import typing as t
from email.utils import formatdate
from http import HTTPStatus

from starlette.exceptions import HTTPException

from automate_sandbox.answers import Answer
from automate_sandbox.downloads import Download, Downloads, Faulty
from automate_sandbox.instants import SECOND
from automate_sandbox.links import PREFIX
from automate_sandbox.problems import Problem
from automate_sandbox.sessions import bearer
from automate_sandbox.spoiling import instead, spoil
from automate_sandbox.tenants.edge import Edge
from automate_sandbox.transport import connection
from automate_sandbox.uploads import PATH as UPLOADS
from automate_sandbox.uploads import drained
from automate_sandbox.writing import Handling

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from automate_sandbox.api import Api
    from automate_sandbox.faults import Rule
    from automate_sandbox.sandbox import Sandbox
    from automate_sandbox.tenants.edge import Way

CONTROL: t.Final = "/__sandbox__"
BOUNDS: t.Final = (b"updatedFrom=", b"updatedTo=")

logger = logging.getLogger(__name__)


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
        self._downloads = Downloads(sandbox)
        self._prefix = f"/integrations/{sandbox.rules.integration_id}"
        # A store outlives this process; its request ids must not come again.
        self._run_id = secrets.token_hex(4)
        self._ids = itertools.count(1)
        self._late: set[asyncio.Task[Answer]] = set()
        tenant = sandbox.rules.tenant
        self._edge = Edge(tenant, self._prefix, sandbox.operations.call_of) if tenant else None
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
        request_id = scope["request_id"] = f"req_{self._run_id}{next(self._ids):06x}"
        scope["app"] = self
        path: str = scope["path"]
        if path.startswith(CONTROL + "/"):
            said = await self._run(self._control, scope, receive)
            await self._send(said, scope, send)
            return
        # Once the body is here the request is processed, whether or not the client waits for it.
        # Files are too large to be here: what they are answered is decided on while they come.
        body = b"" if path.startswith(UPLOADS + "/") else await _whole(receive)
        if body is None:
            return
        way, body = self._edge.enter(scope, body) if self._edge else (None, body)
        method, path = scope["method"], scope["path"].removeprefix(self._prefix)
        call = f"{method} {self._template(path)}"
        self._sandbox.requests[call] += 1
        strikes = self._sandbox.faults.strike(method, path)
        if self._sandbox.rules.latency:
            await asyncio.sleep(self._sandbox.rules.latency / 1000)
        refusal = await self._before(strikes, scope, request_id)
        cut = next((rule.fields["when"] for rule in strikes if rule.kind == "cut"), "")
        if cut == "before":
            await _cut(scope, receive)
            return
        answer = await self._process(refusal, strikes, scope, receive, body)
        if answer is None:
            return
        answer = self._finish(answer, strikes, way, request_id)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            self._sandbox.refusals[f"{call} {answer.status}"] += 1
        if cut == "unanswered":
            await _cut(scope, receive)
            return
        await self._send(answer, scope, send, strikes)
        if cut in {"during", "after"}:
            await _cut(scope, receive, written=True)

    async def _process(
        self,
        refusal: Answer | None,
        strikes: list[Rule],
        scope: Scope,
        receive: Receive,
        body: bytes,
    ) -> Answer | Download | None:
        """Make the answer; None when the connection has ended without one."""
        path: str = scope["path"]
        if path.startswith(UPLOADS + "/"):
            if refusal:
                return refusal if await drained(receive) else None
            rows = self._sandbox.ledger.tables["attachments"].rows
            return await self._sandbox.uploads.take(scope, receive, strikes, rows.__contains__)
        if path.startswith(PREFIX + "/"):
            return refusal or self._downloads.answer(scope, strikes)
        return refusal or await self._call(strikes, scope, receive, body)

    async def _call(
        self, strikes: list[Rule], scope: Scope, receive: Receive, body: bytes
    ) -> Answer | None:
        """Let the API answer; None when the connection has ended without an answer."""
        delayed = next((rule for rule in strikes if rule.kind == "delayed"), None)
        if delayed:
            return await self._delay(delayed, scope, receive, body)
        return await self._run(self._api.router, scope, _again(body, receive))

    async def _delay(
        self, rule: Rule, scope: Scope, receive: Receive, body: bytes
    ) -> Answer | None:
        """Let a request be processed later than it is answered, as behind an impatient proxy.

        Returns:
            The proxy's answer; None when the connection has ended without one.
        """
        late = {**scope, "handling": Handling(float(rule.fields["milliseconds"]))}
        run = self._run(self._api.router, late, _again(body, receive))
        task = asyncio.get_running_loop().create_task(run)
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        # It takes its idempotency key before the client can send the next request.
        await asyncio.sleep(0)
        form = rule.fields["answer"]
        if form == "gateway":
            problem = Problem(504, "The server took too long.")
            return Answer.of_problem(problem, scope["request_id"])
        if form == "cut":
            await _cut(scope, receive)
        else:
            await _until_gone(receive)
        return None

    def _finish(
        self, answer: Answer | Download, strikes: list[Rule], way: Way | None, request_id: str
    ) -> Answer | Download:
        """Let faults change an answer, and give it the tenant's names."""
        for rule in strikes:
            answer = _spoiled(rule, answer, request_id)
        if self._edge and way and isinstance(answer, Answer):
            return self._edge.leave(way, answer)
        return answer

    def _template(self, path: str) -> str:
        """Name a path without its id, so that requests can be counted by what they ask for."""
        if path.startswith(PREFIX + "/"):
            return f"{PREFIX}/{path.split('/')[2]}/{{id}}"
        if path in self._api.paths:
            return path
        parts = path.split("/")
        named = ("/".join([*parts[:n], "{id}", *parts[n + 1 :]]) for n in range(1, len(parts)))
        return next((name for name in named if name in self._api.paths), path)

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
        if scope["path"].startswith(PREFIX + "/"):
            # Whatever becomes of the request: its credentials have come.
            is_upload = scope["path"].startswith(UPLOADS + "/")
            (self._sandbox.uploads if is_upload else self._downloads).count(scope)
        for rule in strikes:
            if rule.kind == "latency":
                await asyncio.sleep(float(rule.fields["milliseconds"]) / 1000)
            elif rule.kind == "expired_token":
                self._expire_token(scope)
            elif rule.kind == "killed_session":
                self._sandbox.sessions.kill_all()
            elif rule.kind == "ignored_bounds":
                scope["query_string"] = _without_bounds(scope["query_string"])
            elif rule.kind in {"accepted", "failed_operation"}:
                scope["handling"] = Handling(
                    float(rule.fields["milliseconds"]),
                    queued=True,
                    fails=rule.kind == "failed_operation",
                )
            else:
                answer = instead(rule, request_id, self._sandbox.clock.now())
                if answer:
                    return answer
        return None

    def _expire_token(self, scope: Scope) -> None:
        for name, value in scope["headers"]:
            if name == b"authorization" and value.lower().startswith(b"bearer"):
                self._sandbox.sessions.expire(bearer(value.decode("latin-1")))

    async def _send(
        self, answer: Answer | Download, scope: Scope, send: Send, strikes: Sequence[Rule] = ()
    ) -> None:
        faulty = Faulty.of(strikes) if strikes else Faulty()
        headers = self._headers(answer, scope)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if isinstance(answer, Download):
            await self._downloads.send_bytes(answer, faulty, scope, send)
            return
        body = answer.body[: len(answer.body) // 2] if faulty.halved else answer.body
        if scope["method"] == "HEAD":
            body = b""
        await send({"type": "http.response.body", "body": body, "more_body": faulty.halved})

    def _headers(self, answer: Answer | Download, scope: Scope) -> list[tuple[bytes, bytes]]:
        now = self._sandbox.clock.now() // SECOND
        return [
            *[pair for pair in answer.headers if pair[0] != b"content-length"],
            (b"content-length", b"%d" % answer.length),
            (b"date", formatdate(now, usegmt=True).encode()),
            (b"x-request-id", scope["request_id"].encode()),
        ]


def _spoiled(rule: Rule, answer: Answer | Download, request_id: str) -> Answer | Download:
    """Let a fault change an answer; of a file, which is no JSON, it leaves all or nothing."""
    if isinstance(answer, Answer):
        return spoil(rule, answer, request_id)
    blank = Answer(answer.status, [], b"")
    spoiled = spoil(rule, blank, request_id)
    return answer if spoiled is blank else spoiled


def _without_bounds(query: bytes) -> bytes:
    parts = query.split(b"&")
    return b"&".join(part for part in parts if not part.startswith(BOUNDS))


async def _cut(scope: Scope, receive: Receive, *, written: bool = False) -> None:
    """End the connection, and wait until the server has seen it."""
    transport = connection(scope)
    if transport is None:
        return
    if written:
        transport.close()
    else:
        transport.abort()
    await _until_gone(receive)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _whole(receive: Receive) -> bytes | None:
    """Read a request's body; None when the client leaves before its end."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that has been read to an application."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Message:
        return messages.pop() if messages else await receive()

    return read
