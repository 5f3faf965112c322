"""Records that vanish, or come, without a trace in the times of change."""

from __future__ import annotations

import typing as t

import pytest
from support.dealership import dealership
from support.visitor import Shop, Visitor, serving, visiting

from automate_sandbox.instants import parse
from automate_sandbox.ledger import Ledger, opaque_rank
from automate_sandbox.pages import PAGE_ORDERS
from automate_sandbox.resources import resources
from automate_sandbox.store import Store
from automate_sandbox.world.generate import Generator, Size

if t.TYPE_CHECKING:
    from pathlib import Path

NOW: t.Final = parse("2026-03-18T17:30:00Z")


@pytest.mark.parametrize("lag", [0, 60_000])
def test_what_is_removed_is_in_no_index_and_no_view(lag: int) -> None:
    ledger = Ledger(resources(), opaque_rank, lag=lag)
    ledger.create(Generator(5, Size(1, 30, 10), NOW // 1000).records(), NOW, {})
    table = ledger.tables["vehicles"]
    key = max(table.rows)
    record = (ledger.record("vehicles", key) or {}) | {"updatedAt": "2026-03-18T17:31:00Z"}
    assert key in table.find("vin", record["vin"])
    ledger.commit([("vehicles", record)], NOW, cause="live")
    ledger.remove("vehicles", [key], NOW)
    for shown in (table, ledger.view("vehicles", NOW), ledger.view("vehicles", NOW + 120_000)):
        assert key not in shown.rows
        assert key not in {other for _, other in shown.by_time}
        assert key not in {other for _, other in shown.by_rank}
        assert len(shown.by_time) == len(shown.by_rank) == len(shown.rows)
    assert table.find("vin", record["vin"]) == set()


def test_what_is_removed_stays_away_when_the_world_is_restored(tmp_path: Path) -> None:
    store = Store(tmp_path / "world.db")
    ledger = Ledger(resources(), None, store)
    ledger.create(Generator(5, Size(1, 30, 10), NOW // 1000).records(), NOW, {"seed": "5"})
    first, second = sorted(ledger.tables["vehicles"].rows)[:2]
    record = ledger.record("vehicles", first)
    assert record
    ledger.remove("vehicles", [first, second], NOW)
    ledger.commit([("vehicles", record)], NOW, cause="control")
    store.close()
    store = Store(tmp_path / "world.db")
    restored = Ledger(resources(), None, store)
    restored.restore()
    store.close()
    assert restored.tables["vehicles"].rows == ledger.tables["vehicles"].rows
    assert first in restored.tables["vehicles"].rows
    assert second not in restored.tables["vehicles"].rows
    assert len(restored.history) == len(ledger.history)


def test_a_deleted_record_is_in_no_list_and_has_no_detail(shop: Shop, visitor: Visitor) -> None:
    before = visitor.all("/lots")
    key = before[0]["lotId"]
    shop.control("delete", {"stream": "lots", "keys": [key]})
    assert visitor.get(f"/lots/{key}").status_code == 404
    assert visitor.all("/lots") == before[1:]
    shop.control("import", {"stream": "lots", "records": [before[0]]})
    assert visitor.all("/lots") == before


@pytest.mark.parametrize("order", PAGE_ORDERS)
def test_a_record_without_a_time_is_in_no_window_and_in_the_whole_list(
    tmp_path: Path, order: str
) -> None:
    options = ("--vehicles", "20", "--days", "3", "--mfa-type", "none", "--page-order", order)
    with serving(tmp_path, *options) as shop, visiting(shop) as visitor:
        dated = visitor.all("/lots")
        undated = {**dated[0], "lotId": "lot_undated", "updatedAt": None}
        shop.control("import", {"stream": "lots", "records": [undated]})
        assert sorted(r["lotId"] for r in visitor.all("/lots")) == sorted(
            [*(record["lotId"] for record in dated), "lot_undated"]
        )
        for bounds in (
            {"updatedFrom": "1900-01-01T00:00:00Z"},
            {"updatedTo": "2100-01-01T00:00:00Z"},
        ):
            assert visitor.get("/lots", **bounds).json()["total"] == len(dated)


@pytest.mark.parametrize(
    ("call", "body", "field"),
    [
        ("delete", {"stream": "nothing", "keys": []}, "stream"),
        ("delete", {"stream": "lots", "keys": ["lot_none"]}, "keys"),
        ("delete", {"stream": "lots"}, "keys"),
        ("import", {"stream": "lots", "records": [{"lotId": "lot_1"}]}, "records"),
        ("import", {"stream": "lots", "records": {}}, "records"),
        ("import", {"stream": "lots", "records": [{"lotId": "x", "updatedAt": 3}]}, "records"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_field(
    shop: Shop, visitor: Visitor, call: str, body: dict[str, t.Any], field: str
) -> None:
    answer = visitor.http.post(f"{shop.facts['control_url'].rstrip('/')}/{call}", json=body)
    assert answer.status_code == 422
    assert field in answer.text


def test_ignored_bounds_give_the_whole_list(tmp_path: Path) -> None:
    with dealership(tmp_path, "--vehicles", "20", "--days", "3", "--mfa-type", "none") as dealer:
        visitor = Visitor(t.cast("Shop", dealer))
        assert visitor.login().ok
        window = {"updatedFrom": "1900-01-01T00:00:00Z", "updatedTo": "1900-01-02T00:00:00Z"}
        assert visitor.get("/lots", **window).json()["total"] == 0
        dealer.faults({"kind": "ignored_bounds", "match": {"path": "/lots"}})
        assert visitor.get("/lots", **window).json()["total"] == len(dealer.records("lots"))
        assert visitor.get("/vehicles", **window).json()["total"] == 0
        visitor.http.close()
