"""`automate-dms push`: plans change nothing and are applied exactly; what is open is settled."""

from __future__ import annotations

import contextlib
import json
import stat
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from support.dealership import command, environment
from support.pushing import Pushing, journal_files, push

CANARY: t.Final = "canary-71c0"
POST_DEALS: t.Final = {"method": "POST", "path": "/deals"}
PARKING: t.Final = {"kind": "cut", "when": "before", "match": POST_DEALS}
KEY: t.Final = "a key of the journal, long enough"


def test_a_plan_changes_nothing_where_nothing_was_pushed_yet(pushing: Pushing) -> None:
    stats = pushing.dealer.stats()["lastSeq"]
    lines = pushing.lines(pushing.deal(1), pushing.customer(1))
    plan = pushing.folder / "plan.json"
    done = push(pushing, "plan", "--out", plan, stdin=lines)
    assert done.code == 0, done.err
    assert journal_files(pushing.folder) == {}
    assert pushing.dealer.stats()["lastSeq"] == stats
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    assert "2 writes" in done.out


def test_a_plan_leaves_a_journal_with_open_work_as_it_is_byte_for_byte(pushing: Pushing) -> None:
    assert pushing.push(pushing.deal(1)).code == 0
    assert pushing.states("deals") == ["WAITING_PARENT"]
    before, stats = journal_files(pushing.folder), pushing.dealer.stats()["lastSeq"]
    plan = pushing.folder / "plan"
    done = push(
        pushing, "plan", "--out", plan, stdin=pushing.lines(pushing.customer(1), pushing.deal(1))
    )
    assert done.code == 0, done.err
    assert journal_files(pushing.folder) == before
    assert pushing.dealer.stats()["lastSeq"] == stats


def test_a_plan_makes_no_lock_beside_a_journal_that_came_without_one(pushing: Pushing) -> None:
    assert pushing.push(pushing.customer(1)).code == 0
    pushing.journal_path.with_name(f"{pushing.journal_path.name}.lock").unlink()
    before = journal_files(pushing.folder)
    lines = pushing.lines(pushing.customer(2))
    assert push(pushing, "plan", "--out", pushing.folder / "plan", stdin=lines).code == 0
    assert journal_files(pushing.folder) == before


def test_a_plan_says_what_would_happen_and_masks_what_is_personal(pushing: Pushing) -> None:
    assert pushing.push(pushing.customer(1), pushing.deal(1)).code == 0
    changed = pushing.customer(1, firstName=CANARY, address={"city": CANARY}, source="shop")
    lines = pushing.lines(
        changed, pushing.deal(1), pushing.customer(2), pushing.customer(3, dateOfBirth=CANARY)
    )
    done = push(pushing, "plan", "--out", pushing.folder / "plan", stdin=lines)
    assert done.code == 0, done.err
    told = " ".join(done.out.replace("│", " ").split())
    masked = "firstName: *** -> ***; address.city: *** -> ***"
    assert f'{masked}; source: null -> "shop"' in told
    for row in ("update", "create", "no-op", "blocked"):
        assert row in told
    assert CANARY not in done.out + done.err


def test_apply_sends_exactly_what_was_planned_and_once(pushing: Pushing) -> None:
    assert pushing.push(pushing.deal(7)).code == 0  # open work that is none of the plan's
    plan = pushing.folder / "plan"
    lines = pushing.lines(pushing.deal(1), pushing.customer(1), pushing.customer(2))
    assert push(pushing, "plan", "--out", plan, stdin=lines).code == 0
    for _ in range(2):
        done = push(pushing, "apply", plan)
        assert done.code == 0, done.err
        sent = sorted(write["externalId"] for write in pushing.written("customers"))
        assert sent == [pushing.key(1), pushing.key(2)]
        assert [write["referenceId"] for write in pushing.written("deals")] == [pushing.key(1)]
    again = pushing.push(pushing.deal(1), pushing.customer(1), pushing.customer(2))
    assert again.code == 0
    assert len(pushing.written("customers")) == 2


