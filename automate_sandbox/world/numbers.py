"""Ids and human document numbers: both follow from how many records of a stream there are."""

from __future__ import annotations

import dataclasses
import typing as t
import zlib
from collections import Counter

if t.TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

PREFIXES: t.Final = {
    "accounting_periods": "per",
    "attachments": "att",
    "customers": "cust",
    "deal_recaps": "recap",
    "deals": "deal",
    "deposits": "dep",
    "events": "evt",
    "gl_accounts": "gla",
    "gl_entries": "je",
    "lots": "lot",
    "parts": "part",
    "parts_tickets": "tick",
    "receipts": "rcpt",
    "repair_orders": "ro",
    "rooftops": "rt",
    "service_appointments": "appt",
    "users": "u",
    "vehicles": "veh",
}
"""Stream to the prefix of its ids (`veh_28f93a`)."""

_SPREAD: t.Final = 0x9E3779B1
_SIX_DIGITS: t.Final = 1 << 24
_EIGHT_DIGITS: t.Final = 1 << 32


class Numbers:
    """Hands out the next number of each stream.

    Ids do not follow the order of creation, so that sorting by id is not sorting by time.
    Multiplying by an odd number is a bijection modulo a power of two, so they never collide.
    """

    def __init__(
        self,
        seed: int,
        counts: Mapping[str, int] | None = None,
        exists: Callable[[str, str], bool] = lambda _stream, _key: False,
    ) -> None:
        """Continue from the records that are there.

        Args:
            seed: Of the world.
            counts: Stream to the number of its records.
            exists: Whether a stream has a record with this id; a number taken for a record that was
                never stored makes the count fall behind.
        """
        self._counts: Counter[str] = Counter(counts or {})
        self._exists = exists
        self._offsets = {stream: zlib.crc32(f"{seed}/{stream}".encode()) for stream in PREFIXES}

    def take(self, stream: str) -> tuple[int, str]:
        """Take the next number of a stream.

        Returns:
            The number (0, 1, 2, ...) and the id made from it.
        """
        while True:
            number, key = self._next(stream)
            if not self._exists(stream, key):
                return number, key

    def _next(self, stream: str) -> tuple[int, str]:
        number = self._counts[stream]
        self._counts[stream] += 1
        mixed = number * _SPREAD + self._offsets[stream]
        digits = (
            f"{mixed % _SIX_DIGITS:06x}" if number < _SIX_DIGITS else f"{mixed % _EIGHT_DIGITS:08x}"
        )
        return number, f"{PREFIXES[stream]}_{digits}"


@dataclasses.dataclass(frozen=True)
class Source:
    """Where new records take their chances and their numbers from."""

    rng: random.Random
    numbers: Numbers
