"""Where a session is kept between requests and between processes, and the lock around changing it.

The file store is one file for each (API address, integration, username) in a directory of the
user's own:

- directory 0700, file 0600; a symbolic link, another user's file, or one that others may read is
  refused;
- every change is written aside, flushed to the disk and renamed, so a reader sees the old or the
  new state;
- whoever changes it holds the lock file beside it, which the kernel frees when a process dies.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import typing as t

import filelock
import msgspec

from automate_api.errors import ConfigError, TryLaterError

if t.TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from automate_api.clock import Clock
    from automate_api.config import ApiConfig

LOCK_LOOK_SECONDS: t.Final = 0.1


class Cookie(msgspec.Struct, frozen=True):
    """A cookie that the API set; `expires` in seconds since 1970, None until the session ends."""

    name: str
    value: str
    domain: str
    path: str
    secure: bool
    expires: int | None = None

    def __repr__(self) -> str:
        """Leave the value out."""
        return f"Cookie(name={self.name!r})"


class SessionState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one login knows; the content of a session file.

    Times are seconds since 1970 by this machine's clock, which all processes share.

    Attributes:
        version: Of this layout.
        token: The bearer token, None before the first login.
        issued_at: When the token was asked for.
        expires_at: When it ends.
        clock_skew: Seconds that the server's clock is ahead of this machine's, None when unknown.
        last_totp_step: The last 30-second step whose code was submitted.
        failed_logins: Refused logins since the last one that worked.
        locked_reason: Why no login is tried any more, None while one may be.
        cookies: What the API set.
        entitlements: What the login may use.
        user_id: Whose login it is.
    """

    version: t.Literal[1] = 1
    token: str | None = None
    issued_at: float = 0.0
    expires_at: float = 0.0
    clock_skew: float | None = None
    last_totp_step: int | None = None
    failed_logins: int = 0
    locked_reason: str | None = None
    cookies: tuple[Cookie, ...] = ()
    entitlements: tuple[str, ...] = ()
    user_id: str | None = None

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"SessionState(user_id={self.user_id!r}, expires_at={self.expires_at!r})"


class SessionStore(t.Protocol):
    """What a session asks of its store."""

    def load(self) -> SessionState:
        """Read the state; an empty one when there is none yet."""

    def save(self, state: SessionState) -> None:
        """Replace the state; the caller holds the lock."""

    def discard(self) -> None:
        """Forget the state, readable or not; the caller holds the lock."""

    def lock(self, *, wait_seconds: float) -> contextlib.AbstractContextManager[bool]:
        """Keep others from changing the state.

        Args:
            wait_seconds: How long to wait for another process; zero to try once.

        Returns:
            A context whose value says whether the lock is held.
        """


class MemoryStore:
    """A session of this process alone."""

    def __init__(self) -> None:
        self._state = SessionState()

    def load(self) -> SessionState:
        """Return the state."""
        return self._state

    def save(self, state: SessionState) -> None:
        """Replace the state."""
        self._state = state

    def discard(self) -> None:
        """Start anew."""
        self._state = SessionState()

    def lock(self, *, wait_seconds: float) -> contextlib.AbstractContextManager[bool]:  # noqa: ARG002 - nobody to wait for
        """Nobody else is there."""
        return contextlib.nullcontext(enter_result=True)


