"""The journal's file: whose it is, who may read it, and a disk that is full."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import stat
import subprocess
import sys
import typing as t

import pytest
from support.intents import AT, TENANT, journal_at, new

from automate_api.errors import EXIT_TRY_LATER, ConfigError
from target_automate.journal.file import (
    JournalInUseError,
    NoJournalError,
    lock_journal,
    open_journal,
    read_journal,
)
from target_automate.journal.intents import State
from target_automate.journal.queries import JournalError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY: t.Final = "a long enough key"
CANARY: t.Final = "Plantania-Quorndon"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A journal with one write."""
    with journal_at(tmp_path) as journal:
        journal.add(new(), AT)
    return tmp_path / "journal.db"


@pytest.mark.parametrize("key", [None, KEY])
def test_all_its_files_are_for_their_owner_alone_while_it_is_open(
    tmp_path: Path, key: str | None
) -> None:
    with journal_at(tmp_path / "made" / "on the way", key) as journal:
        journal.add(new(), AT)
        journal.flush()
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode) for path in journal.path.parent.iterdir()
        }
    assert modes.keys() >= {"journal.db", "journal.db-wal", "journal.db-shm"}
    assert set(modes.values()) == {0o600}


def test_a_file_that_others_could_read_is_for_its_owner_alone_from_then_on(kept: Path) -> None:
    kept.chmod(0o644)
    with journal_at(kept.parent):
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_with_a_key_nothing_of_a_record_stands_in_its_files(tmp_path: Path) -> None:
    with journal_at(tmp_path, KEY) as journal:
        number = journal.add(new(key=CANARY, payload={"lastName": CANARY}), AT)
        journal.flush()
        journal.change(number, State.PLANNED, AT, payload={"firstName": CANARY})
        journal.flush()
        while_open = files(tmp_path)
    closed = files(tmp_path)
    shown = [
        name
        for name, content in [*while_open.items(), *closed.items()]
        if CANARY.encode() in content or KEY.encode() in content
    ]
    assert shown == []
    with read_journal(tmp_path / "journal.db", key=KEY) as journal:
        assert journal.get(number).payload == {"firstName": CANARY}


def test_without_a_key_the_search_for_it_would_find_something(tmp_path: Path) -> None:
    with journal_at(tmp_path) as journal:
        journal.add(new(key=CANARY), AT)
    assert CANARY.encode() in (tmp_path / "journal.db").read_bytes()


Opening = t.Callable[..., contextlib.AbstractContextManager[t.Any]]


def writing(path: Path, key: str | None) -> contextlib.AbstractContextManager[t.Any]:
    return open_journal(path, tenant=TENANT, key=key)


def reading(path: Path, key: str | None) -> contextlib.AbstractContextManager[t.Any]:
    return read_journal(path, key=key)


def refuses(opening: Callable[[], contextlib.AbstractContextManager[t.Any]], words: str) -> None:
    with pytest.raises(ConfigError, match=words), opening():
        pytest.fail("it was opened")


@pytest.mark.parametrize("way", [writing, reading])
@pytest.mark.parametrize(
    ("made_with", "opened_with", "words"),
    [
        (KEY, None, "is encrypted: give its key"),
        (KEY, "another long key", "not the key of"),
        (None, KEY, "is not encrypted"),
    ],
)
def test_a_wrong_missing_or_needless_key_is_refused_and_changes_nothing(
    tmp_path: Path, way: Opening, made_with: str | None, opened_with: str | None, words: str
) -> None:
    with journal_at(tmp_path, made_with) as journal:
        number = journal.add(new(), AT)
    refuses(lambda: way(journal.path, opened_with), words)
    with read_journal(journal.path, key=made_with) as reader:
        assert reader.get(number).business_key == "crm-1"


@pytest.mark.parametrize("way", [writing, reading])
@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be one" * 30])
def test_a_file_of_something_else_is_refused_and_left_as_it_is(
    tmp_path: Path, way: Opening, content: bytes
) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    refuses(lambda: way(path, None), "is no journal")
    assert path.read_bytes() == content


@pytest.mark.parametrize("way", [writing, reading])
@pytest.mark.parametrize(
    ("pragma", "words"),
    [("user_version = 1", "another program"), ("application_id = 0x41444A4C", "another version")],
)
def test_a_database_of_another_program_or_version_is_refused(
    tmp_path: Path, way: Opening, pragma: str, words: str
) -> None:
    path = tmp_path / "journal.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE kept (value)")
        connection.execute(f"PRAGMA {pragma}")
        connection.commit()
    before = path.read_bytes()
    refuses(lambda: way(path, None), words)
    assert path.read_bytes() == before


