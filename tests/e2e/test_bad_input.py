"""Settings, files and command lines that cannot be used: exit 2, one message, nothing private."""

from __future__ import annotations

import json
import typing as t

import pytest
from support.dealership import Dealership, run
from support.failures import personal_values, refused, secrets_of, shows_none_of, warned

if t.TYPE_CHECKING:
    from pathlib import Path

CATALOG_ENTRY = {"tap_stream_id": "ships", "schema": {"properties": {}}, "metadata": []}
WRONG = "neither-this-nor-that"


def refused_unread(
    dealer: Dealership, option: str, path: Path, content: str, words: list[str]
) -> None:
    """Hold a run with this file to a refusal before it has written anything."""
    path.write_text(content)
    done = run("tap-automate", "--config", dealer.config(), option, path)
    refused(done, 2, *words)
    assert done.out == ""


def test_a_tap_without_settings_names_each_that_it_needs() -> None:
    done = run("tap-automate")
    refused(done, 2, "integration_id", "platform_token", "username", "password", "--about")
    assert done.out == ""


@pytest.mark.parametrize("name", ["integration_id", "platform_token", "username", "password"])
def test_a_missing_setting_is_named(dealer: Dealership, name: str) -> None:
    changes: dict[str, t.Any] = {name: None}
    said = refused(run("tap-automate", "--config", dealer.config(**changes)), 2, f"`{name}`")
    assert said.count(" is required") == 1
    shows_none_of(said, secrets_of(dealer))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {
                "page_size": WRONG,
                "requests_per_second": WRONG,
                "overlap_seconds": -1,
                "mfa_type": WRONG,
                "password": [WRONG],
                "start_date": WRONG,
                "pii": {"emails": WRONG},
                "pii_key": "4711",
                "stream_maps": {"vehicles": {"__else__": WRONG}},
            },
            [
                "`page_size` must be of type integer",
                "`requests_per_second` must be of type number",
                "`overlap_seconds` must be at least 0",
                "`mfa_type` must be one of none, totp",
                "`password` must be of type string",
                "`start_date` must be an instant such as",
                "`pii.emails` must be one of keep, drop, hash",
                "`pii_key` must be",
                "`stream_maps.vehicles.__else__` must be null",
            ],
        ),
        (
            {
                "api_url": "http://dms.example.com",
                "mfa_type": "totp",
                "totp_secret": "1-" + WRONG,
                "ca_bundle": "/nonexistent.pem",
                "endpoints": {"deals": "deals?x=1"},
            },
            [
                "tap-automate:",
                "`api_url` must be https",
                "`totp_secret` must be base32",
                "`ca_bundle` must be a readable file",
                "`endpoints.deals` must be a path",
            ],
        ),
        ({"api_url": "dms.example.com"}, ["`api_url` must be an address"]),
        ({"mfa_type": "totp", "totp_secret": None}, ["`totp_secret` is required"]),
        (
            {"start_date": "2026-01-02", "end_date": "2026-01-01T00:00:00Z"},
            ["`end_date` must be later than `start_date`"],
        ),
        (
            {"pii": {"vin": "drop", "emails": "hash"}},
            ["`pii.vin`", "no personal field", "`pii_key` is required"],
        ),
        ({"stream_maps": {"vehicles": {"x": "vin +"}}}, ["`stream_maps`", "vin +"]),
        ({"stream_maps": {"vehicles": {"x": 5}}}, ["`stream_maps`"]),
    ],
    ids=range(8),
)
def test_a_wrong_setting_is_named_without_its_value(
    dealer: Dealership, changes: dict[str, t.Any], words: list[str]
) -> None:
    before = dealer.stats()["requests"]
    done = run("tap-automate", "--config", dealer.config(**changes))
    refused(done, 2, *words)
    shows_none_of(done.err, {*secrets_of(dealer), WRONG})
    assert done.out == ""
    assert dealer.stats()["requests"] == before


def test_a_wrong_setting_of_the_environment_is_named_too(dealer: Dealership) -> None:
    values = {**dealer.settings(), "page_size": WRONG}
    env = {f"TAP_AUTOMATE_{name.upper()}": str(value) for name, value in values.items()}
    done = run("tap-automate", "--config", "ENV", env=env)
    refused(done, 2, "`page_size` must be of type integer")
    shows_none_of(done.err, {*secrets_of(dealer), WRONG})


