"""A Meltano project in a folder of its own: this repository's `meltano.yml`, on another port."""

from __future__ import annotations

import contextlib
import shutil
import socket
import socketserver
import subprocess
import threading
import typing as t
from pathlib import Path

from support.dealership import BIN, Dealership, Run, environment

if t.TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: t.Final = Path(__file__).resolve().parents[2]
LOOPBACK: t.Final = "127.0.0.1"


class Project:
    """A project whose sandbox, state and warehouse lie below its folder.

    Attributes:
        folder: Where `meltano.yml` lies.
        port: Of the sandbox that `sandbox:up` starts.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.port = _free_port()
        self._variables = {
            "PATH": f"{BIN}:{environment()['PATH']}",
            "AUTOMATE_SANDBOX_PORT": str(self.port),
            "TAP_AUTOMATE_API_URL": f"http://{LOOPBACK}:{self.port}",
            "TARGET_AUTOMATE_API_URL": f"http://{LOOPBACK}:{self.port}",
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "",
            **variables,
        }
        # The pins of a checkout stand beside it, where what installs a plugin might read them.
        for name in ("meltano.yml", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)

    @property
    def warehouse(self) -> Path:
        return self.folder / "output" / "warehouse.duckdb"

    @property
    def dealer(self) -> Dealership:
        """The running sandbox."""
        url = f"http://{LOOPBACK}:{self.port}/__sandbox__"
        return Dealership({"control_url": url}, self.folder / "output")

    def meltano(self, *arguments: str, **variables: str) -> Run:
        """Run a `meltano` command in the project."""
        return self.run("meltano", *arguments, **variables)

    def run(self, program: str, *arguments: str, **variables: str) -> Run:
        done = subprocess.run(  # noqa: S603 - programs of our own environment
            [str(BIN / program), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env=environment({**self._variables, **variables}),
            stdin=subprocess.DEVNULL,
        )
        return Run(done.returncode, done.stdout, done.stderr)


@contextlib.contextmanager
def project(folder: Path, **variables: str) -> Iterator[Project]:
    """Give a project and stop its sandbox, if it has started one."""
    made = Project(folder, **variables)
    try:
        yield made
    finally:
        stopped = made.run("automate-dms", "sandbox", "down")
        assert stopped.code == 0, stopped.err


class Outside:
    """A proxy that stands for all other machines: it counts who calls, and answers nobody.

    Attributes:
        calls: The first line of every call.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.calls: list[str] = []

    @property
    def variables(self) -> dict[str, str]:
        """What sends a program's requests here, but for those to loopback."""
        url = f"http://{LOOPBACK}:{self.port}"
        names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        return {**dict.fromkeys(names, url), "no_proxy": LOOPBACK, "NO_PROXY": LOOPBACK}


@contextlib.contextmanager
def outside() -> Iterator[Outside]:
    """Count calls to other machines until the block ends."""

    class Refusal(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            world.calls.append(self.rfile.readline().decode("latin-1").strip())
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    with socketserver.ThreadingTCPServer((LOOPBACK, 0), Refusal) as server:
        world = Outside(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield world
        finally:
            server.shutdown()
            thread.join()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
