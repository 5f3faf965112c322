"""What a first load asks of the filter, and the rows that no window shows."""

from __future__ import annotations

import json
import typing as t

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dealership import dealership, run

from automate_api.errors import ProtocolError
from tap_automate.probes import (
    BEFORE_ALL,
    DAY,
    PASSES,
    TRIES,
    check_filter,
    count_beyond,
    read_beyond,
)
from tap_automate.reader import UNDATED
from tap_automate.windows import MICROSECONDS, Page, Row, Window

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

NOW: t.Final = 1_770_000_000


def total_of(*answers: int) -> Callable[[Window | None], int]:
    left = list(answers)
    return lambda _: left.pop(0)


def test_a_filter_that_is_applied_has_nothing_in_1900() -> None:
    asked: list[Window | None] = []

    def ask(window: Window | None) -> int:
        asked.append(window)
        return 0

    check_filter(ask, "/deals")
    assert asked == [BEFORE_ALL]


def test_a_filter_that_is_ignored_is_refused_with_what_to_do() -> None:
    with pytest.raises(ProtocolError, match=r"GET /deals: .*Deselect the stream, or correct"):
        check_filter(lambda _: 7, "/deals")


@pytest.mark.parametrize(
    ("answers", "beyond"),
    [
        ([50, 50], 0),
        ([50, 51, 51, 52, 53, 53], 0),
        ([50, 51] * TRIES, 0),
        ([50, 47] * TRIES, 3),
        ([50, 47, 50, 48, 51, 48], 3),
    ],
)
def test_what_comes_while_rows_are_counted_is_not_taken_for_beyond(
    answers: list[int], beyond: int
) -> None:
    assert count_beyond(total_of(*answers), NOW) == beyond


def pages(rows: Sequence[Row], size: int) -> Callable[[int], Page]:
    return lambda number: Page(rows[(number - 1) * size : number * size], size, len(rows))


def row(number: int, updated: int) -> Row:
    return Row((str(number),), updated, {})


@given(
    times=st.lists(
        st.sampled_from(
            [
                UNDATED,
                -1,
                -(2**40),
                0,
                1,
                NOW * MICROSECONDS,
                (NOW + DAY) * MICROSECONDS - 1,
                (NOW + DAY) * MICROSECONDS,
                (NOW + 900 * DAY) * MICROSECONDS,
            ]
        ),
        max_size=40,
    ),
    size=st.integers(1, 7),
)
def test_all_rows_that_no_window_shows_are_found(times: list[int], size: int) -> None:
    rows = [row(number, updated) for number, updated in enumerate(times)]
    beyond = [each for each in rows if not 0 <= each.updated < (NOW + DAY) * MICROSECONDS]
    assert read_beyond(pages(rows, size), NOW, len(beyond)) == beyond


def test_reading_ends_when_all_are_found_or_cannot_be() -> None:
    rows = [row(number, UNDATED if number < 3 else 1) for number in range(100)]
    asked: list[int] = []

    def read(number: int) -> Page:
        asked.append(number)
        return pages(rows, 10)(number)

    assert len(read_beyond(read, NOW, 3)) == 3
    assert asked == [1]
    asked.clear()
    assert len(read_beyond(read, NOW, 4)) == 3
    assert asked == list(range(1, 11)) * PASSES


def test_rows_without_a_time_come_once_without_a_bookmark_of_their_own(tmp_path: Path) -> None:
    with dealership(tmp_path, "--vehicles", "30", "--days", "5", "--mfa-type", "none") as dealer:
        order = json.loads(json.dumps(dealer.records("repair_orders")[0], default=float))
        undated = {**order, "repairOrderId": "ro_undated", "updatedAt": None}
        early = {**order, "repairOrderId": "ro_early", "updatedAt": "1969-07-20T20:17:40Z"}
        dealer.control("import", {"stream": "repair_orders", "records": [undated, early]})
        config = dealer.config(requests_per_second=500)
        first = run("tap-automate", "--config", config)
        assert first.code == 0, first.err
        assert first.err.count("'repair_orders': 2 rows have no `updatedAt`, or one before") == 1
        found = first.records("repair_orders")
        assert {(each["repairOrderId"], each["updatedAt"]) for each in found[:2]} == {
            ("ro_undated", None),
            ("ro_early", "1969-07-20T20:17:40Z"),
        }
        assert len(found) == len(dealer.records("repair_orders"))
        lines = first.records("repair_order_lines")
        ours = [line for line in lines if line["repairOrderId"] == "ro_undated"]
        assert len(ours) == len(order["lines"])
        assert {line["parentUpdatedAt"] for line in ours} == {None}
        schemas: dict[str, t.Any] = {}
        for message in first.messages():
            if message["type"] == "RECORD" and message["stream"].startswith("repair_order"):
                jsonschema.validate(message["record"], schemas[message["stream"]])
            elif message["type"] == "SCHEMA":
                schemas[message["stream"]] = message["schema"]
        bookmark = first.state()["bookmarks"]["repair_orders"]["replication_key_value"]
        assert bookmark > max(each["updatedAt"] or "" for each in found)

        state = tmp_path / "state.json"
        state.write_text(json.dumps(first.state()))
        path = "GET /service/repair-orders"
        before = dealer.stats()["requests"][path]
        second = run("tap-automate", "--config", config, "--state", state)
        assert (second.code, second.records("repair_orders")) == (0, [])
        assert dealer.stats()["requests"][path] - before == 1


def test_a_connection_test_takes_a_row_without_a_time(tmp_path: Path) -> None:
    with dealership(tmp_path, "--vehicles", "20", "--days", "3", "--mfa-type", "none") as dealer:
        lot = dealer.records("lots")[0]
        undated = {**lot, "lotId": "lot_undated", "updatedAt": None}
        dealer.control("import", {"stream": "lots", "records": [undated]})
        done = run("tap-automate", "--config", dealer.config(requests_per_second=500), "--test")
        assert done.code == 0, done.err


def test_a_filter_that_is_ignored_ends_a_first_load_before_any_row(tmp_path: Path) -> None:
    with dealership(tmp_path, "--vehicles", "30", "--days", "5", "--mfa-type", "none") as dealer:
        dealer.faults({"kind": "ignored_bounds", "match": {"path": "/lots"}})
        done = run("tap-automate", "--config", dealer.config(requests_per_second=500))
        assert done.code == 1
        assert "GET /lots: the server says that" in done.err
        assert "Traceback" not in done.err
        assert done.records("lots") == []
