"""Each kind of broken network: the line that doctor says before any credential leaves."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
import ssl
import time
import typing as t

import pytest
import trustme
from support.clock import FakeClock
from support.dms import Canned, FakeDms
from support.examination import HTML, YEAR, Examine, Settings, failed

from automate_api.config import ApiConfig
from automate_dms.doctor.examination import examine
from automate_dms.doctor.findings import Status

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
    assert [seen.method for seen in dms.seen] == ["HEAD"]


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


def test_a_port_that_accepts_and_says_nothing_of_tls_is_no_wrong_port(
    doctor: Examine, dms: FakeDms, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        values = dms.settings(
            tmp_path, api_url=f"https://127.0.0.1:{port}", request_timeout_seconds=0.1
        )
        check, said, told, code = failed(doctor(values))
    assert (check, code) == ("TLS", 75)
    assert said == f"127.0.0.1 accepts connections on port {port}, and lets no TLS begin."
    assert "firewall" in told


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_the_environment_names_and_that_are_none_are_named(
    doctor: Examine,
    clock: FakeClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
) -> None:
    named = tmp_path / "authorities.pem"
    if content is not None:
        named.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(named))
    # As for any host but one of loopback, for which the environment counts for nothing.
    monkeypatch.setattr(ApiConfig, "is_loopback", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with secure(trustme.CA(), clock) as dms:
        check, said, told, code = failed(doctor(dms.settings(tmp_path)))
        assert dms.seen == []
    assert (check, code) == ("TLS", 2)
    assert said == "The certificate authorities that the environment names cannot be read."
    assert told.startswith("Correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE")


def test_behind_a_proxy_too_they_are_named(
    dms: FakeDms, doctor: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    values = dms.settings(tmp_path, api_url="https://dms.example.invalid")
    check, said, told, code = failed(doctor(values))
    assert (check, code) == ("HTTP", 2)
    assert said == "The certificate authorities that the environment names are not there."
    assert told.startswith("Correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE")
