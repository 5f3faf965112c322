from __future__ import annotations

import threading
import typing as t

import pytest
from support.dms import Canned, FakeDms

from automate_api.errors import (
    AuthenticationError,
    TryLaterError,
)
from automate_api.mfa import STEP_SECONDS
from automate_api.session import Freshness, Session, freshness
from automate_api.session_store import SessionState

if t.TYPE_CHECKING:
    from pathlib import Path

    from support.clock import FakeClock

    from automate_api.client import Client

    Connect = t.Callable[..., tuple[Session, Client]]


def test_the_next_process_uses_the_same_login(dms: FakeDms, connect: Connect) -> None:
    first, second = connect()[0], connect()[0]
    assert first.token() == second.token()
    assert second.entitlements == {"inventory", "sales"}
    assert dms.logins == 1


def test_a_good_token_is_used_while_another_process_holds_the_session(
    dms: FakeDms, clock: FakeClock, connect: Connect
) -> None:
    busy, late = connect()[0], connect()[0]
    token = busy.token()
    with busy._store.lock(wait_seconds=0) as held:  # noqa: SLF001 - as a renewal holds it
        assert held
        assert late.token() == token
        clock.pass_by(3600 * 0.8)
        assert late.token() == token
    assert sum(clock.waits) < 1
    assert dms.logins == 1


def test_a_session_in_memory_stays_in_its_process(
    dms: FakeDms, connect: Connect, tmp_path: Path
) -> None:
    first, _ = connect(session_store="memory")
    second, _ = connect(session_store="memory")
    dms.totp = False
    assert first.token() != second.token()
    assert not list(tmp_path.iterdir())


def test_another_user_has_a_session_of_its_own(connect: Connect) -> None:
    connect()[0].token()
    other, _ = connect(username="other.user")
    with pytest.raises(AuthenticationError):
        other.token()


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (1000.0, Freshness.FRESH),
        (250.1, Freshness.FRESH),
        (250.0, Freshness.ADVISORY),
        (80.1, Freshness.ADVISORY),
        (80.0, Freshness.MANDATORY),
        (0.1, Freshness.MANDATORY),
        (0.0, Freshness.ENDED),
        (-5.0, Freshness.ENDED),
    ],
)
def test_windows_are_a_quarter_and_a_twelfth_of_the_lifetime(
    left: float, expected: Freshness
) -> None:
    state = SessionState(token="t", issued_at=5000.0, expires_at=6000.0)  # noqa: S106 - any
    assert freshness(state, 6000.0 - left) is expected


def test_a_token_is_refreshed_once_a_quarter_is_left(
    dms: FakeDms, clock: FakeClock, session: Session
) -> None:
    first = session.token()
    clock.pass_by(3600 * 0.74)
    assert session.token() == first
    clock.pass_by(3600 * 0.02)
    second = session.token()
    assert second != first
    assert session.token() == second
    assert (dms.logins, dms.refreshes) == (1, 1)
    assert session.entitlements == {"inventory", "sales"}


def test_while_one_thread_refreshes_early_the_others_go_on(
    dms: FakeDms, clock: FakeClock, session: Session
) -> None:
    first = session.token()
    clock.pass_by(3600 * 0.8)
    arrived, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        assert go_on.wait(30)

    renewed = {"authToken": "held-token", "expiresIn": 3600}
    dms.answer("POST /sessions/refresh", Canned(body=renewed, before=hold))
    got: list[str] = []
    refreshing = threading.Thread(target=lambda: got.append(session.token()))
    refreshing.start()
    assert arrived.wait(30)
    assert session.token() == first
    go_on.set()
    refreshing.join()
    assert got == ["held-token"]
    assert session.token() == "held-token"
    assert len(dms.calls("POST", "/sessions/refresh")) == 1


def test_near_the_end_all_threads_wait_for_one_refresh(
    dms: FakeDms, clock: FakeClock, session: Session
) -> None:
    first = session.token()
    clock.pass_by(3600 * 0.95)
    barrier = threading.Barrier(8)
    got: list[str] = []

    def ask() -> None:
        barrier.wait(30)
        got.append(session.token())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 1
    assert got[0] != first
    assert (dms.logins, dms.refreshes) == (1, 1)


@pytest.mark.parametrize("share", [0.8, 0.95])
def test_another_process_that_refreshed_is_believed(
    dms: FakeDms, clock: FakeClock, connect: Connect, share: float
) -> None:
    first, second = connect()[0], connect()[0]
    assert first.token() == second.token()
    clock.pass_by(3600 * share)
    assert first.token() == second.token()
    assert (dms.logins, dms.refreshes) == (1, 1)


