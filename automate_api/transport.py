"""Sends requests at their turn: pacing, retries, counters, the server's clock; no logins."""

from __future__ import annotations

import dataclasses
import logging
import random
import threading
import typing as t

from automate_api import replies, retry
from automate_api.clock import SYSTEM_CLOCK, Clock
from automate_api.connections import Connections
from automate_api.errors import TryLaterError
from automate_api.pacing import Pacer, Place
from automate_api.replies import Failure, Reply
from automate_api.retry import Trouble

if t.TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from requests.cookies import RequestsCookieJar

    from automate_api.config import ApiConfig
    from automate_api.connections import Request

DATE_RESOLUTION_SECONDS: t.Final = 1.0
"""A `Date` header leaves the fraction of its second out."""

_logger: t.Final = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class Stats:
    """What sending took, for metrics.

    Attributes:
        requests: Requests sent, repeated ones included.
        retries: Requests sent again.
        throttled: Answers 429.
        waited_seconds: Time spent waiting instead of sending, over all threads.
        paced_seconds: The part of it that `requests_per_second` is the reason of.
        per_second: Requests a second that may leave at present, all threads together.
    """

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    waited_seconds: float = 0.0
    paced_seconds: float = 0.0
    per_second: float = 0.0


class Transport:
    """The one place from which requests leave; safe to share between threads.

    Args:
        config: Where to, how fast, how patiently.
        cookies: Sent, and kept up to date.
        stop: Ends every wait early.
        clock: The time.
        chance: Random numbers in [0, 1), for jitter.
        watch: Shown the headers of every answer.

    Attributes:
        cookies: As given.
    """

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        config: ApiConfig,
        *,
        cookies: RequestsCookieJar,
        stop: threading.Event,
        clock: Clock = SYSTEM_CLOCK,
        chance: Callable[[], float] = random.random,
        watch: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        self._config = config
        self.cookies = cookies
        self._connections = Connections(config, cookies, watch)
        self._stop = stop
        self._clock = clock
        self._chance = chance
        self._pacer = Pacer(config.requests_per_second, clock)
        self._lock = threading.Lock()
        self._stats = Stats()
        self._heard: tuple[dt.datetime, float] | None = None
        self._skew: float | None = None

    @property
    def stats(self) -> Stats:
        """A copy of the counters."""
        with self._lock:
            return dataclasses.replace(self._stats, per_second=self._pacer.rate)

    @property
    def clock_skew(self) -> float | None:
        """Seconds that the server's clock is ahead of ours; None before its first answer."""
        return self._skew

    @property
    def heard(self) -> tuple[dt.datetime, float] | None:
        """The last `Date` header, and when it came (monotonic seconds); None before the first."""
        return self._heard

    def send(self, request: Request) -> Reply:
        """Send a request that may be repeated, until there is an answer worth looking at.

        Returns:
            An answer with any status but 429, 500, 502, 503 and 504.

        Raises:
            UnreachableError: When there is no answer within the attempts.
            TryLaterError: When the API is busy for longer than `max_wait_seconds`, or for too many
                attempts.
            RequestRefusedError: When it answers 500 each time.
            ProtocolError: When each answer is cut short.
            ConfigError: When TLS fails, or the address cannot be used.
            StoppedError: When `stop` is set.
        """
        budget = self._config.max_wait_seconds
        attempts = 0
        while True:
            attempts += 1
            outcome = self.attempt(request)
            if trouble_of(outcome) is None:
                return t.cast("Reply", outcome)
            delay = self.delay(str(request), outcome, attempts=attempts, budget=budget)
            self.wait(delay)
            budget -= delay

    def delay(self, call: str, outcome: Reply | Failure, *, attempts: int, budget: float) -> float:
        """Tell how long to wait before the next attempt, which is counted as a retry.

        Args:
            call: Method and path, for messages.
            outcome: What the last attempt met; not a usable answer.
            attempts: How many attempts there were.
            budget: Seconds that may still be spent waiting.

        Returns:
            Seconds to wait.

        Raises:
            AutomateError: The error of the call, when there should be no further attempt.
        """
        limit = self._config.max_wait_seconds
        asked = outcome.retry_after if isinstance(outcome, Reply) else None
        if isinstance(outcome, Reply) and asked is not None and asked > limit:
            raise replies.asks_too_long(outcome, call, limit)
        trouble = trouble_of(outcome) or Trouble.CUT
        delay = retry.delay(trouble, attempts, asked, self._chance())
        if delay is None or delay > budget:
            raise replies.unsuccessful(outcome, call, self._config.host, attempts)
        with self._lock:
            self._stats.retries += 1
        request_id = outcome.request_id if isinstance(outcome, Reply) else None
        _logger.debug(
            "%s: %s at attempt %d; the next in %.1f s",
            call,
            trouble.value,
            attempts,
            delay,
            extra={"request_id": request_id} if request_id else None,
        )
        return delay

    def attempt(self, request: Request) -> Reply | Failure:
        """Send a request once, at its turn.

        Returns:
            The answer with whatever status, or why there is none.

        Raises:
            ConfigError: When TLS fails, or the address cannot be used.
            TryLaterError: When another answer asked for a pause longer than `max_wait_seconds`.
            StoppedError: When `stop` is set.
        """
        place = self._take_turn(request)
        outcome = self._connections.exchange(request)
        self._note(outcome, place)
        return outcome

    def wait(self, seconds: float) -> None:
        """Let time pass, counted as waiting.

        Raises:
            StoppedError: When `stop` is set.
        """
        self._clock.wait(seconds, self._stop)
        if seconds > 0:
            with self._lock:
                self._stats.waited_seconds += seconds

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def _take_turn(self, request: Request) -> Place:
        """Wait until this request may leave: nobody sends while the server wants a pause."""
        limit = self._config.max_wait_seconds
        while True:
            held = self._pacer.held()
            if held > limit:
                msg = (
                    f"{request}: with 429 or 503, the DMS asked for a pause of which {held:.0f} s "
                    "are left; "
                    f"`max_wait_seconds` allows {limit:.0f}. Run again later."
                )
                raise TryLaterError(msg)
            if held > 0:
                self.wait(held)
                continue
            place = self._pacer.turn()
            self.wait(place.seconds)
            with self._lock:
                self._stats.paced_seconds += place.seconds
            if self._pacer.stands(place):
                return place

    def _note(self, outcome: Reply | Failure, place: Place) -> None:
        trouble = trouble_of(outcome)
        with self._lock:
            self._stats.requests += 1
            if isinstance(outcome, Reply):
                self._stats.throttled += trouble is Trouble.THROTTLED
                if outcome.date is not None:
                    self._heard = (outcome.date, self._clock.monotonic())
                    # Servers write `Date` when they answer, so it is compared with the arrival,
                    # however long the answer took to make.
                    server = outcome.date.timestamp() + DATE_RESOLUTION_SECONDS / 2
                    self._skew = server - self._clock.time()
        if isinstance(outcome, Reply) and outcome.retry_after and trouble:
            self._pacer.hold(outcome.retry_after)
        if trouble is Trouble.THROTTLED:
            self._pacer.throttled(place)
        elif trouble is None:
            self._pacer.succeeded(place)


def trouble_of(outcome: Reply | Failure) -> Trouble | None:
    """Tell what trouble an attempt met, None when its answer is worth looking at."""
    return outcome.trouble if isinstance(outcome, Failure) else retry.STATUSES.get(outcome.status)
