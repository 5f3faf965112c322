"""Files of the sandbox, fetched by the tap as a user runs it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import signal
import time
import typing as t
from pathlib import Path

import pytest
from support.dealership import Dealership, Run, dealership, pipe, run, start

if t.TYPE_CHECKING:
    from collections.abc import Iterator

FILES = {"method": "GET", "path": "/files/*"}


@pytest.fixture(scope="module")
def dealer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dealership]:
    folder = tmp_path_factory.mktemp("files")
    with dealership(folder, "--vehicles", "30", "--days", "5") as running:
        yield running


@pytest.fixture
def files(dealer: Dealership, tmp_path: Path) -> Iterator[Files]:
    yield Files(dealer, tmp_path)
    dealer.control("reset-faults", {})


class Files:
    """A tap that downloads.

    Attributes:
        dealer: The sandbox.
        folder: `download_to`.
        state: The state file.
    """

    def __init__(self, dealer: Dealership, directory: Path) -> None:
        self.dealer = dealer
        self.folder = directory / "files"
        self.state = directory / "state.json"
        self._directory = directory

    def config(self, **changes: t.Any) -> Path:  # noqa: ANN401 - settings
        settings = {"download_to": str(self.folder), "max_wait_seconds": 30, **changes}
        return self.dealer.config(self._directory.name, **settings)

    def catalog(self, *streams: str, **changes: t.Any) -> Path:  # noqa: ANN401 - settings
        """Discover, and select some streams."""
        found = json.loads(
            run("tap-automate", "--config", self.config(**changes), "--discover").out
        )
        for entry in found["streams"]:
            for each in entry["metadata"]:
                if not each["breadcrumb"]:
                    each["metadata"]["selected"] = entry["tap_stream_id"] in streams
        file = self._directory / "catalog.json"
        file.write_text(json.dumps(found))
        return file

    def run(self, *streams: str, **changes: t.Any) -> Run:  # noqa: ANN401 - settings
        """Run from the last state, and keep the new one."""
        done = run("tap-automate", *self.arguments(*streams, **changes))
        assert done.code == 0, done.err
        self.state.write_text(json.dumps(done.state()))
        return done

    def arguments(self, *streams: str, **changes: t.Any) -> list[str | Path]:  # noqa: ANN401 - settings
        """The command line of a run."""
        catalog = self.catalog(*(streams or ("attachments",)), **changes)
        state: list[str | Path] = ["--state", self.state] if self.state.exists() else []
        return ["--config", self.config(**changes), "--catalog", catalog, *state]

    def downloads(self) -> dict[str, int]:
        """What the sandbox has counted."""
        counted: dict[str, int] = self.dealer.stats()["downloads"]
        return counted


def whole(record: dict[str, t.Any]) -> bool:
    """Tell whether a row's file is there, as the row says."""
    content = Path(record["downloadedTo"]).read_bytes()
    sizes = record["size"] in {None, len(content)}
    return sizes and record["sha256"] in {None, hashlib.sha256(content).hexdigest()}


def state_of(done: Run, stream: str = "attachments") -> dict[str, t.Any]:
    state: dict[str, t.Any] = done.state()["bookmarks"][stream]
    return state


def unfinished_of(bookmark: dict[str, t.Any]) -> dict[str, t.Any]:
    """What a state tells of files that are still to be fetched."""
    notes: dict[str, t.Any] = bookmark["files"]
    assert notes["until"] == bookmark["replication_key_value"]
    return {name: note for name, note in notes.items() if name != "until"}


def test_every_attachment_has_its_file_whose_bytes_are_the_records(files: Files) -> None:
    before = files.downloads()
    done = files.run()
    records = done.records("attachments")
    assert len(records) == len(files.dealer.records("attachments"))
    there = [record for record in records if record["downloadedTo"]]
    assert all(map(whole, there))
    assert len(there) >= len(records) - 1  # one is larger than `download_max_bytes`
    inside = {path.resolve() for path in files.folder.rglob("*") if path.is_file()}
    assert {Path(record["downloadedTo"]).resolve() for record in there} <= inside
    assert len({record["downloadedTo"] for record in there}) == len(there)
    after = files.downloads()
    assert {name: after[name] - before[name] for name in ("authorization", "cookie")} == {
        "authorization": 0,
        "cookie": 0,
    }
    assert unfinished_of(state_of(done)) == {}
    schema = done.messages("SCHEMA")[0]["schema"]["properties"]
    assert schema["downloadedTo"]["type"] == ["string", "null"]


