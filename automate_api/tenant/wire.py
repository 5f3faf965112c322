"""The client's edge: requests by the contract become the tenant's, and answers the contract's.

A call is recognised by its method and path, as the contract has it or as `endpoints` says. What is
recognised as none goes and comes as it is.
"""

from __future__ import annotations

import copy
import dataclasses
import re
import typing as t
from http import HTTPStatus

from automate_api import contract, exact_json
from automate_api.tenant.checks import path_of
from automate_api.tenant.document import body_values
from automate_api.tenant.moves import Translation, compiled, tenant_places
from automate_api.tenant.operations import RECORD, Operation, operations_of
from automate_api.tenant.places import Place

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from automate_api.contract import Schema
    from automate_api.tenant.overlay import Overlay, Words

    Decode: t.TypeAlias = Callable[[bytes], t.Any]

FOLLOWING: t.Final = "getOperation"
"""The call whose answer tells of another call, and holds that call's answer in `RESULT`."""
RESULT: t.Final = "result"

_INDEX: t.Final = re.compile(r"\[\d*\]")


class Names(t.NamedTuple):
    """Fields of a body, as a refusal of it names them.

    Attributes:
        places: The tenant's place to the contract's, `lines[].labor.sale` to `lines[].laborSale`.
        words: Contract's place of a closed list to what the tenant's words become.
    """

    places: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]]

    def translate(self, row: dict[str, t.Any]) -> None:
        """Bring a detail of a refusal to the contract's names and words, in place."""
        field, current = row.get("field"), row.get("current")
        if not isinstance(field, str):
            return
        place = _INDEX.sub("[]", field)
        place = self.places.get(place, place)
        if isinstance(current, str):
            row["current"] = self.words.get(place, {}).get(current, current)
        indexes = iter(_INDEX.findall(field))
        row["field"] = re.sub(r"\[\]", lambda _: next(indexes, "[]"), place)


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """One operation at the tenant.

    Attributes:
        operation: By the contract.
        path: At the tenant, with `RECORD` in it where the contract has it.
        offered: Whether the tenant has it.
        parameters: Query parameter to the tenant's.
        words: Query parameter with a closed list to the tenant's words for the contract's.
        body: What becomes of the body.
        answer: What becomes of the answer to a success, of a list each record.
        names: How refusals may name the body's fields.
    """

    operation: Operation
    path: str
    offered: bool
    parameters: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]]
    body: Translation
    answer: Translation
    names: Names


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A request on its way.

    Attributes:
        route: Its operation.
        path: Where it is sent.
        queued: The route of the call that tells how a queued one goes.
        about: Of such a call: the route of what was queued; None where nobody says.
    """

    route: Route
    path: str
    queued: Route
    about: Route | None

    @property
    def offered(self) -> bool:
        """Whether the tenant has it."""
        return self.route.offered

    def query(self, params: Mapping[str, str | int]) -> dict[str, str | int]:
        """Bring a query to the tenant's names and words."""
        words = self.route.words
        return {
            self.route.parameters.get(name, name): words.get(name, {}).get(str(value), value)
            for name, value in params.items()
        }

    def body(self, body: Mapping[str, t.Any] | None) -> Mapping[str, t.Any] | None:
        """Bring a body to the tenant's names and words; what is given stays as it is."""
        if body is None or not self.route.body:
            return body
        return self.route.body.to_tenant(copy.deepcopy(dict(body)))

    def decoder(self, decode: Decode) -> Decode:
        """Give what decodes a success by the caller's decoder, once it is by the contract."""
        if not (self.route.answer or self.about):
            return decode
        return lambda content: decode(exact_json.encode(self.answer(exact_json.decode(content))))

    def answer(self, body: t.Any, status: int = HTTPStatus.OK) -> t.Any:  # noqa: ANN401 - any JSON
        """Bring the body of an answer to the contract's names and words, in place.

        Args:
            body: Decoded.
            status: HTTP status of the answer.
        """
        if not isinstance(body, dict):
            return body
        if status >= HTTPStatus.BAD_REQUEST:
            _name(body, self.route.names)
        elif status == HTTPStatus.ACCEPTED:
            self.queued.answer.to_contract(body)
        elif self.route.operation.is_list:
            items = body.get("items")
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict):
                    self.route.answer.to_contract(item)
        else:
            self.route.answer.to_contract(body)
            if self.about and isinstance(body.get(RESULT), dict):
                self.about.answer.to_contract(body[RESULT])
            if self.about:
                _name(body, self.about.names)
        return body


