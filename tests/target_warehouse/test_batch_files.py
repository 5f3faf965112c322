"""Parquet files of BATCH messages: exact, wider where they must be, whole or not at all."""

from __future__ import annotations

import datetime as dt
import io
import typing as t
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.singer import Loader, Message, drained, lines_of, record, schema, state

from automate_api.errors import AutomateError
from automate_singer.errors import InputError, UnfitRecordError
from target_warehouse import database, sdk_seams, target
from target_warehouse.errors import MissingKeyError
from target_warehouse.sink import WarehouseSink
from target_warehouse.warehouse import Warehouse

if t.TYPE_CHECKING:
    from pathlib import Path

MONEY = {"type": ["number", "null"], "x-sql-datatype-properties": {"precision": 18, "scale": 2}}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
DATE = {"type": ["string", "null"], "format": "date"}
CARS = schema(
    "cars",
    ["id"],
    id="string",
    price=MONEY,
    count="integer",
    sold="boolean",
    seen=INSTANT,
    day=DATE,
    lot="object",
)
NOON = dt.datetime(2026, 1, 20, 12, 0, 0, 250_000, dt.UTC)


def parquet(folder: Path, columns: dict[str, pa.Array], name: str = "cars.parquet") -> Message:
    """Write a file and the message that names it."""
    path = folder / name
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return batch(path.as_uri())


def batch(url: str, **more: t.Any) -> Message:  # noqa: ANN401 - of a message
    encoding = {"format": "parquet", "compression": "zstd"}
    return {"type": "BATCH", "stream": "cars", "encoding": encoding, "manifest": [url], **more}


def json_texts(*texts: str | None) -> pa.Array:
    return pa.ExtensionArray.from_storage(pa.json_(pa.string()), pa.array(texts, pa.string()))


def test_columns_of_the_right_types_arrive_as_they_are(loader: Loader, tmp_path: Path) -> None:
    message = parquet(
        tmp_path,
        {
            "lot": json_texts('{"name":"A","area":1.10}', None, "null"),
            "id": pa.array(["a", "b", "c"]),
            "price": pa.array([Decimal("1.10"), None, Decimal("-2.00")], pa.decimal128(18, 2)),
            "count": pa.array([1, None, 2**62], pa.int64()),
            "sold": pa.array([True, None, False]),
            "seen": pa.array([NOON, None, NOON], pa.timestamp("us", "UTC")),
            "day": pa.array([NOON.date(), None, NOON.date()], pa.date32()),
        },
    )
    assert loader.run([CARS, message, state(1)]) == [1]
    assert loader.query("SELECT id, price, count, sold, seen, day, lot FROM cars ORDER BY id") == [
        ("a", Decimal("1.10"), 1, True, NOON, NOON.date(), '{"name":"A","area":1.10}'),
        ("b", None, None, None, None, None, None),
        ("c", Decimal("-2.00"), 2**62, False, NOON, NOON.date(), "null"),
    ]
    assert loader.types("cars")["price"] == "DECIMAL(18,2)"


@pytest.mark.parametrize(
    ("field", "array", "expected", "kind"),
    [
        (
            "price",
            pa.array([Decimal("0.125")], pa.decimal128(20, 3)),
            Decimal("0.125"),
            "DECIMAL(20,3)",
        ),
        ("price", pa.array([7], pa.int32()), Decimal("7.00"), "DECIMAL(21,2)"),
        ("price", pa.array([0.1], pa.float64()), Decimal("0.10"), "DECIMAL(18,2)"),
        ("price", pa.array([Decimal(5)], pa.decimal256(60, 0)), Decimal("5.00"), "DECIMAL(18,2)"),
        ("count", pa.array([2**63], pa.uint64()), Decimal(2**63), "DECIMAL(19,0)"),
        ("count", pa.array([Decimal(5)], pa.decimal128(5, 0)), 5, "BIGINT"),
        ("seen", pa.array(["2026-01-20T12:00:00.25Z"]), NOON, "TIMESTAMP WITH TIME ZONE"),
        (
            "seen",
            pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ms")),
            NOON,
            "TIMESTAMP WITH TIME ZONE",
        ),
        (
            "seen",
            pa.array([NOON], pa.timestamp("ns", "America/New_York")),
            NOON,
            "TIMESTAMP WITH TIME ZONE",
        ),
        ("day", pa.array(["2026-01-20"]), NOON.date(), "DATE"),
        ("day", pa.array([NOON], pa.timestamp("us", "UTC")), NOON, "TIMESTAMP WITH TIME ZONE"),
        ("id", pa.array(["x"]).dictionary_encode(), "x", "VARCHAR"),
        ("id", pa.array([b"caf\xc3\xa9"]), "café", "VARCHAR"),
        ("id", pa.array(["x"], pa.large_string()), "x", "VARCHAR"),
        ("lot", pa.array([{"a": [Decimal("1.10"), None]}]), '{"a":[1.10,null]}', "JSON"),
        ("sold", pa.nulls(1), None, "BOOLEAN"),
    ],
    ids=str,
)
def test_columns_of_other_types_keep_their_values(  # noqa: PLR0913, PLR0917 - parameters
    loader: Loader, tmp_path: Path, field: str, array: pa.Array, expected: object, kind: str
) -> None:
    columns = {"id": pa.array(["a"]), field: array}
    loader.run([CARS, parquet(tmp_path, columns)])
    [(value,)] = loader.query(f'SELECT "{field}" FROM cars')  # noqa: S608 - a column of the test's
    assert value == expected
    if isinstance(expected, Decimal):
        assert str(value) == str(expected)
    assert loader.types("cars")[field] == kind


