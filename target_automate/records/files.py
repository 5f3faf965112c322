"""Local files that a record names: what an announcement says of them, and whether they are usable.

A path may hold a customer's name, so that no message has one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import mimetypes
import os
import stat
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    import io

DEFAULT_CONTENT_TYPE: t.Final = "application/octet-stream"
"""Of a file whose name says nothing of its content (RFC 2046, 4.5.1)."""

_PACKED: t.Final = {"gzip": "application/gzip"}
"""What `mimetypes` calls an encoding, to the type of a file that is packed so (RFC 6713)."""


class UnusableFileError(Exception):
    """A file that cannot be sent; the text says why, to a person, without its path."""


@dataclasses.dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file.

    Attributes:
        name: Without its folders.
        content_type: By the ending of its name.
        size: In bytes, 1 at least.
        sha256: Of its bytes, 64 lower-case hex digits.
        modified_ns: When it was changed last, nanoseconds since 1970; None when that is not known.
    """

    name: str = dataclasses.field(repr=False)
    content_type: str
    size: int
    sha256: str
    modified_ns: int | None = None

    @classmethod
    def of(cls, path: Path) -> FileFacts:
        """Read a file to its end.

        Args:
            path: Of the file; a relative one counts from the folder that the program runs in.

        Raises:
            UnusableFileError: When it cannot be sent: missing, a folder or something else that is
                no regular file, not readable, empty, or changed while it was read.
        """
        with opened(path) as file:
            before = os.fstat(file.fileno())
            digest = digest_of(file)
            after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            msg = "`path`: the file changed while it was read; wait until it has been written"
            raise UnusableFileError(msg)
        # What is no text in a name could not be announced.
        name = os.fsencode(path.name).decode("utf-8", "replace")
        return cls(name, content_type(name), after.st_size, digest, after.st_mtime_ns)

    def are_of(self, file: io.FileIO) -> bool:
        """Tell whether a file is still what they say; it is read when its time is another.

        Raises:
            UnusableFileError: When it cannot be read to its end.
        """
        now = os.fstat(file.fileno())
        if now.st_size != self.size:
            return False
        return now.st_mtime_ns == self.modified_ns or digest_of(file) == self.sha256


def opened(path: Path) -> io.FileIO:
    """Open a file for reading.

    Raises:
        UnusableFileError: When it is missing, no regular file, not readable, or empty.
    """
    try:
        # Unbuffered, so that what is read is what is there by then.
        file = open(path, "rb", buffering=0, opener=_open)  # noqa: SIM115 - the caller closes it
    except FileNotFoundError:
        msg = "`path`: there is no such file"
    except IsADirectoryError:
        msg = "`path`: it is a folder; expected a file"
    except PermissionError:
        msg = "`path`: the user whom this program runs as may not read the file"
    except OSError as error:
        msg = f"`path`: the file cannot be opened ({error.strerror})"
    except ValueError:
        msg = "`path`: no file can have this path"
    else:
        facts = os.fstat(file.fileno())
        if stat.S_ISREG(facts.st_mode) and facts.st_size:
            return file
        file.close()
        is_file = stat.S_ISREG(facts.st_mode)
        msg = "`path`: the file is empty" if is_file else "`path`: expected a regular file"
    raise UnusableFileError(msg)


def digest_of(file: io.FileIO) -> str:
    """Compute the SHA-256 of a file's bytes, of however many, from its start.

    Raises:
        UnusableFileError: When it cannot be read to its end.
    """
    try:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(error) from None


def unreadable(error: OSError) -> UnusableFileError:
    """Make the error of a file that is open and cannot be read to its end."""
    return UnusableFileError(f"`path`: the file cannot be read ({error.strerror})")


def content_type(name: str) -> str:
    """Tell the media type of a file by the ending of its name."""
    # The whole name would be read as an address, `data:` and all.
    kind, encoding = mimetypes.guess_type(f"file{Path(name).suffix}", strict=False)
    if encoding:
        return _PACKED.get(encoding, DEFAULT_CONTENT_TYPE)
    return kind or DEFAULT_CONTENT_TYPE


def _open(path: str, flags: int) -> int:
    # Opening a pipe for reading waits for somebody who writes to it.
    return os.open(path, flags | os.O_NONBLOCK)
