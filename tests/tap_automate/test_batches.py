"""BATCH messages: exact, or not in the file; in the order of their keys; before their STATE."""

from __future__ import annotations

import datetime as dt
import functools
import gzip
import json
import re
import socket
import subprocess
import sys
import typing as t
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import fsspec  # type: ignore[import-untyped]
import msgspec
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.singerlib import RecordMessage, SchemaMessage, StateMessage
from singer_sdk.sinks import BatchSink
from singer_sdk.target_base import Target
from support.papers import ROOT
from support.singer import Loader

from automate_api import redaction
from automate_api.errors import AutomateError, ConfigError, UnreachableError
from automate_singer.writer import BlockWriter
from tap_automate import storage
from tap_automate.batches import messages as batches
from tap_automate.batches.messages import MOST_SECONDS, BatchWriter
from tap_automate.batches.setting import problems
from tap_automate.storage import Storage
from tap_automate.tap import TapAutomate

if t.TYPE_CHECKING:
    from collections.abc import Callable

MONEY = {"type": ["number", "null"], "x-sql-datatype-properties": {"precision": 18, "scale": 2}}
RATE = {"type": ["number", "null"], "x-sql-datatype-properties": {"precision": 18, "scale": 4}}
PROPERTIES: dict[str, t.Any] = {
    "id": {"type": ["string"]},
    "price": MONEY,
    "hours": RATE,
    "count": {"type": ["integer", "null"]},
    "sold": {"type": ["boolean", "null"]},
    "seen": {"type": ["string", "null"], "format": "date-time"},
    "day": {"type": ["string", "null"], "format": "date"},
    "lot": {"type": ["object", "null"]},
    "tags": {"type": ["array", "null"]},
}
FITTING = {
    "id": "a",
    "price": Decimal("41250.00"),
    "hours": Decimal("0.0375"),
    "count": 7,
    "sold": False,
    "seen": "2026-01-20T12:00:00.250Z",
    "day": "2026-01-20",
    "lot": {"name": "Main", "area": Decimal("1.10")},
    "tags": ["x", None],
}
PARQUET = {"format": "parquet"}

exactly = msgspec.json.Decoder(float_hook=Decimal).decode


class Car(msgspec.Struct, rename={"identity": "id"}, kw_only=True, gc=False):
    """As the codec makes them."""

    identity: str
    price: t.Any = msgspec.UNSET
    seen: str | msgspec.UnsetType | None = msgspec.UNSET
    trim: t.Any = msgspec.UNSET


def cars(
    properties: dict[str, t.Any] | None = None, *, keys: tuple[str, ...] = ("id",)
) -> SchemaMessage:
    schema = {"type": "object", "properties": properties or PROPERTIES}
    return SchemaMessage("cars", schema, key_properties=keys)


def config(
    root: Path | str, encoding: dict[str, str] | None = None, **more: int
) -> dict[str, t.Any]:
    storage = {"root": str(root)}
    return {"encoding": encoding or PARQUET, "storage": storage, **more}


