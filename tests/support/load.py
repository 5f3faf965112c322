"""A load by two processes, tap and loader, either of which may be killed at any byte."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import typing as t

from support.failures import start

if t.TYPE_CHECKING:
    from pathlib import Path

    from support.dealership import Dealership

LOADER_ROWS = 40
Victim = t.Literal["tap", "loader", "both"]


class Load:
    """A tap and a loader with this process as the pipe between them, so that it kills at a byte.

    Attributes:
        log: What both said on standard error in the last run.
    """

    def __init__(
        self,
        dealer: Dealership,
        directory: Path,
        *,
        page_size: int = 2,
        **settings: t.Any,  # noqa: ANN401 - settings
    ) -> None:
        self.log = ""
        self.config = dealer.config(page_size=page_size, **settings)
        self.warehouse = directory / "w.duckdb"
        self.state = directory / "state.json"
        self.loader = directory / "loader.json"
        self.loader.write_text(
            json.dumps({"filepath": str(self.warehouse), "batch_size_rows": LOADER_ROWS})
        )

    def run(
        self, victim: Victim | None = None, at: int = 0, *, written: bytes = b""
    ) -> tuple[int, int]:
        """Run both to their end, or kill after so many bytes; keep the last state written.

        Args:
            victim: What is killed.
            at: Bytes of the tap's that the loader is given before.
            written: Text of a state that the loader has to have written before: it may be far
                behind what it is given.

        Returns:
            Their exit codes.
        """
        arguments: list[str | Path] = ["--state", self.state] if self.state.exists() else []
        tap = start("tap-automate", "--config", self.config, *arguments)
        loader = start("target-warehouse", "--config", self.loader, stdin=subprocess.PIPE)
        processes = {"tap": [tap], "loader": [loader], "both": [tap, loader]}
        victims = processes[victim] if victim else []
        self._copy(tap, loader, at if victims else None)
        early = b"" if not written else self._states_until(loader, written)
        for process in victims:
            process.kill()
        # What is left of the tap's output is not read: it sees that its reader has gone.
        tap.stdout.close()  # type: ignore[union-attr]  # it is a pipe
        states, log = loader.communicate()
        self.log = tap.stderr.read().decode() + log.decode()  # type: ignore[union-attr]  # it is a pipe
        tap.stderr.close()  # type: ignore[union-attr]  # it is a pipe
        whole = (early + states).rpartition(b"\n")[0]
        if whole:
            self.state.write_bytes(whole.splitlines()[-1])
        return tap.wait(), loader.returncode

    @staticmethod
    def _copy(
        tap: subprocess.Popen[bytes], loader: subprocess.Popen[bytes], most: int | None
    ) -> None:
        assert tap.stdout is not None
        assert loader.stdin is not None
        left = most
        with contextlib.suppress(BrokenPipeError):
            while data := os.read(tap.stdout.fileno(), 4096 if left is None else min(left, 4096)):
                loader.stdin.write(data)
                loader.stdin.flush()
                if left is not None:
                    left -= len(data)
                    if left == 0:
                        return

    @staticmethod
    def _states_until(loader: subprocess.Popen[bytes], text: bytes) -> bytes:
        assert loader.stdout is not None
        states = b""
        for line in loader.stdout:
            states += line
            if text in line:
                break
        return states
