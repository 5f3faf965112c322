"""A row that becomes visible after the bookmark has passed it: loaded, measured, allowed for."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import pytest
from support.compare import differences
from support.dealership import Dealership, dealership, pipe
from support.failures import entries, warned
from support.figures import figures

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OVERLAP: t.Final = 60


@pytest.fixture
def dealer(tmp_path: Path) -> Iterator[Dealership]:
    with dealership(tmp_path, "--vehicles", "20", "--days", "10", "--mfa-type", "none") as running:
        yield running


def import_late(dealer: Dealership, state: Path, before: int) -> str:
    """Bring a lot into the DMS dated so many seconds before the bookmark; return its id."""
    bookmark = json.loads(state.read_text())["bookmarks"]["lots"]["replication_key_value"]
    updated = dt.datetime.fromisoformat(bookmark) - dt.timedelta(seconds=before)
    lot = {**dealer.records("lots")[0], "updatedAt": f"{updated:%Y-%m-%dT%H:%M:%SZ}"}
    dealer.control("import", {"stream": "lots", "records": [lot]})
    lot_id: str = lot["lotId"]
    return lot_id


def lateness(log: str) -> list[float]:
    points = [
        json.loads(entry.removeprefix("METRIC: "))
        for entry in entries(log, "INFO")
        if '"late_arrival_seconds"' in entry
    ]
    assert all(point["tags"]["stream"] == "lots" for point in points)
    return [point["value"] for point in points]


@pytest.mark.parametrize(("before", "wider"), [(20, None), (50, 120)])
def test_a_late_row_is_loaded_and_the_overlap_grows_when_it_was_close(
    dealer: Dealership, tmp_path: Path, before: int, wider: int | None
) -> None:
    warehouse, state = tmp_path / "w.duckdb", tmp_path / "state.json"
    told = tmp_path / "tap.prom"
    config = dealer.config(overlap_seconds=OVERLAP, metrics_file=str(told))
    assert pipe(config, warehouse, state).code == 0
    late = import_late(dealer, state, before)
    second = pipe(config, warehouse, state)
    assert second.code == 0, second.err
    assert [record["lotId"] for record in second.records("lots")] == [late]
    assert lateness(second.err) == [before]
    assert figures(told)["automate_tap_late_rows", "lots"] == 1
    assert figures(told)["automate_tap_late_arrival_seconds", "lots"] == before
    assert differences(dealer, warehouse) == []
    asked = {
        name: bookmark["overlap_seconds"]
        for name, bookmark in json.loads(state.read_text())["bookmarks"].items()
        if "overlap_seconds" in bookmark
    }
    if wider is None:
        assert asked == {}
        assert entries(second.err, "WARNING") == []
        return
    assert asked == {"lots": wider}
    warned(
        second,
        "'lots': Late rows: 1 became visible",
        f"{before} s before the bookmark",
        f"{wider} s",
    )
    # What the overlap of the settings would not have reached any more:
    later = import_late(dealer, state, wider - 20)
    third = pipe(config, warehouse, state)
    assert later in {record["lotId"] for record in third.records("lots")}
    assert differences(dealer, warehouse) == []


def test_a_run_in_which_nothing_is_late_says_nothing_of_it(
    dealer: Dealership, tmp_path: Path
) -> None:
    warehouse, state = tmp_path / "w.duckdb", tmp_path / "state.json"
    config = dealer.config(overlap_seconds=OVERLAP)
    dealer.live(50)
    for _ in range(3):
        done = pipe(config, warehouse, state)
        assert done.code == 0, done.err
        dealer.pass_time(10)
        assert lateness(done.err) == []
        assert entries(done.err, "WARNING") == []
