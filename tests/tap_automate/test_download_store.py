"""The folder of downloads: whole files under their names, each fetched once."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import textwrap
import threading
import typing as t

import fsspec  # type: ignore[import-untyped]
import pytest
from support.files import Answer, FileHost

from automate_api.config import ApiConfig
from automate_api.errors import ConfigError
from tap_automate.downloads import errors
from tap_automate.downloads.errors import FileError
from tap_automate.downloads.fetcher import Fetcher
from tap_automate.downloads.fields import Named
from tap_automate.downloads.store import LIST, FileStore

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_automate.downloads.store import Outcome

CONTENT = bytes(range(256)) * 100
NOW = 1_790_000_000_000_000


class Making(t.Protocol):
    """Makes a store as a run has it."""

    def __call__(self, root: str | Path, most_bytes: int = ...) -> FileStore:
        """Make one."""


@pytest.fixture
def host() -> Iterator[FileHost]:
    with FileHost() as server:
        yield server


@pytest.fixture
def make(offline_settings: dict[str, t.Any]) -> Iterator[Making]:
    fetchers: list[Fetcher] = []

    def make(root: str | Path, most_bytes: int = 1 << 20) -> FileStore:
        config = ApiConfig.from_settings({**offline_settings, "max_wait_seconds": 0})
        fetchers.append(Fetcher(config, most_bytes=most_bytes, stop=threading.Event()))
        return FileStore(str(root), fetchers[-1], most_bytes=most_bytes)

    yield make
    for fetcher in fetchers:
        fetcher.close()


def attached(url: str, content: bytes | None = None, **changes: t.Any) -> Named:  # noqa: ANN401
    """Name a file as an attachment does."""
    fields: dict[str, t.Any] = {
        "name": "contract.pdf",
        "content_type": "application/pdf",
        "size": None if content is None else len(content),
        "sha256": None if content is None else hashlib.sha256(content).hexdigest(),
        "ends": None,
    }
    return Named(1, url, **{**fields, **changes})


def photo(url: str, position: int = 1) -> Named:
    """Name a file as a vehicle's photo does."""
    return Named(position, url, name=None, content_type=None, size=None, sha256=None, ends=None)


def never(_position: int) -> t.NoReturn:
    pytest.fail("the record was asked for again")


def bring(store: FileStore, *files: Named) -> list[Outcome]:
    return store.bring("attachments/att_1", files, never, NOW)


def test_a_file_lies_in_the_folder_of_its_record_and_is_fetched_once(
    host: FileHost, make: Making, tmp_path: Path
) -> None:
    url = host.serve("/a", CONTENT)
    for fetched in (len(CONTENT), None):
        (outcome,) = bring(make(tmp_path), attached(f"{url}?signature={fetched}", CONTENT))
        assert outcome.path == f"{tmp_path}/attachments/att_1/contract.pdf"
        assert outcome.fetched == fetched
        assert (tmp_path / "attachments/att_1/contract.pdf").read_bytes() == CONTENT
    assert len(host.seen) == 1
    assert {file.name for file in (tmp_path / "attachments/att_1").iterdir()} == {
        "contract.pdf",
        LIST,
    }


