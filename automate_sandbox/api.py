"""The API's own paths: sessions, lists, details, writes; the rest of the contract answers 501."""

from __future__ import annotations

import typing as t

from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from automate_sandbox import contract_file
from automate_sandbox.links import PLACES
from automate_sandbox.money import Record, encode
from automate_sandbox.payloads import read_payload
from automate_sandbox.problems import Problem
from automate_sandbox.resources import JOINT, Resource, resources
from automate_sandbox.sessions import COOKIE, bearer
from automate_sandbox.writing import HANDLERS, Writer

if t.TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from automate_sandbox.contract_file import Operation
    from automate_sandbox.ledger import Table
    from automate_sandbox.sandbox import Sandbox

    Endpoint = Callable[[Request], Awaitable[Response]]

JSON: t.Final = "application/json"


class Api:
    """The paths below `/integrations/<integration id>`.

    Attributes:
        router: The application.
        paths: As the contract writes them.
        writer: Carries out the writes.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        """Make the routes that the contract names.

        Args:
            sandbox: What they act on.
        """
        self._sandbox = sandbox
        self.writer = Writer(sandbox)
        self._resources = {resource.path: resource for resource in resources().values()}
        # Literal paths first: /deals/recaps is not the deal with the id "recaps".
        ordered = sorted(contract_file.operations(), key=lambda operation: "{" in operation.path)
        paths: dict[str, dict[str, Endpoint]] = {}
        for operation in ordered:
            paths.setdefault(operation.path, {})[operation.method] = self._endpoint(operation)
        routes = [
            Route(path, _by_method(endpoints), methods=list(endpoints))
            for path, endpoints in paths.items()
        ]
        inner = Router(routes, default=_no_such_path, redirect_slashes=False)
        mount = Mount(f"/integrations/{sandbox.rules.integration_id}", app=inner)
        self.router = Router([mount], default=_no_such_path, redirect_slashes=False)
        self.paths = frozenset(paths)

    def _endpoint(self, operation: Operation) -> Endpoint:
        if operation.operation_id == "createSession":
            return self._create_session
        if operation.operation_id == "refreshSession":
            return self._refresh_session
        base = operation.path.removesuffix("/{id}")
        resource = self._resources.get(base)
        if resource and operation.method == "GET":
            return self._list(resource) if base == operation.path else self._detail(resource)
        if operation.operation_id == "getOperation":
            return self._operation(operation)
        if operation.operation_id in HANDLERS:
            return self._write(operation)
        return self._not_offered(operation)

    def _admit(self, request: Request, entitlements: frozenset[str]) -> None:
        """Let a request pass that has a valid token and one of the entitlements."""
        sessions = self._sandbox.sessions
        token = bearer(request.headers.get("authorization", ""))
        sessions.check(token)
        sessions.see_cookie(token, request.cookies.get(COOKIE))
        if entitlements and not entitlements & set(sessions.login.entitlements):
            names = " or ".join(sorted(entitlements))
            raise Problem(403, f"The user lacks the entitlement {names}.")

    async def _create_session(self, request: Request) -> Response:
        payload = read_payload(await request.body(), "createSession")
        answer = self._sandbox.sessions.create(request.headers.get("authorization", ""), payload)
        return _session_response(*answer)

    async def _refresh_session(self, request: Request) -> Response:
        token = bearer(request.headers.get("authorization", ""))
        return _session_response(*self._sandbox.sessions.refresh(token))

    def _list(self, resource: Resource) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            self._admit(request, resource.entitlements)
            page = self._sandbox.pager.page(self._view(resource), request.query_params)
            return self._shown(resource, page, request)

        return endpoint

    def _detail(self, resource: Resource) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            self._admit(request, resource.entitlements)
            table = self._view(resource)
            row = table.rows.get(_key(table, request.path_params["id"], request.query_params))
            if row is None:
                raise Problem(
                    404, f"There is no such record in {resource.path}.", "record_not_found"
                )
            return self._shown(resource, row.body, request)

        return endpoint

    def _shown(self, resource: Resource, body: bytes, request: Request) -> Response:
        """Answer with a record or a page of records."""
        if resource.stream in PLACES:
            host = request.headers.get("host") or "{}:{}".format(*request.scope["server"])
            body = self._sandbox.links.fill(resource.stream, body, host)
        return Response(body, media_type=JSON)

    def _view(self, resource: Resource) -> Table:
        return self._sandbox.ledger.view(resource.stream, self._sandbox.clock.now())

    def _operation(self, operation: Operation) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            self._admit(request, operation.entitlements)
            action = self._sandbox.operations.get(request.path_params["id"])
            host = request.headers.get("host") or "{}:{}".format(*request.scope["server"])
            body = self.writer.shown(action.call, encode(action.render()), host)
            return Response(body, media_type=JSON)

        return endpoint

    def _write(self, operation: Operation) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            self._admit(request, operation.entitlements)
            return await self.writer.answer(request, operation)

        return endpoint

    def _not_offered(self, operation: Operation) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            self._admit(request, operation.entitlements)
            raise Problem(501, f"This tenant does not offer {operation.method} {operation.path}.")

        return endpoint


def _key(table: Table, first: str, parameters: Mapping[str, str]) -> str:
    """Find out which record a detail call names: its path has the first field of the key.

    Raises:
        Problem: 400 when several records have it, and the query does not say which.
    """
    _, *others = table.resource.key
    if not others:
        return first
    if all(name in parameters for name in others):
        return JOINT.join([first, *(parameters[name] for name in others)])
    known = [key for key in table.rows if key.startswith(first + JOINT)]
    if len(known) > 1:
        raise Problem.invalid(400, others[0], "several records have this id; say which")
    return known[0] if known else first


def _by_method(endpoints: dict[str, Endpoint]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await endpoints[method](request)

    return endpoint


def _session_response(answer: Record, cookie: str) -> Response:
    response = Response(encode(answer), media_type=JSON)
    response.set_cookie(COOKIE, cookie, httponly=True, samesite="lax")
    return response


async def _no_such_path(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI
    raise Problem(404, "There is no such path.", "path_not_found")
