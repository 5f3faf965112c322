"""Instants as whole numbers, so that they compare as what they are.

As text they do not: `...00Z` sorts after `...00.500Z`, and offsets are not considered at all.
"""

from __future__ import annotations

import datetime as dt
import typing as t

EPOCH: t.Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: t.Final = dt.timedelta(microseconds=1)

FIRST_SECOND: t.Final = (dt.datetime.min.replace(tzinfo=dt.UTC) - EPOCH) // dt.timedelta(seconds=1)
"""The first second that can be written as a date, seconds since 1970 (negative)."""


def to_microseconds(text: str) -> int:
    """Read an ISO 8601 instant; one without an offset is taken as UTC, a bare date as its midnight.

    Returns:
        Microseconds since 1970.

    Raises:
        ValueError: When the text is no instant.
        TypeError: When it is no text.
    """
    instant = dt.datetime.fromisoformat(text)
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=dt.UTC)
    return (instant - EPOCH) // _MICROSECOND


def from_seconds(second: int) -> str:
    """Write whole seconds since 1970 in the one form used in requests and in state."""
    return (EPOCH + dt.timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