def test_the_journal_of_another_tenant_is_refused_and_both_are_named(kept: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"is of dms\.example/int_1, .* of dms\.example/int_2"),
        open_journal(kept, tenant="dms.example/int_2"),
    ):
        pytest.fail("it was opened")


def test_a_path_that_is_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "journal.db").mkdir()
    with pytest.raises(JournalError, match="cannot be"), journal_at(tmp_path):
        pytest.fail("it was opened")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be locked"), journal_at(tmp_path / "file"):
        pytest.fail("it was opened")


@pytest.mark.parametrize("content", [None, b""])
def test_reading_what_is_not_there_makes_nothing(tmp_path: Path, content: bytes | None) -> None:
    """An empty file is what a process leaves that is killed while it makes one."""
    path = tmp_path / "journal.db"
    if content is not None:
        path.write_bytes(content)
    before = files(tmp_path)
    with pytest.raises(NoJournalError, match="no journal at"), read_journal(path):
        pytest.fail("it was opened")
    assert files(tmp_path) == before
    with journal_at(tmp_path) as journal:
        assert journal.counts() == {}


def test_reading_a_journal_leaves_its_file_as_it_is(kept: Path) -> None:
    before = kept.read_bytes()
    with read_journal(kept) as journal:
        assert journal.counts() == {("customers", State.PLANNED): 1}
    assert kept.read_bytes() == before


HOLD: t.Final = """
import pathlib, sys
from target_automate.journal.file import open_journal
with open_journal(pathlib.Path(sys.argv[1]), tenant=sys.argv[2]):
    print("open", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Have a process of its own hold a journal open for writing."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", HOLD, str(path), TENANT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process


def test_a_second_writer_is_sent_away_to_come_later_and_a_reader_is_not(kept: Path) -> None:
    with another_process(kept):
        with (
            pytest.raises(JournalInUseError, match="Another process writes") as refused,
            journal_at(kept.parent),
        ):
            pytest.fail("it was opened")
        assert refused.value.exit_code == EXIT_TRY_LATER
        with pytest.raises(JournalInUseError), lock_journal(kept):
            pytest.fail("it was locked")
        with read_journal(kept) as journal:
            assert journal.counts() == {("customers", State.PLANNED): 1}
    with journal_at(kept.parent) as journal:
        assert journal.counts() == {("customers", State.PLANNED): 1}


def test_a_writer_that_was_killed_holds_nobody_up(kept: Path) -> None:
    with another_process(kept) as process:
        process.kill()
        process.wait()
    with journal_at(kept.parent) as journal:
        assert journal.counts() == {("customers", State.PLANNED): 1}


FILL: t.Final = """
import json, pathlib, resource, signal, sys
sys.path.insert(0, sys.argv[2])
from support.intents import journal_at, new
from target_automate.journal.queries import JournalError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
flushed, said = 0, []
with journal_at(pathlib.Path(sys.argv[1])) as journal:
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    try:
        for place in range(10_000):
            journal.add(new(key=f"crm-{place}", payload={"text": "x" * 1000}), 0.0)
            journal.flush()
            flushed = place + 1
    except JournalError as error:
        said.append(str(error))
    try:
        journal.add(new(key="later"), 0.0)
    except JournalError as error:
        said.append(str(error))
print(json.dumps({"flushed": flushed, "said": said}))
"""


def test_a_full_disk_is_said_in_one_line_and_loses_nothing_that_was_flushed(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    tests = pytestconfig.rootpath / "tests"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", FILL, str(tmp_path), str(tests)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=pytestconfig.rootpath,
    )
    told = json.loads(done.stdout)
    assert 0 < told["flushed"] < 10_000
    first, later = told["said"]
    assert "cannot be used any more" in first
    assert "See to its disk, then run again" in first
    assert "\n" not in first
    assert later == first, "whichever thread is the first to tell it, it is the same"
    with journal_at(tmp_path) as journal:
        keys = [kept.business_key for kept in journal.having({*State})]
        assert keys[: told["flushed"]] == [f"crm-{place}" for place in range(told["flushed"])]
        assert "later" not in keys
        journal.add(new(key="later"), AT)
        journal.flush()
