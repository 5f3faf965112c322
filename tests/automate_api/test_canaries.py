"""Secrets and personal data are planted where they could leak, and every failure is provoked."""

from __future__ import annotations

import base64
import io
import json
import logging
import subprocess
import sys
import threading
import traceback
import typing as t
import warnings

import pytest
from singer_sdk.logging import StructuredFormatter
from support.dms import Canned, FakeDms

from automate_api import redaction
from automate_api.errors import AutomateError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from automate_api.client import Client
    from automate_api.session import Session

    Connect = Callable[..., tuple[Session, Client]]

TOKEN: t.Final = "canary-bearer-token"  # noqa: S105 - planted
COOKIE: t.Final = "canary-cookie-value"
PLATFORM: t.Final = "canary-platform-token"
PASSWORD: t.Final = "canary-pass word"  # noqa: S105 - planted
SECRET: t.Final = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # noqa: S105 - of an RFC
PERSON: t.Final = {
    "customerId": "cust_1",
    "firstName": "Canaria",
    "dateOfBirth": "1961-02-03",
    "driversLicense": {"number": "D7654321", "state": "CA"},
    "emails": ["canaria@mail.example.com"],
    "phones": [{"type": "cell", "number": "+15557654321"}],
    "address": {"line1": "77 Canary Row", "postalCode": "93940"},
}
PLANTED: t.Final = (
    "canary",
    "Canaria",
    "1961-02-03",
    "D7654321",
    "mail.example.com",
    "5557654321",
    "Canary Row",
    SECRET,
    base64.b64encode(PLATFORM.encode()).decode(),
)

ECHO: t.Final = {
    "error": {
        "code": "invalid",
        "message": f"{json.dumps(PERSON)} {TOKEN} {PASSWORD} {PLATFORM}",
        "requestId": "req_1",
        "details": [{"field": "dateOfBirth", "message": "1961-02-03 canaria@mail.example.com"}],
    }
}
SESSION: t.Final = {
    "authToken": TOKEN,
    "expiresIn": 3600,
    "user": {"id": "u_1", "name": "Canaria", "entitlements": ["sales"]},
}
PAGE: t.Final = {"items": [PERSON], "page": 1, "pageSize": 50, "total": 1}
HTML: t.Final = {"Content-Type": "text/html"}
QUERY: t.Final[dict[str, str | int]] = {
    "email": "canaria@mail.example.com",
    "phone": "+15557654321",
    "page": 1,
}

LOGINS: t.Final = [
    Canned(401, ECHO),
    Canned(403, ECHO),
    Canned(404, ECHO),
    Canned(422, ECHO),
    Canned(423, ECHO),
    Canned(500, ECHO),
    Canned(503, ECHO),
    Canned(200, json.dumps(ECHO).encode(), headers=HTML),
    Canned(200, {"authToken": {"token": TOKEN}, "expiresIn": PASSWORD}),
    Canned(200, {**SESSION, "expiresIn": [PASSWORD]}),
    Canned(cut="before"),
    Canned(200, SESSION, cut="during"),
]
ANSWERS: t.Final = [
    Canned(401, ECHO),
    Canned(403, ECHO),
    Canned(403, json.dumps(ECHO).encode()[:-9], headers=HTML),
    Canned(404, ECHO),
    Canned(409, ECHO),
    Canned(422, ECHO),
    Canned(429, ECHO),
    Canned(500, ECHO),
    Canned(503, ECHO, headers={"Retry-After": "canary"}),
    Canned(302, ECHO, headers={"Location": f"http://127.0.0.1:1/?token={TOKEN}"}),
    Canned(200, json.dumps(PAGE).encode()[:-9]),
    Canned(200, json.dumps(PAGE).encode(), headers={"Date": None}),
    Canned(200, b"<html>" + json.dumps(PERSON).encode(), headers=HTML),
    Canned(200, {**PAGE, "items": [PERSON, "canary"]}),
    Canned(200, {**PAGE, "total": json.dumps(PERSON)}),
    Canned(200, PAGE, cut="before"),
    Canned(200, PAGE, cut="during"),
]


