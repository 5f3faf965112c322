"""`tap-outbox` as a process: messages, catalogs, errors, and a loader behind it."""

from __future__ import annotations

import json
import typing as t
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from singer_sdk.testing import get_tap_test_class
from support.dealership import Run, run
from support.failures import interrupted, refused, warned

from tap_outbox.tap import TapOutbox

DATA = Path(__file__).parent / "data"

Standard: t.Any = get_tap_test_class(TapOutbox, config={"path": str(DATA)})


class TestStandard(Standard):  # type: ignore[misc]
    """Every test of the SDK, on a folder of two files."""


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "outbox"
    folder.mkdir()
    return folder


def tap(folder: Path, *arguments: str | Path, **settings: t.Any) -> Run:  # noqa: ANN401
    config = folder.with_name("tap.json")
    config.write_text(json.dumps({"path": str(folder), **settings}))
    return run("tap-outbox", "--config", config, *arguments)


def write(folder: Path, name: str, *lines: str) -> None:
    (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))


def catalog_of(folder: Path) -> dict[str, t.Any]:
    found = tap(folder, "--discover")
    assert found.code == 0, found.err
    catalog: dict[str, t.Any] = json.loads(found.out)
    return catalog


def with_catalog(folder: Path, catalog: dict[str, t.Any]) -> Run:
    path = folder.with_name("catalog.json")
    path.write_text(json.dumps(catalog))
    return tap(folder, "--catalog", path)


def select(catalog: dict[str, t.Any], breadcrumb: list[str], *, selected: bool) -> None:
    """Select or deselect a field, or the stream, of the catalog's only stream."""
    (entry,) = catalog["streams"]
    (found,) = [m for m in entry["metadata"] if m["breadcrumb"] == breadcrumb]
    found["metadata"]["selected"] = selected


def test_every_line_of_every_file_comes_as_it_is_each_time() -> None:
    runs = [run("tap-outbox", "--config", "ENV", env={"TAP_OUTBOX_PATH": str(DATA)})] * 2
    for done in runs:
        assert done.code == 0, done.err
        for name in ("customers", "deals"):
            text = (DATA / f"{name}.jsonl").read_text("utf-8")
            assert done.records(name) == [
                json.loads(line, parse_float=Decimal) for line in text.splitlines()
            ]
        assert '"creditLimit":1200.50' in done.out
        assert '"creditLimit":0.10' in done.out
        assert {m["stream"]: m["key_properties"] for m in done.messages("SCHEMA")} == {
            "customers": [],
            "deals": [],
        }


def test_a_state_changes_nothing(outbox: Path) -> None:
    write(outbox, "leads", '{"a": 1}')
    first = tap(outbox)
    state = outbox.with_name("state.json")
    state.write_text(json.dumps(first.state()))
    assert tap(outbox, "--state", state).records("leads") == [{"a": 1}]


def test_a_warehouse_takes_it(outbox: Path, tmp_path: Path) -> None:
    write(outbox, "leads", '{"id": "x", "amount": 0.1000}', '{"id": "y", "tags": ["a", {"b": 1}]}')
    write(outbox, "nothing")
    warehouse, loader = tmp_path / "w.duckdb", tmp_path / "loader.json"
    loader.write_text(json.dumps({"filepath": str(warehouse)}))
    loaded = run("target-warehouse", "--config", loader, stdin=tap(outbox).out)
    assert loaded.code == 0, loaded.err
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute("SELECT id, amount, tags FROM leads ORDER BY id").fetchall()
    assert [(key, amount and str(amount), tags) for key, amount, tags in rows] == [
        ("x", "0.1000", None),
        ("y", None, '["a",{"b":1}]'),
    ]


def test_bad_lines_are_named_at_the_end_and_all_others_are_sent(outbox: Path) -> None:
    write(outbox, "customers", '{"a": 1}', "private@example.com", '{"a": 2}', *["[]"] * 30)
    (outbox / "deals.jsonl").write_text('{"b": 1}\n{"b": "secr')
    done = tap(outbox)
    said = refused(
        done, 1, "customers.jsonl line 2, 4, 5,", "and 11 more", "deals.jsonl line 2 (the last"
    )
    assert "private" not in done.out + done.err
    assert "secr" not in said
    assert done.records("customers") == [{"a": 1}, {"a": 2}]
    assert done.records("deals") == [{"b": 1}]
    assert done.state() == {"bookmarks": {"customers": {}, "deals": {}}}


def test_a_file_of_bad_lines_alone_is_named(outbox: Path) -> None:
    write(outbox, "customers", '{"a": 1}')
    write(outbox, "deals", "bad")
    done = tap(outbox)
    refused(done, 1, "deals.jsonl line 1.")
    assert {m["stream"] for m in done.messages("SCHEMA")} == {"customers"}


