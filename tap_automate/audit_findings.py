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


Record: t.TypeAlias = t.Any
"""A record as the source gives it, which only the source and the fixes look into."""


class Held(t.Protocol):
    """A row of the warehouse."""

    @property
    def updated(self) -> int | None:
        """Its time in microseconds since 1970; None when it has none."""
        ...

    @property
    def tombstone(self) -> bool:
        """Whether it is marked as gone."""
        ...


class Holdings(t.Protocol):
    """What the warehouse holds, as `target_warehouse.holdings` has it."""

    @property
    def rows(self) -> int:
        """How many the source should have."""
        ...

    def seconds(self) -> array[int]:
        """Their seconds, sorted."""
        ...

    def newest(self, second: int) -> int | None:
        """Time of the newest up to the end of a second, in microseconds."""
        ...

    def between(self, start: int, end: int) -> dict[Key, int]:
        """Key and time (microseconds) of those from one second until before another."""
        ...

    def find(self, keys: Sequence[Key]) -> Mapping[Key, Held]:
        """Rows of any kind by key, as far as there are any."""
        ...


class Source(t.Protocol):
    """The stream at the DMS, as `audit_source` has it.

    Attributes:
        cooldown: Seconds after which a change is visible to every read.
        page_size: Rows on a page.
    """

    cooldown: int
    page_size: int

    def now(self) -> int:
        """The server's time in seconds since 1970."""
        ...

    def total(self, window: Window) -> int:
        """How many rows a window has."""
        ...

    def windows(self, start: int, end: int) -> Iterator[Certified]:
        """The rows of a closed span, certified."""
        ...

    def glimpse(self, start: int) -> Iterator[Row]:
        """The rows newer than a second as one look at them shows them."""
        ...

    def detail(self, key: Key) -> Record | None:
        """The record of a key; None when there is none, an empty one when it is another's."""
        ...

    def has_details(self, known: Key) -> bool:
        """Whether `detail` finds a record that is listed."""
        ...

    def updated_of(self, record: Record) -> int | None:
        """The time of a record in microseconds, if it has one."""
        ...

    def wait_until(self, second: int) -> None:
        """Let time pass."""
        ...


class Fixes(t.Protocol):
    """Takes what repairs the warehouse."""

    def record(self, record: Record) -> None:
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
