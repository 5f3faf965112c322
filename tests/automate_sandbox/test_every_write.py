"""What holds for every call that writes: keys, faults, operations, entitlements, history."""

from __future__ import annotations

import hashlib
import typing as t

import pytest
import requests
from support.desk import Desk, refusal, serial, writes_since
from support.visitor import Visitor, serving, visiting

from automate_sandbox import contract_file
from automate_sandbox.writing import HANDLERS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Record = dict[str, t.Any]

CUT: t.Final = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
DATA: t.Final = b"picture"
QUEUED: t.Final = 202


class Write(t.NamedTuple):
    """A request that writes: method, path, body, and the stream of the records it changes."""

    method: str
    path: str
    body: Record | None
    stream: str

    def send(self, guest: Visitor, key: str | None = None) -> requests.Response:
        headers = {"Idempotency-Key": key} if key else {}
        body = {} if self.body is None else {"json": self.body}
        return guest.send(self.method, self.path, headers=headers, **body)


def customer(_: Desk) -> Write:
    body = {"externalId": f"every-{next(serial)}", "lastName": "Every"}
    return Write("POST", "/customers", body | {"customerType": "lead"}, "customers")


def deal(desk: Desk) -> Write:
    vin = desk.vehicle()["vin"]
    body = {"customerId": desk.customer["customerId"], "vehicle": {"vin": vin}}
    return Write("POST", "/deals", body, "deals")


def appointment(desk: Desk) -> Write:
    body = {
        "customerId": desk.customer["customerId"],
        "vin": "1M8GDM9AXKP042788",
        "appointmentTime": "2027-03-09T08:30:00-05:00",
    }
    return Write("POST", "/service/appointments", body, "service_appointments")


def vehicle(desk: Desk) -> Write:
    key = desk.vehicle()["vehicleId"]
    return Write("PATCH", f"/vehicles/{key}", {"comments": f"{next(serial)}"}, "vehicles")


def photos(desk: Desk) -> Write:
    body = {"photos": [{"url": f"https://img.example.com/{next(serial)}"}]}
    return Write("PUT", f"/vehicles/{desk.vehicle()['vehicleId']}/photos", body, "vehicles")


def deal_status(desk: Desk) -> Write:
    body = {"status": "contracted", "expectedStatus": "penciled"}
    return Write("POST", f"/deals/{desk.deal()['dealId']}/status", body, "deals")


def terms(desk: Desk) -> Write:
    return Write(
        "PATCH", f"/deals/{desk.deal()['dealId']}", {"finance": {"aprPercent": 4}}, "deals"
    )


def change(desk: Desk) -> Write:
    path = f"/service/appointments/{desk.appointment()['appointmentId']}"
    return Write("PATCH", path, {"status": "confirmed"}, "service_appointments")


def order(desk: Desk) -> Write:
    body = {
        "externalId": f"every-{next(serial)}",
        "customerId": desk.customer["customerId"],
        "vin": "1M8GDM9AXKP042788",
    }
    return Write("POST", "/service/repair-orders", body, "repair_orders")


def order_status(desk: Desk) -> Write:
    path = f"/service/repair-orders/{desk.order()['repairOrderId']}/status"
    body = {"status": "in_progress", "expectedStatus": "open"}
    return Write("POST", path, body, "repair_orders")


def inspection(desk: Desk) -> Write:
    path = f"/service/repair-orders/{desk.order()['repairOrderId']}/inspection"
    body = {"lineId": "L01", "inspection": [{"item": "tires", "result": "green"}]}
    return Write("PUT", path, body, "repair_orders")


def announcement(desk: Desk) -> Write:
    body = {
        "entityType": "vehicle",
        "entityId": desk.vehicle()["vehicleId"],
        "fileName": "front.png",
        "contentType": "image/png",
        "size": len(DATA),
        "sha256": hashlib.sha256(DATA).hexdigest(),
    }
    return Write("POST", "/attachments", body, "")


