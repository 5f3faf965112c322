"""Answers that are not what the contract says: drift passes through, the rest ends clearly."""

from __future__ import annotations

import typing as t

import duckdb
import pytest
from support.compare import KEYS, differences
from support.dealership import Dealership, dealership, pipe, run
from support.failures import (
    entries,
    personal_values,
    refused,
    secrets_of,
    shows_none_of,
    warned,
)

if t.TYPE_CHECKING:
    from pathlib import Path

CUSTOMERS = {"method": "GET", "path": "/customers*"}
VEHICLES = {"method": "GET", "path": "/vehicles*"}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"kind": "html"}, ["expected JSON, got an HTML page", "`api_url`", "proxy"]),
        ({"kind": "html", "status": 403}, ["expected the API's JSON, got 403", "proxy"]),
        ({"kind": "malformed", "form": "no_total"}, ["expected a page", "total: missing"]),
        ({"kind": "malformed", "form": "text_total"}, ["expected a page", "total: str"]),
        ({"kind": "malformed", "form": "items_object"}, ["expected a page", "items: dict"]),
        ({"kind": "malformed", "form": "truncated"}, ["expected complete JSON", "again"]),
    ],
    ids=str,
)
def test_an_answer_that_is_no_page_is_described_but_not_repeated(
    dealer: Dealership, rule: dict[str, t.Any], words: list[str]
) -> None:
    dealer.faults({"match": CUSTOMERS, **rule})
    done = run("tap-automate", "--config", dealer.config(max_wait_seconds=1))
    said = refused(done, 1, "GET /customers", *words)
    shows_none_of(done.err, personal_values(dealer) | secrets_of(dealer))
    assert "sign in" not in said.lower()
    assert done.records("customers") == []


def test_an_html_page_instead_of_a_login_says_so(dealer: Dealership, tmp_path: Path) -> None:
    dealer.faults({"kind": "html", "match": {"path": "/sessions"}})
    config = dealer.config(session_path=str(tmp_path / "session"))
    refused(run("tap-automate", "--config", config), 1, "POST /sessions", "an HTML page")


def test_an_unknown_field_and_value_pass_through_are_said_once_and_land_in_the_warehouse(
    dealer: Dealership, tmp_path: Path
) -> None:
    dealer.faults(
        {"kind": "unknown_field", "match": VEHICLES}, {"kind": "unknown_enum", "match": VEHICLES}
    )
    warehouse = tmp_path / "w.duckdb"
    done = pipe(dealer.config(page_size=7), warehouse, tmp_path / "state.json")
    assert done.code == 0, done.err
    rows = len(dealer.records("vehicles"))
    warned(done, "fields the contract does not know", f"fieldOfTomorrow ({rows} rows, new)")
    warned(done, "values its closed lists do not have", f"status=beamed_up ({rows} rows, new)")
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        loaded = connection.execute(
            "SELECT count(*) FROM vehicles "
            "WHERE status = 'beamed_up' AND fieldOfTomorrow = 'unknown'"
        ).fetchone()
    assert loaded == (rows,)


@pytest.mark.parametrize("status", [403, 404, 501])
def test_an_inferred_path_that_is_refused_is_left_out_with_one_warning(
    dealer: Dealership, status: int
) -> None:
    dealer.faults(
        {"kind": "status", "status": status, "match": {"path": "/service/repair-orders*"}}
    )
    done = run("tap-automate", "--config", dealer.config())
    assert done.code == 0, done.err
    advice = "not entitled" if status == 403 else "`endpoints`"
    warned(done, "Skipping 'repair_orders' and 'repair_order_lines'", str(status), advice)
    assert entries(done.err, "ERROR") == []
    for stream in KEYS.keys() - {"repair_orders"}:
        assert len(done.records(stream)) == len(dealer.records(stream)) > 0
    assert not done.state()["bookmarks"].get("repair_orders")


@pytest.mark.parametrize("status", [403, 404, 501])
def test_a_documented_path_that_is_refused_is_an_error(dealer: Dealership, status: int) -> None:
    dealer.faults({"kind": "status", "status": status, "match": VEHICLES})
    done = run("tap-automate", "--config", dealer.config())
    refused(done, 1, "GET /vehicles", f"the DMS answered {status}")


def test_a_page_size_smaller_than_asked_loses_nothing(tmp_path: Path) -> None:
    with dealership(tmp_path, "--vehicles", "60", "--days", "10", "--mfa-type", "none",
                    "--max-page-size", "7") as dealer:  # fmt: skip
        done = pipe(dealer.config(page_size=200), tmp_path / "w.duckdb", tmp_path / "s.json")
        assert done.code == 0, done.err
        assert differences(dealer, tmp_path / "w.duckdb") == []
        assert dealer.stats()["requests"]["GET /vehicles"] >= len(dealer.records("vehicles")) / 7


def test_exclusive_bounds_lose_nothing(tmp_path: Path) -> None:
    with dealership(tmp_path, "--vehicles", "60", "--days", "10", "--mfa-type", "none",
                    "--exclusive-bounds") as dealer:  # fmt: skip
        config = dealer.config(page_size=4)
        for _ in range(2):
            done = pipe(config, tmp_path / "w.duckdb", tmp_path / "s.json")
            assert done.code == 0, done.err
        assert differences(dealer, tmp_path / "w.duckdb") == []