def test_a_row_says_the_path_as_the_setting_has_it(
    host: FileHost, make: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    url = host.serve("/a", CONTENT)
    roots = {
        "files": "files/",
        "./files/": "files/",
        "~/files": f"{tmp_path}/files/",
        f"file://{tmp_path}/files": f"file://{tmp_path}/files/",
    }
    for root, base in roots.items():
        (outcome,) = bring(make(root), attached(url, CONTENT))
        assert outcome.path == f"{base}attachments/att_1/contract.pdf"
    assert len(host.seen) == 1


def test_a_file_that_is_gone_or_of_another_length_is_fetched_again(
    host: FileHost, make: Making, tmp_path: Path
) -> None:
    store, named = make(tmp_path), attached(host.serve("/a", CONTENT), CONTENT)
    bring(store, named)
    file = tmp_path / "attachments/att_1/contract.pdf"
    for spoil in (file.unlink, lambda: file.write_bytes(b"half")):
        spoil()
        (outcome,) = bring(store, named)
        assert outcome.fetched == len(CONTENT)
        assert file.read_bytes() == CONTENT


@pytest.mark.parametrize("damage", [b"", b"{", b'{"1": 1}', b'{"1": {"name": "../../x"}}'])
def test_a_list_that_cannot_be_used_costs_another_fetch(
    host: FileHost, make: Making, tmp_path: Path, damage: bytes
) -> None:
    store, named = make(tmp_path), attached(host.serve("/a", CONTENT), CONTENT)
    bring(store, named)
    (tmp_path / "attachments/att_1" / LIST).write_bytes(damage)
    assert bring(store, named)[0].fetched == len(CONTENT)
    assert bring(store, named)[0].fetched is None


def test_a_list_is_not_believed_about_files_elsewhere(
    host: FileHost, make: Making, tmp_path: Path
) -> None:
    store, named = make(tmp_path), photo(host.serve("/a", CONTENT))
    bring(store, named)
    (tmp_path / "secret").write_bytes(CONTENT)
    file = tmp_path / "attachments/att_1" / LIST
    kept = json.loads(file.read_text())
    kept["1"] |= {"name": "../../secret", "etag": None, "modified": None}
    file.write_text(json.dumps(kept))
    (outcome,) = bring(store, named)
    assert outcome.path is not None
    assert outcome.path.startswith(f"{tmp_path}/attachments/att_1/1.")


def test_new_content_of_a_record_replaces_the_old(
    host: FileHost, make: Making, tmp_path: Path
) -> None:
    store = make(tmp_path)
    bring(store, attached(host.serve("/a", CONTENT), CONTENT))
    newer = CONTENT[::-1]
    url = host.serve("/a", newer)
    (outcome,) = bring(store, attached(url, newer))
    assert outcome.fetched == len(newer)
    assert (tmp_path / "attachments/att_1/contract.pdf").read_bytes() == newer
    assert bring(store, attached(url, newer, sha256=None))[0].fetched is None
    assert bring(store, attached(url, newer, sha256=None, size=5))[0].error is not None
    assert (tmp_path / "attachments/att_1/contract.pdf").read_bytes() == newer


def test_a_file_with_another_name_is_another(host: FileHost, make: Making, tmp_path: Path) -> None:
    store, named = make(tmp_path), attached(host.serve("/a", CONTENT), CONTENT)
    bring(store, named)
    (outcome,) = bring(store, attached(named.url, CONTENT, name="signed.pdf"))
    assert outcome.path == f"{tmp_path}/attachments/att_1/signed.pdf"
    assert (tmp_path / "attachments/att_1/signed.pdf").read_bytes() == CONTENT


def test_a_photo_is_asked_about_and_fetched_only_when_it_is_another(
    host: FileHost, make: Making, tmp_path: Path
) -> None:
    store = make(tmp_path)
    urls = [host.serve(f"/{n}", CONTENT + bytes([n]), "image/jpeg") for n in (1, 2)]
    named = [photo(url, position) for position, url in enumerate(urls, 1)]
    first = bring(store, *named)
    folder = tmp_path / "attachments/att_1"
    assert [outcome.path for outcome in first] == [f"{folder}/1.jpg", f"{folder}/2.jpg"]
    again = bring(store, *(photo(f"{n.url}?signature=new", n.position) for n in named))
    assert [(o.path, o.fetched) for o in again] == [(o.path, None) for o in first]
    assert [seen.headers.get("If-None-Match") is None for seen in host.seen] == [True] * 2 + [
        False
    ] * 2
    host.serve("/2", b"replaced in place", "image/png")
    third = bring(store, *named)
    assert [outcome.fetched for outcome in third] == [None, 17]
    assert third[1].path == f"{folder}/2.png"
    assert (folder / "2.png").read_bytes() == b"replaced in place"


@pytest.mark.parametrize(("path", "fetched"), [("/a", None), ("/moved", len(CONTENT))])
def test_a_version_is_known_of_the_address_that_it_came_from_alone(
    host: FileHost, make: Making, tmp_path: Path, path: str, fetched: int | None
) -> None:
    store, url = make(tmp_path), host.serve("/a", CONTENT, "image/jpeg")
    bring(store, photo(url))
    host.answer("/a", Answer(403))
    renewed = photo(f"{host.serve(path, CONTENT, 'image/jpeg')}?signature=new")
    (outcome,) = store.bring("attachments/att_1", [photo(url)], lambda _: renewed, NOW)
    assert outcome.path == f"{tmp_path}/attachments/att_1/1.jpg"
    assert outcome.fetched == fetched


def test_a_photo_without_a_version_is_fetched_when_its_address_is_another(
    host: FileHost, make: Making, tmp_path: Path
) -> None:
    store = make(tmp_path)
    plain = Answer(body=CONTENT, headers={"Content-Type": "image/jpeg"})
    url, other = host.answer("/a", plain), host.answer("/b", plain)
    assert bring(store, photo(url + "?signature=1"))[0].fetched == len(CONTENT)
    (file,) = (tmp_path / "attachments/att_1").glob("*.jpg")
    written = file.stat()
    assert bring(store, photo(url + "?signature=2"))[0].fetched is None
    assert bring(store, photo(other + "?signature=2"))[0].fetched == len(CONTENT)
    assert len(host.seen) == 2
    assert file.stat().st_ino == written.st_ino  # the same bytes are not written again


def test_an_address_that_ends_before_now_is_renewed_without_being_asked(
    host: FileHost, make: Making, tmp_path: Path
) -> None:
    old, new = f"{host.base}/old", host.serve("/new", CONTENT)
    asked: list[int] = []

    def renewed(position: int) -> Named:
        asked.append(position)
        return attached(new, CONTENT, ends=NOW + 1)

    (outcome,) = make(tmp_path).bring("a/1", [attached(old, ends=NOW)], renewed, NOW)
    assert outcome.fetched == len(CONTENT)
    assert asked == [1]
    assert [seen.path for seen in host.seen] == ["/new"]


def test_of_a_record_that_is_asked_for_again_the_address_alone_is_taken(
    host: FileHost, make: Making, tmp_path: Path
) -> None:
    ended, newer = host.answer("/a", Answer(403)), CONTENT[::-1]

    def renewed(_position: int) -> Named:
        return attached(host.serve("/new", newer), newer, name="another.pdf")

    store = make(tmp_path)
    (outcome,) = store.bring("a/1", [attached(ended, CONTENT)], renewed, NOW)
    assert str(outcome.error) == errors.OTHER_CONTENT
    host.answer("/a", Answer(403))
    (outcome,) = store.bring("a/1", [attached(ended, newer)], renewed, NOW)
    assert outcome.path == f"{tmp_path}/a/1/contract.pdf"


def test_an_address_that_nobody_renews_is_a_reason(
    host: FileHost, make: Making, tmp_path: Path
) -> None:
    def renewed(_position: int) -> t.NoReturn:
        raise FileError(errors.NO_NEW_ADDRESS)

    url = host.answer("/a", Answer(403))
    (outcome,) = make(tmp_path).bring("a/1", [attached(url)], renewed, NOW)
    assert str(outcome.error) == errors.NO_NEW_ADDRESS
    assert outcome.path is None


def test_one_file_that_cannot_be_had_leaves_the_others_and_nothing_of_itself(
    host: FileHost, make: Making, tmp_path: Path
) -> None:
    urls = [host.serve("/1", CONTENT, "image/jpeg"), f"{host.base}/missing", "ftp://x/y"]
    large = host.serve("/large", bytes(1000 + len(CONTENT)), "image/jpeg")
    store = make(tmp_path, len(CONTENT))
    outcomes = bring(store, *(photo(url, n) for n, url in enumerate([*urls, large], 1)))
    assert [outcome.path is None for outcome in outcomes] == [False, True, True, True]
    assert [str(o.error) for o in outcomes[1:]] == [
        errors.status_text(404),
        errors.NOT_HTTPS,
        errors.TOO_LARGE,
    ]
    assert [o.error.lasting for o in outcomes if o.error] == [False, True, True]
    folder = tmp_path / "attachments/att_1"
    assert sorted(file.name for file in folder.iterdir()) == [LIST, "1.jpg"]


def test_a_record_without_any_file_has_no_folder(
    host: FileHost, make: Making, tmp_path: Path
) -> None:
    (outcome,) = bring(make(tmp_path), attached(f"{host.base}/missing"))
    assert outcome.path is None
    assert list((tmp_path / "attachments").iterdir()) == []


def test_a_size_beyond_the_limit_is_not_asked_for(
    host: FileHost, make: Making, tmp_path: Path
) -> None:
    named = attached(host.serve("/a", CONTENT), CONTENT)
    (outcome,) = bring(make(tmp_path, 100), named)
    assert str(outcome.error) == errors.TOO_LARGE
    assert host.seen == []
    assert not any(tmp_path.iterdir())


def test_a_place_that_takes_no_file_is_a_reason_that_says_which(
    host: FileHost, make: Making, tmp_path: Path
) -> None:
    store = make(tmp_path)
    (tmp_path / "attachments").write_text("no folder")
    (outcome,) = bring(store, attached(host.serve("/a", CONTENT), CONTENT))
    assert outcome.error is not None
    assert str(outcome.error) == errors.NOT_TAKEN
    assert f"`download_to` (file://{tmp_path}/)" in outcome.error.detail
    assert "contract" not in outcome.error.detail
    assert not outcome.error.lasting


def test_a_store_that_is_no_folder_holds_the_same(host: FileHost, make: Making) -> None:
    store = make("memory://downloads")
    named = attached(host.serve("/a", CONTENT), CONTENT)
    system = fsspec.filesystem("memory")
    try:
        for fetched in (len(CONTENT), None):
            (outcome,) = bring(store, named)
            assert outcome.path == "memory://downloads/attachments/att_1/contract.pdf"
            assert outcome.fetched == fetched
        newer = CONTENT[::-1]
        host.serve("/a", newer)
        assert bring(store, attached(named.url, newer))[0].fetched == len(newer)
        assert system.cat_file("/downloads/attachments/att_1/contract.pdf") == newer
        assert len(system.find("/downloads")) == 2
    finally:
        system.rm("/downloads", recursive=True)


def test_a_store_that_fails_in_the_end_keeps_no_part_of_a_file(
    host: FileHost, make: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> t.NoReturn:
        raise PermissionError(13, "Permission denied")

    store, system = make("memory://downloads"), fsspec.filesystem("memory")
    monkeypatch.setattr(type(system), "mv", refuse)
    (outcome,) = bring(store, attached(host.serve("/a", CONTENT), CONTENT))
    assert outcome.error is not None
    assert "Permission denied" in outcome.error.detail
    assert system.find("/downloads") == []


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("memory://downloads", "gone when it ends"),
        ("{tmp_path}/taken", "`download_to`"),
        ("nowhere://x", "nowhere:// is none"),
        ("file://x", "three slashes"),
        ("s3://bucket/x", "needs a package"),
    ],
)
def test_a_place_that_cannot_be_used_is_refused_before_the_run(
    make: Making, tmp_path: Path, root: str, expected: str
) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    with pytest.raises(ConfigError, match=expected):
        make(root.format(tmp_path=tmp_path)).check()


