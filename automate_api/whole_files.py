"""Files that are there whole or as they were, whenever a process ends."""

from __future__ import annotations

import os
import typing as t
import uuid

if t.TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file aside, flush it to the disk, and put it in its place.

    Args:
        path: Of the file, in a folder that is there; what is there is replaced.
        content: All of it.
        mode: Who may read and write it, before the umask; never that of a file that was there.

    Raises:
        OSError: When it cannot be written; what was there stands.
    """
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(aside, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
