"""What an audit of a stream works on, what it is asked, and what it finds."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator, Mapping, Sequence

    from tap_automate.windows import Certified, Row, Window

Key: t.TypeAlias = tuple[str, ...]
"""The values of a primary key, as text."""


class Held(t.Protocol):
    """A row of the warehouse: its time in microseconds, and whether it is marked as gone."""

    @property
    def updated(self) -> int | None: ...  # noqa: D102 - the class says it
    @property
    def tombstone(self) -> bool: ...  # noqa: D102


class Holdings(t.Protocol):
    """What the warehouse holds, as `target_warehouse.holdings` has it."""

    @property
    def rows(self) -> int: ...  # noqa: D102
    def seconds(self) -> array[int]: ...  # noqa: D102
    def newest(self, second: int) -> int | None: ...  # noqa: D102
    def between(self, start: int, end: int) -> dict[Key, int]: ...  # noqa: D102
    def find(self, keys: Sequence[Key]) -> Mapping[Key, Held]: ...  # noqa: D102


class Source(t.Protocol):
    """The stream at the DMS, as `audit_source` has it."""

    cooldown: int
    page_size: int

    def now(self) -> int: ...  # noqa: D102
    def total(self, window: Window) -> int: ...  # noqa: D102
    def windows(self, start: int, end: int) -> Iterator[Certified]: ...  # noqa: D102
    def glimpse(self, start: int) -> Iterator[Row]: ...  # noqa: D102
    def detail(self, key: Key) -> t.Any: ...  # noqa: D102, ANN401
    def has_details(self, known: Key) -> bool: ...  # noqa: D102
    def updated_of(self, record: t.Any) -> int | None: ...  # noqa: D102, ANN401
    def wait_until(self, second: int) -> None: ...  # noqa: D102


class Fixes(t.Protocol):
    """Takes what repairs the warehouse."""

    def record(self, record: t.Any) -> None:  # noqa: ANN401 - as the source gives it
        """Take a record as the DMS has it."""

    def tombstones(self, keys: Sequence[Key]) -> None:
        """Take the keys of records that are gone."""


@dataclasses.dataclass(slots=True)
class Span:
    """What to compare, in seconds since 1970.

    Attributes:
        start: What changed before was never loaded; None starts with the day of the oldest row.
        end: What changed from there on is left out; None ends where the load has ended.
        loaded: Up to where the load has read, by its bookmark; None takes the newest row for it.
    """

    start: int | None = None
    end: int | None = None
    loaded: int | None = None


@dataclasses.dataclass(slots=True)
class Findings:
    """What an audit of a stream has found; of several rooftops, their sum.

    Attributes:
        buckets: Parts that were compared, by their count or row by row.
        read: Those that were read, because they fit on a page or their count differs.
        differing: Those in which rows differ.
        dms_rows: Rows that the DMS has in all buckets.
        warehouse_rows: Rows of all buckets in the warehouse.
        newer: Rows changed since the load, which the next run brings.
        older: Rows from before the oldest that was loaded; they are not compared.
        missing: Rows that only the DMS has.
        stale: Rows of which the DMS has another version.
        vanished: Rows that only the warehouse has.
        hidden: Rows that the DMS lists nowhere, and has.
        too_many: Whether so many have vanished that none is believed to be deleted.
    """

    buckets: int = 0
    read: int = 0
    differing: int = 0
    dms_rows: int = 0
    warehouse_rows: int = 0
    newer: int = 0
    older: int = 0
    missing: int = 0
    stale: int = 0
    vanished: int = 0
    hidden: int = 0
    too_many: bool = False

    @property
    def differs(self) -> bool:
        """Whether the warehouse is to be repaired, or somebody has to look."""
        return bool(self.missing or self.stale or self.vanished or self.too_many)

    def add(self, other: Findings) -> None:
        """Add what was found of another rooftop."""
        for field in dataclasses.fields(self):
            ours, theirs = getattr(self, field.name), getattr(other, field.name)
            setattr(self, field.name, ours or theirs if field.name == "too_many" else ours + theirs)