def test_the_last_record_of_a_key_wins_within_a_file_and_between_messages(
    loader: Loader, tmp_path: Path
) -> None:
    def priced(name: str, *pairs: tuple[str, int]) -> Message:
        keys, prices = zip(*pairs, strict=True)
        columns = {"id": pa.array(keys), "price": pa.array(prices, pa.decimal128(18, 2))}
        return parquet(tmp_path, columns, name)

    first = priced("1.parquet", ("a", 1), ("b", 1), ("a", 2))
    second = priced("2.parquet", ("b", 3), ("c", 3))
    loader.run([CARS, record("cars", id="a", price=9), first, record("cars", id="d"), second])
    assert loader.query("SELECT id, price FROM cars ORDER BY id") == [
        ("a", Decimal(2)),
        ("b", Decimal(3)),
        ("c", Decimal(3)),
        ("d", None),
    ]


def test_columns_that_the_schema_does_not_name_are_counted_and_not_stored(
    loader: Loader, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    columns = {"id": pa.array(["a", "b"]), "secret": pa.array(["x", "y"])}
    loader.run([CARS, parquet(tmp_path, columns)])
    assert "secret" not in loader.types("cars")
    assert "were not stored (records): secret (2)" in caplog.text


def test_rows_of_files_drain_as_records_do(
    loader: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = parquet(tmp_path, {"id": pa.array([str(number) for number in range(10)])})
    target = loader.target(batch_size_rows=4)
    sizes = drained(target, monkeypatch)
    target.listen(io.StringIO(lines_of([CARS, message, state(1)])))
    assert sizes == [4, 4]
    assert loader.states() == [1]
    assert loader.query("SELECT count(*) FROM cars") == [(10,)]


@pytest.mark.parametrize(
    "settings",
    [
        {"stream_maps": {"cars": {"__filter__": "id != 'b'", "twice": "float(price) * 2"}}},
        {"add_record_metadata": True},
    ],
    ids=["a map", "metadata"],
)
def test_files_go_through_stream_maps_and_metadata_record_by_record(
    loader: Loader, tmp_path: Path, settings: dict[str, t.Any]
) -> None:
    columns = {
        "id": pa.array(["a", "b"]),
        "price": pa.array([Decimal("1.25"), Decimal(3)], pa.decimal128(18, 2)),
        "seen": pa.array([NOON, None], pa.timestamp("ns", "UTC")),
        "day": pa.array([NOON.date(), None], pa.date32()),
        "lot": json_texts('{"area":1.10}', None),
    }
    loader.run([CARS, parquet(tmp_path, columns)], **settings)
    from_file = loader.query("SELECT id, price, seen, day, lot FROM cars ORDER BY id")
    types = loader.types("cars")
    loader.path.unlink()
    fields = {"seen": NOON.isoformat(), "day": "2026-01-20", "lot": {"area": 1.1}}
    records = [record("cars", id="a", price=1.25, **fields), record("cars", id="b", price=3)]
    loader.run([CARS, *records], **settings)
    from_records = loader.query("SELECT id, price, seen, day, lot FROM cars ORDER BY id")
    assert [row[:4] for row in from_file] == [row[:4] for row in from_records]
    assert from_file[0][4] == '{"area":1.10}'
    assert types == loader.types("cars")


def test_a_versioned_file_replaces_older_versions(loader: Loader, tmp_path: Path) -> None:
    first = parquet(tmp_path, {"id": pa.array(["a", "b"])}, "1.parquet") | {"version": 1}
    second = parquet(tmp_path, {"id": pa.array(["b"])}, "2.parquet") | {"version": 2}
    activate = {"type": "ACTIVATE_VERSION", "stream": "cars", "version": 2}
    loader.run([CARS, first])
    loader.run([CARS, second, activate])
    assert loader.query("SELECT id FROM cars") == [("b",)]


def test_a_null_key_is_refused_by_its_place(loader: Loader, tmp_path: Path) -> None:
    message = parquet(tmp_path, {"id": pa.array(["a", "b", None])})
    with pytest.raises(MissingKeyError, match="record 3: no value for the key property 'id'"):
        loader.run([CARS, message, state(1)])
    assert loader.states() == []
    assert loader.query("SELECT * FROM cars") == []


@pytest.mark.parametrize(
    ("field", "array", "came"),
    [
        ("count", pa.array([None, True]), "a boolean"),
        ("price", pa.array([None, "private"]), "a string"),
        ("seen", pa.array([None, "private"]), "a string that is no date-time"),
        ("id", pa.array([b"a", b"\xff"]), "bytes that are no text"),
        ("id", pa.array([1, 2]), "an integer"),
    ],
)
def test_a_value_that_the_schema_does_not_allow_is_refused_by_type(
    loader: Loader, tmp_path: Path, field: str, array: pa.Array, came: str
) -> None:
    message = parquet(tmp_path, {"id": pa.array(["a", "b"]), field: array})
    with pytest.raises(UnfitRecordError) as failure:
        loader.run([CARS, message, state(1)])
    assert f"field {field!r}" in str(failure.value)
    assert f"got {came}" in str(failure.value)
    assert "private" not in str(failure.value)
    assert loader.query("SELECT * FROM cars") == []


def test_a_file_that_is_missing_cut_or_no_parquet_is_an_error_and_nothing_is_written(
    loader: Loader, tmp_path: Path
) -> None:
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"id": pa.array([str(n) for n in range(5000)])}), whole)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-20])
    damaged = bytearray(whole.read_bytes())
    damaged[200:400] = bytes(200)
    (tmp_path / "damaged.parquet").write_bytes(damaged)
    (tmp_path / "text.parquet").write_text('{"id": "a"}\n')
    for name in ("missing", "cut", "damaged", "text"):
        with pytest.raises(AutomateError, match=f"Cannot read {name}.parquet, a file of a BATCH"):
            loader.run([CARS, batch((tmp_path / f"{name}.parquet").as_uri()), state(1)])
        assert loader.states() == []
        assert loader.query("SELECT * FROM cars") == []


