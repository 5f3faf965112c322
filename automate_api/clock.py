"""Time as the client needs it: the hour, durations, and waiting that can be stopped.

Tests inject a clock of their own, so that none of them has to sit through a wait.
"""

from __future__ import annotations

import time
import typing as t

from automate_api.errors import StoppedError

if t.TYPE_CHECKING:
    import threading

SLICE_SECONDS: t.Final = 0.1


class Clock(t.Protocol):
    """What session and client ask of time."""

    def time(self) -> float:
        """Seconds since 1970 by this machine's clock, which may be wrong."""

    def monotonic(self) -> float:
        """Seconds that only ever grow, for durations."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Let time pass.

        Args:
            seconds: At least so long; nothing to wait for when zero or less.
            stop: Ends the wait early when set.

        Raises:
            StoppedError: When `stop` is set, before or during the wait.
        """


class SystemClock:
    """The machine's own clock."""

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some fixed point."""
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Sleep in short slices and look at `stop` between them.

        Not `stop.wait(seconds)`: a signal handler that sets the event while the main thread is
        inside `Event.wait` needs the lock which that very thread may hold, and both hang.

        Raises:
            StoppedError: When `stop` is set.
        """
        end = time.monotonic() + seconds
        while not stop.is_set():
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, SLICE_SECONDS))
        raise StoppedError


SYSTEM_CLOCK: t.Final = SystemClock()