@pytest.fixture
def written(capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[[], list[dict[str, t.Any]]]:
    """Read the messages since the last time."""

    def read() -> list[dict[str, t.Any]]:
        lines = capsysbinary.readouterr().out.splitlines()
        return [json.loads(line, parse_float=Decimal) for line in lines]

    return read


def kinds(messages: list[dict[str, t.Any]]) -> list[str]:
    return [message["type"] for message in messages]


def path_of(message: dict[str, t.Any]) -> Path:
    [url] = message["manifest"]
    return Path(urlsplit(url).path)


def test_a_parquet_file_has_the_right_types_for_whoever_reads_it(
    tmp_path: Path, written: Callable[[], list[dict[str, t.Any]]]
) -> None:
    writer = BatchWriter(config(tmp_path))
    writer.write_message(cars())
    writer.write_message(RecordMessage("cars", FITTING))
    writer.write_message(RecordMessage("cars", {"id": "b", "lot": None}))
    writer.finish()
    assert kinds(written()) == ["SCHEMA", "BATCH"]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'").fetchall()
        files = f"read_parquet('{tmp_path}/*.parquet')"
        described = connection.execute(f"DESCRIBE SELECT * FROM {files}").fetchall()  # noqa: S608 - ours
        rows = connection.execute(f"SELECT * FROM {files} ORDER BY id").fetchall()  # noqa: S608 - ours
    assert {name: kind for name, kind, *_ in described} == {
        "id": "VARCHAR",
        "price": "DECIMAL(18,2)",
        "hours": "DECIMAL(18,4)",
        "count": "BIGINT",
        "sold": "BOOLEAN",
        "seen": "TIMESTAMP WITH TIME ZONE",
        "day": "DATE",
        "lot": "JSON",
        "tags": "JSON",
    }
    instant = dt.datetime(2026, 1, 20, 12, 0, 0, 250_000, dt.UTC)
    first = ("a", Decimal("41250.00"), Decimal("0.0375"), 7, False, instant, instant.date())
    assert rows == [
        (*first, '{"name":"Main","area":1.10}', '["x",null]'),
        ("b", *[None] * 8),
    ]


VALUES: dict[str, st.SearchStrategy[t.Any]] = {
    "price": st.sampled_from(
        ["1", "1.50", "0.125", "-0.00", "1E+5", "12345678901234567.1", '"5"', "null", "true"]
    ),
    "count": st.sampled_from(["1", "null", "9223372036854775808", "1.5", "5.0", '"7"', "false"]),
    "sold": st.sampled_from(["true", "null", "1", '"yes"']),
    "seen": st.sampled_from(
        [
            '"2026-01-20T12:00:00Z"',
            '"2026-01-20T12:00:00.123456-05:00"',
            '"2026-01-20T12:00:00.123456789Z"',
            '"2026-01-20T12:00:00"',
            '"2026-01-20"',
            '"soon"',
            "null",
            "5",
        ]
    ),
    "day": st.sampled_from(['"2026-01-20"', '"2026-01-20T12:00:00Z"', '"soon"', "null", "5"]),
    "lot": st.sampled_from(['{"area":1.10}', "null", "[]", '"x"', "5"]),
    "unknown": st.sampled_from(["null", "1"]),
}
RECORDS = st.builds(
    lambda key, fields: (
        "{" + ",".join([f'"id":"{key}"', *[f'"{n}":{v}' for n, v in fields.items()]]) + "}"
    ),
    st.sampled_from("abc"),
    st.fixed_dictionaries({}, optional=VALUES),
)


@settings(max_examples=60, deadline=None)
@given(
    records=st.lists(RECORDS, min_size=1, max_size=12),
    size=st.integers(1, 12),
    encoding=st.sampled_from([PARQUET, {"format": "jsonl"}]),
)
def test_files_and_the_records_between_them_tell_what_records_alone_tell(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[str],
    size: int,
    encoding: dict[str, str],
) -> None:
    collected = Collected(config(tmp_path_factory.mktemp("batch"), encoding, batch_size=size))
    collected.write_message(cars())
    decoded = [exactly(each) for each in records]
    for each in decoded:
        collected.write_message(RecordMessage("cars", each))
    collected.finish()
    latest = {}
    for message in collected.messages:
        for row in rows_of(message):
            latest[row["id"]] = row
    expected = {each["id"]: each for each in decoded}
    assert {key: comparable(row) for key, row in latest.items()} == {
        key: comparable(row) for key, row in expected.items()
    }


class Collected(BatchWriter):
    """Keeps what it would write to standard output."""

    def __init__(self, setting: dict[str, t.Any]) -> None:
        super().__init__(setting)
        self.messages: list[dict[str, t.Any]] = []

    def flush(self) -> None:
        for line in bytes(self._buffer).splitlines():
            self.messages.append(exactly(line))
        self._buffer.clear()


def rows_of(message: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Read the records of a RECORD or BATCH message, as they came."""
    if message["type"] == "RECORD":
        return [message["record"]]
    if message["type"] != "BATCH":
        return []
    if message["encoding"]["format"] == "jsonl":
        lines = gzip.decompress(path_of(message).read_bytes()).splitlines()
        return [exactly(line) for line in lines]
    table = pq.read_table(path_of(message))
    rows: list[dict[str, t.Any]] = table.to_pylist()
    for row in rows:
        for name in ("lot", "tags"):
            if row[name] is not None:
                row[name] = exactly(row[name])
    return rows


def comparable(row: dict[str, t.Any]) -> dict[str, t.Any]:
    """Bring instants and dates into one form, to the last digit; what is null may be missing."""
    found: dict[str, t.Any] = {}
    for name, value in row.items():
        text = value.isoformat() if isinstance(value, dt.date) else value
        if name == "seen" and isinstance(text, str):
            text = instant_of(text)
        if text is not None:
            found[name] = (type(text) is bool, text)
    return found


def instant_of(text: str) -> str:
    """Write an instant in UTC, with all its digits; what is none as it is."""
    if "789Z" in text or text == "soon":
        return text
    instant = dt.datetime.fromisoformat(text)
    aware = instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)
    return aware.astimezone(dt.UTC).isoformat()


def test_typed_records_are_written_without_the_fields_that_have_no_value(
    tmp_path: Path, written: Callable[[], list[dict[str, t.Any]]]
) -> None:
    writer = BatchWriter(config(tmp_path))
    writer.write_message(cars())
    writer.write_records(
        "cars", [Car(identity="a", price=Decimal("1.5")), Car(identity="b", seen=None)]
    )
    writer.write_records("cars", [Car(identity="c", trim="x"), Car(identity="c", price=2)])
    writer.finish()
    messages = written()
    assert kinds(messages) == ["SCHEMA", "BATCH", "RECORD", "RECORD"]
    rows = pq.read_table(path_of(messages[1])).to_pylist()
    assert [(row["id"], row["price"]) for row in rows] == [("a", Decimal("1.50")), ("b", None)]
    assert [message["record"] for message in messages[2:]] == [
        {"id": "c", "trim": "x"},
        {"id": "c", "price": 2},
    ]


def test_what_is_done_to_a_record_later_does_not_reach_its_file(
    tmp_path: Path, written: Callable[[], list[dict[str, t.Any]]]
) -> None:
    for encoding in (PARQUET, {"format": "jsonl"}):
        writer = BatchWriter(config(tmp_path, encoding))
        writer.write_message(cars())
        car, record = Car(identity="a", price=1), {"id": "b", "lot": {"name": "x"}}
        writer.write_records("cars", [car])
        writer.write_message(RecordMessage("cars", record))
        car.price = 2
        record["lot"]["name"] = "y"  # type: ignore[index]
        writer.finish()
        rows = rows_of(written()[-1])
        assert rows[0]["price"] == 1
        assert rows[1]["lot"] == {"name": "x"}


def test_a_state_waits_for_the_files_of_all_streams_and_only_the_last_is_written(
    tmp_path: Path, written: Callable[[], list[dict[str, t.Any]]]
) -> None:
    writer = BatchWriter(config(tmp_path, batch_size=4))
    writer.write_message(StateMessage({"at": 0}))
    assert kinds(written()) == ["STATE"]  # nothing is before it
    state = {"at": 0}
    for name in ("cars", "lots"):
        schema = {"properties": {"id": {"type": "string"}}}
        writer.write_message(SchemaMessage(name, schema, key_properties=["id"]))
    for number in range(3):
        writer.write_message(RecordMessage("cars", {"id": str(number)}))
        writer.write_message(RecordMessage("lots", {"id": str(number)}))
        state["at"] = number + 1
        writer.write_message(StateMessage(state))
    state["at"] = 99
    messages = written()
    assert kinds(messages) == ["SCHEMA", "SCHEMA", "BATCH", "BATCH", "STATE"]
    assert messages[-1]["value"] == {"at": 2}
    writer.finish()
    messages = written()
    assert kinds(messages) == ["BATCH", "BATCH", "STATE"]
    assert messages[-1]["value"] == {"at": 3}
    assert [pq.read_table(path_of(m)).num_rows for m in messages[:2]] == [1, 1]


@pytest.mark.parametrize("encoding", [PARQUET, {"format": "jsonl"}])
@pytest.mark.parametrize("together", [True, False])
def test_what_gathers_is_written_when_it_is_large(
    tmp_path: Path,
    written: Callable[[], list[dict[str, t.Any]]],
    monkeypatch: pytest.MonkeyPatch,
    encoding: dict[str, str],
    together: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", 100_000)
    monkeypatch.setattr(batches, "AT_ONCE", 5)
    writer = BatchWriter(config(tmp_path, encoding))
    writer.write_message(cars())
    records = [{"id": str(number), "lot": "x" * 10_000} for number in range(30)]
    if together:
        writer.write_records("cars", records)
    else:
        for record in records:
            writer.write_records("cars", [record])
    assert kinds(written()) == ["SCHEMA"] + ["BATCH"] * 3


def test_streams_that_gather_side_by_side_are_written_when_all_are_large(
    tmp_path: Path,
    written: Callable[[], list[dict[str, t.Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", 100_000)
    writer = BatchWriter(config(tmp_path))
    streams = ("cars", "lots", "parts")
    for name in streams:
        schema = {"properties": {"id": {"type": "string"}}}
        writer.write_message(SchemaMessage(name, schema, key_properties=["id"]))
    for name in streams:
        writer.write_records(name, [{"id": "x" * 40_000}])
    assert kinds(written()) == ["SCHEMA"] * 3 + ["BATCH"] * 3


def test_a_state_does_not_wait_for_a_full_file_for_ever(
    tmp_path: Path, written: Callable[[], list[dict[str, t.Any]]]
) -> None:
    now = [0.0]
    writer = BatchWriter(config(tmp_path), clock=lambda: now[0])
    writer.write_message(cars())
    writer.write_message(RecordMessage("cars", {"id": "a"}))
    writer.write_message(StateMessage({"at": 1}))
    assert kinds(written()) == ["SCHEMA"]
    now[0] = MOST_SECONDS
    writer.write_message(StateMessage({"at": 2}))
    assert kinds(written()) == ["BATCH", "STATE"]


def test_a_schema_that_changes_comes_behind_the_file_of_the_one_before(
    tmp_path: Path, written: Callable[[], list[dict[str, t.Any]]]
) -> None:
    writer = BatchWriter(config(tmp_path))
    writer.write_message(cars({"id": {"type": "string"}}))
    writer.write_message(RecordMessage("cars", {"id": "a"}))
    writer.write_message(cars({"id": {"type": "string"}, "new": {"type": "integer"}}))
    writer.write_message(RecordMessage("cars", {"id": "b", "new": 1}))
    writer.finish()
    messages = written()
    assert kinds(messages) == ["SCHEMA", "BATCH", "SCHEMA", "BATCH"]
    columns = [pq.read_table(path_of(messages[place])).column_names for place in (1, 3)]
    assert columns == [["id"], ["id", "new"]]


def test_versions_are_told_with_their_own_records(
    tmp_path: Path, written: Callable[[], list[dict[str, t.Any]]]
) -> None:
    writer = BatchWriter(config(tmp_path))
    writer.write_message(cars())
    writer.write_message(RecordMessage("cars", {"id": "a"}))
    writer.write_message(RecordMessage("cars", {"id": "b"}, version=7))
    writer.finish()
    assert [message.get("version") for message in written()[1:]] == [None, 7]


class ReadsBatches(BatchSink):
    """A sink of the SDK's own."""

    max_size = 10
    seen: t.ClassVar[list[dict[str, t.Any]]] = []

    def process_batch(self, context: dict[str, t.Any]) -> None:
        self.seen.extend(context["records"])


class SdkTarget(Target):
    """A target as the SDK has them."""

    name = "target-sdk"
    default_sink_class = ReadsBatches


@pytest.mark.parametrize(
    "encoding", [PARQUET, {"format": "jsonl"}, {"format": "jsonl", "compression": "none"}]
)
def test_the_sdks_own_targets_read_the_files(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], encoding: dict[str, str]
) -> None:
    root = tmp_path / "a folder"
    writer = BatchWriter(config(root.as_uri(), encoding))
    writer.write_message(cars())
    writer.write_message(RecordMessage("cars", FITTING))
    writer.write_message(StateMessage({"at": 1}))
    writer.finish()
    file = tmp_path / "messages.jsonl"
    file.write_bytes(capsysbinary.readouterr().out)
    ReadsBatches.seen.clear()
    with file.open(encoding="utf-8") as lines:
        SdkTarget(config={}).listen(lines)
    [seen] = ReadsBatches.seen
    assert seen["id"] == "a"
    assert Decimal(str(seen["price"])) == FITTING["price"]
    assert json.loads(capsysbinary.readouterr().out) == {"at": 1}


def test_files_go_to_any_store_that_fsspec_knows(
    written: Callable[[], list[dict[str, t.Any]]],
) -> None:
    writer = BatchWriter(config("memory://batches"))
    writer.write_message(cars())
    writer.write_message(RecordMessage("cars", {"id": "a"}))
    writer.finish()
    [url] = written()[-1]["manifest"]
    assert url.startswith("memory://")
    with fsspec.open(url, "rb") as file:
        assert pq.read_table(file)["id"].to_pylist() == ["a"]
    fsspec.filesystem("memory").rm("/batches", recursive=True)


def fails_half_way(file: t.IO[bytes]) -> None:
    file.write(b"half")
    raise OSError


@pytest.mark.parametrize("root", ["memory://half", "{tmp_path}/half"])
def test_a_file_whose_writing_fails_is_not_there_at_all(tmp_path: Path, root: str) -> None:
    storage = Storage(root.format(tmp_path=tmp_path), {})
    with pytest.raises(AutomateError, match="Cannot write a batch file"):
        storage.put("half.jsonl", fails_half_way)
    assert not fsspec.filesystem("memory").exists("/half/half.jsonl")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


class Cut(MemoryFileSystem):  # type: ignore[misc]
    """A store whose connection ends while it is given a file, which it keeps as far as it came."""

    protocol = "cut"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("cut://", "memory://")))

    def put_file(self, _local: str, path: str, **_more: t.Any) -> None:  # noqa: ANN401 - fsspec's
        self.pipe_file(path, b"half")
        raise ConnectionError


