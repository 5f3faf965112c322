"""A version of a record is a row, whichever way the record was read."""

from __future__ import annotations

import typing as t

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automate_api import contract
from tap_automate.history import Versions
from tap_automate.privacy import Privacy
from tap_automate.reading.codec import Codec, plain

API = contract.load()
NOON = "2026-01-20T12:00:00Z"
PATHS = ("vehicleId", "updatedAt", "rooftopId", "status", "listPrice", "lot.lotId")


def codec() -> Codec:
    return Codec(API.resource("/vehicles").record_schema, Privacy({}, None, API.pii_fields))


def read(made: Codec, *vehicles: dict[str, t.Any]) -> list[t.Any]:
    items = [{"vehicleId": "v", "updatedAt": NOON, **vehicle} for vehicle in vehicles]
    body = {"items": items, "page": 1, "pageSize": 50, "total": len(items)}
    return made.normalise(made.decode(msgspec.json.encode(body)).items)


def versions(*vehicles: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the versions of records as typed records give them, as JSON has them."""
    made = codec()
    records = read(made, *vehicles)
    return [plain(row) for row in Versions(PATHS).cut(records, made)]


def test_a_version_has_the_key_the_time_and_what_may_change() -> None:
    vehicle = {
        "rooftopId": "rt_1",
        "status": "in_stock",
        "listPrice": 41250,
        "lot": {"lotId": "lot_1", "name": "Main"},
        "make": "Honda",
    }
    assert versions(vehicle) == [
        {
            "vehicleId": "v",
            "updatedAt": NOON,
            "rooftopId": "rt_1",
            "status": "in_stock",
            "listPrice": 41250,
            "lotId": "lot_1",
            "parentUpdatedAt": NOON,
        }
    ]


VALUES: dict[str, st.SearchStrategy[t.Any]] = {
    "status": st.sampled_from(["in_stock", "beamed_up", None, 7]),
    "listPrice": st.sampled_from([None, 1, "1.50"]),
    "lot": st.sampled_from([None, {}, {"lotId": None}, {"lotId": "l"}, {"bay": 1}, "main", [1]]),
    "fieldOfTomorrow": st.just(1),
}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional=VALUES), min_size=1, max_size=3))
def test_versions_of_typed_records_are_those_of_dicts(vehicles: list[dict[str, t.Any]]) -> None:
    made = codec()
    for _ in range(2):  # what is odd once is typed the second time
        for record in read(made, *vehicles):
            typed = Versions(PATHS).cut([record], made)
            assert [plain(row) for row in typed] == Versions(PATHS).cut([plain(record)])


def test_a_record_that_nobody_dates_makes_no_version() -> None:
    undated = {"vehicleId": "v", "updatedAt": None, "status": "in_stock"}
    dated = {**undated, "updatedAt": NOON}
    assert [row["updatedAt"] for row in Versions(PATHS).cut([undated, dated])] == [NOON]
    assert Versions(PATHS).cut([]) == []


@pytest.mark.parametrize("lot", [{}, {"lot": None}])
def test_a_field_is_absent_or_null_as_what_holds_it(lot: dict[str, None]) -> None:
    (row,) = versions(lot)
    assert ("lotId" in row) is bool(lot)
    assert row.get("lotId") is None
