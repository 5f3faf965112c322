"""Settings that cannot be used are said, all at once, without their values."""

from __future__ import annotations

import typing as t

import pytest

from automate_api.errors import ConfigError
from target_automate.config import ENV_PREFIX
from target_automate.sinks.table import SINKS
from target_automate.target import TargetAutomate

if t.TYPE_CHECKING:
    from pathlib import Path

GOOD: t.Final[dict[str, t.Any]] = {
    "api_url": "https://dms.example",
    "integration_id": "int_1",
    "platform_token": "a-token",
    "username": "somebody",
    "password": "a-password",
    "mfa_type": "none",
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workers": 0}, "`workers` must be"),
        ({"workers": 33}, "`workers` must be"),
        ({"max_rejects": -1}, "`max_rejects` must be"),
        ({"max_reject_percent": 101}, "`max_reject_percent` must be"),
        ({"journal_path": ""}, "`journal_path` must be not empty"),
        ({"journal_key": "short-canary"}, "`journal_key` must be at least 16 characters long"),
        ({"on_fuzzy_match": "canary"}, "`on_fuzzy_match` must be"),
        ({"lookup_before_create": "canary"}, "`lookup_before_create` must be"),
        ({"cooldown_seconds": -1}, "`cooldown_seconds` must be"),
        ({"idempotency_header": "no canary"}, "`idempotency_header` must be"),
        ({"idempotency_header": ""}, "`idempotency_header` must be"),
        ({"idempotency_honoured": True}, "`idempotency_honoured` must be"),
        ({"idempotency_ttl": -1}, "`idempotency_ttl` must be"),
        ({"approvals": [{"object": "parts"}]}, "`approvals.0.object` must be"),
        ({"approvals": [{"when": "True"}]}, "`approvals.0.object` is required"),
        (
            {"approvals": [{"object": "deals", "wen": "canary"}]},
            "when; got `wen`; is `when` meant?",
        ),
        ({"approvals": [{"object": "deals"}, {"object": "deals", "when": "a >"}]}, "`approvals.1"),
        ({"platform_token": None}, "`platform_token`"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_used_is_named_without_its_value(
    changes: dict[str, t.Any], words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        TargetAutomate(config=GOOD | changes)
    assert words in str(refused.value)
    assert "canary" not in str(refused.value)


def test_every_mistake_is_said_at_once() -> None:
    wrong = {"workers": 0, "approvals": [{"object": "deals", "when": "a >"}], "username": None}
    with pytest.raises(ConfigError) as refused:
        TargetAutomate(config=GOOD | wrong)
    for name in ("`workers`", "`approvals.0.when`", "`username`"):
        assert name in str(refused.value)


def test_settings_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = '[{"object": "deals", "when": "pricing.salePrice > 100000"}]'
    monkeypatch.setenv(f"{ENV_PREFIX}WORKERS", "16")
    monkeypatch.setenv(f"{ENV_PREFIX}APPROVALS", rules)
    target = TargetAutomate(config=GOOD, parse_env_config=True)
    assert target.config["workers"] == 16
    assert target.config["approvals"][0]["object"] == "deals"


def test_defaults_are_those_that_about_names() -> None:
    target = TargetAutomate(config=GOOD)
    declared = TargetAutomate.config_jsonschema["properties"]
    for name in ("workers", "max_reject_percent", "on_fuzzy_match", "cooldown_seconds"):
        assert target.config[name] == declared[name]["default"]


def test_rules_can_be_given_for_every_object() -> None:
    TargetAutomate(config=GOOD | {"approvals": [{"object": sink.object} for sink in SINKS]})


def test_rules_of_approval_may_name_what_the_tenant_adds(tmp_path: Path) -> None:
    overlay = tmp_path / "tenant.yaml"
    overlay.write_text("calls: {createDeal: {add: {channel: {type: string}}}}")
    rule = {"object": "deals", "when": "channel == 'web'"}
    TargetAutomate(config=GOOD | {"approvals": [rule], "contract_overlay": str(overlay)})
    with pytest.raises(ConfigError, match="not `channel`"):
        TargetAutomate(config=GOOD | {"approvals": [rule]})