def test_what_a_store_has_of_a_file_that_it_did_not_take_is_deleted() -> None:
    fsspec.register_implementation("cut", Cut, clobber=True)
    with pytest.raises(AutomateError, match="ConnectionError"):
        Storage("cut://folder", {}).put("a.jsonl", lambda _file: None)
    assert not fsspec.filesystem("memory").exists("/folder/a.jsonl")


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("webhdfs://me:word@host:9870/folder", "webhdfs://host:9870/folder/a.jsonl"),
        ("webhdfs://host:9870/folder/", "webhdfs://host:9870/folder/a.jsonl"),
        ("memory://folder/a@b", "memory://folder/a@b/a.jsonl"),
        ("memory://", "memory://a.jsonl"),
        ("/", "file:///a.jsonl"),
        ("local:///folder", "file:///folder/a.jsonl"),
    ],
)
def test_an_address_has_its_host_and_no_user(root: str, expected: str) -> None:
    assert Storage(root, {}).address("a.jsonl") == expected


@pytest.mark.parametrize("root", ["memory://account@folder", "simplecache::memory://folder"])
def test_a_root_whose_files_have_no_address_of_their_own_is_refused(root: str) -> None:
    with pytest.raises(ConfigError, match=r"storage\.root. cannot be used"):
        Storage(root, {})


