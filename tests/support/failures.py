"""What every failed run owes its user: the exit code, one message, nothing private."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t

from support.dealership import command, environment

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from support.dealership import Dealership, Run

ENTRY = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \| (?P<level>\w+) +\| [\w.-]+ +\| ", re.MULTILINE
)
"""The head of a log entry; an entry ends where the next one begins."""


def entries(log: str, *levels: str) -> list[str]:
    """Return the entries of these levels, without their heads."""
    heads = [*ENTRY.finditer(log)]
    ends = [*(head.start() for head in heads[1:]), len(log)]
    return [
        log[head.end() : end]
        for head, end in zip(heads, ends, strict=True)
        if head["level"] in levels
    ]


def refused(done: Run, code: int, *words: str) -> str:
    """Hold a failed run to its exit code and one message with these words; return that."""
    assert done.code == code, done.err
    assert "Traceback" not in done.err, done.err
    said = entries(done.err, "ERROR", "CRITICAL")
    assert len(said) == 1, done.err
    missing = [word for word in words if word not in said[0]]
    assert not missing, f"{missing} not in {said[0]!r}"
    return said[0]


def warned(done: Run, *words: str) -> None:
    """Hold a finished run to exactly one warning with all of these words."""
    said = [entry for entry in entries(done.err, "WARNING") if all(word in entry for word in words)]
    assert len(said) == 1, done.err


def secrets_of(dealer: Dealership) -> set[str]:
    """Return the sandbox's secrets."""
    return {dealer.facts[name] for name in ("platform_token", "password", "totp_secret")} - {""}


def shows_none_of(text: str, private: Iterable[str]) -> None:
    """Hold a text to show none of these values."""
    shown = sorted(value for value in private if value in text)
    assert not shown, f"{shown} in {text}"


def personal_values(dealer: Dealership) -> set[str]:
    """Return emails, phone numbers, licences and VINs of the dealership's records."""
    found: set[str] = {record["vin"] for record in dealer.records("vehicles")}
    for customer in dealer.records("customers"):
        found.update(customer["emails"] or [])
        found.update(phone["number"] for phone in customer["phones"] or [])
        found.update(filter(None, [(customer["driversLicense"] or {}).get("number")]))
    return {value for value in found if len(value) > 6}


def start(
    program: str, *arguments: str | Path, stdin: int | None = None
) -> subprocess.Popen[bytes]:
    """Start one of our programs with its output in pipes; the caller waits for its end."""
    return subprocess.Popen(  # noqa: S603 - our own program
        command(program, *arguments),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )


def interrupted(
    program: str, settings: dict[str, t.Any], config: Path
) -> tuple[int, list[dict[str, t.Any]]]:
    """Run a tap into a pipe that nobody reads any further, and end it with SIGTERM.

    Returns:
        The exit code, and every message that it wrote; each has to be whole.
    """
    config.write_text(json.dumps(settings))
    with subprocess.Popen(  # noqa: S603 - our own program
        command(program, "--config", config),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(2)]  # the second is a record
        process.terminate()
        rest = process.stdout.readlines()
        code = process.wait(30)
    return code, [json.loads(line) for line in (*first, *rest)]
