"""What the papers say of pushing holds: their records, their rules, their lists."""

from __future__ import annotations

import json
import re
import typing as t
from decimal import Decimal

import pytest
from support.papers import ROOT, code, readme_section, table

from automate_api import contract
from target_automate import config
from target_automate.checks.approvals import Rule
from target_automate.config import TARGET_SETTINGS
from target_automate.journal.intents import Cause
from target_automate.records.payloads import Conformer
from target_automate.sinks.table import SINKS, find

PUSHING = "docs/pushing.md"
PAPERS = ("README.md", PUSHING)

Record: t.TypeAlias = dict[str, t.Any]


def shown_records(paper: str) -> list[tuple[str, Record]]:
    """Return the records that a paper shows as files of an outbox, each with its stream."""
    text = (ROOT / paper).read_text("utf-8")
    files = re.findall(r"^\$ cat outbox/(?:\d-)?(\w+)\.jsonl\n((?:\{.*\}\n)+)", text, re.MULTILINE)
    return [
        (name, json.loads(line, parse_float=Decimal))
        for name, lines in files
        for line in lines.splitlines()
    ]


@pytest.mark.parametrize("paper", PAPERS)
def test_every_record_that_a_paper_shows_is_taken_whole(paper: str) -> None:
    shown = shown_records(paper)
    assert {name for name, _ in shown} >= {"deal_statuses", "vehicle_prices", "attachments"}
    for stream, record in shown:
        sink = find(stream)
        assert sink is not None, stream
        payload = Conformer(sink, contract.load()).conform(record)
        assert not payload.unknown
        assert payload.body == record


def test_the_operations_list_every_sink() -> None:
    rows = table(readme_section("What it takes", PUSHING), "operation")
    listed = {code(operation)[0]: code(sinks) for operation, _, sinks in rows}
    assert listed == {
        operation: [sink.object for sink in SINKS if sink.operation == operation]
        for operation in ("upsert", "create", "update", "upload")
    }


def test_the_causes_of_rejections_are_those_of_the_journal() -> None:
    rows = table(readme_section("When something is wrong", PUSHING), "cause")
    assert [code(cause)[0] for cause, *_ in rows] == [cause.value for cause in Cause]


def shown_rules() -> list[dict[str, str]]:
    section = readme_section("Approvals", PUSHING)
    [block] = re.findall(r"^```json\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    rules: list[dict[str, str]] = json.loads(block)
    return rules


def test_the_rules_that_are_shown_are_rules() -> None:
    assert config.problems({"approvals": shown_rules()}) == []
    known = TARGET_SETTINGS["approvals"]["items"]["properties"]["object"]["enum"]
    assert {rule["object"] for rule in shown_rules()} <= set(known)


@pytest.mark.parametrize(
    ("number", "payload", "rows", "dms", "held"),
    [
        (0, {"status": "delivered"}, 1, {"status": "contracted"}, True),
        (0, {"status": "contracted"}, 1, {"status": "penciled"}, False),
        (1, {"salePrice": Decimal(8999)}, 1, {"salePrice": Decimal(10_000)}, True),
        (1, {"salePrice": Decimal(9000)}, 1, {"salePrice": Decimal(10_000)}, False),
        (1, {"comments": "washed"}, 1, {"salePrice": Decimal(10_000)}, False),
        (1, {"salePrice": Decimal(9000)}, 1, {"salePrice": None}, True),
        (2, {"status": "closed"}, 1, {"status": "invoiced"}, True),
        (2, {"status": "partially_closed"}, 1, {"status": "invoiced"}, True),
        (2, {"status": "invoiced"}, 1, {"status": "completed"}, False),
        (3, {"externalId": "crm-1"}, 5000, None, False),
        (3, {"externalId": "crm-1"}, 5001, None, True),
    ],
)
def test_the_rules_that_are_shown_hold_what_is_said_of_them(
    number: int, payload: Record, rows: int, dms: Record | None, *, held: bool
) -> None:
    rule = shown_rules()[number]
    reason = Rule(rule["object"], rule["when"]).holds(payload, rows, dms)
    assert bool(reason) == held
