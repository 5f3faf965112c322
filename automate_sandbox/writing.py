"""A write from its key to its answer: at once, late, or queued.

Everything that a write changes is one entry of the ledger, so that a version and the request that
made it are found by the same request id, whenever it was carried out.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import typing as t

from starlette.responses import Response

from automate_sandbox import contract_file, writes
from automate_sandbox.idempotency import Kept, fingerprint_of, read_key
from automate_sandbox.money import Record, decode, encode
from automate_sandbox.operations import Queued
from automate_sandbox.payloads import read_json, read_payload
from automate_sandbox.problems import Problem

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request

    from automate_sandbox.contract_file import Operation
    from automate_sandbox.ledger import Entry
    from automate_sandbox.sandbox import Sandbox

JSON: t.Final = "application/json"
REPLAYED: t.Final = {"Idempotent-Replayed": "true"}
ACCEPTED: t.Final = 202

HANDLERS: t.Final[dict[str, Callable[[Sandbox, Record], writes.Outcome]]] = {
    "upsertCustomer": writes.upsert_customer,
    "createDeal": writes.create_deal,
    "createAppointment": writes.create_appointment,
}
"""Operation of the contract to what carries it out."""

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Handling:
    """How a request's write is carried out.

    Attributes:
        milliseconds: That pass by the server's clock before it is.
        queued: Whether it is answered 202 before, rather than with its own answer after.
    """

    milliseconds: float = 0
    queued: bool = False


AT_ONCE: t.Final = Handling()


class Writer:
    """Carries out the writes of the API."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Take up what a store has of earlier runs.

        Args:
            sandbox: What the writes act on.
        """
        self._sandbox = sandbox
        self._calls = {
            f"{operation.method} {operation.path}": HANDLERS[operation.operation_id]
            for operation in contract_file.operations()
            if operation.operation_id in HANDLERS
        }
        self._tasks: set[asyncio.Task[None]] = set()
        self._restore(entry for entry in sandbox.ledger.history if entry.stream is None)

    async def answer(self, request: Request, operation: Operation) -> Response:
        """Answer a request that writes.

        Args:
            request: Admitted.
            operation: Of the contract.

        Raises:
            Problem: The request is refused; nothing has changed.
        """
        body = await request.body()
        call = f"{operation.method} {operation.path}"
        handling: Handling = request.scope.get("handling", AT_ONCE)
        key = read_key(request.headers.get(self._sandbox.keys.rules.header))
        fingerprint = fingerprint_of(call, read_json(body)) if key else ""
        kept = self._sandbox.keys.claim(key, fingerprint)
        if kept:
            says_replay = self._sandbox.keys.rules.says_replay
            return _response(kept.status, kept.body, REPLAYED if says_replay else None)
        facts: Record = {"idempotencyKey": key, "fingerprint": fingerprint}
        try:
            payload = read_payload(body, operation.operation_id)
            if handling.queued:
                answer = self._queue(call, payload, request.scope["request_id"], facts, handling)
                status = ACCEPTED
            else:
                if handling.milliseconds:
                    await self._sandbox.clock.sleep(handling.milliseconds)
                request_id = request.scope["request_id"]
                status, answer = self._carry_out(call, payload, request_id, facts)
        except BaseException:
            self._sandbox.keys.release(key)
            raise
        content = encode(answer)
        self._sandbox.keys.keep(key, Kept(self._sandbox.clock.now(), fingerprint, status, content))
        return _response(status, content)

    def resume(self) -> None:
        """Carry out what was queued when an earlier run ended. To be called inside the loop."""
        for action in self._sandbox.operations.unfinished():
            self._start(action, 0)

    def _carry_out(
        self, call: str, payload: Record, request_id: str | None, facts: Record
    ) -> tuple[int, Record]:
        """Change the world.

        Returns:
            Status and answer.

        Raises:
            Problem: The state of the world forbids it.
        """
        status, answer, stream, record = self._calls[call](self._sandbox, payload)
        self._sandbox.ledger.commit(
            [(stream, record)],
            self._sandbox.clock.now(),
            cause="api",
            request_id=request_id,
            write=(call, {"status": status, "payload": payload, "answer": answer, **facts}),
        )
        return status, answer

    def _note(self, action: Queued, facts: Record) -> None:
        """Put a step of an action, in which no record changes, into the history."""
        self._sandbox.ledger.commit(
            [],
            self._sandbox.clock.now(),
            cause="api",
            request_id=action.request_id,
            write=(action.call, {"payload": action.payload, "idempotencyKey": action.key, **facts}),
        )

    def _queue(
        self, call: str, payload: Record, request_id: str, facts: Record, handling: Handling
    ) -> Record:
        key = facts["idempotencyKey"]
        action = Queued(self._sandbox.operations.next_id(), call, payload, request_id, key)
        answer = {"operationId": action.operation_id}
        self._note(action, {"status": ACCEPTED, "answer": answer, **facts})
        self._sandbox.operations.add(action)
        self._start(action, handling.milliseconds)
        return answer

    def _start(self, action: Queued, milliseconds: float) -> None:
        task = asyncio.get_running_loop().create_task(self._run(action, milliseconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, action: Queued, milliseconds: float) -> None:
        """Carry out an action: queued for half of its time, running for the other."""
        await self._sandbox.clock.sleep(milliseconds / 2)
        action.status = "running"
        await self._sandbox.clock.sleep(milliseconds / 2)
        facts: Record = {"idempotencyKey": action.key, "operationId": action.operation_id}
        try:
            _, action.result = self._carry_out(
                action.call, action.payload, action.request_id, facts
            )
            action.status = "succeeded"
        except Problem as problem:
            error = decode(problem.body(action.request_id or ""))["error"]
            self._note(action, {"status": problem.status, "error": error, **facts})
            self._fail(action, error)
        except Exception:
            logger.exception("%s failed", action.operation_id)

    def _fail(self, action: Queued, error: Record) -> None:
        action.status, action.error = "failed", error
        self._sandbox.keys.release(action.key)

    def _restore(self, entries: Iterable[Entry]) -> None:
        """Take keys and queued actions from the history."""
        operations, keys = self._sandbox.operations, self._sandbox.keys
        for entry in entries:
            facts: Record = decode(entry.body)
            if "operationId" in facts:
                action = operations.get(facts["operationId"])
                if "error" in facts:
                    self._fail(action, facts["error"])
                else:
                    action.status, action.result = "succeeded", facts["answer"]
                continue
            key = facts.get("idempotencyKey")
            if facts["status"] == ACCEPTED:
                name = facts["answer"]["operationId"]
                operations.add(Queued(name, entry.key, facts["payload"], entry.request_id, key))
            if key:
                body = encode(facts["answer"])
                keys.keep(key, Kept(entry.at, facts["fingerprint"], facts["status"], body))


def _response(status: int, content: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(content, status, headers, JSON)
