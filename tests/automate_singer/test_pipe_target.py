"""What a target is handed of messages: records through stream maps, skips, STATE, mistakes."""

from __future__ import annotations

import io
import json
import typing as t

import pytest
from support.collector import Collector, collected
from support.singer import Message, lines_of, record, schema, state

from automate_api.errors import ConfigError
from automate_singer.errors import InputError, NoSchemaError, UnfitRecordError

PRIVATE = "kept-private"
CARS = schema("cars", ["id"], id="integer", price="number")
CAR = record("cars", id=1, price=2)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f'{{"type": "RECORD", "record": "{PRIVATE}"}}', "a record that is an object"),
        (f'{{"type": "RECORD", "record": {{"a": "{PRIVATE}"}}}}', "the name of a stream"),
        ('{"type": "RECORD", "stream": ["cars"], "record": {}}', "the name of a stream"),
        (f'{{"type": "SCHEMA", "schema": "{PRIVATE}"}}', "a stream and a schema with properties"),
        ('{"type": "SCHEMA", "stream": "s", "schema": {}}', "a schema with properties"),
        ('{"type": "SCHEMA", "stream": "", "schema": {"properties": {}}}', "expected a stream"),
        ('{"type": "SCHEMA", "stream": null, "schema": {"properties": {}}}', "expected a stream"),
        (
            '{"type": "SCHEMA", "stream": "s", "schema": {"properties": {}}, "key_properties": 5}',
            "key_properties as a list",
        ),
        (f'{{"type": "STATE", "{PRIVATE}": 1}}', "expected a value"),
    ],
)
def test_a_message_that_breaks_the_specification_is_named_by_its_line(
    line: str, expected: str
) -> None:
    with pytest.raises(InputError) as failure:
        collected([CARS, CAR, line])
    assert f"Line 3 of the input is a {json.loads(line)['type']} message" in str(failure.value)
    assert expected in str(failure.value)
    assert PRIVATE not in str(failure.value)


@pytest.mark.parametrize("declared", [None, [], "string"])
def test_a_property_without_a_schema_is_malformed(declared: object) -> None:
    message = schema("s", k="integer")
    message["schema"]["properties"]["v"] = declared
    with pytest.raises(InputError, match="expected a stream and a schema with properties"):
        collected([message])


def test_a_record_before_its_schema_says_so() -> None:
    with pytest.raises(NoSchemaError, match="A RECORD for stream 'early' came before its SCHEMA"):
        collected([CARS, record("early", id=1)])


def test_batch_messages_are_refused_unless_a_target_reads_them() -> None:
    batch = {"type": "BATCH", "stream": "cars", "manifest": [], "encoding": {"format": "jsonl"}}
    with pytest.raises(InputError, match="Line 2 of the input is a BATCH message, which target-c"):
        collected([CARS, batch])


def test_versions_are_passed_over_unless_a_target_has_them() -> None:
    version = {"type": "ACTIVATE_VERSION", "stream": "cars", "version": 1}
    assert collected([CARS, version, CAR]).taken == [("cars", {"id": 1, "price": 2})]


def test_streams_that_nothing_takes_are_skipped() -> None:
    skipped = schema("skipped", a="string")
    target = collected([CARS, skipped, record("skipped", a="x"), CAR, record("skipped", a="y")])
    assert target.taken == [("cars", {"id": 1, "price": 2})]
    assert target.calls.count("route skipped") == 1
    assert target.calls.count("record") == 3


@pytest.mark.parametrize("maps", [{"cars": None}, {"cars": "__NULL__"}, {"__else__": None}])
def test_a_stream_that_its_map_drops_is_neither_opened_nor_taken(maps: dict[str, None]) -> None:
    target = collected([CARS, CAR], stream_maps=maps)
    assert target.taken == []
    assert target.calls == ["record"]


