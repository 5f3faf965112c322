"""Where batch files go: a local folder or any store that fsspec knows, each file whole or not."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from automate_api import redaction
from automate_api.errors import AutomateError, ConfigError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


_SECRET: t.Final = re.compile("key|secret|token|password", re.IGNORECASE)


class Storage:
    """A folder for batch files."""

    def __init__(self, root: str, parameters: Mapping[str, t.Any]) -> None:
        """Find the file system; nothing is written yet.

        Args:
            root: A path, or an address such as `s3://bucket/folder`.
            parameters: What fsspec takes for that file system, such as credentials.

        Raises:
            ConfigError: When the file system is not known, or needs a package that is not there.
        """
        for name, value in parameters.items():
            if isinstance(value, str) and _SECRET.search(name):
                redaction.register(value)
        self._scheme = root.partition("://")[0] if "://" in root else "file"
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

    def put(self, name: str, write: Callable[[t.IO[bytes]], None]) -> str:
        """Write a file.

        A reader sees all of it or nothing: a local one is written aside, a store takes an object
        when it is closed.

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
                with self._system.open(path, "wb") as file:
                    write(file)
        address: str = self._system.unstrip_protocol(path)
        return address

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
