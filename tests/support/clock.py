"""A clock that a test moves."""

from __future__ import annotations

import threading
import typing as t

from automate_api.errors import StoppedError

START: t.Final = 1_790_000_020.0
"""2026-09-21T14:13:40Z, ten seconds into a 30-second step, away from both of its ends."""

TICK: t.Final = 1e-6
"""The least that passes: less is lost beside the seconds since 1970, and nobody would wake."""


class FakeClock:
    """Time passes only when somebody waits or the test says so.

    Attributes:
        waits: What was waited for, in seconds, in order.
    """

    def __init__(self, start: float = START) -> None:
        self._now = start
        self._lock = threading.Lock()
        self.waits: list[float] = []

    def time(self) -> float:
        """Seconds since 1970."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since some point."""
        return self._now - START + 1000.0

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Let time pass at once."""
        if stop.is_set():
            raise StoppedError
        if seconds > 0:
            with self._lock:
                self.waits.append(seconds)
                self._now += max(seconds, TICK)

    def pass_by(self, seconds: float) -> None:
        """Let time pass without anybody waiting."""
        with self._lock:
            self._now += seconds
