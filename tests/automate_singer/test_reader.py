"""Messages from a pipe: whole, exact, named by line when malformed, and ended when asked to."""

from __future__ import annotations

import io
import os
import select
import typing as t
from decimal import Decimal
from pathlib import Path

import pytest

from automate_api.errors import StoppedError
from automate_singer.errors import InputError
from automate_singer.reader import MessageReader

if t.TYPE_CHECKING:
    from collections.abc import Iterator

PRIVATE = "kept-private"


def read(stream: t.Any, reader: MessageReader | None = None) -> list[t.Any]:  # noqa: ANN401 - any stream
    """Read STATE messages, and give back their values."""
    values: list[t.Any] = []
    callbacks = {"STATE": lambda message: values.append(message["value"])}
    (reader or MessageReader()).process_lines(stream, callbacks)
    return values


@pytest.fixture
def pipe() -> Iterator[tuple[t.IO[bytes], t.IO[bytes]]]:
    receive, send = os.pipe()
    with os.fdopen(receive, "rb") as reading, os.fdopen(send, "wb", buffering=0) as writing:
        yield reading, writing


@pytest.mark.parametrize("size", [1, 7, 50, 10_000])
def test_lines_that_come_in_pieces_are_put_together(
    pipe: tuple[t.IO[bytes], t.IO[bytes]], size: int
) -> None:
    reading, writing = pipe
    expected = [1, "é" * 40, [None, True]]
    text = '{"type":"STATE","value":1}\n{"type":"STATE","value":"' + "é" * 40
    data = f'{text}"}}\n\n{{"type":"STATE","value":[null,true]}}'.encode()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    reader = MessageReader()

    def feed() -> None:
        if pieces:
            writing.write(pieces.pop(0))
        else:
            writing.close()

    reader.wait_seconds = 0.001
    reader.on_wait = feed
    assert read(reading, reader) == expected
    assert reader.line_number == 4


@pytest.mark.parametrize("kind", ["bytes", "text", "file"])
def test_every_kind_of_input_is_read_to_its_last_line(tmp_path: Path, kind: str) -> None:
    text = '{"type": "STATE", "value": 1}\r\n \t\r\n\n{"type": "STATE", "value": 2}'
    file = tmp_path / "input"
    file.write_bytes(text.encode())
    with file.open(encoding="utf-8") as opened:
        streams = {"bytes": io.BytesIO(text.encode()), "text": io.StringIO(text), "file": opened}
        assert read(streams[kind]) == [1, 2]


def test_numbers_keep_every_digit() -> None:
    [value] = read(io.BytesIO(b'{"type":"STATE","value":[0.1000, 1e2, 12345678901234567890]}'))
    assert value == [Decimal("0.1"), Decimal("1E+2"), 12345678901234567890]
    assert list(map(type, value)) == [Decimal, Decimal, int]
    assert str(value[0]) == "0.1000"


def test_messages_are_counted_by_type() -> None:
    lines = io.BytesIO(b'{"type":"A"}\n{"type":"B"}\n{"type":"A"}\n')
    seen: list[str] = []
    note = lambda message: seen.append(message["type"])  # noqa: E731 - shorter
    reader = MessageReader()
    assert reader.process_lines(lines, {"A": note, "B": note}) == {"A": 2, "B": 1}
    assert seen == ["A", "B", "A"]
    assert reader.bytes_read == len(lines.getvalue())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f'{{"type": "STATE", "{PRIVATE}'.encode(), "is not valid JSON"),
        (b'{"type": "STATE", "value": "\xff"}', "is not valid JSON"),
        (f'["{PRIVATE}"]'.encode(), "is JSON but no object"),
        (f'{{"type": "{PRIVATE}"}}'.encode(), "has no known type: expected STATE"),
        (f'{{"type": ["{PRIVATE}"]}}'.encode(), "has no known type: expected STATE"),
        (f'{{"stream": "{PRIVATE}"}}'.encode(), "has no known type: expected STATE"),
        (b'{"type":"STATE","value":' + b"[" * 100_000, "nests values too deeply"),
    ],
)
def test_a_line_that_is_no_message_is_named_by_its_number_alone(line: bytes, expected: str) -> None:
    stream = io.BytesIO(b'{"type":"STATE","value":1}\n\n' + line)
    with pytest.raises(InputError) as failure:
        read(stream)
    assert f"Line 3 of the input {expected}" in str(failure.value)
    assert PRIVATE not in str(failure.value)


def test_what_waits_is_told_after_each_wait_whether_input_came_or_not(
    pipe: tuple[t.IO[bytes], t.IO[bytes]],
) -> None:
    reading, writing = pipe
    reader = MessageReader()
    reader.wait_seconds = 0.001
    waits: list[int] = []

    def wait() -> None:
        waits.append(reader.line_number)
        if len(waits) == 3:
            writing.write(b'{"type":"STATE","value":1}\n')
        elif reader.line_number:
            writing.close()

    reader.on_wait = wait
    assert read(reading, reader) == [1]
    assert waits[:3] == [0, 0, 0]
    assert waits[-1] == 1


def test_a_stop_ends_a_wait_before_its_time(
    pipe: tuple[t.IO[bytes], t.IO[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = pipe
    reader = MessageReader()
    stopped = StoppedError()
    ready: list[list[int]] = []
    select_ready = select.select

    def selecting(*arguments: t.Any) -> t.Any:  # noqa: ANN401 - passed on
        found = select_ready(*arguments)
        ready.append(found[0])
        return found

    monkeypatch.setattr(select, "select", selecting)
    reader.on_wait = lambda: reader.stop(stopped)
    writing.write(b'{"type":"STATE"')
    with pytest.raises(StoppedError) as raised:
        read(reading, reader)
    assert raised.value is stopped
    [_, woken] = ready
    assert woken
    assert reading.fileno() not in woken


@pytest.mark.parametrize("from_pipe", [True, False])
def test_a_stop_comes_between_two_messages(
    pipe: tuple[t.IO[bytes], t.IO[bytes]], *, from_pipe: bool
) -> None:
    reading, writing = pipe
    lines = b'{"type":"STATE","value":1}\n' * 3
    writing.write(lines)
    reader = MessageReader()
    ends: list[str] = []

    def take(_message: object) -> None:
        reader.stop(StoppedError(130))
        ends.append("taken whole")

    with pytest.raises(StoppedError) as raised:
        reader.process_lines(reading if from_pipe else io.BytesIO(lines), {"STATE": take})
    assert raised.value.exit_code == 130
    assert ends == ["taken whole"]


@pytest.mark.skipif(os.name == "nt", reason="Windows does not list open files")
def test_reading_leaves_no_file_open(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(b'{"type":"STATE","value":1}\nno message\n')
    with file.open("rb") as opened:
        before = open_files()
        for _ in range(3):
            opened.seek(0)
            with pytest.raises(InputError):
                read(opened)
        assert open_files() == before


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))
