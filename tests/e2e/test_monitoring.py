"""What a run leaves for those who watch it: structured logs, and figures in a file."""

from __future__ import annotations

import datetime as dt
import json
import re
import signal
import typing as t

import pytest
from support.dealership import Dealership, run
from support.failures import start
from support.figures import figures
from support.papers import readme_section

from automate_api.errors import EXIT_SIGTERM

if t.TYPE_CHECKING:
    from pathlib import Path

    from support.dealership import Run
    from support.pushing import Pushing


@pytest.fixture
def structured(tmp_path: Path) -> dict[str, str]:
    """The environment of a run `nightly-7` with structured logs, as the paper has them."""
    paper = readme_section("Logs", "docs/monitoring.md")
    [shown] = re.findall(r"```yaml\n(.*?)```", paper, re.DOTALL)
    assert "level: INFO" in shown
    path = tmp_path / "logging.yml"
    path.write_text(shown.replace("level: INFO", "level: DEBUG"))
    return {"SINGER_SDK_LOG_CONFIG": str(path), "AUTOMATE_RUN_ID": "nightly-7"}


def logged(done: Run) -> list[dict[str, t.Any]]:
    return [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]


def test_every_structured_line_names_the_run_and_a_failed_request_its_id(
    dealer: Dealership, structured: dict[str, str]
) -> None:
    dealer.faults({"kind": "server_error", "status": 503, "match": {"path": "/lots*"}, "count": 1})
    done = run("tap-automate", "--config", dealer.config(), env=structured)
    assert done.code == 0, done.err
    lines = logged(done)
    assert {line["extra"]["automate_run_id"] for line in lines} == {"nightly-7"}
    [failed] = [line for line in lines if line["message"].startswith("GET /lots: 503 at attempt 1")]
    assert failed["extra"]["request_id"]


def test_the_error_that_ends_a_run_has_the_servers_request_id_as_a_field(
    dealer: Dealership, structured: dict[str, str]
) -> None:
    dealer.faults({"kind": "malformed", "form": "no_total", "match": {"path": "/lots*"}})
    done = run("tap-automate", "--config", dealer.config(), env=structured)
    assert done.code == 1, done.err
    [error] = [line for line in logged(done) if line["level"] == "error"]
    assert error["extra"]["request_id"] in error["message"]


@pytest.mark.parametrize("program", ["tap-automate", "target-automate"])
def test_a_plain_log_names_the_run_once_at_its_beginning(
    dealer: Dealership, pushing: Pushing, program: str
) -> None:
    config = dealer.config() if program == "tap-automate" else pushing.config()
    done = run(program, "--config", config, env={"AUTOMATE_RUN_ID": "nightly-7"})
    assert done.code == 0, done.err
    named = [at for at, line in enumerate(done.err.splitlines()) if "nightly-7" in line]
    assert named[0] <= 1
    assert len(named) == 1


def test_a_tap_leaves_what_it_has_read_for_prometheus(dealer: Dealership, tmp_path: Path) -> None:
    path = tmp_path / "tap.prom"
    dealer.faults({"kind": "server_error", "status": 503, "match": {"path": "/lots*"}, "count": 1})
    config = dealer.config(metrics_file=str(path), metrics_labels={"site": "north"})
    done = run("tap-automate", "--config", config)
    assert done.code == 0, done.err
    found = figures(path)
    assert {labels[1] for labels in found} == {"north"}
    for stream in ("vehicles", "deals", "gl_entry_lines"):
        rows = len(done.records(stream))
        assert rows
        assert found["automate_tap_rows", "north", stream] == rows
        assert found["automate_tap_bookmark_timestamp_seconds", "north", stream] > 1.7e9
    assert found["automate_tap_pages", "north", "vehicles"] >= 1
    assert ("automate_tap_pages", "north", "gl_entry_lines") not in found
    assert found["automate_tap_retries", "north"] == 1
    assert found["automate_tap_last_exit_code", "north"] == 0
    assert found["automate_tap_running", "north"] == 0
    assert found["automate_tap_certificates_failed", "north", "vehicles"] == 0


def test_a_tap_that_is_stopped_leaves_how_it_ended(dealer: Dealership, tmp_path: Path) -> None:
    path = tmp_path / "tap.prom"
    dealer.faults({"kind": "latency", "milliseconds": 25_000, "match": {"path": "/lots*"}})
    process = start("tap-automate", "--config", dealer.config(metrics_file=str(path)))
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == EXIT_SIGTERM
    found = figures(path)
    assert (found["automate_tap_running",], found["automate_tap_last_exit_code",]) == (0, 143)
    assert ("automate_tap_last_success_timestamp_seconds",) not in found


