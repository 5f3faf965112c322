"""Finds in the DMS what may have been written, and reads it so that nothing is missed.

Page by page a list can lose rows while others change, so what was read counts only with a
certificate: as many distinct keys as the first page's total.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import typing as t
import urllib.parse
from http import HTTPStatus

from automate_api.errors import (
    NotEntitledError,
    NotOfferedError,
    ProtocolError,
    TryLaterError,
)
from target_automate.journal.identity import FORMS, comparable

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from automate_api.client import Client
    from target_automate.sinks.declarations import LookupRule, SinkDeclaration
    from target_automate.sinks.entities import Entity

    Record: t.TypeAlias = dict[str, t.Any]

T = t.TypeVar("T")

PAGE_SIZE: t.Final = 200
LONGEST_PAGES: t.Final = 50
"""Of an answer to a question about one record; more, and the filter does not work."""
READS: t.Final = 4
"""How often a list is read for its certificate."""
NONSENSE: t.Final = 2
"""Answers to one question that are no JSON, or not what was asked for, before it counts."""
DOTS: t.Final = frozenset({".", ".."})
"""What names another address in a path, quoted or not (RFC 3986, 6.2.2.3)."""
MARGIN_SECONDS: t.Final = 120
"""Taken off the time of an intent where only later changes are asked for: both clocks are rough."""
DEAD: t.Final = frozenset({"cancelled", "voided", "lost"})
"""Statuses of records that do not stand in the way of a new one."""


class CannotLookUpError(Exception):
    """The tenant gives no list to look it up in, or one that cannot be asked for one record.

    Attributes:
        args: For a person, why.
    """


@dataclasses.dataclass(frozen=True, slots=True)
class Lookup:
    """Asks the DMS for records.

    Attributes:
        client: Sends the requests.
        paths: Entity to the path of its list at this tenant.
    """

    client: Client
    paths: Mapping[str, str]

    def find(
        self, sink: SinkDeclaration, body: Mapping[str, t.Any], *, age: float | None = None
    ) -> list[Record]:
        """Find the records that a payload may have become.

        Args:
            sink: Of the payload; one that has a rule for it.
            body: The payload, its reference resolved.
            age: Seconds since it can have been written; None when at any time.

        Returns:
            The records that have its key.

        Raises:
            CannotLookUpError: When the tenant has no such list, or does not filter it.
            TryLaterError: When the list changes faster than it can be read.
            AutomateError: When the list cannot be read.
        """
        given = {name: body.get(field) for name, field in _rule(sink).query.items()}
        params = {name: value for name, value in given.items() if value is not None}
        if age is not None:
            since = self.client.server_time() - dt.timedelta(seconds=age + MARGIN_SECONDS)
            params["updatedFrom"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        found = [record for record in self.read(sink.entity, params) if is_it(sink, record, body)]
        if age is None:
            return [record for record in found if record.get("status") not in DEAD]
        return found

    def named(self, entity: Entity, own_id: str) -> list[Record]:
        """Find the records that have an id of their writer.

        Returns:
            Those that stand; where all are cancelled, voided or lost, these.

        Raises:
            CannotLookUpError: When the tenant has no such list, or does not filter it.
            AutomateError: When the list cannot be read.
        """
        if not entity.is_filtered:
            msg = f"the API finds no {entity.noun} by {entity.own_id}"
            raise CannotLookUpError(msg)
        wanted = comparable(entity.own_id, own_id)
        # Text is asked for as its writer spells it; a VIN has one spelling.
        asked = wanted if entity.own_id in FORMS else own_id
        found = [
            record
            for record in self.read(entity, {entity.own_id: asked})
            if comparable(entity.own_id, record.get(entity.own_id)) == wanted
        ]
        return [record for record in found if record.get("status") not in DEAD] or found

    def read(self, entity: Entity, params: Mapping[str, t.Any]) -> list[Record]:
        """Read a filtered list whole.

        Args:
            entity: Whose list.
            params: The filter.

        Raises:
            CannotLookUpError: When the tenant has no such list, or does not filter it.
            TryLaterError: When it changes faster than it can be read.
            AutomateError: When it cannot be read.
        """
        path = self.paths[entity.name]
        try:
            for _ in range(READS):
                records, total = self._pages(path, params, entity.id_field)
                if len(records) == total:
                    return list(records.values())
        except (NotOfferedError, NotEntitledError) as error:
            raise CannotLookUpError(str(error)) from None
        msg = (
            f"GET {path}: the list changes faster than it can be read whole ({READS} attempts). "
            "Run again later."
        )
        raise TryLaterError(msg)

    def detail(self, entity: Entity, dms_id: str) -> Record | None:
        """Read one record by its id; None when the DMS has none.

        Raises:
            NotOfferedError: When the tenant shows no single records.
            ProtocolError: When what comes is no record with this id; that does not say it is gone.
            AutomateError: When it cannot be read.
        """
        if dms_id in DOTS:
            return None
        path = self.paths[entity.name]

        def ask() -> Record:
            answer = self.client.get(f"{path}/{urllib.parse.quote(dms_id, '')}")
            if not isinstance(answer.body, dict) or answer.body.get(entity.id_field) != dms_id:
                msg = f"GET {path}/...: expected a record with the {entity.id_field} asked for."
                raise ProtocolError(msg, request_id=answer.request_id)
            return answer.body

        try:
            return _insistently(ask)
        except NotOfferedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    def _pages(
        self, path: str, params: Mapping[str, t.Any], key: str
    ) -> tuple[dict[str, Record], int]:
        """Read all pages once: the distinct records by their key, and the first page's total."""
        records: dict[str, Record] = {}
        total, number = 0, 0
        while True:
            number += 1
            query = {**params, "page": number, "pageSize": PAGE_SIZE}
            page = _insistently(functools.partial(self.client.list_page, path, query))
            total = page.total if number == 1 else total
            records |= {str(record.get(key)): record for record in page.items}
            if number * page.page_size >= page.total or not page.items:
                return records, total
            if number == LONGEST_PAGES:
                msg = (
                    f"GET {path} answers {page.total} records to a question about one "
                    f"({', '.join(params)}): this tenant does not filter it, or calls the "
                    "parameter otherwise, which `contract_overlay` can say"
                )
                raise CannotLookUpError(msg)


