"""The folder that files are downloaded to: one folder for each record, fetched once.

Beside the files of a record lies a small list of them, `.downloads.json`: length, digest, and which
version of the address it was. So a file that is there is known without reading it, and one that is
gone, or of another length, is fetched again. The list is written after the files, so it never names
one that is not whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import typing as t
from pathlib import Path

import msgspec

from automate_api.errors import AutomateError
from tap_automate.downloads.errors import NOT_TAKEN, TOO_LARGE, FileError
from tap_automate.downloads.fetcher import Wanted
from tap_automate.downloads.names import file_name, photo_name
from tap_automate.downloads.transfer import NO_VERSION, Version
from tap_automate.storage import Storage
from tap_automate.storage_use import DOWNLOADS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_automate.downloads.fetcher import Fetcher
    from tap_automate.downloads.fields import Named
    from tap_automate.downloads.transfer import Transfer
    from tap_automate.storage import Part

LIST: t.Final = ".downloads.json"
"""Name of the list beside the files of a record."""


class Kept(msgspec.Struct, frozen=True):
    """A file that is there.

    Attributes:
        name: In the folder.
        size: Bytes.
        sha256: Of its bytes.
        source: Digest of the address that it came from, without the query, which is a signature.
        etag: The version there.
        modified: The same.
    """

    name: str
    size: int
    sha256: str
    source: str
    etag: str | None = None
    modified: str | None = None

    @property
    def version(self) -> Version:
        """Which version of its address it is."""
        return Version(self.etag, self.modified)


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a file.

    Attributes:
        path: Where it is, as rows are to say it; None when it is not there.
        fetched: Bytes that were fetched, None when none had to be.
        error: Why it is not there.
    """

    path: str | None = dataclasses.field(default=None, repr=False)
    fetched: int | None = None
    error: FileError | None = None


