"""Recognisable secrets and personal data are planted, everything fails at DEBUG, nothing shows."""

from __future__ import annotations

import json
import signal
import time
import typing as t
from pathlib import Path

import pytest
import requests
from support.canaries import (
    DEBUG,
    DROPPED,
    HASH_KEY,
    PASSWORD,
    PERSON,
    PERSONAL,
    PLATFORM,
    SECRETS,
    TOTP,
)
from support.dealership import Dealership, Run, dealership, run, start
from support.failures import shows_none_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def planted_dealer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dealership]:
    directory = tmp_path_factory.mktemp("dealer")
    secrets = ("--password", PASSWORD, "--platform-token", PLATFORM, "--totp-secret", TOTP)
    with dealership(directory, "--vehicles", "5", "--days", "2", *secrets) as running:
        login = run("automate-dms", "login", "--config", running.config(), env=DEBUG)
        assert login.code == 0
        shows_none_of(login.out + login.err, SECRETS)
        answer = requests.post(
            f"{running.facts['api_url']}/integrations/{running.facts['integration_id']}/customers",
            json=PERSON,
            headers={"Authorization": f"Bearer {token_of(running)}"},
            timeout=30,
        )
        assert answer.ok
        time.sleep(3.1)  # the cool-down is counted by the server's clock, which is this machine's
        yield running


@pytest.fixture
def planted(planted_dealer: Dealership) -> Iterator[Dealership]:
    yield planted_dealer
    planted_dealer.control("reset-faults", {})
    planted_dealer.control("unlock", {})


def token_of(dealer: Dealership) -> str:
    """Return the bearer token of the shared session."""
    directory = Path(dealer.settings()["session_path"])
    token: str = json.loads(next(directory.glob("*.json")).read_text())["token"]
    return token


def keeps_quiet(done: Run, *secrets: str) -> None:
    """Hold a run to show nothing planted, but for what RECORD messages are there to carry."""
    messages = [line for line in done.out.splitlines() if '"type":"RECORD"' not in line[:20]]
    shows_none_of("\n".join(messages) + done.err, (*SECRETS, *PERSONAL, *secrets))
    shows_none_of(done.out, (*SECRETS, *DROPPED, *secrets))


def test_a_full_load_shows_no_secret_and_neither_licence_nor_date_of_birth(
    planted: Dealership,
) -> None:
    done = run("tap-automate", "--config", planted.config(), env=DEBUG)
    assert done.code == 0, done.err
    assert "DEBUG" in done.err
    assert "Quorndon" in {record["lastName"] for record in done.records("customers")}
    keeps_quiet(done, token_of(planted))


def test_hashed_fields_show_neither_value_nor_key(planted: Dealership) -> None:
    pii = {"driversLicense": "hash", "dateOfBirth": "hash", "emails": "hash", "lastName": "hash"}
    done = run("tap-automate", "--config", planted.config(pii=pii, pii_key=HASH_KEY), env=DEBUG)
    assert done.code == 0, done.err
    keeps_quiet(done, token_of(planted))
    shows_none_of(done.out, ("Quorndon", "plantania@"))


