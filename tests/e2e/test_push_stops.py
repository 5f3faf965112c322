"""Killed, stopped, run twice at once or robbed of its journal, a push writes nothing twice."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import typing as t

import pytest
from support.dealership import Run, command, environment, start
from support.failures import refused
from support.pushing import PATHS, Pushing, checkpoints, counts, push
from support.singer import state

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from support.singer import Message

END: t.Final = state({"end": 1})
PATIENCE: t.Final = 20
"""Seconds after which a program that should have ended is killed, so that the test fails."""
HALF: t.Final = 30
"""Of the messages: the others come too late for a run that is ended, however fast it is."""
HONOURED: t.Final = {"idempotency_honoured": "honoured"}
"""What was sent when the process was killed is then settled; otherwise some of it is parked."""

SLOW: t.Final = {"kind": "latency", "milliseconds": 30, "match": {"method": "POST"}}


class Process:
    """A target whose input stays open until the test closes it."""

    def __init__(self, pushing: Pushing, **settings: t.Any) -> None:  # noqa: ANN401 - settings
        self._log = pushing.folder / "log"
        self.process = start(self._log, "target-automate", "--config", pushing.config(**settings))
        self._guard = threading.Timer(PATIENCE, self.process.kill)
        self._guard.start()
        self._said: list[str] = []

    def feed(self, lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(lines)
        self.process.stdin.flush()

    def states(self) -> Iterator[int]:
        """Give out the numbers of its STATEs as they come."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.append(line)
            yield json.loads(line)["records"]

    def until(self, number: int) -> int:
        """Wait for a STATE that covers so many records."""
        return next(records for records in self.states() if records >= number)

    def ended(self) -> Run:
        """Wait for its end."""
        for _ in self.states():
            pass
        code = self.process.wait()
        self._guard.cancel()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        return Run(code, "".join(self._said), self._log.read_text())


def last(done: Run) -> int:
    """Read how many records the last STATE stands for."""
    lines = done.out.splitlines()
    return int(json.loads(lines[-1])["records"]) if lines else 0


def mixed(pushing: Pushing, number: int) -> list[Message]:
    """Make customers with a deal and an appointment each."""
    return [
        message
        for place in range(number)
        for message in (
            pushing.customer(place),
            pushing.deal(place),
            pushing.appointment(place),
        )
    ]


def each_is_there_once(pushing: Pushing, number: int) -> None:
    assert len(pushing.records("customers")) == number
    for name in ("deals", "service_appointments"):
        assert len(pushing.written(name)) == number
    references = [write["referenceId"] for write in pushing.written("deals")]
    assert sorted(references) == sorted(map(pushing.key, range(number)))


def test_after_a_kill_the_next_run_goes_on_from_the_last_state(pushing: Pushing) -> None:
    messages = mixed(pushing, 20)
    pushing.dealer.faults(SLOW)
    killed = Process(pushing, **HONOURED)
    killed.feed(pushing.lines(*checkpoints(*messages[:HALF])))
    passed = killed.until(15)
    killed.process.kill()
    done = killed.ended()
    assert done.code == -signal.SIGKILL
    passed = max(passed, last(done))
    assert passed < len(messages)
    covered = {message["record"].get("referenceId") for message in messages[:passed]} - {None}
    there = {write["referenceId"] for write in pushing.written("deals")}
    assert covered <= there, "a STATE has covered what the DMS does not have"
    pushing.dealer.control("reset-faults", {})
    rest = pushing.push(*messages[passed:], END, **HONOURED)
    assert rest.code == 0, rest.err
    each_is_there_once(pushing, 20)


