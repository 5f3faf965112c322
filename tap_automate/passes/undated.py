"""Rows that no window shows: without `updatedAt`, or with one before 1970 or ahead of the clock.

A first load finds out whether there are any, and writes them behind its windows. Until that is
done, a mark in the state has the next run do it.
"""

from __future__ import annotations

import typing as t

from tap_automate.reading import probes
from tap_automate.reading.reader import UNDATED
from tap_automate.sdk_seams import Step
from tap_automate.streams import REPLICATION_KEY
from tap_automate.waiting import awaited

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_automate.partition import Partition
    from tap_automate.passes.base import Fresh, Span
    from tap_automate.reading.windows import Row
    from tap_automate.sdk_seams import RowStream

PENDING: t.Final = "undated_pending"
"""The mark in a stream's state: its rows that no window shows are still to be written."""


class Undated:
    """The pass for rows that no window shows.

    Args:
        partition: Where to look.
        first: Microseconds since 1970; rows with an older time are not wanted.

    Attributes:
        found: Rows that there were.
    """

    def __init__(self, partition: Partition, first: int) -> None:
        self.found = 0
        self._partition = partition
        self._first = first
        self._pending = {
            member
            for member in partition.members
            if partition.keeps_state(member) and partition.state(member).get(PENDING)
        }

    def look(self, now: int, new: Sequence[RowStream]) -> None:
        """Refuse a filter that is not applied; find out whether there are rows beyond windows.

        Args:
            now: The server's time, seconds since 1970.
            new: The streams that have not had such rows.

        Raises:
            ProtocolError: When the server does not apply `updatedFrom` and `updatedTo`.
            StoppedError: As soon as the run is to stop.
            AutomateError: As `Client.list_page`.
        """
        partition = self._partition
        reader = partition.reader()

        def ask() -> int | None:
            probes.check_filter(reader.total, partition.stream.path)
            return probes.count_beyond(reader.total, now)

        if awaited(ask, partition.stream.tap.stop) != 0:
            self._pending.update(new)

    def meet(self, rows: Sequence[Row], fresh: Fresh) -> Fresh:
        """Return what is to be written as it is."""
        del rows
        return fresh

    def written(self) -> None:
        """Mark the streams that are still to have rows."""
        for member in self._pending:
            if self._partition.keeps_state(member):
                self._partition.state(member)[PENDING] = True

    def steps(self, span: Span) -> Iterator[Step]:
        """Yield the rows, for the streams that have not had them yet."""
        if not self._pending:
            return
        partition, stream = self._partition, self._partition.stream
        stream.logger.info(
            "Stream '%s': looking through the whole list for rows that no window shows.",
            stream.name,
        )
        whole = partition.reader().whole
        rows, is_whole = awaited(lambda: probes.read_beyond(whole, span.now), stream.tap.stop)
        if rows:
            stream.logger.warning(
                "Stream '%s': %d rows have no `%s`, or one before 1970 or ahead of the DMS's "
                "clock, so no window shows them. They were read out of the whole list and come "
                "last. Later runs bring them when they change.",
                stream.name,
                len(rows),
                REPLICATION_KEY,
            )
        if not is_whole:
            stream.logger.warning(
                "Stream '%s': rows came or went in each of %d passes over the whole list, so rows "
                "that no window shows may be missing. To look for them again in a quieter hour, "
                "load the stream anew without its bookmark.",
                stream.name,
                probes.PASSES,
            )
        self.found = len(rows)
        if partition.config.get("start_date"):
            rows = [row for row in rows if row.updated == UNDATED or row.updated >= self._first]
        members = [member for member in partition.members if member in self._pending]
        if any(row.updated == UNDATED for row in rows):
            for member in members:
                member.allow_null(str(member.replication_key))
        yield Step(partition.blocks(rows, dict.fromkeys(members, rows)), self._settle)

    def _settle(self) -> None:
        """Take the mark out of the state: the rows were written."""
        self._pending.clear()
        for member in self._partition.members:
            if self._partition.keeps_state(member):
                self._partition.state(member).pop(PENDING, None)
