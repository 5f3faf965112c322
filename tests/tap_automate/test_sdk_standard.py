"""The SDK's standard tests for taps against a real server, and ours where theirs cannot fail."""

from __future__ import annotations

import itertools
import json
import typing as t

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from support.compare import expected
from support.dealership import dealership, run

from tap_automate.instants import to_microseconds
from tap_automate.tap import TapAutomate

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from support.dealership import Dealership, Run


WORLD: t.Final = ("--seed=1", "--now=2026-01-20T15:00:00Z", "--vehicles=400", "--days=60")
"""Of one seed and one day: what the SDK looks at is the same in every run."""

VALUELESS: t.Final = frozenset({"deletedAt", "cancelledOn"})
"""Columns without a value in this world; the SDK's tests of columns need one."""

MOST_ROWS: t.Final = 200
"""That the SDK looks at of each stream: those of a page."""

# The SDK lists the streams when this module is imported; where they are read from is known later.
CONFIG: dict[str, t.Any] = {
    "integration_id": "later",
    "platform_token": "later",
    "username": "later",
    "password": "later",
}


@pytest.fixture(scope="class")
def _standard_dealer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with dealership(tmp_path_factory.mktemp("standard"), *WORLD) as running:
        CONFIG.update(running.settings())
        yield


Standard: t.Any = get_tap_test_class(
    TapAutomate, config=CONFIG, suite_config=SuiteConfig(max_records_limit=MOST_ROWS)
)


for _name, _params in Standard.params.items():
    Standard.params[_name] = [
        each for each in _params if getattr(each.values, "attribute_name", None) not in VALUELESS
    ]


@pytest.mark.usefixtures("_standard_dealer")
class TestStandard(Standard):  # type: ignore[misc]
    """Every test of the SDK, against a sandbox of its own."""

    @pytest.fixture(autouse=True)
    def _own_values(self, request: pytest.FixtureRequest) -> None:
        """Have each column tested: the SDK keeps the values of the first one for all others."""
        template = getattr(type(self), request.node.originalname).__self__
        vars(template).pop("non_null_attribute_values", None)


@pytest.fixture(scope="module")
def loaded(quiet_dealer: Dealership) -> Run:
    done = run("tap-automate", "--config", quiet_dealer.config(page_size=50))
    assert done.code == 0, done.err
    return done


def test_no_key_comes_twice_in_a_quiet_load(loaded: Run) -> None:
    keys = {m["stream"]: m["key_properties"] for m in loaded.messages("SCHEMA")}
    for stream, names in keys.items():
        seen = [tuple(record[name] for name in names) for record in loaded.records(stream)]
        assert len(seen) == len(set(seen)) > 0, stream


def test_every_record_of_every_stream_is_emitted(quiet_dealer: Dealership, loaded: Run) -> None:
    for stream, rows in expected(quiet_dealer).items():
        assert len(loaded.records(stream)) == len(rows), stream


def test_parents_come_in_the_order_of_their_changes(loaded: Run) -> None:
    for stream in ("vehicles", "gl_entries", "repair_orders"):
        changes = [to_microseconds(r["updatedAt"]) for r in loaded.records(stream)]
        assert changes == sorted(changes)


def test_bookmarks_never_move_back_and_never_pass_what_is_emitted(loaded: Run) -> None:
    bookmarks: dict[str, list[int]] = {}
    for message in loaded.messages():
        if message["type"] == "RECORD" and "updatedAt" in message["record"]:
            stream, change = message["stream"], to_microseconds(message["record"]["updatedAt"])
            marks = bookmarks.get(stream, [])
            # A row after a state belongs to the overlap of a second at most before the bookmark.
            assert not marks or change > marks[-1] - 3_000_000, stream
        if message["type"] == "STATE":
            for stream, mark in message["value"].get("bookmarks", {}).items():
                if "replication_key_value" in mark:
                    value = to_microseconds(mark["replication_key_value"])
                    bookmarks.setdefault(stream, []).append(value)
    assert bookmarks
    assert all(a <= b for marks in bookmarks.values() for a, b in itertools.pairwise(marks))


def test_a_schema_comes_once_and_before_its_records(loaded: Run) -> None:
    described: list[str] = []
    for message in loaded.messages():
        if message["type"] == "SCHEMA":
            described.append(message["stream"])
        if message["type"] == "RECORD":
            assert message["stream"] in described
    assert len(described) == len(set(described))


def test_the_connection_test_reads_one_row_of_every_stream_and_moves_no_bookmark(
    quiet_dealer: Dealership,
) -> None:
    tested = run("tap-automate", "--config", quiet_dealer.config(), "--test")
    assert tested.code == 0, tested.err
    assert {m["stream"] for m in tested.messages("SCHEMA")} == set(expected(quiet_dealer))
    assert len(tested.records("vehicles")) == 1
    assert not any(
        mark for m in tested.messages("STATE") for mark in m["value"].get("bookmarks", {}).values()
    )


def test_a_deselected_stream_is_not_asked_for_and_its_lines_still_come(
    quiet_dealer: Dealership,
) -> None:
    catalog = TapAutomate(config=quiet_dealer.settings()).catalog_dict
    for entry in catalog["streams"]:
        for metadata in entry["metadata"]:
            if not metadata["breadcrumb"]:
                metadata["metadata"]["selected"] = entry["tap_stream_id"] == "gl_entry_lines"
    path = quiet_dealer.directory / "catalog.json"
    path.write_text(json.dumps(catalog))
    before = quiet_dealer.stats()["requests"].get("GET /vehicles", 0)
    lines = run("tap-automate", "--config", quiet_dealer.config(), "--catalog", path)
    assert lines.code == 0, lines.err
    assert {m["stream"] for m in lines.messages("RECORD")} == {"gl_entry_lines"}
    assert len(lines.records("gl_entry_lines")) == len(expected(quiet_dealer)["gl_entry_lines"])
    assert quiet_dealer.stats()["requests"].get("GET /vehicles", 0) == before


def test_lines_asked_for_as_a_full_table_come_whole_and_leave_their_bookmark(
    quiet_dealer: Dealership, loaded: Run
) -> None:
    catalog = TapAutomate(config=quiet_dealer.settings()).catalog_dict
    for entry in catalog["streams"]:
        selected = entry["tap_stream_id"] in {"gl_entries", "gl_entry_lines"}
        root = next(m for m in entry["metadata"] if not m["breadcrumb"])
        root["metadata"]["selected"] = selected
        if entry["tap_stream_id"] == "gl_entry_lines":
            entry["replication_method"] = "FULL_TABLE"
    paths = {name: quiet_dealer.directory / f"full-{name}.json" for name in ("catalog", "state")}
    paths["catalog"].write_text(json.dumps(catalog))
    paths["state"].write_text(json.dumps(loaded.state()))
    files = (part for name, path in paths.items() for part in (f"--{name}", path))
    again = run("tap-automate", "--config", quiet_dealer.config(page_size=50), *files)
    assert again.code == 0, again.err
    assert len(again.records("gl_entry_lines")) == len(expected(quiet_dealer)["gl_entry_lines"])
    assert again.records("gl_entries") == []
    marks = [run.state()["bookmarks"]["gl_entry_lines"] for run in (loaded, again)]
    assert marks[0] == marks[1]
