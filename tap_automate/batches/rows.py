"""Records on their way into a batch file of JSON lines, and what every such way has in common."""

from __future__ import annotations

import abc
import gzip
import typing as t

from automate_api.exact_json import encode_lines

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec


class BatchRows(abc.ABC):
    """Records of one stream under one SCHEMA, until they are written to a file.

    Attributes:
        suffix: End of the file's name.
        size: Bytes that the records have in memory, those for the file and the misfits.
        misfits: Records, as JSON, that a file of the format cannot hold exactly; they are to follow
            the file.
    """

    suffix: str

    def __init__(self) -> None:
        """Start without records."""
        self.size = 0
        self.misfits: list[msgspec.Raw] = []

    @abc.abstractmethod
    def add(self, records: Sequence[t.Any]) -> None:
        """Take records as they are now; what is done to them later has no effect.

        Args:
            records: At least one: all structs of one type, or dicts.
        """

    @abc.abstractmethod
    def settle(self) -> int:
        """Decide of each record whether it is a misfit; return how many are for the file."""

    @abc.abstractmethod
    def write(self, file: t.IO[bytes]) -> None:
        """Write the records to a file, once they are settled."""

    @abc.abstractmethod
    def clear(self) -> None:
        """Forget everything: file and misfits are out."""


class JsonLines(BatchRows):
    """A record a line, packed or not; nothing is ever a misfit."""

    def __init__(self, *, packed: bool) -> None:
        """Start without records.

        Args:
            packed: Whether the file is one of gzip.
        """
        super().__init__()
        self.suffix = ".jsonl.gz" if packed else ".jsonl"
        self._packed = packed
        self._lines = bytearray()
        self._count = 0

    def add(self, records: Sequence[t.Any]) -> None:
        """Take records as lines."""
        self._lines += encode_lines(records)
        self.size = len(self._lines)
        self._count += len(records)

    def settle(self) -> int:
        """Return how many records there are."""
        return self._count

    def write(self, file: t.IO[bytes]) -> None:
        """Write the lines to a file."""
        if self._packed:
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as gz:
                gz.write(self._lines)
        else:
            file.write(self._lines)

    def clear(self) -> None:
        """Forget the lines."""
        self._lines.clear()
        self._count = self.size = 0
