"""When the next request may leave: one rate for all threads, and pauses that the server asked for.

The rate starts at what the settings allow. An answer 429 halves it; while answers are good it grows
again, by a fixed step after a fixed time, as congestion control does (additive increase,
multiplicative decrease): whatever limit the server has is found from below, and passed seldom.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import typing as t

if t.TYPE_CHECKING:
    from automate_api.clock import Clock

STEPS: t.Final = 20
"""The rate grows by this part of the configured one at a time."""

RAISE_SECONDS: t.Final = 5.0
"""Seconds without a change of the rate before it grows by a step."""

LEAST_PER_SECOND: t.Final = 0.1
"""Requests a second below which the rate is not halved; `Retry-After` slows down further."""

_logger: t.Final = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """When a request may leave.

    Attributes:
        seconds: To wait before.
        era: How often the rate had been halved when the place was given.
    """

    seconds: float
    era: int


class Pacer:
    """Spaces the requests of all threads of a process.

    Args:
        per_second: Requests a second at most.
        clock: For the time that passes.
    """

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._most = per_second
        self._least = min(per_second, LEAST_PER_SECOND)
        self._rate = per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._era = 0
        self._next = 0.0
        self._held_until = 0.0
        self._changed_at = 0.0

    @property
    def rate(self) -> float:
        """Requests a second at present."""
        return self._rate

    def turn(self) -> Place:
        """Take the next free place."""
        with self._lock:
            now = self._clock.monotonic()
            at = max(now, self._next)
            self._next = at + 1.0 / self._rate
            return Place(at - now, self._era)

    def stands(self, place: Place) -> bool:
        """Tell whether a place whose time has come still counts.

        It does not during a pause, nor after the rate was halved: the places that were given before
        lie too close together.
        """
        with self._lock:
            return place.era == self._era and self._held_until <= self._clock.monotonic()

    def hold(self, seconds: float) -> None:
        """Let nobody send for a while, since the server asked one of us to wait."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock.monotonic() + seconds)

    def held(self) -> float:
        """Seconds until the pause ends; zero or less when there is none."""
        with self._lock:
            return self._held_until - self._clock.monotonic()

    def throttled(self, place: Place) -> None:
        """Halve the rate after an answer 429, once for all requests that were under way together.

        Args:
            place: At which the request left. One from before the last halving says nothing about
                the rate of now.
        """
        with self._lock:
            if place.era != self._era or self._rate <= self._least:
                return
            now = self._clock.monotonic()
            self._era += 1
            self._rate = max(self._least, self._rate / 2)
            self._next = now + 1.0 / self._rate
            self._changed_at = now
            rate = self._rate
        _logger.info(
            "The DMS throttles (429): %s requests a second from now on, slowly more again while it "
            "answers; `requests_per_second` is %s",
            _number(rate),
            _number(self._most),
        )

    def succeeded(self, place: Place) -> None:
        """Raise the rate by a step after a good answer, when it has not changed for a while.

        Args:
            place: At which the request left.
        """
        if self._rate >= self._most:
            return
        with self._lock:
            now = self._clock.monotonic()
            quiet = now - max(self._changed_at, self._held_until)
            if place.era == self._era and quiet >= RAISE_SECONDS:
                self._rate = min(self._most, self._rate + self._most / STEPS)
                self._changed_at = now


def _number(rate: float) -> str:
    return f"{round(rate, 2):,.12g}"
