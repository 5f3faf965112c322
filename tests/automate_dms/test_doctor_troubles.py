"""Each kind of broken setting, network and account: the line that doctor says, and no more logins.

The servers are real, on loopback; time that doctor would wait passes at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import socket
import ssl
import time
import typing as t

import pytest
import trustme
from click.testing import CliRunner
from support.clock import FakeClock
from support.dms import PASSWORD, PLATFORM_TOKEN, TOTP_SECRET, USERNAME, Canned, FakeDms

from automate_api import redaction
from automate_api.config import ApiConfig
from automate_dms.doctor import command
from automate_dms.doctor.examination import examine
from automate_dms.doctor.findings import Finding, Report, Status

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Settings: t.TypeAlias = dict[str, t.Any]

SECRETS: t.Final = (PASSWORD, PLATFORM_TOKEN, TOTP_SECRET, USERNAME, "hunter2")
YEAR: t.Final = dt.timedelta(days=365)


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test's secrets be replaced in another test's text."""
    monkeypatch.setattr(redaction, "_secrets", set())
    monkeypatch.setattr(redaction, "_pattern", None)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(time.time())


@pytest.fixture
def dms(clock: FakeClock) -> Iterator[FakeDms]:
    with FakeDms(clock=clock.time) as server:
        server.names_culprit = True
        yield server


class Examine(t.Protocol):
    """Runs doctor on settings and gives what it found."""

    def __call__(self, values: Settings | str) -> Report:
        """Run it; a text is the whole configuration file."""


@pytest.fixture
def doctor(tmp_path: Path, clock: FakeClock) -> Examine:
    def run(values: Settings | str) -> Report:
        file = tmp_path / "config.json"
        file.write_text(values if isinstance(values, str) else json.dumps(values))
        report = examine([str(file)], clock=clock)
        shows_nothing(report)
        return report

    return run


def shows_nothing(report: Report) -> None:
    """Hold a report to one line a finding, each failure with what to do, and no secret."""
    text = json.dumps(report.as_json())
    assert not [secret for secret in SECRETS if secret in text]
    assert not [each for each in report.findings if "\n" in each.what + each.set]
    assert not [each for each in report.of(Status.FAIL) if not each.set]


def only_failure(report: Report) -> Finding:
    (failure,) = report.of(Status.FAIL)
    return failure


def failed(report: Report) -> tuple[str, str, str, int]:
    failure = only_failure(report)
    return failure.check, failure.what, failure.set, report.exit_code