@pytest.mark.parametrize("program", ["tap-automate", "target-warehouse"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["annot", "read", "No such file"]),
        ('{"password": "hunter2-4711"', ["not", "JSON"]),
        ('["hunter2-4711"]', ["JSON object"]),
    ],
    ids=["missing", "not JSON", "a list"],
)
def test_a_configuration_file_that_is_none_is_named(
    tmp_path: Path, program: str, content: str | None, words: list[str]
) -> None:
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)
    done = run(program, "--config", path)
    refused(done, 2, str(path), *words)
    shows_none_of(done.err, ["hunter2-4711"])


PARTITION = {"context": {"rooftopId": "rt_1"}, "replication_key_value": 5}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nope", ["not a JSON object"]),
        ('["a list"]', ["not a JSON object"]),
        ('{"vehicles": "2026-01-01"}', ["The state cannot be used", '"bookmarks"']),
        ('{"bookmarks": 5}', ["The state cannot be used", '"bookmarks"']),
        ('{"bookmarks": {"lots": {"partitions": [1]}}}', ["The state cannot be used"]),
        (
            '{"bookmarks": {"lots": {"replication_key_value": "someday"}}}',
            ["'lots'", "`replication_key_value` must be an instant", "remove"],
        ),
        (
            json.dumps({"bookmarks": {"lots": {"partitions": [PARTITION]}}}),
            ["'lots'", "`replication_key_value` must be an instant"],
        ),
        (
            '{"bookmarks": {"lots": {"replication_key_value": "2026-01-01T00:00:00Z", "seen": 1}}}',
            ["'lots'", "`seen`", "version"],
        ),
    ],
    ids=str,
)
def test_a_state_that_is_none_ends_the_run_before_anything_is_read(
    dealer: Dealership, tmp_path: Path, content: str, words: list[str]
) -> None:
    refused_unread(dealer, "--state", tmp_path / "state.json", content, words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nope", ["not a JSON object"]),
        ('{"streamz": []}', ["The catalog cannot be used", "--discover"]),
        ('{"streams": {"vehicles": {}}}', ["The catalog cannot be used"]),
        ('{"streams": [{"stream": "vehicles"}]}', ["The catalog cannot be used", "tap_stream_id"]),
        (json.dumps({"streams": [CATALOG_ENTRY]}), ["does not have: ships", "vehicles"]),
    ],
    ids=str,
)
def test_a_catalog_that_is_none_ends_the_run_before_anything_is_read(
    dealer: Dealership, tmp_path: Path, content: str, words: list[str]
) -> None:
    refused_unread(dealer, "--catalog", tmp_path / "catalog.json", content, words)


@pytest.mark.parametrize("expression", ["int(vin)", "unknown_name", "record['vin']['x']"])
def test_a_stream_map_that_fails_on_a_record_is_named_without_the_record(
    dealer: Dealership, expression: str
) -> None:
    config = dealer.config(stream_maps={"vehicles": {"x": expression}})
    done = run("tap-automate", "--config", config)
    refused(done, 2, "'vehicles'", "`stream_maps`", "every record")
    shows_none_of(done.err, personal_values(dealer) | secrets_of(dealer))


def test_a_file_that_is_not_there_is_a_usage_error(dealer: Dealership, tmp_path: Path) -> None:
    done = run("tap-automate", "--config", dealer.config(), "--state", tmp_path / "no.json")
    assert done.code == 2
    assert "no.json" in done.err
    assert "Traceback" not in done.err


def test_discovery_needs_no_settings() -> None:
    done = run("tap-automate", "--discover")
    assert done.code == 0, done.err
    assert "vehicles" in {entry["stream"] for entry in json.loads(done.out)["streams"]}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ["`filepath` is required"]),
        ({"filepath": "w.duckdb", "batch_size_rows": WRONG}, ["`batch_size_rows`", "integer"]),
        ({"filepath": "w.duckdb", "load_method": WRONG}, ["`load_method` must be one of"]),
    ],
    ids=str,
)
def test_the_loader_names_wrong_settings_too(
    tmp_path: Path, settings: dict[str, str], words: list[str]
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(settings))
    done = run("target-warehouse", "--config", path)
    refused(done, 2, *words)
    shows_none_of(done.err, [WRONG])


def test_a_setting_that_there_is_not_is_said_and_the_run_goes_on(dealer: Dealership) -> None:
    done = run("tap-automate", "--config", dealer.config(start_dat="2026-01-01"))
    assert done.code == 0, done.err
    warned(done, "`start_dat`", "Is `start_date` meant?")


def test_a_rooftop_that_the_dms_does_not_have_is_said(dealer: Dealership) -> None:
    done = run("tap-automate", "--config", dealer.config(rooftop_ids=["rt_none"]))
    assert done.code == 0, done.err
    assert done.messages("RECORD") == []
    warned(done, "'vehicles'", "no rows of rooftop rt_none", "`rooftop_ids`")
