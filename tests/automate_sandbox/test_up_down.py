"""`sandbox up` and `down`: one sandbox per folder, whatever happened before."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import typing as t

import pytest
import requests
from support.dealership import BIN, Run, environment

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Command = Callable[..., Run]

SMALL: t.Final = ("--vehicles", "10", "--days", "5")


def turn_away(listener: socket.socket) -> None:
    """Close each connection, as a program of another protocol would."""
    with contextlib.suppress(OSError):
        while True:
            listener.accept()[0].close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def sandbox(tmp_path: Path, port: int) -> Iterator[Command]:
    """Run `automate-dms sandbox ...` on a port of its own; nothing is left running."""

    def run(*arguments: str, port: int = port) -> Run:
        done = subprocess.run(  # noqa: S603 - our own program
            [str(BIN / "automate-dms"), "sandbox", *arguments, "--dir", str(tmp_path / "output")],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            env=environment({"AUTOMATE_SANDBOX_PORT": str(port)}),
        )
        return Run(done.returncode, done.stdout, done.stderr)

    yield run
    run("down")


def info(port: int) -> dict[str, t.Any]:
    answer = requests.get(f"http://127.0.0.1:{port}/__sandbox__/info", timeout=30)
    content: dict[str, t.Any] = answer.json()
    return content


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone, or a zombie that nobody has waited for."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - the kernel's file
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_up_is_idempotent_and_down_stops_exactly_it(
    sandbox: Command, port: int, tmp_path: Path
) -> None:
    first = sandbox("up", *SMALL)
    assert first.code == 0, first.err
    pid = info(port)["pid"]
    assert f"pid {pid}" in first.out
    again = sandbox("up")
    assert again.code == 0
    assert "already up" in again.out
    assert info(port)["pid"] == pid
    config = json.loads((tmp_path / "output" / "sandbox.json").read_text())
    assert config["api_url"] == f"http://127.0.0.1:{port}"
    assert config["username"] == "demo@dealer.example"
    assert os.getsid(pid) == pid, "a session of its own"
    down = sandbox("down")
    assert down.code == 0
    assert f"pid {pid}" in down.out
    assert has_ended(pid)
    assert sandbox("down").code == 0
    assert sandbox("down").out.startswith("No sandbox is up")


def test_the_world_survives_down_up_and_kill(sandbox: Command, port: int) -> None:
    sandbox("up", *SMALL)
    anchor = info(port)["anchor"]
    sandbox("down")
    assert sandbox("up").code == 0, "right after down"
    assert info(port)["anchor"] == anchor
    os.kill(info(port)["pid"], signal.SIGKILL)
    assert sandbox("up").code == 0, "with the pid file of a killed server"
    assert info(port)["anchor"] == anchor
    assert info(port)["vehicles"] == 10


def test_a_stale_pid_file_never_costs_another_program_its_life(
    sandbox: Command, tmp_path: Path
) -> None:
    (tmp_path / "output").mkdir()
    with subprocess.Popen(["sleep", "60"]) as bystander:  # noqa: S607 - any program
        stale = json.dumps({"pid": bystander.pid, "port": 1})
        (tmp_path / "output" / "sandbox.pid").write_text(stale)
        assert sandbox("down").out.startswith("No sandbox is up")
        assert bystander.poll() is None
        bystander.kill()


def test_two_ups_at_once_start_one(sandbox: Command, port: int, tmp_path: Path) -> None:
    command = [
        str(BIN / "automate-dms"),
        "sandbox",
        "up",
        "--dir",
        str(tmp_path / "output"),
        *SMALL,
    ]
    starts = [
        subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdout=subprocess.PIPE,
            text=True,
            env=environment({"AUTOMATE_SANDBOX_PORT": str(port)}),
        )
        for _ in range(3)
    ]
    said = [start.communicate(timeout=90)[0] for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0]
    assert sum("already up" in text for text in said) == 2
    assert all(f"pid {info(port)['pid']}" in text for text in said)
    assert sandbox("down").code == 0


def test_a_port_of_another_program_is_named_and_nothing_is_started(
    sandbox: Command, port: int, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        threading.Thread(target=turn_away, args=(taken,), daemon=True).start()
        refused = sandbox("up")
    assert refused.code == 2
    assert f"Port {port} is in use by another program" in refused.err
    assert "AUTOMATE_SANDBOX_PORT" in refused.err
    assert "TAP_AUTOMATE_API_URL" in refused.err
    assert not (tmp_path / "output" / "sandbox.pid").exists()


def test_a_sandbox_of_another_folder_is_told_apart(
    sandbox: Command, port: int, tmp_path: Path
) -> None:
    sandbox("up", *SMALL)
    other = subprocess.run(  # noqa: S603 - our own program
        [str(BIN / "automate-dms"), "sandbox", "up", "--dir", str(tmp_path / "other")],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=environment({"AUTOMATE_SANDBOX_PORT": str(port)}),
    )
    assert other.returncode == 2
    assert f"the sandbox of another folder (pid {info(port)['pid']})" in other.stderr
    moved = sandbox("up", port=free_port())
    assert moved.code == 2
    assert f"is up on port {port}" in moved.err


def test_a_start_that_fails_says_why(sandbox: Command, tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "sandbox.db").write_text("not a database" * 100)
    failed = sandbox("up")
    assert failed.code == 2
    assert "no sandbox store" in failed.err
    assert "Traceback" not in failed.err


def test_a_port_that_is_none_is_refused(sandbox: Command) -> None:
    refused = sandbox("up", port=99_999)
    assert refused.code == 2
    assert "AUTOMATE_SANDBOX_PORT: expected a port" in refused.err


def test_the_background_sandbox_holds_no_terminal_and_no_pipe(sandbox: Command, port: int) -> None:
    # `run` reads the pipes to their end: it would hang if the server had kept them.
    started = time.monotonic()
    sandbox("up", *SMALL)
    assert time.monotonic() - started < 60
    descriptors = f"/proc/{info(port)['pid']}/fd"
    assert os.readlink(f"{descriptors}/0") == os.devnull  # noqa: PTH115 - the kernel's link
    assert os.readlink(f"{descriptors}/1").endswith("sandbox.log")  # noqa: PTH115
    assert os.readlink(f"{descriptors}/2").endswith("sandbox.log")  # noqa: PTH115


def test_a_sandbox_whose_folder_was_removed_under_it_gives_way(
    sandbox: Command, port: int, tmp_path: Path
) -> None:
    assert sandbox("up", *SMALL).code == 0
    orphan = info(port)["pid"]
    shutil.rmtree(tmp_path / "output")
    again = sandbox("up", *SMALL)
    assert again.code == 0, again.err
    assert info(port)["pid"] != orphan
    shutil.rmtree(tmp_path / "output")
    assert "is down" in sandbox("down").out
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
