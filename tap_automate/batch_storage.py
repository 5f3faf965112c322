"""Where batch files go: a local folder or any store that fsspec knows, each file whole or not."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import tempfile
import typing as t
import urllib.parse
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from automate_api import redaction
from automate_api.errors import AutomateError, ConfigError, UnreachableError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


_SECRET: t.Final = re.compile(
    "key|secret|token|passw|passphrase|credential|signature|connection_string", re.IGNORECASE
)

_CHECK: t.Final = ".tap-automate-check"
"""Name of the file that shows whether a store takes files; one name, as deleting may be forbidden.
"""

_NO_ANSWER: t.Final = {
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ETIMEDOUT,
    socket.EAI_AGAIN,
}
_NO_ANSWER_CLASSES: t.Final = {
    "TimeoutError",
    "ConnectionError",
    "ClientConnectionError",
    "ServiceRequestError",
}
"""Of Python, requests and botocore; of aiohttp; of azure: each knows a lost connection by a class.
"""


class Storage:
    """A folder for batch files."""

    def __init__(self, root: str, parameters: Mapping[str, t.Any]) -> None:
        """Find the file system; nothing is written yet.

        Args:
            root: A path, or an address such as `s3://bucket/folder`.
            parameters: What fsspec takes for that file system, such as credentials.

        Raises:
            ConfigError: When the file system is not known, needs a package that is not there, is
                asked already and refuses, or has no addresses that name a file without a user's
                name.
            UnreachableError: When it is asked already, and does not answer.
        """
        if re.match("(file|local):(//)?(?!/)", root):
            msg = (
                "`batch_config.storage.root` cannot be used: an address of file:// has no host, "
                "but a whole path, as in file:///data/landing, with three slashes"
            )
            raise ConfigError(msg)
        for secret in _secrets(parameters):
            redaction.register(secret)
        self._scheme, _, place = root.rpartition("://")
        self._scheme = self._scheme or "file"
        host, slash, folder = place.partition("/")
        user, _, host = host.rpartition("@")
        password = user.partition(":")[2]
        redaction.register(password)
        redaction.register(urllib.parse.unquote(password))
        self._base = f"{self._scheme}://{host}{slash}{folder}"
        try:
            self._system, self._folder = fsspec.url_to_fs(root, **parameters)
        except ImportError as error:
            msg = (
                f"`batch_config.storage.root` is an address of {self._scheme}://, which needs a "
                f"package that is not installed: {error}"
            )
            raise ConfigError(msg) from None
        except (ValueError, TypeError):
            msg = (
                "`batch_config.storage` cannot be used: expected a folder, or an address that "
                f"fsspec knows, as `root`; {self._scheme}:// is none, or its `params` are wrong"
            )
            raise ConfigError(msg) from None
        except Exception as error:  # noqa: BLE001 - some stores are connected to at once
            raise self._error(error, ConfigError, "The run has not begun.") from None
        if isinstance(self._system, LocalFileSystem):
            self._base = self._system.unstrip_protocol(self._folder)
        elif self._system._strip_protocol(self._base) != self._folder or "::" in root:  # noqa: SLF001 - fsspec's word for it
            msg = (
                "`batch_config.storage.root` cannot be used: expected an address that names the "
                "folder also without what precedes an @, and in no chain with ::, as that is what "
                f"loaders are given; this one of {self._scheme}:// does not. Give user and "
                "account in `params`"
            )
            raise ConfigError(msg)
        if not self._base.endswith("/"):
            self._base += "/"

    def address(self, name: str) -> str:
        """Say where a file is, for whoever is to read it.

        Args:
            name: Of the file.

        Returns:
            Its address, without the user's name and password that the root may have.
        """
        return self._base + name

    def check(self, prefix: str = "") -> None:
        """Make the folder and write a small file, which is deleted, before anything is read.

        Args:
            prefix: Of the names that files will have; it may hold folders.

        Raises:
            ConfigError: When files cannot be written, or end with the process.
            UnreachableError: When the store does not answer.
        """
        system = self._system
        while (inner := getattr(system, "fs", None)) is not None:
            system = inner
        if isinstance(system, MemoryFileSystem) or "reference" in system.protocol:
            msg = (
                f"`batch_config.storage.root` cannot be used ({self._shown}): its files are in the "
                "memory of this process and gone when it ends, before anybody reads them. Name a "
                "folder or a store that lasts"
            )
            raise ConfigError(msg)
        path = f"{self._folder.rstrip('/')}/{prefix}{_CHECK}"
        folder = path.rpartition("/")[0]
        with self._explained(ConfigError, "Nothing was read."):
            self._system.makedirs(folder, exist_ok=True)
            if isinstance(self._system, LocalFileSystem):
                with tempfile.TemporaryFile(dir=folder) as file:
                    _write_check(file)
            else:
                self._send(path, _write_check)
                with contextlib.suppress(Exception):  # who may only add files may use the store
                    self._system.rm_file(path)

    def put(self, name: str, write: Callable[[t.IO[bytes]], None]) -> str:
        """Write a file.

        All of it is there or nothing: a local file is written aside; a store is given one that is
        complete, and asked to delete what it has if it does not take it all.

        Args:
            name: Of a file that is not there yet.
            write: Writes its content.

        Returns:
            Its address.

        Raises:
            AutomateError: When it cannot be written.
        """
        path = f"{self._folder.rstrip('/')}/{name}"
        with self._explained(AutomateError, "The state stays before it."):
            self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
            if isinstance(self._system, LocalFileSystem):
                _write_aside(Path(path), write)
            else:
                self._send(path, write)
        return self.address(name)

    def _send(self, path: str, write: Callable[[t.IO[bytes]], None]) -> None:
        with tempfile.TemporaryDirectory(prefix="tap-automate-") as folder:
            local = Path(folder, "batch")
            with local.open("wb") as file:
                write(file)
            try:
                self._system.put_file(str(local), path)
            except BaseException:
                with contextlib.suppress(Exception):  # what is said is why it was not taken
                    self._system.rm_file(path)
                raise

    @property
    def _shown(self) -> str:
        """The folder, for messages: without a query, which may be a signature."""
        local = isinstance(getattr(self, "_system", None), LocalFileSystem)
        return self._base if local else self._base.partition("?")[0]

    @contextlib.contextmanager
    def _explained(self, kind: type[AutomateError], effect: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - each store has errors of its own
            raise self._error(error, kind, effect) from None

    def _error(self, error: Exception, kind: type[AutomateError], effect: str) -> AutomateError:
        """Say what is wrong, without an error's own text: it may hold addresses with credentials.

        Args:
            error: Of a store or of the system.
            kind: What to raise, unless the store has not answered.
            effect: What has come of it; a sentence.
        """
        number = error.errno if isinstance(error, OSError) else None
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        classes = {each.__name__ for each in type(error).__mro__}
        what = f"Cannot write a batch file to `batch_config.storage.root` ({self._shown}): {reason}"
        if number in _NO_ANSWER or classes & _NO_ANSWER_CLASSES:
            return UnreachableError(f"{what}; the store does not answer. {effect} Run again later.")
        return kind(f"{what}. {effect} Correct the place, or make it writable, and run again.")


def _write_check(file: t.IO[bytes]) -> None:
    file.write(b"tap-automate\n")
    file.flush()


def _secrets(value: object, *, named: bool = False) -> Iterator[str]:
    """Find texts under names of secrets, at any depth."""
    if isinstance(value, str):
        if named:
            yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _secrets(inner, named=named or bool(_SECRET.search(name)))
    elif isinstance(value, list):
        for inner in value:
            yield from _secrets(inner, named=named)


def _write_aside(path: Path, write: Callable[[t.IO[bytes]], None]) -> None:
    aside = path.with_name(f".{path.name}.part")
    try:
        with aside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
