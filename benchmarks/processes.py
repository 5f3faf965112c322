"""Runs a program to its end and tells what the kernel says that it took."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
import typing as t

import click

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MEBIBYTE: t.Final = 1 << 20
RSS_UNIT: t.Final = 1 if sys.platform == "darwin" else 1024
"""Bytes in which `ru_maxrss` counts."""
LAST_LINES: t.Final = 5


class RunFailedError(click.ClickException):
    """A program that was to be measured failed: there is nothing to measure."""


@dataclasses.dataclass(frozen=True, slots=True)
class Took:
    """What a run took.

    Attributes:
        wall: Seconds from start to end.
        cpu: Seconds of the processor, user and system, of the process alone.
        rss: Peak of its memory, MiB.
    """

    wall: float
    cpu: float
    rss: float


def run(command: Sequence[str], given: Path, folder: Path) -> Took:
    """Run a program with a file as its input.

    Args:
        command: With its arguments.
        given: What it reads.
        folder: Where its output goes.

    Raises:
        RunFailedError: When it does not exit 0.
    """
    said = folder / "stderr"
    with given.open("rb") as lines, said.open("wb") as err, (folder / "stdout").open("wb") as out:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdin=lines, stdout=out, stderr=err)  # noqa: S603 - ours
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = "\n".join(said.read_text().splitlines()[-LAST_LINES:])
        msg = f"{command[0]} ended with {process.returncode}:\n{last}"
        raise RunFailedError(msg)
    cpu = usage.ru_utime + usage.ru_stime
    return Took(wall, cpu, usage.ru_maxrss * RSS_UNIT / MEBIBYTE)
