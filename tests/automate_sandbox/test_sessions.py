"""Who may log in, how often a code counts, and when a session ends."""

from __future__ import annotations

import base64
import typing as t
from datetime import UTC, datetime

import pyotp
import pytest

from automate_sandbox.credentials import random_login, with_entitlements
from automate_sandbox.instants import Clock, parse
from automate_sandbox.problems import Problem
from automate_sandbox.sessions import Sessions, bearer

if t.TYPE_CHECKING:
    from automate_sandbox.money import Record

NOW: t.Final = parse("2026-03-18T17:30:10Z")
LIFETIME: t.Final = 3600
MAX_FAILURES: t.Final = 3


class StoppedClock(Clock):
    """A clock that a test moves by hand."""

    def __init__(self, instant: int) -> None:
        super().__init__()
        self.instant = instant

    def now(self) -> int:
        return self.instant

    def pass_seconds(self, seconds: float) -> None:
        self.instant += int(seconds * 1000)


class Door:
    """Sessions with their clock and the credentials that open them."""

    def __init__(self, mfa_type: str = "totp") -> None:
        self.clock = StoppedClock(NOW)
        self.login = random_login(mfa_type=mfa_type)
        self.sessions = Sessions(
            self.login, self.clock, lifetime=LIFETIME, max_failures=MAX_FAILURES
        )

    def code(self, seconds: int = 0) -> str:
        at = datetime.fromtimestamp(self.clock.now() / 1000 + seconds, UTC)
        return pyotp.TOTP(self.login.totp_secret).at(at)

    def enter(self, code: str | None = None, token: str | None = None, **changes: str) -> Record:
        basic = base64.b64encode((token or self.login.platform_token).encode()).decode()
        payload: Record = {"username": self.login.username, "password": self.login.password}
        if code is not None:
            payload["mfa"] = {"type": "totp", "code": code}
        answer, _ = self.sessions.create(f"Basic {basic}", payload | changes)
        return answer

    def refusal(self, *arguments: str, **changes: str) -> tuple[int, str]:
        with pytest.raises(Problem) as caught:
            self.enter(*arguments, **changes)
        return caught.value.status, caught.value.code


def status_of(sessions: Sessions, token: str) -> str:
    try:
        sessions.check(token)
    except Problem as problem:
        return problem.code
    return "valid"


def test_a_login_answers_as_documented() -> None:
    door = Door()
    answer = door.enter(door.code())
    assert answer["expiresIn"] == LIFETIME
    assert answer["user"]["entitlements"] == ["inventory", "sales", "service", "accounting"]
    assert status_of(door.sessions, answer["authToken"]) == "valid"


def test_a_code_counts_once_even_after_a_newer_one() -> None:
    door = Door()
    now, later = door.code(), door.code(30)
    door.enter(now)
    assert door.refusal(now) == (401, "mfa_code_used")
    door.enter(later)
    assert door.refusal(now) == (401, "mfa_code_used")
    assert door.sessions.counts["logins"] == 2
    assert door.sessions.counts["rejected_codes"] == 2


@pytest.mark.parametrize(("seconds", "code"), [(-60, "invalid_mfa_code"), (60, "invalid_mfa_code")])
def test_a_code_of_a_step_further_off_is_wrong(seconds: int, code: str) -> None:
    door = Door()
    assert door.refusal(door.code(seconds)) == (401, code)


@pytest.mark.parametrize("seconds", [-30, 0, 30])
def test_codes_of_the_neighbouring_steps_are_taken(seconds: int) -> None:
    door = Door()
    assert door.enter(door.code(seconds))["authToken"]


def test_a_missing_code_is_asked_for_and_locks_nobody() -> None:
    door = Door()
    for _ in range(MAX_FAILURES + 1):
        assert door.refusal() == (401, "mfa_required")
    assert not door.sessions.locked


def test_wrong_secrets_are_told_apart() -> None:
    door = Door("none")
    assert door.refusal(token="other") == (401, "invalid_platform_token")  # noqa: S106 - wrong on purpose
    assert door.refusal(username="nobody") == (401, "invalid_credentials")
    assert door.refusal(password="guess") == (401, "invalid_credentials")  # noqa: S106 - wrong on purpose


@pytest.mark.parametrize("authorization", ["", "Bearer abc", "Basic", "Basic %%%", "Basic /w=="])
def test_a_malformed_platform_token_is_refused(authorization: str) -> None:
    door = Door("none")
    with pytest.raises(Problem) as caught:
        door.sessions.create(authorization, {"username": "a", "password": "b"})
    assert caught.value.code == "invalid_platform_token"


def test_repeated_failures_lock_the_user_even_for_the_right_password() -> None:
    door = Door("none")
    for _ in range(MAX_FAILURES):
        assert door.refusal(password="guess")[0] == 401  # noqa: S106 - wrong on purpose
    assert door.refusal() == (423, "user_locked")
    door.sessions.unlock()
    assert door.enter()["authToken"]


def test_a_login_that_works_clears_the_failures_before_it() -> None:
    door = Door("none")
    for _ in range(3):
        for _ in range(MAX_FAILURES - 1):
            door.refusal(password="guess")  # noqa: S106 - wrong on purpose
        door.enter()
    assert not door.sessions.locked


def test_a_stranger_cannot_lock_the_user_out() -> None:
    door = Door("none")
    for _ in range(MAX_FAILURES + 1):
        door.refusal(username="nobody")
    assert door.enter()["authToken"]


def test_a_token_ends_when_it_said_it_would() -> None:
    door = Door("none")
    token = door.enter()["authToken"]
    door.clock.pass_seconds(LIFETIME - 0.001)
    assert status_of(door.sessions, token) == "valid"
    door.clock.pass_seconds(0.001)
    assert status_of(door.sessions, token) == "token_expired"
    with pytest.raises(Problem):
        door.sessions.refresh(token)


def test_a_refresh_gives_a_new_token_and_voids_the_old() -> None:
    door = Door("none")
    token = door.enter()["authToken"]
    door.clock.pass_seconds(LIFETIME - 1)
    answer, _ = door.sessions.refresh(token)
    assert status_of(door.sessions, token) == "invalid_token"
    door.clock.pass_seconds(LIFETIME - 1)
    assert status_of(door.sessions, answer["authToken"]) == "valid"
    assert door.sessions.counts["refreshes"] == 1


def test_all_tokens_can_expire_and_all_sessions_be_killed() -> None:
    door = Door("none")
    tokens = [door.enter()["authToken"] for _ in range(2)]
    assert door.sessions.expire_all() == 2
    assert {status_of(door.sessions, token) for token in tokens} == {"token_expired"}
    fresh = door.enter()["authToken"]
    door.sessions.kill_all()
    assert status_of(door.sessions, fresh) == "invalid_token"


@pytest.mark.parametrize("authorization", ["", "Basic abc", "Bearer", "Bearer "])
def test_without_a_bearer_token_there_is_no_entry(authorization: str) -> None:
    with pytest.raises(Problem) as caught:
        bearer(authorization)
    assert caught.value.status == 401


def test_entitlements_are_those_of_the_api() -> None:
    assert with_entitlements(random_login(), "sales, service").entitlements == ("sales", "service")
    with pytest.raises(ValueError, match="no entitlement"):
        with_entitlements(random_login(), "sales,everything")
