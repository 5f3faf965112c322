"""Throttling, broken answers, cut connections, lost sessions: retried, and the result is exact."""

from __future__ import annotations

import email.utils
import json
import time
import typing as t

import pytest
from support.compare import differences
from support.dealership import Dealership, pipe, run
from support.dms import Canned, FakeDms
from support.failures import entries, refused, secrets_of, shows_none_of

if t.TYPE_CHECKING:
    from pathlib import Path

READS = {"method": "GET"}


@pytest.mark.parametrize(
    "kinds",
    [
        [
            {"kind": "server_error", "status": 500, "when": "before"},
            {"kind": "server_error", "status": 502, "when": "after"},
            {"kind": "server_error", "status": 503, "when": "before"},
        ],
        [{"kind": "cut", "when": when} for when in ("before", "unanswered", "during", "after")],
        [{"kind": "expired_token"}, {"kind": "killed_session"}, {"kind": "expired_token"}],
        [{"kind": "malformed", "form": "truncated"}, {"kind": "rate_limit", "retry_after": 0}],
    ],
    ids=["5xx", "cut", "session", "truncated and 429"],
)
def test_trouble_that_passes_leaves_an_exact_warehouse(
    dealer: Dealership, tmp_path: Path, kinds: list[dict[str, t.Any]]
) -> None:
    # Apart from one another: a request and its repetition, before which others that are under way
    # come, are not both to be struck.
    dealer.faults(
        *(
            {"match": READS, "count": 1, "skip": 2 + 15 * place, **kind}
            for place, kind in enumerate(kinds)
        )
    )
    done = pipe(dealer.config(page_size=10), tmp_path / "w.duckdb", tmp_path / "state.json")
    assert done.code == 0, done.err
    assert entries(done.err, "ERROR", "CRITICAL") == []
    assert [rule["strikes"] for rule in dealer.stats()["faults"]] == [1] * len(kinds)
    assert differences(dealer, tmp_path / "w.duckdb") == []


@pytest.mark.parametrize("form", ["seconds", "http_date"])
def test_a_pause_longer_than_allowed_exits_75_and_the_next_run_goes_on(
    dealer: Dealership, tmp_path: Path, form: str
) -> None:
    warehouse, state = tmp_path / "w.duckdb", tmp_path / "state.json"
    dealer.faults(
        {"kind": "rate_limit", "retry_after": 600, "form": form, "match": {"path": "/lots*"}}
    )
    config = dealer.config(max_wait_seconds=5)
    halted = pipe(config, warehouse, state)
    refused(halted, 75, "GET /lots", "429", "`max_wait_seconds` allows 5", "again")
    assert set(halted.state()["bookmarks"]) >= {"customers", "deals", "gl_entries"}
    assert "lots" not in json.loads(state.read_text())["bookmarks"]
    dealer.control("reset-faults", {})
    rest = pipe(config, warehouse, state)
    assert rest.code == 0, rest.err
    assert rest.records("customers") == []
    assert differences(dealer, warehouse) == []


def test_a_server_that_stays_broken_ends_the_run_with_its_request_id(dealer: Dealership) -> None:
    dealer.faults({"kind": "server_error", "status": 500, "match": {"path": "/lots*"}})
    done = run("tap-automate", "--config", dealer.config())
    refused(done, 1, "GET /lots", "4 times", "500", "request id req_")
    shows_none_of(done.err, secrets_of(dealer))


def test_a_server_that_is_unavailable_for_too_long_exits_75(dealer: Dealership) -> None:
    dealer.faults({"kind": "server_error", "status": 503, "match": {"path": "/lots*"}})
    done = run("tap-automate", "--config", dealer.config(max_wait_seconds=0.5))
    refused(done, 75, "GET /lots", "503", "Run again later")


@pytest.mark.parametrize("form", ["seconds", "http_date"])
def test_retry_after_is_never_undercut(tmp_path: Path, form: str) -> None:
    asked_at: list[float] = []
    allowed_at: list[float] = []

    def throttle() -> None:
        asked_at.append(time.time())
        allowed_at.append(until if form == "http_date" else asked_at[-1] + 1)

    def note() -> None:
        asked_at.append(time.time())

    with FakeDms(totp=False) as dms:
        path = tmp_path / "tap.json"
        # A backfill sends one request at first: none is under way when the pause is asked for.
        path.write_text(json.dumps(dms.settings(tmp_path, end_date="2026-01-01")))
        until = int(time.time()) + 4.0
        value = email.utils.formatdate(until, usegmt=True) if form == "http_date" else "1"
        throttled = Canned(429, {}, {"Retry-After": value}, before=throttle)
        dms.answer("GET /vehicles", throttled, Canned(before=note))
        done = run("tap-automate", "--config", path)
    assert done.code == 0, done.err
    assert len(asked_at) == 2
    assert asked_at[1] >= allowed_at[0]
