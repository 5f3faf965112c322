"""A program that is asked to stop says so by its exit code, and what it did stands."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from support.compare import differences
from support.dealership import Dealership, Run, command, environment, pipe, run
from support.failures import entries, refused, start

FULL_DISK = Path("/dev/full")

ENDLESS = {"kind": "latency", "milliseconds": 25_000, "match": {"path": "/lots*"}}
"""The answers about lots do not come while the test waits for the program's end."""

PATIENCE = 15
"""Seconds to wait for an end that is to come at once; less than the answer takes."""


def read_until_state(process: subprocess.Popen[bytes], stream: str) -> bytes:
    """Read messages until a STATE has a bookmark of the stream."""
    assert process.stdout is not None
    said = b""
    for line in process.stdout:
        said += line
        message = json.loads(line)
        if message["type"] == "STATE" and message["value"]["bookmarks"].get(stream):
            return said
    pytest.fail(f"it ended before a STATE of {stream}: {said!r}")


def ended(process: subprocess.Popen[bytes], said: bytes) -> Run:
    """Wait for the end, and return all that was said; whoever does not end in time is killed."""
    assert process.stdout is not None
    assert process.stderr is not None
    # Not `communicate`, which passes over what a reader of lines holds in its buffer.
    with process:
        guard = threading.Timer(PATIENCE, process.kill)
        guard.start()
        out, err = process.stdout.read(), process.stderr.read()
        process.wait()
        guard.cancel()
    return Run(process.returncode, (said + out).decode(), err.decode())


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_tap_that_is_stopped_ends_with_its_state_and_the_next_run_completes(
    dealer: Dealership, tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    warehouse, state = tmp_path / "w.duckdb", tmp_path / "state.json"
    dealer.faults(ENDLESS)
    config = dealer.config(page_size=5)
    process = start("tap-automate", "--config", config)
    said = read_until_state(process, "gl_entries")
    process.send_signal(signum)
    stopped = ended(process, said)
    refused(stopped, code, "Stopped by a signal", "next run continues")
    kinds = [message["type"] for message in stopped.messages()]
    assert "RECORD" not in kinds[len(kinds) - kinds[::-1].index("STATE") :]
    loader = tmp_path / "w.json"
    loader.write_text(json.dumps({"filepath": str(warehouse)}))
    loaded = run("target-warehouse", "--config", loader, stdin=stopped.out)
    assert loaded.code == 0, loaded.err
    assert json.loads(loaded.out.splitlines()[-1]) == stopped.state()
    state.write_text(loaded.out.splitlines()[-1])
    dealer.control("reset-faults", {})
    rest = pipe(config, warehouse, state)
    assert rest.code == 0, rest.err
    assert rest.records("customers") == []
    assert differences(dealer, warehouse) == []


def test_a_second_signal_ends_the_tap_at_once(dealer: Dealership) -> None:
    dealer.faults(ENDLESS)
    process = start("tap-automate", "--config", dealer.config())
    read_until_state(process, "gl_entries")
    process.terminate()
    process.terminate()
    assert ended(process, b"").code in {143, -signal.SIGTERM}


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_loader_that_is_stopped_keeps_what_its_state_says(
    dealer: Dealership, tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    warehouse, state = tmp_path / "w.duckdb", tmp_path / "state.json"
    config = dealer.config(page_size=5)
    extracted = run("tap-automate", "--config", config)
    loader = tmp_path / "w.json"
    loader.write_text(json.dumps({"filepath": str(warehouse), "batch_size_rows": 40}))
    process = start("target-warehouse", "--config", loader, stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    lines = extracted.out.encode().splitlines(keepends=True)
    process.stdin.write(b"".join(lines[: len(lines) // 2]))
    process.stdin.flush()
    first = process.stdout.readline()
    process.send_signal(signum)
    stopped = ended(process, first)
    refused(stopped, code, "Stopped by a signal")
    state.write_text(stopped.out.splitlines()[-1])
    rest = pipe(config, warehouse, state)
    assert rest.code == 0, rest.err
    assert len(rest.messages("RECORD")) < len(extracted.messages("RECORD"))
    assert differences(dealer, warehouse) == []


def test_a_tap_whose_target_has_died_says_so(dealer: Dealership) -> None:
    process = start("tap-automate", "--config", dealer.config())
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    log = process.stderr.read().decode()
    process.stderr.close()
    refused(Run(process.wait(PATIENCE), "", log), 1, "The target ended before the tap")
    assert "BrokenPipe" not in log
    assert len(entries(log, "ERROR")) == 1


@pytest.mark.skipif(not FULL_DISK.exists(), reason="only Linux has a file that is always full")
@pytest.mark.parametrize("program", ["tap-automate", "target-warehouse"])
def test_a_program_whose_output_does_not_fit_the_disk_says_so(
    dealer: Dealership, tmp_path: Path, program: str
) -> None:
    loader = tmp_path / "w.json"
    loader.write_text(json.dumps({"filepath": str(tmp_path / "w.duckdb")}))
    config = dealer.config() if program == "tap-automate" else loader
    with FULL_DISK.open("wb") as disk:
        done = subprocess.run(  # noqa: S603 - our own program
            command(program, "--config", config),
            input=json.dumps({"type": "STATE", "value": {"bookmarks": {}}}),
            stdout=disk,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=environment(),
            timeout=PATIENCE,
        )
    refused(Run(done.returncode, "", done.stderr), 1, "cannot be written", "No space left")