def test_bad_lines_of_a_file_that_is_not_selected_are_no_error(outbox: Path) -> None:
    write(outbox, "customers", "bad", '{"a": 1}')
    catalog = catalog_of(outbox)
    select(catalog, [], selected=False)
    done = with_catalog(outbox, catalog)
    assert done.code == 0, done.err
    assert done.messages("RECORD") == []


def test_a_field_that_is_not_selected_is_left_out(outbox: Path) -> None:
    write(outbox, "customers", '{"a": 1, "ssn": "private"}')
    catalog = catalog_of(outbox)
    select(catalog, ["properties", "ssn"], selected=False)
    done = with_catalog(outbox, catalog)
    assert done.records("customers") == [{"a": 1}]
    (schema,) = done.messages("SCHEMA")
    assert schema["schema"]["properties"].keys() == {"a"}


def test_fields_and_types_that_came_after_the_catalog_are_sent(outbox: Path) -> None:
    write(outbox, "customers", '{"a": 1}')
    catalog = catalog_of(outbox)
    write(outbox, "customers", '{"a": "one", "new": [1.50]}')
    done = with_catalog(outbox, catalog)
    assert done.code == 0, done.err
    assert done.records("customers") == [{"a": "one", "new": [Decimal("1.5")]}]
    assert '"new":[1.50]' in done.out
    (schema,) = done.messages("SCHEMA")
    assert schema["schema"]["properties"]["a"]["type"] == ["string", "null"]
    assert schema["schema"]["properties"].keys() == {"a", "new"}


def test_a_file_that_came_after_the_catalog_is_named_and_one_that_is_gone_is_no_matter(
    outbox: Path,
) -> None:
    write(outbox, "customers", '{"a": 1}')
    write(outbox, "deals", '{"a": 1}')
    catalog = catalog_of(outbox)
    (outbox / "deals.jsonl").unlink()
    write(outbox, "leads", '{"a": 1}')
    done = with_catalog(outbox, catalog)
    assert done.code == 0, done.err
    assert {m["stream"] for m in done.messages("RECORD")} == {"customers"}
    warned(done, "leads.jsonl is not read", "tap-outbox --discover")


def test_a_stream_map_names_and_shapes_a_stream(outbox: Path) -> None:
    write(outbox, "leads", '{"id": "x", "n": 1.50}')
    maps = {"leads": {"__alias__": "customers", "externalId": "id", "id": None}}
    done = tap(outbox, stream_maps=maps)
    assert done.code == 0, done.err
    assert [list(record) for record in done.records("customers")] == [["n", "externalId"]]
    assert '"n":1.50' in done.out


@pytest.mark.parametrize("count", [9_999, 10_000, 10_050])
def test_the_last_line_of_a_long_file_comes_as_well(outbox: Path, count: int) -> None:
    write(outbox, "leads", *(f'{{"n": {number}}}' for number in range(count)))
    assert [record["n"] for record in tap(outbox).records("leads")] == [*range(count)]


def test_a_test_run_shows_a_record_of_each_file(outbox: Path) -> None:
    for name in ("deals", "leads"):
        write(outbox, name, '{"a": 1}', '{"a": 2}')
    tested = tap(outbox, "--test")
    assert [m["record"] for m in tested.messages("RECORD")] == [{"a": 1}] * 2


def test_a_signal_ends_it_between_two_lines(outbox: Path) -> None:
    write(outbox, "leads", *('{"a": "%s"}' % ("x" * 100) for _ in range(5_000)))
    code, messages = interrupted("tap-outbox", {"path": str(outbox)}, outbox.with_name("tap.json"))
    assert code == 143
    assert 0 < len([m for m in messages if m["type"] == "RECORD"]) < 5_000


def test_an_empty_folder_sends_nothing_and_says_so(outbox: Path) -> None:
    done = tap(outbox)
    assert done.code == 0, done.err
    assert done.messages("SCHEMA") == []
    warned(done, "no file *.jsonl")


def test_a_folder_that_is_none_is_refused(outbox: Path) -> None:
    outbox.rmdir()
    refused(tap(outbox), 2, str(outbox), "cannot be read", "`path`")
    refused(tap(outbox, "--discover"), 2, str(outbox), "cannot be read", "`path`")


def test_without_a_folder_it_says_what_it_needs() -> None:
    for arguments in ([], ["--discover"]):
        refused(run("tap-outbox", *arguments), 2, "`path` is required", "tap-outbox --about")


def test_about_needs_no_settings_and_names_them() -> None:
    about = run("tap-outbox", "--about", "--format", "json")
    assert about.code == 0, about.err
    assert "path" in json.loads(about.out)["settings"]["properties"]
    assert about.err == ""
