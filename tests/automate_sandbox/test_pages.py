"""Pages against a plain model: filter all records, order them, cut the page out."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automate_sandbox.instants import parse, render
from automate_sandbox.ledger import Ledger
from automate_sandbox.money import decode
from automate_sandbox.pages import PAGE_ORDERS, PageOrder, Pager
from automate_sandbox.problems import Problem
from automate_sandbox.resources import resources

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from automate_sandbox.money import Record

NOW: t.Final = parse("2026-03-18T17:30:00Z")
STATUSES: t.Final = ("in_stock", "transit", "retail_sold")
STABLE: t.Final[Sequence[PageOrder]] = [order for order in PAGE_ORDERS if order != "unstable"]

rows = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 30), st.sampled_from(STATUSES)),
    max_size=60,
)
"""(number of the vehicle, second of the change, status); a number again is a later version."""

bounds = st.one_of(st.none(), st.integers(-1, 31))


def vehicle(number: int, second: int, status: str) -> Record:
    return {
        "vehicleId": f"veh_{number * 7919 % 1000:03d}",
        "rooftopId": "rt_1",
        "status": status,
        "lot": {"lotId": f"lot_{number % 3}"},
        "updatedAt": render(NOW + second * 1000),
    }


def book(order: PageOrder, versions: Sequence[tuple[int, int, str]]) -> tuple[Ledger, Pager]:
    """Load the first half of the versions at once and put the others one by one."""
    pager = Pager(order, 200, exclusive=False, seed=1)
    ledger = Ledger({"vehicles": resources()["vehicles"]}, pager.rank)
    half = len(versions) // 2
    first = {version[0]: version for version in versions[:half]}
    ledger.create([("vehicles", vehicle(*version)) for version in first.values()], NOW, {})
    for version in versions[half:]:
        ledger.commit([("vehicles", vehicle(*version))], NOW, cause="live")
    return ledger, pager


def read(ledger: Ledger, pager: Pager, size: int, **query: str) -> list[list[str]]:
    """Read all pages as lists of ids; the envelope has to be right on each."""
    pages: list[list[str]] = []
    while True:
        parameters = {"page": str(len(pages) + 1), "pageSize": str(size), **query}
        envelope = decode(pager.page(ledger.tables["vehicles"], parameters))
        assert envelope["page"] == len(pages) + 1
        assert envelope["pageSize"] == size
        if not envelope["items"]:
            assert sum(map(len, pages)) == envelope["total"]
            return pages
        pages.append([item["vehicleId"] for item in envelope["items"]])


def query_of(since: int | None, until: int | None, status: str | None) -> dict[str, str]:
    query = {}
    if since is not None:
        query["updatedFrom"] = render(NOW + since * 1000)
    if until is not None:
        query["updatedTo"] = render(NOW + until * 1000)
    if status is not None:
        query["status"] = status
    return query


@pytest.mark.parametrize("order", STABLE)
@given(
    versions=rows,
    since=bounds,
    until=bounds,
    status=st.one_of(st.none(), st.sampled_from(STATUSES)),
    size=st.integers(1, 13),
)
@settings(max_examples=60, deadline=None)
def test_pages_of_a_stable_order_are_the_models(  # noqa: PLR0913 - hypothesis' arguments
    *,
    order: PageOrder,
    versions: list[tuple[int, int, str]],
    since: int | None,
    until: int | None,
    status: str | None,
    size: int,
) -> None:
    ledger, pager = book(order, versions)
    current = {vehicle(*version)["vehicleId"]: version for version in versions}
    wanted = {
        key: (second, key)
        for key, (_, second, its_status) in current.items()
        if (since is None or second >= since)
        and (until is None or second <= until)
        and status in {None, its_status}
    }
    pages = read(ledger, pager, size, **query_of(since, until, status))
    keys = [key for page in pages for key in page]
    assert sorted(keys) == sorted(wanted)
    assert all(len(page) == size for page in pages[:-1])
    if order == "ascending":
        assert keys == sorted(wanted, key=wanted.__getitem__)
    elif order == "descending":
        assert keys == sorted(wanted, key=wanted.__getitem__, reverse=True)
    elif order == "by_id":
        assert keys == sorted(wanted)
    assert pages == read(ledger, pager, size, **query_of(since, until, status))


@given(versions=rows, since=bounds, size=st.integers(1, 13))
@settings(max_examples=40, deadline=None)
def test_a_page_of_the_unstable_order_has_the_right_size_and_no_row_twice(
    versions: list[tuple[int, int, str]], since: int | None, size: int
) -> None:
    ledger, pager = book("unstable", versions)
    current = {vehicle(*version)["vehicleId"]: version for version in versions}
    wanted = {key for key, (_, second, _) in current.items() if since is None or second >= since}
    pages = read(ledger, pager, size, **query_of(since, None, None))
    assert sum(map(len, pages)) == len(wanted)
    for page in pages:
        assert len(set(page)) == len(page)
        assert set(page) <= wanted


def test_the_unstable_order_is_another_one_in_each_answer() -> None:
    ledger, pager = book("unstable", [(number, number % 5, "transit") for number in range(40)])
    answers = {tuple(read(ledger, pager, 40)[0]) for _ in range(5)}
    assert len(answers) == 5


def test_the_opaque_order_follows_neither_time_nor_id() -> None:
    ledger, pager = book("opaque", [(number, number % 30, "transit") for number in range(40)])
    keys = read(ledger, pager, 40)[0]
    times = [ledger.tables["vehicles"].rows[key].updated for key in keys]
    assert keys not in (sorted(keys), sorted(keys, reverse=True))
    assert times not in (sorted(times), sorted(times, reverse=True))


def test_exclusive_bounds_leave_rows_on_the_bound_out() -> None:
    ledger, _ = book("ascending", [(number, number, "transit") for number in range(10)])
    exclusive = Pager("ascending", 200, exclusive=True, seed=1)
    keys = read(ledger, exclusive, 50, **query_of(2, 5, None))[0]
    seconds = [(ledger.tables["vehicles"].rows[key].updated - NOW) // 1000 for key in keys]
    assert seconds == [3, 4]


@pytest.mark.parametrize(
    ("exclusive", "bounds", "found"),
    [
        (False, ("1.000", "1.000"), [1000, 1300, 1999]),
        (False, ("1.999", "1.000"), [1000, 1300, 1999]),
        (False, ("1.000", "2.999"), [1000, 1300, 1999, 2000, 2001]),
        (True, ("1.999", "2.000"), []),
        (True, ("0.500", "2.999"), [1000, 1300, 1999]),
        (True, ("0.999", "3.000"), [1000, 1300, 1999, 2000, 2001]),
    ],
)
def test_bounds_of_whole_seconds_lose_their_fractions_as_do_the_rows_beside_them(
    exclusive: bool,  # noqa: FBT001 - a case
    bounds: tuple[str, str],
    found: list[int],
) -> None:
    times = [999, 1000, 1300, 1999, 2000, 2001, 3000]
    ledger, _ = book("ascending", [])
    for number, time in enumerate(times):
        record = vehicle(number, 0, "transit") | {"updatedAt": render(NOW + time)}
        ledger.commit([("vehicles", record)], NOW, cause="live")
    undated = vehicle(99, 0, "transit") | {"updatedAt": None}
    ledger.commit([("vehicles", undated)], NOW, cause="live")
    pager = Pager("ascending", 200, exclusive=exclusive, seed=1, whole_seconds=True)
    first, last = (render(NOW + round(float(each) * 1000)) for each in bounds)
    keys = read(ledger, pager, 50, updatedFrom=first, updatedTo=last)
    rows = ledger.tables["vehicles"].rows
    assert [rows[key].updated - NOW for page in keys for key in page] == found


def test_a_size_beyond_the_greatest_is_cut_and_the_answer_says_so() -> None:
    ledger, _ = book("ascending", [(number, 0, "transit") for number in range(9)])
    pager = Pager("ascending", 4, exclusive=False, seed=1)
    envelope = decode(pager.page(ledger.tables["vehicles"], {"pageSize": "500"}))
    assert (envelope["pageSize"], len(envelope["items"]), envelope["total"]) == (4, 4, 9)


def test_a_change_moves_a_row_within_a_filtered_selection() -> None:
    ledger, pager = book("by_id", [(1, 0, "transit"), (2, 0, "transit")])
    assert len(read(ledger, pager, 5, status="transit")[0]) == 2
    ledger.commit([("vehicles", vehicle(1, 1, "in_stock"))], NOW, cause="live")
    assert read(ledger, pager, 5, status="transit") == [[vehicle(2, 0, "")["vehicleId"]]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page", "0"),
        ("page", "-1"),
        ("page", "two"),
        ("page", "²"),
        ("pageSize", "0"),
        ("pageSize", ""),
        ("updatedFrom", "yesterday"),
        ("updatedTo", "2026-13-01T00:00:00Z"),
        ("status", "sold"),
        ("sort", "updatedAt"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(name: str, value: str) -> None:
    ledger, pager = book("ascending", [(1, 0, "transit")])
    with pytest.raises(Problem) as caught:
        pager.page(ledger.tables["vehicles"], {name: value})
    assert caught.value.status == 400
    assert [detail["field"] for detail in caught.value.details] == [name]
