"""Queued actions: answered 202, carried out later, followed by `GET /operations/{id}`."""

from __future__ import annotations

import dataclasses
import typing as t

from automate_sandbox.problems import Problem

if t.TYPE_CHECKING:
    from automate_sandbox.calls import Asked
    from automate_sandbox.money import Record

Status = t.Literal["queued", "running", "succeeded", "failed"]


@dataclasses.dataclass
class Queued:
    """An action and how it stands.

    Attributes:
        operation_id: `op_000001`.
        call: `POST /deals`.
        asked: What is asked of it.
        request_id: Of the request that asked for it.
        key: Its idempotency key.
        fails: Whether a fault lets it come to nothing.
        status: As the contract lists them.
        result: The answer that the call gives when it is not queued.
        error: Why it failed, as in the error envelope.
    """

    operation_id: str
    call: str
    asked: Asked
    request_id: str | None
    key: str | None
    fails: bool = False
    status: Status = "queued"
    result: Record | None = None
    error: Record | None = None

    def render(self) -> Record:
        """Make the answer of `GET /operations/{id}`."""
        return {
            "operationId": self.operation_id,
            "status": self.status,
            "result": self.result,
            "error": self.error,
        }


class Operations:
    """Every action that was ever queued."""

    def __init__(self) -> None:
        """Start without any."""
        self._all: dict[str, Queued] = {}

    def next_id(self) -> str:
        """Name the next action."""
        return f"op_{len(self._all) + 1:06x}"

    def add(self, action: Queued) -> None:
        """Take an action in."""
        self._all[action.operation_id] = action

    def get(self, operation_id: str) -> Queued:
        """Find an action.

        Raises:
            Problem: 404 when there is none with this id.
        """
        action = self._all.get(operation_id)
        if action is None:
            raise Problem(404, "There is no such operation.", "record_not_found")
        return action

    def call_of(self, operation_id: str) -> str:
        """Tell which call an action was queued by; nothing when there is no such action."""
        action = self._all.get(operation_id)
        return action.call if action else ""

    def unfinished(self) -> list[Queued]:
        """List the actions that have not come to an end, in the order in which they were queued."""
        return [action for action in self._all.values() if action.status in {"queued", "running"}]
