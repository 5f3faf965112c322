from __future__ import annotations

import typing as t

import jsonschema
import pytest

from automate_api import settings
from automate_api.config import REQUIRED, SCHEMA, SETTINGS, ApiConfig
from automate_api.errors import ConfigError

if t.TYPE_CHECKING:
    from pathlib import Path

GIVEN: t.Final[dict[str, t.Any]] = {
    "integration_id": "int_1",
    "platform_token": "canary-platform",
    "username": "user",
    "password": "canary-password",
}
SECRET: t.Final = "JBSWY3DPEHPK3PXP"  # noqa: S105 - a well-known example


def test_the_least_settings_are_enough() -> None:
    config = ApiConfig.from_settings(GIVEN)
    assert config.base_url == "https://api.supergood.ai/integrations/int_1"
    assert config.totp_secret is None
    assert (config.requests_per_second, config.max_wait_seconds) == (10, 900)


def test_every_missing_and_wrong_setting_is_named_at_once() -> None:
    wrong = {
        "api_url": "http://dms.example.com",
        "password": "canary-password",
        "mfa_type": "totp",
        "totp_secret": "canary-0189",
        "max_wait_seconds": "canary-soon",
        "endpoints": {"deals": "canary/no/slash"},
        "ca_bundle": "/canary/missing.pem",
    }
    with pytest.raises(ConfigError) as error:
        ApiConfig.from_settings(wrong, program="tap-automate")
    text = str(error.value)
    for name in (
        "api_url",
        "integration_id",
        "platform_token",
        "username",
        "totp_secret",
        "max_wait_seconds",
        "endpoints.deals",
        "ca_bundle",
    ):
        assert f"`{name}`" in text
    assert "canary" not in text
    assert "tap-automate --about" in text


@pytest.mark.parametrize("name", ["password", "username", "session_path"])
@pytest.mark.parametrize("text", ["caf\udce9-canary", "nul\0canary"])
def test_text_that_is_no_utf_8_is_named_without_its_value(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        ApiConfig.from_settings({**GIVEN, name: text})
    assert f"`{name}` must be text in UTF-8, without NUL" in str(error.value)
    assert "canary" not in str(error.value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_a_number_is_finite(text: str) -> None:
    with pytest.raises(ConfigError, match="`requests_per_second` must be a finite number"):
        ApiConfig.from_settings({**GIVEN, "requests_per_second": text})


def test_a_home_that_is_not_there_is_named_by_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="`session_path` begins with `~`"):
        ApiConfig.from_settings({**GIVEN, "session_path": "~nobody-has-this-name/x"})

    def homeless(_: Path) -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.expanduser", homeless)
    with pytest.raises(ConfigError, match=r"no home directory.*`session_path`"):
        ApiConfig.from_settings(GIVEN)


@pytest.mark.parametrize("blank", [None, ""])
def test_a_blank_setting_counts_as_missing(blank: str | None) -> None:
    with pytest.raises(ConfigError, match="`password` is required and missing"):
        ApiConfig.from_settings({**GIVEN, "password": blank})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8765", "http://localhost:80/", "http://[::1]:1", "http://127.9.9.9"]
)
def test_plain_http_is_accepted_for_loopback(url: str) -> None:
    config = ApiConfig.from_settings({**GIVEN, "api_url": url})
    assert config.is_loopback
    assert config.base_url == f"{url.rstrip('/')}/integrations/int_1"


@pytest.mark.parametrize(
    "url",
    [
        "http://dms.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "http://127.0.0.1@dms.example.com",
        "ftp://127.0.0.1",
        "https://",
        "dms.example.com",
        "https://user:canary@dms.example.com",
        "https://dms.example.com/?token=canary",
        "https://dms.example.com:port",
        "https://[::1",
    ],
)
def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="`api_url`") as error:
        ApiConfig.from_settings({**GIVEN, "api_url": url})
    assert "canary" not in str(error.value)


@pytest.mark.parametrize("name", ["a/../b", "..", "a?b", "a b", "a/b", "."])
def test_an_integration_id_cannot_leave_its_place_in_the_address(name: str) -> None:
    with pytest.raises(ConfigError, match="`integration_id`"):
        ApiConfig.from_settings({**GIVEN, "integration_id": name})


