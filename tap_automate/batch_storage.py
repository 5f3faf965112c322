"""Where batch files go: a local folder or any store that fsspec knows, each file whole or not."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import typing as t
import urllib.parse
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from automate_api import redaction
from automate_api.errors import AutomateError, ConfigError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


_SECRET: t.Final = re.compile(
    "key|secret|token|passw|passphrase|credential|signature|connection_string", re.IGNORECASE
)


class Storage:
    """A folder for batch files."""

    def __init__(self, root: str, parameters: Mapping[str, t.Any]) -> None:
        """Find the file system; nothing is written yet.

        Args:
            root: A path, or an address such as `s3://bucket/folder`.
            parameters: What fsspec takes for that file system, such as credentials.

        Raises:
            ConfigError: When the file system is not known, needs a package that is not there, or
                has no addresses that name a file without a user's name.
        """
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
        with self._explained():
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

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - see below
            # Each store has errors of its own, whose texts may hold addresses with credentials.
            reason = error.strerror if isinstance(error, OSError) else None
            msg = (
                "Cannot write a batch file to `batch_config.storage.root` "
                f"({self._scheme}://): {reason or type(error).__name__}. The state stays before "
                "it; make the place writable and run again."
            )
            raise AutomateError(msg) from None


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