def test_secrets_of_a_store_are_kept_out_of_what_is_said_at_any_depth() -> None:
    secrets = [f"canary-{number}" for number in range(5)]
    parameters = {
        "client_kwargs": {"aws_secret_access_key": secrets[0], "region_name": "plain-text"},
        "token": {"parts": [{"signer": secrets[1]}]},
        "servers": [{"password": secrets[2]}],
        "secret": secrets[3],
    }
    Storage("memory://folder", parameters)
    Storage(f"webhdfs://me:{secrets[4]}@host:9870/folder", {})
    said = redaction.redact(" ".join([*secrets, "plain-text"]))
    assert said == " ".join(["<secret>"] * 5 + ["plain-text"])


def test_a_file_that_cannot_be_written_leaves_no_part_of_it_and_no_message(
    tmp_path: Path, written: Callable[[], list[dict[str, t.Any]]]
) -> None:
    place = tmp_path / "taken"
    place.write_text("a file, no folder")
    writer = BatchWriter(config(place))
    writer.write_message(cars())
    writer.write_message(RecordMessage("cars", {"id": "private"}))
    writer.write_message(StateMessage({"at": 1}))
    with pytest.raises(AutomateError, match=r"Cannot write a batch file.*file://") as failure:
        writer.finish()
    assert "private" not in str(failure.value)
    assert kinds(written()) == ["SCHEMA"]
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize(
    ("root", "expected"),
    [("s3://bucket/folder", "needs a package"), ("nowhere://folder", "nowhere:// is none")],
)
def test_a_place_that_cannot_be_used_is_refused_before_the_run(
    make_tap: Callable[..., TapAutomate], root: str, expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        make_tap(batch_config=config(root))


@pytest.mark.parametrize("root", ["file://land/x", "file:x", "local://", "file://"])
def test_an_address_of_a_file_that_is_no_whole_path_is_refused(root: str) -> None:
    with pytest.raises(ConfigError, match="with three slashes"):
        Storage(root, {})


@pytest.mark.parametrize(
    ("root", "parameters"),
    [
        ("memory://x/y", {}),
        ("dir://x", {"target_protocol": "memory", "path": "/a"}),
        ("reference://x", {"fo": {}}),
    ],
)
def test_a_place_that_ends_with_the_process_is_refused(
    root: str, parameters: dict[str, t.Any]
) -> None:
    with pytest.raises(ConfigError, match=f"{root}.*gone when it ends"):
        Storage(root, parameters).check()


def test_a_host_that_nobody_knows_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> t.NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ConfigError, match=r"ftp://x/y\): Name or service not known") as refused:
        Storage("ftp://me:a-password@x/y", {})
    assert "a-password" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_store_that_does_not_answer_is_tried_later() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=f"ftp://{place}/y.*does not answer"):
            Storage(f"ftp://me@{place}/y", {})
        with pytest.raises(UnreachableError, match=f"webhdfs://{place}/y/.*does not answer"):
            Storage(f"webhdfs://me:word@{place}/y", {}).check()


