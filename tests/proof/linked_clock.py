"""One clock for a test and for its sandbox, which passes at once where somebody waits."""

from __future__ import annotations

import math
import threading
import time
import typing as t

from automate_api.errors import StoppedError

if t.TYPE_CHECKING:
    from collections.abc import Callable


class LinkedClock:
    """The machine's clock, and the sandbox's: whoever waits moves both, and does not wait.

    Args:
        advance: Moves the sandbox's by whole seconds.
    """

    def __init__(self, advance: Callable[[int], object]) -> None:
        self._advance = advance
        self._lock = threading.Lock()
        self.skipped = 0.0
        self._told = 0

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.skipped

    def monotonic(self) -> float:
        """Seconds since some point."""
        return time.monotonic() + self.skipped

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Let time pass at once, here and there."""
        if stop.is_set():
            raise StoppedError
        if seconds > 0:
            self.skip(seconds)

    def skip(self, seconds: float) -> None:
        """Let time pass at once, here and there."""
        with self._lock:
            self.skipped += seconds
            due = math.ceil(self.skipped) - self._told
            if due > 0:
                self._advance(due)
                self._told += due
