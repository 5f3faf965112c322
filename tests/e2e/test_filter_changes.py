"""A filter that is set, changed and taken out leaves nothing out; histories grow."""

from __future__ import annotations

import typing as t

import duckdb
from support.dealership import Dealership, dealership, pipe

if t.TYPE_CHECKING:
    from pathlib import Path


def rows(warehouse: Path, query: str) -> list[tuple[t.Any, ...]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_what_a_filter_left_out_comes_when_it_is_changed_or_taken_out(
    dealer: Dealership, tmp_path: Path
) -> None:
    warehouse, state = tmp_path / "w.duckdb", tmp_path / "state.json"
    vehicles = {each["vehicleId"]: each["status"] for each in dealer.records("vehicles")}
    loaded: set[str] = set()
    for status in ("in_stock", "retail_sold", None):
        wanted = {key for key, found in vehicles.items() if status in {found, None}}
        assert wanted
        done = pipe(dealer.config(vehicle_status=status), warehouse, state)
        assert done.code == 0, done.err
        assert {record["vehicleId"] for record in done.records("vehicles")} == wanted
        again = pipe(dealer.config(vehicle_status=status), warehouse, state)
        assert (again.code, again.messages("RECORD")) == (0, []), again.err
        loaded |= wanted
        assert {key for (key,) in rows(warehouse, "SELECT vehicleId FROM vehicles")} == loaded
    assert loaded == vehicles.keys()


def test_every_version_that_was_emitted_stays_in_the_history(tmp_path: Path) -> None:
    warehouse, state = tmp_path / "w.duckdb", tmp_path / "state.json"
    small = ("--vehicles", "60", "--days", "10", "--mfa-type", "none")
    emitted: set[tuple[str, str]] = set()
    with dealership(tmp_path, *small, "--live", "40") as dealer:
        for _ in range(3):
            done = pipe(dealer.config(), warehouse, state)
            assert done.code == 0, done.err
            emitted |= {(row["vehicleId"], row["updatedAt"]) for row in done.records("vehicles")}
        dealer.live(0)
        dealer.pass_time(10)  # beyond the cool-down
        done = pipe(dealer.config(), warehouse, state)
        assert done.code == 0, done.err
        emitted |= {(row["vehicleId"], row["updatedAt"]) for row in done.records("vehicles")}
    (kept,) = rows(warehouse, "SELECT count(*) FROM vehicle_status_history")[0]
    (vehicles,) = rows(warehouse, "SELECT count(*) FROM vehicles")[0]
    assert kept == len(emitted) > vehicles
    newest = """
        SELECT count(*) FROM vehicles v JOIN vehicle_status_history h
        ON h.vehicleId = v.vehicleId AND h.updatedAt = v.updatedAt
        WHERE h.status = v.status AND h.listPrice IS NOT DISTINCT FROM v.listPrice
        AND h.lotId IS NOT DISTINCT FROM v.lot ->> 'lotId'
    """
    assert rows(warehouse, newest) == [(vehicles,)]
