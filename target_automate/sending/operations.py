"""Follows what the DMS has queued: `202` with an operation, asked for until it ends."""

from __future__ import annotations

import dataclasses
import typing as t
from http import HTTPStatus

from automate_api.errors import NotOfferedError, RequestRefusedError
from automate_api.replies import Reply
from target_automate.sending.outcomes import Kind, Verdict, explained, read_success

if t.TYPE_CHECKING:
    from automate_api.client import Client
    from target_automate.sinks.declarations import SinkDeclaration

APPROVAL_PENDING: t.Final = "approval_pending"


@dataclasses.dataclass(frozen=True, slots=True)
class Operations:
    """Asks for operations.

    Attributes:
        client: Sends the requests.
        first_delay: Seconds before the first question.
        longest_delay: Seconds between two questions at most.
    """

    client: Client
    first_delay: float = 0.2
    longest_delay: float = 30.0

    def next_delay(self, waited: float) -> float:
        """Tell how long to wait before the next question.

        Args:
            waited: Seconds waited so far: half as long again each time.
        """
        return min(self.longest_delay, max(self.first_delay, waited / 2))

    def ask(self, operation_id: str, sink: SinkDeclaration) -> Verdict:
        """Ask how an operation goes.

        Args:
            operation_id: As the DMS named it.
            sink: What was written.

        Returns:
            Acknowledged, rejected, wanting an approval, in conflict, accepted while it runs, or
            unknown: also when the DMS has forgotten the operation or does not tell of it, since
            what it was about may have been carried out.

        Raises:
            AutomateError: When the DMS cannot be asked.
        """
        try:
            answer = self.client.get(f"/operations/{operation_id}", concerning=sink.operation_id)
        except NotOfferedError:
            return Verdict(Kind.UNKNOWN, "the DMS does not know its operation")
        except RequestRefusedError as error:
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            # To end the run for one operation would keep every later run from all others.
            reason = f"its operation is not told of (status {error.status})"
            return Verdict(Kind.UNKNOWN, reason, status=error.status, request_id=error.request_id)
        facts = answer.body if isinstance(answer.body, dict) else {}
        match facts.get("status"):
            case "succeeded":
                reply = Reply(200, facts, True, "", None, None, answer.request_id)  # noqa: FBT003 - is JSON
                return read_success(facts.get("result"), reply, sink)
            case "failed":
                body = {"error": facts.get("error")}
                reply = Reply(200, body, True, "", None, None, answer.request_id)  # noqa: FBT003 - is JSON
                return Verdict(
                    _refusal(reply.error_code or "", sink),
                    ", ".join(("its operation failed", *explained(reply))),
                    current=reply.error_current,
                    request_id=reply.request_id,
                )
            case "queued" | "running":
                return Verdict(Kind.ACCEPTED, "queued by the DMS", operation_id=operation_id)
        return Verdict(Kind.UNKNOWN, "its operation has no status that the contract knows")


def _refusal(code: str, sink: SinkDeclaration) -> Kind:
    """Tell by its code why an operation failed: there is no status to tell it by."""
    if code == APPROVAL_PENDING:
        return Kind.APPROVAL
    is_conflict = sink.change is not None and code.endswith("conflict")
    return Kind.CONFLICT if is_conflict else Kind.REJECTED
