"""A small DMS on loopback for tests of session and client: real HTTP, its own login rules.

It shares nothing with the client but the words of the contract: codes are checked by pyotp, and one
is good once.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import email.utils
import http.server
import json
import threading
import time
import typing as t
import urllib.parse

import pyotp

from support.loopback import LoopbackServer, Server

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

PLATFORM_TOKEN: t.Final = "platform-token-7f3a"  # noqa: S105 - of the fake
USERNAME: t.Final = "integration.user"
PASSWORD: t.Final = "pass word+71é"  # noqa: S105 - of the fake
TOTP_SECRET: t.Final = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105 - of the fake
REFUSALS_BEFORE_LOCK: t.Final = 3
STEP: t.Final = 30


@dataclasses.dataclass(frozen=True)
class Canned:
    """An answer that a test prepared.

    Attributes:
        status: HTTP status.
        body: Sent as it is when bytes, else as JSON.
        headers: Beside Content-Type, Content-Length and Date; None as a value leaves a header out.
        cut: Close the connection before the answer, or in the middle of its body.
        before: Called when the request has come.
    """

    status: int = 200
    body: t.Any = dataclasses.field(
        default_factory=lambda: {"items": [], "page": 1, "pageSize": 50, "total": 0}
    )
    headers: t.Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    cut: t.Literal["before", "during"] | None = None
    before: Callable[[], None] | None = None


@dataclasses.dataclass(frozen=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: t.Any


class FakeDms(LoopbackServer):
    """The server; use it as a context.

    Attributes:
        seen: The requests in order.
        script: Answers for the next requests, by `METHOD path`, or `METHOD path?name=value` for
            those with this in their query; taken before any rule is looked at.
        tokens: Token to the time at which it ends.
        logins: Logins that worked.
        refusals: Logins that were refused.
        lifetime: `expiresIn` of new tokens, seconds.
        totp: Whether a login needs a code.
        names_culprit: Whether a refusal says whether it was the password or the code.
        cookie: Set on every answer to a login, when given.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        totp: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.clock = clock
        self.totp = totp
        self.seen: list[Seen] = []
        self.script: dict[str, list[Canned]] = {}
        self.tokens: dict[str, float] = {}
        self.entitlements = ["inventory", "sales"]
        self.logins = 0
        self.refreshes = 0
        self.refusals = 0
        self.lifetime = 3600
        self.names_culprit = False
        self.cookie: str | None = None
        self._used_steps: set[int] = set()
        self._refused_in_a_row = 0
        self._lock = threading.Lock()
        super().__init__(_Handler, tls)

    def settings(self, directory: Path, **more: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - settings
        """Settings of a client of this server."""
        return {
            "api_url": self.base,
            "integration_id": "int_1",
            "platform_token": PLATFORM_TOKEN,
            "username": USERNAME,
            "password": PASSWORD,
            "mfa_type": "totp" if self.totp else "none",
            "totp_secret": TOTP_SECRET,
            "session_path": str(directory / "session"),
            "requests_per_second": 1_000_000,
            **more,
        }

    def answer(self, call: str, *answers: Canned) -> None:
        """Prepare answers for the next requests of `METHOD path` or `METHOD path?name=value`."""
        self.script.setdefault(call, []).extend(answers)

    def calls(self, method: str, path: str) -> list[Seen]:
        """The requests of one kind."""
        return [seen for seen in self.seen if (seen.method, seen.path) == (method, path)]

    def handle(self, seen: Seen) -> Canned:
        """Decide about a request."""
        with self._lock:
            self.seen.append(seen)
            call = f"{seen.method} {seen.path}"
            narrower = [f"{call}?{name}={value}" for name, value in seen.query.items()]
            for script in map(self.script.get, (*narrower, call)):
                if script:
                    return script.pop(0)
            match seen.method, seen.path:
                case "POST", "/sessions":
                    return self._log_in(seen)
                case "POST", "/sessions/refresh":
                    return self._refresh(seen)
                case "GET", _:
                    if self._bearer(seen) is None:
                        return _error(401, "session_invalid")
                    return Canned()
                case _:
                    return _error(404, "not_found")

    def _bearer(self, seen: Seen) -> str | None:
        token = seen.headers.get("Authorization", "").removeprefix("Bearer ")
        return token if self.tokens.get(token, 0.0) > self.clock() else None

    def _log_in(self, seen: Seen) -> Canned:
        expected = base64.b64encode(PLATFORM_TOKEN.encode()).decode()
        if self._refused_in_a_row >= REFUSALS_BEFORE_LOCK:
            return _error(423, "locked")
        known = (
            seen.headers.get("Authorization") == f"Basic {expected}"
            and seen.body["username"] == USERNAME
            and seen.body["password"] == PASSWORD
        )
        step = int(self.clock() // STEP)
        good_code = not self.totp or (
            step not in self._used_steps
            and seen.body.get("mfa", {}).get("type") == "totp"
            and pyotp.TOTP(TOTP_SECRET).verify(seen.body["mfa"]["code"], for_time=self.clock())
        )
        if not (known and good_code):
            self.refusals += 1
            self._refused_in_a_row += 1
            culprit = "invalid_mfa_code" if known else "invalid_credentials"
            return _error(401, culprit if self.names_culprit else "unauthorized")
        self._used_steps.add(step)
        self._refused_in_a_row = 0
        self.logins += 1
        return self._session(f"login-token-{self.port}-{self.logins}", with_user=True)

    def _refresh(self, seen: Seen) -> Canned:
        old = self._bearer(seen)
        if old is None:
            return _error(401, "session_invalid")
        del self.tokens[old]
        self.refreshes += 1
        return self._session(f"refresh-token-{self.port}-{self.refreshes}", with_user=False)

    def _session(self, token: str, *, with_user: bool) -> Canned:
        self.tokens[token] = self.clock() + self.lifetime
        body: dict[str, t.Any] = {"authToken": token, "expiresIn": self.lifetime}
        if with_user:
            body["user"] = {"id": "u_7b21f0", "entitlements": self.entitlements}
        return Canned(body=body, headers={"Set-Cookie": self.cookie})


def _error(status: int, code: str) -> Canned:
    body = {"error": {"code": code, "message": f"{PASSWORD} is wrong", "requestId": "req_1"}}
    return Canned(status, body)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body in one send: in two, each answer waits 40 ms for an acknowledgement.
    wbufsize = 1 << 16
    server: Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002 - its signature
        """Tell the fake's own time."""
        return email.utils.formatdate(self.server.owner.clock(), usegmt=True)

    def _serve(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = Seen(
            method=self.command,
            path=parts.path.removeprefix("/integrations/int_1"),
            query=dict(urllib.parse.parse_qsl(parts.query)),
            headers=dict(self.headers.items()),
            body=json.loads(content) if content else None,
        )
        canned = self.server.owner.handle(seen)
        if canned.before:
            canned.before()
        if canned.cut == "before":
            self.close_connection = True
            return
        body = canned.body if isinstance(canned.body, bytes) else json.dumps(canned.body).encode()
        headers = {"Content-Type": "application/json", "Date": self.date_time_string()}
        self.send_response_only(canned.status)
        for name, value in {**headers, **canned.headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if canned.cut == "during":
            body = body[: len(body) // 2]
            self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = _serve  # noqa: N815 - the base class looks for these names
