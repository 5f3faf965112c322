from __future__ import annotations

import ssl
import typing as t

import pytest
import trustme
from support.dms import FakeDms

from automate_api.client import Client
from automate_api.config import ApiConfig
from automate_api.errors import ConfigError
from automate_api.session import Session

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.clock import FakeClock


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


@pytest.fixture
def secure(authority: trustme.CA, clock: FakeClock) -> Iterator[FakeDms]:
    with serve(authority, "127.0.0.1", clock) as dms:
        yield dms


def serve(authority: trustme.CA, name: str, clock: FakeClock) -> FakeDms:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return FakeDms(clock=clock.time, tls=context)


def ask(settings: dict[str, t.Any], clock: FakeClock) -> None:
    config = ApiConfig.from_settings(settings)
    session = Session(config, clock=clock)
    client = Client(config, session, clock=clock)
    try:
        client.get("/lots")
    finally:
        client.close()
        session.close()


@pytest.fixture
def settings(secure: FakeDms, bundle: Path, tmp_path: Path) -> dict[str, t.Any]:
    return secure.settings(tmp_path, ca_bundle=str(bundle))


def test_a_private_authority_is_trusted_when_named(
    secure: FakeDms, settings: dict[str, t.Any], clock: FakeClock
) -> None:
    ask(settings, clock)
    assert secure.calls("GET", "/lots")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_named_authority_counts_whatever_the_environment_says(
    settings: dict[str, t.Any], clock: FakeClock, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "missing.pem")
    # For loopback the environment is not looked at, so let the fake pass for another host.
    monkeypatch.setattr(ApiConfig, "is_loopback", False)
    ask(settings, clock)


def test_an_untrusted_certificate_ends_at_once_and_no_credential_leaves(
    secure: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    with pytest.raises(
        ConfigError, match=r"TLS: the certificate of 127\.0\.0\.1 is not trusted.*`ca_bundle`"
    ):
        ask(secure.settings(tmp_path), clock)
    assert not secure.seen
    assert not [wait for wait in clock.waits if wait > 0.01]


def test_a_certificate_for_another_name_is_refused(
    authority: trustme.CA, bundle: Path, clock: FakeClock, tmp_path: Path
) -> None:
    with (
        serve(authority, "other.example.com", clock) as dms,
        pytest.raises(ConfigError, match="is not trusted"),
    ):
        ask(dms.settings(tmp_path, ca_bundle=str(bundle)), clock)
    assert not dms.seen


def test_a_server_that_speaks_no_tls_is_said_to_be_one(
    dms: FakeDms, clock: FakeClock, tmp_path: Path
) -> None:
    plain = dms.settings(tmp_path, api_url=f"https://127.0.0.1:{dms.port}")
    with pytest.raises(ConfigError, match="TLS: no secure connection"):
        ask(plain, clock)
    assert not dms.seen
