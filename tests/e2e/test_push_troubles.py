"""What the DMS and the network do to a push: each record ends where write-back's table says."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from support.dealership import run
from support.dms import Canned, FakeDms
from support.failures import entries, refused, secrets_of, shows_none_of
from support.pushing import PATHS, Pushing, checkpoints, counts
from support.singer import state

if t.TYPE_CHECKING:
    from pathlib import Path

END: t.Final = state({"end": 1})
WRITES: t.Final = {"method": "POST"}
DEALS: t.Final = {"method": "POST", "path": "/deals"}


def test_an_api_that_cannot_be_reached_exits_75_and_what_came_is_kept(pushing: Pushing) -> None:
    url = "http://127.0.0.1:1"
    done = pushing.push(pushing.customer(), END, api_url=url, max_wait_seconds=0.2)
    refused(done, 75, "127.0.0.1 gave no answer", "connection refused")
    assert done.out == ""
    assert pushing.states("customers") == ["PLANNED"]
    shows_none_of(done.err, secrets_of(pushing.dealer))


def test_the_journal_of_another_dms_is_refused_and_left_alone(pushing: Pushing) -> None:
    assert pushing.push(pushing.customer()).code == 0
    before = pushing.journal_path.read_bytes()
    done = pushing.push(pushing.customer(2), integration_id="other")
    refused(done, 2, "journal", "/sandbox", "/other", "`journal_path`")
    assert pushing.journal_path.read_bytes() == before


def test_a_pause_longer_than_allowed_exits_75_and_the_next_run_delivers(pushing: Pushing) -> None:
    pushing.dealer.faults({"kind": "rate_limit", "retry_after": 9, "match": WRITES, "count": 1})
    done = pushing.push(pushing.customer(), END, max_wait_seconds=0.2)
    refused(done, 75, "POST /customers", "429", "asks to wait 9 s", "`max_wait_seconds` allows 0")
    assert done.out == ""
    assert pushing.states("customers") == ["PLANNED"]
    rest = pushing.push(pushing.customer(), END)
    assert rest.code == 0, rest.err
    assert len(pushing.written("customers")) == 1


def one_customer() -> str:
    fields = {"externalId": "crm-1", "firstName": "Dana", "lastName": "Example"}
    schema = {"type": "SCHEMA", "stream": "customers", "schema": {"properties": {}}}
    record = {"type": "RECORD", "stream": "customers", "record": fields}
    lines = [{**schema, "key_properties": []}, record, END]
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_retry_after_of_a_write_is_never_undercut_and_its_key_stays(tmp_path: Path) -> None:
    asked_at: list[float] = []

    def note() -> None:
        asked_at.append(time.monotonic())

    acked = {"customerId": "cust_1", "matchedBy": None}
    with FakeDms(totp=False) as dms:
        path = tmp_path / "target.json"
        path.write_text(json.dumps(dms.settings(tmp_path, journal_path=str(tmp_path / "j.db"))))
        throttled = Canned(429, {}, {"Retry-After": "1"}, before=note)
        dms.answer("POST /customers", throttled, Canned(200, acked, before=note))
        done = run("target-automate", "--config", path, stdin=one_customer())
        keys = [seen.headers["Idempotency-Key"] for seen in dms.calls("POST", "/customers")]
    assert done.code == 0, done.err
    assert len(asked_at) == 2
    assert asked_at[1] - asked_at[0] >= 1
    assert keys[0] == keys[1]
    assert counts(done, "customers") == {"sent": 1, "resent": 1}


def test_a_path_of_the_tenant_s_own_is_written_and_read(tmp_path: Path) -> None:
    with FakeDms(totp=False) as dms:
        path = tmp_path / "target.json"
        settings = dms.settings(tmp_path, journal_path=str(tmp_path / "j.db"))
        settings |= {"endpoints": {"customers": "/crm/people"}, "on_fuzzy_match": "reject"}
        path.write_text(json.dumps(settings))
        dms.answer("POST /crm/people", Canned(200, {"customerId": "cust_1"}))
        done = run("target-automate", "--config", path, stdin=one_customer())
        assert done.code == 0, done.err
        assert len(dms.calls("GET", "/crm/people")) == 1
        assert len(dms.calls("POST", "/crm/people")) == 1


@pytest.mark.parametrize("kind", ["expired_token", "killed_session"])
def test_a_session_that_ends_in_the_middle_costs_no_record_and_writes_none_twice(
    pushing: Pushing, kind: str
) -> None:
    pushing.dealer.faults({"kind": kind, "match": WRITES, "count": 1, "skip": 5})
    done = pushing.push(*(pushing.customer(number) for number in range(12)), END)
    assert done.code == 0, done.err
    keys = [write["externalId"] for write in pushing.written("customers")]
    assert sorted(keys) == sorted(map(pushing.key, range(12)))
    assert done.out == '{"end":1}\n'


def test_a_login_that_is_refused_ends_with_5_and_loses_nothing(pushing: Pushing) -> None:
    wrong = {"password": "wrong-canary", "session_path": str(pushing.folder / "session")}
    done = pushing.push(pushing.customer(), END, **wrong)
    refused(done, 5, "refused")
    assert done.out == ""
    shows_none_of(done.err, ["wrong-canary"])
    assert pushing.states("customers") == ["PLANNED"]
    rest = pushing.push()
    assert rest.code == 0, rest.err
    assert pushing.states("customers") == ["ACKED"]


def test_an_object_that_this_login_may_not_write_stops_alone(pushing: Pushing) -> None:
    pushing.dealer.faults({"kind": "status", "status": 403, "match": DEALS})
    done = pushing.push(
        *checkpoints(
            pushing.customer(1),
            pushing.deal(1),
            pushing.appointment(1),
            pushing.deal(2),
            pushing.customer(2),
        )
    )
    refused(done, 1, "POST /deals", "status 403", "stay planned")
    states = [json.loads(line) for line in done.out.splitlines()]
    assert states[-1:] in ([], [{"records": 1}])
    assert pushing.states("customers") == ["ACKED", "ACKED"]
    assert pushing.states("service_appointments") == ["ACKED"]
    assert set(pushing.states("deals")) <= {"PLANNED", "WAITING_PARENT"}
    pushing.dealer.control("reset-faults", {})
    rest = pushing.push(END)
    assert rest.code == 0, rest.err
    assert pushing.states("deals") == ["ACKED", "ACKED"]
    assert len(pushing.written("deals")) == 2


@pytest.mark.parametrize("status", [405, 501])
def test_an_object_that_the_tenant_does_not_take_stops_alone(pushing: Pushing, status: int) -> None:
    pushing.dealer.faults({"kind": "status", "status": status, "match": DEALS})
    done = pushing.push(pushing.customer(), pushing.deal(), END)
    refused(done, 1, "POST /deals", f"status {status}", "`contract_overlay`")
    assert done.out == ""
    assert pushing.states("customers") == ["ACKED"]


def test_a_record_that_wants_an_approval_waits_for_the_next_run(pushing: Pushing) -> None:
    pushing.dealer.faults({"kind": "locked", "match": DEALS, "count": 1})
    done = pushing.push(pushing.customer(), pushing.deal(), END)
    assert done.code == 0, done.err
    assert done.out == '{"end":1}\n'
    assert pushing.states("deals") == ["WAITING_APPROVAL"]
    assert counts(done, "deals") == {"waiting": 1}
    rest = pushing.push()
    assert rest.code == 0, rest.err
    assert pushing.states("deals") == ["ACKED"]
    assert len(pushing.written("deals")) == 1


@pytest.mark.parametrize("milliseconds", [0, 400])
def test_what_the_dms_queues_is_followed_to_its_end(pushing: Pushing, milliseconds: int) -> None:
    pushing.dealer.faults({"kind": "accepted", "milliseconds": milliseconds, "match": WRITES})
    trio = [pushing.customer(), pushing.deal(), pushing.appointment()]
    done = pushing.push(*trio, END)
    assert done.code == 0, done.err
    for name in PATHS:
        assert pushing.states(name) == ["ACKED"]
        assert len(pushing.written(name)) == 1
    (deal,) = pushing.records("deals")
    with pushing.journal() as journal:
        known = {row["object"]: row["dms_id"] for row in journal.rows()}
    assert known["deals"] == deal["dealId"]


def test_what_the_dms_queues_and_then_refuses_is_rejected(pushing: Pushing) -> None:
    pushing.dealer.faults({"kind": "accepted", "match": DEALS})
    done = pushing.push(pushing.customer(), pushing.deal(vehicle={"vin": "UNKNOWN"}), END)
    assert done.code == 0, done.err
    assert pushing.states("deals") == ["REJECTED refused"]
    assert "its operation failed" in pushing.reasons("deals")[0]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut", "when": "unanswered"},
        {"kind": "cut", "when": "during"},
        {"kind": "server_error", "status": 500, "when": "after"},
        {"kind": "lost_id"},
        {"kind": "malformed", "form": "truncated"},
        {"kind": "html", "when": "after"},
        {"kind": "delayed", "answer": "gateway", "milliseconds": 200},
    ],
    ids=str,
)
def test_an_answer_that_is_lost_is_read_back_and_nothing_is_written_twice(
    pushing: Pushing, fault: dict[str, t.Any]
) -> None:
    pushing.dealer.faults({**fault, "match": WRITES, "count": 3})
    trio = [pushing.customer(), pushing.deal(), pushing.appointment()]
    done = pushing.push(*trio, END, cooldown_seconds=1, idempotency_honoured="ignored")
    assert done.code == 0, done.err
    assert done.out == '{"end":1}\n'
    for name in PATHS:
        assert pushing.states(name) == ["ACKED"]
        assert len(pushing.written(name)) == 1


def test_a_create_that_is_not_found_is_parked_and_told_by_the_exit_code(pushing: Pushing) -> None:
    pushing.dealer.faults({"kind": "cut", "when": "before", "match": DEALS, "count": 1})
    done = pushing.push(pushing.customer(), pushing.deal(), pushing.customer(2), END)
    refused(done, 4, "1 parked", "push parked list")
    assert done.out == '{"end":1}\n'
    assert pushing.states("deals") == ["PARKED"]
    assert counts(done, "deals") == {"parked": 1}
    again = pushing.push(pushing.deal(), pushing.deal(pricing={"salePrice": 1}), END)
    refused(again, 4, "1 parked")
    assert pushing.states("deals") == ["PARKED", "REJECTED blocked"]
    assert pushing.written("deals") == []


def test_the_same_is_sent_again_where_keys_are_honoured(pushing: Pushing) -> None:
    pushing.dealer.faults({"kind": "cut", "when": "before", "match": DEALS, "count": 1})
    done = pushing.push(pushing.customer(), pushing.deal(), END, idempotency_honoured="honoured")
    assert done.code == 0, done.err
    assert pushing.states("deals") == ["ACKED"]
    assert counts(done, "deals") == {"sent": 1, "resent": 1}


def test_a_server_that_loses_every_answer_ends_the_run_with_what_is_known(
    pushing: Pushing,
) -> None:
    pushing.dealer.faults({"kind": "cut", "when": "before", "match": DEALS})
    deals = [pushing.deal(number) for number in range(11)]
    customers = [pushing.customer(number) for number in range(11)]
    done = pushing.push(*customers, *deals, END)
    refused(done, 4, "11 parked")
    assert set(pushing.states("deals")) == {"PARKED"}
    assert set(pushing.states("customers")) == {"ACKED"}


UNFIT: t.Final = {"customerType": "vip"}


@pytest.mark.parametrize(
    ("bad", "limits", "code"),
    [
        (1, {"max_rejects": 0}, 3),
        (1, {"max_rejects": 1}, 0),
        (1, {}, 0),
        (2, {}, 3),
        (2, {"max_reject_percent": 50}, 0),
        (2, {"max_rejects": 5, "max_reject_percent": 100}, 0),
    ],
)
def test_rejects_over_a_threshold_fail_the_run_once_all_others_are_delivered(
    pushing: Pushing, bad: int, limits: dict[str, t.Any], code: int
) -> None:
    messages = [pushing.customer(number) for number in range(25)]
    messages[:bad] = [pushing.customer(number, **UNFIT) for number in range(bad)]
    done = pushing.push(*messages, END, **limits)
    if code:
        refused(done, code, f"{bad} of 25 records were rejected", "push rejects list")
    assert done.code == code, done.err
    assert len(pushing.written("customers")) == 25 - bad
    assert done.out == '{"end":1}\n'


def test_a_run_whose_first_records_are_all_rejected_ends_early(pushing: Pushing) -> None:
    unfit = [pushing.customer(number, **UNFIT) for number in range(40)]
    done = pushing.push(*checkpoints(*unfit, pushing.customer(99)))
    refused(done, 3, "first 20 records were all rejected", "the rest is not sent")
    assert pushing.written("customers") == []
    assert json.loads(done.out.splitlines()[-1])["records"] <= 20
    assert len(pushing.states("customers")) == 20


def test_a_rule_holds_what_it_names_and_nothing_else(pushing: Pushing) -> None:
    rules = [
        {"object": "deals", "when": "pricing.salePrice > 50000"},
        {"object": "service_appointments"},
    ]
    feed = [
        pushing.customer(),
        pushing.deal(1),
        pushing.deal(2, customerExternalId=pushing.key(1), pricing={"salePrice": 50001}),
        pushing.appointment(),
        END,
    ]
    done = pushing.push(*feed, approvals=rules)
    assert done.code == 0, done.err
    assert done.out == '{"end":1}\n'
    assert sorted(pushing.states("deals")) == ["ACKED", "WAITING_APPROVAL"]
    assert pushing.states("service_appointments") == ["WAITING_APPROVAL"]
    assert len(pushing.written("deals")) == 1
    again = pushing.push(*feed, approvals=rules)
    assert again.code == 0, again.err
    assert len(pushing.written("deals")) == 1
    free = pushing.push(END)
    assert free.code == 0, free.err
    assert pushing.states("deals") == ["ACKED", "ACKED"]
    assert len(pushing.written("service_appointments")) == 1


def test_trouble_that_passes_is_no_error_in_the_log(pushing: Pushing) -> None:
    pushing.dealer.faults(
        {"kind": "rate_limit", "retry_after": 0, "match": WRITES, "count": 2},
        {"kind": "server_error", "status": 503, "match": WRITES, "count": 1, "skip": 4},
    )
    done = pushing.push(
        *(pushing.customer(number) for number in range(8)), END, idempotency_honoured="honoured"
    )
    assert done.code == 0, done.err
    assert entries(done.err, "WARNING", "ERROR") == []
    assert len(pushing.written("customers")) == 8
    assert counts(done, "customers") == {"sent": 8, "resent": 3}
