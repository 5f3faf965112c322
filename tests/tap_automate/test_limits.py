"""Where a run begins and ends in time, and what it makes of rows that it cannot use."""

from __future__ import annotations

import json
import typing as t

import pytest
from support.dealership import Run, run
from support.dms import Canned, FakeDms

from automate_api.errors import ConfigError
from tap_automate.passes.undated import PENDING
from tap_automate.reading.probes import PASSES

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tap_automate.tap import TapAutomate

NOON = "2026-01-20T12:00:00Z"
AT_NOON = {"updatedAt": NOON}
PROBES = 4
"""Requests of a first load that ask for totals alone."""


@pytest.fixture
def dms() -> Iterator[FakeDms]:
    with FakeDms(totp=False) as server:
        yield server


@pytest.fixture
def extract(
    dms: FakeDms, tmp_path: Path, make_tap: Callable[..., TapAutomate]
) -> Callable[..., Run]:
    """Read vehicles alone, which are these, from the fake."""
    catalog = make_tap().catalog_dict
    for entry in catalog["streams"]:
        root = next(m for m in entry["metadata"] if not m["breadcrumb"])
        root["metadata"]["selected"] = entry["tap_stream_id"] == "vehicles"
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))

    def extract(
        *vehicles: dict[str, t.Any],
        state: dict[str, t.Any] | None = None,
        **settings: t.Any,  # noqa: ANN401 - settings
    ) -> Run:
        rows = [{"updatedAt": NOON, **vehicle} for vehicle in vehicles]
        body = {"items": rows, "page": 1, "pageSize": 50, "total": len(rows)}
        dms.answer("GET /vehicles", Canned(body=body))
        if not state and "end_date" not in settings:
            dms.answer("GET /vehicles?pageSize=1", *[Canned()] * PROBES)
        (tmp_path / "config.json").write_text(json.dumps(dms.settings(tmp_path, **settings)))
        (tmp_path / "state.json").write_text(json.dumps(state or {}))
        files = [
            (f"--{name}", tmp_path / f"{name}.json") for name in ("config", "catalog", "state")
        ]
        return run("tap-automate", *(part for option in files for part in option))

    return extract


def test_a_start_in_the_first_year_reads_everything(extract: Callable[..., Run]) -> None:
    done = extract({"vehicleId": "v"}, start_date="0001-01-01")
    assert (done.code, len(done.records("vehicles"))) == (0, 1), done.err


def test_an_end_within_a_second_takes_the_rows_of_that_second_before_it(
    extract: Callable[..., Run], dms: FakeDms
) -> None:
    done = extract(
        {"vehicleId": "before", "updatedAt": "2026-01-20T12:00:00.200Z"},
        {"vehicleId": "after", "updatedAt": "2026-01-20T12:00:00.700Z"},
        start_date="2026-01-01",
        end_date="2026-01-20T12:00:00.500Z",
    )
    assert [record["vehicleId"] for record in done.records("vehicles")] == ["before"]
    assert dms.calls("GET", "/vehicles")[0].query["updatedTo"] == "2026-01-20T12:00:01Z"


def test_a_bookmark_ahead_of_the_dms_is_said(extract: Callable[..., Run]) -> None:
    ahead = {"replication_key": "updatedAt", "replication_key_value": "2226-01-01T00:00:00Z"}
    done = extract(state={"bookmarks": {"vehicles": ahead}})
    assert done.code == 0
    assert "ahead of the DMS's clock" in done.err
    assert done.state()["bookmarks"]["vehicles"] == ahead


@pytest.mark.parametrize("key", [None, {"id": 1}, ["v"]])
def test_a_key_that_is_none_is_described_but_not_repeated(
    extract: Callable[..., Run], key: object
) -> None:
    done = extract({"vehicleId": key})
    assert done.code == 1
    assert f"(vehicleId) of every row, got {type(key).__name__}" in done.err
    assert "Traceback" not in done.err


def test_keys_of_different_types_in_one_instant_are_no_obstacle(
    extract: Callable[..., Run],
) -> None:
    done = extract({"vehicleId": "v"}, {"vehicleId": 7})
    assert (done.code, len(done.records("vehicles"))) == (0, 2), done.err


def test_a_rooftop_named_twice_is_read_once(extract: Callable[..., Run], dms: FakeDms) -> None:
    done = extract({"vehicleId": "v"}, rooftop_ids=["rt_1", "rt_1"])
    assert done.code == 0, done.err
    assert len(dms.calls("GET", "/vehicles")) == PROBES + 1


