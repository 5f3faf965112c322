from __future__ import annotations

import logging
import threading
import typing as t

import msgspec
import pytest
from support.clock import START
from support.dms import PASSWORD, Canned, FakeDms

from automate_api.config import ApiConfig
from automate_api.errors import (
    AuthenticationError,
    ConfigError,
    LockedOutError,
    ProtocolError,
    StoppedError,
    TryLaterError,
    UnreachableError,
)
from automate_api.mfa import EDGE_SECONDS, STEP_SECONDS, TAIL_SECONDS
from automate_api.replies import Failure, Reply
from automate_api.retry import Trouble
from automate_api.session import Session
from automate_api.session_store import SessionState
from automate_api.transport import Transport

if t.TYPE_CHECKING:
    from pathlib import Path

    from support.clock import FakeClock

    from automate_api.client import Client
    from automate_api.connections import Request

    Connect = t.Callable[..., tuple[Session, Client]]

TRY_LATER: t.Final = [429, 500, 502, 503, 504]


def codes(dms: FakeDms) -> list[str]:
    return [seen.body["mfa"]["code"] for seen in dms.calls("POST", "/sessions")]


def test_a_login_sends_what_the_contract_documents(dms: FakeDms, session: Session) -> None:
    token = session.token()
    assert token in dms.tokens
    (login,) = dms.calls("POST", "/sessions")
    assert login.headers["Authorization"] == "Basic cGxhdGZvcm0tdG9rZW4tN2YzYQ=="
    assert login.body["password"] == PASSWORD
    assert set(login.body) == {"username", "password", "mfa"}
    assert session.entitlements == {"inventory", "sales"}
    assert session.user_id == "u_7b21f0"
    assert dms.refusals == 0


def test_a_login_without_second_factor_sends_none(clock: FakeClock, tmp_path: Path) -> None:
    with FakeDms(clock=clock.time, totp=False) as dms:
        session = Session(ApiConfig.from_settings(dms.settings(tmp_path)), clock=clock)
        session.token()
        session.close()
        (login,) = dms.calls("POST", "/sessions")
        assert set(login.body) == {"username", "password"}


def test_no_code_is_sent_twice_however_often_one_logs_in(
    dms: FakeDms, clock: FakeClock, connect: Connect
) -> None:
    for _ in range(4):
        session, _ = connect()
        session.log_in()
    assert len(set(codes(dms))) == 4
    assert (dms.logins, dms.refusals) == (4, 0)
    assert sum(clock.waits) == pytest.approx(20 + 1 + 2 * 30, abs=2)


