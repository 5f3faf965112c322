"""What a first load asks before it trusts the filter by `updatedAt`.

Windows see what the filter shows. So the filter has to be applied, and what it can never show has
to be read in another way: rows without `updatedAt`, which some servers leave null on imports, and
rows dated before 1970 or far ahead.

Later runs do not ask again: a filter that is not applied gives rows from before the bookmark, which
the reader refuses.
"""

from __future__ import annotations

import typing as t

from automate_api.errors import ProtocolError
from tap_automate.instants import to_microseconds
from tap_automate.windows import MICROSECONDS, Row, Window, pages_of

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_automate.windows import Page

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
            "Changes cannot be read reliably. Deselect the stream, or correct its path in "
            "`endpoints`."
        )
        raise ProtocolError(msg)


def find_beyond(
    total_of: TotalOf, read_page: Callable[[int], Page], now: int
) -> tuple[int, list[Row]]:
    """Count the rows that no window shows, and read them.

    Args:
        total_of: Asks the server.
        read_page: As `read_beyond` takes it.
        now: The server's time, seconds since 1970.
    """
    expected = count_beyond(total_of, now)
    return expected, read_beyond(read_page, now, expected) if expected else []


def count_beyond(total_of: TotalOf, now: int) -> int:
    """Count the rows that no window from 1970 to tomorrow shows.

    The whole list is counted first: rows that come in between make the difference smaller, never
    larger, so none is seen where there is none.

    Args:
        total_of: Asks the server.
        now: Its time, seconds since 1970.
    """
    span = _span(now)
    differences = []
    for _ in range(TRIES):
        difference = total_of(None) - total_of(span)
        if not difference:
            return 0
        differences.append(difference)
    return max(0, *differences)


def read_beyond(read_page: Callable[[int], Page], now: int, expected: int) -> list[Row]:
    """Read the rows that no window shows out of the whole list.

    Args:
        read_page: Asks for a page of it, from 1; rows without a time have one before all others.
        now: The server's time, seconds since 1970.
        expected: How many there are.

    Returns:
        They, or fewer if they cannot be found in `PASSES` passes.
    """
    span = _span(now)
    found: dict[tuple[str, ...], Row] = {}
    for _ in range(PASSES):
        number, pages = 1, 1
        while number <= pages and len(found) < expected:
            page = read_page(number)
            pages = pages_of(page.total, page.size)
            found |= {
                row.key: row
                for row in page.rows
                if not span.start <= row.updated // MICROSECONDS < span.end
            }
            number += 1
    return list(found.values())


def _span(now: int) -> Window:
    return Window(0, now + DAY)
