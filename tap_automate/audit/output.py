"""Where the messages of an audit go: a file that is replaced whole, or what is written straight to.

Only a regular file, or nothing, is replaced by a rename. A device, a FIFO and an open descriptor
stay what they are, and what the audit reads is never its output.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import typing as t
from pathlib import Path

from automate_api.errors import AutomateError, ConfigError
from automate_api.program import standard_output

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

STANDARD_OUTPUT: t.Final = "-"
LOADER_GONE: t.Final = (
    "Nobody reads the messages any more: the loader has ended. See its own log, then audit again."
)

DESCRIPTORS: t.Final = (Path("/dev/fd"), Path("/proc"))
"""Where names stand for what a process has open: there is nothing to rename onto."""


class Place(t.NamedTuple):
    """What the messages are written to.

    Attributes:
        path: Behind all symbolic links.
        replaced: Whether it is made aside and renamed; else it is opened as it is.
    """

    path: Path
    replaced: bool


def place_of(target: str, inputs: Iterable[Path] = ()) -> Place:
    """Decide how a target is written, without touching it.

    Args:
        target: A path.
        inputs: Files that the audit reads, whether they are there or not.

    Raises:
        ConfigError: When it is a directory, or one of the inputs.
    """
    with _in_file(target):
        status = _status(Path(target))
        path = _followed(Path(target))
    if status and stat.S_ISDIR(status.st_mode):
        msg = f"The messages cannot be written to {target}: it is a directory. Name a file."
        raise ConfigError(msg)
    for taken in inputs:
        if _is_same(path, status, taken):
            msg = (
                f"--output {target} is what the audit reads ({taken}), and would be lost. Name "
                "another file."
            )
            raise ConfigError(msg)
    regular = status is None or stat.S_ISREG(status.st_mode)
    return Place(path, replaced=regular and not _is_descriptor(path))


@contextlib.contextmanager
def opened(target: str, inputs: Iterable[Path] = ()) -> Iterator[Callable[[bytes], object]]:
    """Open what the messages are written to: a file is there whole, or as it was.

    Args:
        target: A file, or `-` for standard output. A FIFO is waited for until somebody reads it.
        inputs: Files that the audit reads.

    Yields:
        Writes bytes. What else fails in the block is none of its business.

    Raises:
        ConfigError: When it cannot be written, or is one of the inputs.
        AutomateError: When standard output cannot be written, or nobody reads it any more.
    """
    if target == STANDARD_OUTPUT:
        out = sys.stdout.buffer
        yield _guarded(out.write, _on_standard_output)
        with _on_standard_output():
            out.flush()
        return
    path, replaced = place_of(target, inputs)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with _in_file(target):
        # Records are in it: for the owner alone.
        number = (
            os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            if replaced
            else _descriptor(path)
        )
        file = os.fdopen(number, "wb")
    try:
        yield _guarded(file.write, lambda: _in_file(target))
        with _in_file(target):
            file.flush()
            if replaced:
                os.fsync(number)
            file.close()
            if replaced:
                aside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            file.close()
        if replaced:
            aside.unlink(missing_ok=True)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _followed(path: Path) -> Path:
    """Follow symbolic links, but for those that stand for what a process has open."""
    while True:
        path = Path(os.path.realpath(path.parent)) / path.name
        if _is_descriptor(path) or not path.is_symlink():
            return path
        path = path.parent / path.readlink()


def _is_descriptor(path: Path) -> bool:
    return any(path.is_relative_to(place) for place in DESCRIPTORS)


def _descriptor(path: Path) -> int:
    """Open what is not to be replaced; of our own descriptors, which know their place, a copy."""
    own = (Path("/dev/fd"), Path(f"/proc/{os.getpid()}/fd"))
    if path.parent in own and path.name.isdigit():
        return os.dup(int(path.name))
    return os.open(path, os.O_WRONLY | os.O_APPEND)


def _is_same(path: Path, status: os.stat_result | None, taken: Path) -> bool:
    with contextlib.suppress(OSError):
        there = taken.stat()
        # A terminal may well be read and written.
        return bool(status and os.path.samestat(status, there) and not stat.S_ISCHR(there.st_mode))
    return Path(os.path.realpath(taken)) == path


def _guarded(
    write: Callable[[bytes], object], guard: Callable[[], AbstractContextManager[None]]
) -> Callable[[bytes], object]:
    def guarded(line: bytes) -> object:
        with guard():
            return write(line)

    return guarded


def _on_standard_output() -> AbstractContextManager[None]:
    return standard_output(gone=LOADER_GONE, then="audit again")


@contextlib.contextmanager
def _in_file(target: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise AutomateError(LOADER_GONE) from None
    except OSError as error:
        msg = f"The messages cannot be written to {target}: {error.strerror}. Name another file."
        raise ConfigError(msg) from None
