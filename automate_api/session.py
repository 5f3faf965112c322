"""One login for every process: which token is used now, and who renews it when.

Tap and target, in any number of processes, share one session through its store. A token is renewed
ahead of its end, in two windows scaled to its lifetime: with a quarter left one thread of one
process renews it while the others go on, with a twelfth left all wait for it. The decision is taken
inside a thread lock and the store's lock, after reading the store again, since another process may
have been first.
"""

from __future__ import annotations

import enum
import logging
import random
import threading
import typing as t

import msgspec
from requests.cookies import RequestsCookieJar

from automate_api import cookies, redaction
from automate_api.clock import SYSTEM_CLOCK, Clock
from automate_api.errors import (
    ConfigError,
    ProtocolError,
    RequestRefusedError,
    TryLaterError,
)
from automate_api.login import LONGEST_CODE_WAIT_SECONDS, Authenticator
from automate_api.mfa import usable_step
from automate_api.session_store import SessionState, SessionStore, open_store
from automate_api.transport import Transport

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from automate_api.config import ApiConfig
    from automate_api.transport import Stats

ADVISORY_SHARE: t.Final = 0.25
MANDATORY_SHARE: t.Final = 0.08
PAUSE_SHARE: t.Final = 0.04
"""Share of the lifetime without a further try after a renewal that failed while the token holds."""

logger = logging.getLogger(__name__)


class Freshness(enum.Enum):
    """How near a token is to its end."""

    FRESH = "use it"
    ADVISORY = "use it; somebody renews it"
    MANDATORY = "renew it before use"
    ENDED = "log in"


def freshness(state: SessionState, now: float) -> Freshness:
    """Tell how near a session's token is to its end.

    Args:
        state: The session.
        now: Seconds since 1970 by this machine's clock.
    """
    left = state.expires_at - now
    lifetime = state.expires_at - state.issued_at
    if state.token is None or left <= 0:
        return Freshness.ENDED
    if left <= lifetime * MANDATORY_SHARE:
        return Freshness.MANDATORY
    return Freshness.ADVISORY if left <= lifetime * ADVISORY_SHARE else Freshness.FRESH