def test_a_plan_is_refused_once_the_journal_has_moved_on(pushing: Pushing) -> None:
    plan = pushing.folder / "plan"
    lines = pushing.lines(pushing.customer(1))
    assert push(pushing, "plan", "--out", plan, stdin=lines).code == 0
    assert pushing.push(pushing.customer(1, source="web")).code == 0
    done = push(pushing, "apply", plan)
    assert done.code == 2
    assert "has moved on" in done.err
    assert len(pushing.written("customers")) == 1


def test_apply_approves_what_the_rules_hold(pushing: Pushing) -> None:
    rules: dict[str, t.Any] = {"approvals": [{"object": "customers"}]}
    held = pushing.push(pushing.customer(1), **rules)
    assert held.code == 0
    assert pushing.states("customers") == ["WAITING_APPROVAL"]
    plan = pushing.folder / "plan"
    lines = pushing.lines(pushing.customer(1))
    planned = push(pushing, "plan", "--out", plan, stdin=lines, **rules)
    assert planned.code == 0, planned.err
    assert "approvals" in planned.out
    done = push(pushing, "apply", plan, **rules)
    assert done.code == 0, done.err
    assert pushing.states("customers") == ["ACKED"]
    assert len(pushing.written("customers")) == 1


def test_a_plan_and_a_journal_with_a_key_hold_nothing_readable(pushing: Pushing) -> None:
    plan = pushing.folder / "plan"
    lines = pushing.lines(pushing.customer(1, firstName=CANARY))
    done = push(pushing, "plan", "--out", plan, stdin=lines, journal_key=KEY)
    assert done.code == 0, done.err
    assert CANARY.encode() not in plan.read_bytes()
    wrong = push(pushing, "apply", plan)
    assert wrong.code == 2
    assert "is encrypted" in wrong.err
    assert push(pushing, "apply", plan, journal_key=KEY).code == 0
    kept = b"".join(journal_files(pushing.folder).values())
    assert kept
    assert CANARY.encode() not in kept
    assert [write["firstName"] for write in pushing.written("customers")] == [CANARY]


def test_what_is_open_of_a_key_goes_before_what_a_plan_has_of_it(pushing: Pushing) -> None:
    pushing.dealer.faults({"kind": "rate_limit", "retry_after": 9, "match": {"method": "POST"}})
    assert pushing.push(pushing.customer(1), max_wait_seconds=0.1).code == 75
    pushing.dealer.control("reset-faults", {})
    assert pushing.states("customers") == ["PLANNED"]
    changed = pushing.lines(pushing.customer(1, source="web"))
    done = push(pushing, "plan", "--out", pushing.folder / "plan", stdin=changed)
    assert done.code == 0, done.err
    assert "still open" in " ".join(done.out.split())
    assert "0 writes" in done.out


def test_an_earlier_record_that_is_open_again_holds_a_plan_up(pushing: Pushing) -> None:
    bad = pushing.deal(1, vehicle={"vin": "NOWHERE"})
    assert pushing.push(pushing.customer(1), bad).code == 0
    plan = pushing.folder / "plan"
    assert push(pushing, "plan", "--out", plan, stdin=pushing.lines(pushing.deal(1))).code == 0
    assert push(pushing, "rejects replay", "--all", "--later").code == 0
    done = push(pushing, "apply", plan)
    assert done.code == 2
    assert "has moved on" in done.err
    assert pushing.states("deals") == ["PLANNED"]


def test_of_two_deals_with_one_reference_a_plan_has_the_first(pushing: Pushing) -> None:
    plan = pushing.folder / "plan"
    two = (pushing.deal(1), pushing.deal(1, pricing={"salePrice": 9}))
    lines = pushing.lines(pushing.customer(1), *two)
    done = push(pushing, "plan", "--out", plan, stdin=lines)
    assert "2 writes" in done.out
    assert "creates it" in " ".join(done.out.split())
    assert push(pushing, "apply", plan).code == 0
    assert pushing.states("deals") == ["ACKED"]


