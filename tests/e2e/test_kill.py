"""kill -9 at any byte: a rerun from the last state that the loader wrote makes the load whole."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import time
import typing as t
from collections import Counter

import pytest
from support.compare import differences
from support.dealership import Dealership, dealership, run
from support.failures import start

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORLD = ("--vehicles", "60", "--days", "10", "--mfa-type", "none")
LOADER_ROWS = 40
Victim = t.Literal["tap", "loader", "both"]


@pytest.fixture
def own_dealer(tmp_path: Path) -> Iterator[Dealership]:
    with dealership(tmp_path, *WORLD) as running:
        yield running


class Load:
    """A tap and a loader with this process as the pipe between them, so that it kills at a byte.

    Attributes:
        log: What both said on standard error in the last run.
    """

    def __init__(self, dealer: Dealership, directory: Path, *, page_size: int = 2) -> None:
        self.log = ""
        self.config = dealer.config(page_size=page_size)
        self.warehouse = directory / "w.duckdb"
        self.state = directory / "state.json"
        self.loader = directory / "loader.json"
        self.loader.write_text(
            json.dumps({"filepath": str(self.warehouse), "batch_size_rows": LOADER_ROWS})
        )

    def run(self, victim: Victim | None = None, at: int = 0) -> tuple[int, int]:
        """Run both to their end, or kill after so many bytes; keep the last state written.

        Returns:
            Their exit codes.
        """
        arguments: list[str | Path] = ["--state", self.state] if self.state.exists() else []
        tap = start("tap-automate", "--config", self.config, *arguments)
        loader = start("target-warehouse", "--config", self.loader, stdin=subprocess.PIPE)
        processes = {"tap": [tap], "loader": [loader], "both": [tap, loader]}
        self._copy(tap, loader, processes[victim] if victim else [], at)
        # What is left of the tap's output is not read: it sees that its reader has gone.
        tap.stdout.close()  # type: ignore[union-attr]  # it is a pipe
        states, log = loader.communicate()
        self.log = tap.stderr.read().decode() + log.decode()  # type: ignore[union-attr]  # it is a pipe
        tap.stderr.close()  # type: ignore[union-attr]  # it is a pipe
        whole = states.rpartition(b"\n")[0]
        if whole:
            self.state.write_bytes(whole.splitlines()[-1])
        return tap.wait(), loader.returncode

    @staticmethod
    def _copy(
        tap: subprocess.Popen[bytes],
        loader: subprocess.Popen[bytes],
        victims: list[subprocess.Popen[bytes]],
        at: int,
    ) -> None:
        assert tap.stdout is not None
        assert loader.stdin is not None
        left = at if victims else None
        with contextlib.suppress(BrokenPipeError):
            while data := os.read(tap.stdout.fileno(), 4096 if left is None else min(left, 4096)):
                loader.stdin.write(data)
                loader.stdin.flush()
                if left is not None:
                    left -= len(data)
                    if left == 0:
                        for process in victims:
                            process.kill()
                        return


def reads(dealer: Dealership) -> Counter[str]:
    """Count the list requests so far, by path."""
    asked = dealer.stats()["requests"].items()
    return Counter({call: count for call, count in asked if call.startswith("GET ")})


def test_a_killed_first_load_does_not_start_over(own_dealer: Dealership, tmp_path: Path) -> None:
    load = Load(own_dealer, tmp_path, page_size=1)
    output = run("tap-automate", "--config", load.config).out
    full = reads(own_dealer)
    load.run("both", output.rindex('"stream":"gl_entries"'))
    before = reads(own_dealer)
    assert load.run() == (0, 0), load.log
    again = reads(own_dealer) - before
    for finished in ("GET /customers", "GET /deals", "GET /accounting/gl-accounts"):
        assert (full[finished] > 10, again[finished]) == (True, 1)
    assert again["GET /accounting/gl-entries"] < full["GET /accounting/gl-entries"] / 2
    assert differences(own_dealer, load.warehouse) == []


@pytest.mark.parametrize("victim", ["tap", "loader"])
def test_a_load_with_one_side_killed_is_made_whole_by_a_rerun(
    own_dealer: Dealership, tmp_path: Path, victim: Victim
) -> None:
    load = Load(own_dealer, tmp_path)
    tap, loader = load.run(victim, 600_000)
    assert -9 in (tap, loader), load.log
    assert load.run() == (0, 0), load.log
    assert differences(own_dealer, load.warehouse) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_load_killed_again_and_again_is_made_whole(
    own_dealer: Dealership, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    load = Load(own_dealer, tmp_path)
    for _ in range(4):
        victims: tuple[Victim, ...] = ("tap", "loader", "both")
        load.run(chance.choice(victims), chance.randint(1, 400_000))
    own_dealer.live(20)
    load.run("both", chance.randint(1, 400_000))
    own_dealer.live(0)
    time.sleep(3.1)  # the cool-down is counted by the server's clock, which is this machine's
    assert own_dealer.stats()["live"]["changed"] > 0
    assert load.run() == (0, 0), load.log
    assert differences(own_dealer, load.warehouse) == []
