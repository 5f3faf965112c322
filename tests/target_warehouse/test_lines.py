"""Lines that are read together leave what they leave when each is read alone."""

from __future__ import annotations

import io
import json
import typing as t
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.singer import Loader, Message, drained, lines_of, record, schema, state

from automate_singer.errors import InputError, UnfitRecordError
from target_warehouse.lines import PATIENCE, RecordLines
from target_warehouse.sink import WarehouseSink
from target_warehouse.target import TargetWarehouse

if t.TYPE_CHECKING:
    from pathlib import Path

CARS = schema(
    "cars",
    ["id"],
    id="string",
    price="number",
    count="integer",
    sold="boolean",
    lot={"type": ["object", "null"]},
    at={"type": ["string", "null"], "format": "date-time"},
)
LOTS = schema("lots", ["id"], id="string", size="number")


def line(stream: str, fields: str, head: str = "") -> str:
    """Write a RECORD message as a tap does, the record as given."""
    return (
        f'{{"type":"RECORD","stream":"{stream}",{head}"record":{{{fields}}},"time_extracted":"x"}}'
    )


NUMBERS = st.sampled_from(["1", "1.50", "-0.0", "1e3", "12345678901234567890.123", "null", "0.10"])
CAR_LINES = st.builds(
    lambda key, price, count, rest: line(
        "cars", f'"id":"{key}","price":{price},"count":{count}{rest}'
    ),
    st.sampled_from("abcd"),
    NUMBERS,
    st.sampled_from(["1", "null", "7", "5.0", "99999999999999999999"]),
    st.sampled_from(
        [
            "",
            ',"sold":true',
            ',"lot":{"name":"A \\u00e9","sizes":[1.10,null]}',
            ',"at":"2026-01-20T10:00:00Z"',
            ',"unknown":1',
            ',"price":2.5',
        ]
    ),
)
OTHER_LINES = st.sampled_from(
    [
        line("lots", '"id":"x","size":1.5'),
        line("cars", '"id":"v"', '"version":3,'),
        line("cars", '"id":"w","price":1', '"other":[1,2],'),
        json.dumps(record("cars", id="spaced", price=1)),
        json.dumps(state({"n": 1})),
        json.dumps(CARS),
        "",
        "  ",
    ]
)


def loaded(path: Path, lines: list[str], *, together: bool) -> tuple[t.Any, ...]:
    """Load lines; give back tables, counted unknown fields and the error, if there was one."""
    target = TargetWarehouse(config={"filepath": str(path)})
    if not together:
        target.message_reader.take_lines = lambda _lines, _start: 0
    error = ""
    try:
        target.listen(io.StringIO("".join(f"{each}\n" for each in lines)))
    except (InputError, UnfitRecordError) as failure:
        error = str(failure)
    finally:
        target.close()
    unknown = {stream: dict(tally.unknown_fields) for stream, tally in target.tallies.items()}
    unversioned = {stream: tally.unversioned for stream, tally in target.tallies.items()}
    reader = target.message_reader
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'").fetchall()
        tables = {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()  # noqa: S608 - ours
            for table in ("cars", "lots")
        }
    return tables, unknown, unversioned, error, reader.line_number, reader.bytes_read