def test_a_record_corrected_in_the_same_input_is_planned_and_applied(pushing: Pushing) -> None:
    plan = pushing.folder / "plan"
    lines = pushing.lines(pushing.customer(1, customerType="vip"), pushing.customer(1))
    assert "1 writes" in push(pushing, "plan", "--out", plan, stdin=lines).out
    done = push(pushing, "apply", plan)
    assert done.code == 0, done.err
    assert pushing.states("customers") == ["ACKED"]


def test_a_plan_that_was_changed_by_hand_is_refused(pushing: Pushing) -> None:
    plan = pushing.folder / "plan"
    lines = pushing.lines(pushing.customer(1, source="web"))
    assert push(pushing, "plan", "--out", plan, stdin=lines).code == 0
    text = plan.read_text("utf-8")
    assert text.count('"source":"web"') == 1
    plan.write_text(text.replace('"source":"web"', '"source":"shop"'), "utf-8")
    done = push(pushing, "apply", plan)
    assert done.code == 2
    assert "was changed" in done.err
    assert pushing.written("customers") == []


def test_a_plan_for_another_dms_names_the_journal_and_not_its_copy(pushing: Pushing) -> None:
    assert pushing.push(pushing.customer(1)).code == 0
    done = push(pushing, "plan", "--out", pushing.folder / "plan", integration_id="other")
    assert done.code == 2
    assert str(pushing.journal_path) in done.err


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="tells open files by /proc")
def test_a_plan_that_waits_for_input_ends_with_a_signal(pushing: Pushing) -> None:
    plan = pushing.folder / "plan"
    words = command("automate-dms", "push", "plan", "--config", pushing.config(), "--out", plan)
    with subprocess.Popen(  # noqa: S603 - our own program
        words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"\n" * 10)
        process.stdin.flush()
        while "automate-dms-plan-" not in " ".join(open_files(process.pid)):
            assert process.poll() is None
            time.sleep(0.02)
        process.terminate()
        assert process.wait(30) == 143
    assert not plan.exists()