@pytest.mark.parametrize("status", [500, 503, 404, 401])
def test_an_early_refresh_that_fails_does_no_harm_and_is_not_repeated_at_once(
    dms: FakeDms, clock: FakeClock, session: Session, status: int
) -> None:
    first = session.token()
    clock.pass_by(3600 * 0.8)
    dms.answer("POST /sessions/refresh", Canned(status, {}))
    assert [session.token() for _ in range(3)] == [first] * 3
    assert len(dms.calls("POST", "/sessions/refresh")) == 1
    clock.pass_by(3600 * 0.05)
    assert session.token() != first
    assert (dms.logins, dms.refreshes) == (1, 1)


@pytest.mark.parametrize("status", [401, 403, 404, 501, 500, 503])
def test_a_refresh_that_fails_near_the_end_becomes_one_login(
    dms: FakeDms, clock: FakeClock, session: Session, status: int
) -> None:
    first = session.token()
    clock.pass_by(3600 * 0.93)
    dms.answer("POST /sessions/refresh", *[Canned(status, {})] * 20)
    second = session.token()
    assert second != first
    assert session.token() == second
    assert (dms.logins, dms.refusals) == (2, 0)


def test_a_dms_that_is_down_near_the_end_leaves_the_token_in_use_until_it_ends(
    dms: FakeDms, clock: FakeClock, connect: Connect
) -> None:
    session, _ = connect(max_wait_seconds=5)
    first = session.token()
    clock.pass_by(3600 * 0.93)
    dms.answer("POST /sessions/refresh", *[Canned(503, {})] * 20)
    dms.answer("HEAD ", *[Canned(503, {})] * 40)
    assert [session.token() for _ in range(3)] == [first] * 3
    assert len(dms.calls("HEAD", "")) < 10
    clock.pass_by(3600 * 0.07)
    with pytest.raises(TryLaterError):
        session.token()


def test_a_login_that_fails_near_the_end_takes_the_good_token_from_nobody(
    dms: FakeDms, clock: FakeClock, connect: Connect
) -> None:
    session, _ = connect()
    first = session.token()
    clock.pass_by(3600 * 0.93)
    dms.answer("POST /sessions/refresh", *[Canned(404, {})] * 20)
    dms.answer("POST /sessions", *[Canned(503, {})] * 4)
    assert session.token() == first
    # The pause between renewals is over, and another process begins: both may go on.
    clock.pass_by(3600 * 0.045)
    assert session.token() == first
    assert connect()[0].token() != first
    assert (dms.logins, dms.refusals) == (2, 0)


def test_an_ended_token_becomes_a_login(dms: FakeDms, clock: FakeClock, session: Session) -> None:
    first = session.token()
    clock.pass_by(3601)
    assert session.token() != first
    assert (dms.logins, dms.refreshes, dms.refusals) == (2, 0, 0)


def test_a_rejected_token_is_replaced_by_one_refresh(dms: FakeDms, session: Session) -> None:
    first = session.token()
    second = session.renew(first)
    assert second != first
    assert session.token() == second
    assert (dms.logins, dms.refreshes) == (1, 1)


def test_a_killed_session_becomes_one_login(
    dms: FakeDms, clock: FakeClock, session: Session
) -> None:
    first = session.token()
    dms.tokens.clear()
    assert session.renew(first) != first
    assert (dms.logins, dms.refreshes, dms.refusals) == (2, 0, 0)
    assert len(dms.calls("POST", "/sessions/refresh")) == 1
    assert max(clock.waits) <= STEP_SECONDS + 1


def test_a_rejected_token_is_replaced_by_the_newer_one_of_another_process(
    dms: FakeDms, connect: Connect
) -> None:
    first, second = connect()[0], connect()[0]
    old = first.token()
    assert second.token() == old
    new = first.renew(old)
    assert second.renew(old) == new
    assert (dms.logins, dms.refreshes) == (1, 1)


def test_a_rejected_token_is_replaced_once_for_all_threads(dms: FakeDms, session: Session) -> None:
    old = session.token()
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(session.renew(old))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 1
    assert (dms.logins, dms.refreshes) == (1, 1)


def test_cookies_are_sent_back_rotated_and_shared(dms: FakeDms, connect: Connect) -> None:
    dms.cookie = "sid=one; Path=/; HttpOnly"
    _, client = connect()
    client.get("/lots")
    dms.answer("GET /lots", Canned(headers={"Set-Cookie": "sid=two; Path=/"}))
    client.get("/lots")
    client.get("/lots")
    sent = [seen.headers.get("Cookie") for seen in dms.calls("GET", "/lots")]
    assert sent == ["sid=one", "sid=one", "sid=two"]
    _, elsewhere = connect()
    elsewhere.get("/lots")
    assert dms.seen[-1].headers["Cookie"] == "sid=two"
    assert dms.logins == 1
