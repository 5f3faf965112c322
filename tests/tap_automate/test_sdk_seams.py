"""Messages written by the tap's own loop are those that the SDK's path would write."""

from __future__ import annotations

import copy
import datetime as dt
import typing as t
from decimal import Decimal

import msgspec
import pytest
from singer_sdk import Stream
from singer_sdk.singerlib import RecordMessage, SchemaMessage

from automate_api.errors import ConfigError
from tap_automate.reading.codec import Codec, plain
from tap_automate.resources import ResourceStream
from tap_automate.sdk_seams import RowStream

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk.singerlib import Message

    from automate_singer.writer import BlockWriter
    from tap_automate.tap import TapAutomate

VEHICLE: dict[str, t.Any] = {
    "vehicleId": "veh_28f93a",
    "rooftopId": "rt_1",
    "vin": "1FTFW1E50NFA00001",
    "year": 2024,
    "isWholesale": False,
    "listPrice": Decimal("41250.00"),
    "odometer": {"value": 12, "unit": "mi"},
    "lot": {"lotId": "lot_1", "name": "Main"},
    "photos": [{"url": "https://example.com/1.jpg"}],
    "acquisitionDate": "2026-01-02",
    "updatedAt": "2026-01-20T13:45:00Z",
    "deletedAt": None,
}