SETTINGS: t.Final[dict[str, tuple[Settings, str, str]]] = {
    "no password": (
        {"password": None},
        "`password` is required and missing",
        "Add it in ",
    ),
    "no totp_secret": (
        {"totp_secret": None},
        "`totp_secret` is required with `mfa_type: totp` and missing",
        "Add it in ",
    ),
    "a totp_secret that is none": (
        {"totp_secret": "hunter2!"},
        "`totp_secret` must be base32 (letters A to Z, digits 2 to 7)",
        "Correct it in ",
    ),
    "a number that is none": (
        {"page_size": "hunter2"},
        "`page_size` must be of type integer; got a value of type str",
        "Correct it in ",
    ),
    "plain http": (
        {"api_url": "http://dms.example.com"},
        "`api_url` must be https; plain http is accepted for loopback addresses alone",
        "Correct it in ",
    ),
    "an address that is none": (
        {"api_url": "dms.example.com"},
        "`api_url` must be an address such as `https://api.supergood.ai`",
        "Correct it in ",
    ),
    "an integration that is none": (
        {"integration_id": "a/b"},
        "`integration_id` must be letters, digits and any of `-_.~`",
        "Correct it in ",
    ),
    "no such file of authorities": (
        {"ca_bundle": "missing.pem"},
        "`ca_bundle` must be a readable file of PEM certificates",
        "Correct it in ",
    ),
    "dates that exclude each other": (
        {"start_date": "2026-02-01", "end_date": "2026-01-01"},
        "`end_date` must be later than `start_date`",
        "Correct it in ",
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_does_not_fit_is_named(
    dms: FakeDms, doctor: Examine, tmp_path: Path, name: str
) -> None:
    changes, what, advice = SETTINGS[name]
    check, said, told, code = failed(doctor(dms.settings(tmp_path, **changes)))
    assert (check, said, code) == ("configuration", what, 2)
    assert told.startswith(advice)
    assert dms.seen == []


def test_a_mistyped_setting_is_named_with_the_nearest(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    report = doctor(dms.settings(tmp_path, requests_per_secnd=3, journal_path="j"))
    (warning,) = [each for each in report.of(Status.WARN) if each.check == "configuration"]
    what = "`requests_per_secnd` is no setting of this program and does nothing."
    assert (warning.what, warning.set) == (what, "Call it `requests_per_second`.")
    assert report.exit_code == 1


@pytest.mark.parametrize(
    ("content", "what"),
    [('{"password": "hunter2"', "is not JSON (line 1)"), ("[]", "must hold a JSON object")],
)
def test_a_file_that_is_none_is_named(doctor: Examine, content: str, what: str) -> None:
    check, said, told, code = failed(doctor(content))
    assert (check, told, code) == ("configuration", "Name the file by `--config`.", 2)
    assert what in said


def test_an_overlay_that_cannot_be_is_named_line_by_line(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    overlay = tmp_path / "tenant.yaml"
    overlay.write_text("resources:\n  vehicles:\n    fields: {stockNumbr: stockNo}\n    pth: /a\n")
    report = doctor(dms.settings(tmp_path, contract_overlay=str(overlay)))
    said = [each.what for each in report.of(Status.FAIL)]
    assert said == [
        (
            "line 3, `resources.vehicles.fields.stockNumbr`: there is no such field. Is "
            "`stockNumber` meant?"
        ),
        "line 4, `resources.vehicles.pth`: there is no such key. Is `path` meant?",
    ]
    assert {each.set for each in report.of(Status.FAIL)} == {"Correct this line of the overlay."}
    assert report.exit_code == 2


def test_a_name_that_is_none_is_said_to_be_one(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    values = dms.settings(tmp_path, api_url="https://dms.example.invalid")
    check, said, told, code = failed(doctor(values))
    assert (check, said) == ("DNS", "The name dms.example.invalid cannot be resolved.")
    assert (code, "`api_url`" in told) == (75, True)


def test_a_port_at_which_nobody_listens_is_named(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    check, said, _, code = failed(
        doctor(dms.settings(tmp_path, api_url=f"http://127.0.0.1:{port}"))
    )
    assert (check, code) == ("TCP", 75)
    assert said == f"127.0.0.1 refuses connections on port {port}."


@contextlib.contextmanager
def secure(
    authority: trustme.CA, clock: FakeClock, name: str = "127.0.0.1", age: dt.timedelta = -YEAR
) -> Iterator[FakeDms]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ends = dt.datetime.now(dt.UTC) - age
    issued = authority.issue_cert(name, not_before=ends - 2 * YEAR, not_after=ends)
    issued.configure_cert(context)
    with FakeDms(clock=clock.time, tls=context) as server:
        yield server


TLS: t.Final[dict[str, tuple[Settings, str, str]]] = {
    "private authority": (
        {"named": False},
        "The certificate of 127.0.0.1 comes from an authority that is not trusted here.",
        "Set `ca_bundle` to the PEM file of the private authority",
    ),
    "expired": (
        {"age": YEAR},
        "The certificate of 127.0.0.1 has expired, or is not valid yet.",
        "Check this machine's clock",
    ),
    "wrong name": (
        {"name": "other.example.com"},
        "The certificate of 127.0.0.1 is for another name.",
        "Correct the host in `api_url`",
    ),
    "another authority": (
        {"other": True},
        "The certificate of 127.0.0.1 comes from an authority that is not trusted here.",
        "Correct `ca_bundle`",
    ),
}


@pytest.mark.parametrize("name", TLS)
def test_a_certificate_that_is_not_trusted_is_told_by_why(
    doctor: Examine, clock: FakeClock, tmp_path: Path, name: str
) -> None:
    given, what, advice = TLS[name]
    options = dict(given)
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    (trustme.CA() if options.pop("other", False) else authority).cert_pem.write_to_path(str(bundle))
    more = {"ca_bundle": str(bundle)} if options.pop("named", True) else {}
    with secure(authority, clock, **options) as dms:
        check, said, told, code = failed(doctor(dms.settings(tmp_path, **more)))
        assert dms.seen == []
    assert (check, said, code) == ("TLS", what, 2)
    assert told.startswith(advice)


def test_a_private_authority_that_is_named_is_trusted(
    doctor: Examine, clock: FakeClock, tmp_path: Path
) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with secure(authority, clock) as dms:
        report = doctor(dms.settings(tmp_path, ca_bundle=str(bundle)))
    assert [each.status for each in report.findings if each.check == "TLS"] == [Status.OK]
    assert [each.status for each in report.findings if each.check == "login"] == [Status.OK]


def test_a_port_without_tls_is_named(dms: FakeDms, doctor: Examine, tmp_path: Path) -> None:
    values = dms.settings(tmp_path, api_url=f"https://127.0.0.1:{dms.port}")
    check, said, _, code = failed(doctor(values))
    assert (check, code) == ("TLS", 2)
    assert said == f"127.0.0.1 does not speak TLS on port {dms.port}."


HTML: t.Final[dict[str, str | None]] = {"Content-Type": "text/html"}


@pytest.mark.parametrize("status", [200, 302, 403, 407])
def test_a_page_in_the_apis_place_is_recognised_before_any_credential_leaves(
    dms: FakeDms, doctor: Examine, tmp_path: Path, status: int
) -> None:
    dms.answer("HEAD ", Canned(status, b"", HTML))
    check, said, told, code = failed(doctor(dms.settings(tmp_path)))
    assert (check, code) == ("HTTP", 1)
    assert said == f"Something else answers in the API's place: status {status}, an HTML page."
    assert "HTTPS_PROXY" in told
    assert [seen.method for seen in dms.seen] == ["HEAD"]


def test_an_api_without_a_clock_is_named(dms: FakeDms, doctor: Examine, tmp_path: Path) -> None:
    dms.answer("HEAD ", *(Canned(404, headers={"Date": None}) for _ in range(2)))
    check, said, _, _ = failed(doctor(dms.settings(tmp_path)))
    assert (check, said) == ("clock", "The API sends no `Date`: the tap cannot tell what is new.")


@pytest.mark.parametrize(
    ("ahead", "status", "what"),
    [
        (120.0, Status.WARN, "This machine's clock is 120 s behind the server's."),
        (-12.0, Status.NOTE, "This machine's clock is 12 s ahead of the server's."),
        (1.0, Status.OK, "This machine's clock is as the server's."),
    ],
)
def test_a_clock_that_is_off_is_told_by_how_much(
    tmp_path: Path, ahead: float, status: Status, what: str
) -> None:
    whole = FakeClock(float(int(time.time())))
    with FakeDms(clock=lambda: whole.time() + ahead) as dms:
        file = tmp_path / "config.json"
        file.write_text(json.dumps(dms.settings(tmp_path)))
        report = examine([str(file)], clock=whole)
    found = [each for each in report.findings if each.check == "clock"]
    assert [(each.status, each.what) for each in found] == [(status, what)]
    assert [each.status for each in report.findings if each.check == "login"] == [Status.OK]


ACCOUNTS: t.Final = {
    "wrong password": (
        {"password": "hunter2"},
        "invalid_credentials",
        "Correct `username` or `password`.",
    ),
    "wrong totp_secret": (
        {"totp_secret": "GEZDGNBVGY3TQOJQ"},
        "invalid_mfa_code",
        "Correct `totp_secret`: the base32 text shown when the factor was enrolled.",
    ),
    "no second factor": (
        {"mfa_type": "none"},
        "mfa_required",
        "The login needs a second factor: set `mfa_type: totp` and `totp_secret`.",
    ),
    "code used by another": (
        {},
        "mfa_code_used",
        "Nothing else may log in with this user's codes; wait 30 seconds, then run again.",
    ),
    "wrong platform token": (
        {"platform_token": "hunter2"},
        "invalid_platform_token",
        "Correct `platform_token`: it is the platform's, as it was issued.",
    ),
    "a refusal without a reason": (
        {},
        "unauthorized",
        "Check `platform_token`, `username`, `password` and `totp_secret`.",
    ),
}


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_refused_login_is_told_by_what_the_dms_says(
    dms: FakeDms, doctor: Examine, tmp_path: Path, name: str
) -> None:
    changes, code, advice = ACCOUNTS[name]
    refusal = Canned(401, {"error": {"code": code, "message": f"{PASSWORD}", "requestId": "r_1"}})
    dms.answer("POST /sessions", refusal, refusal)
    check, said, told, exit_code = failed(doctor(dms.settings(tmp_path, **changes)))
    # As the tap does it: where the code is to blame, a login is tried once more, and then never.
    tries = len(dms.calls("POST", "/sessions"))
    assert tries == (2 if code in {"invalid_mfa_code", "mfa_code_used"} else 1)
    reset = " Then `automate-dms login --reset`." if tries > 1 else ""
    assert (check, told, exit_code) == ("login", advice + reset, 5)
    assert f"({code})" in said


def test_a_login_that_is_locked_is_not_tried_again(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    dms.answer("POST /sessions", Canned(423, {"error": {"code": "locked"}}))
    for _ in range(2):
        check, _, told, code = failed(doctor(dms.settings(tmp_path)))
        assert (check, code) == ("login", 5)
        assert "`automate-dms login --reset`" in told
    assert len(dms.calls("POST", "/sessions")) == 1


def test_doctor_uses_the_session_that_is_there(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    for _ in range(3):
        doctor(dms.settings(tmp_path))
    assert len(dms.calls("POST", "/sessions")) == 1


LOGINS: t.Final = {
    "no such integration": (Canned(404, {"error": {"code": "not_found"}}), 2, "`integration_id`"),
    "html": (Canned(200, b"<html>", HTML), 1, "whether a proxy answers"),
    "busy for long": (Canned(429, headers={"Retry-After": "3600"}), 75, "run again later"),
    "no token": (Canned(200, {"expiresIn": 1}), 1, "`api_url`"),
}


@pytest.mark.parametrize("name", LOGINS)
def test_a_login_that_brings_no_session_says_what_to_look_at(
    dms: FakeDms, doctor: Examine, tmp_path: Path, name: str
) -> None:
    answer, exit_code, advice = LOGINS[name]
    dms.answer("POST /sessions", answer)
    check, _, told, code = failed(doctor(dms.settings(tmp_path)))
    assert (check, code) == ("login", exit_code)
    assert advice in told


def test_what_the_login_is_not_entitled_to_is_named_and_not_asked_for(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    dms.entitlements = ["inventory", "sales", "service"]
    report = doctor(dms.settings(tmp_path))
    (note,) = [each for each in report.findings if each.what.startswith("Without")]
    assert note.what == (
        "Without `accounting`: `deal_recaps`, `gl_accounts`, `gl_entries`, `receipts`, "
        "`deposits`, `accounting_periods` are skipped or refused."
    )
    assert not [seen for seen in dms.seen if seen.path.startswith("/accounting")]


def not_json() -> Canned:
    return Canned(200, b"<html>", HTML)


LISTS: t.Final[dict[str, tuple[Callable[[], Canned], Status, str, int]]] = {
    "documented and gone": (
        lambda: Canned(404, {"error": {"code": "not_found"}}),
        Status.FAIL,
        "GET /vehicles: 404, nor is it at 3 other likely paths.",
        1,
    ),
    "not entitled": (
        lambda: Canned(403, {"error": {"code": "forbidden"}}),
        Status.WARN,
        "GET /vehicles: 403, though the login names the entitlement.",
        1,
    ),
    "no page": (
        lambda: Canned(200, {"data": []}),
        Status.FAIL,
        (
            "GET /vehicles: expected a page {items: [object, ...], page, pageSize, total} with "
            "whole numbers, got {items: missing, page: missing, pageSize: missing, total: missing}."
        ),
        1,
    ),
    "html": (
        not_json,
        Status.FAIL,
        (
            "GET /vehicles: expected JSON, got an HTML page with status 200. Check `api_url` and "
            "`integration_id`, and whether a proxy answers in the API's place."
        ),
        1,
    ),
    "pages from 0": (
        lambda: Canned(200, {"items": [], "page": 1, "pageSize": 50, "total": 7}),
        Status.FAIL,
        "Page 1 is empty although there are 7 records.",
        1,
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_cannot_be_read_is_named_and_the_others_are_asked(
    dms: FakeDms, doctor: Examine, tmp_path: Path, name: str
) -> None:
    answer, status, what, code = LISTS[name]
    dms.answer("GET /vehicles", *(answer() for _ in range(9)))
    for path in ("/inventory/vehicles", "/inventory/units", "/inventory"):
        dms.answer(f"GET {path}", Canned(404, {"error": {"code": "not_found"}}))
    report = doctor(dms.settings(tmp_path))
    found = [each for each in report.findings if each.list == "vehicles" and each.check == "path"]
    assert (status, what) in [(each.status, each.what) for each in found]
    assert report.exit_code == code
    assert dms.calls("GET", "/customers")


def test_a_list_that_breaks_each_time_is_named_with_its_request_id(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    broken = Canned(500, {"error": {"code": "boom", "requestId": "req_77"}})
    dms.answer("GET /vehicles", *[broken] * 4)
    check, said, told, _ = failed(doctor(dms.settings(tmp_path)))
    assert (check, "req_77" in said) == ("path", True)
    assert "support" in told


def test_an_api_that_throttles_for_long_ends_the_checks_and_says_when_to_come_back(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    dms.answer("GET /deals", Canned(429, headers={"Retry-After": "3600"}))
    check, said, told, code = failed(doctor(dms.settings(tmp_path)))
    assert (check, code) == ("requests", 75)
    assert "asks to wait 3600 s" in said
    assert told == "All further checks are left out; then run again."


def test_rates_that_the_api_names_and_429_are_told(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    dms.answer("GET /lots", Canned(429, headers={"Retry-After": "1", "X-RateLimit-Limit": "100"}))
    report = doctor(dms.settings(tmp_path, requests_per_second=8))
    (found,) = [each for each in report.findings if each.check == "rate limits"]
    assert found.status is Status.NOTE
    assert found.what.startswith("1 answer 429 in ")
    assert found.what.endswith("Its answers name a limit: X-RateLimit-Limit: 100.")
    assert "`requests_per_second` to 4 or less" in found.set


def test_nothing_but_logins_is_posted(dms: FakeDms, doctor: Examine, tmp_path: Path) -> None:
    doctor(dms.settings(tmp_path))
    written = {(seen.method, seen.path) for seen in dms.seen if seen.method not in {"GET", "HEAD"}}
    assert written == {("POST", "/sessions")}


def test_a_proxy_that_nobody_runs_is_thought_of(
    dms: FakeDms, doctor: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    report = doctor(dms.settings(tmp_path, api_url="https://dms.example.invalid"))
    assert [each.check for each in report.of(Status.SKIPPED)] == ["DNS"]
    check, _, told, code = failed(report)
    assert (check, code, "HTTPS_PROXY" in told) == ("HTTP", 75, True)


def page(*keys: str, total: int = 3) -> Canned:
    items = [{"lotId": key, "updatedAt": None} for key in keys]
    return Canned(200, {"items": items, "page": 1, "pageSize": 2, "total": total})


def test_pages_that_begin_at_0_and_records_without_a_time_are_told(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    dms.answer("GET /lots", page("b", "c"))
    dms.answer("GET /lots?page=0", page("a", "b"))
    report = doctor(dms.settings(tmp_path))
    found = {each.check: each for each in report.findings if each.list in {"", "lots"}}
    assert found["first page"].status is Status.WARN
    assert found["first page"].what.startswith("Page 0 has other records than page 1")
    assert found["updatedAt"].what == "2 of 2 records have none."


def test_a_page_that_is_not_full_is_told(dms: FakeDms, doctor: Examine, tmp_path: Path) -> None:
    dms.answer("GET /lots", page("b"))
    report = doctor(dms.settings(tmp_path))
    told = [each.what for each in report.of(Status.WARN) if each.list == "lots"]
    assert told[0] == "Page 1 has 1 record; 2 were to be expected."


@pytest.mark.parametrize(("typed", "allowed"), [("int_1\n", True), ("yes\n", False), ("\n", False)])
def test_a_write_is_allowed_by_the_integrations_id_alone_but_on_loopback(
    dms: FakeDms, tmp_path: Path, typed: str, *, allowed: bool
) -> None:
    here = ApiConfig.from_settings(dms.settings(tmp_path))
    assert command.consents(here)
    with CliRunner().isolation(input=typed):
        assert command.consents(dataclasses.replace(here, api_url="https://x.example")) is allowed
