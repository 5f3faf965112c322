"""Files that could not be had are asked for again by their records, one by one."""

from __future__ import annotations

import datetime as dt
import typing as t
import urllib.parse

import pytest
from support.dms import Canned, FakeDms
from support.files import FileHost

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.dealership import Run

UPDATED = "2026-01-20T12:00:00Z"


@pytest.fixture
def dms() -> Iterator[FakeDms]:
    with FakeDms(totp=False) as server:
        yield server


@pytest.fixture
def host() -> Iterator[FileHost]:
    with FileHost() as server:
        yield server


@pytest.fixture
def resume(dms: FakeDms, extract_from: Callable[..., Run], tmp_path: Path) -> Callable[[str], Run]:
    """Read attachments from a state in which the file of one is missing."""

    def resume(key: str) -> Run:
        recent = dt.datetime.fromtimestamp(dms.clock() - 120, dt.UTC).isoformat()
        bookmark = {
            "replication_key": "updatedAt",
            "replication_key_value": recent,
            "files": {"rows": {key: UPDATED}},
        }
        state = {"bookmarks": {"attachments": bookmark}}
        return extract_from(dms, "attachments", state=state, download_to=str(tmp_path / "files"))

    return resume


def attachment(key: str, host: FileHost) -> dict[str, t.Any]:
    url = host.serve(f"/{key}", key.encode())
    return {"attachmentId": key, "updatedAt": UPDATED, "fileName": "a.txt", "downloadUrl": url}


def test_the_record_of_another_key_is_no_answer(
    dms: FakeDms, host: FileHost, resume: Callable[[str], Run]
) -> None:
    dms.answer("GET /attachments/att_1", Canned(body=attachment("att_2", host)))
    done = resume("att_1")
    assert done.code == 0, done.err
    assert done.records("attachments") == []
    assert host.seen == []


@pytest.mark.parametrize("key", ["../sessions", "att/1?x=1#y", "att 1"])
def test_a_key_cannot_lead_to_another_call(
    dms: FakeDms, host: FileHost, resume: Callable[[str], Run], key: str, tmp_path: Path
) -> None:
    record = attachment(key, host) | {"downloadUrl": host.serve("/file", b"content")}
    dms.answer(f"GET /attachments/{urllib.parse.quote(key, safe='')}", Canned(body=record))
    (row,) = resume(key).records("attachments")
    (folder,) = (tmp_path / "files").glob("*/*")
    assert row["downloadedTo"] == str(folder / "a.txt")
    assert (folder / "a.txt").read_bytes() == b"content"


def test_a_place_that_takes_no_files_is_named_in_the_warning_and_no_file_is(
    dms: FakeDms, host: FileHost, resume: Callable[[str], Run], tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "attachments").write_text("no folder")
    record = attachment("att_1", host) | {"fileName": "canary.pdf"}
    dms.answer("GET /attachments/att_1", Canned(body=record))
    done = resume("att_1")
    assert done.code == 0, done.err
    assert done.records("attachments") == []
    warning = next(line for line in done.err.splitlines() if "files could not be had" in line)
    assert "1 not taken by the place that `download_to` names" in warning
    assert f"({(tmp_path / 'files').as_uri()}/)" in warning
    assert "canary" not in done.err
    assert list(done.state()["bookmarks"]["attachments"]["files"]["rows"]) == ["att_1"]