def test_a_tap_that_is_killed_leaves_a_whole_file_of_a_run_that_did_not_end(
    dealer: Dealership, tmp_path: Path
) -> None:
    path = tmp_path / "tap.prom"
    dealer.faults({"kind": "latency", "milliseconds": 25_000, "match": {"path": "/lots*"}})
    process = start("tap-automate", "--config", dealer.config(metrics_file=str(path)))
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    found = figures(path)
    assert found["automate_tap_running",] == 1
    assert ("automate_tap_last_exit_code",) not in found


def test_what_the_contract_does_not_know_is_counted(dealer: Dealership, tmp_path: Path) -> None:
    path = tmp_path / "tap.prom"
    dealer.faults(
        {"kind": "unknown_field", "match": {"path": "/lots*"}},
        {"kind": "unknown_enum", "match": {"path": "/deals*"}},
    )
    done = run("tap-automate", "--config", dealer.config(metrics_file=str(path)))
    assert done.code == 0, done.err
    found = figures(path)
    assert found["automate_tap_unknown_fields", "lots"] == len(done.records("lots"))
    assert found["automate_tap_unknown_values", "deals"] >= len(done.records("deals"))
    assert found["automate_tap_other_types", "deals"] == 0


def test_a_loader_leaves_how_fresh_the_warehouse_is(dealer: Dealership, tmp_path: Path) -> None:
    path, loader = tmp_path / "loader.prom", tmp_path / "loader.json"
    loader.write_text(
        json.dumps({"filepath": str(tmp_path / "w.duckdb"), "metrics_file": str(path)})
    )
    extracted = run("tap-automate", "--config", dealer.config())
    loaded = run("target-warehouse", "--config", loader, stdin=extracted.out)
    assert loaded.code == 0, loaded.err
    first = figures(path)
    vehicles = extracted.records("vehicles")
    assert first["automate_warehouse_rows", "vehicles"] == len(vehicles)
    newest = max(dt.datetime.fromisoformat(vehicle["updatedAt"]) for vehicle in vehicles)
    name = ("automate_warehouse_newest_change_timestamp_seconds", "vehicles")
    assert first[name] == newest.timestamp()
    # A run that brings nothing does not take back how fresh the table is.
    announced = "".join(
        f"{line}\n" for line in extracted.out.splitlines() if line.startswith('{"type":"SCHEMA"')
    )
    quiet = run("target-warehouse", "--config", loader, stdin=announced)
    assert quiet.code == 0, quiet.err
    second = figures(path)
    assert second["automate_warehouse_rows", "vehicles"] == 0
    assert second[name] == first[name]


def test_a_target_leaves_what_it_has_sent_and_what_is_open(
    pushing: Pushing, tmp_path: Path
) -> None:
    path = tmp_path / "target.prom"
    rules = [{"object": "deals"}]
    done = pushing.push(
        pushing.customer(1),
        pushing.customer(2),
        pushing.deal(1),
        pushing.deal(2),
        metrics_file=str(path),
        approvals=rules,
    )
    assert done.code == 0, done.err
    found = figures(path)
    assert found["automate_target_sent", "customers"] == 2
    assert found["automate_target_waiting", "deals"] == 2
    assert found["automate_target_journal_writes", "deals", "waiting_approval"] == 2
    assert found["automate_target_journal_oldest_timestamp_seconds", "deals", "waiting_approval"]
    assert ("automate_target_journal_writes", "customers", "acked") not in found
    assert found["automate_target_last_exit_code",] == 0
    assert found["automate_target_requests",] >= 2


def test_nothing_of_a_record_is_in_the_file(pushing: Pushing, tmp_path: Path) -> None:
    path = tmp_path / "target.prom"
    done = pushing.push(pushing.customer(1), pushing.deal(1), metrics_file=str(path))
    assert done.code == 0, done.err
    text = path.read_text()
    assert pushing.name not in text
    labels = dict(re.findall(r'(\w+)="([^"]*)"', text))
    assert labels.keys() == {"object"}
    assert {value for _, value in re.findall(r'(\w+)="([^"]*)"', text)} == {"customers", "deals"}
