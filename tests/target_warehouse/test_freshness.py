"""How long a change takes to its row: what counts, what is noted with the rows, what is shown."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import typing as t
from decimal import Decimal

import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from support.papers import ROOT
from support.singer import Loader, Message, lines_of, record, schema, state

from automate_api.errors import AutomateError, ConfigError
from target_warehouse import fresh_tables, freshness
from target_warehouse.cli import warehouse
from target_warehouse.database import connect
from target_warehouse.freshness import Commit, delay_of
from target_warehouse.target import TargetWarehouse

if t.TYPE_CHECKING:
    from collections.abc import Iterable

INSTANT = {"type": ["string", "null"], "format": "date-time"}
DAY_START = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
SECONDS = "SELECT row_count, measured_rows, median_seconds, worst_seconds FROM _loader.freshness"


def at(hour: float) -> dt.datetime:
    """Return a time of the test's day."""
    return DAY_START + dt.timedelta(hours=hour)


def cars(bookmark: object = ("updatedAt",)) -> Message:
    declared = schema("cars", ["id"], id="integer", updatedAt=INSTANT, day="string")
    return {
        **declared,
        "bookmark_properties": list(bookmark) if bookmark == ("updatedAt",) else bookmark,
    }


def changed(hours: Iterable[float | None], first: int = 0) -> list[Message]:
    """Write a car for each time of change, in hours of the day."""
    return [
        record("cars", id=first + n, updatedAt=None if hour is None else at(hour).isoformat())
        for n, hour in enumerate(hours)
    ]


def load(loader: Loader, hour: float, *messages: Message, **settings: t.Any) -> None:  # noqa: ANN401 - settings
    """Load at a time; every look at the clock tells the same."""
    target = TargetWarehouse(
        config={"filepath": str(loader.path), **settings}, now=lambda: at(hour)
    )
    try:
        target.listen(io.StringIO(lines_of(messages)))
    finally:
        target.close()


def noted(loader: Loader) -> list[tuple[t.Any, ...]]:
    """Return rows, measured rows, median and worst delay of every transaction, in their order."""
    return loader.query(f"{SECONDS} ORDER BY committed, row_count DESC")


def test_a_first_load_is_noted_and_not_measured(loader: Loader) -> None:
    load(loader, 9, cars(), *changed([1, 2, 8.9]))
    assert noted(loader) == [(3, 0, None, None)]
    assert loader.query("SELECT newest_change, load_started FROM _loader.freshness") == [
        (at(8.9), at(9))
    ]


def test_what_changed_since_the_load_before_is_measured_to_the_millisecond(loader: Loader) -> None:
    load(loader, 9, cars(), *changed([8]))
    load(loader, 10, cars(), *changed([9.25, 9.5, 9.999]))
    assert noted(loader)[1] == (3, 3, Decimal(1800), Decimal(2700))
    load(loader, 11, cars(), *changed([10.5]), state(1), *changed([10.9999]))
    assert noted(loader)[2] == (2, 2, Decimal("0.360"), Decimal(1800))


def test_rows_that_are_read_again_count_as_rows_but_not_as_changes(loader: Loader) -> None:
    load(loader, 9, cars(), *changed([7, 8]))
    load(loader, 10, cars(), *changed([7, 8]))
    load(loader, 11, cars(), *changed([7, 8, 10]))
    assert noted(loader) == [
        (2, 0, None, None),
        (2, 0, None, None),
        (3, 1, Decimal(3600), Decimal(3600)),
    ]


def test_the_rest_of_a_first_load_that_was_stopped_is_not_measured(loader: Loader) -> None:
    load(loader, 9, cars(), *changed([1, 2]))
    # What changed before the stopped load and was still to come is history; what changed while it
    # ran is not.
    load(loader, 9.5, cars(), *changed([3, 4, 8, 9.25], first=2))
    assert noted(loader)[1] == (4, 1, Decimal(900), Decimal(900))


def test_what_a_cooldown_left_to_the_next_run_counts(loader: Loader) -> None:
    load(loader, 9, cars(), *changed([2]))
    load(loader, 10, cars(), *changed([8.99, 9.5], first=1))
    assert noted(loader)[1] == (2, 2, Decimal(1800), Decimal(3636))


def test_a_load_of_old_rows_between_two_runs_does_not_hide_changes(loader: Loader) -> None:
    """The audit's repairs are such a load."""
    load(loader, 1, cars(), *changed([0.5]))
    load(loader, 12, cars(), *changed([0.1, 0.2], first=1))
    load(loader, 25, cars(), *changed([2, 20], first=3))
    assert noted(loader)[2] == (2, 2, Decimal(5 * 3600), Decimal(23 * 3600))


