"""Where files go: a local folder or any store that fsspec knows, each file whole or not at all."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import re
import tempfile
import threading
import typing as t
import urllib.parse
import uuid
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from automate_api import redaction
from automate_api.errors import AutomateError, ConfigError
from tap_automate.storage_use import BATCHES, Use, error_of, secrets_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager


_CHECK: t.Final = ".tap-automate-check"
"""Name of the file that shows whether a store takes files; one name, as deleting may be forbidden.
"""

_OBJECT_STORES: t.Final = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "r2", "tos"}
)
"""Stores that show a file once they have all of it, and that several threads may use at once."""


class Part:
    """A file on its way.

    Attributes:
        file: What to write to.
    """

    def __init__(self, storage: Storage, name: str, file: t.IO[bytes], aside: Path) -> None:
        """Remember where it is to be.

        Args:
            storage: Of which folder.
            name: In it.
            file: Open for writing.
            aside: Where that is for now.
        """
        self.file = file
        self._storage = storage
        self._name = name
        self._aside = aside

    def place(self, name: str | None = None) -> None:
        """Put the file in its place, once all of it is written.

        Args:
            name: Another place in the same folder than was said at first.

        Raises:
            AutomateError: When it cannot be put there.
        """
        self._storage.take(self._aside, self.file, name or self._name)


class Storage:
    """A folder for files; safe to share between threads."""

    def __init__(self, root: str, parameters: Mapping[str, t.Any], use: Use = BATCHES) -> None:
        """Find the file system; nothing is written yet.

        Args:
            root: A path, or an address such as `s3://bucket/folder`.
            parameters: What fsspec takes for that file system, such as credentials.
            use: What it is for.

        Raises:
            ConfigError: When the file system is not known, needs a package that is not there, is
                asked already and refuses, or has no addresses that name a file without a user's
                name.
            UnreachableError: When it is asked already, and does not answer.
        """
        self._use = use
        if re.match("(file|local):(//)?(?!/)", root):
            msg = (
                f"`{use.root}` cannot be used: an address of file:// has no host, but a whole "
                "path, as in file:///data/landing, with three slashes"
            )
            raise ConfigError(msg)
        for secret in secrets_of(parameters):
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
                f"`{use.root}` is an address of {self._scheme}://, which needs a "
                f"package that is not installed: {error}"
            )
            raise ConfigError(msg) from None
        except (ValueError, TypeError):
            msg = (
                f"`{use.setting}` cannot be used: expected a folder, or an address that fsspec "
                f"knows{use.wrong.format(scheme=self._scheme)}"
            )
            raise ConfigError(msg) from None
        except Exception as error:  # noqa: BLE001 - some stores are connected to at once
            raise self._error(error, ConfigError, "The run has not begun.") from None
        if isinstance(self._system, LocalFileSystem):
            self._base = self._system.unstrip_protocol(self._folder)
        elif self._system._strip_protocol(self._base) != self._folder or "::" in root:  # noqa: SLF001 - fsspec's word for it
            msg = (
                f"`{use.root}` cannot be used: expected an address that names the folder also "
                "without what precedes an @, and in no chain with ::, as that is what loaders are "
                f"given; this one of {self._scheme}:// does not. Give user and account in "
                f"{use.parameters}"
            )
            raise ConfigError(msg)
        if not self._base.endswith("/"):
            self._base += "/"
        shared = self.is_local or not _OBJECT_STORES.isdisjoint(_protocols(self._system))
        # Most connections are for one thread at a time.
        self._turn: AbstractContextManager[object] = (
            contextlib.nullcontext() if shared else threading.Lock()
        )

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
                f"`{self._use.root}` cannot be used ({self._shown}): its files are in the memory "
                f"of this process and gone when it ends{self._use.ends}. Name a folder or a store "
                "that lasts"
            )
            raise ConfigError(msg)
        path = self._path(f"{prefix}{_CHECK}")
        folder = path.rpartition("/")[0]
        with self._explained(ConfigError, "Nothing was read."):
            self._system.makedirs(folder, exist_ok=True)
            if self.is_local:
                with tempfile.TemporaryFile(dir=folder) as file:
                    _write_check(file)
            else:
                with tempfile.NamedTemporaryFile() as file:
                    _write_check(file)
                    self._send(Path(file.name), path)
                with contextlib.suppress(Exception):  # who may only add files may use the store
                    self._system.rm_file(path)

    def put(self, name: str, write: Callable[[t.IO[bytes]], None]) -> str:
        """Write a file.

        Args:
            name: Of the file; it may hold folders.
            write: Writes its content.

        Returns:
            Its address.

        Raises:
            AutomateError: When it cannot be written.
        """
        with self.part(name) as part:
            with self._explained(AutomateError, self._use.effect):
                write(part.file)
            part.place()
        return self.address(name)

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[Part]:
        """Open a file that is not there before it is whole.

        A local file is written aside, in the folder where it is to be. A store is given one that is
        complete: under its name where it shows it when it has all of it, else under another.

        Args:
            name: Of the file; it may hold folders, which are made.

        Yields:
            What to write to, and then to put in its place; what is not is gone in the end.

        Raises:
            AutomateError: When there is no place for it.
        """
        with contextlib.ExitStack() as stack:
            with self._explained(AutomateError, self._use.effect):
                if self.is_local:
                    folder = Path(self._path(name)).parent
                    if not folder.is_dir():
                        self._system.makedirs(str(folder), exist_ok=True)
                        stack.callback(_remove_if_empty, folder)
                else:
                    made = tempfile.TemporaryDirectory(prefix="tap-automate-")
                    folder = Path(stack.enter_context(made))
                aside = folder / f".{uuid.uuid4().hex}.part"
                # A thread that is left to itself when the run ends puts nothing away.
                remove = functools.partial(aside.unlink, missing_ok=True)
                atexit.register(remove)
                stack.callback(atexit.unregister, remove)
                stack.callback(remove)
                file = aside.open("xb")
                stack.callback(_close, file)
            yield Part(self, name, file, aside)

    def size(self, name: str) -> int | None:
        """Return how many bytes a file has; None where there is none.

        Raises:
            AutomateError: When the store does not say.
        """
        with self._explained(AutomateError, self._use.effect), self._turn:
            try:
                info = self._system.info(self._path(name))
            except FileNotFoundError:
                return None
            return int(info["size"]) if info["type"] == "file" else None

    def read(self, name: str) -> bytes | None:
        """Return what is in a small file; None where there is none.

        Raises:
            AutomateError: When it cannot be read.
        """
        with self._explained(AutomateError, self._use.effect), self._turn:
            try:
                return bytes(self._system.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return isinstance(self._system, LocalFileSystem)

    def take(self, aside: Path, file: t.IO[bytes], name: str) -> None:
        """Put a file that is whole in its place; for `Part`.

        Args:
            aside: Where it is; of a local folder, in the same one. It may be gone afterwards.
            file: The same, open; it is closed.
            name: Where it is to be; what is there is replaced.

        Raises:
            AutomateError: When it cannot be put there.
        """
        path = self._path(name)
        with self._explained(AutomateError, self._use.effect), self._turn:
            file.flush()
            if self.is_local:
                os.fsync(file.fileno())
            file.close()  # Windows moves no file that is open
            if self.is_local:
                aside.replace(path)
            else:
                self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
                self._send(aside, path)

    def _path(self, name: str) -> str:
        return f"{self._folder.rstrip('/')}/{name}"

    def _send(self, local: Path, path: str) -> None:
        """Give a store a file; it is asked to delete what it has if it does not take it all."""
        if not _OBJECT_STORES.isdisjoint(_protocols(self._system)):
            self._system.put_file(str(local), path)
            return
        folder, _, name = path.rpartition("/")
        aside = f"{folder}/.{uuid.uuid4().hex}-{name}.part"
        try:
            self._system.put_file(str(local), aside)
            if self._system.exists(path):  # some stores move nothing onto what is there
                self._system.rm_file(path)
            self._system.mv(aside, path)
        except BaseException:
            with contextlib.suppress(Exception):  # what is said is why it was not taken
                self._system.rm_file(aside)
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
        return error_of(error, kind, self._use, shown=self._shown, effect=effect)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _close(file: t.IO[bytes]) -> None:
    """Close a file of which nothing is to be written any more: it is in its place, or given up."""
    with contextlib.suppress(OSError):  # a full disk refuses once more what it has refused
        file.close()


def _write_check(file: t.IO[bytes]) -> None:
    file.write(b"tap-automate\n")
    file.flush()


def _protocols(system: t.Any) -> tuple[str, ...]:  # noqa: ANN401 - fsspec has no types
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)