def completion(desk: Desk) -> Write:
    upload = announcement(desk).send(desk.guest).json()
    headers = upload["uploadHeaders"]
    sent = desk.guest.http.put(upload["uploadUrl"], data=DATA, headers=headers, timeout=30)
    assert sent.status_code == 200
    return Write("POST", f"/attachments/{upload['attachmentId']}/complete", None, "attachments")


WRITES: t.Final[dict[str, Callable[[Desk], Write]]] = {
    "upsertCustomer": customer,
    "createDeal": deal,
    "createAppointment": appointment,
    "changeVehicle": vehicle,
    "replaceVehiclePhotos": photos,
    "changeDealStatus": deal_status,
    "changeDealTerms": terms,
    "changeAppointment": change,
    "createRepairOrder": order,
    "changeRepairOrderStatus": order_status,
    "replaceInspection": inspection,
    "createAttachment": announcement,
    "completeAttachment": completion,
}
"""Operation of the contract to what makes a request for it that nobody refuses."""

every_write = pytest.mark.parametrize("name", WRITES)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for the whole file, with enough vehicles to take another one each time."""
    options = ("--vehicles", "700", "--days", "20", "--mfa-type", "none")
    with serving(tmp_path_factory.mktemp("shop"), *options) as shop, visiting(shop) as guest:
        yield Desk(guest)


@pytest.fixture
def desk(shared: Desk) -> Iterator[Desk]:
    yield shared
    shared.guest.shop.control("reset-faults", {})


def strike(write: Write, desk: Desk, kind: str, **fields: str | int) -> None:
    match = {"method": write.method, "path": write.path}
    desk.guest.shop.faults({"kind": kind, "match": match, "count": 1, **fields})


def seen(desk: Desk) -> int:
    seq: int = desk.guest.shop.stats()["lastSeq"]
    return seq


def versions(desk: Desk, since: int, write: Write) -> int:
    """Count the versions of the stream that a write is about."""
    history = desk.guest.shop.control(f"history?since={since}")
    return sum(1 for entry in history if entry["stream"] == write.stream)


def test_every_write_that_the_sandbox_serves_is_looked_at() -> None:
    assert WRITES.keys() == HANDLERS.keys()


@every_write
def test_a_write_that_comes_again_with_its_key_is_carried_out_once(desk: Desk, name: str) -> None:
    write, key = WRITES[name](desk), f"again-{name}"
    since = seen(desk)
    first, second = write.send(desk.guest, key), write.send(desk.guest, key)
    assert first.status_code in {200, 201}
    assert (second.status_code, second.headers["Idempotent-Replayed"]) == (
        first.status_code,
        "true",
    )
    assert len(writes_since(desk.guest.shop, since)) == 1
    assert versions(desk, since, write) == (1 if write.stream else 0)
    if write.body is not None:
        another = write._replace(body={**write.body, "fieldOfTomorrow": 1})
        assert refusal(another.send(desk.guest, key))[:2] == (422, "idempotency_key_reused")


@every_write
@pytest.mark.parametrize("kind", ["cut", "server_error"])
def test_a_write_whose_answer_is_lost_has_been_carried_out(
    desk: Desk, name: str, kind: str
) -> None:
    write, key = WRITES[name](desk), f"lost-{name}-{kind}"
    since = seen(desk)
    if kind == "cut":
        strike(write, desk, "cut", when="unanswered")
        with pytest.raises(CUT):
            write.send(desk.guest, key)
    else:
        strike(write, desk, "server_error", when="after", status=502)
        assert write.send(desk.guest, key).status_code == 502
    assert len(writes_since(desk.guest.shop, since)) == 1
    again = write.send(desk.guest, key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(writes_since(desk.guest.shop, since)) == 1


@every_write
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"kind": "server_error", "status": 503}, 503),
        ({"kind": "rate_limit"}, 429),
        ({"kind": "locked"}, 423),
        ({"kind": "conflict", "form": "duplicate"}, 409),
        ({"kind": "cut", "when": "before"}, None),
    ],
)
def test_a_write_that_a_fault_keeps_out_has_not_been_carried_out(
    desk: Desk, name: str, fault: Record, status: int | None
) -> None:
    write = WRITES[name](desk)
    since = seen(desk)
    strike(write, desk, **fault)
    if status is None:
        with pytest.raises(CUT):
            write.send(desk.guest)
    else:
        assert write.send(desk.guest).status_code == status
    assert seen(desk) == since


@every_write
def test_a_queued_write_is_told_by_its_operation(desk: Desk, name: str) -> None:
    write = WRITES[name](desk)
    since = seen(desk)
    strike(write, desk, "accepted", milliseconds=60_000)
    answer = write.send(desk.guest)
    assert answer.status_code == QUEUED
    assert versions(desk, since, write) == 0
    path = f"/operations/{answer.json()['operationId']}"
    assert desk.read(path)["status"] == "queued"
    desk.guest.shop.pass_time(60)
    operation = desk.end(answer)
    assert contract_file.validator("Operation").is_valid(operation)
    assert operation["status"] == "succeeded"
    assert versions(desk, since, write) == (1 if write.stream else 0)
    accepted, done = writes_since(desk.guest.shop, since)
    assert accepted["key"] == done["key"]
    assert accepted["write"].get("id") == done["write"].get("id")
    assert done["write"]["operationId"] == answer.json()["operationId"]


@every_write
def test_a_queued_write_can_come_to_nothing(desk: Desk, name: str) -> None:
    write, key = WRITES[name](desk), f"nothing-{name}"
    since = seen(desk)
    strike(write, desk, "failed_operation")
    operation = desk.end(write.send(desk.guest, key))
    assert contract_file.validator("Operation").is_valid(operation)
    assert (operation["status"], operation["result"]) == ("failed", None)
    assert operation["error"]["code"] == "operation_failed"
    assert versions(desk, since, write) == 0
    again = write.send(desk.guest, key)
    assert again.status_code in {200, 201}
    assert "Idempotent-Replayed" not in again.headers


@every_write
def test_the_answer_to_a_write_can_lack_the_name_of_its_record(desk: Desk, name: str) -> None:
    write = WRITES[name](desk)
    strike(write, desk, "lost_id")
    answer = write.send(desk.guest)
    assert answer.ok
    named = ("customerId", "dealId", "appointmentId", "repairOrderId", "vehicleId", "attachmentId")
    assert not set(named) & answer.json().keys()


def test_a_write_needs_the_entitlement_of_its_call(tmp_path: Path) -> None:
    options = ("--vehicles", "20", "--days", "5", "--mfa-type", "none", "--entitlements", "")
    with serving(tmp_path, *options) as shop, visiting(shop) as guest:
        before = shop.stats()["lastSeq"]
        for operation in contract_file.operations():
            if operation.operation_id in HANDLERS and operation.entitlements:
                path = operation.path.replace("{id}", "x")
                answer = guest.send(operation.method, path, json={})
                assert refusal(answer)[:2] == (403, "not_entitled")
        assert shop.stats()["lastSeq"] == before


def test_queued_and_failed_actions_outlive_the_server(tmp_path: Path) -> None:
    store = str(tmp_path / "world.sqlite")
    options = ("--vehicles", "60", "--days", "5", "--mfa-type", "none", "--store", store)
    with serving(tmp_path, *options) as shop, visiting(shop) as guest:
        desk = Desk(guest)
        answers: dict[str, requests.Response] = {}
        fails = {"changeVehicle", "changeDealTerms"}
        for name, make in WRITES.items():
            write = make(desk)
            kind = "failed_operation" if name in fails else "accepted"
            strike(write, desk, kind, milliseconds=3_600_000)
            answers[name] = write.send(guest)
        shop.kill()
    again = ("--mfa-type", "none", "--store", store)
    with serving(tmp_path, *again) as shop, visiting(shop) as guest:
        ends = {name: Desk(guest).end(answer)["status"] for name, answer in answers.items()}
    assert {name for name, status in ends.items() if status == "failed"} == fails
