"""Files are there whole or as they were."""

from __future__ import annotations

import os
import stat
import typing as t

import pytest

from automate_api import whole_files

if t.TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_written_over_another(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_bytes(b"old")
    whole_files.write(path, b"new\n")
    assert path.read_bytes() == b"new\n"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_in_its_place_before_all_of_it_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.md"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        assert path.read_bytes() == b"old"
        assert os.fstat(descriptor).st_size == len(b"new")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        whole_files.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_a_private_file_stays_private_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(b"old")
    path.chmod(0o644)
    whole_files.write(path, b"new", mode=0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_a_killed_writer_has_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f".page.md.{os.getpid()}").write_bytes(b"half")
    whole_files.write(tmp_path / "page.md", b"new")
    assert (tmp_path / "page.md").read_bytes() == b"new"