def test_after_a_kill_the_whole_file_again_sends_only_what_is_left(pushing: Pushing) -> None:
    messages = mixed(pushing, 12)
    pushing.dealer.faults(SLOW)
    for goal in (5, 12):
        killed = Process(pushing, workers=8, **HONOURED)
        killed.feed(pushing.lines(*checkpoints(*messages)))
        killed.until(goal)
        killed.process.kill()
        assert killed.ended().code == -signal.SIGKILL
    pushing.dealer.control("reset-faults", {})
    rest = pushing.push(*messages, END, **HONOURED)
    assert rest.code == 0, rest.err
    each_is_there_once(pushing, 12)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_push_that_is_stopped_ends_with_its_state_and_the_next_run_completes(
    pushing: Pushing, signum: signal.Signals, code: int
) -> None:
    messages = mixed(pushing, 20)
    pushing.dealer.faults(SLOW)
    process = Process(pushing, workers=2)
    process.feed(pushing.lines(*checkpoints(*messages[:HALF])))
    process.until(6)
    process.process.send_signal(signum)
    stopped = process.ended()
    refused(stopped, code, "Stopped by a signal", "next run continues")
    passed = last(stopped)
    assert 6 <= passed < len(messages)
    states = [*pushing.states("customers"), *pushing.states("deals")]
    assert "SENT" not in states
    assert "UNKNOWN" not in states
    with pushing.journal() as journal:
        acked = sum(n for (_, found), n in journal.counts().items() if found == "ACKED")
    assert acked == sum(len(pushing.written(name)) for name in PATHS)
    pushing.dealer.control("reset-faults", {})
    rest = pushing.push(*messages[passed:], END)
    assert rest.code == 0, rest.err
    each_is_there_once(pushing, 20)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_push_that_is_stopped_while_it_waits_for_input_ends_at_once(
    pushing: Pushing, signum: signal.Signals
) -> None:
    process = Process(pushing)
    process.feed(pushing.lines(*checkpoints(pushing.customer())))
    process.until(1)
    process.process.send_signal(signum)
    stopped = process.ended()
    refused(stopped, 128 + signum, "Stopped by a signal")
    assert pushing.states("customers") == ["ACKED"]


def test_a_push_that_is_stopped_while_the_dms_asks_to_wait_ends_at_once(pushing: Pushing) -> None:
    pushing.dealer.faults(
        {"kind": "rate_limit", "retry_after": 120, "match": {"method": "POST", "path": "/cust*"}}
    )
    process = Process(pushing, max_wait_seconds=600)
    process.feed(pushing.lines(*checkpoints(pushing.customer())))
    while not (pushing.journal_path.exists() and throttled(pushing)):
        assert process.process.poll() is None
    process.process.terminate()
    stopped = process.ended()
    refused(stopped, 143, "Stopped by a signal")
    assert stopped.out == ""
    assert pushing.states("customers") == ["PLANNED"]


def throttled(pushing: Pushing) -> bool:
    """Tell whether the one fault has struck."""
    (fault,) = pushing.dealer.stats()["faults"]
    return bool(fault["strikes"])


def test_state_passes_while_the_input_is_still_open(pushing: Pushing) -> None:
    process = Process(pushing)
    for number in range(3):
        process.feed(pushing.lines(*checkpoints(pushing.customer(number))))
        assert next(process.states()) == 1
        process.feed(pushing.lines(state({"records": 100 + number})))
        assert next(process.states()) == 100 + number
    assert process.process.stdin is not None
    process.process.stdin.close()
    done = process.ended()
    assert done.code == 0, done.err


def test_two_processes_never_write_one_journal(pushing: Pushing) -> None:
    first = Process(pushing)
    first.feed(pushing.lines(*checkpoints(pushing.customer())))
    first.until(1)
    second = pushing.push(pushing.customer(2), END)
    refused(second, 75, "Another process writes the journal", "Run again")
    assert second.out == ""
    assert first.process.stdin is not None
    first.process.stdin.close()
    assert first.ended().code == 0
    assert len(pushing.written("customers")) == 1
    third = pushing.push(pushing.customer(2), END)
    assert third.code == 0, third.err


@pytest.mark.parametrize("policy", ["auto", "honoured", "ignored"])
def test_a_journal_that_is_lost_between_runs_makes_no_duplicate(
    pushing: Pushing, policy: str
) -> None:
    messages = [
        *mixed(pushing, 5),
        pushing.appointment(7, customerExternalId=pushing.key(1), externalId=f"{pushing.name}-bk"),
    ]
    first = pushing.push(*messages, END, idempotency_honoured=policy)
    assert first.code == 0, first.err
    pushing.journal_path.unlink()
    again = pushing.push(*messages, END, idempotency_honoured=policy)
    assert again.code == 0, again.err
    assert len(pushing.records("customers")) == 5
    assert len(pushing.written("deals")) == 5
    assert len(pushing.written("service_appointments")) == 6
    with pushing.journal() as journal:
        deals = {row["dms_id"] for row in journal.rows() if row["object"] == "deals"}
    assert deals == {deal["dealId"] for deal in pushing.records("deals")}
    assert counts(again, "deals") == {"sent": 5}


