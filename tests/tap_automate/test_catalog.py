"""What discovery lists: without a network, equal to the contract, and as the snapshot has it."""

from __future__ import annotations

import typing as t

import pytest

from automate_api import contract
from automate_api.errors import ConfigError
from tap_automate.resources import ResourceStream
from tap_automate.streams import stream_names

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from syrupy.assertion import SnapshotAssertion

    from tap_automate.tap import TapAutomate


def test_the_catalog_is_the_snapshot(
    make_tap: Callable[..., TapAutomate], snapshot: SnapshotAssertion
) -> None:
    summary = {
        entry["tap_stream_id"]: {
            "key": entry["key_properties"],
            "replication_key": entry["replication_key"],
            "fields": {
                name: f"{field['type']} {field.get('format', '')}".strip()
                for name, field in entry["schema"]["properties"].items()
            },
        }
        for entry in make_tap().catalog_dict["streams"]
    }
    assert summary == snapshot


def test_every_declared_stream_is_listed(make_tap: Callable[..., TapAutomate]) -> None:
    assert set(make_tap().streams) == set(stream_names())


def test_a_stream_has_every_field_of_the_contract_but_the_dropped_ones(
    make_tap: Callable[..., TapAutomate],
) -> None:
    dropped = {"driversLicense", "dateOfBirth"}
    for stream in make_tap().streams.values():
        if isinstance(stream, ResourceStream):
            resource = contract.load().resource(stream.declaration.path)
            assert set(stream.schema["properties"]) == (
                set(resource.record_schema["properties"]) - dropped
            )
            assert tuple(stream.primary_keys) == resource.key


def test_money_carries_its_precision(make_tap: Callable[..., TapAutomate]) -> None:
    debit = make_tap().streams["gl_entry_lines"].schema["properties"]["debit"]
    assert debit["x-sql-datatype-properties"] == {"precision": 18, "scale": 2}


def test_keys_and_the_replication_key_are_never_null_and_all_else_may_be(
    make_tap: Callable[..., TapAutomate],
) -> None:
    for stream in make_tap().streams.values():
        never_null = {*stream.primary_keys, stream.replication_key}
        for name, field in stream.schema["properties"].items():
            assert ("null" in field["type"]) == (name not in never_null), (stream.name, name)


def test_a_catalog_that_names_an_unknown_stream_is_refused(
    make_tap: Callable[..., TapAutomate],
) -> None:
    catalog = make_tap().catalog_dict
    catalog["streams"][0] |= {"tap_stream_id": "trucks", "stream": "trucks"}
    with pytest.raises(ConfigError, match=r"trucks.*--discover"):
        make_tap(catalog=catalog)


def test_a_catalog_without_fields_is_refused(make_tap: Callable[..., TapAutomate]) -> None:
    with pytest.raises(ConfigError, match=r"properties.*--discover"):
        make_tap(catalog={"streams": [{"tap_stream_id": "vehicles", "metadata": []}]})


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": [1]},
        {"metadata": [{"metadata": {"selected": True}}]},
        {"schema": {"properties": {"vin": "text"}}},
    ],
)
def test_a_catalog_that_the_sdk_cannot_read_is_refused(
    make_tap: Callable[..., TapAutomate], change: dict[str, t.Any]
) -> None:
    catalog = make_tap().catalog_dict
    catalog["streams"][0] |= change
    with pytest.raises(ConfigError, match=r"cannot be used.*--discover"):
        make_tap(catalog=catalog)


@pytest.mark.parametrize("field", ["vehicleId", "updatedAt"])
def test_a_catalog_without_a_key_is_refused_for_a_selected_stream_alone(
    make_tap: Callable[..., TapAutomate], field: str
) -> None:
    catalog = make_tap().catalog_dict
    entry = next(e for e in catalog["streams"] if e["tap_stream_id"] == "vehicles")
    del entry["schema"]["properties"][field]
    with pytest.raises(ConfigError, match=rf"'vehicles' without {field}"):
        make_tap(catalog=catalog)
    next(m for m in entry["metadata"] if not m["breadcrumb"])["metadata"]["selected"] = False
    assert make_tap(catalog=catalog).streams["vehicles"].selected is False


def test_a_replication_method_that_there_is_not_is_refused(
    make_tap: Callable[..., TapAutomate],
) -> None:
    catalog = make_tap().catalog_dict
    catalog["streams"][0]["replication_method"] = "LOG_BASED"
    with pytest.raises(ConfigError, match="INCREMENTAL, FULL_TABLE"):
        make_tap(catalog=catalog)


ROOFTOP = {"context": {"rooftopId": "rt_1"}}


@pytest.mark.parametrize(
    "state",
    [
        {"bookmarks": []},
        {"bookmarks": {"vehicles": 3}},
        {"bookmarks": {"vehicles": {"partitions": [{}]}}},
        {"bookmarks": {"vehicles": {"partitions": [{"context": "rt_1"}]}}},
        {"bookmarks": {"vehicles": {"partitions": [ROOFTOP, ROOFTOP]}}},
    ],
)
def test_a_state_that_is_none_is_refused(
    make_tap: Callable[..., TapAutomate], state: dict[str, t.Any]
) -> None:
    with pytest.raises(ConfigError, match="bookmarks"):
        make_tap().load_state(state)
