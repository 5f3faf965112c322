"""The short way of records through our seams leaves what the SDK's own way leaves."""

from __future__ import annotations

import gzip
import io
import json
import typing as t

import pytest
from singer_sdk.target_base import Target
from support.singer import Loader, Message, lines_of, record, schema, state

from automate_api.errors import AutomateError
from target_warehouse.target import TargetWarehouse

if t.TYPE_CHECKING:
    from pathlib import Path

MESSAGES: list[Message] = [
    schema(
        "cars",
        ["id"],
        id="string",
        price="number",
        count="integer",
        sold="boolean",
        lot={"type": ["object", "null"], "properties": {"name": {"type": ["string", "null"]}}},
        tags="array",
    ),
    record("cars", id="a", price=1.5, count=1, sold=True, lot={"name": "A"}, tags=["x", 1.5, None]),
    record("cars", id="b", price=None, lot=None),
    record("cars", id="a", price=2.25, count=2, sold=False, lot={"name": "B"}, unknown=1),
    record("cars", id="c", lot={"name": None}, tags=[]),
    state({"bookmarks": {"cars": 1}}),
]

CASES: dict[str, dict[str, t.Any]] = {
    "plain": {},
    "small batches": {"batch_size_rows": 1},
    "a filter and a computed column": {
        "stream_maps": {
            "cars": {"__filter__": "id != 'b'", "twice": "float(record.get('price') or 0) * 2"}
        }
    },
    "an alias, a copy and nothing else": {
        "stream_maps": {
            "cars": {"__alias__": "vehicles"},
            "prices": {
                "__source__": "cars",
                "id": "id",
                "price": "float(record.get('price') or 0)",
                "__else__": "__NULL__",
            },
            "__else__": "__NULL__",
        }
    },
    "flattened": {"flattening_enabled": True, "flattening_max_depth": 1},
}


class SdkWay(TargetWarehouse):
    """The target with the SDK's own handling of records and STATE."""

    name = "target-warehouse"
    _process_record_message = Target._process_record_message  # noqa: SLF001 - what is compared
    _write_state_message = Target._write_state_message  # noqa: SLF001


def content(loader: Loader, target_class: type[TargetWarehouse], **settings: t.Any) -> t.Any:  # noqa: ANN401 - rows
    """Load the messages through a class, and read back everything that is in the file."""
    loader.path.unlink(missing_ok=True)
    loader.states()
    target = target_class(config={"filepath": str(loader.path), **settings})
    target.listen(io.StringIO(lines_of(MESSAGES)))
    target.close()
    states = loader.states()
    if not loader.path.exists():
        return states, {}
    tables = [name for (name,) in loader.query("SELECT table_name FROM duckdb_tables()")]
    return states, {
        table: (loader.types(table), loader.query(f'SELECT * FROM "{table}" ORDER BY ALL'))  # noqa: S608 - our own names
        for table in tables
    }


@pytest.mark.parametrize("case", CASES)
def test_our_way_of_a_record_equals_the_sdks(loader: Loader, case: str) -> None:
    ours = content(loader, TargetWarehouse, **CASES[case])
    assert ours == content(loader, SdkWay, **CASES[case])
    assert ours[0] == [{"bookmarks": {"cars": 1}}]


@pytest.mark.parametrize("maps", [{"cars": None}, {"cars": "__NULL__"}, {"__else__": None}])
def test_a_stream_that_a_map_drops_has_no_table(loader: Loader, maps: dict[str, None]) -> None:
    states = loader.run([*MESSAGES, schema("s", [], a="integer")], stream_maps=maps)
    assert states == [{"bookmarks": {"cars": 1}}]
    if loader.path.exists():
        tables = loader.query("SELECT table_name FROM duckdb_tables()")
        assert ("cars",) not in tables


def test_the_sdks_metadata_is_added_as_the_sdk_adds_it(loader: Loader) -> None:
    _, ours = content(loader, TargetWarehouse, add_record_metadata=True)
    types, rows = ours["cars"]
    added = {name: kind for name, kind in types.items() if name.startswith("_sdc_")}
    sink = SdkWay(config={"filepath": str(loader.path), "add_record_metadata": True}).add_sink(
        "other", json.loads(json.dumps(MESSAGES[0]["schema"])), ["id"]
    )
    by_the_sdk: dict[str, t.Any] = {}
    sink._add_sdc_metadata_to_record(by_the_sdk, {}, {})  # noqa: SLF001 - what is compared
    assert added.keys() == by_the_sdk.keys()
    assert len(rows) == 3


@pytest.mark.parametrize("compression", ["gzip", "none", None])
def test_records_of_batch_files_go_the_way_of_record_messages(
    loader: Loader,
    tmp_path: Path,
    compression: str | None,
) -> None:
    records = [message["record"] for message in MESSAGES if message["type"] == "RECORD"]
    text = "\n".join(json.dumps(line) + "\n" for line in records).encode()  # and blank lines
    file = tmp_path / "batch of cars.jsonl"
    file.write_bytes(gzip.compress(text) if compression == "gzip" else text)
    batch = {
        "type": "BATCH",
        "stream": "cars",
        "encoding": {"format": "jsonl", "compression": compression},
        "manifest": [f"file://{file}"],
    }
    maps = {"stream_maps": {"cars": {"__filter__": "id != 'b'"}}}
    states = loader.run([MESSAGES[0], batch, MESSAGES[-1]], **maps)
    from_batch = loader.query("SELECT * FROM cars ORDER BY id")
    assert (states, {"cars": (loader.types("cars"), from_batch)}) == content(
        loader, TargetWarehouse, **maps
    )


def test_a_batch_file_that_is_missing_cut_damaged_or_far_away_is_an_error_and_nothing_is_written(
    loader: Loader,
    tmp_path: Path,
) -> None:
    file = tmp_path / "cut.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"id": "a"}\n' * 1000)[:-20])
    damaged = bytearray(gzip.compress(b'{"id": "a"}\n' * 5000))
    damaged[20] ^= 0xFF
    (tmp_path / "damaged.jsonl.gz").write_bytes(damaged)
    urls = [file.as_uri(), (tmp_path / "missing.jsonl.gz").as_uri(), "s3://bucket/far.jsonl.gz"]
    urls.append((tmp_path / "damaged.jsonl.gz").as_uri())
    for url in urls:
        batch = {
            "type": "BATCH",
            "stream": "cars",
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "manifest": [url],
        }
        name = url.rpartition("/")[2]
        with pytest.raises(AutomateError, match=f"Cannot read {name}, a file of a BATCH"):
            loader.run([MESSAGES[0], batch, MESSAGES[-1]])
        assert loader.states() == []
        assert loader.query("SELECT * FROM cars") == []
