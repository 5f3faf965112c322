"""What a test or a person may ask of the sandbox itself: no part of the contract.

All below `/__sandbox__`. Only loopback peers that name a loopback host are served, so that no
page in a browser can reach it. Records are given as they are stored: links to files as `links.py`
keeps them. A composite key is one text here, its parts joined by `|`; `downloads` and
`uploads` count the credentials that came with links to files, which need none.

| call | what it does |
|---|---|
| `GET info` | which world, how large, pid, store |
| `GET history?since=SEQ&limit=N` | accepted writes and versions after `SEQ`, one a line |
| `GET records/<stream>` | the current truth of a stream, one record a line, in the order of ids |
| `GET stats` | requests, refusals, files, logins, tokens, keys, live changes, faults |
| `POST faults` | one rule, or `{"rules": [...]}` (see `faults.py`) |
| `POST reset-faults` | drops all rules |
| `POST live {"rate": N}` | changes N records a second from now on; 0 stops |
| `POST clock {"advance": SECONDS}` | the server's time jumps forward |
| `POST merge {"from": ID, "into": ID}` | merges a customer into another |
| `POST approve {"dealId": ID}` | a manager approves a deal |
| `POST delete {"stream": NAME, "keys": [ID, ...]}` | records vanish without a trace |
| `POST import {"stream": NAME, "records": [...]}` | records as given, back-dated or undated |
| `POST expire-tokens` | every token expires now |
| `POST kill-sessions` | every session is forgotten |
| `POST unlock` | a user locked by failed logins may log in again |
| `POST shutdown` | the sandbox ends |
"""

from __future__ import annotations

import os
import typing as t

import msgspec
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from automate_sandbox.approvals import APPROVE
from automate_sandbox.downloads import CREDENTIALS
from automate_sandbox.instants import SECOND, render
from automate_sandbox.money import Record, decode, encode
from automate_sandbox.problems import Problem
from automate_sandbox.world import events
from automate_sandbox.world.customers import merge_customer

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from automate_sandbox.ledger import Table
    from automate_sandbox.live import Live
    from automate_sandbox.sandbox import Sandbox

LINES: t.Final = "application/x-ndjson"
LOOPBACK: t.Final = frozenset({"127.0.0.1", "::1", "localhost"})
HISTORY_LIMIT: t.Final = 10_000
ENDS: t.Final = ("from", "into")
"""The two customers of a merge."""


