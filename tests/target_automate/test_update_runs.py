"""Changes sent in this process to a DMS that answers as the test says, by the test's own clock."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from support.clock import FakeClock
from support.dms import Canned, FakeDms
from support.intents import new
from support.running import finish, running, states

from automate_api.errors import NotEntitledError, UnsettledError
from target_automate.journal.intents import Cause, State
from target_automate.sending.settlement import CONFLICTS
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.dms import Seen

    from target_automate.journal.intents import Intent
    from target_automate.running.run import Run

STATUSES, PRICES, DEALS = map(by_object, ("deal_statuses", "vehicle_prices", "deals"))
STEP: t.Final = "POST /deals/deal_1/status"
PRICE: t.Final = "PATCH /vehicles/veh_1"
NOON: t.Final = "2026-09-21T12:00:00Z"
LATER: t.Final = "2026-09-21T12:00:05Z"


class Holding(FakeDms):
    """A DMS with one deal and one vehicle, which its script may refuse to change.

    Attributes:
        deal: The deal.
        vehicle: The vehicle.
        lags_until: Until then reads show the deal as it was at first.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.deal: dict[str, t.Any] = {
            "dealId": "deal_1",
            "referenceId": "web-1",
            "status": "penciled",
            "updatedAt": NOON,
        }
        self.vehicle: dict[str, t.Any] = {
            "vehicleId": "veh_1",
            "vin": "1HG",
            "salePrice": 28000,
            "comments": "as new",
            "updatedAt": NOON,
        }
        self.lags_until = 0.0
        self._first = dict(self.deal)
        super().__init__(totp=False, clock=clock.time)

    def handle(self, seen: Seen) -> Canned:
        """Answer with the records, and change them, where the script says nothing else."""
        call = f"{seen.method} {seen.path}"
        if not self.script.get(call):
            deal = self._first if self.clock() < self.lags_until else self.deal
            for path, record in (("/deals", deal), ("/vehicles", self.vehicle)):
                if seen.method == "GET" and seen.path.startswith(f"{path}/"):
                    self.answer(call, Canned(200, record))
                elif call == f"GET {path}":
                    items = {"items": [record], "page": 1, "pageSize": 50, "total": 1}
                    self.answer(call, Canned(200, items))
            if call == STEP and seen.body["expectedStatus"] != self.deal["status"]:
                self.answer(call, conflict(self.deal["status"]))
            elif call == STEP:
                self.deal |= {"status": seen.body["status"], "updatedAt": LATER}
                self.answer(call, Canned(200, self.deal))
            elif call == PRICE:
                self.vehicle |= {"salePrice": seen.body["salePrice"], "updatedAt": LATER}
                self.answer(call, Canned(200, self.vehicle))
        return super().handle(seen)

    def sent(self, call: str) -> list[dict[str, t.Any]]:
        """List the bodies that came to a call."""
        method, path = call.split()
        return [seen.body for seen in self.calls(method, path)]

    def keys(self, call: str) -> list[str]:
        """List the idempotency keys that came to a call."""
        method, path = call.split()
        return [seen.headers["Idempotency-Key"] for seen in self.calls(method, path)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def dms(clock: FakeClock) -> Iterator[Holding]:
    with Holding(clock) as serving:
        yield serving


def step(status: str = "contracted", **fields: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - JSON
    return {"dealId": "deal_1", "status": status, **fields}


def price(amount: int = 27000, **fields: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - JSON
    return {"vehicleId": "veh_1", "salePrice": amount, **fields}


def conflict(current: str, code: str = "status_conflict") -> Canned:
    detail = {"field": "expectedStatus", "message": "no", "current": current}
    return Canned(409, {"error": {"code": code, "message": "no", "details": [detail]}})


def the_one(run: Run) -> Intent:
    (kept,) = run.journal.having({*State})
    return kept


def test_a_step_is_sent_with_the_status_that_was_read_and_keeps_the_version_it_made(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    with running(dms, clock, tmp_path) as run:
        run.take(STATUSES, step())
        finish(run)
        kept = the_one(run)
        assert (kept.state, kept.dms_id) == (State.ACKED, "deal_1")
        assert kept.guard is not None
        assert (kept.guard["status"], kept.guard["updatedAt"]) == ("penciled", NOON)
        assert run.journal.versions(kept.lane) == {LATER: kept.guard}
    assert dms.sent(STEP) == [{"status": "contracted", "expectedStatus": "penciled"}]


def test_a_conflict_with_the_wanted_status_is_what_was_wanted(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer(STEP, conflict("contracted"))
    with running(dms, clock, tmp_path) as run:
        run.take(STATUSES, step())
        finish(run)
        kept = the_one(run)
        assert (kept.state, kept.dms_id) == (State.ACKED, "deal_1")
    assert len(dms.sent(STEP)) == 1


def test_a_conflict_with_a_status_further_on_is_superseded_and_says_so(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer(STEP, conflict("delivered"))
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        run.take(STATUSES, step())
        finish(run)
        kept = the_one(run)
        assert (kept.state, kept.cause) == (State.REJECTED, Cause.SUPERSEDED)
        assert kept.reason == "it is further on; the DMS holds status delivered"
    assert len(dms.sent(STEP)) == 1


def test_a_conflict_with_a_status_before_it_is_read_and_sent_anew_under_another_key(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    def meanwhile() -> None:
        dms.deal |= {"status": "pending", "updatedAt": LATER}

    refusal = conflict("pending")
    dms.answer(STEP, Canned(refusal.status, refusal.body, before=meanwhile))
    with running(dms, clock, tmp_path) as run:
        run.take(STATUSES, step())
        finish(run)
        assert states(run) == [State.ACKED]
    assert [body["expectedStatus"] for body in dms.sent(STEP)] == ["penciled", "pending"]
    first, second = dms.keys(STEP)
    assert first != second, "the server would answer the old key with the old refusal"


def test_a_price_that_somebody_changes_between_reading_and_sending_is_not_overwritten(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    def meanwhile() -> None:
        dms.vehicle |= {"salePrice": 26000, "updatedAt": LATER}

    refusal = conflict(LATER, "version_conflict")
    dms.answer(PRICE, Canned(refusal.status, refusal.body, before=meanwhile))
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        run.take(PRICES, price())
        finish(run)
        kept = the_one(run)
        assert (kept.state, kept.cause) == (State.REJECTED, Cause.SUPERSEDED)
        assert kept.reason == (
            "somebody has changed it since it was read first; the DMS holds salePrice 26000, "
            f"changed at {LATER}"
        )
    assert dms.sent(PRICE) == [{"salePrice": 27000, "ifUpdatedAt": NOON}]


def test_a_price_goes_on_where_somebody_changes_another_field_meanwhile(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    def meanwhile() -> None:
        dms.vehicle |= {"comments": "sold as seen", "updatedAt": LATER}

    refusal = conflict(LATER, "version_conflict")
    dms.answer(PRICE, Canned(refusal.status, refusal.body, before=meanwhile))
    with running(dms, clock, tmp_path) as run:
        run.take(PRICES, price())
        finish(run)
        assert states(run) == [State.ACKED]
    assert [body["ifUpdatedAt"] for body in dms.sent(PRICE)] == [NOON, LATER]
    assert len({*dms.keys(PRICE)}) == 2


def test_a_dms_that_always_holds_something_else_is_given_up_with_what_it_says(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer(STEP, *[conflict("pending")] * (CONFLICTS + 9))
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        run.take(STATUSES, step())
        finish(run)
        kept = the_one(run)
        assert (kept.state, kept.cause) == (State.REJECTED, Cause.SUPERSEDED)
        assert (kept.reason or "").endswith("the DMS holds pending)")
    assert len(dms.sent(STEP)) == CONFLICTS + 1


def test_what_is_read_late_is_waited_for_as_long_as_writes_take_to_be_seen(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    """The DMS judges by what it holds, and its reads show what it held a while ago."""
    dms.deal |= {"status": "pending"}
    dms.lags_until = clock.time() + 50
    with running(dms, clock, tmp_path, cooldown_seconds=60) as run:
        run.take(STATUSES, step())
        finish(run)
        assert states(run) == [State.ACKED]
    assert dms.deal["status"] == "contracted"


@pytest.mark.parametrize(
    ("sink", "record", "call"), [(STATUSES, step(), STEP), (PRICES, price(), PRICE)]
)
def test_a_change_whose_outcome_is_unknown_is_sent_again_as_it_was_where_keys_are_honoured(  # noqa: PLR0913, PLR0917 - fixtures
    dms: Holding,
    clock: FakeClock,
    tmp_path: Path,
    sink: t.Any,  # noqa: ANN401 - a sink
    record: dict[str, t.Any],
    call: str,
) -> None:
    dms.answer(call, Canned(500), Canned(cut="before"))
    with running(dms, clock, tmp_path, idempotency_honoured="honoured") as run:
        run.take(sink, record)
        finish(run)
        assert states(run) == [State.ACKED]
    first, *others = zip(dms.sent(call), dms.keys(call), strict=True)
    assert others == [first] * 2


def test_an_unknown_price_is_sent_again_as_it_was_once_its_first_attempt_would_be_seen(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer(PRICE, Canned(500))
    with running(dms, clock, tmp_path, idempotency_honoured="ignored", cooldown_seconds=60) as run:
        run.take(PRICES, price())
        finish(run)
        assert states(run) == [State.ACKED]
    assert dms.sent(PRICE) == [{"salePrice": 27000, "ifUpdatedAt": NOON}] * 2
    assert sum(clock.waits) >= 60


def test_an_unknown_price_that_has_arrived_is_found_and_not_sent_again(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    def arrive() -> None:
        dms.vehicle |= {"salePrice": 27000, "updatedAt": LATER}

    dms.answer(PRICE, Canned(500, before=arrive))
    with running(dms, clock, tmp_path, idempotency_honoured="ignored") as run:
        run.take(PRICES, price())
        finish(run)
        assert states(run) == [State.ACKED]
    assert len(dms.sent(PRICE)) == 1


@pytest.mark.parametrize("keys", ["ignored", "honoured"])
def test_an_unknown_price_over_which_somebody_wrote_another_is_left_alone(
    dms: Holding, clock: FakeClock, tmp_path: Path, keys: str
) -> None:
    def overwrite() -> None:
        dms.vehicle |= {"salePrice": 26000, "updatedAt": LATER}

    dms.answer(PRICE, Canned(500, before=overwrite))
    settings = {"idempotency_honoured": keys, "max_reject_percent": 100}
    with running(dms, clock, tmp_path, **settings) as run:
        run.take(PRICES, price())
        finish(run)
        assert the_one(run).cause is Cause.SUPERSEDED
    assert len(dms.sent(PRICE)) == 1


def test_an_unknown_step_is_sent_again_without_a_wait_since_the_dms_holds_it_to_the_status(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer(STEP, Canned(500), Canned(500))
    with running(dms, clock, tmp_path, idempotency_honoured="ignored", cooldown_seconds=60) as run:
        run.take(STATUSES, step())
        finish(run)
        assert states(run) == [State.ACKED]
    assert dms.sent(STEP) == [{"status": "contracted", "expectedStatus": "penciled"}] * 3
    assert sum(clock.waits) < 30


def test_a_step_that_an_earlier_run_sent_is_finished_by_its_guard(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    """The run was killed after it sent the step, and before it knew what came of it."""
    with running(dms, clock, tmp_path) as run:
        body = step("delivered")
        number = run.journal.add(new("deal_statuses", "dealId:deal_1", payload=body), 0.0)
        guard = {"status": "contracted", "updatedAt": NOON, "seen": ""}
        sent = {"guard": guard, "attempts": 1, "sent_at": clock.time(), "resolved": "deal_1"}
        run.journal.change(number, State.SENT, 0.0, first_sent_at=clock.time(), **sent)
    dms.deal |= {"status": "delivered"}
    with running(dms, clock, tmp_path, idempotency_honoured="ignored") as run:
        assert run.recover() == 1
        finish(run)
        assert states(run) == [State.ACKED]
    assert dms.sent(STEP) == []


LOCKED: t.Final = Canned(423, {"error": {"code": "approval_pending", "message": "no"}})


def test_what_waits_for_an_approval_of_the_dms_is_tried_once_a_run_and_nothing_passes_it(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    dms.deal |= {"status": "contracted"}
    dms.answer(STEP, LOCKED, LOCKED)
    for number in (1, 2):
        with running(dms, clock, tmp_path) as run:
            run.recover()
            run.take(STATUSES, step("delivered"))
            run.take(STATUSES, step("finalized"))
            run.state(number)
            finish(run)
            assert run.passed_state() == number
            assert {*states(run)} == {State.WAITING_APPROVAL}
        assert [body["status"] for body in dms.sent(STEP)] == ["delivered"] * number
    with running(dms, clock, tmp_path) as run:
        run.recover()
        finish(run)
        assert {*states(run)} <= {State.ACKED, State.DROPPED}
    assert [body["status"] for body in dms.sent(STEP)] == ["delivered"] * 3 + ["finalized"]
    assert dms.deal["status"] == "finalized"


def test_an_operation_that_failed_for_want_of_an_approval_is_sent_anew_by_the_next_run(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    dms.deal |= {"status": "contracted"}
    dms.answer(STEP, Canned(202, {"operationId": "op_1"}))
    failed = {"status": "failed", "error": {"code": "approval_pending", "message": "no"}}
    dms.answer("GET /operations/op_1", Canned(200, failed))
    with running(dms, clock, tmp_path) as run:
        run.take(STATUSES, step("delivered"))
        finish(run)
        kept = the_one(run)
        assert (kept.state, kept.operation_id) == (State.WAITING_APPROVAL, None)
    with running(dms, clock, tmp_path) as run:
        run.recover()
        finish(run)
        assert states(run) == [State.ACKED]
    first, second = dms.keys(STEP)
    assert first != second


def test_an_operation_that_failed_over_what_the_dms_holds_is_judged_by_that(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    def meanwhile() -> None:
        dms.deal |= {"status": "pending", "updatedAt": LATER}

    dms.answer(STEP, Canned(202, {"operationId": "op_1"}))
    failed = {"status": "failed", "error": conflict("pending").body["error"]}
    dms.answer("GET /operations/op_1", Canned(200, failed, before=meanwhile))
    with running(dms, clock, tmp_path) as run:
        run.take(STATUSES, step())
        finish(run)
        assert states(run) == [State.ACKED]
    assert [body["expectedStatus"] for body in dms.sent(STEP)] == ["penciled", "pending"]


def test_a_record_that_this_login_may_not_read_is_not_changed_and_the_rest_goes_on(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer("GET /deals/deal_1", *[Canned(403, {"error": {"code": "not_entitled"}})] * 9)
    with running(dms, clock, tmp_path) as run:
        run.take(STATUSES, step())
        run.take(PRICES, price())
        with pytest.raises(NotEntitledError, match="a change is not sent unread, and the deal"):
            finish(run)
        assert states(run) == [State.PLANNED, State.ACKED]
    assert dms.sent(STEP) == []


def test_a_rule_about_what_the_dms_holds_holds_a_price_until_it_is_approved(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    rule = {"object": "vehicle_prices", "when": "salePrice < dms.salePrice * 0.9"}
    with running(dms, clock, tmp_path, approvals=[rule]) as run:
        run.take(PRICES, price(20000))
        finish(run)
        kept = the_one(run)
        assert kept.state is State.WAITING_APPROVAL
        run.journal.change(kept.id, State.WAITING_APPROVAL, 0.0, approved=True)
    assert dms.sent(PRICE) == []
    with running(dms, clock, tmp_path, approvals=[rule]) as run:
        run.recover()
        run.take(PRICES, price(26000))
        finish(run)
        assert states(run) == [State.ACKED, State.ACKED]
    assert [body["salePrice"] for body in dms.sent(PRICE)] == [20000, 26000]


@pytest.mark.parametrize("workers", [1, 8])
def test_writes_of_one_deal_go_in_the_order_in_which_they_came_behind_its_create(
    dms: Holding, clock: FakeClock, tmp_path: Path, workers: int
) -> None:
    dms.deal["referenceId"] = "another"
    dms.answer("POST /deals", Canned(201, {"dealId": "deal_1"}))
    named = {"dealId": None, "dealReferenceId": "web-1"}
    deal = {"referenceId": "web-1", "customerId": "cust_1", "vehicle": {"vin": "1HG"}}
    settings = {"lookup_before_create": "never", "workers": workers}
    with running(dms, clock, tmp_path, **settings) as run:
        run.take(STATUSES, step("contracted", **named))
        run.take(STATUSES, step("delivered", **named))
        run.take(DEALS, deal)
        run.take(STATUSES, step("finalized", **named))
        finish(run)
        assert {*states(run)} == {State.ACKED}
    calls = [seen for seen in dms.seen if seen.method == "POST" and seen.path != "/sessions"]
    assert [seen.path for seen in calls] == ["/deals", *["/deals/deal_1/status"] * 3]
    assert [(seen.body["expectedStatus"], seen.body["status"]) for seen in calls[1:]] == [
        *itertools.pairwise(["penciled", "contracted", "delivered", "finalized"])
    ]


def test_a_step_that_was_refused_stays_so_when_the_next_one_is_taken_and_a_price_gives_way(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    """Steps are told one by one; of a price only the last word counts."""
    no = Canned(422, {"error": {"code": "invalid", "message": "no"}})
    dms.answer(STEP, no)
    dms.answer(PRICE, no)
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        for sink, record in (
            (STATUSES, step("pending")),
            (PRICES, price(27000)),
            (STATUSES, step("contracted")),
            (PRICES, price(26000)),
        ):
            run.take(sink, record)
            run.work_off(run.look)
        finish(run)
        assert states(run) == [State.REJECTED, State.DROPPED, State.ACKED, State.ACKED]


def test_a_change_of_what_was_rejected_is_rejected_with_it(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    dms.deal["referenceId"] = "another"
    dms.answer("POST /deals", Canned(422, {"error": {"code": "invalid", "message": "no"}}))
    deal = {"referenceId": "web-1", "customerId": "cust_1", "vehicle": {"vin": "1HG"}}
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        run.take(STATUSES, step(dealId=None, dealReferenceId="web-1"))
        run.take(DEALS, deal)
        finish(run)
        step_kept, deal_kept = run.journal.having({*State})
        assert (step_kept.state, step_kept.cause) == (State.REJECTED, Cause.PARENT)
        assert step_kept.reason == "its deal is rejected (refused)"
        assert deal_kept.cause is Cause.REFUSED
    assert dms.sent(STEP) == []


def test_all_changes_of_what_was_rejected_go_when_it_is_corrected(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    dms.deal["referenceId"] = "another"
    refusal = Canned(422, {"error": {"code": "invalid", "message": "no"}})
    dms.answer("POST /deals", refusal, Canned(201, {"dealId": "deal_1"}))
    deal = {"referenceId": "web-1", "customerId": "cust_1", "vehicle": {"vin": "1HG"}}
    named = {"dealId": None, "dealReferenceId": "web-1"}
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        run.take(DEALS, deal)
        run.take(STATUSES, step("contracted", **named))
        run.take(STATUSES, step("delivered", **named))
        finish(run)
        assert {*states(run)} == {State.REJECTED}
    with running(dms, clock, tmp_path) as run:
        run.take(DEALS, deal | {"status": "penciled"})
        finish(run)
        assert states(run) == [State.DROPPED, State.ACKED, State.ACKED, State.ACKED]
    assert [body["status"] for body in dms.sent(STEP)] == ["contracted", "delivered"]


def test_an_unknown_change_that_is_never_seen_to_arrive_is_parked_for_a_person(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer(PRICE, *[Canned(500)] * 60)
    with running(dms, clock, tmp_path, idempotency_honoured="ignored") as run:
        run.take(PRICES, price())
        with pytest.raises(UnsettledError, match="1 parked"):
            finish(run)
        assert states(run) == [State.PARKED]


def test_a_feed_that_begins_anew_behind_a_step_that_waits_adds_nothing(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    rule = [{"object": "deal_statuses", "when": "status == 'delivered'"}]
    for _ in range(3):
        with running(dms, clock, tmp_path, approvals=rule) as run:
            run.recover()
            for status in ("contracted", "delivered"):
                run.take(STATUSES, step(status))
            finish(run)
            assert states(run) == [State.ACKED, State.WAITING_APPROVAL]
    assert len(dms.sent(STEP)) == 1


def test_steps_of_a_feed_that_begins_anew_are_known_without_a_question(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    for _ in range(2):
        with running(dms, clock, tmp_path) as run:
            for status in ("contracted", "delivered"):
                run.take(STATUSES, step(status))
            finish(run)
            assert states(run) == [State.ACKED, State.ACKED]
    assert len(dms.sent(STEP)) == 2
    assert len(dms.calls("GET", "/deals/deal_1")) == 2


def test_a_vehicle_that_the_dms_does_not_know_rejects_its_price(
    dms: Holding, clock: FakeClock, tmp_path: Path
) -> None:
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        run.take(PRICES, {"vin": "1M8GDM9AXKP042788", "salePrice": 27000})
        finish(run)
        found = the_one(run)
    assert (found.state, found.cause) == (State.REJECTED, Cause.PARENT)
    assert found.reason == "the DMS has no such vehicle, and no sink makes one"
