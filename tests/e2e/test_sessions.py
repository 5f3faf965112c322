"""One login for all processes of a user, whoever comes first and however often they come."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest
from support.dealership import Dealership, dealership, run
from support.failures import refused, secrets_of, shows_none_of, start

if t.TYPE_CHECKING:
    from collections.abc import Iterator

TINY = ("--vehicles", "5", "--days", "2")
REFUSALS = ("rejected_logins", "rejected_codes", "rejected_tokens")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Dealership]:
    """Serve a sandbox whose login needs a one-time code, each good once."""
    with dealership(tmp_path, *TINY) as running:
        yield running


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Dealership]:
    with dealership(tmp_path, *TINY, "--mfa-type", "none") as running:
        yield running


def counts(dealer: Dealership, *names: str) -> tuple[int, ...]:
    stats = dealer.stats()
    return tuple(stats[name] for name in names)


def session_file(config: Path) -> Path:
    directory = Path(json.loads(config.read_text())["session_path"])
    return next(directory.glob("*.json"))


def test_taps_started_together_share_one_login(guarded: Dealership) -> None:
    config = guarded.config()
    together = [start("tap-automate", "--config", config) for _ in range(3)]
    outcomes = [process.communicate() for process in together]
    assert [process.returncode for process in together] == [0, 0, 0], outcomes
    assert counts(guarded, "logins", *REFUSALS) == (1, 0, 0, 0)


def test_taps_one_after_another_share_one_login(guarded: Dealership) -> None:
    config = guarded.config()
    assert [run("tap-automate", "--config", config).code for _ in range(3)] == [0, 0, 0]
    assert counts(guarded, "logins", "refreshes", *REFUSALS) == (1, 0, 0, 0, 0)
    assert counts(guarded, "requests_without_cookie") == (0,)


def test_a_token_near_its_end_is_refreshed_by_one_of_two_taps_without_a_login(
    guarded: Dealership,
) -> None:
    config = guarded.config()
    assert run("tap-automate", "--config", config).code == 0
    path = session_file(config)
    state = json.loads(path.read_text())
    now = time.time()
    path.write_text(json.dumps({**state, "issued_at": now - 3_500, "expires_at": now + 100}))
    together = [start("tap-automate", "--config", config) for _ in range(2)]
    outcomes = [process.communicate() for process in together]
    assert [process.returncode for process in together] == [0, 0], outcomes
    assert counts(guarded, "logins", "refreshes", *REFUSALS) == (1, 1, 0, 0, 0)
    assert json.loads(path.read_text())["token"] != state["token"]


@pytest.mark.parametrize("trouble", ["expire-tokens", "kill-sessions"])
def test_a_token_that_the_dms_dropped_becomes_one_login_for_all(
    plain: Dealership, trouble: str
) -> None:
    config = plain.config()
    assert run("tap-automate", "--config", config).code == 0
    plain.control(trouble, {})
    together = [start("tap-automate", "--config", config) for _ in range(2)]
    outcomes = [process.communicate() for process in together]
    assert [process.returncode for process in together] == [0, 0], outcomes
    assert counts(plain, "logins", "rejected_logins") == (2, 0)
    assert plain.stats()["requests"]["POST /sessions/refresh"] == 1


def test_a_person_logs_in_once_and_jobs_go_on_from_there(guarded: Dealership) -> None:
    config = guarded.config()
    login = run("automate-dms", "login", "--config", config)
    assert login.code == 0, login.err
    assert "Logged in as " in login.err
    assert "inventory" in login.err
    shows_none_of(login.err + login.out, secrets_of(guarded))
    assert run("tap-automate", "--config", config).code == 0
    assert counts(guarded, "logins", *REFUSALS) == (1, 0, 0, 0)


def test_login_takes_the_taps_environment_and_reset_forgets_the_session(plain: Dealership) -> None:
    values = plain.settings(session_path=str(plain.directory / "of-its-own"))
    env = {f"TAP_AUTOMATE_{name.upper()}": str(value) for name, value in values.items()}
    assert run("automate-dms", "login", env=env).code == 0
    again = run("automate-dms", "login", "--reset", env=env)
    assert again.code == 0, again.err
    assert counts(plain, "logins", "refreshes") == (2, 0)
    assert run("tap-automate", "--config", "ENV", env=env).code == 0
    assert counts(plain, "logins") == (2,)


def test_login_without_settings_names_what_it_needs() -> None:
    done = run("automate-dms", "login")
    assert done.code == 2
    assert "Traceback" not in done.err
    for name in ("integration_id", "platform_token", "username", "password"):
        assert f"`{name}` is required" in done.err


def test_a_session_that_others_may_read_is_refused_and_reset_makes_it_anew(
    plain: Dealership,
) -> None:
    config = plain.config()
    assert run("tap-automate", "--config", config).code == 0
    path = session_file(config)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    path.chmod(0o644)
    done = run("tap-automate", "--config", config)
    refused(done, 2, str(path), "open to others", "--reset")
    assert run("automate-dms", "login", "--reset", "--config", config).code == 0
    assert run("tap-automate", "--config", config).code == 0
