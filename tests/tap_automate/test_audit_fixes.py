"""Where the messages of a repair go: whole or not at all, and whose fault it is when not."""

from __future__ import annotations

import os
import typing as t

import pytest

from automate_api.errors import AutomateError
from tap_automate.audit_fixes import STANDARD_OUTPUT, opened

if t.TYPE_CHECKING:
    from pathlib import Path

FULL_DISK: t.Final = "/dev/full"


def test_the_file_holds_all_messages_once_the_block_is_done(tmp_path: Path) -> None:
    path = tmp_path / "fixes.jsonl"
    with opened(str(path)) as write:
        write(b"one\n")
        assert not path.exists()
        write(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("target", ["fixes.jsonl", STANDARD_OUTPUT])
def test_what_fails_beside_the_writing_is_not_blamed_on_the_messages(
    tmp_path: Path, target: str
) -> None:
    if target != STANDARD_OUTPUT:
        target = str(tmp_path / target)
    with pytest.raises(PermissionError, match="the session file"), opened(target):
        raise PermissionError(13, "the session file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["nowhere/fixes.jsonl", "file/fixes.jsonl", "folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(AutomateError, match=r"cannot be written to .*Name another file"),
        opened(str(tmp_path / place)),
    ):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_disk_that_fills_up_in_the_block_is_said_to(tmp_path: Path) -> None:
    (tmp_path / f".fixes.jsonl.{os.getpid()}").symlink_to(FULL_DISK)
    target = str(tmp_path / "fixes.jsonl")
    with pytest.raises(AutomateError, match="No space left on device"), opened(target) as write:
        write(b"more than any buffer holds\n" * 100_000)
    assert list(tmp_path.iterdir()) == []