def test_times_that_are_none_neither_count_nor_spoil_what_follows(loader: Loader) -> None:
    load(loader, 9, cars(), *changed([8]))
    sentinels = [
        record("cars", id=90 + n, updatedAt=text)
        for n, text in enumerate(["0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", None])
    ]
    load(loader, 10, cars(), *sentinels, *changed([9.5]))
    load(loader, 11, cars(), *changed([10.75], first=1))
    assert noted(loader)[1:] == [
        (4, 1, Decimal(1800), Decimal(1800)),
        (1, 1, Decimal(900), Decimal(900)),
    ]


def test_a_source_whose_clock_is_ahead_shows_as_a_negative_delay(loader: Loader) -> None:
    load(loader, 9, cars(), *changed([8]))
    load(loader, 10, cars(), *changed([10.5]))
    assert noted(loader)[1] == (1, 1, Decimal(-1800), Decimal(-1800))
    shown = CliRunner().invoke(warehouse, ["freshness", str(loader.path)], catch_exceptions=False)
    assert "-0:30:00" in shown.stdout


@pytest.mark.parametrize("bookmark", [None, [], ["id"], ["day"], ["gone"], 7, [7]])
def test_a_stream_without_a_time_to_be_dated_by_is_left_out(
    loader: Loader, bookmark: object
) -> None:
    load(loader, 9, cars(bookmark), *changed([8]))
    assert loader.query("SELECT schema_name FROM duckdb_tables()") == [("main",)]


def test_a_time_that_a_stream_map_takes_out_leaves_the_stream_out(loader: Loader) -> None:
    maps = {"cars": {"updatedAt": "__NULL__"}}
    load(loader, 9, cars(), *changed([8]), stream_maps=maps)
    assert loader.query("SELECT schema_name FROM duckdb_tables()") == [("main",)]


def test_the_bookmark_may_be_one_name_as_some_taps_write_it(loader: Loader) -> None:
    load(loader, 9, cars("updatedAt"), *changed([8]))
    assert noted(loader) == [(1, 0, None, None)]


def test_a_load_in_which_the_time_is_text_is_not_measured(loader: Loader) -> None:
    load(loader, 9, cars(), *changed([8]))
    load(loader, 10, cars(), *changed([9]), stream_maps={"cars": {"updatedAt": "'soon'"}})
    load(loader, 11, cars(), *changed([10]))
    assert loader.types("cars")["updatedAt"] == "VARCHAR"
    assert noted(loader)[1] == (1, 1, Decimal(3600), Decimal(3600))


def test_each_table_of_each_schema_is_noted_by_its_own_name(loader: Loader) -> None:
    load(loader, 9, cars(), *changed([8]), schema="raw")
    load(loader, 10, cars(), *changed([9]), stream_maps={"cars": {"__alias__": "SoldCars"}})
    load(loader, 11, cars(), *changed([10]), schema="raw")
    found = loader.query(
        "SELECT table_schema, table_name, measured_rows FROM _loader.freshness ORDER BY committed"
    )
    assert found == [("raw", "cars", 0), ("main", "SoldCars", 0), ("raw", "cars", 1)]


