"""Time goes on: prices change, customers come, deals and repair orders take their steps."""

from __future__ import annotations

import asyncio
import logging
import random
import typing as t
from collections import deque

from automate_sandbox.instants import SECOND, render
from automate_sandbox.money import Record
from automate_sandbox.office import Office
from automate_sandbox.parts_counter import PartsCounter
from automate_sandbox.world import appointments, attachments, deals, events, service
from automate_sandbox.world.calendar import DAY
from automate_sandbox.world.customers import edit_customer, make_customer, merge_customer
from automate_sandbox.world.numbers import Source
from automate_sandbox.world.op_codes import change_op_code
from automate_sandbox.world.vehicles import age_in_stock, reprice

if t.TYPE_CHECKING:
    from automate_sandbox.sandbox import Sandbox
    from automate_sandbox.world.rooftops import Rooftop

Changes = list[tuple[str, Record]]
"""Stream and new version."""

TICK: t.Final = 0.02
"""Seconds between two looks at how many changes are due."""

TRIES: t.Final = 40
"""Rows that are looked at before an action is given up."""

REMEMBERED: t.Final = 200

logger = logging.getLogger(__name__)


class Live:
    """Changes records at a steady rate; what it chooses follows from the seed.

    Attributes:
        rate: Changed records a second; 0 stands still.
        changed: Records changed so far.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        """Stand still until a rate is set.

        Args:
            sandbox: Whose world moves.
        """
        self.rate = 0
        self.changed = 0
        self._sandbox = sandbox
        self._rng = random.Random(f"live/{sandbox.seed}")  # noqa: S311 - no secret
        self._source = Source(self._rng, sandbox.numbers)
        self._office = Office(sandbox, self._source, self._pick)
        self._parts = PartsCounter(sandbox, self._source, self._pick)
        self._delivered: deque[tuple[str, str]] = deque(maxlen=REMEMBERED)
        self._task: asyncio.Task[None] | None = None
        self._actions: dict[t.Callable[[int], Changes], int] = {
            self._reprice: 50,
            self._new_customer: 6,
            self._edit_customer: 10,
            self._new_deal: 8,
            self._advance_deal: 12,
            self._unwind_deal: 1,
            self._book: 3,
            self._change_appointment: 3,
            self._write_up: 5,
            self._advance_order: 8,
            self._office.deposit: 2,
            self._office.pay_account: 1,
            self._office.revise_recap: 1,
            self._office.back_date: 1,
            self._parts.receive: 3,
            self._parts.sell: 2,
            self._parts.end: 2,
            self._merge_customers: 1,
            self._change_op_code: 1,
            self._attach: 2,
        }

    def set_rate(self, rate: int) -> None:
        """Change the rate; 0 stops. To be called inside the event loop."""
        self.rate = rate
        if rate and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        elif not rate and self._task is not None:
            self._task.cancel()
            self._task = None

    def step(self) -> int:
        """Do one thing now.

        Returns:
            How many records it changed, apart from what the end of a month has closed.
        """
        now = self._sandbox.clock.now()
        turned = self._office.turn_month(now // SECOND)
        if turned:
            self._commit(turned, now)
        changes: Changes = []
        while not changes:
            action = self._rng.choices(tuple(self._actions), tuple(self._actions.values()))[0]
            changes = action(now // SECOND)
        changes += self._parts.follow(changes, now // SECOND)
        ledger = self._sandbox.ledger
        changes += list(events.following(self._sandbox.numbers, changes, ledger.record))
        self._commit(changes, now)
        return len(changes)

    def _commit(self, changes: Changes, now: int) -> None:
        if self._sandbox.rules.fractional_seconds:
            for _, record in changes:
                record["updatedAt"] = render(now)
        self._sandbox.ledger.commit(changes, now, cause="live")
        self.changed += len(changes)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due, then = 0.0, loop.time()
        while True:
            await asyncio.sleep(TICK)
            now = loop.time()
            due, then = min(due + (now - then) * self.rate, self.rate + 1.0), now
            while due >= 1:
                try:
                    due -= self.step()
                except Exception:
                    logger.exception("A live change failed; nothing changes any more")
                    self.rate, self._task = 0, None
                    return

    def _pick(
        self, stream: str, parameter: str = "", wanted: frozenset[str] = frozenset()
    ) -> Record | None:
        """Choose a record, among those whose filter value is wanted."""
        table = self._sandbox.ledger.tables[stream]
        position = table.resource.filters[parameter].position if parameter else 0
        for _ in range(TRIES if table.by_time else 0):
            _, key = table.by_time[self._rng.randrange(len(table.by_time))]
            if not parameter or table.rows[key].values[position] in wanted:
                return self._sandbox.ledger.record(stream, key)
        return None

    def _rooftop(self) -> Rooftop:
        return self._rng.choice(list(self._sandbox.rooftops.values()))

    def _reprice(self, at: int) -> Changes:
        vehicle = self._pick("vehicles", "status", frozenset({"in_stock"}))
        if vehicle is None:
            return []
        reprice(self._rng, vehicle, at)
        age_in_stock(vehicle, self._sandbox.rooftop(vehicle["rooftopId"]), at)
        return [("vehicles", vehicle)]

    def _new_customer(self, at: int) -> Changes:
        return [("customers", make_customer(self._rng, self._sandbox.numbers, self._rooftop(), at))]

    def _edit_customer(self, at: int) -> Changes:
        customer = self._pick("customers")
        if customer is None or customer["mergedIntoCustomerId"]:
            return []
        edit_customer(self._rng, customer, at)
        return [("customers", customer)]

    def _merge_customers(self, at: int) -> Changes:
        """Merge two of the dealer's own customers; those of other systems are left to them."""
        pair = self._pick("customers"), self._pick("customers")
        ids = {each["customerId"] for each in pair if each and not each["mergedIntoCustomerId"]}
        merged, survivor = pair
        if merged is None or survivor is None or len(ids) < len(pair) or merged["externalId"]:
            return []
        merge_customer(merged, survivor["customerId"], at)
        return [("customers", merged)]

    def _new_deal(self, at: int) -> Changes:
        vehicle = self._pick("vehicles", "status", frozenset({"in_stock"}))
        buyer = self._pick("customers", "customerType", frozenset({"retail", "fleet"}))
        if vehicle is None or buyer is None or buyer["mergedIntoCustomerId"]:
            return []
        rooftop = self._sandbox.rooftop(vehicle["rooftopId"])
        customer = (buyer["customerId"], bool(buyer["taxExempt"]))
        return [
            (
                "deals",
                deals.pencil(self._source, rooftop, vehicle, customer, at),
            )
        ]

    def _advance_deal(self, at: int) -> Changes:
        deal = self._pick("deals", "status", frozenset({"penciled", "contracted", "delivered"}))
        if deal is None:
            return []
        rooftop = self._sandbox.rooftop(deal["rooftopId"])
        vehicle = self._sandbox.ledger.record("vehicles", deal["vehicle"]["vehicleId"])
        if deal["status"] == "delivered":
            entries = deals.finalize(self._sandbox.numbers, rooftop, deal, at)
            return [("deals", deal), *(("gl_entries", entry) for entry in entries)]
        if vehicle is None or vehicle["status"] != "in_stock":
            deals.lose(deal, at)
            return [("deals", deal), *self._office.refund(deal, at)]
        if deal["status"] == "penciled":
            deals.contract(deal, rooftop, at)
            return [("deals", deal), *self._office.contract(deal, vehicle["cost"], at)]
        sale = deals.deliver(self._sandbox.numbers, rooftop, deal, vehicle, (at, None))
        self._delivered.append((deal["dealId"], sale.entry["journalEntryId"]))
        return [
            ("deals", deal),
            ("vehicles", vehicle),
            ("gl_entries", sale.entry),
            *self._office.deliver(deal, vehicle["cost"], at),
        ]

    def _unwind_deal(self, at: int) -> Changes:
        """Take back a deal that was delivered while the sandbox runs."""
        if not self._delivered:
            return []
        deal_id, entry_id = self._delivered.popleft()
        ledger = self._sandbox.ledger
        deal, entry = ledger.record("deals", deal_id), ledger.record("gl_entries", entry_id)
        vehicle = ledger.record("vehicles", deal["vehicle"]["vehicleId"]) if deal else None
        if not (deal and entry and vehicle) or deal["status"] not in {"delivered", "finalized"}:
            return []
        rooftop = self._sandbox.rooftop(deal["rooftopId"])
        entries = deals.unwind(self._source, rooftop, deals.Sale(deal, vehicle, entry), at)
        return [
            ("deals", deal),
            ("vehicles", vehicle),
            ("gl_entries", entry),
            *(("gl_entries", each) for each in entries),
            *self._office.unwind(deal, at),
        ]

    def _change_op_code(self, at: int) -> Changes:
        op_code = self._pick("op_codes")
        if op_code is None:
            return []
        change_op_code(self._rng, op_code, at)
        return [("op_codes", op_code)]

    def _attach(self, at: int) -> Changes:
        stream = self._rng.choice(tuple(attachments.KEYS))
        record = self._pick(stream)
        if record is None:
            return []
        attached = attachments.attach(self._rng, self._sandbox.numbers, (stream, record), at)
        return [("attachments", attached)]

    def _visitor(self) -> tuple[Rooftop, service.Car] | None:
        """Choose who brings a car, and to which shop."""
        owner = self._pick("customers", "customerType", frozenset({"retail", "fleet"}))
        if owner is None or owner["mergedIntoCustomerId"]:
            return None
        car = service.foreign_car(self._rng, owner["customerId"])
        return self._sandbox.rooftop(owner["rooftopId"]), car

    def _book(self, at: int) -> Changes:
        visitor = self._visitor()
        if visitor is None:
            return []
        rooftop, car = visitor
        times = at, at + self._rng.randrange(DAY, 9 * DAY)
        booked = appointments.book(self._rng, self._sandbox.numbers, rooftop, car, times)
        return [("service_appointments", booked)]

    def _change_appointment(self, at: int) -> Changes:
        wanted = frozenset({"scheduled", "confirmed"})
        appointment = self._pick("service_appointments", "status", wanted)
        if appointment is None:
            return []
        confirmed = appointment["status"] == "confirmed"
        (appointments.cancel if confirmed else appointments.confirm)(appointment, at)
        return [("service_appointments", appointment)]

    def _write_up(self, at: int) -> Changes:
        visitor = self._visitor()
        if visitor is None:
            return []
        rooftop, car = visitor
        order = service.write_up(self._rng, self._sandbox.numbers, rooftop, car, at)
        return [("repair_orders", order)]

    def _advance_order(self, at: int) -> Changes:
        wanted = frozenset(
            {"open", "in_progress", "waiting_parts", "on_hold", "completed", "partially_closed"}
        )
        order = self._pick("repair_orders", "status", wanted)
        if order is None:
            return []
        if order["status"] == "open":
            service.begin(order, at)
        elif order["status"] in {"in_progress", "waiting_parts", "on_hold"}:
            service.complete(order, at)
        else:
            rooftop = self._sandbox.rooftop(order["rooftopId"])
            pay_type = service.open_pay_types(order)[0]
            entry = service.close(self._sandbox.numbers, rooftop, order, pay_type, at)
            paid = self._office.collect(order, at) if pay_type == "customer_pay" else []
            return [("repair_orders", order), ("gl_entries", entry), *paid]
        return [("repair_orders", order)]