def open_files(pid: int) -> list[str]:
    """List the files that a process has open; the copy of the journal is among a planner's."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(descriptor.readlink()))
    return found


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1}', '{"version": 99}', "\0"])
def test_a_file_that_is_no_plan_is_refused_in_a_line(pushing: Pushing, content: str) -> None:
    plan = pushing.folder / "plan"
    plan.write_text(content, "utf-8")
    done = push(pushing, "apply", plan)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "plan" in done.err


def test_a_plan_does_not_write_over_a_file(pushing: Pushing) -> None:
    plan = pushing.folder / "plan"
    plan.write_text("mine", "utf-8")
    lines = pushing.lines(pushing.customer(1))
    assert push(pushing, "plan", "--out", plan, stdin=lines).code == 2
    assert plan.read_text("utf-8") == "mine"
    assert push(pushing, "plan", "--force", "--out", plan, stdin=lines).code == 0


def test_rejects_are_listed_without_values_and_replayed(pushing: Pushing) -> None:
    fault = {"kind": "status", "status": 422, "count": 1, "match": {"path": "/customers"}}
    pushing.dealer.control("faults", fault)
    assert pushing.push(pushing.customer(1, firstName=CANARY)).code == 0
    listed = push(pushing, "rejects list", "--json")
    [row] = [json.loads(line) for line in listed.out.splitlines()]
    assert (row["business_key"], row["cause"], row["http_status"]) == (
        pushing.key(1),
        "refused",
        422,
    )
    shown = push(pushing, "rejects show", str(row["id"]))
    assert shown.code == 0
    assert CANARY not in listed.out + shown.out
    assert CANARY in push(pushing, "rejects show", str(row["id"]), "--reveal").out
    done = push(pushing, "rejects replay", str(row["id"]))
    assert done.code == 0, done.err
    assert pushing.states("customers") == ["ACKED"]
    assert len(pushing.written("customers")) == 1
    over = push(pushing, "rejects show", str(row["id"]))
    assert over.code == 2
    assert f"Write {row['id']} is ACKED, so it is not one of the rejected writes." in over.err


def test_a_record_that_never_kept_the_contract_stays_rejected_when_replayed(
    pushing: Pushing,
) -> None:
    assert pushing.push(pushing.customer(1, dateOfBirth=CANARY)).code == 0
    done = push(pushing, "rejects replay", "--all")
    assert done.code == 3, done.err
    assert CANARY not in done.err + done.out
    assert pushing.states("customers") == ["REJECTED invalid"]


def test_dropped_rejects_are_gone_from_the_list(pushing: Pushing) -> None:
    assert pushing.push(pushing.customer(1, dateOfBirth=CANARY)).code == 0
    assert push(pushing, "rejects drop", "--all").code == 0
    assert "no rejected writes" in push(pushing, "rejects list").out
    assert pushing.states("customers") == ["DROPPED"]


@pytest.fixture
def parked(pushing: Pushing) -> Pushing:
    """A deal of which nobody knows whether it is there: the connection was cut."""
    assert pushing.push(pushing.customer(1)).code == 0
    pushing.dealer.control("faults", PARKING | {"count": 1})
    done = pushing.push(pushing.deal(1), idempotency_honoured="ignored")
    assert done.code == 4, done.err
    assert pushing.states("deals") == ["PARKED"]
    return pushing


def test_all_that_is_parked_is_settled_by_one_command(parked: Pushing) -> None:
    done = push(parked, "parked settle --all --resend", idempotency_honoured="ignored")
    assert done.code == 0, done.err
    assert parked.states("deals") == ["ACKED"]
    assert len(parked.written("deals")) == 1


def test_what_was_parked_and_is_there_is_found_and_not_sent(pushing: Pushing) -> None:
    assert pushing.push(pushing.customer(1)).code == 0
    late = {"kind": "delayed", "milliseconds": 60000, "count": 1, "match": POST_DEALS}
    pushing.dealer.control("faults", late)
    assert pushing.push(pushing.deal(1), idempotency_honoured="ignored").code == 4
    pushing.dealer.control("clock", {"advance": 61})
    done = push(pushing, "parked settle --all --resend", idempotency_honoured="ignored")
    assert done.code == 0, done.err
    assert len(pushing.written("deals")) == 1


def test_a_parked_write_is_settled_by_the_record_that_a_person_found(parked: Pushing) -> None:
    [row] = [json.loads(line) for line in push(parked, "parked list", "--json").out.splitlines()]
    number = str(row["id"])
    other = parked.dealer.records("deals")[0]["dealId"]
    refused = push(parked, "parked settle", number, "--found", other)
    assert refused.code == 2
    assert "another record" in refused.err
    assert parked.states("deals") == ["PARKED"]
    assert push(parked, "parked settle", number, "--found", other, "--force").code == 0
    assert parked.states("deals") == ["ACKED"]
    assert parked.written("deals") == []


def test_status_counts_the_journal(parked: Pushing) -> None:
    done = push(parked, "status", "--json")
    facts = json.loads(done.out)
    assert {(row["object"], row["state"], row["writes"]) for row in facts["writes"]} == {
        ("customers", "ACKED", 1),
        ("deals", "PARKED", 1),
    }
    assert "PARKED" in push(parked, "status").out


def test_without_a_journal_the_listings_say_so(pushing: Pushing) -> None:
    for words in ("status", "rejects list", "parked list", "waiting list"):
        done = push(pushing, words)
        assert done.code == 2
        assert "no journal" in done.err
    assert journal_files(pushing.folder) == {}
