from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
import typing as t

import pytest

from automate_api.clock import SYSTEM_CLOCK
from automate_api.errors import ConfigError, StoppedError, TryLaterError
from automate_api.session_store import Cookie, FileStore, SessionState

if t.TYPE_CHECKING:
    from pathlib import Path

    from support.clock import FakeClock

STATE: t.Final = SessionState(
    token="canary-token",  # noqa: S106 - planted
    issued_at=1.5,
    expires_at=3601.5,
    last_totp_step=7,
    cookies=(Cookie(name="sid", value="canary-cookie", domain="d", path="/", secure=True),),
    entitlements=("sales",),
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "automate-dms"


@pytest.fixture
def store(directory: Path, clock: FakeClock) -> FileStore:
    return make(directory, clock)


def make(directory: Path, clock: FakeClock, username: str = "user") -> FileStore:
    key = ("https://dms.example.com", "int_1", username)
    return FileStore(directory, key, clock=clock, stop=threading.Event())


def the_file(directory: Path) -> Path:
    return next(directory.glob("*.json"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_what_was_saved_is_loaded(store: FileStore) -> None:
    assert store.load() == SessionState()
    store.save(STATE)
    assert store.load() == STATE


def test_directory_and_files_are_the_users_alone(store: FileStore, directory: Path) -> None:
    before = os.umask(0)
    try:
        with store.lock(wait_seconds=0):
            store.save(STATE)
    finally:
        os.umask(before)
    assert mode(directory) == 0o700
    assert {mode(file) for file in directory.iterdir()} == {0o600}


def test_each_address_integration_and_user_has_a_file_of_its_own(
    store: FileStore, directory: Path, clock: FakeClock
) -> None:
    store.save(STATE)
    assert make(directory, clock, "other").load() == SessionState()
    assert make(directory, clock).load() == STATE


def test_a_symbolic_link_is_refused(store: FileStore, directory: Path, tmp_path: Path) -> None:
    store.save(STATE)
    file = the_file(directory)
    elsewhere = tmp_path / "elsewhere.json"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="is a symbolic link"):
        store.load()


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_open_is_refused(
    store: FileStore, directory: Path, bits: int
) -> None:
    store.save(STATE)
    the_file(directory).chmod(bits)
    with pytest.raises(ConfigError, match=f"open to others .mode {bits:03o}.*login --reset"):
        store.load()


def test_a_directory_that_others_may_open_is_refused(directory: Path, clock: FakeClock) -> None:
    directory.mkdir(parents=True, mode=0o755)
    with pytest.raises(ConfigError, match="open to others"):
        make(directory, clock)


def test_a_directory_that_is_a_link_or_a_file_is_refused(
    tmp_path: Path, directory: Path, clock: FakeClock
) -> None:
    make(directory, clock)
    link = tmp_path / "link"
    link.symlink_to(directory)
    with pytest.raises(ConfigError, match="is a symbolic link"):
        make(link, clock)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match="must be a directory"):
        make(file, clock)


def test_a_file_of_another_user_is_refused(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(STATE)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(ConfigError, match="belongs to another user"):
        store.load()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 2}', b'{"token": 7}'])
def test_a_file_of_another_version_is_refused_without_its_content(
    store: FileStore, directory: Path, content: bytes
) -> None:
    store.save(STATE)
    the_file(directory).write_bytes(content)
    with pytest.raises(ConfigError, match="not a session file of this version"):
        store.load()
    store.discard()
    assert store.load() == SessionState()


def test_a_full_disk_leaves_the_old_state(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(STATE)

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(ConfigError, match="No space left on device"):
        store.save(SessionState())
    assert store.load() == STATE


def test_what_a_dead_process_left_aside_is_in_nobodys_way(
    store: FileStore, directory: Path
) -> None:
    store.save(SessionState())
    the_file(directory).with_suffix(".tmp").write_bytes(b"half a sta")
    store.save(STATE)
    assert store.load() == STATE


def test_one_process_at_a_time_holds_the_lock(
    store: FileStore, directory: Path, clock: FakeClock
) -> None:
    other = make(directory, clock)
    with store.lock(wait_seconds=0) as first, other.lock(wait_seconds=0) as second:
        assert (first, second) == (True, False)
    with other.lock(wait_seconds=0) as third:
        assert third


def test_waiting_for_the_lock_ends_with_a_clear_error(
    store: FileStore, directory: Path, clock: FakeClock
) -> None:
    other = make(directory, clock)
    with (
        store.lock(wait_seconds=0),
        pytest.raises(TryLaterError, match=r"holding the session lock .* for 5 s"),
        other.lock(wait_seconds=5),
    ):
        pass
    assert sum(clock.waits) == pytest.approx(5, abs=0.2)


def test_waiting_for_the_lock_can_be_stopped(directory: Path, clock: FakeClock) -> None:
    stop = threading.Event()
    held = FileStore(directory, ("a",), clock=clock, stop=stop)
    waiting = FileStore(directory, ("a",), clock=clock, stop=stop)
    stop.set()
    with held.lock(wait_seconds=0), pytest.raises(StoppedError), waiting.lock(wait_seconds=5):
        pass


def test_a_killed_process_frees_the_lock(directory: Path, clock: FakeClock) -> None:
    script = (
        "import pathlib, sys, threading, time\n"
        "from automate_api.clock import SYSTEM_CLOCK\n"
        "from automate_api.session_store import FileStore\n"
        "store = FileStore(pathlib.Path(sys.argv[1]), ('a',), clock=SYSTEM_CLOCK,"
        " stop=threading.Event())\n"
        "with store.lock(wait_seconds=0) as held:\n"
        "    print(held, flush=True)\n"
        "    time.sleep(600)\n"
    )
    ours = FileStore(directory, ("a",), clock=clock, stop=threading.Event())
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script, str(directory)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with ours.lock(wait_seconds=0) as held:
            assert not held
        holder.kill()
    patient = FileStore(directory, ("a",), clock=SYSTEM_CLOCK, stop=threading.Event())
    with patient.lock(wait_seconds=60) as held:
        assert held


def test_representations_show_no_secret() -> None:
    assert "canary" not in repr(STATE)
    assert "canary" not in repr(STATE.cookies)
