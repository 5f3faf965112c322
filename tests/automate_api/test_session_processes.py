from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import typing as t

import pytest
from support.dms import STEP, Canned, FakeDms

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROCESSES: t.Final = 8

SCRIPT: t.Final = """
import json, pathlib, sys
from automate_api.client import Client
from automate_api.config import ApiConfig
from automate_api.session import Session

config = ApiConfig.from_settings(json.loads(pathlib.Path(sys.argv[1]).read_text()))
session = Session(config)
client = Client(config, session)
print("ready", flush=True)
sys.stdin.readline()
client.get("/lots")
print(session.token(), flush=True)
sys.stdin.readline()
client.get("/lots")
print(session.token(), flush=True)
"""


@pytest.fixture
def dms() -> Iterator[FakeDms]:
    """A DMS whose clock is 45 seconds off at least, two seconds into a step when it starts."""
    now = time.time()
    ahead = 45 + 2 - (now + 45) % STEP + STEP
    with FakeDms(clock=lambda: time.time() + ahead) as server:
        yield server


class Process:
    """A process that takes a token when told to."""

    def __init__(self, config: Path) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", SCRIPT, str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def processes(dms: FakeDms, tmp_path: Path) -> Iterator[list[Process]]:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(dms.settings(tmp_path)))
    started = [Process(config) for _ in range(PROCESSES)]
    try:
        assert [each.said() for each in started] == ["ready"] * PROCESSES
        yield started
    finally:
        for each in started:
            each.end()


def test_processes_that_start_in_the_same_second_log_in_once_and_renew_once(
    dms: FakeDms, processes: list[Process]
) -> None:
    for each in processes:
        each.go()
    first = {each.said() for each in processes}
    assert len(first) == 1
    assert (dms.logins, dms.refusals) == (1, 0)
    # The server ends the session: all of them are answered 401 at once. Its clock is moved to the
    # next step, so that nobody has to wait for a code.
    before = dms.clock
    dms.clock = lambda: before() + STEP
    dms.answer("POST /sessions/refresh", Canned(401, {}))
    dms.tokens.clear()
    dms.answer("POST /sessions", Canned(200, {"authToken": "second", "expiresIn": 3600}))
    dms.tokens["second"] = dms.clock() + 3600
    for each in processes:
        each.go()
    assert {each.said() for each in processes} == {"second"}
    assert len(dms.calls("POST", "/sessions")) == 2
    assert len(dms.calls("POST", "/sessions/refresh")) == 1
    assert dms.refusals == 0


def test_a_process_killed_while_it_logs_in_leaves_a_session_that_the_next_can_use(
    dms: FakeDms, processes: list[Process]
) -> None:
    victim, heir = processes[:2]
    lost = Canned(
        200,
        {"authToken": "lost", "expiresIn": 3600},
        before=lambda: os.kill(victim.process.pid, signal.SIGKILL),
    )
    dms.answer("POST /sessions", lost)
    victim.go()
    assert victim.said() == ""
    victim.process.wait()
    # The heir takes the code of a later step; here the server's clock is what moves.
    before = dms.clock
    dms.clock = lambda: before() + STEP
    heir.go()
    assert heir.said() in dms.tokens
    codes = [seen.body["mfa"]["code"] for seen in dms.calls("POST", "/sessions")]
    assert len(set(codes)) == 2
    assert dms.refusals == 0