@pytest.mark.parametrize("path", ["service/ros", "/a/../b", "//host/a", "/a?b=c", "/a b", "/", ""])
def test_an_endpoint_is_a_plain_path(path: str) -> None:
    with pytest.raises(ConfigError, match=r"`endpoints\.repair_orders`"):
        ApiConfig.from_settings({**GIVEN, "endpoints": {"repair_orders": path}})


def test_totp_needs_a_secret_and_only_totp_uses_it() -> None:
    with pytest.raises(ConfigError, match="`totp_secret` is required"):
        ApiConfig.from_settings({**GIVEN, "mfa_type": "totp"})
    used = ApiConfig.from_settings({**GIVEN, "mfa_type": "totp", "totp_secret": SECRET})
    assert used.totp_secret == SECRET
    assert ApiConfig.from_settings({**GIVEN, "totp_secret": SECRET}).totp_secret is None


def test_a_bundle_without_certificates_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate")
    with pytest.raises(ConfigError, match="`ca_bundle`"):
        ApiConfig.from_settings({**GIVEN, "ca_bundle": str(empty)})


def test_the_representation_shows_no_secret() -> None:
    given = {**GIVEN, "mfa_type": "totp", "totp_secret": SECRET, "username": "canary-user"}
    text = repr(ApiConfig.from_settings(given))
    assert "canary" not in text
    assert SECRET not in text


def test_settings_from_the_environment_are_brought_to_their_types() -> None:
    environ = {
        "TAP_AUTOMATE_INTEGRATION_ID": "int_1",
        "TAP_AUTOMATE_PLATFORM_TOKEN": "a",
        "TAP_AUTOMATE_USERNAME": "12345",
        "TAP_AUTOMATE_PASSWORD": "007",
        "TAP_AUTOMATE_REQUESTS_PER_SECOND": "2.5",
        "TAP_AUTOMATE_ENDPOINTS": '{"repair_orders": "/service/ros"}',
    }
    config = ApiConfig.from_settings(settings.from_environment(SCHEMA, "TAP_AUTOMATE_", environ))
    assert (config.username, config.password) == ("12345", "007")
    assert config.requests_per_second == 2.5
    assert config.endpoints == {"repair_orders": "/service/ros"}


def test_the_session_file_is_kept_where_the_user_keeps_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert ApiConfig.from_settings(GIVEN).session_path == tmp_path / "automate-dms"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ApiConfig.from_settings(GIVEN).session_path == tmp_path / ".local/state/automate-dms"
    assert ApiConfig.from_settings({**GIVEN, "session_store": "memory"}).session_path is None


def test_settings_are_a_valid_schema_that_marks_every_secret() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(REQUIRED) <= set(SETTINGS)
    secret = {name for name, rule in SETTINGS.items() if rule.get("secret")}
    assert secret == {"platform_token", "password", "totp_secret"}
    assert all(rule["description"] for rule in SETTINGS.values())


def test_the_last_source_of_settings_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    first.write_text('{"username": "a", "password": "b", "page_size": 7}')
    second.write_text('{"username": "c"}')
    monkeypatch.setenv("P_PASSWORD", "d")
    merged = settings.from_sources(SCHEMA, [str(first), str(second), "ENV"], "P_")
    assert merged == {"username": "c", "password": "d", "page_size": 7}


@pytest.mark.parametrize(
    ("content", "expected"),
    [('{"password": "canary"', "is not JSON"), ('["canary"]', "JSON object")],
)
def test_a_broken_configuration_file_is_named_without_its_content(
    tmp_path: Path, content: str, expected: str
) -> None:
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match=expected) as error:
        settings.from_sources(SCHEMA, [str(file)], "P_")
    assert str(file) in str(error.value)
    assert "canary" not in str(error.value)


def test_a_missing_configuration_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.json cannot be read"):
        settings.from_sources(SCHEMA, [str(tmp_path / "nowhere.json")], "P_")
