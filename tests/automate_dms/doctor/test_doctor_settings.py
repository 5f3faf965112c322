"""Each kind of broken setting: the line that doctor says, and no request."""

from __future__ import annotations

import typing as t

import pytest
from support.examination import Examine, Settings, failed

from automate_dms.doctor.findings import Status

if t.TYPE_CHECKING:
    from pathlib import Path

    from support.dms import FakeDms


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
    "a file of metrics in no folder": (
        {"metrics_file": "/dev/null/tap.prom"},
        "`metrics_file` must be a file in a folder that is there",
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
    assert (check, told, code) == (
        "configuration",
        "Correct it, or name another file by `--config`.",
        2,
    )
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


@pytest.mark.parametrize("content", [None, "a: [b", "\x00"])
def test_an_overlay_that_cannot_be_read_is_what_to_correct(
    dms: FakeDms, doctor: Examine, tmp_path: Path, content: str | None
) -> None:
    overlay = tmp_path / "tenant.yaml"
    if content is not None:
        overlay.write_text(content)
    check, said, told, code = failed(doctor(dms.settings(tmp_path, contract_overlay=str(overlay))))
    assert (check, code) == ("configuration", 2)
    assert str(overlay) in said
    assert told == "Correct that file, or name another by `contract_overlay`."


def test_a_folder_for_sessions_that_cannot_be_is_told_as_every_other_finding(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    check, said, told, code = failed(doctor(dms.settings(tmp_path, session_path=f"{file}/session")))
    assert (check, code) == ("login", 2)
    assert "cannot be made (Not a directory)." in said
    assert told == "Choose another with `session_path`, or set `session_store: memory`."
    check, said, told, code = failed(doctor(dms.settings(tmp_path, session_path=str(file))))
    assert (check, told, code) == ("login", "Correct that setting.", 2)
