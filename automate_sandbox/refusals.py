"""Why a write is refused: each refusal says what the DMS holds."""

from __future__ import annotations

import typing as t

from automate_sandbox.instants import parse
from automate_sandbox.problems import Problem

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_sandbox.money import Record
    from automate_sandbox.sandbox import Sandbox

Steps = t.Mapping[str, t.Collection[str]]
"""Status to those that may follow it."""

STATUS_CONFLICT: t.Final = "status_conflict"
VERSION_CONFLICT: t.Final = "version_conflict"
NOT_ALLOWED: t.Final = "status_not_allowed"
APPROVAL_PENDING: t.Final = "approval_pending"


def existing(sandbox: Sandbox, stream: str, key: str) -> Record:
    """Find the record that a path names.

    Raises:
        Problem: 404.
    """
    record = sandbox.ledger.record(stream, key)
    if record is None:
        path = sandbox.ledger.tables[stream].resource.path
        raise Problem(404, f"There is no such record in {path}.", "record_not_found")
    return record


def hold_status(record: Mapping[str, t.Any], expected: str | None) -> None:
    """Refuse a change that was decided on for another status; None was for any.

    Raises:
        Problem: 409, with the status that the DMS holds.
    """
    if expected is not None and record["status"] != expected:
        message, current = "the record has another status", record["status"]
        raise _with_current(409, "expectedStatus", message, STATUS_CONFLICT, current)


def hold_version(record: Mapping[str, t.Any], field: str, seen: str | None) -> None:
    """Refuse a change that was decided on before the record changed; None is for any version.

    Args:
        record: As it is.
        field: Of the payload.
        seen: `updatedAt` as the client saw it.

    Raises:
        Problem: 409, with the `updatedAt` that the DMS holds.
    """
    if seen is not None and record["updatedAt"] and parse(record["updatedAt"]) > parse(seen):
        message = "the record has changed since"
        raise _with_current(409, field, message, VERSION_CONFLICT, record["updatedAt"])


def hold_step(record: Mapping[str, t.Any], steps: Steps, wanted: str) -> None:
    """Refuse a step that is not to be taken from the status that a record has.

    Raises:
        Problem: 422, with the status that the DMS holds.
    """
    allowed = steps.get(record["status"], ())
    if wanted not in allowed:
        raise not_allowed(record, f"from here it can become {', '.join(allowed) or 'nothing else'}")


def not_allowed(record: Mapping[str, t.Any], message: str, field: str = "status") -> Problem:
    """Make the refusal of what a record's status forbids."""
    return _with_current(422, field, message, NOT_ALLOWED, record["status"])


def approval_missing(field: str, message: str) -> Problem:
    """Make the refusal of what a person has to approve first."""
    return Problem.invalid(423, field, message, APPROVAL_PENDING)


def _with_current(status: int, field: str, message: str, code: str, current: str) -> Problem:
    problem = Problem.invalid(status, field, message, code)
    problem.details[0]["current"] = current
    return problem