PROGRAM = """
    import resource, sys, threading
    from automate_api.config import ApiConfig
    from tap_automate.downloads.fields import Named
    from tap_automate.downloads.fetcher import Fetcher
    from tap_automate.downloads.store import FileStore

    root, url, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if len(sys.argv) > 4:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
    config = ApiConfig.from_settings({
        "api_url": "http://127.0.0.1:9", "integration_id": "none", "platform_token": "a-token",
        "username": "someone", "password": "a-password", "session_store": "memory",
    })
    store = FileStore(
        root, Fetcher(config, most_bytes=1 << 30, stop=threading.Event()), most_bytes=1 << 30
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    named = Named(1, url, "large.bin", None, size, None, None)
    (outcome,) = store.bring("a/1", [named], None, 0)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(outcome.fetched, after - before)
    print(outcome.error, file=sys.stderr)
"""


def program(*arguments: object) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(PROGRAM), *map(str, arguments)]


def test_memory_does_not_grow_with_a_file(host: FileHost, tmp_path: Path) -> None:
    size = 200 << 20
    url = host.serve("/large", bytes(size))
    done = subprocess.run(  # noqa: S603 - our own program
        program(tmp_path, url, size), capture_output=True, text=True, check=True, timeout=60
    )
    fetched, grown = map(int, done.stdout.split())
    assert fetched == size
    assert grown < 20 << 10  # in KiB: a tenth of the file
    assert (tmp_path / "a/1/large.bin").stat().st_size == size


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_disk_that_takes_no_more_is_a_reason(host: FileHost, tmp_path: Path, size: int) -> None:
    url = host.serve("/a", bytes(size))
    done = subprocess.run(  # noqa: S603 - our own program
        program(tmp_path, url, size, size // 2),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith("None")
    assert "not written" in done.stderr or errors.NOT_TAKEN in done.stderr
    assert not any((tmp_path / "a").iterdir())


def test_a_kill_in_the_middle_leaves_nothing_under_the_files_name(
    host: FileHost, tmp_path: Path
) -> None:
    size = 8 << 20
    half_sent, killed = threading.Event(), threading.Event()

    def wait() -> None:
        half_sent.set()
        killed.wait(60)

    host.serve("/large", bytes(size))
    headers = {"ETag": '"1"', "Accept-Ranges": "bytes"}
    url = host.answer("/large", Answer(200, bytes(size), headers, size // 2))
    host.answer("/large", Answer(206, before=wait))
    with subprocess.Popen(program(tmp_path, url, size)) as process:  # noqa: S603 - our own
        assert half_sent.wait(60)
        folder = tmp_path / "a/1"
        (aside,) = folder.iterdir()
        process.send_signal(signal.SIGKILL)
        killed.set()
        process.wait(30)
    assert [file.name for file in folder.iterdir()] == [aside.name]
    assert aside.name.startswith(".")
    assert aside.suffix == ".part"
    done = subprocess.run(  # noqa: S603 - our own program
        program(tmp_path, url, size), capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout.split()[0]) == size
    assert (folder / "large.bin").read_bytes() == bytes(size)