class FileStore:
    """A folder for downloads; safe to share between threads that see to different records."""

    def __init__(self, root: str, fetcher: Fetcher, *, most_bytes: int) -> None:
        """Find the folder; nothing is written yet.

        Args:
            root: `download_to`, a path or an address.
            fetcher: Gets the files.
            most_bytes: Of a file.

        Raises:
            ConfigError: When there can be no such folder.
            UnreachableError: When it is a store that is asked already, and does not answer.
        """
        self._storage = Storage(root, {}, DOWNLOADS)
        self._fetcher = fetcher
        self._most = most_bytes
        self._base = "" if "://" in root else str(Path(root).expanduser()).rstrip("/") + "/"

    def check(self) -> None:
        """Find out whether files can be written, and outlive the process.

        Raises:
            ConfigError: When not.
            UnreachableError: When the store does not answer.
        """
        self._storage.check()

    def bring(
        self, folder: str, files: Sequence[Named], renewed: Callable[[int], Named], now: int
    ) -> list[Outcome]:
        """Have the files of a record there.

        Args:
            folder: Of the record.
            files: Its files.
            renewed: Gives a file anew, by its position, when its address has ended; raises
                `FileError` when it cannot.
            now: Microseconds since 1970 by the clock that addresses end by.

        Returns:
            What came of each.

        Raises:
            StoppedError: When the run is to stop.
        """
        try:
            before = self._known(folder)
        except FileError as error:
            return [Outcome(error=error) for _ in files]
        known = dict(before)
        outcomes = [
            self._outcome(functools.partial(self._bring, folder, file, known, renewed, now))
            for file in files
        ]
        if known != before:
            # Without the list, files are fetched once more, and nothing else is lost.
            with contextlib.suppress(FileError), _stored():
                content = msgspec.json.encode(known)
                self._storage.put(f"{folder}/{LIST}", functools.partial(_write, content))
        return outcomes

    @staticmethod
    def _outcome(bring: Callable[[], Outcome]) -> Outcome:
        try:
            return bring()
        except FileError as error:
            return Outcome(error=error)

    def _bring(
        self,
        folder: str,
        file: Named,
        known: dict[str, Kept],
        renewed: Callable[[int], Named],
        now: int,
    ) -> Outcome:
        place = str(file.position)
        kept = self._there(folder, known.get(place))
        if kept and _is_same(kept, file):
            return Outcome(self._path(folder, kept.name))

        def again() -> Named:
            """Take a new address alone: name, length and digest are what the row says."""
            fresh = renewed(file.position)
            return dataclasses.replace(file, url=fresh.url, ends=fresh.ends)

        if file.ends is not None and file.ends <= now:
            file = again()
        if file.size is not None and file.size > self._most:
            raise FileError(TOO_LARGE, lasting=True)
        with self._part(folder, place) as part:
            came = self._fetcher.fetch(
                _wanted(file, kept), part.file, lambda: _wanted(again(), kept)
            )
            if came is None:
                return Outcome(self._path(folder, t.cast("Kept", kept).name))
            fresh = _kept(file, came)
            if not kept or (kept.name, kept.sha256) != (fresh.name, fresh.sha256):
                with _stored():
                    part.place(f"{folder}/{fresh.name}")
        known[place] = fresh
        return Outcome(self._path(folder, fresh.name), fetched=came.size)

    def _known(self, folder: str) -> dict[str, Kept]:
        """Read the list of a folder; empty where there is none, or none that can be used."""
        with _stored():
            content = self._storage.read(f"{folder}/{LIST}")
        with contextlib.suppress(msgspec.DecodeError):
            if content is not None:
                return msgspec.json.decode(content, type=dict[str, Kept])
        return {}

    def _there(self, folder: str, kept: Kept | None) -> Kept | None:
        """Return what the list says of a file, unless the file is gone or another."""
        if kept is None or kept.name != file_name(kept.name, None):
            return None
        with _stored():
            size = self._storage.size(f"{folder}/{kept.name}")
        return kept if size == kept.size else None

    @contextlib.contextmanager
    def _part(self, folder: str, place: str) -> Iterator[Part]:
        with contextlib.ExitStack() as stack:
            with _stored():
                part = stack.enter_context(self._storage.part(f"{folder}/{place}"))
            yield part

    def _path(self, folder: str, name: str) -> str:
        inner = f"{folder}/{name}"
        return f"{self._base}{inner}" if self._base else self._storage.address(inner)


def _wanted(file: Named, kept: Kept | None) -> Wanted:
    """Ask for a file; where nothing else tells it from what is there, only if it is newer."""
    tells = file.sha256 is not None or file.size is not None
    is_known = kept is not None and not tells and kept.source == _source(file.url)
    version = kept.version if kept is not None and is_known else NO_VERSION
    return Wanted(file.url, size=file.size, sha256=file.sha256, known=version)


def _is_same(kept: Kept, file: Named) -> bool:
    """Tell without a request whether what is there is the file that a record names."""
    if file.name is not None and kept.name != _name(file, None):
        return False
    if file.sha256 is not None:
        return kept.sha256 == file.sha256
    if file.size is not None:
        return kept.size == file.size
    return not kept.version.conditions and kept.source == _source(file.url)


def _kept(file: Named, came: Transfer) -> Kept:
    return Kept(
        name=_name(file, came.content_type),
        size=came.size,
        sha256=came.sha256,
        source=_source(file.url),
        etag=came.version.etag,
        modified=came.version.modified,
    )


def _name(file: Named, content_type: str | None) -> str:
    if file.name is None:
        return photo_name(file.position, content_type)
    return file_name(file.name, file.content_type)


def _source(url: str) -> str:
    """Return a digest of an address without its query, which changes with every signature."""
    return hashlib.blake2b(url.partition("?")[0].encode(), digest_size=16).hexdigest()


@contextlib.contextmanager
def _stored() -> Iterator[None]:
    """Make what a store says the reason why a file is not there."""
    try:
        yield
    except AutomateError as error:
        raise FileError(NOT_TAKEN, detail=str(error)) from None


def _write(content: bytes, file: t.IO[bytes]) -> None:
    file.write(content)