class FileStore:
    """A session that all processes of one user share.

    Args:
        directory: Of the session files; made when missing.
        key: What the session belongs to (API address, integration, username).
        clock: For waiting.
        stop: Ends waiting for the lock.

    Raises:
        ConfigError: When the directory cannot be used, saying why and what to do.
    """

    def __init__(
        self, directory: Path, key: tuple[str, ...], *, clock: Clock, stop: threading.Event
    ) -> None:
        name = hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
        _private_directory(directory)
        self._directory = directory
        self._path = directory / f"{name}.json"
        self._lock = filelock.FileLock(directory / f"{name}.lock", mode=0o600)
        self._clock = clock
        self._stop = stop

    def load(self) -> SessionState:
        """Read the file.

        Raises:
            ConfigError: When it is not a private file of this user, or not a session file.
        """
        try:
            descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except FileNotFoundError:
            return SessionState()
        except OSError as error:
            if error.errno == errno.ELOOP:
                self._refuse("is a symbolic link", error)
            self._refuse(f"cannot be read ({error.strerror})", error)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                self._refuse("is not a regular file")
            if reason := _not_private(status):
                self._refuse(reason)
            content = file.read()
        try:
            return msgspec.json.decode(content, type=SessionState)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._refuse("is not a session file of this version", error)

    def save(self, state: SessionState) -> None:
        """Write aside, flush, rename.

        Raises:
            ConfigError: When the disk refuses, saying why; the old state stands.
        """
        aside = self._path.with_suffix(".tmp")
        try:
            # A process that died while writing left it; the lock is ours now.
            aside.unlink(missing_ok=True)
            # O_EXCL refuses whatever is there by then, a symbolic link too.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(aside, flags, 0o600), "wb") as file:
                file.write(msgspec.json.encode(state))
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self._path)
            _sync_directory(self._directory)
        except OSError as error:
            msg = (
                f"The session file {self._path} cannot be written ({error.strerror}). Make room or "
                "allow writing there, or choose another directory with `session_path`."
            )
            raise ConfigError(msg) from error

    def discard(self) -> None:
        """Remove the file, whatever is in it.

        Raises:
            ConfigError: When it cannot be removed.
        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            msg = f"The session file {self._path} cannot be removed ({error.strerror})."
            raise ConfigError(msg) from error

    @contextlib.contextmanager
    def lock(self, *, wait_seconds: float) -> Iterator[bool]:
        """Hold the lock file.

        Raises:
            StoppedError: When `stop` is set while waiting.
            TryLaterError: When another process holds it for longer than `wait_seconds`.
            ConfigError: When the lock file cannot be made.
        """
        end = self._clock.monotonic() + wait_seconds
        while not (held := self._try_lock()) and wait_seconds > 0:
            if self._clock.monotonic() >= end:
                msg = (
                    f"Another process has been holding the session lock {self._lock.lock_file} for "
                    f"{wait_seconds:.0f} s. End it, or run again later."
                )
                raise TryLaterError(msg)
            self._clock.wait(LOCK_LOOK_SECONDS, self._stop)
        try:
            yield held
        finally:
            if held:
                self._lock.release()

    def _try_lock(self) -> bool:
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            return False
        except OSError as error:
            msg = (
                f"The session lock {self._lock.lock_file} cannot be made ({error.strerror}). Allow "
                "writing there, or choose another directory with `session_path`."
            )
            raise ConfigError(msg) from error
        return True

    def _refuse(self, reason: str, cause: Exception | None = None) -> t.NoReturn:
        msg = (
            f"The session file {self._path} {reason}, so it is not used. Find out how that came "
            "about, then run `automate-dms login --reset`, which makes it anew."
        )
        raise ConfigError(msg) from cause


def open_store(config: ApiConfig, *, clock: Clock, stop: threading.Event) -> SessionStore:
    """Open the store that the settings name.

    Raises:
        ConfigError: When the directory cannot be used.
    """
    if config.session_path is None:
        return MemoryStore()
    key = (config.api_url, config.integration_id, config.username)
    return FileStore(config.session_path, key, clock=clock, stop=stop)


def _private_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.lstat()
    except FileExistsError as error:
        msg = f"`session_path` must be a directory; {directory} is a file."
        raise ConfigError(msg) from error
    except OSError as error:
        msg = (
            f"The session directory {directory} cannot be made ({error.strerror}). Choose another "
            "with `session_path`, or set `session_store: memory`."
        )
        raise ConfigError(msg) from error
    reason = "is a symbolic link" if stat.S_ISLNK(status.st_mode) else _not_private(status)
    if reason:
        msg = (
            f"The session directory {directory} {reason}, so it is not used. Name a directory of "
            "its own with `session_path`: one that does not exist yet is made."
        )
        raise ConfigError(msg)


def _not_private(status: os.stat_result) -> str | None:
    if os.name != "posix":
        return None
    if status.st_uid != os.geteuid():
        return "belongs to another user"
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"is open to others (mode {stat.S_IMODE(status.st_mode):03o})"
    return None


def _sync_directory(directory: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
