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

from automate_sandbox import (
    appointment_writes,
    attachment_writes,
    contract_file,
    deal_writes,
    order_writes,
    vehicle_writes,
    writes,
)
from automate_sandbox.approvals import APPROVE
from automate_sandbox.calls import Asked, Call
from automate_sandbox.idempotency import Kept, fingerprint_of, read_key
from automate_sandbox.instants import SECOND, parse, render
from automate_sandbox.links import guarded
from automate_sandbox.money import Record, decode, encode
from automate_sandbox.operations import Queued
from automate_sandbox.parts_counter import PartsCounter
from automate_sandbox.payloads import read_json, read_payload
from automate_sandbox.problems import Problem
from automate_sandbox.world import events

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from automate_sandbox.calls import Changes, Outcome
    from automate_sandbox.contract_file import Operation
    from automate_sandbox.ledger import Entry
    from automate_sandbox.sandbox import Sandbox

JSON: t.Final = "application/json"
REPLAYED: t.Final = {"Idempotent-Replayed": "true"}
ACCEPTED: t.Final = 202

HANDLERS: t.Final = {
    "upsertCustomer": Call(writes.upsert_customer),
    "createDeal": Call(writes.create_deal),
    "createAppointment": Call(writes.create_appointment),
    "changeVehicle": vehicle_writes.CHANGE,
    "replaceVehiclePhotos": vehicle_writes.PHOTOS,
    "changeDealStatus": deal_writes.STATUS,
    "changeDealTerms": deal_writes.TERMS,
    "changeAppointment": appointment_writes.CHANGE,
    "createRepairOrder": order_writes.CREATE,
    "changeRepairOrderStatus": order_writes.STATUS,
    "replaceInspection": order_writes.INSPECTION,
    "createAttachment": attachment_writes.ANNOUNCE,
    "completeAttachment": attachment_writes.COMPLETE,
}
"""Operation of the contract to how it is served."""

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Handling:
    """How a request's write is carried out.

    Attributes:
        milliseconds: That pass by the server's clock before it is.
        queued: Whether it is answered 202 before, rather than with its own answer after.
        fails: Whether it comes to nothing once it was queued.
    """

    milliseconds: float = 0
    queued: bool = False
    fails: bool = False


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
        name = f"{operation.method} {operation.path}"
        record_key = request.path_params.get("id", "")
        host = request.headers.get("host") or "{}:{}".format(*request.scope["server"])
        handling: Handling = request.scope.get("handling", AT_ONCE)
        call = self._calls[name]
        key = read_key(request.headers.get(self._sandbox.keys.rules.header))
        content = read_json(body) if key and call.has_body else None
        fingerprint = fingerprint_of(f"{name} {record_key}".strip(), content) if key else ""
        kept = self._sandbox.keys.claim(key, fingerprint)
        if kept:
            says_replay = self._sandbox.keys.rules.says_replay
            replayed = REPLAYED if says_replay else None
            return self._response(name, kept.status, kept.body, host, replayed)
        facts: Record = {"idempotencyKey": key, "fingerprint": fingerprint}
        try:
            payload = read_payload(body, operation.operation_id) if call.has_body else {}
            asked = Asked(payload, record_key, host)
            request_id = request.scope["request_id"]
            if handling.queued:
                status, answer = self._queue(name, asked, request_id, facts, handling)
            else:
                if handling.milliseconds:
                    await self._sandbox.clock.sleep(handling.milliseconds)
                status, answer = self._answer(name, asked, request_id, facts)
        except BaseException:
            self._sandbox.keys.release(key)
            raise
        said = encode(answer)
        self._sandbox.keys.keep(key, Kept(self._sandbox.clock.now(), fingerprint, status, said))
        return self._response(name, status, said, host)

    def shown(self, name: str, content: bytes, host: str) -> bytes:
        """Make the links in the answer of a call ones that can be followed.

        Args:
            name: `PATCH /vehicles/{id}`.
            content: JSON that holds its answer.
            host: Name and port by which the client knows this server.
        """
        stream = self._calls[name].shows
        if not stream:
            return content
        return self._sandbox.links.fill(stream, guarded(stream, content), host)

    def resume(self) -> None:
        """Carry out what was queued when an earlier run ended. To be called inside the loop."""
        for action in self._sandbox.operations.unfinished():
            self._start(action, 0)

    def _answer(
        self, name: str, asked: Asked, request_id: str, facts: Record
    ) -> tuple[int, Record]:
        """Carry a write out, or queue it where the API itself does.

        Raises:
            Problem: The state of the world forbids it.
        """
        call, sandbox = self._calls[name], self._sandbox
        if not call.is_queued(sandbox, asked):
            return self._carry_out(name, asked, request_id, facts)
        call.check(sandbox, asked)
        handling = Handling(sandbox.rules.queue_milliseconds, queued=True)
        return self._queue(name, asked, request_id, facts, handling)

    def _carry_out(
        self, name: str, asked: Asked, request_id: str | None, facts: Record
    ) -> tuple[int, Record]:
        """Change the world.

        Returns:
            Status and answer.

        Raises:
            Problem: The state of the world forbids it.
        """
        call = self._calls[name]
        if call.posts:
            self._turn_month()
        outcome = call.carry_out(self._sandbox, asked)
        changes = self._completed(outcome)
        status, answer = outcome.status, outcome.answer
        told = {"status": status, "payload": asked.payload, "answer": answer, **facts}
        self._sandbox.ledger.commit(
            changes,
            self._sandbox.clock.now(),
            cause="api",
            request_id=request_id,
            write=(name, _named(asked) | told),
        )
        return status, answer

    def _turn_month(self) -> None:
        """Close the books of a month that is over, as time does, before something is posted."""
        now = self._sandbox.clock.now()
        turned = self._sandbox.office.turn_month(now // SECOND)
        if turned:
            self._sandbox.ledger.commit(turned, now, cause="live")

    def _completed(self, outcome: Outcome) -> Changes:
        """Add to what a write changes what follows from it: parts handed out, and events."""
        sandbox, changes = self._sandbox, outcome.changes
        now = sandbox.clock.now()
        counter = PartsCounter(sandbox, sandbox.source, lambda *_: None)
        changes = [*changes, *counter.follow(changes, now // SECOND)]
        changes += events.following(sandbox.numbers, changes, sandbox.ledger.record)
        if sandbox.rules.fractional_seconds and changes:
            for _, record in changes:
                record["updatedAt"] = render(now)
            if "updatedAt" in outcome.answer:
                outcome.answer["updatedAt"] = render(now)
        return changes

    def _note(self, action: Queued, facts: Record) -> None:
        """Put a step of an action, in which no record changes, into the history."""
        told = {"payload": action.asked.payload, "idempotencyKey": action.key, **facts}
        self._sandbox.ledger.commit(
            [],
            self._sandbox.clock.now(),
            cause="api",
            request_id=action.request_id,
            write=(action.call, _named(action.asked) | told),
        )

    def _queue(
        self, name: str, asked: Asked, request_id: str, facts: Record, handling: Handling
    ) -> tuple[int, Record]:
        key = facts["idempotencyKey"]
        number = self._sandbox.operations.next_id()
        action = Queued(number, name, asked, request_id, key, handling.fails)
        answer = {"operationId": action.operation_id}
        kept = {"host": asked.host} | ({"fails": True} if handling.fails else {})
        self._note(action, {"status": ACCEPTED, "answer": answer, **kept, **facts})
        self._sandbox.operations.add(action)
        self._start(action, handling.milliseconds)
        return ACCEPTED, answer

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
            _hold_up(action)
            _, action.result = self._carry_out(action.call, action.asked, action.request_id, facts)
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
        """Take approvals, announced files, keys and queued actions from the history."""
        operations, keys = self._sandbox.operations, self._sandbox.keys
        for entry in entries:
            facts: Record = decode(entry.body)
            if entry.key == APPROVE:
                self._sandbox.approvals.give(facts["payload"]["dealId"])
                continue
            _announced(self._sandbox, facts)
            if "operationId" in facts:
                action = operations.get(facts["operationId"])
                if "error" in facts:
                    self._fail(action, facts["error"])
                else:
                    action.status, action.result = "succeeded", facts["answer"]
                continue
            key = facts.get("idempotencyKey")
            if facts["status"] == ACCEPTED:
                operations.add(_queued(entry, facts))
            if key:
                body = encode(facts["answer"])
                keys.keep(key, Kept(entry.at, facts["fingerprint"], facts["status"], body))

    def _response(
        self,
        name: str,
        status: int,
        content: bytes,
        host: str,
        headers: dict[str, str] | None = None,
    ) -> Response:
        return Response(self.shown(name, content, host), status, headers, JSON)


def _hold_up(action: Queued) -> None:
    """Let an action come to nothing that a fault has marked.

    Raises:
        Problem: 500.
    """
    if action.fails:
        raise Problem(500, "The action came to nothing.", "operation_failed")


def _named(asked: Asked) -> Record:
    """Say which record a write is to, if its path does."""
    return {"id": asked.key} if asked.key else {}


def _queued(entry: Entry, facts: Record) -> Queued:
    """Make the action that an entry of the history tells of."""
    asked = Asked(facts["payload"], facts.get("id", ""), facts.get("host", ""))
    return Queued(
        facts["answer"]["operationId"],
        entry.key,
        asked,
        entry.request_id,
        facts["idempotencyKey"],
        facts.get("fails", False),
    )


def _announced(sandbox: Sandbox, facts: Record) -> None:
    """Expect again a file that was announced in an earlier run; its link has ended with that."""
    answer = facts.get("answer") or {}
    if "uploadUrl" in answer:
        expires = parse(answer["expiresAt"])
        sandbox.uploads.announce(answer["attachmentId"], facts["payload"], expires)