def test_photos_are_fetched_once_and_their_rows_say_where(files: Files) -> None:
    done = files.run("vehicles")
    photos = [photo for record in done.records("vehicles") for photo in record["photos"] or ()]
    assert photos
    for photo in photos:
        path = Path(photo["downloadedTo"])
        assert path.stem.isdigit()
        assert path.read_bytes().startswith((b"\xff\xd8\xff", b"\x89PNG"))
        assert (path.suffix == ".png") == path.read_bytes().startswith(b"\x89PNG")
    fetched = files.downloads()["bytes"]
    files.state.unlink()
    again = files.run("vehicles")
    assert len(again.records("vehicles")) == len(done.records("vehicles"))
    assert files.downloads()["bytes"] == fetched
    assert f"files: 0 fetched (0 bytes), {len(photos)} there already, 0 not" in again.err


def test_without_the_setting_nothing_is_fetched_and_no_field_is_added(files: Files) -> None:
    before = files.downloads()["requests"]
    done = files.run("attachments", "vehicles", download_to=None)
    assert files.downloads()["requests"] == before
    assert "downloadedTo" not in done.out
    done = files.run("vehicles", download_photos=False)
    assert files.downloads()["requests"] == before
    assert "downloadedTo" not in done.out


def test_a_file_that_fails_leaves_its_row_and_comes_with_the_next_run(files: Files) -> None:
    files.dealer.faults(
        {"kind": "wrong_bytes", "match": FILES, "count": 2},
        {"kind": "status", "status": 404, "match": FILES, "count": 1, "skip": 2},
        {"kind": "expired_url", "match": FILES, "count": 2, "skip": 3},
        {"kind": "server_error", "match": FILES, "count": 4, "skip": 5},
    )
    first = files.run(concurrency=1)
    missing = {
        record["attachmentId"]
        for record in first.records("attachments")
        if record["downloadedTo"] is None
    }
    unfinished = set(state_of(first)["files"]["rows"])
    assert unfinished < missing  # what is too large is not tried again
    warning = next(line for line in first.err.splitlines() if "files could not be had" in line)
    for reason in ("with the `sha256`", "status 404", "status 403", "status 500", "larger than"):
        assert reason in warning
    assert "of rows whose `downloadedTo` is null, and whose `size` is above 104857600." in warning
    assert "The next run tries again" in warning
    second = files.run()
    records = {record["attachmentId"]: record for record in second.records("attachments")}
    assert set(records) == unfinished
    assert all(map(whole, records.values()))
    assert unfinished_of(state_of(second)) == {}
    assert files.run().records("attachments") == []


