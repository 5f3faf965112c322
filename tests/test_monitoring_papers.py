"""The page about monitoring: every metric that there is, and no other, also in its rules."""

from __future__ import annotations

import datetime as dt
import re
import types
import typing as t

import pytest
import yaml
from support.clock import FakeClock
from support.figures import figures
from support.intents import journal_at
from support.papers import code, readme_section, table

from automate_api.transport import Stats
from automate_singer.metrics_file import KEPT, MetricsFile
from tap_automate.reporting import measures as of_tap
from tap_automate.reporting.progress import Progress
from target_automate import measures as of_target
from target_automate.journal.intents import State
from target_automate.running.tally import Tally
from target_warehouse import measures as of_warehouse
from target_warehouse.freshness import Freshness

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from automate_singer.metrics_file import Measure
    from target_automate.running.run import Run

PAPER = "docs/monitoring.md"


def of_a_tap() -> Iterable[Measure]:
    return of_tap.measured(Progress(Stats, FakeClock()))


def of_a_loader() -> Iterable[Measure]:
    return of_warehouse.measured({}, Freshness(lambda: dt.datetime.now(dt.UTC)))


@pytest.fixture
def of_a_target(tmp_path: Path) -> Iterable[Measure]:
    tally = Tally(max_rejects=None, max_reject_percent=100)
    with journal_at(tmp_path) as journal:
        run = types.SimpleNamespace(stats=Stats(), tally=tally, journal=journal)
        return list(of_target.measured(t.cast("Run", run)))


@pytest.fixture
def of_programs(of_a_target: Iterable[Measure]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Heading of a table to the metrics that it is about, with their labels."""
    return {
        heading: {f"{prefix}_{measure.name}": measure.labels for measure in measures}
        for heading, prefix, measures in (
            ("Of the tap", of_tap.PREFIX, of_a_tap()),
            ("Of target-automate", of_target.PREFIX, of_a_target),
            ("Of target-warehouse", of_warehouse.PREFIX, of_a_loader()),
        )
    }


@pytest.fixture
def of_any(tmp_path: Path) -> set[str]:
    """The metrics that every program has."""
    path = tmp_path / "any.prom"
    with MetricsFile(path, "any", {}).of_a_run():
        pass
    return {name.removeprefix("any_") for name, *_ in figures(path)}


def test_the_tables_of_metrics_are_those_of_the_programs(
    of_programs: dict[str, dict[str, tuple[str, ...]]], of_any: set[str]
) -> None:
    for heading, metrics in of_programs.items():
        rows = table(readme_section(heading, PAPER), "metric")
        listed = {code(name)[0]: tuple(labels.split(", ")) for name, labels, _ in rows}
        assert listed == {name: labels or ("",) for name, labels in metrics.items()}
    rows = table(readme_section("Of each program", PAPER), "metric")
    assert {code(name)[0] for name, _ in rows} == of_any
    assert of_any > KEPT.keys()


def test_the_rules_ask_for_metrics_labels_and_states_that_there_are(
    of_programs: dict[str, dict[str, tuple[str, ...]]], of_any: set[str]
) -> None:
    known = {name: labels for metrics in of_programs.values() for name, labels in metrics.items()}
    for prefix in (of_tap.PREFIX, of_target.PREFIX, of_warehouse.PREFIX):
        known |= {f"{prefix}_{name}": () for name in of_any}
    [text] = re.findall(r"```yaml\n(.*?)```", readme_section("What to alert on", PAPER), re.DOTALL)
    [group] = yaml.safe_load(text)["groups"]
    assert len(group["rules"]) > 10
    states, counts = set(), set()
    for rule in group["rules"]:
        asked = re.findall(r"(automate_\w+)(?:\{(\w+)=\"(\w+)\"\})?", rule["expr"])
        assert asked
        # Without a run that has succeeded there is no such metric, and nothing to compare.
        for name in re.findall(r"\w+_last_success_\w+", rule["expr"]):
            assert f"or absent({name})" in rule["expr"], rule["alert"]
        by = set(re.findall(r"by \((\w+)\)", rule["expr"]))
        for name, label, value in asked:
            assert name in known, rule["alert"]
            assert not label or label in known[name]
            assert by <= set(known[name])
            assert label != "state" or value.upper() in of_target.STANDING
            states |= {value.upper()} if label == "state" else set()
            counts.add(name)
    assert states == of_target.STANDING - {State.PLANNED, State.SENT}
    assert "automate_target_rejected" in counts
