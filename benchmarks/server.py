"""The server that everything is measured against: a sandbox dealership as a process of its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import typing as t
import urllib.parse
from pathlib import Path

import requests

from automate_api.config import ApiConfig
from automate_api.session import Session
from benchmarks import feed
from benchmarks.ceiling import ceiling

if t.TYPE_CHECKING:
    from collections.abc import Iterator

BIN: t.Final = Path(sys.executable).parent
LIFETIME_SECONDS: t.Final = 7 * 86_400
"""Of a token: nobody has to log in again while it is measured."""
GRACE_SECONDS: t.Final = 30.0
TIMEOUT_SECONDS: t.Final = 60.0
FOR_SALE: t.Final = frozenset({"in_stock", "transit"})


class Server:
    """A running sandbox.

    Attributes:
        settings: Of a program that is to use it.
        token: Of a session, for a program that cannot log in.
    """

    def __init__(self, control: str, settings: dict[str, t.Any]) -> None:
        """Log in.

        Args:
            control: URL of its control calls.
            settings: As it wrote them.
        """
        self._control = control
        self.settings = settings
        config = ApiConfig.from_settings(settings, program="benchmarks.push")
        self.base_url: str = config.base_url
        with contextlib.closing(Session(config)) as session:
            self.token: str = session.token()

    def delay(self, milliseconds: int) -> None:
        """Have every write answered so much later from now on."""
        self._post("reset-faults", {})
        if milliseconds:
            rule = {"kind": "latency", "milliseconds": milliseconds, "match": {"method": "POST"}}
            self._post("faults", rule)

    def writes(self, stream: str) -> int:
        """Count the writes of a stream's records so far."""
        stats = requests.get(f"{self._control}/stats", timeout=TIMEOUT_SECONDS).json()
        return int(stats["requests"].get(f"POST /{stream}", 0))

    def vehicle(self) -> str:
        """Name the VIN of a vehicle that is for sale."""
        lines = requests.get(f"{self._control}/records/vehicles", timeout=TIMEOUT_SECONDS).text
        vehicles = map(json.loads, lines.splitlines())
        return next(str(vehicle["vin"]) for vehicle in vehicles if vehicle["status"] in FOR_SALE)

    def ceiling(self, seconds: float) -> float:
        """Measure how many writes a second it takes at most, from a client that does nothing else.

        Args:
            seconds: For how long.
        """
        url = urllib.parse.urlsplit(self.base_url)
        body = json.dumps(feed.customer(0)).encode()
        head = (
            f"POST {url.path}/customers HTTP/1.1\r\nHost: {url.netloc}\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        host, port = t.cast("str", url.hostname), t.cast("int", url.port)
        return ceiling(host, port, head.encode() + body, seconds)

    def _post(self, call: str, body: dict[str, t.Any]) -> None:
        url = f"{self._control}/{call}"
        requests.post(url, json=body, timeout=TIMEOUT_SECONDS).raise_for_status()


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Serve a sandbox on a free port until the block ends.

    Args:
        folder: Where its configuration and the session go.
    """
    config = folder / "sandbox.json"
    command = [str(BIN / "automate-dms"), "sandbox", "serve", "--vehicles", "50"]
    command += ["--mfa-type", "none", "--session-seconds", str(LIFETIME_SECONDS)]
    command += ["--config-out", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        try:
            facts = json.loads(t.cast("t.IO[str]", process.stdout).readline())
            yield Server(facts["control_url"], json.loads(config.read_text()))
        finally:
            process.terminate()
            process.wait(GRACE_SECONDS)
