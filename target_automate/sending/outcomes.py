"""What one attempt to send a write came to: a table of outcomes and a function of values."""

from __future__ import annotations

import dataclasses
import enum
import re
import typing as t
from http import HTTPStatus

from automate_api.replies import Failure, Reply
from automate_api.retry import Trouble

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from target_automate.sinks.declarations import SinkDeclaration


class Kind(enum.Enum):
    """What is known after an attempt."""

    ACKED = "the DMS has it"
    ACCEPTED = "the DMS has queued it"
    NOT_SENT = "it did not leave"
    THROTTLED = "refused for now, unprocessed"
    IN_FLIGHT = "an earlier attempt is still being processed"
    UNKNOWN = "it may or may not have been processed"
    DUPLICATE = "the DMS says that it has it already"
    CONFLICT = "the DMS holds something else than was thought"
    PARENT_GONE = "the record that it refers to is not there"
    APPROVAL = "the DMS wants an approval first"
    CLOSED = "the DMS does not take this object from us"
    REJECTED = "the DMS does not take this record"
    CHANGED = "the file is not what was announced"
    UNREACHABLE = "where files are sent to there is no answer"


UNPROCESSED: t.Final = frozenset(
    {
        Kind.NOT_SENT,
        Kind.THROTTLED,
        Kind.PARENT_GONE,
        Kind.APPROVAL,
        Kind.CLOSED,
        Kind.UNREACHABLE,
    }
)
"""Outcomes after which the same may be sent again without the danger of a second one."""

STATUSES: t.Final[Mapping[int, Kind]] = {
    HTTPStatus.FORBIDDEN: Kind.CLOSED,
    HTTPStatus.METHOD_NOT_ALLOWED: Kind.CLOSED,
    HTTPStatus.REQUEST_TIMEOUT: Kind.UNKNOWN,
    HTTPStatus.LOCKED: Kind.APPROVAL,
    HTTPStatus.TOO_MANY_REQUESTS: Kind.THROTTLED,
    HTTPStatus.NOT_IMPLEMENTED: Kind.CLOSED,
}
"""What a status means by itself; other 4xx refuse, others leave the record unknown."""

GONE: t.Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
INVALID: t.Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})

