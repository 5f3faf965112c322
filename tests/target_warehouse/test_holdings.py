"""What an audit reads from a warehouse: last versions, by either style of names, to the digit."""

from __future__ import annotations

import contextlib
import json
import typing as t
from decimal import Decimal

import msgspec
import pytest
from support.singer import record, schema

from target_warehouse.database import connect
from target_warehouse.holdings import Held, Holdings
from target_warehouse.layout import Layout, TablePlace

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from support.singer import Loader, Message

NOON: t.Final = 1_768_910_400
"""2026-01-20T12:00:00Z."""

INSTANT: t.Final = {"type": ["string", "null"], "format": "date-time"}


def cars(**more: t.Any) -> Message:  # noqa: ANN401 - JSON Schemas
    return schema("cars", ["carId"], carId="string", updatedAt=INSTANT, deletedAt=INSTANT, **more)


def car(key: str, updated: str | None, **fields: t.Any) -> Message:  # noqa: ANN401 - JSON values
    return record("cars", carId=key, updatedAt=updated, **fields)


@contextlib.contextmanager
def holdings(
    loader: Loader, *, keys: tuple[str, ...] = ("carId",), **only: str
) -> Iterator[tuple[Layout, Holdings]]:
    connection = connect(loader.path, read_only=True)
    try:
        layout = Layout(connection, TablePlace(loader.path, "main", "cars"), dated="updatedAt")
        found = Holdings(connection, layout, keys=keys, dated="updatedAt", only=only)
        yield layout, found
        found.close()
    finally:
        connection.close()


@pytest.mark.parametrize("style", ["as_is", "snake_case"])
def test_rows_are_counted_by_the_second_of_their_change(loader: Loader, style: str) -> None:
    loader.run(
        [
            cars(),
            car("a", "2026-01-20T12:00:00.999999Z"),
            car("b", "2026-01-20T13:00:00+01:00"),
            car("c", "1969-12-31T23:59:59.5Z"),
            car("d", None),
        ],
        column_names=style,
    )
    with holdings(loader) as (_, held):
        assert (held.rows, held.undated) == (3, 1)
        assert list(held.seconds()) == [-1, NOON, NOON]
        assert held.newest(NOON) == NOON * 10**6 + 999_999
        assert held.newest(NOON - 1) == -500_000
        assert held.newest(-2) is None
        assert held.between(NOON, NOON + 1) == {
            ("a",): NOON * 10**6 + 999_999,
            ("b",): NOON * 10**6,
        }
        assert held.find([("d",), ("c",), ("x",)]) == {
            ("c",): Held(-500_000, tombstone=False),
            ("d",): Held(None, tombstone=False),
        }


def test_a_tombstone_was_deleted_later_than_changed(loader: Loader) -> None:
    loader.run(
        [
            cars(),
            car("ours", "2026-01-20T12:00:00Z", deletedAt="2026-02-01T00:00:00Z"),
            car("theirs", "2026-01-20T12:00:00Z", deletedAt="2026-01-20T12:00:00Z"),
        ]
    )
    with holdings(loader) as (_, held):
        assert held.rows == 1
        assert held.between(NOON, NOON + 1).keys() == {("theirs",)}
        assert held.find([("ours",)])["ours",].tombstone


def test_of_all_versions_the_last_one_counts(loader: Loader) -> None:
    rows = [
        car("a", "2026-01-20T12:00:00Z", price=1),
        car("a", "2026-01-20T12:00:05Z", price=2),
        car("a", "2026-01-20T12:00:05Z", price=3),
        car("a", "2026-01-20T12:00:01Z", price=4),
    ]
    loader.run([cars(price="integer"), *rows], load_method="append-only")
    with holdings(loader) as (_, held):
        assert held.rows == 1
        assert list(held.seconds()) == [NOON + 5]
        assert [row["price"] for row in held.versions([("a",)])] == [3]