class Session:
    """A login of the DMS; safe to share between threads.

    Args:
        config: Whose login, and where the session is kept.
        stop: Ends every wait early.
        clock: The time.
        chance: Random numbers in [0, 1), for jitter.

    Attributes:
        cookies: What the API set; the client sends them, too.

    Raises:
        ConfigError: When the store cannot be used.
    """

    def __init__(
        self,
        config: ApiConfig,
        *,
        stop: threading.Event | None = None,
        clock: Clock = SYSTEM_CLOCK,
        chance: Callable[[], float] = random.random,
    ) -> None:
        stop = stop or threading.Event()
        self.cookies = RequestsCookieJar()
        self._clock = clock
        self._store: SessionStore = open_store(config, clock=clock, stop=stop)
        self._transport = Transport(
            config, cookies=self.cookies, stop=stop, clock=clock, chance=chance
        )
        self._authenticator = Authenticator(config, self._transport, clock=clock)
        self._patience = 2 * (config.max_wait_seconds + LONGEST_CODE_WAIT_SECONDS)
        self._lock = threading.RLock()
        self._state = SessionState()
        self._quiet_until = 0.0

    @property
    def entitlements(self) -> frozenset[str]:
        """What the login may use; logs in when there is no session yet (errors as `token`)."""
        self.token()
        return frozenset(self._state.entitlements)

    @property
    def user_id(self) -> str | None:
        """Whose login it is; None before the first token, or when the DMS did not say."""
        return self._state.user_id

    @property
    def stats(self) -> Stats:
        """A copy of the counters of logins and refreshes."""
        return self._transport.stats

    def token(self) -> str:
        """Give a token that is valid as far as can be known.

        Raises:
            AuthenticationError: When the DMS refuses the login, or did so before
                (`LockedOutError`).
            TryLaterError: When the DMS is busy, or another process holds the session for too long.
            ConfigError: When the store cannot be used, the integration does not exist, or TLS
                fails.
            ProtocolError: When an answer is not what the contract promises.
            StoppedError: When the stop event is set.
        """
        state = self._state
        now = self._clock.time()
        window = freshness(state, now)
        if window is Freshness.FRESH or (window is not Freshness.ENDED and now < self._quiet_until):
            return t.cast("str", state.token)
        if window is not Freshness.ADVISORY:
            with self._lock:
                self._obtain()
        elif self._lock.acquire(blocking=False):
            try:
                self._renew_early()
            finally:
                self._lock.release()
        return t.cast("str", self._state.token)

    def renew(self, rejected: str) -> str:
        """Replace a token that the API refused although it looked valid.

        A newer token of another thread or process first, then one refresh, then one login.

        Args:
            rejected: The token that was answered with 401.

        Raises:
            AutomateError: As `token`.
        """
        with self._lock, self._store.lock(wait_seconds=self._patience):
            state = self._store.load()
            if state.token in (None, rejected) or self._ended(state):
                state = msgspec.structs.replace(state, token=rejected)
                state = self._replaced(state, patient=False)
            self._adopt(state)
            return t.cast("str", state.token)

    def log_in(self) -> None:
        """Log in whatever the store holds, as a person asks for it.

        Raises:
            AutomateError: As `token`.
        """
        with self._lock, self._store.lock(wait_seconds=self._patience):
            self._adopt(self._logged_in(self._store.load()))

    def reset(self) -> None:
        """Forget token, cookies, refused logins and lock-out; the last used code stays used.

        Raises:
            ConfigError: When the store cannot be used.
            TryLaterError: When another process holds the session for too long.
            StoppedError: When the stop event is set.
        """
        with self._lock, self._store.lock(wait_seconds=self._patience):
            step: int | None = None
            try:
                step = self._store.load().last_totp_step
            except ConfigError:
                self._store.discard()
            # A step far ahead was used by a wrong clock; keeping it would bar logins until then.
            if usable_step(self._clock.time(), step)[1] > LONGEST_CODE_WAIT_SECONDS:
                step = None
            state = SessionState(last_totp_step=step)
            self._store.save(state)
            self._adopt(state)

    def keep_cookies(self) -> None:
        """Share cookies that an answer changed, unless somebody is busy with the session."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            held = cookies.of(self.cookies)
            if held == self._state.cookies:
                return
            self._state = msgspec.structs.replace(self._state, cookies=held)
            with self._store.lock(wait_seconds=0) as locked:
                if not locked:
                    return
                kept = self._store.load()
                if kept.token == self._state.token:
                    self._store.save(msgspec.structs.replace(kept, cookies=held))
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close the connections; the session in the store stays."""
        self._transport.close()

    def _renew_early(self) -> None:
        """Renew a token that is still good, when nobody else is doing so; never fail for it."""
        with self._store.lock(wait_seconds=0) as locked:
            if not locked:
                return
            state = self._store.load()
            if freshness(state, self._clock.time()) is Freshness.FRESH:
                self._adopt(state)
                return
            renewed = self._refreshed(state, patient=False)
        if renewed is not None:
            self._adopt(renewed)
            return
        self._pause_renewals()

    def _obtain(self) -> None:
        """Get a token from the store, by refresh or by login; the thread lock is held."""
        if self._adopt_if_usable(self._store.load()):
            return
        with self._store.lock(wait_seconds=self._patience):
            state = self._store.load()
            if self._adopt_if_usable(state):
                return
            try:
                if self._ended(state):
                    self._adopt(self._logged_in(state))
                else:
                    self._adopt(self._replaced(state, patient=True))
            except TryLaterError:
                if self._ended(state):
                    raise
                self._adopt(state)
                self._pause_renewals()

    def _adopt_if_usable(self, state: SessionState) -> bool:
        usable = freshness(state, self._clock.time()) in {Freshness.FRESH, Freshness.ADVISORY}
        if usable:
            self._adopt(state)
        return usable

    def _replaced(self, state: SessionState, *, patient: bool) -> SessionState:
        """One refresh, then one login; the store's lock is held."""
        return self._refreshed(state, patient=patient) or self._logged_in(state)

    def _pause_renewals(self) -> None:
        lifetime = self._state.expires_at - self._state.issued_at
        self._quiet_until = self._clock.time() + PAUSE_SHARE * lifetime

    def _refreshed(self, state: SessionState, *, patient: bool) -> SessionState | None:
        try:
            renewed = self._authenticator.refresh(state, patient=patient)
        except (TryLaterError, RequestRefusedError, ProtocolError) as error:
            logger.debug("The token could not be refreshed: %s", error)
            return None
        if renewed is not None:
            self._store.save(renewed)
            logger.debug(
                "Refreshed the token, good for %.0f s", renewed.expires_at - renewed.issued_at
            )
        return renewed

    def _logged_in(self, state: SessionState) -> SessionState:
        state = self._authenticator.log_in(state, self._store.save)
        self._store.save(state)
        logger.info(
            "Logged in as %s; entitled to %s",
            state.user_id,
            ", ".join(state.entitlements) or "nothing in particular",
        )
        return state

    def _ended(self, state: SessionState) -> bool:
        return freshness(state, self._clock.time()) is Freshness.ENDED

    def _adopt(self, state: SessionState) -> None:
        if state.token is not None:
            redaction.register(state.token)
        if state.cookies != cookies.of(self.cookies):
            cookies.put(self.cookies, state.cookies)
        self._state = state
