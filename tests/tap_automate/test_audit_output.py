"""Where the messages of a repair go: whole or not at all, and whose fault it is when not."""

from __future__ import annotations

import contextlib
import os
import threading
import typing as t
from pathlib import Path

import pytest

from automate_api.errors import AutomateError, ConfigError
from tap_automate.audit.output import STANDARD_OUTPUT, Place, opened, place_of

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
        pytest.raises(ConfigError, match=r"cannot be written to .*Name a"),
        opened(str(tmp_path / place)),
    ):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_disk_that_fills_up_in_the_block_is_said_to(tmp_path: Path) -> None:
    (tmp_path / f".fixes.jsonl.{os.getpid()}").symlink_to(FULL_DISK)
    target = str(tmp_path / "fixes.jsonl")
    with pytest.raises(ConfigError, match="No space left on device"), opened(target) as write:
        write(b"more than any buffer holds\n" * 100_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_a_device_is_written_to_and_never_replaced(device: str, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(device)
    assert place_of(device) == place_of(str(link)) == Place(Path(device), replaced=False)


def test_a_fifo_gets_the_messages_and_stays_one(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()), daemon=True)
    reader.start()
    with opened(str(fifo)) as write:
        write(b"one\n")
        write(b"two\n")
    reader.join()
    assert read == [b"one\ntwo\n"]
    assert fifo.is_fifo()
    assert list(tmp_path.iterdir()) == [fifo]


def test_a_fifo_that_nobody_reads_any_more_says_so(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.raises(AutomateError, match="loader has ended"))
        write = stack.enter_context(opened(str(fifo)))
        os.close(reader)
        write(b"more than any buffer holds\n" * 100_000)


def test_an_open_descriptor_goes_on_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    with path.open("ab") as file:
        with opened(f"/dev/fd/{file.fileno()}") as write:
            write(b"one\n")
        file.write(b"after\n")
    assert path.read_bytes() == b"before\none\nafter\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_stays_one(tmp_path: Path, there: bool) -> None:  # noqa: FBT001 - pytest's
    (tmp_path / "folder").mkdir()
    path, link = tmp_path / "folder" / "fixes", tmp_path / "link"
    if there:
        path.write_text("before")
    (tmp_path / "folder" / "second").symlink_to("fixes")
    link.symlink_to("folder/second")
    with opened(str(link)) as write:
        write(b"one\n")
    assert link.is_symlink()
    assert path.read_bytes() == b"one\n"
    assert not path.is_symlink()


@pytest.mark.parametrize("name", ["read", "soft", "hard", "folder/../read", "later"])
def test_what_is_read_is_not_replaced(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    path = tmp_path / "read"
    path.write_text("kept")
    Path("soft").symlink_to("read")
    Path("hard").hardlink_to("read")
    inputs = [path, tmp_path / "later"]
    with pytest.raises(ConfigError, match="is what the audit reads"), opened(name, inputs):
        pass
    assert path.read_text() == "kept"
    assert place_of("another", inputs) == Place(tmp_path / "another", replaced=True)
