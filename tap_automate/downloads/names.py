"""Names of downloaded files, safe on any file system whatever a DMS calls its files.

Pure. A folder stands for one record, so that two records never share a file, and the name in it is
as close to the DMS's own as all of Linux, macOS, Windows and object stores allow.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
import typing as t
import unicodedata

if t.TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST: t.Final = 140
"""Bytes of a name in UTF-8: most file systems take 255, encrypted ones (eCryptfs) 143."""

LONGEST_SUFFIX: t.Final = 20
"""Bytes of a name's end that count as its type, and are kept when the name is shortened."""

LONGEST_FOLDER: t.Final = 80

NAMELESS: t.Final = "file"
"""Name of a file whose own has nothing usable."""

UNKNOWN_TYPE: t.Final = ".bin"

_IMAGES: t.Final = {
    "image/avif": ".avif",
    "image/heic": ".heic",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
}
"""Types of photos that Python's own table has not in every version, or several suffixes for."""

_TYPES: t.Final = mimetypes.MimeTypes()
"""Python's own table: that of the module has what this machine adds, too."""

_PLAIN_ID: t.Final = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{LONGEST_FOLDER - 1}}}")

_UNUSABLE: t.Final = frozenset('<>:"|?*%#')
"""Windows refuses most of these, and the last two change what an address means."""

_RESERVED: t.Final = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\..*)?", re.IGNORECASE
)
"""Devices of Windows, with whatever suffix."""


def folder_name(key: Sequence[str]) -> str:
    """Name the folder of a record.

    Args:
        key: The values of its primary key.

    Returns:
        The key itself where it is plain, as ids of this API are; else what is usable of it, and a
        digest: no two keys have the same folder, also where case does not count.
    """
    text = "-".join(key)
    if len(key) == 1 and _PLAIN_ID.fullmatch(text) and not _RESERVED.fullmatch(text):
        return text
    digest = hashlib.blake2b("\x1f".join(key).encode(errors="surrogatepass"), digest_size=8)
    usable = re.sub(r"[^a-z0-9_-]+", "_", text.lower())[: LONGEST_FOLDER - 17].strip("_-")
    return f"{usable or 'id'}-{digest.hexdigest()}"


def file_name(name: str | None, content_type: str | None) -> str:
    """Name a file as the DMS does, as far as that is safe.

    Args:
        name: The DMS's name of it, or anything else that came in its place.
        content_type: Gives the end of a name where there is none.

    Returns:
        One component of a path, in Unicode's composed form (NFC), that is no hidden file, no device
        and no longer than `LONGEST` bytes.
    """
    text = unicodedata.normalize("NFC", name or "")
    last = re.split(r"[/\\]", text)[-1]
    usable = "".join(map(_usable, last))
    # What begins with a dot is hidden, and Windows drops dots and blanks at an end.
    stem = usable.lstrip(". ").rstrip(". ")
    if not stem.strip("_ "):
        return NAMELESS + suffix_of(content_type)
    if _RESERVED.fullmatch(stem):
        stem = f"_{stem}"
    return _shortened(stem)


def photo_name(position: int, content_type: str | None) -> str:
    """Name a photo by its place among those of its record, from 1."""
    return f"{position}{suffix_of(content_type)}"


def suffix_of(content_type: str | None) -> str:
    """Return the end of a name for a media type, with its dot."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return _IMAGES.get(kind) or _TYPES.guess_extension(kind) or UNKNOWN_TYPE


def _usable(character: str) -> str:
    """Return a character of a name, or what stands for one that controls or means something."""
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    return "_" if character in _UNUSABLE or category[0] in "CZ" else character


def _shortened(name: str) -> str:
    if len(name.encode()) <= LONGEST:
        return name
    stem, dot, suffix = name.rpartition(".")
    end = f"{dot}{suffix}"
    if not stem or len(end.encode()) > LONGEST_SUFFIX:
        stem, end = name, ""
    kept = stem.encode()[: LONGEST - len(end.encode())].decode(errors="ignore")
    return f"{kept.rstrip('. ')}{end}"
