"""Tenants that answer in odd ways: a record is left or refused, all others go on, none is lost."""

from __future__ import annotations

import typing as t

import pytest
from support.clock import FakeClock
from support.dms import Canned, FakeDms
from support.intents import new
from support.running import finish, running, states

from automate_api.errors import ProtocolError, UnsettledError
from target_automate.checks.changes import GONE, NO_LINE
from target_automate.journal.intents import Cause, State
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.dms import Seen

    from target_automate.journal.intents import Intent
    from target_automate.running.run import Run

STATUSES, PRICES, APPOINTMENTS, INSPECTIONS = map(
    by_object,
    ("deal_statuses", "vehicle_prices", "appointment_changes", "repair_order_inspections"),
)
STEP: t.Final = "POST /deals/deal_1/status"
PRICE: t.Final = "PATCH /vehicles/veh_1"
VISIT: t.Final = "PATCH /service/appointments/appt_1"
DEAL, VEHICLE = "/deals/deal_1", "/vehicles/veh_1"
NOON: t.Final = "2026-09-21T12:00:00Z"
LATER: t.Final = "2026-09-21T12:00:05Z"
CONTRACTED: t.Final = {"dealId": "deal_1", "status": "contracted"}
CHEAPER: t.Final = {"vehicleId": "veh_1", "salePrice": 27000}