@pytest.mark.parametrize(
    "encoding", [{"format": "parquet", "compression": "lz77"}, {"format": "csv"}, {"format": ["x"]}]
)
def test_an_encoding_that_the_loader_does_not_read_is_named_as_such(
    loader: Loader, encoding: dict[str, t.Any]
) -> None:
    with pytest.raises(InputError, match="expected parquet, or jsonl"):
        loader.run([CARS, batch("file:///nowhere", encoding=encoding)])


def test_a_batch_that_needs_more_memory_than_duckdb_has_at_first_gets_it(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database.WRITING, "memory_limit", "30MB")
    wide = [record("cars", id=str(number), lot={"text": "x" * 60_000}) for number in range(600)]
    allowed: list[bool] = []
    allow = Warehouse.allow_memory

    def noted(warehouse: Warehouse) -> bool:
        allowed.append(allow(warehouse))
        return allowed[-1]

    monkeypatch.setattr(Warehouse, "allow_memory", noted)
    assert loader.run([CARS, *wide, *wide, state(1)]) == [1]
    assert loader.query("SELECT count(*), sum(length(lot::varchar)) FROM cars") == [
        (600, 600 * 60_011)
    ]
    assert allowed == [True]


def test_what_duckdb_may_hold_ends_at_what_it_would_take_of_itself(loader: Loader) -> None:
    target = loader.target()
    warehouse = target.open_warehouse()
    steps = [warehouse.allow_memory() for _ in range(len(database.MEMORY) + 1)]
    target.close()
    assert steps == [True] * len(database.MEMORY) + [False]


@pytest.mark.parametrize("settings", [{}, {"add_record_metadata": True}], ids=["arrow", "records"])
@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_wide_rows_of_files_drain_by_their_bytes(
    loader: Loader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    settings: dict[str, t.Any],
) -> None:
    monkeypatch.setattr(target, "DRAIN_BYTES", 100_000)
    keys, wide = [str(number) for number in range(50)], "x" * 10_000
    message = parquet(tmp_path, {"id": pa.array(keys), "lot": pa.array([wide] * 50)})
    if form == "jsonl":
        path = tmp_path / "cars.jsonl"
        path.write_text(lines_of([{"id": key, "lot": wide} for key in keys]))
        message = batch(path.as_uri(), encoding={"format": "jsonl"})
    loading = loader.target(**settings)
    sizes = drained(loading, monkeypatch)
    loading.listen(io.StringIO(lines_of([CARS, message, state(1)])))
    assert sizes == [10] * 5
    assert loader.query("SELECT count(*), sum(length(lot::varchar)) FROM cars") == [
        (50, 50 * 10_002)
    ]


def test_rows_are_taken_from_a_file_by_the_fewer_the_wider_they_are(
    loader: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk_seams, "ARROW_BYTES", 50_000)
    columns = {
        "id": pa.array([str(number) for number in range(40)]),
        "lot": pa.array([f"{number}" * 5_000 for number in range(10, 50)]),
    }
    taken: list[int] = []
    take_arrow = WarehouseSink.take_arrow

    def noted(sink: WarehouseSink, records: pa.RecordBatch) -> None:
        taken.append(records.num_rows)
        take_arrow(sink, records)

    monkeypatch.setattr(WarehouseSink, "take_arrow", noted)
    path = tmp_path / "wide.parquet"
    pq.write_table(pa.table(columns), path, use_dictionary=False)
    loader.run([CARS, batch(path.as_uri())])
    assert sum(taken) == 40
    assert max(taken) <= 5
