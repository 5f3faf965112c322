"""Which accounting periods may still change: those that are read again by every run.

Pure, but for the list call that gives the periods. A tenant that has none to give is read by
calendar months.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import typing as t
from http import HTTPStatus

from automate_api.errors import RequestRefusedError
from tap_automate.reading.windows import pages_of

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from automate_api.client import Client
    from tap_automate.passes.controls import Facts

MOST_OPEN: t.Final = 6
"""Open periods that are read again, the newest of each company: where nobody closes any, the rest
is history all the same.
"""

CLOSED: t.Final = 2
"""Closed periods that are, of each company."""

MONTHS_BEFORE: t.Final = 2
"""Calendar months before the current one that are, where the DMS names no periods."""

YEAR_END: t.Final = 13
"""Number of the period for year-end entries."""

DAY: t.Final = dt.timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Period:
    """Days of the books.

    Attributes:
        books: The company, or rooftop, whose period it is; empty where the DMS does not say.
        year: Fiscal, or of the calendar.
        number: From 1; 13 holds year-end entries.
        first: Its first day.
        last: Its last day.
        is_open: Whether it takes entries as a matter of course; None where that is not known.
        is_adjusting: Whether it holds year-end entries.
    """

    books: str
    year: int
    number: int
    first: dt.date
    last: dt.date
    is_open: bool | None
    is_adjusting: bool = False


class Choice:
    """The periods that are read again.

    Attributes:
        periods: The oldest first.
        is_calendar: Whether they are calendar months, for want of any from the DMS.
    """

    def __init__(self, periods: Iterable[Period], *, is_calendar: bool) -> None:
        """Index them.

        Args:
            periods: In any order.
            is_calendar: Whether they are calendar months.
        """
        self.periods = sorted(periods, key=lambda each: (each.first, each.number, each.books))
        self.is_calendar = is_calendar
        self._by_number = {(each.books, each.year, each.number): each for each in self.periods}
        self._first = min((each.first for each in self.periods), default=dt.date.max).isoformat()
        self._last = max((each.last for each in self.periods), default=dt.date.min).isoformat()
        self._found: dict[tuple[t.Any, ...], tuple[str, Period] | None] = {}

    def find(self, facts: Facts) -> tuple[str, Period] | None:
        """Find the period of an entry, with its name; None when it is not read again."""
        named = (
            facts.books,
            facts.date[:7] if self.is_calendar else facts.year,
            None if self.is_calendar else facts.number,
        )
        if named not in self._found:
            period = self._of(facts)
            self._found[named] = (self.name(period, facts.books), period) if period else None
        return self._found[named]

    def _of(self, facts: Facts) -> Period | None:
        if self.is_calendar:
            year, number = facts.date[:4], facts.date[5:7]
            if not (year.isdecimal() and number.isdecimal()):
                return None
            return self._by_number.get(("", int(year), int(number)))
        if facts.year is None or facts.number is None:
            return None
        known = self._by_number.get((facts.books, facts.year, facts.number))
        return known or self._by_number.get(("", facts.year, facts.number))

    def name(self, period: Period, books: str) -> str:
        """Name a period of a company, as the state has it."""
        return f"{books}/{self._label(period)}"

    def is_of(self, name: str, period: Period) -> bool:
        """Tell whether a name is one of a period, of whatever company."""
        return name.rpartition("/")[2] == self._label(period)

    def described(self, name: str) -> str:
        """Say a name in a message."""
        books, _, label = name.rpartition("/")
        word = "" if self.is_calendar else "period "
        return f"{word}{label} of {books}" if books else f"{word}{label}"

    def _label(self, period: Period) -> str:
        word = "month " if self.is_calendar else ""
        return f"{word}{period.year}-{period.number:02d}"

    def has_day(self, date: object) -> bool:
        """Tell of an accounting date whether one of the periods may have it."""
        return isinstance(date, str) and self._first <= date[:10] <= self._last

    def spans(self, periods: Iterable[Period] | None = None) -> list[tuple[dt.date, dt.date]]:
        """Return the days to read, from the first to the last of each span, none twice.

        Args:
            periods: Which of them; all unless given.
        """
        wanted = sorted((each.first, each.last) for each in periods or self.periods)
        spans: list[tuple[dt.date, dt.date]] = []
        for first, last in wanted:
            if spans and first <= spans[-1][1] + DAY:
                spans[-1] = (spans[-1][0], max(spans[-1][1], last))
            else:
                spans.append((first, last))
        return spans


def choose(periods: Sequence[Period], today: dt.date) -> Choice:
    """Choose, of each company, the open periods, the last two closed ones, and the newest 13th.

    Args:
        periods: All of them; without any, calendar months are chosen.
        today: By any zone: what has not begun by tomorrow is left out.
    """
    begun = [each for each in periods if each.first <= today + DAY]
    if not begun:
        return Choice(_months(today), is_calendar=True)
    chosen: set[Period] = set()
    begun.sort(key=lambda each: (each.books, each.last, each.number))
    for _, group in itertools.groupby(begun, key=lambda each: each.books):
        own = list(group)
        chosen |= set([each for each in own if each.is_open][-MOST_OPEN:])
        chosen |= set([e for e in own if not e.is_open and not e.is_adjusting][-CLOSED:])
        chosen |= set([each for each in own if each.is_adjusting][-1:])
    return Choice(chosen, is_calendar=False)


def read(client: Client, path: str, parameters: Mapping[str, str]) -> list[Period] | None:
    """Ask for all periods.

    Args:
        client: Sends the requests.
        path: The list call.
        parameters: The rooftop, or nothing.

    Returns:
        Those that name their days; None where the DMS refuses to give them.

    Raises:
        AutomateError: As `Client.list_page`.
    """
    periods: list[Period] = []
    number = pages = 1
    while number <= pages:
        try:
            page = client.list_page(path, {**parameters, "page": number, "pageSize": 200})
        except RequestRefusedError as error:
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            return None
        pages = pages_of(page.total, page.page_size)
        periods += filter(None, map(_period, page.items))
        number += 1
    return periods


def _period(record: Mapping[str, t.Any]) -> Period | None:
    try:
        first = dt.date.fromisoformat(record["startDate"])
        last = dt.date.fromisoformat(record["endDate"])
        year, number = int(record["fiscalYear"]), int(record["fiscalPeriod"])
    except (KeyError, TypeError, ValueError):
        return None
    return Period(
        books=str(record.get("companyId") or record.get("rooftopId") or ""),
        year=year,
        number=number,
        first=first,
        last=last,
        is_open=_is_open(record),
        is_adjusting=bool(record.get("isAdjustingPeriod")) or number == YEAR_END,
    )


def _is_open(record: Mapping[str, t.Any]) -> bool:
    status = record.get("periodStatus")
    if isinstance(status, str) and status:
        return "open" in status.casefold()
    return record.get("closedAt") is None


def _months(today: dt.date) -> Iterator[Period]:
    first = today.replace(day=1)
    for _ in range(MONTHS_BEFORE + 1):
        last = (first + 31 * DAY).replace(day=1) - DAY
        yield Period("", first.year, first.month, first, last, is_open=None)
        first = (first - DAY).replace(day=1)
