"""What a vendor changes overnight: nothing is lost, it is said once, and `on_drift` decides."""

from __future__ import annotations

import json
import typing as t
from decimal import Decimal

import duckdb
import pytest
from support.dealership import Dealership, pipe, run
from support.failures import entries, personal_values, refused, secrets_of, shows_none_of, warned
from support.figures import figures

from tap_automate.reading.records import SENTINEL_DATES

if t.TYPE_CHECKING:
    from pathlib import Path

    from support.dealership import Run

VEHICLES: t.Final = {"method": "GET", "path": "/vehicles*"}
TEXT: t.Final = {"kind": "text_field", "match": VEHICLES}
NEW_FIELD: t.Final = {"kind": "unknown_field", "match": VEHICLES}


def prices(warehouse: Path) -> dict[str, t.Any]:
    """Return the list price of each vehicle as the warehouse has it, and the column's type."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(
            "SELECT vehicleId, CAST(listPrice AS VARCHAR), typeof(listPrice) FROM vehicles"
        ).fetchall()
    return {key: (price, kind) for key, price, kind in rows}


def change_every_vehicle(dealer: Dealership) -> None:
    """Have every vehicle changed a little later than now, so that the next run reads it."""
    dealer.pass_time(120)
    records = dealer.records("vehicles")
    now = dealer.control("info")["now"]
    for record in records:
        record["updatedAt"] = now
    body = json.loads(json.dumps({"stream": "vehicles", "records": records}, default=float))
    dealer.control("import", body)
    dealer.pass_time(120)


def about_vehicles(done: Run) -> list[str]:
    return [entry for entry in entries(done.err, "WARNING") if "Stream 'vehicles'" in entry]


@pytest.mark.parametrize("form", ["messages", "parquet"])
def test_a_number_that_becomes_text_overnight_is_kept_loaded_and_said_once(
    dealer: Dealership, tmp_path: Path, form: str
) -> None:
    setting = {"encoding": {"format": form}, "storage": {"root": (tmp_path / "files").as_uri()}}
    changes: dict[str, t.Any] = {} if form == "messages" else {"batch_config": setting}
    config, warehouse = dealer.config(page_size=25, **changes), tmp_path / "w.duckdb"
    state = tmp_path / "state.json"
    first = pipe(config, warehouse, state)
    assert first.code == 0, first.err
    assert about_vehicles(first) == []
    assert {kind for _, kind in prices(warehouse).values()} == {"DECIMAL(18,2)"}

    change_every_vehicle(dealer)
    dealer.faults(TEXT)
    second = pipe(config, warehouse, state)
    assert second.code == 0, second.err
    rows = len(dealer.records("vehicles"))
    [said, column] = about_vehicles(second)
    assert f"listPrice ({rows} rows, string, new)" in said
    assert "'listPrice' was DECIMAL(18,2) and is text now" in column
    after = prices(warehouse)
    assert after == {
        vehicle["vehicleId"]: (f"{vehicle['listPrice']} USD", "VARCHAR")
        for vehicle in dealer.records("vehicles")
    }
    if form == "parquet":
        assert second.records("vehicles") == [], "text has a file of its own"

    change_every_vehicle(dealer)
    third = pipe(config, warehouse, state)
    assert third.code == 0, third.err
    [again] = about_vehicles(third)
    assert f"listPrice ({rows} rows, string)" in again
    assert prices(warehouse) == after

    dealer.control("reset-faults", {})
    change_every_vehicle(dealer)
    back = pipe(config, warehouse, state)
    assert back.code == 0, back.err
    assert about_vehicles(back) == []
    assert {key: Decimal(price) for key, (price, _) in prices(warehouse).items()} == {
        vehicle["vehicleId"]: vehicle["listPrice"] for vehicle in dealer.records("vehicles")
    }


def test_a_date_that_becomes_another_text_overnight_is_kept_loaded_and_said_once(
    dealer: Dealership, tmp_path: Path
) -> None:
    config, warehouse, state = dealer.config(), tmp_path / "w.duckdb", tmp_path / "state.json"
    assert pipe(config, warehouse, state).code == 0
    change_every_vehicle(dealer)
    dealer.faults({**TEXT, "field": "acquisitionDate"})
    second = pipe(config, warehouse, state)
    assert second.code == 0, second.err
    [said, column] = about_vehicles(second)
    vehicles = dealer.records("vehicles")
    texts = {
        vehicle["vehicleId"]: None
        if vehicle["acquisitionDate"].startswith(SENTINEL_DATES)
        else f"{vehicle['acquisitionDate']} USD"
        for vehicle in vehicles
    }
    rows = len([*filter(None, texts.values())])
    assert f"acquisitionDate ({rows} rows, text that is no date, new)" in said
    assert "'acquisitionDate' was DATE and is text now" in column
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        dates = connection.execute("SELECT vehicleId, acquisitionDate FROM vehicles").fetchall()
    assert dict(dates) == texts


def test_fields_that_a_catalog_leaves_out_are_not_said_to_pass(
    dealer: Dealership, tmp_path: Path
) -> None:
    dealer.faults(NEW_FIELD)
    catalog = json.loads(run("tap-automate", "--config", dealer.config(), "--discover").out)
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"] == ["properties", "trim"]:
                entry["metadata"]["selected"] = False
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(catalog))
    done = run("tap-automate", "--config", dealer.config(), "--catalog", path)
    assert done.code == 0, done.err
    assert not any("fieldOfTomorrow" in record for record in done.records("vehicles"))
    warned(done, "within others, as the catalog deselects fields: fieldOfTomorrow")


def test_the_schema_allows_the_types_that_follow_it_also_of_versions(dealer: Dealership) -> None:
    dealer.faults(TEXT)
    done = run("tap-automate", "--config", dealer.config())
    assert done.code == 0, done.err
    for stream in ("vehicles", "vehicle_status_history"):
        schemas = [m["schema"] for m in done.messages("SCHEMA") if m["stream"] == stream]
        types = [schema["properties"]["listPrice"]["type"] for schema in schemas]
        assert types == [["number", "null"], ["number", "string", "null"]]
    messages = [m for m in done.messages() if m.get("stream") == "vehicles"]
    assert [m["type"] for m in messages[:3]] == ["SCHEMA", "SCHEMA", "RECORD"]


def test_a_field_that_is_gone_is_named(dealer: Dealership) -> None:
    entries_of_gl = {"path": "/accounting/gl-entries*"}
    dealer.faults({"kind": "lost_field", "field": "sourceModule", "match": entries_of_gl})
    done = run("tap-automate", "--config", dealer.config())
    assert done.code == 0, done.err
    assert len(done.records("gl_entries")) >= 100
    warned(done, "'gl_entries'", "fields of the contract that no row has: sourceModule (new)")


def test_drift_ends_a_run_only_when_asked_and_after_everything_is_written(
    dealer: Dealership, tmp_path: Path
) -> None:
    dealer.faults(NEW_FIELD)
    metrics = tmp_path / "tap.prom"
    config = dealer.config(on_drift="fail", metrics_file=str(metrics))
    warehouse, state = tmp_path / "w.duckdb", tmp_path / "state.json"
    failed = pipe(config, warehouse, state)
    refused(failed, 1, "`on_drift: fail`", "'vehicles'", "automate-dms drift")
    bookmarks = json.loads(state.read_text())["bookmarks"]
    assert len(bookmarks) == len({message["stream"] for message in failed.messages("SCHEMA")})
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        loaded = connection.execute("SELECT count(fieldOfTomorrow) FROM vehicles").fetchone()
    assert loaded == (len(dealer.records("vehicles")),)
    assert figures(metrics)["automate_tap_drift_new", "vehicles"] == 1

    change_every_vehicle(dealer)
    again = pipe(config, warehouse, state)
    refused(again, 1, "`on_drift: fail`")

    dealer.pass_time(120)
    accepted = pipe(dealer.config("accepting"), warehouse, state)
    assert accepted.code == 0, accepted.err
    assert accepted.records("vehicles") == [], "nothing is met, and what was said is accepted"

    change_every_vehicle(dealer)
    known = pipe(config, warehouse, state)
    assert known.code == 0, known.err
    rows = len(dealer.records("vehicles"))
    assert f"fieldOfTomorrow ({rows} rows)" in about_vehicles(known)[0]
    assert figures(metrics)["automate_tap_drift_new", "vehicles"] == 0
    assert figures(metrics)["automate_tap_unknown_fields", "vehicles"] > 0


def test_a_list_that_was_there_and_is_gone_is_drift_and_one_that_never_was_is_not(
    dealer: Dealership, tmp_path: Path
) -> None:
    metrics, warehouse, state = (
        tmp_path / "tap.prom",
        tmp_path / "w.duckdb",
        tmp_path / "state.json",
    )
    gone = [
        {"kind": "status", "status": 404, "match": {"method": "GET", "path": path}}
        for path in ("/parts*", "/service/repair-orders*")
    ]
    config = dealer.config(on_drift="fail", metrics_file=str(metrics))
    dealer.faults(gone[0])
    first = pipe(config, warehouse, state)
    assert first.code == 0, first.err
    warned(first, "Skipping 'parts'", "404")

    dealer.faults(gone[1])
    failed = pipe(config, warehouse, state)
    refused(failed, 1, "`on_drift: fail`", "'repair_orders'")
    said = "Stream 'repair_orders': lists that earlier runs have read, and that are not there any"
    warned(failed, said, "/service/repair-orders (new)")
    assert "Stream 'parts'" not in failed.err
    assert figures(metrics)["automate_tap_moved_paths", "repair_orders"] == 1

    accepted = pipe(dealer.config("accepting"), warehouse, state)
    assert accepted.code == 0, accepted.err
    assert pipe(config, warehouse, state).code == 0

    dealer.control("reset-faults", {})
    back = pipe(config, warehouse, state)
    assert back.code == 0, back.err
    assert "repair_orders" not in "".join(entries(back.err, "WARNING"))


def test_drift_is_said_once_whatever_the_number_of_pages_and_rooftops_or_not_at_all(
    dealer: Dealership,
) -> None:
    dealer.faults(NEW_FIELD)
    rooftops = [rooftop["rooftopId"] for rooftop in dealer.records("rooftops")]
    settings: dict[str, t.Any] = {"page_size": 10, "rooftop_ids": rooftops}
    done = run("tap-automate", "--config", dealer.config(**settings))
    assert done.code == 0, done.err
    rows = len(done.records("vehicles"))
    warned(done, "'vehicles'", f"fieldOfTomorrow ({rows} rows, new)")
    assert len(about_vehicles(done)) == 1
    assert "not as the contract has it: vehicles 1 (1 new)" in done.err
    assert done.state()["bookmarks"]["vehicles"]["drift"] == {"unknown_fields": ["fieldOfTomorrow"]}
    quiet = run("tap-automate", "--config", dealer.config(on_drift="ignore", **settings))
    assert quiet.code == 0, quiet.err
    assert about_vehicles(quiet) == []
    assert len(quiet.records("vehicles")) == rows
    shows_none_of(done.err, personal_values(dealer) | secrets_of(dealer))


def test_unknown_fields_can_be_left_out_and_are_counted_all_the_same(dealer: Dealership) -> None:
    dealer.faults(NEW_FIELD)
    done = run("tap-automate", "--config", dealer.config(unknown_fields="drop"))
    assert done.code == 0, done.err
    warned(done, "know, left out: fieldOfTomorrow", f"({len(done.records('vehicles'))} rows")
    assert "fieldOfTomorrow" not in done.out.replace('"unknown_fields":["fieldOfTomorrow"]', "")