class Wire:
    """Recognises calls, and knows what becomes of them."""

    def __init__(self, overlay: Overlay, endpoints: Mapping[str, str]) -> None:
        """Compile an overlay.

        Args:
            overlay: What the tenant does otherwise, checked.
            endpoints: Resource to the path of its list in what callers ask for, where it is not the
                contract's.
        """
        self._overlay = overlay
        self._known = contract.load(overlay)
        self._operations = operations_of(self._known)
        self._routes = {
            call.id: self._route(call, endpoints) for call in self._operations.by_id.values()
        }
        self._fixed: dict[tuple[str, str], Route] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Route]] = []
        for route in self._routes.values():
            call = route.operation
            moved = endpoints.get(call.resource or "")
            asked = {call.path, *([call.at(moved)] if moved else ())}
            for path in asked:
                if RECORD in path:
                    pattern = re.escape(path).replace(re.escape(RECORD), "([^/]+)")
                    self._patterns.append((call.method, re.compile(pattern), route))
                else:
                    self._fixed[call.method, path] = route

    def call(self, method: str, path: str, concerning: str | None = None) -> Call | None:
        """Recognise a request.

        Args:
            method: In capitals.
            path: As the caller has it, a record's id percent-encoded.
            concerning: The call that was queued, by its `operationId`, for the one that follows it.

        Returns:
            The call, None when it is none of the contract's.
        """
        record = ""
        route = self._fixed.get((method, path))
        if route is None:
            for wanted, pattern, each in self._patterns:
                if wanted == method and (found := pattern.fullmatch(path)):
                    route, record = each, found[1]
                    break
        if route is None:
            return None
        about = self._routes[concerning] if concerning else None
        return Call(route, route.path.replace(RECORD, record), self._routes[FOLLOWING], about)

    def _route(self, call: Operation, endpoints: Mapping[str, str]) -> Route:
        name = call.resource or ""
        said, own = self._overlay.resource(name), self._overlay.call(call.id)
        record = self._operations.record(call.resource)
        fields = {**_places(said.fields), **_places(own.fields)}
        body: Schema = self._known.schema(call.body) if call.body else {}
        answer: Schema = self._known.schema(call.answer) if call.answer else {}
        body_words = body_values(body, record, said.values) | dict(own.values)
        answer_words = body_values(answer, record, said.values) | dict(own.values)
        query = {"properties": dict(call.parameters)}
        return Route(
            operation=call,
            path=path_of(call, self._overlay, endpoints.get(name)),
            offered=said.offered and own.offered,
            parameters=said.parameters,
            words={
                name: _own(words) for name, words in body_values(query, record, said.values).items()
            },
            body=compiled(body, fields, _worded(body_words)),
            answer=compiled(answer, fields, _worded(answer_words)),
            names=Names(
                {str(theirs): str(mine) for mine, theirs in tenant_places(body or answer, fields)},
                {
                    place: _their(words)
                    for place, words in (body_words if body else answer_words).items()
                },
            ),
        )


def _places(fields: Mapping[str, str]) -> dict[Place, tuple[str, ...]]:
    return {Place.of(mine): tuple(theirs.split(".")) for mine, theirs in fields.items()}


def _worded(values: Mapping[str, Words]) -> dict[Place, Words]:
    return {Place.of(place): words for place, words in values.items()}


def _their(words: Words) -> dict[str, str]:
    """Give what the tenant's words become."""
    return {word: mine for word, mine in words.items() if mine is not None}


def _own(words: Words) -> dict[str, str]:
    """Give what the contract's words become."""
    return {mine: word for word, mine in _their(words).items()}


def _name(body: dict[str, t.Any], names: Names) -> None:
    """Bring the details of a refusal to the contract's names and words, in place."""
    error = body.get("error")
    details = error.get("details") if isinstance(error, dict) else None
    for row in details if isinstance(details, list) else ():
        if isinstance(row, dict):
            names.translate(row)
