"""Runs programs to their end and tells what the kernel says that they took."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import click

from benchmarks.memory import Watch

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEBIBYTE: t.Final = 1 << 20
RSS_UNIT: t.Final = 1 if sys.platform == "darwin" else 1024
"""Bytes in which `ru_maxrss` counts."""
LAST_LINES: t.Final = 5
NOWHERE: t.Final = Path(os.devnull)


class RunFailedError(click.ClickException):
    """A program that was to be measured failed: there is nothing to measure."""


@dataclasses.dataclass(frozen=True, slots=True)
class Took:
    """What a run took.

    Attributes:
        wall: Seconds from start to end.
        cpu: Seconds of the processor, user and system, of the process and those it waited for.
        rss: Peak of its memory, MiB.
    """

    wall: float
    cpu: float
    rss: float


@dataclasses.dataclass(frozen=True, slots=True)
class Pipeline:
    """What programs took that ran together.

    Attributes:
        programs: Each of them.
        together: The most memory that they held at the same time, MiB.
    """

    programs: Sequence[Took]
    together: float

    @property
    def wall(self) -> float:
        """Seconds from start to the end of the last one."""
        return max(each.wall for each in self.programs)

    @property
    def cpu(self) -> float:
        """Seconds of the processor of all of them."""
        return sum(each.cpu for each in self.programs)


def run(command: Sequence[str], given: Path, folder: Path) -> Took:
    """Run a program with a file as its input.

    Args:
        command: With its arguments.
        given: What it reads.
        folder: Where its output goes.

    Raises:
        RunFailedError: When it does not exit 0.
    """
    done = run_pipeline([command], folder, given=given, out=folder / "stdout")
    return done.programs[0]


def run_pipeline(
    commands: Sequence[Sequence[str]],
    folder: Path,
    *,
    given: Path | None = None,
    out: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Pipeline:
    """Run programs, each reading what the one before writes.

    Args:
        commands: With their arguments.
        folder: Where their messages go, as `stderr`, `stderr1` and so on.
        given: What the first one reads; nothing unless given.
        out: Where the output of the last one goes; nowhere unless given.
        environment: Variables to add.

    Returns:
        What they took.

    Raises:
        RunFailedError: When one does not exit 0.
    """
    said = [folder / f"stderr{number or ''}" for number in range(len(commands))]
    processes: list[subprocess.Popen[bytes]] = []
    with contextlib.ExitStack() as files:
        before: t.IO[bytes] | None = files.enter_context((given or NOWHERE).open("rb"))
        begin = time.perf_counter()
        for command, messages in zip(commands, said, strict=True):
            is_last = len(processes) == len(commands) - 1
            process = subprocess.Popen(  # noqa: S603 - our own table of commands
                command,
                stdin=before,
                stdout=files.enter_context((out or NOWHERE).open("wb"))
                if is_last
                else subprocess.PIPE,
                stderr=files.enter_context(messages.open("wb")),
                env={**os.environ, **(environment or {})},
            )
            if before is not None:
                # A reader that ends early has to be noticed by the writer.
                before.close()
            before = process.stdout
            processes.append(process)
        watch = Watch([process.pid for process in processes])
        waited = [_wait(process, begin) for process in processes]
        watch.stop()
    # From the end: a writer fails, too, when its reader has.
    for command, process, messages in reversed(list(zip(commands, processes, said, strict=True))):
        if process.returncode:
            last = "\n".join(messages.read_text(errors="replace").splitlines()[-LAST_LINES:])
            msg = f"{Path(command[0]).name} ended with {process.returncode}:\n{last}"
            raise RunFailedError(msg)
    peaks = zip(waited, watch.peaks, strict=True)
    took = [dataclasses.replace(each, rss=peak or each.rss) for each, peak in peaks]
    return Pipeline(took, watch.together or sum(each.rss for each in took))


def _wait(process: subprocess.Popen[bytes], begin: float) -> Took:
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    return Took(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * RSS_UNIT / MEBIBYTE)