class Control:
    """The control calls."""

    def __init__(self, sandbox: Sandbox, live: Live, shut_down: Callable[[], None]) -> None:
        """Make the routes.

        Args:
            sandbox: What they act on.
            live: What moves its world.
            shut_down: Ends the server.
        """
        self._sandbox = sandbox
        self._live = live
        self._shut_down = shut_down
        routes = [
            Route("/info", self._info),
            Route("/history", self._history),
            Route("/records/{stream}", self._records),
            Route("/stats", self._stats),
            Route("/faults", self._add_faults, methods=["POST"]),
            Route("/reset-faults", self._reset_faults, methods=["POST"]),
            Route("/live", self._set_live, methods=["POST"]),
            Route("/clock", self._advance_clock, methods=["POST"]),
            Route("/merge", self._merge, methods=["POST"]),
            Route("/approve", self._approve, methods=["POST"]),
            Route("/delete", self._delete, methods=["POST"]),
            Route("/import", self._import, methods=["POST"]),
            Route("/expire-tokens", self._expire_tokens, methods=["POST"]),
            Route("/kill-sessions", self._kill_sessions, methods=["POST"]),
            Route("/unlock", self._unlock, methods=["POST"]),
            Route("/shutdown", self._end, methods=["POST"]),
        ]
        inner = Router(routes, default=_no_such_call, redirect_slashes=False)
        router = Router([Mount("/__sandbox__", app=inner)], default=_no_such_call)
        self.app: ASGIApp = _loopback_only(router)

    async def _info(self, _: Request) -> Response:
        return _json(self._sandbox.describe() | {"sandbox": "automate-dms", "pid": os.getpid()})

    async def _history(self, request: Request) -> Response:
        since = _count(request.query_params.get("since", "0"), "since")
        limit = _count(request.query_params.get("limit", str(HISTORY_LIMIT)), "limit")
        entries = self._sandbox.ledger.history[since : since + limit]
        return Response(b"".join(entry.render() + b"\n" for entry in entries), media_type=LINES)

    async def _records(self, request: Request) -> Response:
        table = self._sandbox.ledger.tables.get(request.path_params["stream"])
        if table is None:
            raise Problem(404, f"stream: expected one of {', '.join(self._sandbox.ledger.tables)}")
        body = b"".join(table.rows[key].body + b"\n" for key in sorted(table.rows))
        return Response(body, media_type=LINES)

    async def _stats(self, _: Request) -> Response:
        sessions = self._sandbox.sessions
        names = (
            "logins",
            "refreshes",
            "rejected_logins",
            "rejected_codes",
            "rejected_tokens",
            "tokens_issued",
            "requests_without_cookie",
        )
        return _json(
            {
                **{name: sessions.counts[name] for name in names},
                "locked": sessions.locked,
                "keys": {
                    name: self._sandbox.keys.counts[name]
                    for name in ("replayed", "reused", "in_flight")
                },
                "requests": dict(self._sandbox.requests),
                "refusals": dict(self._sandbox.refusals),
                "downloads": {
                    name: self._sandbox.downloads[name]
                    for name in ("requests", "bytes", *CREDENTIALS)
                },
                "uploads": {
                    name: self._sandbox.uploads.counts[name]
                    for name in ("requests", "bytes", *CREDENTIALS)
                },
                "live": {"rate": self._live.rate, "changed": self._live.changed},
                "lastSeq": len(self._sandbox.ledger.history),
                "faults": [
                    {
                        "kind": rule.kind,
                        "path": rule.path,
                        "strikes": rule.strikes,
                        "left": rule.count,
                    }
                    for rule in self._sandbox.faults.rules
                ],
            }
        )

    async def _add_faults(self, request: Request) -> Response:
        content = await _body(request)
        rules = content.get("rules", [content])
        if not isinstance(rules, list):
            raise Problem.invalid(422, "rules", "expected an array")
        self._sandbox.faults.add(rules)
        return _json({"rules": len(self._sandbox.faults.rules)})

    async def _reset_faults(self, _: Request) -> Response:
        self._sandbox.faults.reset()
        return _json({"rules": 0})

    async def _set_live(self, request: Request) -> Response:
        rate = (await _body(request)).get("rate")
        if not isinstance(rate, int) or isinstance(rate, bool) or rate < 0:
            raise Problem.invalid(422, "rate", "expected a whole number from 0")
        self._live.set_rate(rate)
        return _json({"rate": rate, "lastSeq": len(self._sandbox.ledger.history)})

    async def _advance_clock(self, request: Request) -> Response:
        seconds = (await _body(request)).get("advance")
        if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
            raise Problem.invalid(422, "advance", "expected a whole number from 0")
        clock = self._sandbox.clock
        clock.advance(seconds * SECOND)
        return _json({"now": render(clock.now())})

    async def _merge(self, request: Request) -> Response:
        content, ledger = await _body(request), self._sandbox.ledger
        customers = {name: ledger.record("customers", str(content.get(name))) for name in ENDS}
        for name, customer in customers.items():
            if customer is None or customer["mergedIntoCustomerId"]:
                raise Problem.invalid(422, name, "expected a customer who is not merged")
        if content["from"] == content["into"]:
            raise Problem.invalid(422, "into", "expected another customer")
        now = self._sandbox.clock.now()
        merged = customers["from"] or {}
        merge_customer(merged, content["into"], now // SECOND)
        changes: list[tuple[str, Record]] = [("customers", merged)]
        changes += list(events.following(self._sandbox.numbers, changes, ledger.record))
        ledger.commit(changes, now, cause="control")
        return _json({"lastSeq": len(ledger.history)})

    async def _approve(self, request: Request) -> Response:
        content, ledger = await _body(request), self._sandbox.ledger
        key = str(content.get("dealId"))
        if key not in ledger.tables["deals"].rows:
            raise Problem.invalid(422, "dealId", "expected the id of a deal")
        facts = {"status": 200, "payload": {"dealId": key}, "answer": {"dealId": key}}
        now = self._sandbox.clock.now()
        ledger.commit([], now, cause="control", write=(APPROVE, facts | {"idempotencyKey": None}))
        self._sandbox.approvals.give(key)
        return _json({"lastSeq": len(ledger.history)})

    async def _delete(self, request: Request) -> Response:
        content, ledger = await _body(request), self._sandbox.ledger
        table, keys = self._table(content), content.get("keys")
        if not isinstance(keys, list) or not all(key in table.rows for key in map(str, keys)):
            raise Problem.invalid(422, "keys", "expected ids of records that are there")
        ledger.remove(table.resource.stream, map(str, keys), self._sandbox.clock.now())
        return _json({"lastSeq": len(ledger.history)})

    async def _import(self, request: Request) -> Response:
        """Do what a vendor's import script does: records come with whatever `updatedAt` it has."""
        content, ledger = await _body(request), self._sandbox.ledger
        resource, records = self._table(content).resource, content.get("records")
        if not isinstance(records, list) or not all(
            isinstance(record, dict) and record.keys() >= {*resource.key, "updatedAt"}
            for record in records
        ):
            expected = f"expected objects with {', '.join(resource.key)} and updatedAt"
            raise Problem.invalid(422, "records", expected)
        imported = [(resource.stream, record) for record in records]
        try:
            ledger.commit(imported, self._sandbox.clock.now(), cause="control")
        except (TypeError, ValueError, AttributeError):
            expected = f"expected records of {resource.stream}"
            raise Problem.invalid(422, "records", expected) from None
        return _json({"lastSeq": len(ledger.history)})

    def _table(self, content: dict[str, t.Any]) -> Table:
        tables = self._sandbox.ledger.tables
        table = tables.get(str(content.get("stream")))
        if table is None:
            raise Problem.invalid(422, "stream", f"expected one of {', '.join(tables)}")
        return table

    async def _expire_tokens(self, _: Request) -> Response:
        return _json({"expired": self._sandbox.sessions.expire_all()})

    async def _kill_sessions(self, _: Request) -> Response:
        return _json({"killed": self._sandbox.sessions.kill_all()})

    async def _unlock(self, _: Request) -> Response:
        self._sandbox.sessions.unlock()
        return _json({"locked": False})

    async def _end(self, _: Request) -> Response:
        self._shut_down()
        return _json({"pid": os.getpid()})


def _loopback_only(app: ASGIApp) -> ASGIApp:
    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        client = (scope.get("client") or ("",))[0]
        host = next(
            (value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), ""
        )
        name = host.rsplit(":", 1)[0].strip("[]")
        if client not in LOOPBACK or name not in LOOPBACK:
            raise Problem(403, "The control calls are for loopback only.", "loopback_only")
        await app(scope, receive, send)

    return guarded


def _json(content: dict[str, t.Any]) -> Response:
    return Response(encode(content), media_type="application/json")


async def _body(request: Request) -> dict[str, t.Any]:
    try:
        content = decode(await request.body())
    except msgspec.DecodeError as error:
        raise Problem(400, "The body is no JSON.") from error
    if not isinstance(content, dict):
        raise Problem(422, "Expected a JSON object.")
    return content


def _count(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Problem.invalid(400, name, "expected a whole number from 0")
    return int(text)


async def _no_such_call(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI
    raise Problem(404, "There is no such control call.", "path_not_found")