@pytest.mark.parametrize("root", ["file:///proc/x", "{tmp_path}/taken", "{tmp_path}/taken/x"])
def test_a_place_that_takes_no_files_is_refused_with_its_path(tmp_path: Path, root: str) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    place = root.format(tmp_path=tmp_path)
    with pytest.raises(ConfigError, match=f"{place}/"):
        Storage(place, {}).check()


def test_a_folder_is_made_with_those_of_the_prefix_and_nothing_stays_in_it(tmp_path: Path) -> None:
    Storage(str(tmp_path / "land"), {}).check("day/a-")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        "land",
        "land/day",
    ]


def test_a_store_is_checked_and_nothing_stays_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lasting(MemoryFileSystem):  # type: ignore[misc]
        protocol = "lasting"

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return str(super()._strip_protocol(path.replace("lasting://", "memory://")))

    monkeypatch.setattr(storage, "MemoryFileSystem", type(None))
    fsspec.register_implementation("lasting", Lasting, clobber=True)
    Storage("lasting://checked", {}).check()
    assert fsspec.filesystem("memory").ls("/checked") == []
    monkeypatch.setattr(Lasting, "put_file", Cut.put_file)
    with pytest.raises(UnreachableError, match="lasting://checked/"):
        Storage("lasting://checked", {}).check()
    fsspec.filesystem("memory").rm("/checked", recursive=True)


