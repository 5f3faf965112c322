"""What a first load asks before it trusts the filter by `updatedAt`.

Windows see what the filter shows. So the filter has to be applied, and what it can never show has
to be read in another way: rows without `updatedAt`, which some servers leave null on imports, and
rows dated before 1970 or far ahead.

Later runs do not ask again: a filter that is not applied gives rows from before the bookmark, which
the reader refuses.
"""

from __future__ import annotations

import array
import typing as t

from automate_api.errors import ProtocolError
from tap_automate.instants import to_microseconds
from tap_automate.reading.windows import MICROSECONDS, Row, Window, pages_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_automate.reading.windows import Page

    TotalOf: t.TypeAlias = Callable[[Window | None], int]
    """Asks how many rows a window has, or the whole list."""

DAY: t.Final = 86_400
NINETEEN_HUNDRED: t.Final = to_microseconds("1900-01-01") // MICROSECONDS
BEFORE_ALL: t.Final = Window(NINETEEN_HUNDRED, NINETEEN_HUNDRED + DAY)
"""A day before any DMS; rows of sentinel dates lie on others."""

TRIES: t.Final = 3
"""Looks at two totals that should be the same: rows may come and go between the requests."""

PASSES: t.Final = 3
"""Passes over the whole list, whose pages shift while rows change."""


def check_filter(total_of: TotalOf, path: str) -> None:
    """Make sure that `updatedFrom` and `updatedTo` are applied.

    Args:
        total_of: Asks the server.
        path: The list call, for the message.

    Raises:
        ProtocolError: When a day in 1900 has rows.
    """
    total = total_of(BEFORE_ALL)
    if total:
        msg = (
            f"GET {path}: the server says that {total} rows changed on a day in 1900, so it does "
            "not apply `updatedFrom` and `updatedTo` to this path, or reads them as other dates. "
            "Changes cannot be read reliably. Deselect the stream, or say its path and parameters "
            "in a `contract_overlay`; `automate-dms doctor` looks for them."
        )
        raise ProtocolError(msg)


def count_beyond(total_of: TotalOf, now: int) -> int | None:
    """Count the rows that no window from 1970 to tomorrow shows.

    The rows of the windows are counted before and after those of the whole list: the difference
    counts where both are the same, since then no row has come in between.

    Args:
        total_of: Asks the server.
        now: Its time, seconds since 1970.

    Returns:
        How many there are; None when rows came or went during each of `TRIES` looks, so that there
        may be some.
    """
    span = _span(now)
    for _ in range(TRIES):
        before, whole, after = total_of(span), total_of(None), total_of(span)
        if before == after <= whole:
            return whole - after
    return None


def read_beyond(read_page: Callable[[int], Page], now: int) -> tuple[list[Row], bool]:
    """Read the rows that no window shows out of the whole list.

    A pass over the list is whole when all of its answers have one total, and that many keys came.

    Args:
        read_page: Asks for a page of it, from 1; rows without a time have one before all others.
        now: The server's time, seconds since 1970.

    Returns:
        They, and True; False where rows came or went in each of `PASSES` passes, so that some of
        them may be missing.
    """
    span = _span(now)
    found: dict[tuple[str, ...], Row] = {}
    for _ in range(PASSES):
        totals: set[int] = set()
        keys = _Keys()
        number = pages = 1
        while number <= pages:
            page = read_page(number)
            pages = pages_of(page.total, page.size)
            totals.add(page.total)
            keys.add(page.rows)
            found |= {
                row.key: row
                for row in page.rows
                if not span.start <= row.updated // MICROSECONDS < span.end
            }
            number += 1
        if totals == {keys.count()}:
            return list(found.values()), True
    return list(found.values()), False


class _Keys:
    """Counts different keys by their hashes, in eight bytes each: the whole list may be long."""

    PARTS: t.ClassVar[int] = 256

    def __init__(self) -> None:
        self._parts = [array.array("q") for _ in range(self.PARTS)]

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            digest = hash(row.key)
            self._parts[digest % self.PARTS].append(digest)

    def count(self) -> int:
        return sum(len(set(part)) for part in self._parts)


def _span(now: int) -> Window:
    return Window(0, now + DAY)
