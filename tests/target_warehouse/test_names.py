"""Names of tables and columns."""

from __future__ import annotations

import pytest
from support.singer import Loader, record, schema

from automate_api.errors import ConfigError
from target_warehouse.names import styled


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vehicleId", "vehicle_id"),
        ("VIN", "vin"),
        ("HTTPServer", "http_server"),
        ("list-price (USD)", "list_price_usd_"),
        ("public.Orders", "public_orders"),
        ("already_snake", "already_snake"),
        ("?", "_"),
    ],
)
def test_snake_case_makes_names_that_need_no_quotes(name: str, expected: str) -> None:
    assert styled(name, "snake_case") == expected


def test_snake_case_renames_tables_columns_and_keys(loader: Loader) -> None:
    messages = [
        schema("repairOrders", ["roId"], roId="string", totalCost="number"),
        record("repairOrders", roId="a", totalCost=1),
        record("repairOrders", roId="a", totalCost=2),
    ]
    loader.run(messages, column_names="snake_case")
    assert loader.query("SELECT ro_id, total_cost FROM repair_orders") == [("a", 2)]


@pytest.mark.parametrize(
    "name", ['quo"te', "select", "with space", "a.b", "ünïcödé", "emoji 🚗", "line\nbreak", "a;b--"]
)
def test_any_name_can_be_a_table_and_a_column_and_a_key(loader: Loader, name: str) -> None:
    loader.run([schema(name, [name], **{name: "string"}), record(name, **{name: "x"})])
    assert loader.types(name.replace("'", "''")) == {name: "VARCHAR"}


def test_properties_that_differ_in_case_are_refused_with_a_stream_map_that_works(
    loader: Loader,
) -> None:
    messages = [schema("s", ["id"], id="integer", ID="string"), record("s", id=1, ID="big")]
    with pytest.raises(ConfigError, match="'id' and 'ID' would be the same column"):
        loader.run(messages)
    loader.run(messages, stream_maps={"s": {"ID_2": "record['ID']", "ID": "__NULL__"}})
    assert loader.query("SELECT id, ID_2 FROM s") == [(1, "big")]


def test_letters_beyond_ascii_are_told_apart_as_duckdb_does(loader: Loader) -> None:
    loader.run([schema("s", [], é="integer", É="integer"), record("s", é=1, É=2)])
    assert loader.query('SELECT "é", "É" FROM s') == [(1, 2)]


def test_two_streams_that_would_be_one_table_are_refused(loader: Loader) -> None:
    with pytest.raises(ConfigError, match="'orders' and 'Orders' would both be the table"):
        loader.run([schema("orders", [], a="integer"), schema("Orders", [], a="integer")])


def test_a_column_found_in_another_case_is_the_same_column(loader: Loader) -> None:
    loader.run([schema("s", ["Id"], Id="integer", N="integer"), record("s", Id=1, N=1)])
    loader.run([schema("S", ["id"], id="integer", n="integer"), record("S", id=1, n=2)])
    assert loader.query("SELECT * FROM s") == [(1, 2)]
    assert list(loader.types("s")) == ["Id", "N"]


def test_an_empty_property_name_and_an_empty_schema_are_refused(loader: Loader) -> None:
    with pytest.raises(ConfigError, match="empty name"):
        loader.run([schema("s", [], **{"": "integer"})])
    with pytest.raises(ConfigError, match="no properties"):
        loader.run([schema("s", [])])
