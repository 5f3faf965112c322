"""Records written together are the messages that they are one by one, and go out in time."""

from __future__ import annotations

import datetime as dt
import json
import typing as t
from decimal import Decimal

import msgspec
import pytest
from singer_sdk.singerlib import RecordMessage, StateMessage

from automate_singer.writer import BUFFER_BYTES, MOST_SECONDS, BlockWriter

RECORDS: list[dict[str, t.Any]] = [
    {"id": "a", "price": Decimal("41250.00"), "name": 'Itō "the\n second"'},
    {"id": "b", "price": None, "parts": [{"debit": Decimal("0.0375")}]},
]


class Typed(msgspec.Struct):
    """A record that is no dict."""

    id: str
    price: t.Any = msgspec.UNSET


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 7.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def writer(time: Time) -> BlockWriter:
    return BlockWriter(time)


def lines(capture: pytest.CaptureFixture[bytes]) -> list[dict[str, t.Any]]:
    return [json.loads(line, parse_float=Decimal) for line in capture.readouterr().out.splitlines()]


@pytest.mark.parametrize("version", [None, 7])
def test_records_together_are_the_messages_that_they_are_one_by_one(
    writer: BlockWriter, capfdbinary: pytest.CaptureFixture[bytes], version: int | None
) -> None:
    writer.write_records("cars", RECORDS, version=version)
    writer.flush()
    together = lines(capfdbinary)
    now = dt.datetime.now(dt.UTC)
    for record in RECORDS:
        writer.write_message(
            RecordMessage(stream="cars", record=record, version=version, time_extracted=now)
        )
    writer.flush()
    apart = lines(capfdbinary)
    for message in [*together, *apart]:
        extracted = dt.datetime.fromisoformat(message.pop("time_extracted"))
        assert extracted.utcoffset() == dt.timedelta()
    assert together == apart
    assert [message["record"] for message in together] == RECORDS


def test_what_a_struct_has_not_set_is_not_written(
    writer: BlockWriter, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    writer.write_records("cars", [Typed("a"), Typed("b", None)])
    writer.flush()
    assert [m["record"] for m in lines(capfdbinary)] == [{"id": "a"}, {"id": "b", "price": None}]


def test_records_wait_until_the_buffer_is_full(
    writer: BlockWriter, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    writer.write_records("cars", RECORDS)
    assert lines(capfdbinary) == []
    writer.write_records("cars", [{"id": "x" * BUFFER_BYTES}])
    assert len(lines(capfdbinary)) == 3


def test_records_do_not_wait_for_longer_than_a_second(
    writer: BlockWriter, time: Time, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    writer.write_records("cars", RECORDS)
    time.seconds += MOST_SECONDS
    writer.write_records("cars", RECORDS)
    assert len(lines(capfdbinary)) == 4


def test_a_state_goes_out_at_once_behind_the_records_before_it(
    writer: BlockWriter, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    value = {"bookmarks": {"cars": {"seen": ["a", "b"], "partitions": []}}}
    writer.write_records("cars", RECORDS)
    writer.write_message(StateMessage(value=value))
    found = lines(capfdbinary)
    assert [message["type"] for message in found] == ["RECORD", "RECORD", "STATE"]
    assert found[-1] == {"type": "STATE", "value": value}
