"""What an audit stands between: the warehouse, the DMS, and what takes the repairs."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator, Mapping, Sequence

    from automate_singer.tombstones import Key
    from tap_automate.reading.windows import Certified, Row, Window

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
    """The stream at the DMS, as `source` has it.

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