def test_stream_maps_filter_rename_compute_and_copy() -> None:
    maps = {
        "cars": {"__alias__": "vehicles", "__filter__": "id != 2"},
        "prices": {
            "__source__": "cars",
            "id": "id",
            "price": "price * 2",
            "__else__": "__NULL__",
        },
    }
    messages = [CARS, CAR, record("cars", id=2, price=3)]
    target = collected(messages, stream_maps=maps)
    assert target.taken == [
        ("vehicles", {"id": 1, "price": 2}),
        ("prices", {"id": 1, "price": 4}),
        ("prices", {"id": 2, "price": 6}),
    ]
    assert target.calls[:2] == ["open cars as vehicles", "open cars as prices"]


def test_every_taker_of_a_stream_has_a_record_of_its_own() -> None:
    class Marker(Collector):
        def take(self, sink: str, record: Message, message: Message) -> None:
            record[sink] = True
            super().take(sink, record, message)

    target = Marker(config={"place": "here", "stream_maps": {"copies": {"__source__": "cars"}}})
    target.listen(io.StringIO(lines_of([CARS, CAR])))
    assert target.taken == [
        ("cars", {"id": 1, "price": 2, "cars": True}),
        ("copies", {"id": 1, "price": 2, "copies": True}),
    ]


def test_records_are_flattened_as_the_settings_say() -> None:
    lot = {"type": "object", "properties": {"name": {"type": "string"}}}
    messages = [schema("cars", lot=lot), record("cars", lot={"name": "A"})]
    target = collected(messages, flattening_enabled=True, flattening_max_depth=1)
    assert target.taken == [("cars", {"lot__name": "A"})]


@pytest.mark.parametrize("expression", ["1 +", "nowhere("])
def test_a_stream_map_that_is_no_expression_is_a_mistake_in_the_settings(expression: str) -> None:
    with pytest.raises(ConfigError, match="The stream map of 'cars' cannot be used"):
        collected([CARS], stream_maps={"cars": {"price": expression}})


@pytest.mark.parametrize("expression", ["int(price)", "price.nothing", "nowhere + 1"])
def test_a_stream_map_that_fails_on_a_record_names_stream_and_line_and_no_value(
    expression: str,
) -> None:
    maps = {"vehicles": {"__source__": "cars", "price": expression}, "__else__": None}
    with pytest.raises(UnfitRecordError) as failure:
        collected([CARS, record("cars", id=1, price=PRIVATE)], stream_maps=maps)
    text = str(failure.value)
    assert "Stream 'vehicles': its stream map failed on line 2 of the input" in text
    assert text.endswith("Correct the expression; what came before it stands")
    assert PRIVATE not in text


def test_a_schema_counts_once_until_it_changes() -> None:
    wider = schema("cars", ["id"], id="integer", price="number", sold="boolean")
    keyless = schema("cars", [], id="integer", price="number", sold="boolean")
    target = collected([CARS, CAR, CARS, CAR, wider, wider, keyless, CAR])
    assert target.calls == [
        "open cars as cars",
        *["route cars", "record", "record"],
        *["change cars", "open cars as cars"],
        *["change cars", "open cars as cars"],
        *["route cars", "record"],
    ]


def test_state_is_written_at_the_end_unless_the_target_takes_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    collected([CARS, state({"at": 1}), CAR, '{"type": "STATE", "value": {"at": 0.10}}'])
    assert capsys.readouterr().out == '{"at":0.10}\n'

    received: list[t.Any] = []

    class Own(Collector):
        def state_received(self, value: t.Any) -> None:  # noqa: ANN401 - any JSON
            received.append(value)

    target = Own(config={"place": "here"})
    target.listen(io.StringIO(lines_of([state({"at": 1}), state(None), state({})])))
    assert received == [{"at": 1}, None, {}]
    assert capsys.readouterr().out == ""


def test_a_state_is_written_once_in_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    target = Collector(config={"place": "here"})
    for value in [None, None, {"a": 1}, {"a": 1}, {"a": 2}, {"a": 1}]:
        target.write_state(value)
    assert capsys.readouterr().out == 'null\n{"a":1}\n{"a":2}\n{"a":1}\n'
