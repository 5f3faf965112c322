"""What is known of a stream at a moment of a run: numbers, never a value of a record."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class FileCounts:
    """Files that records name.

    Attributes:
        fetched: Fetched in this run.
        fetched_bytes: What these have together.
        kept: There already.
        failed: Not to be had.
    """

    fetched: int = 0
    fetched_bytes: int = 0
    kept: int = 0
    failed: int = 0

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self.fetched or self.kept or self.failed)

    def plus(self, other: FileCounts) -> FileCounts:
        """Return the sum."""
        return FileCounts(
            self.fetched + other.fetched,
            self.fetched_bytes + other.fetched_bytes,
            self.kept + other.kept,
            self.failed + other.failed,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Oddities:
    """What in rows was not as the tap assumes.

    Attributes:
        late_rows: Rows that the run before had passed before they were visible.
        late_seconds: How far the latest of them lay before the bookmark.
        unknown_fields: Fields that the contract does not have, counted in each row.
        unknown_values: Values that its closed lists do not have, the same.
        other_types: Values of another type than the contract's, the same.
        missing_fields: Fields of the contract that no row has.
        moved_paths: Lists that earlier runs have read, and that are not there any more.
        drift: How many fields, values and lists differ from the contract, each counted once.
        drift_new: Those of them that no run before has told of.
    """

    late_rows: int = 0
    late_seconds: float = 0.0
    unknown_fields: int = 0
    unknown_values: int = 0
    other_types: int = 0
    missing_fields: int = 0
    moved_paths: int = 0
    drift: int = 0
    drift_new: int = 0

    def plus(self, other: Oddities) -> Oddities:
        """Return the sum; of what is late, the latest."""
        return Oddities(
            self.late_rows + other.late_rows,
            max(self.late_seconds, other.late_seconds),
            self.unknown_fields + other.unknown_fields,
            self.unknown_values + other.unknown_values,
            self.other_types + other.other_types,
            self.missing_fields + other.missing_fields,
            self.moved_paths + other.moved_paths,
            self.drift + other.drift,
            self.drift_new + other.drift_new,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """What is known of one stream at a moment.

    Attributes:
        stream: Its name.
        reads: Whether it has requests of its own; lines come with their parent's.
        running: Whether it is being read.
        seconds: How long it has been read for.
        rows: Rows emitted.
        certified: Rows read in certified windows, those included that were emitted before.
        expected: Rows of the spans begun, by their first answers; None before the first.
        pages: Answers read.
        windows: Windows certified.
        rereads: Pages read in vain: not part of a certified window, or not yet.
        retries: Requests sent again.
        waited_seconds: Time in which threads waited because the DMS was busy or asked them to.
        bookmark: Second since 1970 that the stream is certified up to, of its rooftops the one
            furthest behind; None without a bookmark.
        newest: Microseconds since 1970 of the newest row read; None without rows.
        files: Files that its records name, and that are downloaded.
        windows_split: Windows cut since they had more pages than aimed at.
        certificates_failed: Readings of a window that rows left, or whose pages lacked some.
        oddities: What was not as assumed.
    """

    stream: str
    reads: bool
    running: bool
    seconds: float
    rows: int
    certified: int
    expected: int | None
    pages: int
    windows: int
    rereads: int
    retries: int
    waited_seconds: float
    bookmark: int | None
    newest: int | None
    files: FileCounts = FileCounts()
    windows_split: int = 0
    certificates_failed: int = 0
    oddities: Oddities = Oddities()