@pytest.mark.parametrize("root", ["memory://x/y", "{tmp_path}/taken"])
def test_a_run_asks_for_nothing_when_its_files_have_no_place(
    tmp_path: Path,
    offline_settings: dict[str, t.Any],
    monkeypatch: pytest.MonkeyPatch,
    root: str,
) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    place = root.format(tmp_path=tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**offline_settings, "batch_config": config(place)}))

    def ask(*_: object, **__: object) -> t.NoReturn:
        pytest.fail("there was a request")

    monkeypatch.setattr(TapAutomate, "sync_all", ask)
    with pytest.raises(ConfigError, match=place):
        TapAutomate.cli.main(["--config", str(file)], standalone_mode=False)


def test_a_name_that_is_mistyped_is_said(make_tap: Callable[..., TapAutomate]) -> None:
    with pytest.raises(ConfigError, match=r"got `batch_sise`; is `batch_size` meant\?"):
        make_tap(batch_config={**config("/x"), "batch_sise": 10})


def test_what_waits_for_a_state_is_told_when_it_is_out(
    tmp_path: Path, written: Callable[[], list[dict[str, t.Any]]]
) -> None:
    for writer, at_once in ((BlockWriter(), True), (BatchWriter(config(tmp_path)), False)):
        told: list[int] = []
        writer.write_message(cars())
        writer.write_message(RecordMessage("cars", {"id": "a"}))
        writer.after_state(functools.partial(told.append, 1))
        writer.write_message(StateMessage({"at": 1}))
        assert told == ([1] if at_once else [])
        assert ("STATE" in kinds(written())) is at_once
        writer.finish()
        writer.write_message(StateMessage({"at": 2}))
        assert told == [1]
        written()


