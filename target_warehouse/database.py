"""The DuckDB file: made whole or not at all, never someone else's, and every failure explained."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

import duckdb

from automate_api.errors import AutomateError, ConfigError, TryLaterError

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAGIC: t.Final = b"DUCK"
MAGIC_OFFSET: t.Final = 8
"""`DUCK` follows the 8 bytes of the checksum (duckdb.org/docs/stable/internals/storage)."""

SETTINGS: t.Final = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""Nothing is fetched from the network: a foreign file must fail, not load a reader for itself."""

MEMORY: t.Final = ("96MB", "384MB", "1536MB")
"""What DuckDB may hold: of itself it would keep the file in memory, up to most of what the machine
has. A batch that needs more than the first gets the next, see `Warehouse.allow_memory`.

Measured, 3 M rows of 30 columns, the whole process at its peak: 338 MB, 398 MB with 256MB.
"""

WRITING: t.Final = {**SETTINGS, "threads": "1", "memory_limit": MEMORY[0]}
"""One thread writes: measured, 370 k rows of 30 columns, 3.3 us of CPU a row with two and 1.4 with
one, which also keeps the order of the rows. The other core is the tap's.
"""


class WarehouseError(AutomateError):
    """The warehouse file could not be written or read; what was committed before stands."""


def connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a warehouse file, making it and its directories where there is none.

    Args:
        path: The file.
        read_only: Only to look; then the file has to be there.

    Returns:
        The connection, its session in UTC.

    Raises:
        ConfigError: When the path cannot be a warehouse: not DuckDB's, a directory, a newer format.
        TryLaterError: When another process has the file open.
        WarehouseError: When the system refuses to open it.
    """
    if not read_only:
        _make(path)
    _refuse_foreign(path)
    try:
        config = SETTINGS if read_only else WRITING
        connection = duckdb.connect(str(path), read_only=read_only, config=dict(config))
        connection.execute("SET TimeZone = 'UTC'").fetchall()
    except duckdb.Error as error:
        raise _opening_error(path, str(error)) from None
    return connection


class OutOfMemoryError(WarehouseError):
    """A batch needed more memory than DuckDB was given."""


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn DuckDB's errors into ours; their text is kept only where it cannot hold values.

    Args:
        path: The file, for messages.

    Raises:
        WarehouseError: For any error of DuckDB; an OutOfMemoryError when it had too little.
    """
    try:
        yield
    except duckdb.Error as error:
        raise _writing_error(path, error) from None


def _make(path: Path) -> None:
    """Create the file aside and link it into place, so that a kill leaves no half-made database."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size:
            return
        log = path.with_name(f"{path.name}.wal")
        if log.exists():
            msg = (
                f"{log} holds what was last written to a warehouse that is no longer at {path}. "
                "Put that file back, or remove its log too"
            )
            raise ConfigError(msg)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        try:
            duckdb.connect(str(fresh), config=dict(SETTINGS)).close()
            if path.exists():
                fresh.replace(path)  # an empty file, such as mktemp makes, holds nothing to lose
            else:
                _put(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
    except (OSError, duckdb.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        msg = f"Cannot create the warehouse {path}: {reason}. Set `filepath` to a writable place"
        raise WarehouseError(msg) from None


def _put(fresh: Path, path: Path) -> None:
    """Give the file its name unless another process was quicker."""
    try:
        os.link(fresh, path)
    except FileExistsError:
        return
    except OSError:  # a filesystem without hard links
        fresh.rename(path)


def _refuse_foreign(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(MAGIC_OFFSET + len(MAGIC))
    except FileNotFoundError:
        msg = f"There is no warehouse at {path}: load something first, or name its file"
        raise ConfigError(msg) from None
    except IsADirectoryError:
        msg = f"{path} is a directory: expected the path of a DuckDB file"
        raise ConfigError(msg) from None
    except OSError as error:
        msg = f"Cannot read {path}: {error.strerror}"
        raise WarehouseError(msg) from None
    if head[MAGIC_OFFSET:] != MAGIC:
        msg = (
            f"{path} is not a DuckDB database, so it is left as it is. "
            "Choose another path, or move that file away"
        )
        raise ConfigError(msg)


def _opening_error(path: Path, text: str) -> AutomateError:
    if "set lock" in text:
        holder = re.search(r"\(PID (\d+)\)", text)
        who = f" (process {holder[1]})" if holder else ""
        return TryLaterError(
            f"Another process{who} has the warehouse {path} open, and DuckDB lets one at a time "
            "write. End it or wait, then run again"
        )
    if "version number" in text:
        return ConfigError(
            f"The warehouse {path} was written by a newer DuckDB than {duckdb.__version__}. "
            "Upgrade the duckdb package, or choose another path"
        )
    first = text.splitlines()[0]
    return WarehouseError(f"DuckDB cannot open {path}: {first}")


def _writing_error(path: Path, error: duckdb.Error) -> WarehouseError:
    text = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return OutOfMemoryError(
            f"Out of memory while writing {path}; nothing of the batch was kept. "
            "Give the process more, or set a smaller `batch_size_rows`"
        )
    if "No space left" in text or "File too large" in text or "ould not write" in text:
        return WarehouseError(
            f"The disk of {path} is full or refuses to be written; nothing of the batch was kept. "
            "Make room, then run again"
        )
    if isinstance(error, duckdb.IOException):
        return WarehouseError(
            f"DuckDB failed on {path}; nothing of the batch was kept: {text.splitlines()[0]}"
        )
    if isinstance(error, duckdb.ConversionException):
        return WarehouseError(
            f"A value does not fit the type of its column in a table that the loader did not make, "
            f"in {path}; nothing of the batch was kept. Change that column's type or drop the table"
        )
    return WarehouseError(
        f"DuckDB refused to write to {path} ({type(error).__name__}); nothing of the batch was "
        "kept. Its message is withheld, as it may hold values of records"
    )
