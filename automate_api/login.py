"""The two calls that give a token: `POST /sessions` and `POST /sessions/refresh`.

A login is never repeated blindly. A code counts as used once a request with it may have arrived, a
second try takes the code of a later step, and there is no third: DMS vendors lock users that keep
trying.
"""

from __future__ import annotations

import base64
import contextlib
import decimal
import logging
import re
import typing as t
import urllib.parse
from http import HTTPStatus

import msgspec
import requests
import requests.auth

from automate_api import cookies, redaction, replies
from automate_api.clock import SYSTEM_CLOCK, Clock
from automate_api.connections import NoAuth, Request
from automate_api.errors import (
    AuthenticationError,
    ConfigError,
    LockedOutError,
    ProtocolError,
    RequestRefusedError,
    TryLaterError,
)
from automate_api.mfa import EDGE_SECONDS, Totp, usable_step
from automate_api.retry import Trouble
from automate_api.transport import Transport, trouble_of

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from automate_api.config import ApiConfig
    from automate_api.replies import Reply
    from automate_api.session_store import SessionState

LOGIN: t.Final = "POST /sessions"
TRIES: t.Final = 2
REFUSALS_BEFORE_LOCK: t.Final = 2
LONGEST_CODE_WAIT_SECONDS: t.Final = 120
RESET_HINT: t.Final = "run `automate-dms login --reset` with the same settings"

_TOKEN: t.Final = re.compile(r"[!-~]+")
_BLAMES_CODE: t.Final = re.compile(r"mfa|otp|code")

logger = logging.getLogger(__name__)


class Bearer(requests.auth.AuthBase):
    """Authorization by a session's token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header."""
        r.headers["Authorization"] = f"Bearer {self._token}"
        return r