@settings(max_examples=20, deadline=None)
@given(lines=st.lists(CAR_LINES | CAR_LINES | OTHER_LINES, max_size=12))
def test_lines_read_together_leave_what_lines_read_alone_leave(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    messages = [json.dumps(CARS), json.dumps(LOTS), line("cars", '"id":"first"'), *lines]
    together = loaded(folder / "together.duckdb", messages, together=True)
    assert together == loaded(folder / "alone.duckdb", messages, together=False)


@pytest.mark.parametrize(
    "bad",
    [
        '{"type":"RECORD","stream":"cars","record":{"id":"x"',
        '{"type":"RECORD","stream":"cars","record":{"id":"\\ud800"}}',
        line("cars", '"id":"a","price":[1]'),
        line("cars", '"id":"a"') + line("cars", '"id":"b"'),
        '{"type":"RECORD","stream":"cars","record":[]}',
        '{"type":"RECORD","stream":"cars","record":{"id":"a","lot":' + "[" * 100_000,
        line("cars", '"id":"a"') + line("cars", '"id":"b"') + "\n",
        line("cars", '"id":"a"').replace('"time', '\n"time'),
        line("cars", '"id":"a"')[:-1] + "\n}" + line("cars", '"id":"b"'),
        line("cars", '"id":"a"').replace('"x"', '"\udcff"'),
    ],
)
def test_a_line_that_cannot_be_taken_is_refused_in_the_same_words(tmp_path: Path, bad: str) -> None:
    good = [line("cars", f'"id":"{number}"') for number in range(5)]
    messages = [json.dumps(CARS), json.dumps(LOTS), *good, bad, *good]
    together = loaded(tmp_path / "together.duckdb", messages, together=True)
    assert together == loaded(tmp_path / "alone.duckdb", messages, together=False)
    assert together[3]


def test_a_run_ends_where_another_stream_or_a_state_begins() -> None:
    lines = RecordLines("cars", ["id", "price"])
    lines.learn(line("cars", '"id":"a"').encode())
    block = "".join(
        f"{each}\n"
        for each in [
            line("cars", '"id":"a","price":1.10'),
            line("cars", '"price":null'),
            line("lots", '"id":"x"'),
            line("cars", '"id":"b"'),
        ]
    ).encode()
    rows, end = lines.take(block, 0)
    assert [(row.f0, row.f1) for row in rows] == [("a", Decimal("1.10")), (None, None)]
    assert block[end:].startswith(b'{"type":"RECORD","stream":"lots"')
    assert lines.take(block, end) == ([], 0)
    after = end + block[end:].index(b"\n") + 1
    rows, end = lines.take(block, after)
    assert [row.f0 for row in rows] == ["b"]
    assert end == len(block)


def test_a_line_without_its_end_is_left_to_be_read_alone() -> None:
    lines = RecordLines("cars", ["id"])
    only = line("cars", '"id":"a"').encode()
    lines.learn(only)
    assert lines.take(only, 0) == ([], 0)
    assert lines.take(only + b"\n", 0)[1] == len(only) + 1


def test_a_stream_of_other_records_than_its_schema_says_is_soon_read_line_by_line() -> None:
    lines = RecordLines("cars", ["id"])
    odd = line("cars", '"id":"a","unknown":1').encode() + b"\n"
    good = line("cars", '"id":"a"').encode() + b"\n"
    lines.learn(good)
    for _ in range(PATIENCE):
        assert lines.take(odd, 0) == ([], 0)
    assert lines.take(good, 0) == ([], 0)


def test_a_few_odd_records_do_not_make_all_of_a_stream_slow() -> None:
    lines = RecordLines("cars", ["id"])
    odd = line("cars", '"id":"a","unknown":1').encode() + b"\n"
    good = line("cars", '"id":"a"').encode() + b"\n"
    lines.learn(good)
    for _ in range(3 * PATIENCE):
        assert lines.take(odd, 0) == ([], 0)
        assert len(lines.take(good * 2, 0)[0]) == 2


def test_rows_that_come_together_drain_where_rows_that_come_alone_do(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[Message | str] = [CARS]
    messages += [line("cars", f'"id":"{number}"') for number in range(3)]
    messages += [state(1), *[line("cars", f'"id":"{number}"') for number in range(3, 10)], state(2)]
    target = loader.target(batch_size_rows=4)
    sizes = drained(target, monkeypatch)
    target.listen(io.StringIO(lines_of(messages)))
    assert sizes == [4, 4]
    assert loader.states() == [1, 2]
    assert loader.query("SELECT count(*) FROM cars") == [(10,)]


def instants(stream: str, number: int) -> bytes:
    """Write a RECORD message that begins with an instant."""
    head = f'{{"time_extracted": "2026-01-20T10:00:{number:09.6f}Z", "type": "RECORD", '
    return f'{head}"stream": "{stream}", "record": {{"id": "{number}"}}}}\n'.encode()


def test_lines_whose_beginnings_vary_are_soon_read_together() -> None:
    lines = RecordLines("cars", ["id"])
    for number in range(PATIENCE + 50):
        lines.learn(instants("cars", number))
    block = b"".join(instants("cars", number) for number in range(50))
    rows, end = lines.take(block, 0)
    assert [row.f0 for row in rows] == [str(number) for number in range(50)]
    assert end == len(block)


def test_lines_whose_beginnings_vary_are_told_from_those_of_other_streams() -> None:
    lines = RecordLines("cars", ["id"])
    for number in range(PATIENCE + 50):
        lines.learn(instants("cars", number))
    ours = b"".join(instants("cars", number) for number in range(5))
    block = ours + instants("lots", 5) + ours
    for _ in range(2 * PATIENCE):
        rows, end = lines.take(block, 0)
        assert (len(rows), end) == (5, len(ours))
        assert lines.take(block, end) == ([], 0)


def test_one_line_that_begins_otherwise_does_not_make_the_others_slow() -> None:
    lines = RecordLines("cars", ["id"])
    good = line("cars", '"id":"a"').encode() + b"\n"
    for _ in range(PATIENCE // 2 - 1):
        lines.learn(b'{"stream":"cars","type":"RECORD","record":{"id":"a"}}\n')
        lines.learn(good)
    block = good * 3 + line("lots", '"id":"x"').encode() + b"\n"
    assert len(lines.take(block, 0)[0]) == 3


def test_records_of_a_file_are_read_together_unless_one_is_not_as_expected() -> None:
    lines = RecordLines("cars", ["id", "price"])
    rows = lines.records(b'{"id":"a","price":1.10}\n{"id":"b"}\n')
    assert [(row.f0, row.f1) for row in rows] == [("a", Decimal("1.10")), ("b", None)]
    for odd in (
        b'{"id":"a","unknown":1}\n',
        b'{"id":"a"}{"id":"b"}\n\n',
        b'{"id"\n:"a"}\n',
        b"[]\n",
    ):
        assert lines.records(odd) == []


@pytest.mark.parametrize("odd", ["", '{"id":"odd","unknown":1}\n', "\n"])
def test_a_file_read_together_leaves_what_one_read_line_by_line_leaves(
    loader: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    file = tmp_path / "cars.jsonl"
    file.write_text(
        '{"id":"a","price":12345678901234567890.123}\n' + odd + '{"id":"a","lot":{"size":1.10}}'
    )
    encoding = {"format": "jsonl"}
    message = {"type": "BATCH", "stream": "cars", "encoding": encoding, "manifest": [file.as_uri()]}
    together: list[int] = []
    take = WarehouseSink.take_rows

    def noted(sink: WarehouseSink, rows: t.Sequence[t.Any]) -> None:
        together.append(len(rows))
        take(sink, rows)

    monkeypatch.setattr(WarehouseSink, "take_rows", noted)
    loader.run([CARS, message])
    left = loader.query("SELECT * FROM cars ORDER BY id")
    assert together == ([] if odd else [2])
    loader.path.unlink()
    monkeypatch.setattr(RecordLines, "records", lambda _self, _lines: [])
    loader.run([CARS, message])
    assert loader.query("SELECT * FROM cars ORDER BY id") == left
