"""A sandbox as a process of its own, and our programs run against it as a user runs them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import typing as t
from decimal import Decimal
from pathlib import Path

import requests

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BIN = Path(sys.executable).parent


class Dealership:
    """A running sandbox.

    Attributes:
        facts: The first line that `sandbox serve` printed.
        directory: Where configurations, sessions and outputs of the test lie.
    """

    def __init__(self, facts: dict[str, t.Any], directory: Path) -> None:
        self.facts = facts
        self.directory = directory

    def config(self, name: str = "tap", **changes: t.Any) -> Path:  # noqa: ANN401 - settings
        """Write a configuration for tap-automate and return its path; None removes a setting."""
        values = json.loads((self.directory / "sandbox.json").read_text())
        values |= {"cooldown_seconds": 2, "overlap_seconds": 60, **changes}
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))
        return path

    def settings(self, **changes: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - settings
        values: dict[str, t.Any] = json.loads(self.config("settings", **changes).read_text())
        return values

    def control(self, call: str, body: t.Any = None) -> t.Any:  # noqa: ANN401 - JSON
        """Ask the control interface; a body makes it a POST."""
        url = f"{self.facts['control_url'].rstrip('/')}/{call}"
        with requests.Session() as session:
            session.trust_env = False
            answer = (
                session.get(url, timeout=60)
                if body is None
                else session.post(url, json=body, timeout=60)
            )
        answer.raise_for_status()
        if answer.headers["Content-Type"].startswith("application/x-ndjson"):
            return [json.loads(line, parse_float=Decimal) for line in answer.text.splitlines()]
        return json.loads(answer.text, parse_float=Decimal)

    def records(self, stream: str) -> list[dict[str, t.Any]]:
        """Return the current records of a resource."""
        records: list[dict[str, t.Any]] = self.control(f"records/{stream}")
        return records

    def put(self, stream: str, *records: dict[str, t.Any]) -> None:
        """Have the DMS hold records as they are given, as somebody else would write them."""
        plain = json.loads(json.dumps(records, default=float))
        self.control("import", {"stream": stream, "records": plain})

    def live(self, rate: int) -> None:
        """Change so many records a second from now on."""
        self.control("live", {"rate": rate})

    def pass_time(self, seconds: int) -> None:
        """Move the server's clock on."""
        self.control("clock", {"advance": seconds})

    def stats(self) -> dict[str, t.Any]:
        stats: dict[str, t.Any] = self.control("stats")
        return stats

    def faults(self, *rules: dict[str, t.Any]) -> None:
        self.control("faults", {"rules": list(rules)})


@contextlib.contextmanager
def dealership(directory: Path, *arguments: str) -> Iterator[Dealership]:
    """Serve a sandbox on a free port until the block ends."""
    command = [
        str(BIN / "automate-dms"),
        "sandbox",
        "serve",
        "--port",
        "0",
        "--config-out",
        str(directory / "sandbox.json"),
        *arguments,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            assert process.stdout is not None
            yield Dealership(json.loads(process.stdout.readline()), directory)
        finally:
            process.terminate()
            process.wait(30)


class Run(t.NamedTuple):
    """What a finished program left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    def messages(self, kind: str | None = None) -> list[dict[str, t.Any]]:
        lines = [json.loads(line, parse_float=Decimal) for line in self.out.splitlines()]
        return [line for line in lines if kind is None or line["type"] == kind]

    def records(self, stream: str) -> list[dict[str, t.Any]]:
        return [m["record"] for m in self.messages("RECORD") if m["stream"] == stream]

    def state(self) -> dict[str, t.Any]:
        value: dict[str, t.Any] = self.messages("STATE")[-1]["value"]
        return value


def run(
    program: str, *arguments: str | Path, env: dict[str, str] | None = None, stdin: str = ""
) -> Run:
    """Run one of our programs to its end, with an environment that holds no settings."""
    done = subprocess.run(  # noqa: S603 - our own program
        command(program, *arguments),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment(env),
    )
    return Run(done.returncode, done.stdout, done.stderr)


def start(
    log: Path, program: str, *arguments: str | Path, env: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start one of our programs, with pipes for its input and output.

    Args:
        log: The file of its standard error: a pipe that nobody empties would stop it, since at
            DEBUG the log is longer than a pipe holds.
        program: Its name.
        arguments: Of its command line.
        env: Changes of an environment that holds no settings.
    """
    with log.open("wb") as errors:
        return subprocess.Popen(  # noqa: S603 - our own program
            command(program, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(env),
            text=True,
        )


def pipe(tap: Path, warehouse: Path, state: Path, **options: t.Any) -> Run:  # noqa: ANN401
    """Run tap into loader as a shell pipe does, from the state and back into it.

    Args:
        tap: The tap's configuration.
        warehouse: The DuckDB file.
        state: The last state; read when it is there, and replaced by the new one.
        options: For both processes.

    Returns:
        The worse exit code; what the tap wrote and both logs.
    """
    arguments: list[str | Path] = ["--config", tap]
    if state.exists():
        arguments += ["--state", state]
    extracted = run("tap-automate", *arguments, **options)
    loader = warehouse.with_suffix(".json")
    loader.write_text(json.dumps({"filepath": str(warehouse)}))
    loaded = run("target-warehouse", "--config", loader, stdin=extracted.out, **options)
    if loaded.out:
        state.write_text(loaded.out.splitlines()[-1])
    return Run(extracted.code or loaded.code, extracted.out, extracted.err + loaded.err)


def command(program: str, *arguments: str | Path) -> Sequence[str]:
    return [str(BIN / program), *map(str, arguments)]


def environment(changes: dict[str, str] | None = None) -> dict[str, str]:
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TAP_", "TARGET_", "MELTANO_", "AUTOMATE_"))
    }
    return {**plain, "PYTHONDONTWRITEBYTECODE": "", **(changes or {})}
