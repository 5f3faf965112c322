"""The days of a rooftop: business dates in its own zone, and instants within opening hours."""

from __future__ import annotations

import typing as t
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

if t.TYPE_CHECKING:
    import random

HOUR: t.Final = 3_600
DAY: t.Final = 24 * HOUR
OPENS_BEFORE_NOON: t.Final = 4 * HOUR
CLOSES_AFTER_NOON: t.Final = 7 * HOUR
LATE_AFTER_NOON: t.Final = 11 * HOUR + 50 * 60
ALWAYS_OPEN: t.Final = 0.1
"""Share of events that happen at any time of the day (web leads, feeds of prices)."""


class Calendar:
    """Business dates and instants (whole seconds since 1970) of one rooftop."""

    def __init__(self, zone: str, anchor: int) -> None:
        """Look back from an instant.

        Args:
            zone: IANA name.
            anchor: The instant at which the world is made; nothing in it happens later.
        """
        self.zone = ZoneInfo(zone)
        self.anchor = anchor
        self.today = datetime.fromtimestamp(anchor, self.zone).date()
        self._noons: dict[int, int] = {}

    def noon(self, days_ago: int) -> int:
        """Instant of noon, by the rooftop's wall clock."""
        instant = self._noons.get(days_ago)
        if instant is None:
            day = self.today - timedelta(days=days_ago)
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=self.zone)
            instant = self._noons[days_ago] = int(noon.timestamp())
        return instant

    def begins(self, day: date) -> int:
        """Instant of midnight before a business date, by the rooftop's wall clock."""
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp())

    def date_of(self, instant: int) -> date:
        """Business date of an instant: the date on the rooftop's wall."""
        return datetime.fromtimestamp(instant, self.zone).date()

    def moment(self, rng: random.Random, days: float) -> int:
        """Choose an instant of the last `days` days before the anchor, mostly in opening hours."""
        instant = self.anchor - 1 - int(rng.random() * days * DAY)
        if rng.random() < ALWAYS_OPEN:
            return instant
        days_ago = (self.anchor - instant) // DAY
        opened = self.noon(days_ago) + rng.randrange(-OPENS_BEFORE_NOON, CLOSES_AFTER_NOON)
        return opened if opened < self.anchor else instant

    def late_evening(self, rng: random.Random, instant: int) -> int:
        """Move an instant to 23:50-23:59 by the wall clock of a day before the anchor."""
        days_ago = (self.anchor - instant) // DAY + 1
        return self.noon(days_ago) + LATE_AFTER_NOON + rng.randrange(600)


def utc_year(instant: int) -> int:
    """Year of an instant in UTC, for document numbers."""
    return datetime.fromtimestamp(instant, UTC).year