def test_only_rows_of_what_is_asked_for_count(loader: Loader) -> None:
    declared = cars(rooftopId="string")
    loader.run(
        [
            declared,
            car("a", "2026-01-20T12:00:00Z", rooftopId="rt_1"),
            car("b", "2026-01-20T12:00:00Z", rooftopId="rt_2"),
            car("c", "2026-01-20T12:00:00Z"),
        ]
    )
    with holdings(loader, rooftopId="rt_2") as (_, held):
        assert held.between(0, NOON + 1).keys() == {("b",)}


@pytest.mark.parametrize("style", ["as_is", "snake_case"])
def test_a_last_version_keeps_every_digit_and_loads_as_the_same_row(
    loader: Loader, style: str
) -> None:
    text = (
        '{"type": "RECORD", "stream": "cars", "record": {"carId": "a", "n": 7, "on": true,'
        ' "updatedAt": "2026-01-20T12:00:00.123456Z", "soldOn": "2026-01-19", "opens": "07:30:00",'
        ' "price": 41250.10, "rate": 0.0375, "lot": {"x": 1.10, "y": [null, 1E+2]},'
        ' "note": "\u00fc \\" \\\\"}}'
    )
    declared = cars(
        n="integer",
        on="boolean",
        soldOn={"type": ["string", "null"], "format": "date"},
        opens={"type": ["string", "null"], "format": "time"},
        price="number",
        rate="number",
        lot={"type": ["object", "null"]},
        note="string",
        empty="string",
    )
    loader.run([declared, text], column_names=style)
    before = loader.query("SELECT * FROM cars")
    with holdings(loader) as (layout, held):
        [row] = held.versions([("a",)])
        schemas = layout.schemas
        key = layout.column("carId")
    encode = msgspec.json.Encoder(decimal_format="number").encode
    again = encode({"type": "RECORD", "stream": "cars", "record": row}).decode()
    assert json.loads(again, parse_float=Decimal)["record"]["price"] == Decimal("41250.10")
    assert b"1E+2" in encode(row["lot"])
    announced = {
        "type": "SCHEMA",
        "stream": "cars",
        "key_properties": [key],
        "schema": {"type": "object", "properties": schemas},
    }
    types = loader.types("cars")
    loader.run([announced, again], column_names=style)
    assert loader.query("SELECT * FROM cars") == before
    assert loader.types("cars") == types


@pytest.mark.parametrize("style", ["as_is", "snake_case"])
@pytest.mark.parametrize("stream", ["MyCars", "MYCARS", "my-cars", "mycars"])
def test_a_table_is_found_by_its_stream_however_the_loader_has_named_it(
    loader: Loader, style: str, stream: str
) -> None:
    loader.run([{**cars(), "stream": stream}], column_names=style)
    connection = connect(loader.path, read_only=True)
    try:
        place = TablePlace(loader.path, "main", stream)
        layout = Layout(connection, place, dated="updatedAt")
        assert connection.table(layout.table).columns == list(layout.types)
        assert len(layout.types) == 3
    finally:
        connection.close()


def test_a_table_without_the_columns_is_none(loader: Loader) -> None:
    loader.run([schema("cars", ["id"], id="string"), record("cars", id="a")])
    connection = connect(loader.path, read_only=True)
    try:
        for table in ("cars", "boats"):
            with pytest.raises(LookupError):
                Layout(connection, TablePlace(loader.path, "main", table), dated="updatedAt")
    finally:
        connection.close()


def test_the_loaders_own_columns_are_no_part_of_a_row(loader: Loader) -> None:
    loader.run([cars(), car("a", "2026-01-20T12:00:00Z")], add_record_metadata=True)
    assert any(name.startswith("_sdc_") for name in loader.types("cars"))
    with holdings(loader) as (layout, held):
        assert set(layout.schemas) == {"carId", "updatedAt", "deletedAt"}
        [row] = held.versions([("a",)])
        assert row.keys() == layout.schemas.keys()


def test_many_keys_are_found_at_once(loader: Loader) -> None:
    rows = [car(f"k{number}", "2026-01-20T12:00:00Z") for number in range(2_500)]
    loader.run([cars(), *rows])
    keys = [(f"k{number}",) for number in range(0, 5_000, 2)]
    with holdings(loader) as (_, held):
        assert len(held.find(keys)) == 1_250
        assert len(list(held.versions(keys))) == 1_250
