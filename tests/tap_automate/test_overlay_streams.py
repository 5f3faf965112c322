"""The tap at a tenant that differs: what it asks is the tenant's, what it writes the contract's."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import pytest
from support.dealership import run
from support.dms import Canned, FakeDms

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.dealership import Run

    from tap_automate.resources import ResourceStream
    from tap_automate.tap import TapAutomate

OVERLAY: t.Final = """
resources:
  vehicles:
    path: /inventory/units
    parameters: {updatedFrom: modifiedSince, updatedTo: modifiedUntil, status: state}
    fields: {vehicleId: id, updatedAt: modified, status: state, lot.name: location.title}
    add: {tenantTag: {type: string, pii: true}, hook: {type: integer}}
    values: {status: {on_lot: in_stock, demo: null}}
  repair_orders:
    fields: {lines: jobs, "lines[].laborSale": labor.sale}
  parts: {offered: false}
"""


@pytest.fixture
def dms() -> Iterator[FakeDms]:
    with FakeDms(totp=False) as server:
        server.entitlements = ["inventory", "service"]
        yield server


@pytest.fixture
def overlay(tmp_path: Path) -> str:
    path = tmp_path / "tenant.yaml"
    path.write_text(OVERLAY)
    return str(path)


@pytest.fixture
def recent(dms: FakeDms) -> str:
    """An instant before the cool-down."""
    return dt.datetime.fromtimestamp(dms.clock() - 120, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def serve(dms: FakeDms, path: str, *records: dict[str, t.Any]) -> None:
    """Answer the counts of a first load with none, and then one page of records."""
    dms.answer(f"GET {path}?pageSize=1", *[Canned()] * 4)
    body = {"items": records, "page": 1, "pageSize": 200, "total": len(records)}
    dms.answer(f"GET {path}", Canned(body=body))


def test_records_come_by_the_contract_from_where_the_tenant_has_them(
    extract_from: Callable[..., Run], dms: FakeDms, overlay: str, recent: str
) -> None:
    units: list[dict[str, t.Any]] = [
        {"id": "a", "modified": recent, "state": "on_lot", "location": {"title": "Main"}},
        {"id": "b", "modified": recent, "state": "demo", "lot": {"lotId": "l"}, "hook": 7},
    ]
    serve(dms, "/inventory/units", *units)
    done = extract_from(dms, "vehicles", contract_overlay=overlay)
    assert done.code == 0, done.err
    first, second = done.records("vehicles")
    assert (first["vehicleId"], first["updatedAt"], first["status"]) == ("a", recent, "in_stock")
    assert first["lot"]["name"] == "Main"
    assert (second["vehicleId"], second["status"], second["hook"]) == ("b", "demo", 7)
    assert second["lot"]["lotId"] == "l"
    assert not {"id", "modified", "state", "location"} & {*first, *second}
    asked = [seen for seen in dms.seen if seen.method == "GET"]
    assert {seen.path for seen in asked} == {"/inventory/units"}
    assert any({"modifiedSince", "modifiedUntil"} <= seen.query.keys() for seen in asked)
    assert not any({"updatedFrom", "updatedTo"} & seen.query.keys() for seen in asked)
    assert "the contract does not know" not in done.err
    assert "closed lists do not have" not in done.err


def test_a_filter_sends_the_tenant_s_name_and_word_and_is_checked_by_the_contract_s(
    extract_from: Callable[..., Run], dms: FakeDms, overlay: str, recent: str
) -> None:
    settings = {"contract_overlay": overlay, "vehicle_status": "in_stock"}
    serve(dms, "/inventory/units", {"id": "a", "modified": recent, "state": "on_lot"})
    done = extract_from(dms, "vehicles", **settings)
    assert done.code == 0, done.err
    assert [row["status"] for row in done.records("vehicles")] == ["in_stock"]
    asked = [seen.query for seen in dms.calls("GET", "/inventory/units")]
    assert {query.get("state") for query in asked} == {"on_lot"}
    serve(dms, "/inventory/units", {"id": "a", "modified": recent, "state": "transit"})
    assert "do not fit `vehicle_status`" in extract_from(dms, "vehicles", **settings).err


def test_lines_are_cut_from_arrays_of_another_name(
    extract_from: Callable[..., Run], dms: FakeDms, overlay: str, recent: str
) -> None:
    jobs = [{"lineId": "l1", "labor": {"sale": 99.50}}]
    serve(
        dms,
        "/service/repair-orders",
        {"repairOrderId": "r", "rooftopId": "rt_1", "updatedAt": recent, "jobs": jobs},
    )
    done = extract_from(dms, "repair_orders", "repair_order_lines", contract_overlay=overlay)
    assert done.code == 0, done.err
    (line,) = done.records("repair_order_lines")
    assert (line["repairOrderId"], line["lineId"], line["laborSale"]) == ("r", "l1", 99.50)


def test_what_is_not_offered_is_skipped_with_one_line_and_not_asked_for(
    extract_from: Callable[..., Run], dms: FakeDms, overlay: str
) -> None:
    done = extract_from(dms, "parts", contract_overlay=overlay, rooftop_ids=["rt_1", "rt_2"])
    assert done.code == 0, done.err
    assert done.err.count("Skipping 'parts'") == 1
    assert "says that this tenant does not offer it" in done.err
    assert dms.calls("GET", "/parts") == []


def test_a_list_alone_may_be_what_is_not_offered(
    make_tap: Callable[..., TapAutomate], tmp_path: Path
) -> None:
    overlay = tmp_path / "tenant.yaml"
    overlay.write_text("calls: {listVehicles: {offered: false}}")
    vehicles = make_tap(contract_overlay=str(overlay)).streams["vehicles"]
    said = t.cast("ResourceStream", vehicles).unavailable()
    assert str(said).endswith("says that this tenant does not offer it.")


def test_what_is_kept_beside_a_personal_field_is_treated_as_the_field(
    extract_from: Callable[..., Run], dms: FakeDms, tmp_path: Path, recent: str
) -> None:
    overlay = tmp_path / "tenant.yaml"
    overlay.write_text(
        "resources: {customers: {fields: {dateOfBirth: dob, firstName: given, address.city: town, "
        "lastName: family}}}"
    )
    both = {
        "dob": "1961-05-07", "dateOfBirth": "1961-05-08", "given": "Ann", "firstName": "Canary",
        "town": "Oslo", "address": "Canary Road", "family": "Li", "lastName": "Lee",
    }  # fmt: skip
    serve(dms, "/customers", {"customerId": "c", "updatedAt": recent, **both})
    settings = {"pii": {"firstName": "hash", "address": "drop"}, "pii_key": "a key of the test"}
    done = extract_from(dms, "customers", contract_overlay=str(overlay), **settings)
    assert done.code == 0, done.err
    (record,) = done.records("customers")
    assert "Canary" not in str(record)
    assert record["firstName_untranslated"] != record["firstName"]
    assert (record["lastName"], record["lastName_untranslated"]) == ("Li", "Lee")
    assert not [name for name in record if name.startswith(("dateOfBirth", "address"))]


def test_rows_that_came_under_other_names_are_told_of_until_they_are_loaded_anew(
    extract_from: Callable[..., Run], dms: FakeDms, overlay: str, tmp_path: Path, recent: str
) -> None:
    def load(state: dict[str, t.Any], **settings: str) -> tuple[bool, dict[str, t.Any]]:
        path = "/inventory/units" if settings else "/vehicles"
        serve(dms, path, {"id": "a", "vehicleId": "a", "modified": recent, "updatedAt": recent})
        done = extract_from(dms, "vehicles", state=state, rooftop_ids=["rt_1", "rt_2"], **settings)
        assert done.code == 0, done.err
        warnings = done.err.count("Stream 'vehicles': the rows of earlier runs came under other")
        assert warnings <= 1
        return bool(warnings), done.state()

    said, plain = load({})
    assert not said
    said, kept = load(plain, contract_overlay=overlay)
    assert said
    said, kept = load(kept, contract_overlay=overlay)
    assert said
    said, anew = load({}, contract_overlay=overlay)
    assert not said
    more = tmp_path / "more.yaml"
    more.write_text(OVERLAY.replace("add: {", "add: {aisle: {type: string}, "))
    said, anew = load(anew, contract_overlay=str(more))
    assert not said
    more.write_text(OVERLAY.replace("demo: null", "demo: transit"))
    said, _ = load(anew, contract_overlay=str(more))
    assert said
    said, _ = load(anew)
    assert said


def test_a_catalog_has_what_the_tenant_adds(
    make_tap: Callable[..., TapAutomate], overlay: str
) -> None:
    tap = make_tap(contract_overlay=overlay, pii={"tenantTag": "drop"})
    plain = make_tap()
    schema = tap.streams["vehicles"].schema["properties"]
    assert schema.keys() - plain.streams["vehicles"].schema["properties"].keys() == {"hook"}
    assert schema["hook"] == {"type": ["integer", "null"]}
    kept = make_tap(contract_overlay=overlay).streams["vehicles"].schema["properties"]
    assert kept["tenantTag"] == {"type": ["string", "null"]}
    for name, stream in tap.streams.items():
        if name != "vehicles":
            assert stream.schema == plain.streams[name].schema


def test_an_overlay_that_is_wrong_ends_the_run_with_2_and_its_line(
    dms: FakeDms, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("resources:\n  vehicle: {}\n")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(dms.settings(tmp_path, contract_overlay=str(wrong))))
    for arguments in (["--discover"], []):
        done = run("tap-automate", "--config", config, *arguments)
        assert done.code == 2, done.err
        assert "line 2, `resources.vehicle`" in done.err
        assert "Traceback" not in done.err
    assert dms.seen == []