CUSTOMERS: t.Final = {"method": "GET", "path": "/customers*"}


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "malformed", "form": "no_total"},
        {"kind": "malformed", "form": "text_total"},
        {"kind": "malformed", "form": "items_object"},
        {"kind": "malformed", "form": "truncated"},
        {"kind": "html"},
        {"kind": "status", "status": 404},
        {"kind": "status", "status": 418},
        {"kind": "server_error", "status": 503, "when": "after"},
        {"kind": "rate_limit", "retry_after": 600},
        {"kind": "cut", "when": "during"},
        {"kind": "killed_session", "count": 1, "skip": 1},
    ],
    ids=str,
)
def test_no_fault_of_the_dms_makes_the_tap_talk(
    planted: Dealership, rule: dict[str, t.Any]
) -> None:
    planted.faults({"match": CUSTOMERS, **rule})
    config = planted.config(max_wait_seconds=0.3, page_size=1)
    done = run("tap-automate", "--config", config, env=DEBUG)
    assert planted.stats()["faults"][0]["strikes"] > 0
    keeps_quiet(done, token_of(planted))


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "planted-and-wrong"},
        {"platform_token": "planted-and-wrong"},
        {"totp_secret": "GEZDGNBVGY3TQOJQ1"},
        {"password": ["planted"], "pii_key": "planted", "platform_token": {"planted": 1}},
        {"api_url": "http://127.0.0.1:1", "max_wait_seconds": 0.1},
        {"stream_maps": {"customers": {"x": "int(lastName)"}}},
        {"stream_maps": {"customers": {"x": "record['lastName'].missing"}}},
        {"stream_maps": {"customers": {"x": "lastName +"}}},
        {"flattening_enabled": True, "flattening_max_depth": 2},
    ],
    ids=str,
)
def test_no_mistake_of_the_user_makes_the_tap_talk(
    planted: Dealership, tmp_path: Path, changes: dict[str, t.Any]
) -> None:
    if changes.keys() & {"password", "platform_token", "totp_secret", "api_url"}:
        changes = {**changes, "session_path": str(tmp_path / "session")}
    done = run("tap-automate", "--config", planted.config(**changes), env=DEBUG)
    assert done.code != 0 or "flattening_enabled" in changes
    assert "Traceback" not in done.err
    keeps_quiet(done, token_of(planted))


def test_a_signal_makes_nobody_talk(planted: Dealership, tmp_path: Path) -> None:
    planted.faults({"kind": "latency", "milliseconds": 3_000, "match": {"path": "/deals*"}})
    log = tmp_path / "log"
    with start(log, "tap-automate", "--config", planted.config(), env=DEBUG) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        out = process.stdout.read()
    assert process.returncode == 143
    keeps_quiet(Run(process.returncode, first + out, log.read_text()), token_of(planted))


RECORD: t.Final = {"type": "RECORD", "stream": "customers", "record": {"customerId": 1, **PERSON}}
UNFIT: t.Final = {name: {"type": "integer"} for name in PERSON}
SCHEMA: t.Final = {
    "type": "SCHEMA",
    "stream": "customers",
    "key_properties": ["customerId"],
    "schema": {"properties": {"customerId": {"type": "integer"}, "lastName": {"type": "string"}}},
}


@pytest.mark.parametrize(
    ("messages", "settings"),
    [
        (
            [
                {
                    **SCHEMA,
                    "schema": {"properties": {"customerId": {"type": "integer"}, name: rule}},
                },
                RECORD,
            ],
            {},
        )
        for name, rule in UNFIT.items()
    ]
    + [
        ([SCHEMA, json.dumps(RECORD)[:-20]], {}),
        ([RECORD], {}),
        ([SCHEMA, {**RECORD, "record": PERSON}], {}),
        ([SCHEMA, {**RECORD, "record": [PERSON]}], {}),
        ([SCHEMA, RECORD], {"stream_maps": {"customers": {"x": "int(lastName)"}}}),
        ([SCHEMA, {**RECORD, "type": "Quorndon"}], {}),
    ],
    ids=[
        *(f"{name} is no integer" for name in UNFIT),
        "cut line",
        "no schema",
        "no key",
        "no object",
        "stream map",
        "unknown type",
    ],
)
def test_nothing_that_does_not_fit_makes_the_loader_talk(
    tmp_path: Path, messages: list[t.Any], settings: dict[str, t.Any]
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"filepath": str(tmp_path / "w.duckdb"), **settings}))
    lines = (line if isinstance(line, str) else json.dumps(line) for line in messages)
    done = run("target-warehouse", "--config", config, stdin="\n".join(lines) + "\n", env=DEBUG)
    assert done.code == 1, done.err
    assert "Traceback" not in done.err
    shows_none_of(done.out + done.err, (*PERSONAL, "crm-4711"))