class Tenant(FakeDms):
    """A DMS with a deal, a vehicle and an appointment.

    Attributes:
        held: Path to the record.
        rule: Answers what the script does not, when it is not None.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.held: dict[str, dict[str, t.Any]] = {
            DEAL: {"dealId": "deal_1", "status": "penciled", "updatedAt": NOON},
            VEHICLE: {"vehicleId": "veh_1", "salePrice": 28000, "updatedAt": NOON},
            "/service/appointments/appt_1": {
                "appointmentId": "appt_1",
                "status": "scheduled",
                "appointmentTime": "2027-03-01T09:30:00-05:00",
                "updatedAt": NOON,
            },
        }
        self.rule: Callable[[Seen], Canned | None] = lambda _: None
        super().__init__(totp=False, clock=clock.time)

    def handle(self, seen: Seen) -> Canned:
        """Answer by the script, else by the rule, else with what is held."""
        call = f"{seen.method} {seen.path}"
        if not self.script.get(call):
            answer = self.rule(seen)
            if answer is None and seen.method == "GET" and seen.path in self.held:
                answer = Canned(200, self.held[seen.path])
            if answer is not None:
                self.answer(call, answer)
        return super().handle(seen)

    def sent(self, call: str) -> list[dict[str, t.Any]]:
        """List the bodies that came to a call."""
        method, path = call.split()
        return [seen.body for seen in self.calls(method, path)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def dms(clock: FakeClock) -> Iterator[Tenant]:
    with Tenant(clock) as serving:
        yield serving


def refusal(status: int, code: str, **detail: t.Any) -> Canned:  # noqa: ANN401 - JSON
    details = [{"field": "status", "message": "no", **detail}] if detail else []
    return Canned(status, {"error": {"code": code, "message": "no", "details": details}})


def kept(run: Run) -> list[Intent]:
    return list(run.journal.having({*State}))


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_a_record_with_an_id_that_the_dms_refuses_keeps_nothing_else_from_going(
    dms: Tenant, clock: FakeClock, tmp_path: Path, status: int
) -> None:
    dms.answer(f"GET {DEAL}", refusal(status, "bad_id"))
    dms.answer(PRICE, Canned(200, {"vehicleId": "veh_1"}))
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        run.take(STATUSES, CONTRACTED)
        run.take(PRICES, CHEAPER)
        finish(run)
        step, price = kept(run)
        assert (step.state, step.cause, step.reason) == (State.REJECTED, Cause.PARENT, GONE)
        assert price.state is State.ACKED


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_change_whose_operation_is_not_told_of_is_read_back(
    dms: Tenant, clock: FakeClock, tmp_path: Path, status: int
) -> None:
    """If the run ended for it, each later run would, too."""

    def carry_out() -> None:
        dms.held[DEAL] |= {"status": "contracted", "updatedAt": LATER}

    dms.answer(STEP, Canned(202, {"operationId": "op_1"}, before=carry_out))
    dms.answer("GET /operations/op_1", refusal(status, "not_yours"))
    with running(dms, clock, tmp_path) as run:
        run.take(STATUSES, CONTRACTED)
        finish(run)
        (step,) = kept(run)
        assert (step.state, step.operation_id) == (State.ACKED, None)
    assert len(dms.sent(STEP)) == 1


def test_a_record_that_may_not_be_read_after_it_was_refused_is_rejected_alone(
    dms: Tenant, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer(f"GET {DEAL}", Canned(200, dms.held[DEAL]), refusal(403, "not_entitled"))
    dms.answer(STEP, refusal(404, "record_not_found"))
    dms.answer(PRICE, Canned(200, {"vehicleId": "veh_1"}))
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        run.take(STATUSES, CONTRACTED)
        run.take(PRICES, CHEAPER)
        finish(run)
        assert states(run) == [State.REJECTED, State.ACKED]
        assert kept(run)[0].cause is Cause.PARENT


def test_a_price_that_goes_and_comes_back_is_written_where_records_have_no_times_and_come_late(
    dms: Tenant, clock: FakeClock, tmp_path: Path
) -> None:
    """28000, 27000, 28000: the copy before the second still says the third."""
    shown = {"vehicleId": "veh_1", "salePrice": 28000}
    truth, written_at = dict(shown), [0.0]

    def rule(seen: Seen) -> Canned | None:
        if seen.method == "PATCH":
            truth.update(seen.body)
            written_at.append(clock.time())
            return Canned(200, {"vehicleId": "veh_1"})
        if seen.path == VEHICLE:
            return Canned(200, dict(truth if clock.time() - written_at[-1] > 30 else shown))
        return None

    dms.rule = rule
    with running(dms, clock, tmp_path, cooldown_seconds=60) as run:
        run.take(PRICES, CHEAPER)
        run.take(PRICES, {**CHEAPER, "salePrice": 28000})
        finish(run)
        assert states(run) == [State.ACKED, State.ACKED]
    assert truth["salePrice"] == 28000


def test_a_create_of_unknown_outcome_behind_one_that_waits_is_not_taken_for_unsent(
    dms: Tenant, clock: FakeClock, tmp_path: Path
) -> None:
    """If it were, it would be created a second time."""
    dms.answer(VISIT, refusal(423, "approval_pending"))
    with running(dms, clock, tmp_path) as run:
        lane = run.journal.seal.digest("service_appointments", "appointmentId:appt_1")
        visit = {"appointmentId": "appt_1", "advisorId": "u_2"}
        order = {"externalId": "ro-1", "appointmentId": "appt_1"}
        run.journal.add(
            new("appointment_changes", "appointmentId:appt_1", payload=visit, lane=lane), 0.0
        )
        number = run.journal.add(new("repair_orders", "ro-1", payload=order, lane=lane), 0.0)
        run.journal.change(number, State.SENT, 0.0, attempts=1, resolved="appt_1", sent_at=0.0)
        assert run.recover() == 2
        with pytest.raises(UnsettledError, match="1 unknown"):
            finish(run)
        assert states(run) == [State.WAITING_APPROVAL, State.UNKNOWN]


def test_a_new_time_under_the_same_status_is_not_sent_again_before_its_first_would_be_seen(
    dms: Tenant, clock: FakeClock, tmp_path: Path
) -> None:
    """The status that is expected holds for the second attempt, too, whoever came between."""
    dms.answer(VISIT, Canned(500), Canned(200, {"appointmentId": "appt_1"}))
    moved = {"status": "scheduled", "appointmentTime": "2027-03-02T09:30:00-05:00"}
    with running(dms, clock, tmp_path, idempotency_honoured="ignored", cooldown_seconds=60) as run:
        run.take(APPOINTMENTS, {"appointmentId": "appt_1", **moved})
        finish(run)
        assert states(run) == [State.ACKED]
    assert len(dms.sent(VISIT)) == 2
    assert sum(clock.waits) >= 60


@pytest.mark.parametrize(
    ("current", "state"), [("contracted", State.ACKED), ("delivered", State.REJECTED)]
)
def test_a_dms_that_calls_a_step_which_was_taken_not_allowed_has_what_was_wanted(
    dms: Tenant, clock: FakeClock, tmp_path: Path, current: str, state: State
) -> None:
    """Reads come late, so that only the refusal tells what it holds."""
    dms.answer(STEP, Canned(500), refusal(422, "status_not_allowed", current=current))
    given = {"idempotency_honoured": "ignored", "cooldown_seconds": 60, "max_reject_percent": 100}
    with running(dms, clock, tmp_path, **given) as run:
        run.take(STATUSES, CONTRACTED)
        finish(run)
        (step,) = kept(run)
        assert step.state is state
        assert step.cause is (Cause.SUPERSEDED if state is State.REJECTED else None)


def test_a_copy_older_than_the_one_before_tells_nothing_of_an_unknown_outcome(
    dms: Tenant, clock: FakeClock, tmp_path: Path
) -> None:
    before = {"vehicleId": "veh_1", "salePrice": 28000, "updatedAt": LATER}
    older = {**before, "salePrice": 25000, "updatedAt": NOON}
    after = {**before, "salePrice": 27000, "updatedAt": "2026-09-21T13:00:00Z"}
    dms.answer(f"GET {VEHICLE}", *[Canned(200, record) for record in (before, older, after)])
    dms.answer(PRICE, Canned(500))
    with running(dms, clock, tmp_path, idempotency_honoured="ignored", cooldown_seconds=60) as run:
        run.take(PRICES, CHEAPER)
        finish(run)
        assert states(run) == [State.ACKED]
    assert len(dms.sent(PRICE)) == 1


def test_a_refused_operation_is_not_asked_for_again_when_its_change_is_replayed(
    dms: Tenant, clock: FakeClock, tmp_path: Path
) -> None:
    failure = {
        "status": "failed",
        "error": refusal(409, "status_conflict", current="lost").body["error"],
    }
    dms.answer(STEP, Canned(202, {"operationId": "op_1"}))
    dms.answer("GET /operations/op_1", Canned(200, {"operationId": "op_1", **failure}))
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        run.take(STATUSES, CONTRACTED)
        finish(run)
        (step,) = kept(run)
        assert (step.cause, step.operation_id) == (Cause.SUPERSEDED, None)


def test_an_id_that_is_a_step_in_a_path_names_no_record(
    dms: Tenant, clock: FakeClock, tmp_path: Path
) -> None:
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        for name in (".", ".."):
            run.take(PRICES, {**CHEAPER, "vehicleId": name})
        finish(run)
        assert [price.reason for price in kept(run)] == [GONE, GONE]
    assert [seen.path for seen in dms.seen if seen.path != "/sessions"] == []


def test_a_record_that_is_another_than_was_asked_for_keeps_nothing_else_from_going(
    dms: Tenant, clock: FakeClock, tmp_path: Path
) -> None:
    dms.held[DEAL] = {"dealId": "deal_2", "status": "penciled"}
    dms.answer(PRICE, Canned(200, {"vehicleId": "veh_1"}))
    with running(dms, clock, tmp_path) as run:
        run.take(STATUSES, CONTRACTED)
        run.take(PRICES, CHEAPER)
        with pytest.raises(ProtocolError, match="expected a record with the dealId asked for"):
            finish(run)
        assert states(run) == [State.PLANNED, State.ACKED]
    assert dms.sent(STEP) == []


def test_a_line_code_that_an_order_has_twice_names_no_line(
    dms: Tenant, clock: FakeClock, tmp_path: Path
) -> None:
    lines = [{"lineId": name, "lineCode": "A"} for name in ("l_1", "l_2")]
    dms.held["/service/repair-orders/ro_1"] = {"repairOrderId": "ro_1", "lines": lines}
    green = [{"item": "Brakes", "result": "green"}]
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        run.take(INSPECTIONS, {"repairOrderId": "ro_1", "lineCode": "A", "inspection": green})
        finish(run)
        (found,) = kept(run)
        assert (found.state, found.reason) == (State.REJECTED, f"{NO_LINE}A, A")


def test_a_clock_that_is_set_back_a_day_is_not_waited_for(
    dms: Tenant, clock: FakeClock, tmp_path: Path
) -> None:
    """What the first price has done is never shown: the second waits, and no longer than that."""
    done = Canned(200, {"vehicleId": "veh_1", "updatedAt": LATER})
    dms.answer(PRICE, done, Canned(500), done)
    clock.pass_by(86_400)
    ignored: dict[str, t.Any] = {"idempotency_honoured": "ignored", "cooldown_seconds": 60}
    with running(dms, clock, tmp_path, **ignored) as run:
        run.take(PRICES, CHEAPER)
        finish(run)
    clock.pass_by(-86_400)
    with running(dms, clock, tmp_path, **ignored) as run:
        run.take(PRICES, {**CHEAPER, "salePrice": 26000})
        finish(run)
        assert states(run) == [State.ACKED, State.ACKED]
    assert sum(clock.waits) < 3_600


@pytest.mark.parametrize("is_unknown", [False, True])
def test_a_note_of_an_inspection_that_is_said_no_more_is_taken_away(
    dms: Tenant, clock: FakeClock, tmp_path: Path, *, is_unknown: bool
) -> None:
    line: dict[str, t.Any] = {"lineId": "l_1", "inspection": []}
    order = {"repairOrderId": "ro_1", "updatedAt": NOON, "lines": [line]}
    dms.held["/service/repair-orders/ro_1"] = order
    results = {"item": "Brakes", "result": "red"}

    def rule(seen: Seen) -> Canned | None:
        if seen.method != "PUT":
            return None
        if is_unknown and len(dms.calls("PUT", seen.path)) == 2:
            return Canned(500)
        line["inspection"] = [{"note": None, **item} for item in seen.body["inspection"]]
        return Canned(200, order)

    dms.rule = rule
    with running(dms, clock, tmp_path, idempotency_honoured="ignored") as run:
        for item in ({**results, "note": "worn"}, results):
            run.take(INSPECTIONS, {"repairOrderId": "ro_1", "lineId": "l_1", "inspection": [item]})
        finish(run)
        assert states(run) == [State.ACKED, State.ACKED]
    assert line["inspection"] == [{**results, "note": None}]


@pytest.mark.parametrize("becomes", ["contracted", "penciled"])
def test_an_operation_without_end_is_settled_by_the_record_where_that_shows_its_end(
    dms: Tenant, clock: FakeClock, tmp_path: Path, becomes: str
) -> None:
    def runs_on(seen: Seen) -> Canned | None:
        if seen.path != "/operations/op_1":
            return None
        dms.held[DEAL]["status"] = becomes
        return Canned(200, {"operationId": "op_1", "status": "running"})

    dms.rule = runs_on
    dms.answer(STEP, Canned(202, {"operationId": "op_1"}))
    with running(dms, clock, tmp_path) as run:
        run.take(STATUSES, CONTRACTED)
        run.work_off(run.look)
        assert states(run) == [State.ACKED if becomes == "contracted" else State.UNKNOWN]
    assert len(dms.sent(STEP)) == 1