def test_a_batch_that_fails_leaves_no_note_of_itself(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(loader, 9, cars(), *changed([8]))

    def fail(*_: object) -> t.NoReturn:
        message = "the disk is full"
        raise duckdb.IOException(message)

    with monkeypatch.context() as patch:
        patch.setattr("target_warehouse.freshness.Freshness.keep", fail)
        patch.setattr("target_warehouse.warehouse.Warehouse.load", fail)
        with pytest.raises(AutomateError):
            load(loader, 10, cars(), *changed([9], first=1))
    assert noted(loader) == [(1, 0, None, None)]


def test_rows_and_their_note_are_committed_together(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(loader, 9, cars(), *changed([8]))

    def fail(*_: object, **__: object) -> t.NoReturn:
        message = "cannot note"
        raise duckdb.IOException(message)

    with monkeypatch.context() as patch:
        patch.setattr("target_warehouse.freshness.Freshness._write", fail)
        with pytest.raises(AutomateError):
            load(loader, 10, cars(), *changed([9], first=1))
    assert loader.query("SELECT count(*) FROM cars") == [(1,)]


def test_a_load_without_rows_is_noted_so_that_the_last_load_is_known(loader: Loader) -> None:
    load(loader, 9, cars(), *changed([8]))
    load(loader, 20, cars())
    assert noted(loader) == [(1, 0, None, None), (0, 0, None, None)]
    connection = connect(loader.path, read_only=True)
    [cars_] = fresh_tables.read(connection, loader.path, "main")
    connection.close()
    assert (cars_.newest, cars_.loaded, cars_.delay) == (at(8), at(20), None)


def test_notes_do_not_grow_without_end_and_keep_how_far_a_table_has_come(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "COMMITS", 5)
    load(loader, 0, cars(), *changed([-1]))
    for number in range(9):
        load(loader, 1 + number / 10, cars())
    [(kept, newest)] = loader.query("SELECT count(*), max(newest_change) FROM _loader.freshness")
    assert (kept, newest) == (6, at(-1))
    load(loader, 3, cars(), *changed([-2, 2], first=1))
    assert noted(loader)[-1] == (2, 1, Decimal(3600), Decimal(3600))


def test_a_run_ends_with_a_metric_of_each_stream_that_has_changed(
    loader: Loader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="singer_sdk.metrics")
    load(loader, 9, cars(), *changed([8]))
    assert "change_to_warehouse" not in caplog.text
    load(loader, 10, cars(), *changed([9, 9.5]), batch_size_rows=1)
    [line] = [m for m in caplog.messages if "change_to_warehouse" in m]
    point = json.loads(line.partition(": ")[2])
    assert point["value"] == {"rows": 2, "median_seconds": 1800.0, "worst_seconds": 3600.0}
    assert point["tags"]["stream"] == "cars"


def test_the_command_shows_each_table_with_its_delays(loader: Loader) -> None:
    load(loader, 9, cars(), *changed([8]))
    for hour in (10, 34, 35):
        load(loader, hour, cars(), *changed([hour - 0.5, hour - 0.25], first=hour))
    arguments = ["freshness", str(loader.path)]
    shown = CliRunner().invoke(warehouse, arguments, catch_exceptions=False)
    [row] = [line for line in shown.stdout.splitlines() if "cars" in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[:2] == ["cars", "2026-11-24 10:45:00 UTC"]
    assert cells[4:] == ["3", "6", "0:15:00", "0:30:00"]
    elsewhere = CliRunner().invoke(warehouse, [*arguments, "--schema", "x"], catch_exceptions=False)
    assert "Nothing is known of schema 'x'" in elsewhere.stdout


def test_the_query_of_the_page_reads_the_notes(loader: Loader) -> None:
    load(loader, 9, cars(), *changed([8]))
    load(loader, 10, cars(), *changed([9, 9.5]))
    page = (ROOT / "docs/watching.md").read_text("utf-8")
    [query] = re.findall(r"^```sql\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert loader.query(query) == [
        ("cars", at(10), 2, at(9.5), 2, Decimal(1800), Decimal(3600)),
        ("cars", at(9), 1, at(8), 0, None, None),
    ]


def test_a_file_of_an_older_loader_says_that_nothing_is_known(loader: Loader) -> None:
    with duckdb.connect(str(loader.path)) as connection:
        connection.execute("CREATE TABLE cars (id INTEGER)")
    shown = CliRunner().invoke(warehouse, ["freshness", str(loader.path)], catch_exceptions=False)
    assert "Nothing is known" in shown.stdout


def test_only_the_last_loads_count_for_what_is_shown(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh_tables, "LOADS", 3)
    load(loader, 0, cars(), *changed([-1]))
    load(loader, 10, cars(), *changed([1], first=1))
    for number in range(3):
        load(loader, 11 + number, cars(), *changed([10.9 + number], first=10 + number))
    shown = CliRunner().invoke(warehouse, ["freshness", str(loader.path)], catch_exceptions=False)
    assert "0:06:00" in shown.stdout
    assert "9:00:00" not in shown.stdout


def test_the_schema_of_the_notes_is_refused_for_tables(loader: Loader) -> None:
    with pytest.raises(ConfigError, match="_LOADER"):
        load(loader, 9, cars(), schema="_LOADER")
    assert not loader.path.exists()


@given(st.lists(st.lists(st.integers(0, 10**6), min_size=1, max_size=9), min_size=1, max_size=9))
def test_a_summary_lies_between_its_parts_and_counts_every_row(loads: list[list[int]]) -> None:
    commits = [
        Commit(
            at(number),
            at(number),
            len(seconds),
            at(number),
            len(seconds),
            Decimal(sorted(seconds)[(len(seconds) - 1) // 2]),
            Decimal(max(seconds)),
        )
        for number, seconds in enumerate(loads)
    ]
    delay = delay_of(commits)
    assert delay is not None
    assert delay.rows == sum(map(len, loads))
    assert delay.worst == max(map(max, loads))
    assert delay.loads == len(loads)
    medians = [commit.median for commit in commits]
    assert delay.median in medians
    below = sum(
        len(s) for s, median in zip(loads, medians, strict=True) if median and median < delay.median
    )
    above = sum(
        len(s) for s, median in zip(loads, medians, strict=True) if median and median > delay.median
    )
    assert 2 * below <= delay.rows
    assert 2 * above <= delay.rows
