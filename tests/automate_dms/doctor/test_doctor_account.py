"""Each kind of broken account: the line that doctor says, and no more logins than a run makes."""

from __future__ import annotations

import dataclasses
import json
import logging
import typing as t

import pytest
from click.testing import CliRunner
from support.dms import PASSWORD, USERNAME, Canned, FakeDms
from support.examination import HTML, Examine, failed

from automate_api.config import ApiConfig
from automate_dms import main
from automate_dms.doctor import command
from automate_dms.doctor.examination import examine

if t.TYPE_CHECKING:
    from pathlib import Path

    from support.clock import FakeClock


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
    "password expired": (
        {},
        "password_expired",
        "Log in to the DMS by hand and choose another password, then correct `password`.",
    ),
    "user disabled": ({}, "user_disabled", "Have the dealer's administrator enable the user."),
    "token copied with its line break": (
        {"platform_token": "hunter2\n"},
        "unauthorized",
        "`platform_token` has white space or quotes around: take that away.",
    ),
    "login copied with its quotes": (
        {"username": f'"{USERNAME}"', "password": f"'{PASSWORD}'"},
        "invalid_credentials",
        "`username`, `password` have white space or quotes around: take that away.",
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


def test_a_login_that_is_forbidden_is_told_by_what_the_dms_says(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    dms.answer("POST /sessions", Canned(403, {"error": {"code": "second_factor_required"}}))
    check, _, told, code = failed(doctor(dms.settings(tmp_path, mfa_type="none")))
    assert (check, code) == ("login", 5)
    assert told == "The login needs a second factor: set `mfa_type: totp` and `totp_secret`."


def test_a_login_that_breaks_each_time_gives_the_request_id(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    broken = Canned(500, {"error": {"code": "boom", "requestId": "req_78"}})
    dms.answer("POST /sessions", broken, broken)
    check, _, told, code = failed(doctor(dms.settings(tmp_path)))
    assert (check, code) == ("login", 1)
    assert told == "Give the vendor's support the request id. (request id req_78)"


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
    said = [
        [each.what for each in doctor(dms.settings(tmp_path)).findings if each.check == "login"]
        for _ in range(3)
    ]
    assert said == [["Logged in."], *[["The session that is kept holds good."]] * 2]
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


@pytest.mark.parametrize("entitlements", [[], ["Inventory", "Desk"]])
def test_a_login_with_none_of_the_entitlements_fails_since_nothing_would_be_read(
    dms: FakeDms, doctor: Examine, tmp_path: Path, entitlements: list[str]
) -> None:
    dms.entitlements = entitlements
    check, said, told, code = failed(doctor(dms.settings(tmp_path)))
    assert (check, code) == ("entitlements", 1)
    assert "Nothing of `accounting`, `inventory`, `sales`, `service`" in said
    assert "grant them" in told


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
    assert not [each for each in report.findings if each.list == "gl_entries"]


def test_a_login_that_is_not_there_below_a_path_of_the_address_is_told_of_that_path(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    settings = dms.settings(tmp_path)
    address = f"{settings['api_url']}/integrations/int_1"
    _, _, told, code = failed(doctor({**settings, "api_url": address}))
    assert code == 2
    assert "has a path behind its host" in told


def test_a_rooftop_that_is_not_there_is_named(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    records = [{"rooftopId": name, "updatedAt": None} for name in ("r_1", "r_2")]
    body = {"items": records, "page": 1, "pageSize": 200, "total": 2}
    dms.answer("GET /rooftops", *[Canned(body=body)] * 3)
    report = doctor(dms.settings(tmp_path, rooftop_ids=["r_2", "r_3"]))
    (found,) = [each for each in report.findings if each.check == "rooftops"]
    assert found.what == ("`rooftop_ids` has `r_3`, and no rooftop of this tenant is called so.")
    assert report.exit_code == 1


def test_a_test_customer_that_is_not_taken_is_told_by_the_fields_that_the_dms_names(
    dms: FakeDms, tmp_path: Path, clock: FakeClock
) -> None:
    details = [{"field": "customerType", "message": "lead is none"}]
    refusal = {"error": {"code": "validation_failed", "details": details}}
    dms.answer("POST /customers", Canned(422, refusal))
    config = tmp_path / "config.json"
    config.write_text(json.dumps(dms.settings(tmp_path)))
    report = examine([str(config)], lambda _: True, clock=clock)
    (found,) = [each for each in report.findings if each.check == "idempotency keys"]
    assert found.what == "The customer was not taken (422), for `customerType`."
    assert "`calls.upsertCustomer`" in found.set


@pytest.mark.parametrize("name", ["doctor", "drift"])
def test_who_waits_for_a_one_time_code_is_told(
    dms: FakeDms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(dms.settings(tmp_path, end_date="none", api_url="none")))
    logger = logging.getLogger("automate_api.login")
    monkeypatch.setattr(logger, "level", logging.ERROR)
    CliRunner().invoke(main.automate_dms, [name, "--config", str(config)])
    assert logger.isEnabledFor(logging.INFO)


def test_nothing_but_logins_is_posted(dms: FakeDms, doctor: Examine, tmp_path: Path) -> None:
    doctor(dms.settings(tmp_path))
    written = {(seen.method, seen.path) for seen in dms.seen if seen.method not in {"GET", "HEAD"}}
    assert written == {("POST", "/sessions")}


@pytest.mark.parametrize(("typed", "allowed"), [("int_1\n", True), ("yes\n", False), ("\n", False)])
def test_a_write_is_allowed_by_the_integrations_id_alone_but_on_loopback(
    dms: FakeDms, tmp_path: Path, typed: str, *, allowed: bool
) -> None:
    here = ApiConfig.from_settings(dms.settings(tmp_path))
    assert command.consents(here)
    with CliRunner().isolation(input=typed):
        assert command.consents(dataclasses.replace(here, api_url="https://x.example")) is allowed
