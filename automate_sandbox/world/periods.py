"""Fiscal periods of a company: one for each month, and a 13th for the year-end entries."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from automate_sandbox.instants import SECOND, render
from automate_sandbox.world.calendar import HOUR

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers
    from automate_sandbox.world.rooftops import Rooftop

ADJUSTING_PERIOD: t.Final = 13
MONTHS: t.Final = 12


class Span(t.NamedTuple):
    """A fiscal period: its name, and its first and last day."""

    year: int
    period: int
    start: date
    end: date


def fiscal_month(rooftop: Rooftop, day: date) -> tuple[int, int]:
    """Name the fiscal year, after the one it ends in, and the period (1 to 12) of a day."""
    first_month: int = rooftop.record["fiscalYearStartMonth"]
    begins_next = first_month > 1 and day.month >= first_month
    return day.year + begins_next, (day.month - first_month) % MONTHS + 1


def period_status(rooftop: Rooftop, day: date, today: date) -> str:
    """Tell whether the period of a day is open; each closes with the last day of its month."""
    return "open" if fiscal_month(rooftop, day) >= fiscal_month(rooftop, today) else "closed"


def spans(rooftop: Rooftop, since: date, today: date) -> Iterator[Span]:
    """List the periods from the first of the fiscal year of `since` to that of `today`.

    A 13th period is there once its year is over.
    """
    _, months_gone = fiscal_month(rooftop, since)
    start = since.replace(day=1)
    for _ in range(months_gone - 1):
        start = (start - timedelta(days=1)).replace(day=1)
    while start <= today:
        following = (start + timedelta(days=31)).replace(day=1)
        year, period = fiscal_month(rooftop, start)
        end = following - timedelta(days=1)
        yield Span(year, period, start, end)
        if period == MONTHS and rooftop.record["hasThirteenthPeriod"] and end < today:
            yield Span(year, ADJUSTING_PERIOD, end, end)
        start = following


def closing(rooftop: Rooftop, span: Span) -> int:
    """Instant of the midnight that ends a period, seconds since 1970."""
    return rooftop.calendar.begins(span.end + timedelta(days=1))


def make_period(
    numbers: Numbers, rooftop: Rooftop, span: Span, today: date, created: int
) -> Record:
    """Make the record of a period; it is closed when its last day is over.

    Args:
        numbers: Gives the id.
        rooftop: Whose company's books they are.
        span: Which period.
        today: The rooftop's business date.
        created: Seconds since 1970.
    """
    _, period_id = numbers.take("accounting_periods")
    closed = closing(rooftop, span) - 1 if span.end < today else None
    return {
        "periodId": period_id,
        "rooftopId": rooftop.rooftop_id,
        "companyId": rooftop.company_id,
        "fiscalYear": span.year,
        "fiscalPeriod": span.period,
        "isAdjustingPeriod": span.period == ADJUSTING_PERIOD,
        "periodStatus": "open" if closed is None else "closed",
        "startDate": span.start.isoformat(),
        "endDate": span.end.isoformat(),
        "closedAt": None if closed is None else render(closed * SECOND),
        "createdAt": render(created * SECOND),
        "updatedAt": render((created if closed is None else closed) * SECOND),
        "deletedAt": None,
    }


def close_period(period: Record, at: int) -> None:
    """Close a period at an instant (seconds); entries can still be posted into it."""
    closed = render(at * SECOND)
    period |= {"periodStatus": "closed", "closedAt": closed, "updatedAt": closed}


def build_periods(numbers: Numbers, rooftop: Rooftop, days: int) -> Iterator[Record]:
    """Make the periods of a company: from the year before today's, or the first of the entries.

    Args:
        numbers: Gives the ids.
        rooftop: Whose company's books they are.
        days: Of history before the calendar's anchor.
    """
    today = rooftop.calendar.today
    # An entry may be back-dated into the month before, and days are counted by instants.
    earliest = (today - timedelta(days=days + 2)).replace(day=1) - timedelta(days=1)
    last_year = today.replace(day=1) - timedelta(days=365)
    for span in spans(rooftop, min(earliest, last_year), today):
        created = rooftop.calendar.begins(span.start) - 12 * HOUR
        yield make_period(numbers, rooftop, span, today, created)
