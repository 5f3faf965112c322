"""The bytes of one file as they arrive, perhaps in several answers; bounded, counted, hashed."""

from __future__ import annotations

import hashlib
import re
import typing as t

from tap_automate.downloads.errors import TOO_LARGE, FileError, unwritten

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CONTENT_RANGE: t.Final = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", re.ASCII)
_LENGTH: t.Final = re.compile(r"\d{1,18}", re.ASCII)
"""Python refuses to read numbers of thousands of digits."""


class Version(t.NamedTuple):
    """How a server tells one version of a file from another; None where it does not.

    Attributes:
        etag: Its `ETag`.
        modified: Its `Last-Modified`.
    """

    etag: str | None = None
    modified: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Version:
        """Read an answer's headers."""
        return cls(headers.get("ETag"), headers.get("Last-Modified"))

    @property
    def conditions(self) -> dict[str, str]:
        """Headers of a request for the file, if it is another version by now."""
        if self.etag:
            return {"If-None-Match": self.etag}
        return {"If-Modified-Since": self.modified} if self.modified else {}

    @property
    def exact(self) -> str | None:
        """What names these very bytes (RFC 9110, 13.1.5), or None."""
        return self.etag if self.etag and not self.etag.startswith("W/") else None


NO_VERSION: t.Final = Version()


class Transfer:
    """A file on its way.

    Args:
        file: Takes the bytes; at its start.
        most: Bytes that are taken at most.
        is_checked: Whether a checksum is compared in the end, so that parts of different versions
            cannot go unnoticed.
        joins: Whether a file that was cut is gone on with.

    Attributes:
        size: Bytes so far.
        version: Of the answer that they came from.
        content_type: Of the same.
        is_joined: Whether they came in more than one answer.
    """

    def __init__(
        self, file: t.IO[bytes], *, most: int, is_checked: bool, joins: bool = True
    ) -> None:
        self.size = 0
        self.version = NO_VERSION
        self.content_type: str | None = None
        self.is_joined = False
        self._file = file
        self._most = most
        self._is_checked = is_checked
        self._joins = joins
        self._hash = hashlib.sha256()
        self._can_go_on = False
        self._length: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of it came, as far as the answers said how much that is."""
        return self._length is None or self.size == self._length

    @property
    def sha256(self) -> str:
        """Digest of the bytes so far, 64 hex digits."""
        return self._hash.hexdigest()

    @property
    def rest(self) -> dict[str, str]:
        """Headers of a request for what is missing; empty when it has to begin anew."""
        if not self.size or not self._can_go_on:
            return {}
        exact = self.version.exact
        return {"Range": f"bytes={self.size}-"} | ({"If-Range": exact} if exact else {})

    def begin(self, headers: Mapping[str, str]) -> None:
        """Take an answer with the whole file, whatever came before.

        Raises:
            FileError: When it is too large, or there is no room on the disk.
        """
        length = content_length(headers)
        self._allow(length)
        self.reset()
        self._length = length if is_plain(headers) else None
        self.version = Version.of(headers)
        self.content_type = headers.get("Content-Type")
        ranges = headers.get("Accept-Ranges", "").lower() == "bytes"
        is_safe = is_plain(headers) and bool(self.version.exact or self._is_checked)
        self._can_go_on = self._joins and ranges and is_safe

    def go_on(self, headers: Mapping[str, str]) -> bool:
        """Take an answer with the rest, or with more of it; tell whether it is that.

        Raises:
            FileError: When the file is too large.
        """
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        if not is_plain(headers) or found is None or int(found[1]) != self.size:
            return False
        if found[2] != "*":
            length = int(found[2])
            if self._length not in {None, length}:
                return False  # of another file by now
            self._allow(length)
            self._length = length
        self.is_joined = True
        return True

    def take(self, chunks: Iterable[bytes]) -> None:
        """Take bytes.

        Raises:
            FileError: When they are too many, or there is no room on the disk.
        """
        for chunk in chunks:
            if self.size + len(chunk) > self._most:
                raise FileError(TOO_LARGE, lasting=True)
            try:
                self._file.write(chunk)
            except OSError as error:
                raise unwritten(error) from None
            self._hash.update(chunk)
            self.size += len(chunk)

    def reset(self) -> None:
        """Forget all bytes.

        Raises:
            FileError: When the disk does not.
        """
        try:
            self._file.seek(0)
            self._file.truncate()
        except OSError as error:
            raise unwritten(error) from None
        self.size = 0
        self.is_joined = False
        self._can_go_on = False
        self._length = None
        self._hash = hashlib.sha256()

    def _allow(self, length: int | None) -> None:
        if length is not None and length > self._most:
            raise FileError(TOO_LARGE, lasting=True)


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return how long an answer says it is; None when it does not say."""
    text = headers.get("Content-Length", "")
    return int(text) if _LENGTH.fullmatch(text) else None


def is_plain(headers: Mapping[str, str]) -> bool:
    """Tell whether an answer's bytes are those of the file, and not packed."""
    return headers.get("Content-Encoding", "identity").lower() == "identity"