def test_more_files_than_the_state_has_room_for_are_found_again_by_their_time(
    files: Files,
) -> None:
    files.dealer.faults({"kind": "status", "status": 404, "match": FILES})
    first = files.run()
    mark = state_of(first)
    rows = sorted(mark["files"]["rows"].items(), key=lambda each: each[1])
    # As a state with room for half of them would have it.
    mark["files"] = {"rows": dict(rows[: len(rows) // 2]), "since": rows[len(rows) // 2][1]}
    files.state.write_text(json.dumps({"bookmarks": {"attachments": mark}}))
    files.dealer.control("reset-faults", {})
    second = files.run()
    come = {record["attachmentId"] for record in second.records("attachments")}
    assert come == {key for key, _ in rows}
    assert unfinished_of(state_of(second)) == {}


def test_a_row_that_has_changed_since_its_file_failed_comes_once(files: Files) -> None:
    files.dealer.faults({"kind": "status", "status": 404, "match": FILES, "count": 1})
    mark = state_of(files.run())
    (key,) = mark["files"]["rows"]
    changed = next(r for r in files.dealer.records("attachments") if r["attachmentId"] == key)
    late = dt.datetime.fromisoformat(mark["replication_key_value"]) - dt.timedelta(seconds=5)
    record = json.loads(json.dumps(changed, default=float))
    record |= {"updatedAt": late.strftime("%Y-%m-%dT%H:%M:%SZ")}
    files.dealer.control("import", {"stream": "attachments", "records": [record]})
    done = files.run()
    (come,) = [r for r in done.records("attachments") if r["attachmentId"] == key]
    assert whole(come)
    assert unfinished_of(state_of(done)) == {}


def test_a_file_that_came_in_a_run_that_was_killed_before_its_row_is_told_by_the_next(
    files: Files,
) -> None:
    done = files.run()
    there = next(r for r in done.records("attachments") if r["downloadedTo"])
    mark = state_of(done)
    # As the run before has left it: the kill came behind the file and before row and state.
    mark["files"] = {"rows": {there["attachmentId"]: there["updatedAt"]}}
    files.state.write_text(json.dumps({"bookmarks": {"attachments": mark}}))
    again = files.run()
    come = [(r["attachmentId"], r["downloadedTo"]) for r in again.records("attachments")]
    assert come == [(there["attachmentId"], there["downloadedTo"])]
    assert unfinished_of(state_of(again)) == {}


def test_a_tenant_without_details_has_its_files_tried_again_all_the_same(files: Files) -> None:
    files.dealer.faults({"kind": "status", "status": 404, "match": FILES, "count": 7})
    missing = set(state_of(files.run())["files"]["rows"])
    assert len(missing) == 7
    details = {"method": "GET", "path": "/attachments/*"}
    files.dealer.faults({"kind": "status", "status": 404, "match": details})
    second = files.run()
    come = {r["attachmentId"] for r in second.records("attachments") if r["downloadedTo"]}
    assert missing <= come
    assert unfinished_of(state_of(second)) == {}


def test_a_row_that_has_left_what_a_filter_asks_for_does_not_come_with_its_file(
    files: Files,
) -> None:
    files.dealer.faults({"kind": "status", "status": 404, "match": FILES})
    chosen = {"vehicle_status": "in_stock"}
    first = files.run("vehicles", **chosen)
    (partition,) = state_of(first, "vehicles")["partitions"]
    missing = set(partition["files"]["rows"])
    assert len(missing) > 1
    sold = next(r for r in files.dealer.records("vehicles") if r["vehicleId"] in missing)
    record = json.loads(json.dumps(sold, default=float)) | {"status": "retail_sold"}
    files.dealer.control("import", {"stream": "vehicles", "records": [record]})
    files.dealer.control("reset-faults", {})
    second = files.run("vehicles", **chosen)
    come = {record["vehicleId"] for record in second.records("vehicles")}
    assert come == missing - {sold["vehicleId"]}
    (partition,) = state_of(second, "vehicles")["partitions"]
    assert unfinished_of(partition) == {}


def test_links_that_end_before_they_are_followed_are_renewed(files: Files) -> None:
    # Every other request, so that no renewed link is struck.
    rules = [
        {"kind": "expired_url", "match": FILES, "count": 1, "skip": skip} for skip in (0, 2, 4)
    ]
    files.dealer.faults(*rules)
    done = files.run(concurrency=1)
    assert unfinished_of(state_of(done)) == {}
    assert sum(r["downloadedTo"] is None for r in done.records("attachments")) <= 1


def test_a_catalog_without_the_field_has_no_files_fetched_and_says_so(files: Files) -> None:
    catalog = files.catalog("attachments", "vehicles", download_to=None)
    before = files.downloads()["requests"]
    done = run("tap-automate", "--config", files.config(), "--catalog", catalog)
    assert done.code == 0
    assert files.downloads()["requests"] == before
    assert done.err.count("so none is fetched") == 2
    assert "downloadedTo" not in done.out


def test_a_catalog_of_a_time_with_the_setting_declares_no_field_that_no_record_has(
    files: Files,
) -> None:
    catalog = files.catalog("attachments", "vehicles")
    assert catalog.read_text().count("downloadedTo") > 1
    done = run("tap-automate", "--config", files.config(download_to=None), "--catalog", catalog)
    assert done.code == 0, done.err
    assert len(done.records("attachments")) == len(files.dealer.records("attachments"))
    assert "downloadedTo" not in done.out
    assert done.messages("SCHEMA")
    photos = files.config(download_photos=False)
    done = run("tap-automate", "--config", photos, "--catalog", catalog)
    named = {m["stream"]: "downloadedTo" in str(m["schema"]) for m in done.messages("SCHEMA")}
    assert named == {"attachments": True, "vehicles": False}


def test_rows_that_were_loaded_without_their_files_are_told_of_once(files: Files) -> None:
    told = "what was loaded without `download_to` gets its files when it changes"

    def marks() -> list[str]:
        bookmarks = json.loads(files.state.read_text())["bookmarks"]
        return [bookmarks[name]["replication_key_value"] for name in ("attachments", "vehicles")]

    assert told not in files.run("attachments", "vehicles", download_to=None).err
    first = marks()
    done = files.run("attachments", "vehicles")
    assert done.err.count(told) == 2
    for name, mark in zip(("attachments", "vehicles"), first, strict=True):
        assert f"Stream '{name}': {told}: rows up to {mark}." in done.err
    again = files.run("attachments", "vehicles")
    assert told not in again.err
    second = marks()
    files.dealer.pass_time(60)
    assert told not in files.run("attachments", download_to=None).err
    third = marks()
    done = files.run("attachments", "vehicles")
    assert done.err.count(told) == 1
    assert f"'attachments': {told}: rows from {second[0]} up to {third[0]}." in done.err
    files.state.unlink()
    assert told not in files.run("attachments").err


def test_a_signal_ends_a_slow_download_soon_and_leaves_no_part_of_it(
    files: Files, tmp_path: Path
) -> None:
    files.dealer.faults({"kind": "slow_body", "milliseconds": 300, "match": FILES})
    arguments = files.arguments()
    with start(tmp_path / "log", "tap-automate", *arguments) as process:
        assert process.stdout is not None
        while not any(files.folder.rglob("*.part")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 143
    assert '"RECORD"' not in out  # the first block still waited for its files
    assert not any(files.folder.rglob("*.part"))
    files.dealer.control("reset-faults", {})
    states = [line for line in out.splitlines() if '"STATE"' in line]
    if states:
        files.state.write_text(json.dumps(json.loads(states[-1])["value"]))
    done = files.run()
    assert sum(r["downloadedTo"] is None for r in done.records("attachments")) <= 1


def test_links_and_names_are_in_no_log(files: Files) -> None:
    files.dealer.faults({"kind": "status", "status": 404, "match": FILES, "count": 2})
    arguments = files.arguments("attachments", "vehicles")
    done = run(
        "tap-automate", *arguments, env={"TAP_AUTOMATE_LOGLEVEL": "DEBUG", "LOGLEVEL": "DEBUG"}
    )
    assert done.code == 0
    assert "DEBUG" in done.err
    assert "signature=" not in done.err
    names = {r["fileName"] for r in done.records("attachments") if len(r["fileName"] or "") > 5}
    assert names
    assert not [name for name in names if name in done.err]


def test_paths_reach_a_warehouse_and_a_row_that_an_audit_repairs_has_its_file(
    files: Files, tmp_path: Path
) -> None:
    import duckdb  # noqa: PLC0415 - loading it takes long

    warehouse, fixes = tmp_path / "w.duckdb", tmp_path / "fixes.jsonl"
    assert pipe(files.config(), warehouse, files.state).code == 0
    with duckdb.connect(str(warehouse)) as connection:
        found = connection.execute(
            """select "attachmentId", "downloadedTo" from attachments
            where "downloadedTo" is not null order by 1"""
        ).fetchall()
        assert all(Path(path).is_file() for _, path in found)
        key, path = found[0]
        connection.execute('delete from attachments where "attachmentId" = ?', [key])
    Path(path).unlink()
    arguments: list[str | Path] = ["--against", warehouse, "--stream", "attachments"]
    done = run("automate-dms", "audit", *arguments, "--config", files.config(), "--output", fixes)
    assert "METRIC" not in done.err
    rows = [json.loads(line) for line in fixes.read_text().splitlines()]
    assert [r["record"]["downloadedTo"] for r in rows if r["type"] == "RECORD"] == [path]
    assert Path(path).is_file()


def test_an_audit_fetches_no_file_that_the_table_could_not_name_and_says_so(
    files: Files, tmp_path: Path
) -> None:
    import duckdb  # noqa: PLC0415 - loading it takes long

    warehouse, fixes = tmp_path / "w.duckdb", tmp_path / "fixes.jsonl"
    assert pipe(files.config(download_to=None), warehouse, files.state).code == 0
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("delete from attachments")
        connection.execute("delete from vehicles")
    before = files.downloads()["requests"]
    arguments: list[str | Path] = ["--against", warehouse, "--state", files.state]
    audit: list[str | Path] = ["--config", files.config(), "--output", fixes]
    done = run("automate-dms", "audit", *arguments, "--stream", "attachments", *audit)
    rows = [json.loads(line) for line in fixes.read_text().splitlines()]
    assert any(row["type"] == "RECORD" for row in rows)
    assert files.downloads()["requests"] == before
    assert "Stream 'attachments': files of repaired rows are not fetched" in done.err
    assert "no column for `downloadedTo`" in done.err
    # What a vehicle says of its photos is one column, which says where they are, too.
    done = run("automate-dms", "audit", *arguments, "--stream", "vehicles", *audit)
    photos = [
        photo
        for line in fixes.read_text().splitlines()
        for photo in json.loads(line).get("record", {}).get("photos") or ()
    ]
    assert all(Path(photo["downloadedTo"]).is_file() for photo in photos)
    assert photos
    assert "not fetched" not in done.err
