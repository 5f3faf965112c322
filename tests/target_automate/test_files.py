"""Facts of a local file, or why it cannot be sent, without a word of its path."""

from __future__ import annotations

import hashlib
import os
import typing as t
from pathlib import Path

import pytest

from target_automate.records import files
from target_automate.records.files import (
    DEFAULT_CONTENT_TYPE,
    FileFacts,
    UnusableFileError,
    content_type,
)

if t.TYPE_CHECKING:
    import io

DATA: t.Final = b"%PDF-1.4 signed" * 1000
CANARY: t.Final = "canary-jane-doe"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / CANARY
    made.mkdir()
    return made


def why(path: Path) -> str:
    with pytest.raises(UnusableFileError) as raised:
        FileFacts.of(path)
    text = str(raised.value)
    assert text.startswith("`path`: ")
    assert CANARY not in text
    assert raised.value.__cause__ is None
    return text


def test_a_file_has_its_size_digest_name_type_and_time(folder: Path) -> None:
    path = folder / "contract.pdf"
    path.write_bytes(DATA)
    facts = FileFacts.of(path)
    assert facts == FileFacts(
        "contract.pdf",
        "application/pdf",
        len(DATA),
        hashlib.sha256(DATA).hexdigest(),
        path.stat().st_mtime_ns,
    )
    assert "contract.pdf" not in repr(facts)


def test_a_file_that_cannot_be_sent_is_said_to_be_what_it_is(folder: Path) -> None:
    empty, pipe = folder / "empty.pdf", folder / "pipe"
    empty.touch()
    os.mkfifo(pipe)
    reasons = [
        why(folder / "missing.pdf"),
        why(folder),
        why(empty),
        why(pipe),
        why(Path("/dev/null")),
        why(folder / "with\0nothing"),
        why(folder / ("a" * 5000)),
        why(folder / "half a pair \ud800"),
    ]
    assert [reason.removeprefix("`path`: ") for reason in reasons] == [
        "there is no such file",
        "it is a folder; expected a file",
        "the file is empty",
        "expected a regular file",
        "expected a regular file",
        "no file can have this path",
        "the file cannot be opened (File name too long)",
        "no file can have this path",
    ]


def test_a_file_that_may_not_be_read_is_said_to_be_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> t.NoReturn:
        raise PermissionError(13, "Permission denied", str(folder))

    # The user whom the tests run as may be one who may read everything.
    monkeypatch.setattr(os, "open", refuse)
    assert "may not read the file" in why(folder / "contract.pdf")


def test_a_file_that_breaks_while_it_is_read_is_unusable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "contract.pdf"
    path.write_bytes(DATA)

    def broken(*_: object) -> t.NoReturn:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(hashlib, "file_digest", broken)
    assert why(path) == "`path`: the file cannot be read (Input/output error)"


def test_a_file_that_is_still_written_is_not_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "contract.pdf"
    path.write_bytes(DATA)
    digest_of = files.digest_of

    def meanwhile(file: io.FileIO) -> str:
        with path.open("ab") as more:
            more.write(b"!")
        return digest_of(file)

    monkeypatch.setattr(files, "digest_of", meanwhile)
    assert "wait until it has been written" in why(path)


def test_a_file_is_the_same_by_its_bytes_whatever_its_time(folder: Path) -> None:
    path = folder / "contract.pdf"
    path.write_bytes(DATA)
    facts = FileFacts.of(path)

    def are_of() -> bool:
        with files.opened(path) as file:
            return facts.are_of(file)

    assert are_of()
    os.utime(path, ns=(1, 1))
    assert are_of()
    path.write_bytes(DATA[:-1] + b"!")
    assert not are_of()
    path.write_bytes(DATA + b"!")
    assert not are_of()


def test_a_name_that_is_no_text_is_replaced(folder: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/contract-\xff.pdf"))
    path.write_bytes(DATA)
    facts = FileFacts.of(path)
    assert (facts.name, facts.content_type) == ("contract-\ufffd.pdf", "application/pdf")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("contract.pdf", "application/pdf"),
        ("FRONT.JPG", "image/jpeg"),
        ("front.webp", "image/webp"),
        ("files.tar.gz", "application/gzip"),
        ("files.tgz", "application/gzip"),
        ("files.tar.bz2", DEFAULT_CONTENT_TYPE),
        ("signed.v2.pdf", "application/pdf"),
        ("data:text/html,x", DEFAULT_CONTENT_TYPE),
        ("http://a.example/b", DEFAULT_CONTENT_TYPE),
        ("README", DEFAULT_CONTENT_TYPE),
        (".pdf", DEFAULT_CONTENT_TYPE),
        ("scan.unheard-of", DEFAULT_CONTENT_TYPE),
    ],
)
def test_the_ending_of_a_name_tells_the_type(name: str, expected: str) -> None:
    assert content_type(name) == expected
