"""Every failure: a clear message, the right exit code, nothing half-written, no value repeated."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import typing as t
from pathlib import Path

import duckdb
import pytest
from support.singer import Loader, record, schema, state

from automate_api.errors import AutomateError, ConfigError, TryLaterError
from automate_singer.errors import InputError, NoSchemaError, UnfitRecordError
from target_warehouse.database import WarehouseError, connect, explained
from target_warehouse.target import TargetWarehouse
from target_warehouse.warehouse import Warehouse

PRIVATE = "kept-private"
HOLD_OPEN = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""
LOAD_ON_A_SMALL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
from target_warehouse.target import main
main()
"""
LOAD = [schema("s", ["k"], k="integer", v="integer"), record("s", k=1, v=1)]


def fails(loader: Loader, messages: list[t.Any], error: type[AutomateError]) -> str:
    """Load, expect the error, and give back its message, in which no value may stand."""
    with pytest.raises(error) as failure:
        loader.run(messages)
    assert PRIVATE not in str(failure.value)
    return str(failure.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f'{{"type": "RECORD", "{PRIVATE}', "Line 3 of the input is not valid JSON"),
        (f'{{"type": "RECORD", "record": "{PRIVATE}"}}', "a record that is an object"),
        ('{"type": "ACTIVATE_VERSION", "stream": "s", "version": "1"}', "a version that is an int"),
        ('{"type": "BATCH", "stream": "s"}', "an encoding and a manifest"),
        (
            '{"type": "BATCH", "stream": "s", "manifest": [5], "encoding": {"format": "jsonl"}}',
            "an encoding and a manifest of addresses",
        ),
        (
            '{"type": "BATCH", "stream": "s", "manifest": [], "encoding": {"format": "csv"}}',
            "an encoding that the loader does not read",
        ),
    ],
)
def test_a_line_that_is_no_message_is_named_by_its_number(
    loader: Loader,
    line: str,
    expected: str,
) -> None:
    message = fails(loader, [*LOAD, line, state(1)], InputError)
    assert expected in message
    assert loader.states() == []
    assert loader.query("SELECT * FROM s") == []


@pytest.mark.parametrize(
    "declared",
    [
        {"type": None},
        {"type": 5},
        {"type": [["x"]]},
        {"$ref": 5},
        {"anyOf": 5},
        {"anyOf": [None]},
        {"enum": 5},
        {"allOf": [True, {"minLength": 1}]},
    ],
)
def test_a_property_whose_schema_makes_no_sense_is_json(
    loader: Loader, declared: dict[str, t.Any]
) -> None:
    loader.run([schema("s", ["k"], k="integer", v=declared), record("s", k=1, v=["x"])])
    assert loader.types("s")["v"] == "JSON"
    assert loader.query("SELECT v FROM s") == [('["x"]',)]


def test_two_streams_of_other_columns_cannot_be_mapped_to_one_name(loader: Loader) -> None:
    messages = [
        schema("a", ["k"], k="integer", x="string"),
        record("a", k=1, x="1"),
        schema("b", ["k"], k="integer", y="string"),
        record("a", k=2, x="2"),
        state(1),
    ]
    with pytest.raises(ConfigError, match="'a' and 'b' one name, 'a', but their schemas"):
        loader.run(messages, stream_maps={"b": {"__alias__": "a"}})
    assert loader.states() == []


def test_two_streams_of_the_same_columns_can_be_mapped_to_one_name(loader: Loader) -> None:
    messages = [
        schema("a", ["k"], k="integer"),
        record("a", k=1),
        schema("b", ["k"], k="integer"),
        record("b", k=2),
        record("a", k=3),
        state(1),
    ]
    states = loader.run(messages, stream_maps={"b": {"__alias__": "a"}})
    assert states == [1]
    assert loader.query("SELECT k FROM a ORDER BY k") == [(1,), (2,), (3,)]


