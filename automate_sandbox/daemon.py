"""The demo's sandbox as a background process: one per folder, started once, stopped for certain.

The server holds a lock on `sandbox.lock` for as long as it lives, so that a pid file left behind
by a killed server, or a pid that another program got since, is never taken for it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import typing as t
import warnings

from filelock import FileLock, Timeout

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DEFAULT_PORT: t.Final = 8765
HOST: t.Final = "127.0.0.1"
START_SECONDS: t.Final = 60.0
STOP_SECONDS: t.Final = 10.0
ANSWER_SECONDS: t.Final = 5.0
PROBE_SECONDS: t.Final = 0.2
POLL_SECONDS: t.Final = 0.05
LOG_LINES: t.Final = 5


class DaemonError(Exception):
    """The background sandbox cannot be started or stopped; the message says why and what to do."""


class Place:
    """The files of a background sandbox in its folder."""

    def __init__(self, folder: Path) -> None:
        """Name them.

        Args:
            folder: `output` in the demo.
        """
        self.folder = folder.absolute()
        self.config = self.folder / "sandbox.json"
        self.log = self.folder / "sandbox.log"
        self.store = self.folder / "sandbox.db"
        self.pid = self.folder / "sandbox.pid"
        self.starting = self.folder / "sandbox.starting.lock"


def _life_lock(pid_file: Path) -> FileLock:
    return FileLock(pid_file.with_suffix(".lock"))


@contextlib.contextmanager
def claim(pid_file: Path, port: int) -> Iterator[None]:
    """Hold the folder's lock while serving, and say in the pid file who serves it.

    Args:
        pid_file: Of the folder.
        port: That is served.

    Raises:
        DaemonError: Another server holds the folder.
    """
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_life_lock(pid_file).acquire(timeout=STOP_SECONDS))
        except Timeout:
            message = f"The folder {pid_file.parent} is served by another sandbox."
            raise DaemonError(message) from None
        aside = pid_file.with_name(f".{pid_file.name}.{os.getpid()}")
        aside.write_text(json.dumps({"pid": os.getpid(), "port": port}), encoding="utf-8")
        aside.replace(pid_file)
        try:
            yield
        finally:
            pid_file.unlink(missing_ok=True)


def up(folder: Path, port: int, idle_exit: int, world: Sequence[str]) -> str:
    """Start a sandbox in the background, unless it is up.

    Args:
        folder: For config, log, world and pid.
        port: On loopback.
        idle_exit: Seconds without a request after which it ends by itself.
        world: Options of `serve` that say which world.

    Returns:
        What to tell the user.

    Raises:
        DaemonError: The port is taken, or the server did not start.
    """
    place = Place(folder)
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(place.starting, timeout=START_SECONDS):
            running = _running(place)
            if running is None:
                return _start(place, port, idle_exit, world)
    except Timeout:
        message = f"Another `sandbox up` is at work in {place.folder}; try again when it has ended."
        raise DaemonError(message) from None
    except OSError as error:
        message = f"The folder {place.folder} cannot be used: {error.strerror}."
        raise DaemonError(message) from None
    if running["port"] != port:
        message = (
            f"The sandbox of {place.folder} is up on port {running['port']}, asked for is {port}; "
            "run `automate-dms sandbox down` first."
        )
        raise DaemonError(message)
    _wait_for_answer(place, running["pid"], port, None)
    return (
        f"The sandbox is already up on port {port} (pid {running['pid']}); config: {place.config}"
    )


def down(folder: Path, port: int) -> str:
    """Stop the sandbox of a folder, if it is up; returns once its process has ended.

    Args:
        folder: That it was started for.
        port: Where to look for it when the folder was emptied under it.

    Returns:
        What to tell the user.

    Raises:
        DaemonError: It does not end.
    """
    place = Place(folder)
    running = _running(place) if place.folder.is_dir() else None
    if running is None:
        place.pid.unlink(missing_ok=True)
        orphan = _orphan(place, _info(port))
        if orphan is None:
            return f"No sandbox is up in {place.folder}."
        _end(orphan, port)
        return f"The sandbox (pid {orphan}) is down; its world is gone with the folder's files."
    pid = running["pid"]
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        try:
            with _life_lock(place.pid).acquire(timeout=STOP_SECONDS):
                place.pid.unlink(missing_ok=True)
        except Timeout:
            continue
        return f"The sandbox (pid {pid}) is down; its world stays in {place.store}."
    message = f"The sandbox (pid {pid}) does not end; look at {place.log}."
    raise DaemonError(message)


def _running(place: Place) -> dict[str, int] | None:
    """Tell who serves the folder: nobody unless the lock is held.

    A pid file may be older than the lock's holder, so it counts once the process named in it
    answers, or has not been replaced for as long as a start could take.
    """
    content: dict[str, int] | None = None
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        # Another `up` or `down` that looks holds the lock for a moment too, but no longer.
        with contextlib.suppress(Timeout), _life_lock(place.pid).acquire(timeout=PROBE_SECONDS):
            return None
        with contextlib.suppress(FileNotFoundError, ValueError):
            content = json.loads(place.pid.read_text("utf-8"))
        if content and _info(content["port"]).get("pid") == content["pid"]:
            return content
        time.sleep(POLL_SECONDS)
    return content


def _start(place: Place, port: int, idle_exit: int, world: Sequence[str]) -> str:
    other = _info(port)
    orphan = _orphan(place, other)
    if orphan is not None:
        _end(orphan, port)
    elif _is_taken(port):
        name = f"the sandbox of another folder (pid {other['pid']})" if other else "another program"
        message = (
            f"Port {port} is in use by {name}; stop it, or set AUTOMATE_SANDBOX_PORT to a free "
            "port and TAP_AUTOMATE_API_URL to its address, such as http://127.0.0.1:8766."
        )
        raise DaemonError(message)
    command = [
        sys.executable,
        "-m",
        "automate_sandbox",
        "serve",
        "--demo-login",
        f"--port={port}",
        f"--store={place.store}",
        f"--config-out={place.config}",
        f"--pid-file={place.pid}",
        f"--idle-exit={idle_exit}",
        *world,
    ]
    with place.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program, our own arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    pid = process.pid
    _wait_for_answer(place, pid, port, process)
    with warnings.catch_warnings():
        # It outlives this program on purpose.
        warnings.simplefilter("ignore", ResourceWarning)
        del process
    return f"The sandbox is up on port {port} (pid {pid}); config: {place.config}"


def _orphan(place: Place, info: dict[str, t.Any]) -> int | None:
    """Return the pid of a sandbox of this folder whose files were removed under it."""
    is_ours = info.get("store") == str(place.store) and not place.pid.exists()
    return info["pid"] if is_ours else None


def _end(pid: int, port: int) -> None:
    """End an orphan, which holds a lock that nobody can see any more; wait for its port."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _is_taken(port):
        if time.monotonic() > deadline:
            message = f"The sandbox (pid {pid}) does not end; port {port} is still in use."
            raise DaemonError(message)
        time.sleep(POLL_SECONDS)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(ANSWER_SECONDS)
        return probe.connect_ex((HOST, port)) == 0


def _wait_for_answer(
    place: Place, pid: int, port: int, process: subprocess.Popen[bytes] | None
) -> None:
    """Wait until the server with this pid answers on its port and its config is there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            message = f"The sandbox did not start:\n{_last_lines(place.log)}"
            raise DaemonError(message)
        if _info(port).get("pid") == pid and place.config.is_file():
            return
        time.sleep(POLL_SECONDS)
    message = f"The sandbox (pid {pid}) does not answer on port {port}; look at {place.log}."
    raise DaemonError(message)


def _info(port: int) -> dict[str, t.Any]:
    """Ask who serves a port; empty when it is no sandbox."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/__sandbox__/info")
        content = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return content if isinstance(content, dict) and "sandbox" in content else {}


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-LOG_LINES:])
