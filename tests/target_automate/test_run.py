"""Runs in this process, against a DMS that answers as the test says, by the test's own clock."""

from __future__ import annotations

import typing as t

import pytest
from support.clock import FakeClock
from support.dms import Canned, FakeDms
from support.running import finish, running, states

from automate_api.errors import RequestRefusedError, TryLaterError, UnsettledError
from target_automate.journal.intents import Brief, State
from target_automate.running.watermark import NOTHING
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CUSTOMERS, DEALS = map(by_object, ("customers", "deals"))
IN_FLIGHT: t.Final = Canned(409, {"error": {"code": "idempotency_key_in_flight"}})


def acked(number: int = 1) -> Canned:
    return Canned(200, {"customerId": f"cust_{number}", "matchedBy": None})


def customer(number: int = 1, **changes: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - fields
    return {"externalId": f"crm-{number}", "firstName": "Dana", "lastName": "Example", **changes}


def deal(number: int = 1, **changes: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - fields
    fields = {"referenceId": f"web-{number}", "customerId": "cust_1", "vehicle": {"vin": "1HG"}}
    return {**fields, **changes}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def dms(clock: FakeClock) -> Iterator[FakeDms]:
    with FakeDms(totp=False, clock=clock.time) as serving:
        yield serving


def test_a_record_that_is_handed_in_once_it_is_settled_is_not_sent_again(
    dms: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    """The second of two equal records may wait to be handed in until the first is done."""
    dms.answer("POST /customers", acked())
    dms.answer("POST /deals", Canned(201, {"dealId": "deal_1"}))
    with running(dms, clock, tmp_path) as run:
        run.take(CUSTOMERS, customer())
        run.take(DEALS, deal())
        run.finish(run.look)
        late = [
            Brief(kept.id, kept.object, kept.digest, kept.lane, State.PLANNED)
            for kept in run.journal.having({State.ACKED})
        ]
        run.deliver(late)
        finish(run)
        assert states(run) == [State.ACKED, State.ACKED]
        assert [counts.sent for counts in run.tally.objects().values()] == [1, 1]
    assert len(dms.calls("POST", "/customers")) == 1
    assert len(dms.calls("POST", "/deals")) == 1


def test_nothing_overtakes_an_earlier_record_of_its_key_that_is_left_open(
    dms: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer("POST /customers", *[IN_FLIGHT] * 50)
    with running(dms, clock, tmp_path, max_wait_seconds=5) as run:
        run.take(CUSTOMERS, customer(notes="A"))
        run.state("before B")
        run.take(CUSTOMERS, customer(notes="B"))
        run.state("after B")
        run.finish(run.look)
        run.take(CUSTOMERS, customer(notes="C"))
        with pytest.raises(UnsettledError, match="1 unknown"):
            finish(run)
        assert states(run) == [State.UNKNOWN, State.PLANNED, State.PLANNED]
        assert run.passed_state() is NOTHING
    sent = {seen.body["notes"] for seen in dms.calls("POST", "/customers")}
    assert sent == {"A"}
    dms.script.clear()
    dms.answer("POST /customers", acked(), acked(), acked())
    clock.pass_by(30)
    with running(dms, clock, tmp_path) as run:
        assert run.recover() == 3
        finish(run)
    order = [seen.body["notes"] for seen in dms.calls("POST", "/customers")]
    assert order[-3:] == ["A", "B", "C"]


def test_an_object_that_is_closed_holds_state_and_what_comes_later(
    dms: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer("POST /customers", acked(1), acked(2))
    dms.answer("POST /deals", Canned(403, {"error": {"code": "not_entitled"}}))
    with running(dms, clock, tmp_path) as run:
        run.take(CUSTOMERS, customer(1))
        run.state(1)
        run.take(DEALS, deal(1))
        run.state(2)
        run.take(CUSTOMERS, customer(2))
        run.state(3)
        with pytest.raises(RequestRefusedError, match="POST /deals"):
            finish(run)
        assert run.passed_state() == 1
        assert states(run) == [State.ACKED, State.PLANNED, State.ACKED]
    assert len(dms.calls("POST", "/deals")) == 1


def test_a_customer_s_requests_wait_as_long_as_the_api_says_by_any_clock(
    dms: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer(
        "POST /customers",
        Canned(429, {}, {"Retry-After": "40"}),
        Canned(503, {}, {"Retry-After": "20"}),
        acked(),
    )
    with running(dms, clock, tmp_path, idempotency_honoured="honoured") as run:
        run.take(CUSTOMERS, customer())
        finish(run)
    assert sum(clock.waits) >= 60


def test_a_run_that_waits_longer_than_allowed_ends_and_leaves_nothing_unknown(
    dms: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer("POST /customers", *[Canned(429, {}, {"Retry-After": "40"})] * 9)
    with running(dms, clock, tmp_path, max_wait_seconds=100) as run:
        run.take(CUSTOMERS, customer())
        with pytest.raises(TryLaterError, match=r"last answered 429\. Run again later"):
            finish(run)
        assert states(run) == [State.PLANNED]
    assert len(dms.calls("POST", "/customers")) == 3


def created(number: int = 1) -> Canned:
    return Canned(201, {"dealId": f"deal_{number}"})


@pytest.mark.parametrize(
    ("policy", "asked"), [("auto", [2, 2]), ("always", [2, 3]), ("never", [0, 0])]
)
def test_creates_are_looked_up_until_a_run_has_delivered_all_of_theirs(
    dms: FakeDms, clock: FakeClock, tmp_path: Path, policy: str, asked: list[int]
) -> None:
    dms.answer("POST /deals", *(created(number) for number in range(3)))
    seen = []
    for numbers in ((1, 2), (3,)):
        with running(dms, clock, tmp_path, lookup_before_create=policy) as run:
            for number in numbers:
                run.take(DEALS, deal(number))
            finish(run)
        seen.append(len(dms.calls("GET", "/deals")))
    assert seen == asked


def test_creates_are_looked_up_again_while_a_run_has_not_come_to_its_end(
    dms: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer("POST /deals", created(1), created(2))
    with running(dms, clock, tmp_path) as run:
        run.take(DEALS, deal(1))
        run.work_off(run.look)
        assert states(run) == [State.ACKED]
    with running(dms, clock, tmp_path) as run:
        run.take(DEALS, deal(2))
        finish(run)
    assert len(dms.calls("GET", "/deals")) == 2


def test_creates_are_looked_up_again_while_one_of_them_is_open(
    dms: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer("POST /deals", created(1), *[IN_FLIGHT] * 50)
    with running(dms, clock, tmp_path, max_wait_seconds=5, cooldown_seconds=3600) as run:
        run.take(DEALS, deal(1))
        run.take(DEALS, deal(2))
        with pytest.raises(UnsettledError):
            finish(run)
    dms.script.clear()
    dms.answer("POST /deals", created(3))
    before = [seen.query.get("referenceId") for seen in dms.calls("GET", "/deals")]
    with running(dms, clock, tmp_path) as run:
        run.take(DEALS, deal(3))
        run.finish(run.look)
    after = [seen.query.get("referenceId") for seen in dms.calls("GET", "/deals")]
    assert after[len(before) :] == ["web-3"]


def test_what_is_held_for_an_approval_costs_no_request(
    dms: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    rules = [{"object": "deals"}, {"object": "customers", "when": "rows > 1"}]
    dms.answer("POST /customers", acked())
    with running(dms, clock, tmp_path, approvals=rules) as run:
        run.take(DEALS, deal())
        run.take(CUSTOMERS, customer(1))
        run.take(CUSTOMERS, customer(2))
        finish(run)
        assert states(run) == [State.WAITING_APPROVAL, State.ACKED, State.WAITING_APPROVAL]
    calls = [(seen.method, seen.path) for seen in dms.seen if seen.method != "HEAD"]
    assert calls == [("POST", "/sessions"), ("POST", "/customers")]


def test_a_later_record_of_a_key_waits_with_the_one_that_waits_for_its_customer(
    dms: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    waits = {"customerId": None, "customerExternalId": "crm-9"}
    with running(dms, clock, tmp_path) as run:
        run.take(DEALS, deal(1, **waits, fees=[{"code": "A"}]))
        run.take(DEALS, deal(1, **waits, fees=[{"code": "B"}]))
        run.state("end")
        finish(run)
        assert states(run) == [State.WAITING_PARENT] * 2
        assert run.passed_state() == "end"
        assert run.tally.objects()["deals"].waiting == 2
    assert dms.calls("POST", "/deals") == []
    dms.answer("POST /customers", acked(9))
    dms.answer("POST /deals", created())
    with running(dms, clock, tmp_path) as run:
        run.recover()
        run.take(CUSTOMERS, customer(9))
        finish(run)
        assert states(run) == [State.ACKED, State.REJECTED, State.ACKED]
    (sent,) = dms.calls("POST", "/deals")
    assert sent.body["fees"] == [{"code": "A"}]
    assert sent.body["customerId"] == "cust_9"


def test_a_thousand_records_more_than_are_held_in_hand_arrive_in_the_order_of_each_key(
    dms: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    """What is taken in waits while much is in hand; records that come twice do so, too."""
    records = [customer(number % 300, notes=str(number)) for number in range(1500)]
    dms.answer("POST /customers", *(acked(number) for number in range(1500)))
    with running(dms, clock, tmp_path) as run:
        for record in records:
            run.take(CUSTOMERS, record)
            run.take(CUSTOMERS, record)
        run.state("end")
        finish(run)
        assert run.passed_state() == "end"
        assert {*states(run)} == {State.ACKED}
    sent = [
        (seen.body["externalId"], seen.body["notes"]) for seen in dms.calls("POST", "/customers")
    ]
    assert len(sent) == 1500
    for key in {key for key, _ in sent}:
        notes = [int(text) for name, text in sent if name == key]
        assert notes == sorted(notes)


def test_a_server_that_fails_for_long_parks_nothing_while_its_keys_are_honoured(
    dms: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer("POST /deals", *[Canned(500)] * 50)
    with running(dms, clock, tmp_path, idempotency_honoured="honoured") as run:
        run.take(DEALS, deal())
        run.state("end")
        with pytest.raises(UnsettledError, match="0 parked and 1 unknown"):
            finish(run)
        assert run.passed_state() is NOTHING
    dms.script.clear()
    dms.answer("POST /deals", created())
    with running(dms, clock, tmp_path, idempotency_honoured="honoured") as run:
        run.recover()
        finish(run)
        assert states(run) == [State.ACKED]
    assert len({seen.headers["Idempotency-Key"] for seen in dms.calls("POST", "/deals")}) == 1


def test_a_server_that_fails_for_longer_than_it_keeps_keys_has_a_person_look(
    dms: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    dms.answer("POST /deals", *[Canned(500)] * 50)
    with running(dms, clock, tmp_path, idempotency_honoured="honoured", idempotency_ttl=30) as run:
        run.take(DEALS, deal())
        with pytest.raises(UnsettledError, match="1 parked and 0 unknown"):
            finish(run)