def test_a_list_that_never_rests_is_loaded_and_said_to_be_doubtful(
    extract: Callable[..., Run], dms: FakeDms
) -> None:
    dms.answer("GET /vehicles?pageSize=1", *(Canned(body=total(each)) for each in (0, 1, 2, 1)))
    undated = {"vehicleId": "undated", "updatedAt": None}
    dms.answer("GET /vehicles", Canned(body={**total(1), "items": [{"vehicleId": "v", **AT_NOON}]}))
    for _ in range(PASSES):
        dms.answer("GET /vehicles", Canned(body={**total(3), "items": [undated]}))
    done = extract()
    assert done.code == 0, done.err
    found = [record["vehicleId"] for record in done.records("vehicles")]
    assert found == ["v", "undated"]
    assert "'vehicles': 1 rows have no `updatedAt`" in done.err
    assert f"came or went in each of {PASSES} passes over the whole list" in done.err
    assert PENDING not in json.dumps(done.state())


def test_a_run_that_ends_among_rows_beyond_windows_is_resumed_there(
    extract: Callable[..., Run], dms: FakeDms
) -> None:
    dms.answer("GET /vehicles?pageSize=1", *(Canned(body=total(each)) for each in (0, 1, 2, 1)))
    dms.answer("GET /vehicles", Canned(body={**total(1), "items": [{"vehicleId": "v", **AT_NOON}]}))
    dms.answer("GET /vehicles", Canned(body={**total(1), "items": [{"vehicleId": None}]}))
    done = extract()
    assert (done.code, [each["vehicleId"] for each in done.records("vehicles")]) == (1, ["v"])
    assert done.state()["bookmarks"]["vehicles"][PENDING] is True

    dms.script.clear()
    dms.answer("GET /vehicles", Canned(body=total(0)))
    undated = {"vehicleId": "undated", "updatedAt": None}
    dms.answer("GET /vehicles", Canned(body={**total(1), "items": [undated]}))
    again = extract(state=done.state())
    assert again.code == 0, again.err
    assert [each["vehicleId"] for each in again.records("vehicles")] == ["undated"]
    assert PENDING not in json.dumps(again.state())


def total(rows: int) -> dict[str, t.Any]:
    """Make a page that names a total and has no rows."""
    return {"items": [], "page": 1, "pageSize": 50, "total": rows}


def test_a_rooftop_without_a_name_is_refused(make_tap: Callable[..., TapAutomate]) -> None:
    with pytest.raises(ConfigError, match=r"rooftop_ids\.0"):
        make_tap(rooftop_ids=[""])


@pytest.mark.parametrize(
    "past",
    [
        Canned(404, {"error": {"code": "not_found"}}),
        Canned(body={"items": [], "page": 1, "pageSize": 1, "total": 1}),
    ],
    ids=["not found", "the last page instead"],
)
def test_a_page_that_vanishes_while_its_window_is_read_is_a_change_like_any_other(
    extract: Callable[..., Run], dms: FakeDms, past: Canned
) -> None:
    first, second = ({"vehicleId": key, "updatedAt": NOON} for key in "ab")
    dms.answer(
        "GET /vehicles",
        Canned(body={"items": [first], "page": 1, "pageSize": 1, "total": 2}),
        past,
    )
    done = extract(second, start_date="2026-01-01")
    assert done.code == 0, done.err
    assert [record["vehicleId"] for record in done.records("vehicles")] == ["b"]


@pytest.mark.parametrize("option", ["--state", "--catalog"])
def test_a_file_that_is_no_text_is_named(
    extract: Callable[..., Run], tmp_path: Path, option: str
) -> None:
    extract()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    done = run("tap-automate", "--config", tmp_path / "config.json", option, tmp_path / "binary")
    assert done.code == 2
    assert "binary is not a JSON object" in done.err


def test_an_empty_state_is_none(extract: Callable[..., Run], tmp_path: Path) -> None:
    """The last line of what a target wrote that was stopped before its first commit."""
    extract({"vehicleId": "v"})
    (tmp_path / "empty.json").write_text("\n")
    config = ("--config", tmp_path / "config.json", "--catalog", tmp_path / "catalog.json")
    done = run("tap-automate", *config, "--state", tmp_path / "empty.json")
    assert done.code == 0, done.err
    assert "empty.json is empty: the run starts without a state" in done.err
    assert "vehicles" in done.state()["bookmarks"]


def test_an_empty_catalog_is_refused(extract: Callable[..., Run], tmp_path: Path) -> None:
    extract()
    (tmp_path / "empty.json").write_text("")
    config = ("--config", tmp_path / "config.json")
    done = run("tap-automate", *config, "--catalog", tmp_path / "empty.json")
    assert done.code == 2
    assert "empty.json is not a JSON object" in done.err
