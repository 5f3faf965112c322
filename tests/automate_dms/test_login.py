from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t

import pytest
from support.dms import PASSWORD, Canned, FakeDms

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN: t.Final = [sys.executable, "-c", "from automate_dms.main import main; main()", "login"]


@pytest.fixture
def dms() -> Iterator[FakeDms]:
    with FakeDms(totp=False) as server:
        yield server


@pytest.fixture
def config(dms: FakeDms, tmp_path: Path) -> Path:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(dms.settings(tmp_path)))
    return file


def login(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("TAP_AUTOMATE_")}
    return subprocess.run(  # noqa: S603 - our own interpreter
        [*RUN, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**environ, **variables},
    )


def test_a_login_says_as_whom_and_what_for(dms: FakeDms, config: Path) -> None:
    done = login("--config", str(config))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.count("Logged in as u_7b21f0.") == 1
    assert "Entitled to: inventory, sales." in done.stderr
    assert dms.logins == 1


def test_settings_may_come_from_the_environment(dms: FakeDms, tmp_path: Path) -> None:
    variables = {
        f"TAP_AUTOMATE_{name.upper()}": str(value)
        for name, value in dms.settings(tmp_path).items()
        if name != "totp_secret"
    }
    assert login(**variables).returncode == 0
    assert login("--config", "ENV", **variables).returncode == 0
    assert dms.logins == 2


def test_a_refused_login_ends_with_5_and_one_line(dms: FakeDms, config: Path) -> None:
    wrong = json.dumps({"password": "canary-wrong"})
    overrides = config.with_name("overrides.json")
    overrides.write_text(wrong)
    done = login("--config", str(config), "--config", str(overrides))
    assert (done.returncode, done.stdout) == (5, "")
    assert "refused the login with 401" in done.stderr
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr
    assert PASSWORD not in done.stderr
    assert dms.refusals == 1


def test_a_locked_user_stays_locked_until_reset(dms: FakeDms, config: Path) -> None:
    dms.answer("POST /sessions", Canned(423, {}))
    assert login("--config", str(config)).returncode == 5
    remembered = login("--config", str(config))
    assert remembered.returncode == 5
    assert "login --reset" in remembered.stderr
    assert len(dms.calls("POST", "/sessions")) == 1
    assert login("--config", str(config), "--reset").returncode == 0
    assert dms.logins == 1


@pytest.mark.parametrize(
    ("settings", "code", "expected"),
    [
        ({}, 2, "`platform_token` is required and missing"),
        ({"api_url": "http://dms.example.com"}, 2, "must be https"),
    ],
)
def test_wrong_settings_end_with_2(
    tmp_path: Path, settings: dict[str, str], code: int, expected: str
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(settings))
    done = login("--config", str(file))
    assert (done.returncode, done.stdout) == (code, "")
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreachable_host_ends_with_75(config: Path) -> None:
    overrides = config.with_name("overrides.json")
    overrides.write_text(json.dumps({"api_url": "http://127.0.0.1:1", "max_wait_seconds": 0}))
    done = login("--config", str(config), "--config", str(overrides))
    assert done.returncode == 75
    assert "connection refused" in done.stderr


def test_a_session_in_memory_is_said_to_end(config: Path) -> None:
    done = login("--config", str(config), "--config", "ENV", TAP_AUTOMATE_SESSION_STORE="memory")
    assert done.returncode == 0
    assert "ends with this command" in done.stderr
    assert not list(config.parent.glob("session/*.json"))
