"""Instants of the API (UTC, ISO 8601) and the clock that the sandbox lives by.

Inside the sandbox an instant is a whole number of milliseconds since 1970; on the wire it is
`2026-01-20T13:45:00Z`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
import typing as t
from datetime import UTC, datetime

SECOND: t.Final = 1000
"""Milliseconds in a second."""

RECENT: t.Final = 1024
"""Instants that are remembered: the stamps of a record, and of what it brings with it, repeat."""


class Clock:
    """The server's time: the machine's clock moved by an offset.

    With an offset a test can give a whole world a fixed date, or a server whose clock is wrong; the
    `Date` header and the sessions follow the same clock.
    """

    def __init__(self, offset: int = 0) -> None:
        """Start the clock.

        Args:
            offset: Milliseconds added to the machine's time.
        """
        self.offset = offset
        self._jumped = asyncio.Event()

    @classmethod
    def starting_at(cls, instant: int) -> Clock:
        """Make a clock that shows `instant` (milliseconds) now and runs on from there."""
        return cls(instant - time.time_ns() // 1_000_000)

    def now(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000 + self.offset

    def advance(self, milliseconds: int) -> None:
        """Jump forward; who sleeps by this clock wakes when its time has come."""
        self.offset += milliseconds
        jumped, self._jumped = self._jumped, asyncio.Event()
        jumped.set()

    async def sleep(self, milliseconds: float) -> None:
        """Wait until the clock shows so much more."""
        due = self.now() + milliseconds
        while (left := due - self.now()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._jumped.wait(), left / 1000)


@functools.lru_cache(maxsize=RECENT)
def render(instant: int) -> str:
    """Write an instant as the API does: `...:00Z`, with milliseconds only when there are any.

    Args:
        instant: Milliseconds since 1970.
    """
    seconds, milliseconds = divmod(instant, SECOND)
    year, month, day, hour, minute, second, *_ = time.gmtime(seconds)
    fraction = f".{milliseconds:03d}" if milliseconds else ""
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}{fraction}Z"


@functools.lru_cache(maxsize=RECENT)
def parse(text: str) -> int:
    """Read an ISO 8601 instant; a date alone or a time without offset counts as UTC.

    Returns:
        Milliseconds since 1970.

    Raises:
        ValueError: The text is no ISO 8601 instant.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds // 1000
