"""Logins and tokens: platform token, DMS login, TOTP codes that count once, lock-out, rotation."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hmac
import secrets
import typing as t
from collections import Counter
from datetime import UTC, datetime

import pyotp

from automate_sandbox.instants import SECOND, Clock
from automate_sandbox.problems import Problem

if t.TYPE_CHECKING:
    from automate_sandbox.money import Record

COOKIE: t.Final = "dms_session"
STEP_SECONDS: t.Final = 30
STEPS_AROUND: t.Final = 1
"""Codes of the step before and after are taken too, as servers do for clocks that are off."""

ENTITLEMENTS: t.Final = ("inventory", "sales", "service", "accounting")


@dataclasses.dataclass(frozen=True)
class Login:
    """The one login of a sandbox.

    Attributes:
        platform_token: Raw; it comes in base64.
        username: Of the DMS user.
        password: Of the DMS user.
        mfa_type: totp, or none.
        totp_secret: Base32.
        entitlements: What the user may use.
        user_id: Of the DMS user, as in the answer of a login.
        user_name: The same.
    """

    platform_token: str
    username: str
    password: str
    mfa_type: str
    totp_secret: str
    entitlements: tuple[str, ...] = ENTITLEMENTS
    user_id: str = ""
    user_name: str = ""


@dataclasses.dataclass(frozen=True)
class Token:
    """A token in use; `expires` in milliseconds since 1970."""

    expires: int
    cookie: str


class Sessions:
    """Who is logged in.

    Attributes:
        counts: `logins`, `refreshes`, `rejected_logins`, `rejected_codes`, `rejected_tokens`,
            `tokens_issued`, `requests_without_cookie`.
    """

    def __init__(self, login: Login, clock: Clock, *, lifetime: int, max_failures: int) -> None:
        """Start with nobody logged in.

        Args:
            login: Who may.
            clock: Of the server.
            lifetime: Of a token, in seconds.
            max_failures: Failed logins in a row that lock the user.
        """
        self.login = login
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._lifetime = lifetime
        self._max_failures = max_failures
        self._tokens: dict[str, Token] = {}
        self._failures = 0
        self._last_step = -1

    @property
    def locked(self) -> bool:
        """Whether failed logins have locked the user."""
        return self._failures >= self._max_failures

    def unlock(self) -> None:
        """Let the user in again, as a person at the DMS would."""
        self._failures = 0

    def create(self, authorization: str, payload: Record) -> tuple[Record, str]:
        """Log in.

        Args:
            authorization: `Basic <base64 platform token>`.
            payload: Valid by the contract: `username`, `password`, `mfa {type, code}`.

        Returns:
            The answer and the cookie.

        Raises:
            Problem: 401 for a wrong token, login or code; 423 once the user is locked.
        """
        if not _same(_basic(authorization), self.login.platform_token):
            self.counts["rejected_logins"] += 1
            raise Problem(401, "The platform token is wrong.", "invalid_platform_token")
        if self.locked:
            self.counts["rejected_logins"] += 1
            raise Problem(423, "The user is locked after failed logins.", "user_locked")
        known = _same(payload["username"], self.login.username)
        if not (known and _same(payload["password"], self.login.password)):
            self._fail(counts_against_user=known)
            raise Problem(401, "Username or password is wrong.", "invalid_credentials")
        if self.login.mfa_type == "totp":
            self._check_code(payload.get("mfa") or {})
        self._failures = 0
        self.counts["logins"] += 1
        return self._issue()

    def refresh(self, token: str) -> tuple[Record, str]:
        """Replace a token by a new one; the old one is void at once.

        Returns:
            The answer and the cookie.
        """
        self.check(token)
        del self._tokens[token]
        self.counts["refreshes"] += 1
        return self._issue()

    def check(self, token: str) -> None:
        """Hold a bearer token to be valid.

        Raises:
            Problem: 401, telling an expired token from one that is none.
        """
        known = self._tokens.get(token)
        if known is None:
            self.counts["rejected_tokens"] += 1
            raise Problem(401, "The token is not valid.", "invalid_token")
        if known.expires <= self._clock.now():
            self.counts["rejected_tokens"] += 1
            raise Problem(401, "The token has expired.", "token_expired")

    def see_cookie(self, token: str, cookie: str | None) -> None:
        """Count requests without the cookie of their session; they are served all the same."""
        known = self._tokens.get(token)
        if known is not None and known.cookie != cookie:
            self.counts["requests_without_cookie"] += 1

    def expire_all(self) -> int:
        """Let every token expire now.

        Returns:
            How many there were.
        """
        now = self._clock.now()
        self._tokens = {
            text: dataclasses.replace(token, expires=min(token.expires, now))
            for text, token in self._tokens.items()
        }
        return len(self._tokens)

    def expire(self, token: str) -> None:
        """Let one token expire now."""
        if token in self._tokens:
            self._tokens[token] = dataclasses.replace(
                self._tokens[token], expires=self._clock.now()
            )

    def kill_all(self) -> int:
        """Forget every session, as when the vendor restarts.

        Returns:
            How many there were.
        """
        killed = len(self._tokens)
        self._tokens.clear()
        return killed

    def _issue(self) -> tuple[Record, str]:
        now = self._clock.now()
        self._tokens = {text: token for text, token in self._tokens.items() if token.expires > now}
        text, cookie = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
        self._tokens[text] = Token(now + self._lifetime * SECOND, cookie)
        self.counts["tokens_issued"] += 1
        answer: Record = {
            "authToken": text,
            "expiresIn": self._lifetime,
            "user": {
                "id": self.login.user_id,
                "name": self.login.user_name,
                "entitlements": list(self.login.entitlements),
            },
        }
        return answer, cookie

    def _check_code(self, mfa: Record) -> None:
        code = mfa.get("code") or ""
        if not code:
            self._fail(counts_against_user=False)
            raise Problem(401, "This login needs a TOTP code.", "mfa_required")
        totp = pyotp.TOTP(self.login.totp_secret)
        step = self._clock.now() // SECOND // STEP_SECONDS
        for candidate in range(step - STEPS_AROUND, step + STEPS_AROUND + 1):
            at = datetime.fromtimestamp(candidate * STEP_SECONDS, UTC)
            if mfa["type"] == "totp" and _same(totp.at(at), code):
                if candidate <= self._last_step:
                    break
                self._last_step = candidate
                return
        else:
            candidate = None
        self.counts["rejected_codes"] += 1
        self._fail(counts_against_user=True)
        if candidate is None:
            raise Problem(401, "The code is wrong.", "invalid_mfa_code")
        raise Problem(401, "The code has been used before.", "mfa_code_used")

    def _fail(self, *, counts_against_user: bool) -> None:
        self.counts["rejected_logins"] += 1
        self._failures += counts_against_user


def bearer(authorization: str) -> str:
    """Take the token from `Bearer <token>`.

    Raises:
        Problem: 401 when there is none.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(401, "A bearer token is needed.", "missing_token")
    return token.strip()


def _basic(authorization: str) -> str:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
