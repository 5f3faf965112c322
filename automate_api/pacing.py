"""When the next request may leave: a steady rate, and pauses that the server asked for."""

from __future__ import annotations

import threading
import typing as t

if t.TYPE_CHECKING:
    from automate_api.clock import Clock


class Pacer:
    """Spaces the requests of all threads of a process.

    Args:
        per_second: Requests a second at most.
        clock: For the time that passes.
    """

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._interval = 1.0 / per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 0.0
        self._held_until = 0.0

    def turn(self) -> float:
        """Take the next free place.

        Returns:
            Seconds to wait before sending.
        """
        with self._lock:
            now = self._clock.monotonic()
            place = max(now, self._next)
            self._next = place + self._interval
            return place - now

    def hold(self, seconds: float) -> None:
        """Let nobody send for a while, since the server asked one of us to wait."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock.monotonic() + seconds)

    def held(self) -> float:
        """Seconds until the pause ends; zero or less when there is none."""
        with self._lock:
            return self._held_until - self._clock.monotonic()
