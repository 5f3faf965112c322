"""How often something happens."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import random


def happens(rng: random.Random, percent: float) -> bool:
    """Decide about something that happens in `percent` of all cases."""
    return rng.random() * 100 < percent