def test_who_waits_for_a_state_that_cannot_be_written_is_not_told(tmp_path: Path) -> None:
    place = tmp_path / "taken"
    place.write_text("a file, no folder")
    writer = BatchWriter(config(place))
    writer.write_message(cars())
    writer.write_message(RecordMessage("cars", {"id": "a"}))
    writer.after_state(lambda: pytest.fail("no STATE is out"))
    writer.write_message(StateMessage({"at": 1}))
    with pytest.raises(AutomateError):
        writer.finish()


@pytest.mark.parametrize(
    "setting",
    [
        {"storage": {"root": "x"}},
        {"encoding": PARQUET},
        {"encoding": {"format": "csv"}, "storage": {"root": "x"}},
        {"encoding": PARQUET, "storage": {"root": ""}},
        {"encoding": PARQUET, "storage": {"root": "x"}, "batch_size": 0},
        {"encoding": {"format": "jsonl", "compression": "zstd"}, "storage": {"root": "x"}},
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    make_tap: Callable[..., TapAutomate], setting: dict[str, t.Any]
) -> None:
    with pytest.raises(ConfigError, match="batch_config"):
        make_tap(batch_config=setting)


def test_every_compression_that_is_named_can_be_written_and_loaded(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    encodings = [
        {"format": form, "compression": word}
        for form, words in {
            "jsonl": ("gzip", "none"),
            "parquet": ("zstd", "snappy", "gzip", "none"),
        }.items()
        for word in words
    ]
    for number, encoding in enumerate(encodings):
        assert not list(problems(config(tmp_path, encoding)))
        writer = BatchWriter(config(tmp_path, encoding))
        writer.write_message(cars())
        writer.write_message(RecordMessage("cars", {**FITTING, "id": str(number)}))
        writer.finish()
    messages = capsysbinary.readouterr().out.decode().splitlines()
    loader = Loader(tmp_path / "w.duckdb", t.cast("t.Any", capsysbinary))
    target = loader.target()
    (tmp_path / "messages").write_text("\n".join(messages))
    with (tmp_path / "messages").open("rb") as lines:
        target.listen(lines)  # type: ignore[arg-type]
    target.close()
    rows = loader.query("SELECT price, lot, count(*) FROM cars GROUP BY ALL")
    assert rows == [(Decimal("41250.00"), '{"name":"Main","area":1.10}', len(encodings))]


def test_about_lists_the_capability_and_the_setting(capsys: pytest.CaptureFixture[str]) -> None:
    TapAutomate.print_about("json")
    about = json.loads(capsys.readouterr().out)
    assert "batch" in about["capabilities"]
    assert set(about["settings"]["properties"]["batch_config"]["properties"]) == {
        "encoding",
        "storage",
        "batch_size",
    }


def test_who_wants_no_files_does_not_wait_for_arrow_to_be_loaded() -> None:
    code = "import sys, tap_automate.tap; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    assert done.stdout == "False\n"


def test_the_sql_of_the_paper_takes_the_last_version_of_each_row(
    tmp_path: Path, written: Callable[[], list[dict[str, t.Any]]]
) -> None:
    instant = {"type": ["string", "null"], "format": "date-time"}
    text = {"type": ["string"]}
    vehicles = {"vehicleId": text, "updatedAt": instant}
    fees = {"dealId": text, "position": {"type": ["integer"]}, "parentUpdatedAt": instant}
    days = ["2026-01-20T00:00:00Z", "2026-01-21T00:00:00Z"]
    runs: list[list[tuple[str, dict[str, t.Any], list[dict[str, t.Any]]]]] = [
        [
            ("vehicles", vehicles, [{"vehicleId": "a", "updatedAt": days[0]}]),
            ("vehicles", vehicles, [{"vehicleId": "b", "updatedAt": days[1]}]),
            ("vehicles", vehicles, [{"vehicleId": "c", "updatedAt": None}]),
            (
                "deal_fees",
                fees,
                [{"dealId": "d", "position": n, "parentUpdatedAt": days[0]} for n in (1, 2)],
            ),
        ],
        [
            (
                "vehicles",
                {**vehicles, "trim": text},
                [{"vehicleId": name, "updatedAt": days[1], "trim": "S"} for name in "ac"],
            ),
            ("deal_fees", fees, [{"dealId": "d", "position": 1, "parentUpdatedAt": days[1]}]),
            # As after a run that was killed: the same rows once more.
            ("deal_fees", fees, [{"dealId": "d", "position": 1, "parentUpdatedAt": days[1]}]),
        ],
    ]
    for messages in runs:
        writer = BatchWriter(config(tmp_path / "landing"))
        for stream, properties, records in messages:
            schema = {"type": "object", "properties": properties}
            writer.write_message(SchemaMessage(stream, schema, key_properties=()))
            for record in records:
                writer.write_message(RecordMessage(stream, record))
            writer.finish()
    assert kinds(written()).count("BATCH") == 7
    paper = (ROOT / "docs/batches.md").read_text("utf-8")
    queries = re.findall(r"^```sql\n(.*?)^```", paper, re.MULTILINE | re.DOTALL)
    latest, current = (query.replace("landing/", f"{tmp_path}/landing/") for query in queries)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'").fetchall()
        found = connection.sql(latest).project('"vehicleId", day("updatedAt"), trim').order("1")
        assert found.fetchall() == [("a", 21, "S"), ("b", 21, None), ("c", 21, "S")]
        found = connection.sql(current).project('"dealId", "position", day("parentUpdatedAt")')
        assert found.fetchall() == [("d", 1, 21)]