class PlatformToken(requests.auth.AuthBase):
    """Authorization of a login: the platform's token in base64."""

    def __init__(self, token: str) -> None:
        self._encoded = base64.b64encode(token.encode()).decode()

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header."""
        r.headers["Authorization"] = f"Basic {self._encoded}"
        return r


class Authenticator:
    """Gets tokens for one set of credentials; the caller sees to it that nobody else does.

    Args:
        config: The credentials.
        transport: Sends the requests.
        clock: The time.
    """

    def __init__(
        self, config: ApiConfig, transport: Transport, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock
        self._totp = Totp(config.totp_secret) if config.totp_secret else None

    def log_in(self, state: SessionState, save: Callable[[SessionState], None]) -> SessionState:
        """Log in with the credentials, twice at most.

        Args:
            state: What is known from before: lock-out, refused logins, the last code's step.
            save: Called before a code is sent and after a refusal, so that no process forgets
                either.

        Returns:
            The state with a token; the caller saves it.

        Raises:
            LockedOutError: When the user is locked, now or since an earlier run.
            AuthenticationError: When the DMS refuses the login.
            TryLaterError: When the DMS is busy, or cannot be reached.
            ConfigError: When the integration does not exist, or TLS fails.
            ProtocolError: When the answer is not what the contract promises.
            StoppedError: When `stop` is set.
        """
        if state.locked_reason is not None:
            msg = (
                f"No login is tried, since {state.locked_reason}. Correct the cause, have the user "
                f"unlocked, then {RESET_HINT}."
            )
            raise LockedOutError(msg)
        self._knock()
        for is_last in (False, True):
            before = state
            state, body = self._credentials(state)
            save(state)
            asked_at = self._clock.time()
            auth = PlatformToken(self._config.platform_token)
            outcome = self._transport.attempt(Request("POST", "/sessions", auth, body=body))
            if trouble_of(outcome) is None:
                reply = t.cast("Reply", outcome)
                if reply.is_success:
                    return self._granted(state, reply, LOGIN, asked_at)
                state = self._refused(state, reply, save, is_last=is_last)
                continue
            if trouble_of(outcome) is Trouble.UNSENT:
                save(before)
                raise replies.unsuccessful(outcome, LOGIN, self._config.host, 1 + is_last)
            if is_last:
                raise replies.unsuccessful(outcome, LOGIN, self._config.host, TRIES)
            budget = self._config.max_wait_seconds
            delay = self._transport.delay(LOGIN, outcome, attempts=1, budget=budget)
            self._transport.wait(delay)
        raise AssertionError  # the second round returns or raises

    def refresh(self, state: SessionState, *, patient: bool) -> SessionState | None:
        """Exchange a token for a newer one.

        Args:
            state: Whose token.
            patient: Whether to repeat the request when the API is busy or unreachable.

        Returns:
            The state with a new token, None when the DMS refuses; the caller saves it.

        Raises:
            TryLaterError: When the DMS is busy, or cannot be reached.
            RequestRefusedError: When it answers 500.
            ProtocolError: When the answer is not what the contract promises.
            ConfigError: When TLS fails.
            StoppedError: When `stop` is set.
        """
        request = Request("POST", "/sessions/refresh", Bearer(state.token or ""))
        asked_at = self._clock.time()
        if patient:
            reply = self._transport.send(request)
        else:
            outcome = self._transport.attempt(request)
            if trouble_of(outcome) is not None:
                raise replies.unsuccessful(outcome, str(request), self._config.host, 1)
            reply = t.cast("Reply", outcome)
        if reply.is_success:
            return self._granted(state, reply, str(request), asked_at)
        logger.debug("The DMS answered %s to a token refresh", reply.status)
        return None

    def _knock(self) -> None:
        """Learn the server's clock, and that it can be reached, before a password leaves."""
        with contextlib.suppress(RequestRefusedError):
            self._transport.send(Request("HEAD", "", NoAuth()))

    def _credentials(self, state: SessionState) -> tuple[SessionState, dict[str, t.Any]]:
        body: dict[str, t.Any] = {
            "username": self._config.username,
            "password": self._config.password,
        }
        if self._totp is None:
            return state, body
        skew = self._transport.clock_skew
        if skew is None:
            skew = state.clock_skew or 0.0
        step, wait = usable_step(self._clock.time() + skew, state.last_totp_step)
        if wait > LONGEST_CODE_WAIT_SECONDS:
            msg = (
                f"The last code that was used belongs to a time {wait:.0f} s ahead of the server's "
                f"clock. Check the clocks, then {RESET_HINT}."
            )
            raise TryLaterError(msg)
        if wait > 0:
            # Nobody need hear of the moments between two steps, which any login may meet.
            level = logging.INFO if wait > EDGE_SECONDS else logging.DEBUG
            logger.log(level, "Waiting %.0f s for the next one-time code", wait)
            self._transport.wait(wait)
        code = self._totp.code(step)
        redaction.register(code)
        body["mfa"] = {"type": "totp", "code": code}
        return msgspec.structs.replace(state, last_totp_step=step), body

    def _granted(
        self, state: SessionState, reply: Reply, call: str, asked_at: float
    ) -> SessionState:
        if not reply.is_json:
            raise replies.not_json(reply, call)
        body: dict[str, t.Any] = reply.body if isinstance(reply.body, dict) else {}
        token, lifetime = body.get("authToken"), body.get("expiresIn")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            msg = f"{call}: expected a text `authToken`, got {type(token).__name__}."
            raise ProtocolError(msg, request_id=reply.request_id)
        is_number = isinstance(lifetime, (int, decimal.Decimal)) and not isinstance(lifetime, bool)
        if lifetime is None or not is_number or lifetime <= 0:
            msg = f"{call}: expected `expiresIn` in seconds above 0, got {type(lifetime).__name__}."
            raise ProtocolError(msg, request_id=reply.request_id)
        user: dict[str, t.Any] = body["user"] if isinstance(body.get("user"), dict) else {}
        entitlements = user.get("entitlements")
        if not isinstance(entitlements, list):
            entitlements = state.entitlements
        return msgspec.structs.replace(
            state,
            token=token,
            issued_at=asked_at,
            expires_at=asked_at + float(min(lifetime, replies.LONGEST_SECONDS)),
            clock_skew=self._transport.clock_skew,
            failed_logins=0,
            locked_reason=None,
            cookies=cookies.of(self._transport.cookies),
            entitlements=tuple(name for name in entitlements if isinstance(name, str)),
            user_id=user["id"] if isinstance(user.get("id"), str) else state.user_id,
        )

    def _refused(
        self,
        state: SessionState,
        reply: Reply,
        save: Callable[[SessionState], None],
        *,
        is_last: bool,
    ) -> SessionState:
        """Raise, unless it was the code alone and there is another try."""
        if reply.status == HTTPStatus.LOCKED:
            save(msgspec.structs.replace(state, locked_reason="the DMS has locked the user (423)"))
            msg = (
                f"{LOGIN}: the DMS has locked the user (423). Have the dealer's administrator "
                f"unlock it, then {RESET_HINT}. Until then no login is tried."
            )
            raise LockedOutError(msg, request_id=reply.request_id)
        if reply.status in replies.NOT_OFFERED:
            msg = (
                f"{LOGIN}: there is no such integration at {self._config.host} ({reply.status}). "
                "Check `integration_id` and `api_url`."
            )
            if urllib.parse.urlsplit(self._config.api_url).path:
                msg += " That has a path behind its host, which belongs there for a gateway alone."
            raise ConfigError(msg, request_id=reply.request_id)
        if reply.status != HTTPStatus.UNAUTHORIZED:
            error = replies.refusal(reply, LOGIN)
            if isinstance(error, RequestRefusedError):
                raise AuthenticationError(str(error), code=reply.error_code) from error
            raise error
        failed = state.failed_logins + 1
        locked = "the DMS refused two logins in a row" if failed >= REFUSALS_BEFORE_LOCK else None
        state = msgspec.structs.replace(state, failed_logins=failed, locked_reason=locked)
        save(state)
        if self._totp and not locked and not is_last and _blames_code(reply):
            return state
        raise self._login_error(reply, locked=locked is not None)

    def _login_error(self, reply: Reply, *, locked: bool) -> AuthenticationError:
        code = f" ({reply.error_code})" if reply.error_code else ""
        factor = "`totp_secret`" if self._totp else "`mfa_type`, if the login needs a second factor"
        then = (
            f"No further login is tried until you {RESET_HINT}."
            if locked
            else f"One more refusal, and no further login is tried until you {RESET_HINT}."
        )
        msg = (
            f"{LOGIN}: the DMS refused the login with 401{code}. Check `platform_token`, "
            f"`username`, `password` and {factor}. {then}"
        )
        kind = LockedOutError if locked else AuthenticationError
        return kind(msg, request_id=reply.request_id, code=reply.error_code)


def _blames_code(reply: Reply) -> bool:
    names = [reply.error_code or "", *reply.error_fields]
    return any(_BLAMES_CODE.search(name.lower()) for name in names)
