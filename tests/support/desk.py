"""What somebody at a desk of the dealership writes, for tests of the calls that write."""

from __future__ import annotations

import itertools
import typing as t

from automate_sandbox.resources import resources
from support.books import Books
from support.visitor import error_of

if t.TYPE_CHECKING:
    import requests

    from support.visitor import Shop, Visitor

    Record = dict[str, t.Any]

serial = itertools.count(1)


class Desk:
    """Writes through a visitor, each thing another one.

    Args:
        guest: Logged in.
    """

    def __init__(self, guest: Visitor) -> None:
        self.guest = guest
        self._vehicles = iter(
            v
            for v in guest.all("/vehicles", status="in_stock")
            if v["salePrice"] and v["salePrice"] < v["listPrice"]
        )
        self.customer: Record = next(
            c
            for c in guest.all("/customers", customerType="retail")
            if not c["mergedIntoCustomerId"] and not c["arAccountNumber"]
        )

    def vehicle(self) -> Record:
        """Take a vehicle in stock that no other deal of this desk has."""
        return next(self._vehicles)

    def deal(self, profit: int = 2_000, *, financed: bool = True) -> Record:
        """Pencil a deal with so much of a front gross, in dollars, and read it."""
        vehicle = self.vehicle()
        body: Record = {
            "referenceId": f"desk-{next(serial)}",
            "customerId": self.customer["customerId"],
            "vehicle": {"vin": vehicle["vin"]},
            "pricing": {"salePrice": float(vehicle["cost"] + profit)},
        }
        if financed:
            body["finance"] = {
                "cashDown": 1500,
                "termMonths": 60,
                "aprPercent": 5.5,
                "lenderCode": "AFC",
            }
        answer = self.guest.post("/deals", body)
        assert answer.status_code == 201, answer.text
        return self.read(f"/deals/{answer.json()['dealId']}")

    def lead(self, deal: Record, *steps: str) -> Record:
        """Lead a deal through steps, a second or more apart, and read what it has become."""
        status = deal["status"]
        for step in steps:
            self.guest.shop.pass_time(1)
            answer = self.step(f"/deals/{deal['dealId']}", step, status)
            assert answer.status_code == 200, answer.text
            status = step
        return self.read(f"/deals/{deal['dealId']}")

    def step(self, path: str, status: str, expected: str, **more: str) -> requests.Response:
        """Ask for one step of a deal or a repair order."""
        body = {"status": status, "expectedStatus": expected, **more}
        return self.guest.post(f"{path}/status", body)

    def appointment(self, **more: t.Any) -> Record:  # noqa: ANN401 - JSON
        """Book an appointment and read it."""
        body = {
            "customerId": self.customer["customerId"],
            "vin": "1M8GDM9AXKP042788",
            "appointmentTime": "2027-03-09T08:30:00-05:00",
            "concern": "Brakes squeal",
            "opCodes": [{"code": "22BRK", "description": "Front brakes", "laborHours": 1.8}],
            **more,
        }
        answer = self.guest.post("/service/appointments", body)
        assert answer.status_code == 201, answer.text
        return self.read(f"/service/appointments/{answer.json()['appointmentId']}")

    def order(self, **more: t.Any) -> Record:  # noqa: ANN401 - JSON
        """Open a repair order and read it."""
        body = {
            "externalId": f"ro-{next(serial)}",
            "customerId": self.customer["customerId"],
            "vin": "1M8GDM9AXKP042788",
            **more,
        }
        answer = self.guest.post("/service/repair-orders", body)
        assert answer.status_code == 201, answer.text
        return self.read(f"/service/repair-orders/{answer.json()['repairOrderId']}")

    def work(self, order: Record, *steps: str) -> Record:
        """Lead a repair order through steps, those that are queued to their end, and read it."""
        path, status = f"/service/repair-orders/{order['repairOrderId']}", order["status"]
        for step in steps:
            answer = self.step(path, step, status)
            assert answer.status_code in {200, 202}, answer.text
            if answer.status_code == 202:
                assert self.end(answer)["status"] == "succeeded"
            status = step
        return self.read(path)

    def end(self, answer: requests.Response) -> Record:
        """Let the time of a queued action pass, and read how it has ended."""
        path = f"/operations/{answer.json()['operationId']}"
        while True:
            operation = self.read(path)
            if operation["status"] in {"succeeded", "failed"}:
                return operation
            self.guest.shop.pass_time(1)

    def read(self, path: str) -> Record:
        """Read a record as it is."""
        answer = self.guest.get(path)
        assert answer.status_code == 200, answer.text
        record: Record = answer.json()
        return record


def refusal(answer: requests.Response) -> tuple[int, str, str, str | None]:
    """Say in short how a write was refused: status, code, field, and what the DMS holds."""
    error = error_of(answer)
    detail = (error["details"] or [{}])[0]
    return answer.status_code, error["code"], detail.get("field", ""), detail.get("current")


def books_of(shop: Shop) -> Books:
    """Open the books of a served world."""
    made = {
        stream: {resource.key_of(record): record for record in shop.records(stream)}
        for stream, resource in resources().items()
    }
    return Books(made)


def writes_since(shop: Shop, seq: int) -> list[Record]:
    """List the accepted writes after an entry of the history."""
    return [entry for entry in shop.control(f"history?since={seq}") if entry["stream"] is None]