class Heard:
    """Keeps the messages that a tap writes."""

    def __init__(self, tap: TapAutomate, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: list[Message] = []
        monkeypatch.setattr(tap.message_writer, "write_message", self.messages.append)

    def records(self) -> list[dict[str, t.Any]]:
        return [m.record for m in self.messages if isinstance(m, RecordMessage)]

    def schemas(self) -> list[dict[str, t.Any]]:
        return [m.schema for m in self.messages if isinstance(m, SchemaMessage)]


def stream_of(tap: TapAutomate, name: str = "vehicles") -> RowStream:
    stream = tap.streams[name]
    assert isinstance(stream, RowStream)
    return stream


def select(catalog: dict[str, t.Any], *fields: str) -> dict[str, t.Any]:
    """Return the catalog with only these fields of vehicles selected, `odometer.unit` never."""
    entry = next(e for e in catalog["streams"] if e["tap_stream_id"] == "vehicles")
    for metadata in entry["metadata"]:
        crumb = metadata["breadcrumb"]
        if crumb:
            metadata["metadata"]["selected"] = crumb[1] in fields and crumb[-1] != "unit"
        else:
            metadata["metadata"]["selected"] = True
    return catalog


STREAM_MAPS = {
    "vehicles": {"vin_end": "vin[-6:]", "exteriorColor": None, "__filter__": "year > 2000"},
    "new_cars": {"__source__": "vehicles", "__filter__": "year > 2023"},
}


FLATTENING = {"flattening_enabled": True, "flattening_max_depth": 1}


@pytest.mark.parametrize("selected", [False, True])
@pytest.mark.parametrize(
    "settings",
    [{}, {"stream_maps": STREAM_MAPS}, {"flattening_enabled": True, "flattening_max_depth": 1}],
)
def test_record_messages_equal_those_of_the_sdk(
    make_tap: Callable[..., TapAutomate],
    selected: bool,  # noqa: FBT001 - a parameter of the test
    settings: dict[str, t.Any],
) -> None:
    catalog = select(make_tap().catalog_dict, "vin", "odometer", "year") if selected else None
    stream = stream_of(make_tap(catalog=catalog, **copy.deepcopy(settings)))
    record = {**dict.fromkeys(stream.schema["properties"]), **VEHICLE}
    ours = list(stream._generate_record_messages(copy.deepcopy(record)))  # noqa: SLF001
    theirs = list(Stream._generate_record_messages(stream, copy.deepcopy(record)))  # noqa: SLF001
    assert [(m.stream, m.record, m.version) for m in ours] == [
        (m.stream, m.record, m.version) for m in theirs
    ]
    assert ours


def test_a_stream_map_that_fails_is_named_without_the_record(
    make_tap: Callable[..., TapAutomate],
) -> None:
    maps = {"vehicles": {"age": "2026 - first_year"}}
    stream = stream_of(make_tap(stream_maps=maps))
    with pytest.raises(ConfigError, match=r"'vehicles'.*2026 - first_year") as raised:
        stream.write_row(dict(VEHICLE))
    assert "1FTFW1E50NFA00001" not in str(raised.value)


def test_stream_maps_that_are_none_are_refused(make_tap: Callable[..., TapAutomate]) -> None:
    with pytest.raises(ConfigError, match="stream_maps"):
        make_tap(stream_maps={"__else__": "keep"})


def test_a_stream_map_for_no_stream_is_refused_by_name(
    make_tap: Callable[..., TapAutomate],
) -> None:
    with pytest.raises(ConfigError, match=r"`stream_maps\.custmers`"):
        make_tap(stream_maps={"custmers": {"lastName": None}})


@pytest.mark.parametrize(
    "maps",
    [{"*": {"vin": None}}, {"new": {"__source__": "vehicles"}}, {"gl_*": "__NULL__"}],
)
def test_a_stream_map_may_name_streams_by_pattern_and_by_source(
    make_tap: Callable[..., TapAutomate], maps: dict[str, t.Any]
) -> None:
    assert make_tap(stream_maps=maps).streams


def test_a_field_without_a_schema_gets_one_before_its_first_record(
    make_tap: Callable[..., TapAutomate], monkeypatch: pytest.MonkeyPatch
) -> None:
    tap = make_tap()
    heard = Heard(tap, monkeypatch)
    stream = stream_of(tap)
    stream.write_row({**VEHICLE, "ownerScore": None})
    stream.write_row({**VEHICLE, "ownerScore": 7})
    stream.write_row({**VEHICLE, "ownerScore": "A"})
    stream.write_row({**VEHICLE, "ownerScore": 8})
    kinds = [
        m.schema["properties"]["ownerScore"]["type"]
        for m in heard.messages
        if isinstance(m, SchemaMessage)
    ]
    assert kinds == [["number", "null"], ["number", "string", "null"]]
    assert [type(m) for m in heard.messages] == [
        RecordMessage,
        SchemaMessage,
        RecordMessage,
        SchemaMessage,
        RecordMessage,
        RecordMessage,
    ]
    assert [record.get("ownerScore") for record in heard.records()] == [None, 7, "A", 8]


def test_who_chose_fields_one_by_one_gets_no_others(
    make_tap: Callable[..., TapAutomate], monkeypatch: pytest.MonkeyPatch
) -> None:
    tap = make_tap(catalog=select(make_tap().catalog_dict, "vin"))
    heard = Heard(tap, monkeypatch)
    stream_of(tap).write_row({**VEHICLE, "ownerScore": 7})
    assert heard.schemas() == []
    assert set(heard.records()[0]) == {"vehicleId", "updatedAt", "vin"}


def test_a_field_that_the_catalogs_author_took_out_stays_out(
    make_tap: Callable[..., TapAutomate], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = make_tap().catalog_dict
    entry = next(e for e in catalog["streams"] if e["tap_stream_id"] == "vehicles")
    del entry["schema"]["properties"]["vin"]
    tap = make_tap(catalog=catalog)
    heard = Heard(tap, monkeypatch)
    stream_of(tap).write_row(dict(VEHICLE))
    assert heard.schemas() == []
    assert "vin" not in heard.records()[0]


def typed(stream: RowStream, *records: dict[str, t.Any]) -> list[t.Any]:
    """Return records as the stream's reader makes them, all of one type."""
    assert isinstance(stream, ResourceStream)
    codec = Codec(stream.resource.record_schema, stream.tap.privacy)
    body = msgspec.json.encode({"items": records, "page": 1, "pageSize": 9, "total": 9})
    for _ in range(2):
        found = codec.normalise(codec.decode(body).items)
    assert len({type(record) for record in found} - {dict}) == 1
    return found


def written(stream: RowStream, capture: pytest.CaptureFixture[bytes]) -> list[dict[str, t.Any]]:
    """Return the messages since the last call."""
    t.cast("BlockWriter", stream._tap.message_writer).flush()  # noqa: SLF001 - the SDK's own
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    return [decode(line) for line in capture.readouterr().out.splitlines()]


WHOLE = {**VEHICLE, "listPrice": 41250.25}


@pytest.mark.parametrize("replication", ["INCREMENTAL", "FULL_TABLE"])
@pytest.mark.parametrize("selected", [None, ("vin", "odometer", "year"), ("vin", "year", "lot")])
@pytest.mark.parametrize("settings", [{}, {"stream_maps": STREAM_MAPS}, FLATTENING])
def test_typed_records_are_written_as_dicts_are(
    make_tap: Callable[..., TapAutomate],
    capfdbinary: pytest.CaptureFixture[bytes],
    settings: dict[str, t.Any],
    selected: tuple[str, ...] | None,
    replication: str,
) -> None:
    def stream() -> RowStream:
        catalog = select(make_tap().catalog_dict, *selected) if selected else None
        made = stream_of(make_tap(catalog=catalog, **copy.deepcopy(settings)))
        made._stream_version = 7 if replication == "FULL_TABLE" else None  # noqa: SLF001 - as the SDK's sync does
        return made

    one, other = stream(), stream()
    records = [WHOLE, {"vehicleId": "v", "updatedAt": WHOLE["updatedAt"], "lot": None, "year": 1}]
    one.write_block(typed(one, *records))
    ours = written(one, capfdbinary)
    for record in typed(other, *records):
        other.write_row(plain(record))
    theirs = written(other, capfdbinary)
    for message in [*ours, *theirs]:
        assert dt.datetime.fromisoformat(message.pop("time_extracted")).tzinfo is not None
    assert ours == theirs
    assert ours


def test_typed_records_with_a_new_field_come_behind_a_schema_that_has_it(
    make_tap: Callable[..., TapAutomate], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    stream = stream_of(make_tap())
    scores: list[t.Any] = [None, 7, None, "A"]
    records = typed(stream, *({**WHOLE, "ownerScore": score} for score in scores))
    stream.write_block(records)
    stream.write_block(typed(stream, {**WHOLE, "ownerScore": 8}))
    messages = written(stream, capfdbinary)
    assert [message["type"] for message in messages] == ["SCHEMA", *["RECORD"] * 5]
    kinds = messages[0]["schema"]["properties"]["ownerScore"]["type"]
    assert kinds == ["number", "string", "null"]
    found = [message["record"].get("ownerScore", "absent") for message in messages[1:]]
    assert found == ["absent", 7, None, "A", 8]


def test_a_new_field_that_is_always_null_needs_no_schema(
    make_tap: Callable[..., TapAutomate], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    stream = stream_of(make_tap())
    stream.write_block(typed(stream, {**WHOLE, "ownerScore": None}))
    (message,) = written(stream, capfdbinary)
    assert message["type"] == "RECORD"
    assert "ownerScore" not in message["record"]


@pytest.mark.parametrize("left_out", ["selection", "catalog"])
def test_typed_records_lose_what_was_not_chosen(
    make_tap: Callable[..., TapAutomate],
    capfdbinary: pytest.CaptureFixture[bytes],
    left_out: str,
) -> None:
    catalog = make_tap().catalog_dict
    if left_out == "selection":
        select(catalog, *(VEHICLE.keys() - {"vin"}))
    else:
        entry = next(e for e in catalog["streams"] if e["tap_stream_id"] == "vehicles")
        del entry["schema"]["properties"]["vin"]
    stream = stream_of(make_tap(catalog=catalog))
    stream.write_block(typed(stream, {**WHOLE, "ownerScore": None}))
    (message,) = written(stream, capfdbinary)
    assert message["record"].keys() == VEHICLE.keys() - {"vin"}
