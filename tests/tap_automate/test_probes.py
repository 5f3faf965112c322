"""What a first load asks of the filter, and the rows that no window shows."""

from __future__ import annotations

import json
import typing as t

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dealership import Run, dealership, run

from automate_api.errors import ProtocolError
from tap_automate.passes.undated import PENDING
from tap_automate.reading.probes import (
    BEFORE_ALL,
    DAY,
    PASSES,
    TRIES,
    _Keys,
    check_filter,
    count_beyond,
    read_beyond,
)
from tap_automate.reading.reader import UNDATED
from tap_automate.reading.windows import MICROSECONDS, Page, Row, Window

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Event: t.TypeAlias = Callable[[list[Row]], None]

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
    with pytest.raises(
        ProtocolError, match=r"GET /deals: .*or say its path .*`automate-dms doctor`"
    ):
        check_filter(lambda _: 7, "/deals")


@pytest.mark.parametrize(
    ("answers", "beyond"),
    [
        ([50, 50, 50], 0),
        ([50, 53, 50], 3),
        ([50, 51, 51, 51, 51, 51], 0),
        ([50, 50, 49, 49, 50, 49], 1),
        ([51, 50, 51, 51, 51, 51], 0),
        ([50, 50, 51] * TRIES, None),
        ([50, 51, 51] * TRIES, None),
        ([51, 50, 51] * TRIES, None),
    ],
)
def test_a_difference_counts_only_where_nothing_came_in_between(
    answers: list[int], beyond: int | None
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
    assert read_beyond(pages(rows, size), NOW) == (beyond, True)


class Changing:
    """A list in which something happens before one of the requests."""

    def __init__(self, rows: Sequence[Row], size: int, at: int, event: Event) -> None:
        self.rows = list(rows)
        self.requests = 0
        self._size, self._at, self._event = size, at, event

    def total(self, window: Window | None) -> int:
        self._ask()
        if window is None:
            return len(self.rows)
        return sum(window.start <= row.updated // MICROSECONDS < window.end for row in self.rows)

    def page(self, number: int) -> Page:
        self._ask()
        return pages(self.rows, self._size)(number)

    def _ask(self) -> None:
        if self.requests == self._at:
            self._event(self.rows)
        self.requests += 1


def insert_first(rows: list[Row]) -> None:
    rows.insert(0, row(1_000, NOW * MICROSECONDS))


def insert_last(rows: list[Row]) -> None:
    rows.append(row(1_000, NOW * MICROSECONDS))


def insert_undated(rows: list[Row]) -> None:
    rows.insert(0, row(1_000, UNDATED))


def change_last(rows: list[Row]) -> None:
    """Have a row with a time come first, with a new one."""
    dated = [each for each in rows if each.updated >= 0]
    if dated:
        rows.remove(dated[-1])
        rows.insert(0, Row(dated[-1].key, NOW * MICROSECONDS, {}))


def remove_first(rows: list[Row]) -> None:
    dated = [each for each in rows if each.updated >= 0]
    if dated:
        rows.remove(dated[0])


@pytest.mark.parametrize(
    "event", [insert_first, insert_last, insert_undated, change_last, remove_first]
)
@given(
    order=st.lists(st.sampled_from([UNDATED, 1, 2]), max_size=12),
    size=st.integers(1, 4),
    at=st.integers(0, 30),
)
def test_no_row_is_overlooked_whatever_happens_between_two_requests(
    event: Event, order: list[int], size: int, at: int
) -> None:
    rows = [row(number, updated) for number, updated in enumerate(order)]
    dms = Changing(rows, size, at, event)
    found: list[Row] = []
    if count_beyond(dms.total, NOW) != 0:
        found, is_whole = read_beyond(dms.page, NOW)
        assert is_whole
    assert {each.key for each in rows if each.updated == UNDATED} <= {each.key for each in found}


def test_a_quiet_list_without_such_rows_costs_three_requests() -> None:
    dms = Changing([row(1, 1), row(2, 2)], 1, -1, insert_first)
    assert (count_beyond(dms.total, NOW), dms.requests) == (0, 3)


def test_a_list_that_is_never_quiet_is_read_so_often_and_said_to_be_doubtful() -> None:
    rows = [row(number, UNDATED if number < 3 else 1) for number in range(100)]
    asked: list[int] = []

    def read(number: int) -> Page:
        asked.append(number)
        page = pages(rows, 10)(number)
        return Page(page.rows, page.size, page.total - (number == 10))

    found, is_whole = read_beyond(read, NOW)
    assert (len(found), is_whole) == (3, False)
    assert asked == list(range(1, 11)) * PASSES


def test_a_page_that_comes_again_instead_of_another_is_no_whole_list() -> None:
    rows = [row(number, 1) for number in range(4)]
    assert read_beyond(lambda _: Page(rows[:2], 2, 4), NOW) == ([], False)


def test_the_same_key_on_two_pages_counts_once() -> None:
    keys = _Keys()
    keys.add([row(number, 1) for number in range(1_000)])
    keys.add([row(number, 2) for number in range(500, 1_500)])
    assert keys.count() == 1_500


def test_rows_without_a_time_come_last_and_once_without_a_bookmark_of_their_own(
    tmp_path: Path,
) -> None:
    with dealership(tmp_path, "--vehicles", "30", "--days", "5", "--mfa-type", "none") as dealer:
        order = json.loads(json.dumps(dealer.records("repair_orders")[0], default=float))
        undated = {**order, "repairOrderId": "ro_undated", "updatedAt": None}
        early = {**order, "repairOrderId": "ro_early", "updatedAt": "1910-01-01T00:00:00Z"}
        dealer.control("import", {"stream": "repair_orders", "records": [undated, early]})
        config = dealer.config(requests_per_second=500, reread_open=False)
        first = run("tap-automate", "--config", config)
        assert first.code == 0, first.err
        assert first.err.count("'repair_orders': 2 rows have no `updatedAt`, or one before") == 1
        found = first.records("repair_orders")
        assert {(each["repairOrderId"], each["updatedAt"]) for each in found[-2:]} == {
            ("ro_undated", None),
            ("ro_early", "1910-01-01T00:00:00Z"),
        }
        assert len(found) == len(dealer.records("repair_orders"))
        ours = undated_lines(first)
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
        assert PENDING not in json.dumps(first.state())

        path = "GET /service/repair-orders"
        before = dealer.stats()["requests"][path]
        second = resume(config, first.state())
        assert (second.code, second.records("repair_orders")) == (0, [])
        assert dealer.stats()["requests"][path] - before == 1

        states = [message["value"]["bookmarks"] for message in first.messages("STATE")]
        begun = next(each["repair_orders"] for each in states if "repair_orders" in each)
        assert begun[PENDING] is True
        killed = next(
            message["value"]
            for message in reversed(first.messages("STATE"))
            if message["value"]["bookmarks"].get("repair_order_lines", {}).get(PENDING)
        )
        third = resume(config, killed)
        assert [each["repairOrderId"] for each in third.records("repair_orders")] == [
            each["repairOrderId"] for each in found[-2:]
        ]
        assert undated_lines(third) == ours
        assert PENDING not in json.dumps(third.state())

        chosen_later = first.state()
        del chosen_later["bookmarks"]["repair_order_lines"]
        fourth = resume(config, chosen_later)
        assert fourth.records("repair_orders") == []
        assert undated_lines(fourth) == ours


def resume(config: Path, state: dict[str, t.Any]) -> Run:
    path = config.with_name("state.json")
    path.write_text(json.dumps(state))
    return run("tap-automate", "--config", config, "--state", path)


def undated_lines(done: Run) -> list[dict[str, t.Any]]:
    lines = done.records("repair_order_lines")
    return [line for line in lines if line["repairOrderId"] == "ro_undated"]


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