@pytest.fixture(params=["plain", "structured"])
def said(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that is logged, as a person or as a machine would get it."""
    monkeypatch.setattr(logging.Handler, "format", logging.Handler.format)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    redaction.install()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        StructuredFormatter() if request.param == "structured" else logging.Formatter()
    )
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@pytest.fixture
def planted(dms: FakeDms, connect: Connect) -> tuple[Session, Client]:
    dms.answer("POST /sessions", Canned(200, SESSION, headers={"Set-Cookie": f"sid={COOKIE}"}))
    dms.tokens[TOKEN] = dms.clock() + 3600
    return connect(platform_token=PLATFORM, password=PASSWORD, totp_secret=SECRET)


def hold(said: io.StringIO, error: AutomateError) -> None:
    """No message, log line or redacted traceback may tell what was planted."""
    message = str(error)
    logging.getLogger("program").error("%s", message)
    logging.getLogger("program").error("With its causes", exc_info=error)
    redacted_trace = redaction.redact("".join(traceback.format_exception(error)))
    for name, text in [("message", message), ("log", said.getvalue()), ("trace", redacted_trace)]:
        shown = [plant for plant in PLANTED if plant in text]
        assert not shown, name
    assert "With its causes" in said.getvalue()


@pytest.mark.parametrize("answer", LOGINS, ids=lambda canned: f"{canned.status}-{canned.cut}")
def test_a_failing_login_tells_nothing(
    dms: FakeDms, connect: Connect, said: io.StringIO, answer: Canned
) -> None:
    session, _ = connect(platform_token=PLATFORM, password=PASSWORD, totp_secret=SECRET)
    dms.answer("POST /sessions", *[answer] * 9)
    with pytest.raises(AutomateError) as caught:
        session.token()
    hold(said, caught.value)
    codes = {seen.body["mfa"]["code"] for seen in dms.calls("POST", "/sessions")}
    assert not [code for code in codes if code in said.getvalue()]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda canned: f"{canned.status}-{canned.cut}")
def test_a_failing_request_tells_nothing(
    dms: FakeDms, planted: tuple[Session, Client], said: io.StringIO, answer: Canned
) -> None:
    _, client = planted
    dms.answer("GET /customers", *[answer] * 99)
    dms.answer("POST /sessions/refresh", Canned(200, SESSION))
    with pytest.raises(AutomateError) as caught:
        client.list_page("/customers", QUERY)
    hold(said, caught.value)


def test_a_session_that_works_tells_nothing(
    dms: FakeDms, planted: tuple[Session, Client], said: io.StringIO
) -> None:
    session, client = planted
    dms.answer("GET /customers", Canned(200, PAGE))
    page = client.list_page("/customers", QUERY)
    for thing in (page, session, client, client.stats):
        logging.getLogger("program").debug("%r", thing)
    assert page.items == [PERSON]
    assert "Logged in as u_1" in said.getvalue()
    assert not [plant for plant in PLANTED if plant in said.getvalue()]


def test_what_a_login_brings_is_redacted_in_this_process_and_in_the_next(
    dms: FakeDms,
    planted: tuple[Session, Client],
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planted[0].token()
    code = dms.calls("POST", "/sessions")[0].body["mfa"]["code"]
    assert redaction.redact(f"{TOKEN} {COOKIE} {code}") == "<secret> <secret> <secret>"
    monkeypatch.setattr(redaction, "_secrets", set())
    monkeypatch.setattr(redaction, "_pattern", None)
    connect(platform_token=PLATFORM, password=PASSWORD, totp_secret=SECRET)[0].token()
    assert redaction.redact(f"{TOKEN} {COOKIE}") == "<secret> <secret>"
    assert len(dms.calls("POST", "/sessions")) == 1


SCRIPT: t.Final = """
import json, logging, pathlib, sys, threading, warnings
from automate_api import redaction
from automate_api.config import ApiConfig

redaction.install()
logging.basicConfig(level=logging.DEBUG)
settings = json.loads(pathlib.Path(sys.argv[1]).read_text())
config = ApiConfig.from_settings(settings)
person = settings["person"]


def crash():
    raise RuntimeError(f"{settings} {person!r} {json.dumps(person)}")


warnings.warn(f"about {config.password} and {person}")
logging.captureWarnings(True)
warnings.warn(f"captured: {config.platform_token} and {person}")
thread = threading.Thread(target=crash)
thread.start()
thread.join()
crash()
"""


def test_a_program_that_crashes_tells_nothing(dms: FakeDms, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    settings = dms.settings(
        tmp_path, platform_token=PLATFORM, password=PASSWORD, totp_secret=SECRET, person=PERSON
    )
    file.write_text(json.dumps(settings))
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", SCRIPT, str(file)], capture_output=True, text=True, check=False
    )
    text = done.stdout + done.stderr
    assert done.returncode == 1
    assert sum(line.startswith("RuntimeError") for line in text.splitlines()) == 2
    assert "about <secret>" in text
    assert "captured: <secret>" in text
    assert not [plant for plant in PLANTED if plant in text]