def test_a_wait_for_a_code_is_said_when_the_last_one_was_used_and_not_between_two_steps(
    clock: FakeClock, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    clock.pass_by(STEP_SECONDS - TAIL_SECONDS - START % STEP_SECONDS + 1)
    with caplog.at_level(logging.INFO, "automate_api.login"):
        connect()[0].log_in()
        assert clock.waits == [pytest.approx(EDGE_SECONDS - 1, abs=1)]
        assert "Waiting" not in caplog.text
        connect()[0].log_in()
    assert caplog.text.count("Waiting") == 1
    assert "Waiting 30 s for the next one-time code" in caplog.text


@pytest.mark.parametrize("ahead", [-45.0, 45.0, -3600.0, 3600.0])
def test_a_wrong_clock_is_corrected_before_the_first_code(
    clock: FakeClock, connect: Connect, dms: FakeDms, ahead: float
) -> None:
    dms.clock = lambda: clock.time() + ahead
    connect()[0].token()
    assert (dms.logins, dms.refusals) == (1, 0)


def test_a_slow_answer_does_not_spoil_the_correction_of_the_clock(
    dms: FakeDms, clock: FakeClock, session: Session
) -> None:
    dms.answer("HEAD ", Canned(404, {}, before=lambda: clock.pass_by(37)))
    session.token()
    assert (dms.logins, dms.refusals) == (1, 0)


@pytest.mark.parametrize("into_step", [0.0, 0.5, 26.5, 27.2, 28.5, 29.9])
def test_a_code_at_the_edge_of_its_step_is_not_sent(
    clock: FakeClock, connect: Connect, dms: FakeDms, into_step: float
) -> None:
    clock.pass_by(into_step - clock.time() % STEP_SECONDS)
    connect()[0].token()
    assert (dms.logins, dms.refusals) == (1, 0)


def test_a_refused_password_is_tried_once_and_the_second_refusal_ends_it(
    dms: FakeDms, connect: Connect
) -> None:
    with pytest.raises(AuthenticationError, match="One more refusal") as first:
        connect(password="wrong")[0].token()  # noqa: S106 - wrong on purpose
    assert not isinstance(first.value, LockedOutError)
    assert first.value.request_id == "req_1"
    assert dms.refusals == 1
    with pytest.raises(LockedOutError, match="No further login"):
        connect(password="wrong")[0].token()  # noqa: S106 - wrong on purpose
    with pytest.raises(LockedOutError, match="refused two logins in a row"):
        connect()[0].token()
    assert dms.refusals == 2
    assert len(dms.calls("POST", "/sessions")) == 2


def test_a_code_that_somebody_else_used_is_followed_by_the_next_one(
    dms: FakeDms, connect: Connect, tmp_path: Path
) -> None:
    dms.names_culprit = True
    connect()[0].token()
    elsewhere, _ = connect(session_path=str(tmp_path / "another-machine"))
    elsewhere.token()
    assert len(set(codes(dms))) == 2
    assert (dms.logins, dms.refusals) == (2, 1)


def test_a_wrong_totp_secret_is_tried_twice_at_most(dms: FakeDms, connect: Connect) -> None:
    dms.names_culprit = True
    session, _ = connect(totp_secret="GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")  # noqa: S106 - wrong
    with pytest.raises(LockedOutError, match=r"invalid_mfa_code.*`totp_secret`"):
        session.token()
    with pytest.raises(LockedOutError):
        session.token()
    assert dms.refusals == 2


def test_a_login_that_works_clears_the_refusals_before_it(dms: FakeDms, connect: Connect) -> None:
    for _ in range(3):
        with pytest.raises(AuthenticationError):
            connect(password="wrong")[0].log_in()  # noqa: S106 - wrong on purpose
        connect()[0].log_in()
    assert (dms.logins, dms.refusals) == (3, 3)


def test_a_locked_user_is_remembered_by_all_processes_until_a_person_resets(
    dms: FakeDms, connect: Connect
) -> None:
    dms.answer("POST /sessions", Canned(423, {"error": {"requestId": "req_9"}}))
    with pytest.raises(LockedOutError, match="locked the user") as error:
        connect()[0].token()
    assert error.value.request_id == "req_9"
    for _ in range(3):
        with pytest.raises(LockedOutError, match="locked the user"):
            connect()[0].token()
    assert len(dms.calls("POST", "/sessions")) == 1
    session, _ = connect()
    session.reset()
    session.log_in()
    assert connect()[0].token() == session.token()
    assert len(set(codes(dms))) == 2


def test_a_reset_makes_an_unreadable_session_anew(
    dms: FakeDms, connect: Connect, tmp_path: Path
) -> None:
    connect()[0].token()
    (file,) = (tmp_path / "session").glob("*.json")
    file.write_text("damaged")
    session, _ = connect()
    with pytest.raises(ConfigError):
        session.token()
    session.reset()
    dms.totp = False
    session.log_in()
    assert session.token() in dms.tokens


def test_a_code_used_far_in_the_future_does_not_hold_a_run_for_hours(
    clock: FakeClock, connect: Connect, dms: FakeDms
) -> None:
    dms.clock = lambda: clock.time() + 7200
    connect()[0].log_in()
    dms.clock = clock.time
    with pytest.raises(TryLaterError, match="ahead of the server's clock"):
        connect()[0].log_in()
    session, _ = connect()
    session.reset()
    session.log_in()
    assert dms.refusals == 0


@pytest.mark.parametrize("status", TRY_LATER)
def test_a_busy_dms_gets_a_second_login_with_a_later_code(
    dms: FakeDms, session: Session, status: int
) -> None:
    dms.answer("POST /sessions", Canned(status, {}, headers={"Retry-After": "7"}))
    session.token()
    assert len(set(codes(dms))) == 2
    assert (dms.logins, dms.refusals) == (1, 0)


@pytest.mark.parametrize("cut", ["before", "during"])
def test_a_login_whose_answer_is_lost_is_repeated_with_a_later_code(
    dms: FakeDms, session: Session, cut: t.Literal["before", "during"]
) -> None:
    dms.answer("POST /sessions", Canned(200, {"authToken": "lost", "expiresIn": 60}, cut=cut))
    assert session.token() in dms.tokens
    assert len(set(codes(dms))) == 2


def test_a_dms_that_stays_busy_gets_two_logins_and_no_more(dms: FakeDms, session: Session) -> None:
    dms.answer("POST /sessions", *[Canned(503, {})] * 5)
    with pytest.raises(TryLaterError, match="sent 2 times"):
        session.token()
    assert len(dms.calls("POST", "/sessions")) == 2


def test_a_login_that_must_wait_too_long_is_left_for_later(
    dms: FakeDms, clock: FakeClock, connect: Connect
) -> None:
    session, _ = connect(max_wait_seconds=60)
    dms.answer("POST /sessions", Canned(429, {}, headers={"Retry-After": "61"}))
    with pytest.raises(TryLaterError, match="asks to wait 61 s"):
        session.token()
    assert sum(clock.waits) < 1


def test_an_unreachable_dms_costs_no_code(dms: FakeDms, clock: FakeClock, connect: Connect) -> None:
    session, _ = connect(api_url="http://127.0.0.1:1")
    with pytest.raises(UnreachableError, match="connection refused"):
        session.token()
    assert sum(clock.waits) < 30
    assert not dms.seen


def test_a_code_counts_as_used_before_it_leaves(
    dms: FakeDms, connect: Connect, tmp_path: Path
) -> None:
    kept: list[int | None] = []

    def look() -> None:
        (file,) = (tmp_path / "session").glob("*.json")
        kept.append(msgspec.json.decode(file.read_bytes(), type=SessionState).last_totp_step)

    dms.answer("POST /sessions", Canned(200, {"authToken": "t", "expiresIn": 60}, before=look))
    connect()[0].token()
    assert kept == [START // STEP_SECONDS]


def test_a_login_that_was_never_sent_leaves_its_code_for_the_next_try(
    dms: FakeDms, clock: FakeClock, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        send = Transport.attempt

        def lose(self: Transport, request: Request) -> Reply | Failure:
            if request.method == "POST":
                return Failure(Trouble.UNSENT, "no connection")
            return send(self, request)

        patch.setattr(Transport, "attempt", lose)
        with pytest.raises(UnreachableError, match="no connection"):
            session.token()
    before = clock.time()
    session.token()
    assert clock.time() - before < 1
    assert (dms.logins, dms.refusals) == (1, 0)


@pytest.mark.parametrize("status", [404, 501])
def test_an_unknown_integration_is_a_matter_of_configuration(
    dms: FakeDms, session: Session, status: int
) -> None:
    dms.answer("POST /sessions", Canned(status, {}))
    with pytest.raises(ConfigError, match="`integration_id`"):
        session.token()


def test_any_other_refusal_of_a_login_names_its_code(dms: FakeDms, session: Session) -> None:
    body = {"error": {"code": "mfa_type_unsupported", "message": "canary"}}
    dms.answer("POST /sessions", Canned(422, body))
    with pytest.raises(AuthenticationError, match="mfa_type_unsupported") as error:
        session.token()
    assert "canary" not in str(error.value)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "`authToken`"),
        ([], "`authToken`"),
        ({"authToken": 7, "expiresIn": 60}, "`authToken`, got int"),
        ({"authToken": "a b\r\nc", "expiresIn": 60}, "`authToken`"),
        ({"authToken": "t", "expiresIn": "60"}, "`expiresIn` .* got str"),
        ({"authToken": "t", "expiresIn": 0}, "`expiresIn`"),
        ({"authToken": "t", "expiresIn": True}, "`expiresIn`"),
        ({"authToken": "t"}, "`expiresIn` .* got NoneType"),
    ],
)
def test_a_malformed_session_is_named_by_types(
    dms: FakeDms, session: Session, body: object, expected: str
) -> None:
    dms.answer("POST /sessions", Canned(200, body))
    with pytest.raises(ProtocolError, match=expected):
        session.token()


def test_an_html_page_in_place_of_a_session_is_said_to_be_one(
    dms: FakeDms, session: Session
) -> None:
    page = Canned(200, b"<html>", headers={"Content-Type": "text/html"})
    dms.answer("POST /sessions", page)
    with pytest.raises(ProtocolError, match="expected JSON, got an HTML page"):
        session.token()


def test_a_session_without_user_is_tolerated(dms: FakeDms, session: Session) -> None:
    dms.answer("POST /sessions", Canned(200, {"authToken": "t", "expiresIn": 60.5}))
    assert session.token() == "t"
    assert session.entitlements == frozenset()
    assert session.user_id is None


def test_waiting_for_a_code_can_be_stopped(dms: FakeDms, connect: Connect) -> None:
    connect()[0].log_in()
    stop = threading.Event()
    session, _ = connect(stop=stop)
    stop.set()
    with pytest.raises(StoppedError):
        session.log_in()
    assert dms.logins == 1
