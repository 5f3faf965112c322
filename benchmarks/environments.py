"""The peers' environments: pinned, each its own, made when first needed.

They lie in `.bench/`, which git ignores, and are made anew when their `requirements.txt` changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

PEERS: t.Final = Path(__file__).with_name("peers")
ENVIRONMENTS: t.Final = Path(__file__).resolve().parents[1] / ".bench"
STAMP: t.Final = "requirements.sha256"
INSTALL: t.Final = ("pip", "install", "--no-deps", "--compile-bytecode")
LAST_LINES: t.Final = 3


class NotInstalledError(Exception):
    """An environment could not be made; the message says why."""


def environment(name: str) -> Path:
    """Return the folder of a peer's programs, after installing them where they are not.

    Args:
        name: Of the peer's folder.

    Raises:
        NotInstalledError: When there is no uv, or it fails.
    """
    requirements = PEERS / name / "requirements.txt"
    folder = ENVIRONMENTS / name
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    stamp = folder / STAMP
    if stamp.exists() and stamp.read_text() == digest:
        return programs
    ENVIRONMENTS.mkdir(exist_ok=True)
    (ENVIRONMENTS / ".gitignore").write_text("*\n")
    shutil.rmtree(folder, ignore_errors=True)
    _uv("venv", "--python", sys.executable, str(folder))
    python = str(programs / "python")
    # Compiled now, since the first run would take longer than all others.
    _uv(*INSTALL, "--python", python, "--requirement", str(requirements))
    stamp.write_text(digest)
    return programs


def _uv(*arguments: str) -> None:
    # `uv run`, which `make bench` uses, says in UV which uv it is; Meltano brings one along.
    here = str(Path(sys.executable).parent)
    program = os.environ.get("UV") or shutil.which("uv") or shutil.which("uv", path=here)
    if program is None:
        msg = "uv is needed to install it, and there is none"
        raise NotInstalledError(msg)
    # Outside of the project, whose constraints are not for peers.
    done = subprocess.run(  # noqa: S603 - uv, with arguments of our own
        [program, *arguments],
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = "\n".join(done.stderr.splitlines()[-LAST_LINES:])
        msg = f"uv {arguments[0]} ended with {done.returncode}:\n{last}"
        raise NotInstalledError(msg)