def test_the_last_state_waits_for_rows_of_older_versions_to_be_deleted(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.run([schema("s", ["k"], k="integer"), record("s", 1, k=1)])

    def fail(*_: object) -> int:
        msg = "the disk is full"
        raise WarehouseError(msg)

    monkeypatch.setattr(Warehouse, "delete_older", fail)
    announced = {"type": "ACTIVATE_VERSION", "stream": "s", "version": 2}
    with pytest.raises(WarehouseError):
        loader.run([schema("s", ["k"], k="integer"), announced, state(1)])
    assert loader.states() == []


def test_a_log_without_its_warehouse_is_left_as_it_is(loader: Loader) -> None:
    log = loader.path.with_name(f"{loader.path.name}.wal")
    log.write_bytes(b"what was written last")
    with pytest.raises(ConfigError, match="Put that file back, or remove its log too"):
        loader.run([schema("s", ["k"], k="integer")])
    assert log.read_bytes() == b"what was written last"
    assert not loader.path.exists()


def test_a_home_that_is_not_there_is_a_mistake_in_the_settings(loader: Loader) -> None:
    loader.path = Path("~nobody-has-this-name/w.duckdb")
    with pytest.raises(ConfigError, match="`filepath` begins with `~`"):
        loader.run([schema("s", ["k"], k="integer")])


@pytest.mark.parametrize("kind", ["RECORD", "ACTIVATE_VERSION", "BATCH"])
def test_a_message_before_its_schema_says_so(loader: Loader, kind: str) -> None:
    message = {
        "type": kind,
        "stream": "early",
        "record": {"a": PRIVATE},
        "version": 1,
        "manifest": ["file:///nowhere/x.jsonl"],
        "encoding": {"format": "jsonl"},
    }
    text = fails(loader, [message], NoSchemaError)
    assert f"A {kind} for stream 'early' came before its SCHEMA" in text


def test_a_record_that_does_not_fit_leaves_nothing_of_its_batch_and_no_state(
    loader: Loader,
) -> None:
    first = [*LOAD, state("first")]
    loader.run(first)
    messages = [
        LOAD[0],
        *[record("s", k=k, v=k) for k in range(5000)],
        state("second"),
        record("s", k=5001, v=PRIVATE),
    ]
    message = fails(loader, messages, UnfitRecordError)
    assert (
        "Stream 's', record 5001, field 'v': expected integer for BIGINT, got a string" in message
    )
    assert loader.states() == []
    assert loader.query("SELECT * FROM s") == [(1, 1)]


def test_committed_batches_and_their_state_stand_when_a_later_one_fails(loader: Loader) -> None:
    records = [record("s", k=k, v=k) for k in range(5)]
    bad = [record("s", k=5, v=PRIVATE), state("all")]
    messages = [LOAD[0], *records[:4], state("half"), *records[4:], *bad]
    with pytest.raises(UnfitRecordError, match="record 6, field 'v'"):
        loader.run(messages, batch_size_rows=5)
    assert loader.states() == ["half"]
    assert loader.query("SELECT count(*) FROM s") == [(5,)]


def test_key_properties_outside_the_schema_are_refused(loader: Loader) -> None:
    text = fails(loader, [schema("s", ["gone"], k="integer")], ConfigError)
    assert "key properties ['gone'] are not in its SCHEMA" in text
    loader.run([schema("s", ["gone"], k="integer"), record("s", k=1)], load_method="append-only")
    assert loader.query("SELECT * FROM s") == [(1,)]


@pytest.mark.parametrize(
    ("first", "then"),
    [("as_is", "snake_case"), ("snake_case", "as_is")],
)
def test_a_table_of_other_names_is_refused_instead_of_filled_a_second_time(
    loader: Loader, first: str, then: str
) -> None:
    messages = [schema("cars", ["carId"], carId="string"), record("cars", carId="a")]
    loader.run(messages, column_names=first)
    with pytest.raises(ConfigError, match=r"main\.cars.* no column .*`column_names`"):
        loader.run(messages, column_names=then)
    assert loader.query("SELECT count(*) FROM cars") == [(1,)]
    assert len(loader.types("cars")) == 1


def test_a_view_with_the_streams_name_is_not_touched(loader: Loader) -> None:
    with duckdb.connect(str(loader.path)) as connection:
        connection.execute("CREATE VIEW s AS SELECT 1 AS k").fetchall()
    assert "is a view" in fails(loader, LOAD, ConfigError)


def test_a_value_that_someone_elses_type_cannot_hold_is_refused_without_its_text(
    loader: Loader,
) -> None:
    with duckdb.connect(str(loader.path)) as connection:
        connection.execute("CREATE TABLE s (k UUID)").fetchall()
    text = fails(loader, [schema("s", [], k="string"), record("s", k=PRIVATE)], WarehouseError)
    assert "a table that the loader did not make" in text
    assert loader.query("SELECT * FROM s") == []


def test_a_batch_that_fails_half_way_is_undone_with_its_new_columns(loader: Loader) -> None:
    with duckdb.connect(str(loader.path)) as connection:
        connection.execute("CREATE TABLE s (k BIGINT, v BIGINT NOT NULL)").fetchall()
        connection.execute("INSERT INTO s VALUES (1, 1)").fetchall()
    rows = [
        schema("s", ["k"], k="integer", v="integer"),
        record("s", k=1, v=2),  # an update that DuckDB takes
        record("s", k=2**70, v=None),  # a key that widens the column, a row that it refuses
        state("never"),
    ]
    assert "ConstraintException" in fails(loader, rows, WarehouseError)
    assert loader.states() == []
    assert loader.query("SELECT * FROM s") == [(1, 1)]
    assert loader.types("s") == {"k": "BIGINT", "v": "BIGINT"}


class TestTheFile:
    """A path that cannot be a warehouse is named, and never overwritten."""

    @pytest.mark.parametrize("content", [b"hello", b"SQLite format 3\0" + bytes(8192), b"\0" * 9])
    def test_a_file_that_is_not_duckdbs_is_left_as_it_is(
        self,
        loader: Loader,
        content: bytes,
    ) -> None:
        loader.path.write_bytes(content)
        assert "is not a DuckDB database" in fails(loader, LOAD, ConfigError)
        assert loader.path.read_bytes() == content

    def test_an_empty_file_becomes_the_warehouse(self, loader: Loader) -> None:
        loader.path.touch()
        loader.run(LOAD)
        assert loader.query("SELECT * FROM s") == [(1, 1)]

    def test_missing_directories_are_made(self, tmp_path: Path) -> None:
        path = tmp_path / "a" / "b" / "warehouse.duckdb"
        connect(path).close()
        assert [child.name for child in path.parent.iterdir()] == [path.name]

    def test_a_filesystem_without_hard_links_gets_its_warehouse_too(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def refuse(*_: object) -> t.NoReturn:
            raise PermissionError

        monkeypatch.setattr(os, "link", refuse)
        connect(tmp_path / "warehouse.duckdb").close()
        assert [child.name for child in tmp_path.iterdir()] == ["warehouse.duckdb"]

    def test_a_directory_is_no_warehouse(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="is a directory"):
            connect(tmp_path, read_only=True)

    def test_a_directory_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(WarehouseError, match="Cannot create the warehouse"):
            connect(tmp_path / "file" / "warehouse.duckdb")

    def test_a_newer_storage_version_says_to_upgrade(self, loader: Loader) -> None:
        loader.run(LOAD)
        content = bytearray(loader.path.read_bytes())
        content[12:20] = struct.pack("<Q", 1 << 40)
        content[:8] = struct.pack("<Q", checksum(content[8:4096]))
        loader.path.write_bytes(content)
        assert "written by a newer DuckDB" in fails(loader, LOAD, ConfigError)
        assert loader.path.read_bytes() == content

    def test_a_damaged_file_is_reported_as_such(self, loader: Loader) -> None:
        loader.run(LOAD)
        content = bytearray(loader.path.read_bytes())
        content[100] ^= 1
        loader.path.write_bytes(content)
        assert "DuckDB cannot open" in fails(loader, LOAD, WarehouseError)

    def test_a_file_that_another_process_has_open_is_left_to_it(self, loader: Loader) -> None:
        loader.run(LOAD)
        holder = subprocess.Popen(  # noqa: S603 - our own words
            [
                sys.executable,
                "-c",
                HOLD_OPEN,
                str(loader.path),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert holder.stdout
            holder.stdout.readline()
            text = fails(loader, LOAD, TryLaterError)
            assert f"process {holder.pid}" in text
            assert str(loader.path) in text
        finally:
            holder.communicate()
        assert loader.run([*LOAD, state(2)]) == [2]

    @pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX")
    def test_a_full_disk_keeps_what_was_committed_and_says_so(self, loader: Loader) -> None:
        loader.run(LOAD)
        full = subprocess.run(  # noqa: S603 - our own words
            [
                sys.executable,
                "-c",
                LOAD_ON_A_SMALL_DISK,
                "--config=ENV",
            ],
            input="\n".join(
                json.dumps(message)
                for message in [
                    schema("s", ["k"], k="integer", note="string"),
                    *[record("s", k=k, note=os.urandom(600).hex()) for k in range(5000)],
                    state("never"),
                ]
            ),
            env={**os.environ, "TARGET_WAREHOUSE_FILEPATH": str(loader.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert full.returncode == 1
        assert full.stdout == ""
        assert "is full or refuses to be written; nothing of the batch was kept" in full.stderr
        assert "Traceback" not in full.stderr
        assert loader.query("SELECT k, v FROM s") == [(1, 1)]


def checksum(block: bytes | bytearray) -> int:
    """DuckDB's checksum of a header block (src/common/checksum.cpp)."""
    result = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        result ^= (word * 0xBF58476D1CE4E5B9) % (1 << 64)
    return result


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (duckdb.OutOfMemoryException(PRIVATE), "smaller `batch_size_rows`"),
        (duckdb.IOException("Could not write file: No space left on device"), "Make room"),
        (duckdb.IOException("Could not read block 5"), "Could not read block 5"),
        (duckdb.InternalException(PRIVATE), "InternalException"),
    ],
)
def test_errors_of_duckdb_while_writing_are_explained_without_values(
    error: duckdb.Error,
    expected: str,
) -> None:
    with pytest.raises(WarehouseError) as failure, explained(Path("w.duckdb")):
        raise error
    assert expected in str(failure.value)
    assert PRIVATE not in str(failure.value)


def test_a_setting_that_is_null_has_its_default(loader: Loader) -> None:
    empty = dict.fromkeys(["schema", "column_names", "load_method", "batch_size_rows"])
    loader.run([*LOAD, LOAD[1]], **empty, add_record_metadata=None, stream_maps=None)
    assert loader.query("SELECT * FROM main.s") == [(1, 1)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "`filepath` is required"),
        ({"filepath": ""}, "`filepath` must be not empty"),
        ({"filepath": "f", "column_names": PRIVATE}, "`column_names` must be one of as_is"),
        ({"filepath": "f", "load_method": "overwrite"}, "one of upsert, append-only"),
        ({"filepath": "f", "batch_size_rows": 0}, "`batch_size_rows` must be at least 1"),
        (
            {"filepath": "f", "batch_size_rows": PRIVATE},
            "`batch_size_rows` must be of type integer",
        ),
        ({"filepath": "f", "flattening_enabled": True}, "flattening_max_depth is required"),
        ({"filepath": "f", "stream_maps": {"__x__": {}}}, "is not expected"),
    ],
)
def test_settings_that_cannot_be_used_are_named_without_their_value(
    settings: dict[str, t.Any],
    expected: str,
) -> None:
    with pytest.raises(ConfigError) as failure:
        TargetWarehouse(config=settings)
    assert expected in str(failure.value)
    assert PRIVATE not in str(failure.value)
    assert failure.value.exit_code == 2
