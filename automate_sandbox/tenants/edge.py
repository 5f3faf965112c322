"""Requests and answers of a tenant that differs, between its client and the API by the contract."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.routing import compile_path

from automate_sandbox import contract_file
from automate_sandbox.answers import JSON_HEADER, Answer
from automate_sandbox.money import Record, decode, encode
from automate_sandbox.tenants.names import NO_WORD, Names, Words
from automate_sandbox.tenants.tenant import list_of, routes

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.types import Scope

    from automate_sandbox.contract_file import Operation
    from automate_sandbox.resources import Resource
    from automate_sandbox.tenants.tenant import Tenant

SAME_WORDS: t.Final = {"expectedStatus": "status"}
"""Fields of bodies that have the words of another field."""

OPERATION: t.Final = "getOperation"
"""The call whose answer holds that of another."""

UNKNOWN: t.Final = "/unknown"
"""Before the paths that the tenant lacks, where the API has none."""

QUOTED: t.Final = re.compile(r'"(\w+)"')
LISTED: t.Final = re.compile(r"(?<=expected one of ).+|(?<=it can become ).+")
"""Words in the text of a refusal."""


@dataclasses.dataclass(frozen=True)
class Way:
    """A call as the tenant has it.

    Attributes:
        operation: Of the contract.
        path: The tenant's.
        base: The contract's path of the list that it belongs to, and the tenant's.
        names: Of its records, its body and its answer.
        parameters: The contract's query parameters with the tenant's.
        words: The contract's query parameter to its words and the tenant's.
    """

    operation: Operation
    path: str
    base: tuple[str, str]
    names: Names
    parameters: Mapping[str, str]
    words: Mapping[str, Words]

    @property
    def call(self) -> str:
        """Name the call as the contract does: `GET /vehicles/{id}`."""
        return f"{self.operation.method} {self.operation.path}"


class Edge:
    """Translates what comes in and what goes out."""

    def __init__(self, tenant: Tenant, prefix: str, call_of: Callable[[str], str]) -> None:
        """Compile the differences.

        Args:
            tenant: Checked.
            prefix: Of every path, the integration's.
            call_of: Tells which call an operation with this id was queued by.
        """
        self._prefix = prefix
        self._call_of = call_of
        ways = [_way(tenant, operation, path) for operation, path in routes(tenant)]
        self._ways = {way.call: way for way in ways}
        self._contracts = {f"{each.method} {each.path}" for each in contract_file.operations()}
        by_path: dict[str, dict[str, Way]] = {}
        # Literal paths first, as the API has them.
        for way in sorted(ways, key=lambda way: "{" in way.path):
            by_path.setdefault(way.path, {})[way.operation.method] = way
        self._paths = [(compile_path(path)[0], calls) for path, calls in by_path.items()]

    def enter(self, scope: Scope, body: bytes) -> tuple[Way | None, bytes]:
        """Make a request one of the contract's, its scope in place.

        Args:
            scope: Of the request.
            body: Of the request, as it came.

        Returns:
            The call, and the body under the contract's names. A path that the tenant lacks has no
            call and becomes one that the API lacks; so has one that is not the API's.
        """
        if not scope["path"].startswith(self._prefix + "/"):
            return None, body
        asked = scope["path"].removeprefix(self._prefix)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        for pattern, calls in self._paths:
            found = pattern.match(asked)
            if found:
                # Whichever call: that there is none by this method, the API says itself.
                way = calls.get(method) or next(iter(calls.values()))
                path = way.operation.path.replace("{id}", found.groupdict().get("id", ""))
                if self._is_elsewhere(way, method, path):
                    break
                scope["path"] = self._prefix + path
                scope["query_string"] = _query(way, scope["query_string"])
                return way, _body(way, body)
        scope["path"] = UNKNOWN + asked
        return None, body

    def _is_elsewhere(self, way: Way, method: str, path: str) -> bool:
        """Tell whether the API would take a request for a call that the tenant has not there."""
        if method != way.operation.method:
            return f"{method} {way.operation.path}" in self._contracts
        # `/deals/recaps`, where the recaps have another path, is no deal.
        return path != way.operation.path and f"{method} {path}" in self._contracts

    def leave(self, way: Way, answer: Answer) -> Answer:
        """Give an answer the tenant's names.

        Args:
            way: What was called.
            answer: Of the API; left alone when a fault has made it no JSON object.
        """
        is_same = (
            answer.status < HTTPStatus.BAD_REQUEST
            and not way.names
            and way.operation.operation_id != OPERATION
        )
        if is_same or JSON_HEADER not in answer.headers:
            return answer
        try:
            content = decode(answer.body)
        except msgspec.DecodeError:
            return answer
        for each in content if isinstance(content, list) else [content]:
            if isinstance(each, dict):
                self._translate(way, answer.status, each)
        return dataclasses.replace(answer, body=encode(content))

    def _translate(self, way: Way, status: int, content: Record) -> None:
        if status >= HTTPStatus.BAD_REQUEST:
            _refuse(way, content.get("error"))
        elif way.operation.operation_id == OPERATION:
            action = self._ways.get(self._call_of(str(content.get("operationId"))), way)
            if isinstance(content.get("result"), dict):
                action.names.outward(content["result"])
            _refuse(action, content.get("error"))
        elif way.operation.record:
            items = content.get("items") or ()
            for item in items.values() if isinstance(items, dict) else items:
                way.names.outward(item)
        else:
            way.names.outward(content)


def _way(tenant: Tenant, operation: Operation, path: str) -> Way:
    resource = list_of(operation)
    stream = resource.stream if resource else ""
    own_path = resource.path if resource else ""
    words = dict(tenant.words.get(stream, {}))
    fields = {**tenant.fields.get(stream, {}), **tenant.fields.get(operation.operation_id, {})}
    filters = _filter_words(resource, words) if resource else {}
    words |= {name: words[same] for name, same in SAME_WORDS.items() if same in words}
    return Way(
        operation=operation,
        path=path,
        base=(own_path, tenant.paths.get(stream, own_path)),
        names=Names(fields, words),
        parameters={name: name for name in operation.parameters}
        | _known(tenant, operation, stream),
        words=filters,
    )


def _known(tenant: Tenant, operation: Operation, stream: str) -> dict[str, str]:
    renamed = tenant.parameters.get(stream, {})
    return {name: other for name, other in renamed.items() if name in operation.parameters}


def _filter_words(resource: Resource, words: Mapping[str, Words]) -> dict[str, Words]:
    plain = {path.replace("[]", ""): pairs for path, pairs in words.items()}
    fields = {name: resource.fields[each.position] for name, each in resource.filters.items()}
    return {name: plain[field] for name, field in fields.items() if field in plain}


def _query(way: Way, query: bytes) -> bytes:
    """Write a query by the contract, without the parameters that the tenant does not know."""
    if not query:
        return query
    contracts = {other: name for name, other in way.parameters.items()}
    given = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    kept = [
        (contracts[name], _heard(way.words.get(contracts[name], {}), value))
        for name, value in given
        if name in contracts
    ]
    return urlencode(kept).encode()


def _heard(words: Words, value: str) -> str:
    """Take a word that a client has sent; one that only the contract has is none."""
    contracts = {other: word for word, other in words.items()}
    return contracts.get(value, NO_WORD if value in words else value)


def _body(way: Way, body: bytes) -> bytes:
    if not body or not way.names:
        return body
    try:
        content = decode(body)
    except msgspec.DecodeError:
        return body
    if not isinstance(content, dict):
        return body
    way.names.inward(content)
    return encode(content)


def _refuse(way: Way, error: Record | None) -> None:
    """Give a refusal, in place, the tenant's names, words and paths."""
    if not isinstance(error, dict):
        return
    for detail in error.get("details") or ():
        field, message = detail["field"], detail["message"]
        if way.operation.method == "GET":
            words, said = way.words.get(field, {}), way.parameters.get(field, field)
            detail["message"] = _said(message, words)
        else:
            parts = field.split(".") if field else []
            words, said = way.names.words(parts), ".".join(way.names.path(parts))
            detail["message"] = _said(message, {**_quoted(way.names, parts, message), **words})
        detail["field"] = said
        if "current" in detail:
            detail["current"] = words.get(detail["current"], detail["current"])
        if error["message"] == f"{field}: {message}":
            error["message"] = f"{said}: {detail['message']}"
    for contracts, tenants in ((way.operation.path, way.path), way.base):
        if contracts and contracts in error["message"]:
            error["message"] = error["message"].replace(contracts, tenants)
            break


def _quoted(names: Names, parts: Sequence[str], message: str) -> dict[str, str]:
    """Translate the fields that a message quotes, which belong to the object at a path."""
    place = names.path(parts)
    found = {}
    for name in QUOTED.findall(message):
        path = names.path([*parts, name])
        is_below = path[: len(place)] == place
        found[name] = ".".join(path[len(place) :] if is_below else path)
    return found


def _said(message: str, words: Mapping[str, str]) -> str:
    def listed(found: re.Match[str]) -> str:
        return re.sub(r"\w+", lambda word: words.get(word[0], word[0]), found[0])

    message = QUOTED.sub(lambda found: f'"{words.get(found[1], found[1])}"', message)
    return LISTED.sub(listed, message)
