"""Passes behind the windows at servers that do not do as they are asked."""

from __future__ import annotations

import time
import typing as t

import pytest
from support.dms import Canned, FakeDms, Seen
from support.failures import entries, refused, warned

from tap_automate.instants import to_microseconds
from tap_automate.reading.windows import MOST_PASSES

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.dealership import Run


CLOSED = {
    "repairOrderId": "ro_closed",
    "rooftopId": "rt_1",
    "status": "closed",
    "updatedAt": "2026-01-20T12:00:00Z",
    "lines": [],
}
OPEN = {**CLOSED, "repairOrderId": "ro_open", "status": "OPEN"}
ENTRY = {
    "journalEntryId": "je_1",
    "companyId": "co_1",
    "accountingDate": "2020-01-31",
    "fiscalYear": 2020,
    "fiscalPeriod": 1,
    "status": "posted",
    "createdAt": "2026-01-20T12:00:00Z",
    "updatedAt": "2026-01-20T12:00:00Z",
    "lines": [],
}
FILTERS = {"status", "accountingFrom"}


class Narrow(FakeDms):
    """Has the same rows for every list; applies what it is asked for, unless it is told not to.

    Attributes:
        rows: Of every list.
        ignores: Filters that it does not apply.
        hides: Rows more that narrowed lists claim to have, in the second of their rows.
        narrowed: How often a narrowed list was asked for.
    """

    def __init__(self) -> None:
        self.ahead = 0.0
        super().__init__(clock=lambda: time.time() + self.ahead, totp=False)
        self.entitlements = ["service", "accounting"]
        self.rows: list[dict[str, t.Any]] = []
        self.ignores: set[str] = set()
        self.hides = 0
        self.narrowed = 0

    def handle(self, seen: Seen) -> Canned:
        if seen.method != "GET":
            return super().handle(seen)
        query = seen.query
        asked = FILTERS & query.keys()
        self.narrowed += bool(asked)
        found = [each for each in self.rows if self._fits(each, query, asked)]
        total = len(found) + (self.hides if asked and found else 0)
        return Canned(body={"items": found, "page": 1, "pageSize": 50, "total": total})

    def _fits(self, row: dict[str, t.Any], query: dict[str, str], asked: set[str]) -> bool:
        updated = to_microseconds(row["updatedAt"])
        if "updatedFrom" in query and not (
            to_microseconds(query["updatedFrom"]) <= updated <= to_microseconds(query["updatedTo"])
        ):
            return False
        return not (
            ("status" in asked - self.ignores and row["status"].casefold() != query["status"])
            or (
                "accountingFrom" in asked - self.ignores
                and not query["accountingFrom"] <= row["accountingDate"] <= query["accountingTo"]
            )
        )


@pytest.fixture
def dms() -> Iterator[Narrow]:
    with Narrow() as server:
        yield server


@pytest.fixture
def extract(dms: Narrow, extract_from: Callable[..., Run]) -> Callable[..., Run]:
    """Read one stream, each time from the state of the time before, an hour later."""
    state: dict[str, t.Any] = {}

    def extract(stream: str, **settings: t.Any) -> Run:  # noqa: ANN401 - settings
        done = extract_from(dms, stream, state=state, **settings)
        dms.ahead += 3_600
        if done.messages("STATE"):
            state.clear()
            state.update(done.state())
        return done

    return extract


def test_a_state_is_compared_in_any_case(extract: Callable[..., Run], dms: Narrow) -> None:
    dms.rows = [CLOSED, OPEN]
    assert len(extract("repair_orders").records("repair_orders")) == 2
    assert extract("repair_orders").records("repair_orders") == []
    dms.rows = [CLOSED, {**OPEN, "tagNumber": "7"}]
    done = extract("repair_orders")
    assert [each["repairOrderId"] for each in done.records("repair_orders")] == ["ro_open"]


def test_a_server_that_ignores_the_state_is_believed_nothing_and_costs_a_warning(
    extract: Callable[..., Run], dms: Narrow
) -> None:
    dms.rows = [CLOSED, OPEN]
    dms.ignores = {"status"}
    first = extract("repair_orders")
    second = extract("repair_orders")
    assert (second.code, second.records("repair_orders")) == (0, [])
    warned(second, "open rows are not read again", "2 of 2 rows are not what was asked for")
    before, after = (each.state()["bookmarks"]["repair_orders"] for each in (first, second))
    assert after["open_rows"] == before["open_rows"]
    assert after["replication_key_value"] > before["replication_key_value"]


def test_what_goes_wrong_in_every_rooftop_is_said_once(
    extract: Callable[..., Run], dms: Narrow
) -> None:
    dms.rows = [CLOSED, OPEN]
    dms.ignores = {"status"}
    rooftops = ["rt_1", "rt_2", "rt_3"]
    extract("repair_orders", rooftop_ids=rooftops)
    second = extract("repair_orders", rooftop_ids=rooftops)
    assert len(entries(second.err, "WARNING")) == 1


def test_open_rows_that_give_no_certificate_end_the_run_behind_its_windows(
    extract: Callable[..., Run], dms: Narrow
) -> None:
    dms.rows = [CLOSED, OPEN]
    first = extract("repair_orders")
    dms.rows = [CLOSED, {**OPEN, "tagNumber": "7"}]
    dms.hides = 1
    second = extract("repair_orders")
    refused(second, 75, f"each of {MOST_PASSES} passes", "open rows are not read again")
    before, after = (each.state()["bookmarks"]["repair_orders"] for each in (first, second))
    assert after["open_rows"] == before["open_rows"]
    assert after["replication_key_value"] > before["replication_key_value"]
    dms.hides = 0
    assert len(extract("repair_orders").records("repair_orders")) == 1


def test_a_server_that_ignores_accounting_dates_is_not_read_whole(
    extract: Callable[..., Run], dms: Narrow
) -> None:
    dms.rows = [ENTRY]
    dms.ignores = {"accountingFrom"}
    first = extract("gl_entries").state()["bookmarks"]["gl_entries"]
    asked = dms.narrowed
    second = extract("gl_entries")
    assert (second.code, second.records("gl_entries")) == (0, [])
    warned(second, "accounting periods are not compared", "1 of 1 rows are not what was asked for")
    assert dms.narrowed == asked + 1
    after = second.state()["bookmarks"]["gl_entries"]
    assert after["periods"] == first["periods"]
    assert after["replication_key_value"] > first["replication_key_value"]


def test_periods_that_give_no_certificate_end_the_run_behind_its_windows(
    extract: Callable[..., Run], dms: Narrow
) -> None:
    today = time.strftime("%Y-%m-%d", time.gmtime())
    dms.rows = [{**ENTRY, "accountingDate": today}]
    kept = extract("gl_entries").state()["bookmarks"]["gl_entries"]
    assert [row["count"] for row in kept["periods"]["rows"].values()] == [1]
    dms.hides = 1
    second = extract("gl_entries")
    refused(second, 75, f"each of {MOST_PASSES} passes", "accounting periods are not compared")
    after = second.state()["bookmarks"]["gl_entries"]
    assert after["periods"] == kept["periods"]
    assert after["replication_key_value"] > kept["replication_key_value"]
