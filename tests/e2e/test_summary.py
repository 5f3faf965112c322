"""What a person sees of a run of the tap: lines on a terminal, and a table however it ends."""

from __future__ import annotations

import json
import re
import typing as t
from collections import Counter

from support.dealership import Dealership, command, environment, run
from support.failures import entries, personal_values, refused, secrets_of, shows_none_of, start
from support.screen import on_terminal

if t.TYPE_CHECKING:
    from pathlib import Path

LOTS: t.Final = {"path": "/lots*"}


def table(log: str) -> dict[str, dict[str, str]]:
    """Return the cells of the summary by stream and column."""
    lines = [re.split("[┃│]", line)[1:-1] for line in log.splitlines() if line[:1] in {"┃", "│"}]
    head, *rows = ([cell.strip() for cell in cells] for cells in lines)
    return {cells[0]: dict(zip(head, cells, strict=True)) for cells in rows}


def total(log: str, name: str) -> int:
    """Return a count of the summary's last lines."""
    found = re.findall(rf"^\d.*\b{name}: ([\d,]+)", log, re.MULTILINE)
    assert len(found) == 1, log
    return int(found[0].replace(",", ""))


def test_the_summary_has_the_rows_and_the_bookmark_of_each_stream(dealer: Dealership) -> None:
    done = run("tap-automate", "--config", dealer.config())
    assert done.code == 0, done.err
    streams = table(done.err)
    written = Counter(message["stream"] for message in done.messages("RECORD"))
    assert {name: int(cells["rows"].replace(",", "")) for name, cells in streams.items()} == written
    bookmarks = done.state()["bookmarks"]
    assert {name: cells["bookmark"] for name, cells in streams.items()} == {
        name: bookmarks[name]["replication_key_value"] for name in streams
    }
    assert streams["gl_entry_lines"]["pages"] == "-"
    assert int(streams["gl_entries"]["pages"]) >= 1
    assert all(cells["re-reads"] in {"0", "-"} for cells in streams.values())
    reading = [name for name, cells in streams.items() if cells["pages"] != "-"]
    pages = sum(int(streams[name]["pages"]) for name in reading)
    probes, logins = 4 * len(reading), 2
    # Which accounting periods there are, and what is posted into two spans of them meanwhile.
    probes += 3
    assert pages <= total(done.err, "requests") <= pages + probes + logins
    shows_none_of(done.err, personal_values(dealer) | secrets_of(dealer))


def test_a_run_that_finds_nothing_new_says_so(dealer: Dealership, tmp_path: Path) -> None:
    config, state = dealer.config(), tmp_path / "state.json"
    state.write_text(json.dumps(run("tap-automate", "--config", config).state()))
    again = run("tap-automate", "--config", config, "--state", state)
    assert again.code == 0, again.err
    assert {cells["rows"] for cells in table(again.err).values()} == {"0"}
    assert "\n0 rows in " in again.err


def test_throttling_is_counted_waited_out_and_said_once(dealer: Dealership) -> None:
    dealer.faults({"kind": "rate_limit", "retry_after": 1, "count": 2, "match": LOTS})
    done = run("tap-automate", "--config", dealer.config())
    assert done.code == 0, done.err
    streams = table(done.err)
    assert streams["lots"]["retries"] == "2"
    assert int(streams["lots"]["waited"].removesuffix(" s")) >= 2
    assert streams["deals"]["retries"] == "0"
    assert (total(done.err, "throttled"), total(done.err, "retried")) == (2, 2)
    slower = [entry for entry in entries(done.err, "INFO") if "The DMS throttles (429)" in entry]
    assert 1 <= len(slower) <= 2


def test_a_run_that_has_to_give_up_shows_what_it_has_done(dealer: Dealership) -> None:
    dealer.faults({"kind": "rate_limit", "retry_after": 600, "match": LOTS})
    done = run("tap-automate", "--config", dealer.config(max_wait_seconds=60))
    refused(done, 75, "600")
    streams = table(done.err)
    assert streams["gl_entries"]["rows"] == str(len(done.records("gl_entries")))
    assert streams["lots"] | {"pages": "0", "rows": "0", "bookmark": "-"} == streams["lots"]
    assert done.err.index("rows in") < done.err.index("| ERROR"), "the error stands last"


def test_a_run_that_is_stopped_shows_what_it_has_done(dealer: Dealership) -> None:
    dealer.faults({"kind": "latency", "milliseconds": 25_000, "match": LOTS})
    with start("tap-automate", "--config", dealer.config()) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            message = json.loads(line)
            if message["type"] == "STATE" and "gl_entries" in message["value"]["bookmarks"]:
                break
        process.terminate()
        process.stdout.read()
        log = process.stderr.read().decode()
    assert process.returncode == 143
    bookmark = message["value"]["bookmarks"]["gl_entries"]["replication_key_value"]
    assert table(log)["gl_entries"]["bookmark"] == bookmark


def test_the_bookmark_is_that_of_the_state_when_a_batch_file_cannot_be_written(
    dealer: Dealership, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    setting = {"encoding": {"format": "jsonl"}, "storage": {"root": str(folder)}}
    dealer.faults({"kind": "latency", "milliseconds": 500, "count": 2, "match": {"path": "/*"}})
    with start("tap-automate", "--config", dealer.config(batch_config=setting)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["type"] == "SCHEMA"
        folder.rename(tmp_path / "elsewhere")
        folder.write_text("a file, no folder")
        messages = [json.loads(line) for line in process.stdout]
        log = process.stderr.read().decode()
    assert process.returncode == 1
    assert f"{folder}/" in log
    states = [message["value"] for message in messages if message["type"] == "STATE"]
    bookmarks = states[-1]["bookmarks"] if states else {}
    streams = table(log)
    assert any(cells["rows"] != "0" for cells in streams.values())
    assert {name: cells["bookmark"] for name, cells in streams.items()} == {
        name: bookmarks.get(name, {}).get("replication_key_value", "-") for name in streams
    }


def test_a_login_that_fails_has_no_summary(dealer: Dealership) -> None:
    config = dealer.config(platform_token="wrong", session_store="memory")  # noqa: S106 - it is none
    done = run("tap-automate", "--config", config)
    assert done.code == 5
    assert "rows in" not in done.err


def test_on_a_terminal_the_log_and_the_summary_are_whole(dealer: Dealership) -> None:
    dealer.faults({"kind": "latency", "milliseconds": 700, "match": {"path": "/deals*"}})
    words = command("tap-automate", "--config", dealer.config())
    shown = on_terminal(words, environment())
    assert shown.code == 0, shown.written
    assert "METRIC" not in shown.written
    assert "Beginning sync of 'deals'" in shown.written
    assert re.search(r"deals .*\d rows", shown.written.split("┃")[0]), "a line while it was read"
    screen = "\n".join(shown.screen())
    written = Counter(
        message["stream"]
        for message in map(json.loads, shown.out.splitlines())
        if message["type"] == "RECORD"
    )
    assert {
        name: int(cells["rows"].replace(",", "")) for name, cells in table(screen).items()
    } == written
    assert len(entries(screen, "INFO")) == screen.count("| INFO ")