def test_a_journal_that_is_lost_in_the_middle_makes_no_duplicate(pushing: Pushing) -> None:
    messages = mixed(pushing, 10)
    pushing.dealer.faults(SLOW)
    killed = Process(pushing)
    killed.feed(pushing.lines(*checkpoints(*messages)))
    killed.until(9)
    killed.process.kill()
    assert killed.ended().code == -signal.SIGKILL
    for path in pushing.folder.glob(f"{pushing.journal_path.name}*"):
        path.unlink()
    pushing.dealer.control("reset-faults", {})
    rest = pushing.push(*messages, END, cooldown_seconds=1)
    assert rest.code == 0, rest.err
    each_is_there_once(pushing, 10)


FILE_BLOCKS: t.Final = 400
"""Of 512 bytes: all that a file of the process may hold, as if the disk were full then."""


def test_a_journal_that_does_not_fit_its_disk_ends_the_run_and_the_next_completes(
    pushing: Pushing,
) -> None:
    messages = [pushing.customer(number, notes="x" * 4000) for number in range(100)]
    limited = ["sh", "-c", f'ulimit -f {FILE_BLOCKS}; exec "$@"', "sh"]
    full = subprocess.run(  # noqa: S603 - our own program
        [*limited, *command("target-automate", "--config", pushing.config(**HONOURED))],
        input=pushing.lines(*checkpoints(*messages)),
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=PATIENCE,
    )
    done = Run(full.returncode, full.stdout, full.stderr)
    refused(done, 1, "journal", "cannot be used any more", "See to its disk, then run again")
    rest = pushing.push(*messages, END, **HONOURED)
    assert rest.code == 0, rest.err
    assert len(pushing.records("customers")) == len(messages)
    assert rest.out == '{"end":1}\n'


@pytest.mark.slow
def test_a_request_that_hangs_holds_a_stopped_push_up_for_seconds_alone(pushing: Pushing) -> None:
    pushing.dealer.faults({**SLOW, "milliseconds": 60_000})
    process = Process(pushing, **HONOURED)
    process.feed(pushing.lines(*checkpoints(pushing.customer())))
    before = pushing.posts("customers")
    while pushing.posts("customers") == before:
        assert process.process.poll() is None
    process.process.terminate()
    refused(process.ended(), 143, "Stopped by a signal")
    assert pushing.states("customers") == ["SENT"]
    pushing.dealer.control("reset-faults", {})
    rest = pushing.push(END, **HONOURED)
    assert rest.code == 0, rest.err
    assert pushing.states("customers") == ["ACKED"]


def test_an_apply_killed_halfway_and_run_again_writes_each_record_once(pushing: Pushing) -> None:
    plan = pushing.folder / "plan"
    numbers = range(1, 13)
    records = [
        record for number in numbers for record in (pushing.deal(number), pushing.customer(number))
    ]
    planned = push(pushing, "plan", "--out", plan, stdin=pushing.lines(*records), **HONOURED)
    assert planned.code == 0, planned.err
    pushing.dealer.faults(SLOW | {"milliseconds": 100})
    before = pushing.posts("customers")
    words = ("push", "apply", "--config", pushing.config(**HONOURED), plan)
    with start(pushing.folder / "log", "automate-dms", *words) as process:
        guard = threading.Timer(PATIENCE, process.kill)
        guard.start()
        try:
            while pushing.posts("customers") < before + 6:
                assert process.poll() is None
            process.kill()
        finally:
            guard.cancel()
    assert process.returncode == -signal.SIGKILL
    pushing.dealer.control("reset-faults", {})
    assert len(pushing.written("deals")) < len(numbers)

    done = push(pushing, "apply", plan, **HONOURED)
    assert done.code == 0, done.err
    keys = sorted(map(pushing.key, numbers))
    assert sorted(write["externalId"] for write in pushing.written("customers")) == keys
    assert sorted(write["referenceId"] for write in pushing.written("deals")) == keys
    for name in ("customers", "deals"):
        assert pushing.states(name) == ["ACKED"] * len(numbers)