_IN_FLIGHT: t.Final = re.compile("in_?flight|in_?progress|processing|pending|concurrent")
_OF_KEY: t.Final = re.compile("idempoten|key")
_NO_PATH: t.Final = re.compile("path|route|endpoint")
_ID: t.Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome, and what it brought.

    Attributes:
        kind: What is known.
        reason: For a person; names a status, a code and fields, never values.
        dms_id: The record's id in the DMS, when acknowledged.
        dms_number: The number that people use, where there is one.
        matched_by: How the DMS found the record that it updated, where it says so.
        operation_id: Of the queued operation, when accepted.
        version: The record's `updatedAt` after a change.
        current: What the DMS holds in the place of what it refuses, where it says so.
        status: HTTP status; None without an answer.
        request_id: The server's id of the request.
        proves_keys: Whether the answer shows that the server honours idempotency keys.
    """

    kind: Kind
    reason: str
    dms_id: str | None = None
    dms_number: str | None = None
    matched_by: str | None = None
    operation_id: str | None = None
    version: str | None = None
    current: str | None = None
    status: int | None = None
    request_id: str | None = None
    proves_keys: bool = False


def judge(outcome: Reply | Failure, sink: SinkDeclaration, *, keys_honoured: bool) -> Verdict:
    """Tell what an attempt came to.

    Args:
        outcome: What came back; not 401, which the client deals with.
        sink: What was written.
        keys_honoured: Whether the server is known to honour idempotency keys: then a 503 is a
            refusal to be repeated, otherwise nobody knows.
    """
    if isinstance(outcome, Failure):
        kind = Kind.NOT_SENT if outcome.trouble is Trouble.UNSENT else Kind.UNKNOWN
        return Verdict(kind, outcome.reason)
    if outcome.is_success:
        return read_success(outcome.body, outcome, sink)
    kind = _kind(outcome, sink, keys_honoured=keys_honoured)
    return Verdict(
        kind,
        explain(outcome),
        current=outcome.error_current,
        status=outcome.status,
        request_id=outcome.request_id,
        # Other conflicts that pass say nothing of keys, and to trust keys wrongly makes duplicates.
        proves_keys=kind is Kind.IN_FLIGHT and bool(_OF_KEY.search(outcome.error_code or "")),
    )


def read_success(body: object, reply: Reply, sink: SinkDeclaration) -> Verdict:
    """Read what a success says of the record.

    Args:
        body: The answer, or the result of an operation.
        reply: Where it stood.
        sink: What was written.

    Returns:
        Acknowledged or accepted; unknown when there is no id in it.
    """
    facts = body if isinstance(body, dict) else {}
    dms_id, operation_id = facts.get(sink.id_field), facts.get("operationId")
    known = Verdict(
        Kind.UNKNOWN,
        f"status {reply.status} without {sink.id_field}",
        status=reply.status,
        request_id=reply.request_id,
        proves_keys=reply.replayed,
    )
    if _is_id(dms_id):
        number = facts.get(sink.number_field) if sink.number_field else None
        return dataclasses.replace(
            known,
            kind=Kind.ACKED,
            reason="",
            dms_id=dms_id,
            dms_number=number if _is_id(number) else None,
            matched_by=matched if _is_id(matched := facts.get("matchedBy")) else None,
            version=version if _is_id(version := facts.get("updatedAt")) else None,
        )
    if _is_id(operation_id):
        return dataclasses.replace(known, kind=Kind.ACCEPTED, operation_id=operation_id)
    return known


def explain(reply: Reply) -> str:
    """Say what the DMS answered: status, code, the names of fields, and what it holds."""
    return ", ".join((f"status {reply.status}", *explained(reply)))


def explained(reply: Reply) -> Iterator[str]:
    """Say why the DMS refuses something: code, the names of fields, and what it holds."""
    if reply.error_code:
        yield f"code {reply.error_code}"
    if reply.error_fields:
        yield f"fields {', '.join(reply.error_fields)}"
    if reply.error_current:
        yield f"the DMS holds {reply.error_current}"


def _kind(reply: Reply, sink: SinkDeclaration, *, keys_honoured: bool) -> Kind:
    status = reply.status
    if status == HTTPStatus.CONFLICT:
        in_flight = _IN_FLIGHT.search(reply.error_code or "") or reply.retry_after is not None
        if in_flight:
            return Kind.IN_FLIGHT
        return Kind.CONFLICT if sink.change else Kind.DUPLICATE
    if status == HTTPStatus.SERVICE_UNAVAILABLE and keys_honoured:
        return Kind.THROTTLED
    if status in STATUSES:
        return STATUSES[status]
    if not HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Kind.UNKNOWN
    return _refusal(reply, sink)


def _refusal(reply: Reply, sink: SinkDeclaration) -> Kind:
    """Tell a record's fault from that of its reference, and from that of everything."""
    no_path = reply.status == HTTPStatus.NOT_FOUND and _NO_PATH.search(reply.error_code or "")
    redirected = reply.status < HTTPStatus.BAD_REQUEST
    # Without the API's own envelope something between here and there answered.
    if no_path or redirected or not reply.is_json:
        return Kind.CLOSED
    fields = {found.field for found in sink.references}
    if sink.operation == "upload":
        fields.add("entityId")
    if reply.status in GONE | INVALID and fields and _is_about(reply, fields):
        return Kind.PARENT_GONE
    return Kind.REJECTED


def _is_about(reply: Reply, fields: AbstractSet[str]) -> bool:
    """Tell whether a refusal is about the reference; a 404 that names no field is."""
    if reply.error_fields:
        return not fields.isdisjoint(reply.error_fields)
    return reply.status in GONE


def _is_id(value: object) -> t.TypeGuard[str]:
    return isinstance(value, str) and _ID.fullmatch(value) is not None