def _insistently(ask: Callable[[], T]) -> T:
    """Ask again where the answer is nonsense: one page of a proxy's is no reason to end a run.

    Raises:
        ProtocolError: When it is each time.
    """
    for _ in range(NONSENSE):
        with contextlib.suppress(ProtocolError):
            return ask()
    return ask()


def holds(record: object, body: object) -> bool:
    """Tell whether a record of the DMS says at least what a payload says.

    Args:
        record: As the DMS has it.
        body: What was sent.
    """
    if isinstance(body, dict) and isinstance(record, dict):
        return all(name in record and holds(record[name], value) for name, value in body.items())
    if isinstance(body, list) and isinstance(record, list):
        pairs = zip(record, body, strict=False)
        return len(body) == len(record) and all(holds(left, right) for left, right in pairs)
    return record == body


def is_it(sink: SinkDeclaration, record: Record, body: Mapping[str, t.Any]) -> bool:
    """Tell whether a record of the DMS has the key of a payload, whatever a filter has let pass.

    Args:
        sink: Of the payload.
        record: As the DMS has it.
        body: The payload, its reference resolved.
    """
    same = all(
        name in body and _value(record, name) == _value(body, name) for name in _rule(sink).equal
    )
    return same and all(
        _value(record, name) == _value(body, name)
        for name in _rule(sink).equal_if_echoed
        if record.get(name) is not None and body.get(name) is not None
    )


def _rule(sink: SinkDeclaration) -> LookupRule:
    if sink.lookup is None:
        msg = f"{sink.object} are read by their id, not looked up"
        raise LookupError(msg)
    return sink.lookup


def _value(record: Mapping[str, t.Any], name: str) -> str | None:
    value = record.get(name)
    return None if value is None else comparable(name, value)
