"""Whether a request is sent again, and after how long: a table and a function of values.

Delays have full jitter (a random share of an exponential bound), so that clients that failed
together do not come back together. A server's `Retry-After` is waited out in full, and the jitter
comes on top.
"""

from __future__ import annotations

import enum
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping

BASE_SECONDS: t.Final = 0.5
CAP_SECONDS: t.Final = 30.0


class Trouble(enum.Enum):
    """What kept a request from a usable answer, where trying again may help."""

    UNSENT = "not sent"
    CUT = "connection cut before the answer"
    TIMED_OUT = "no answer in time"
    TRUNCATED = "answer cut short"
    THROTTLED = "429"
    UNAVAILABLE = "503"
    GATEWAY = "502 or 504"
    BROKEN = "500"


ATTEMPTS: t.Final[Mapping[Trouble, float]] = {
    Trouble.UNSENT: 5,
    Trouble.CUT: 5,
    Trouble.TIMED_OUT: 3,
    Trouble.TRUNCATED: 5,
    Trouble.THROTTLED: float("inf"),
    Trouble.UNAVAILABLE: 8,
    Trouble.GATEWAY: 8,
    Trouble.BROKEN: 4,
}
"""How often a request is sent in all; throttling is bounded by the time budget alone."""

STATUSES: t.Final[Mapping[int, Trouble]] = {
    429: Trouble.THROTTLED,
    500: Trouble.BROKEN,
    502: Trouble.GATEWAY,
    503: Trouble.UNAVAILABLE,
    504: Trouble.GATEWAY,
}


def delay(trouble: Trouble, attempt: int, retry_after: float | None, chance: float) -> float | None:
    """Decide about one more attempt of a request that may be repeated.

    Args:
        trouble: What happened to the last attempt.
        attempt: How many attempts there were, from 1.
        retry_after: Seconds the server asked for, None when it did not.
        chance: A random number in [0, 1).

    Returns:
        Seconds to wait before the next attempt, never fewer than `retry_after`; None to give up.
    """
    if attempt >= ATTEMPTS[trouble]:
        return None
    bound = min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(attempt - 1, 16))
    return (retry_after or 0.0) + chance * bound
