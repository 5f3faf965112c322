"""What an audit of a stream is to compare, and what it has found."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(slots=True)
class Span:
    """What to compare, in seconds since 1970.

    Attributes:
        start: What changed before was never loaded; None starts with the day of the oldest row.
        end: What changed from there on is left out; None ends where the load has ended.
        loaded: Up to where the load has read, by its bookmark; None takes the newest row for it.
        has_state: Whether there is a state; one without a bookmark says that nothing was loaded.
        accepts_vanished: Whether many that vanish at once have been deleted.
    """

    start: int | None = None
    end: int | None = None
    loaded: int | None = None
    has_state: bool = False
    accepts_vanished: bool = False


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
        unloaded: Rows of which the warehouse has none, and nothing says that it should have; they
            are not compared.
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
    unloaded: int = 0
    missing: int = 0
    stale: int = 0
    vanished: int = 0
    hidden: int = 0
    too_many: bool = False

    @property
    def differs(self) -> bool:
        """Whether the warehouse is to be repaired, or somebody has to look."""
        return bool(self.missing or self.stale or self.vanished or self.older or self.unloaded)

    def add(self, other: Findings) -> None:
        """Add what was found of another rooftop."""
        for field in dataclasses.fields(self):
            ours, theirs = getattr(self, field.name), getattr(other, field.name)
            setattr(self, field.name, ours or theirs if field.name == "too_many" else ours + theirs)
