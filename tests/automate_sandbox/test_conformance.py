"""schemathesis asks the sandbox everything that the contract allows, and much that it does not."""

from __future__ import annotations

import base64
import importlib.resources
import json
import subprocess
import tomllib
import typing as t
from pathlib import Path

import pytest
from support.dealership import BIN, environment
from support.visitor import Shop, Visitor, serving

from automate_sandbox import contract_file
from automate_sandbox.resources import resources
from automate_sandbox.writing import HANDLERS

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    Report = dict[str, t.Any]

RULES = Path(__file__).with_name("schemathesis.toml")
WORLD = ("--vehicles", "60", "--days", "10", "--mfa-type", "none", "--max-failures", "1000000")
BUDGET_SECONDS = 240
CHANGING = {"in_stock", "penciled", "scheduled", "open"}
WITHOUT_DATA = {"GET /operations/{id}"}
"""It needs something queued; the report warns that there is nothing."""


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Visitor]:
    with serving(tmp_path, *WORLD) as shop:
        guest = Visitor(shop)
        assert guest.login().ok
        yield guest
        guest.http.close()


def where_records_are(shop: Shop) -> str:
    """Give each call on a record the id of one, writes that of one that can still change."""
    tables = []
    for operation in contract_file.operations():
        for stream, resource in resources().items():
            if operation.path.partition("/{id}")[:2] == (resource.path, "/{id}"):
                records = shop.records(stream)
                record = next((r for r in records if r.get("status") in CHANGING), records[0])
                name, *others = resource.key
                given = {"id": record[name], **{other: record[other] for other in others}}
                parameters = "\n".join(f"{k} = {json.dumps(v)}" for k, v in given.items())
                tables.append(
                    f'[[operations]]\ninclude-operation-id = ["{operation.operation_id}"]\n'
                    f"[operations.parameters]\n{parameters}\n"
                )
    return "\n".join(tables)


def writes_that_may_refuse() -> set[str]:
    """Name the calls of which the rules say that a body that fits may be refused."""
    names = {
        name
        for rule in tomllib.loads(RULES.read_text("utf-8"))["operations"]
        if "positive_data_acceptance" in rule["checks"]
        for name in rule["include-operation-id"]
    }
    calls = contract_file.operations()
    return {f"{each.method} {each.path}" for each in calls if each.operation_id in names}


def examine(visitor: Visitor, rules: str, *options: str) -> Report:
    """Run schemathesis to its end."""
    folder = visitor.shop.directory
    (folder / "rules.toml").write_text(rules, encoding="utf-8")
    report = folder / "report.json"
    with importlib.resources.as_file(
        importlib.resources.files("automate_api") / "openapi.yaml"
    ) as contract:
        done = subprocess.run(  # noqa: S603 - a program of the environment
            [
                *(str(BIN / "st"), "--config-file", str(folder / "rules.toml")),
                *("run", str(contract), "--url", visitor.base),
                *("--report", "json", "--report-json-path", str(report)),
                *("--continue-on-failure", "--no-color", *options),
            ],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=BUDGET_SECONDS,
            check=False,
        )
    found: Report = json.loads(report.read_text("utf-8"))
    assert found["complete"], done.stdout
    assert found["failures"] == [], done.stdout
    assert found["errors"] == [], done.stdout
    assert done.returncode == 0, done.stdout
    return found


def test_what_is_meant_to_be_refused_as_not_offered_is_what_the_sandbox_does_not_do() -> None:
    [refused] = [
        set(rule["include-operation-id"])
        for rule in tomllib.loads(RULES.read_text("utf-8"))["operations"]
        if "not_a_server_error" in rule["checks"]
    ]
    writes = {each.operation_id for each in contract_file.operations() if each.method != "GET"}
    assert refused == writes - HANDLERS.keys() - {"createSession", "refreshSession"}


@pytest.mark.slow
def test_every_list_detail_and_write_keeps_the_contract(visitor: Visitor) -> None:
    rules = RULES.read_text("utf-8") + where_records_are(visitor.shop)
    token = f"Authorization: Bearer {visitor.token}"
    report = examine(visitor, rules, "-H", token, "--exclude-path-regex", "^/sessions")
    calls = [each for each in contract_file.operations() if "/sessions" not in each.path]
    assert report["operations"]["tested"] == len(calls)
    assert report["test_cases"]["generated"] > 50 * len(calls)
    refused = set(report["warnings"].pop("validation_mismatch"))
    assert refused <= writes_that_may_refuse()
    warned = {call for calls in report["warnings"].values() for call in calls}
    assert warned <= WITHOUT_DATA


@pytest.mark.slow
def test_logging_in_and_renewing_keep_the_contract(visitor: Visitor) -> None:
    platform = base64.b64encode(visitor.shop.facts["platform_token"].encode()).decode()
    logins = {"createSession": f"Basic {platform}", "refreshSession": f"Bearer {visitor.token}"}
    rules = RULES.read_text("utf-8") + "\n".join(
        f'[[operations]]\ninclude-operation-id = ["{operation}"]\n'
        f"headers = {{ Authorization = {json.dumps(value)} }}\n"
        for operation, value in logins.items()
    )
    report = examine(visitor, rules, "--include-path-regex", "^/sessions")
    assert report["operations"]["tested"] == len(logins)
