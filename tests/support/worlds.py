"""Generated worlds as a client reads them, shared by the tests that look at them."""

from __future__ import annotations

import functools
import typing as t
from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st

from automate_sandbox.instants import SECOND, Clock, parse
from automate_sandbox.money import decode, encode
from automate_sandbox.resources import resources
from automate_sandbox.world.generate import Generator, Size

if t.TYPE_CHECKING:
    from automate_sandbox.sandbox import Sandbox

ANCHOR: t.Final = parse("2026-03-18T17:30:00Z") // 1000

World = dict[str, dict[str, dict[str, t.Any]]]
"""Stream, key, record."""

seeds = st.integers(0, 11)
"""Few, so that the tests share their worlds."""

some_worlds = settings(max_examples=12, deadline=None)


class SteppingClock(Clock):
    """A clock that shows what it is set to, and a step more at each look."""

    def __init__(self, instant: int, step: int = SECOND) -> None:
        """Set the clock; both in milliseconds."""
        super().__init__()
        self.instant = instant
        self.step = step

    def now(self) -> int:
        """Step on."""
        self.instant += self.step
        return self.instant


@functools.lru_cache(maxsize=32)
def world(
    seed: int, vehicles: int, rooftops: int = 2, anchor: int = ANCHOR, days: int = 60
) -> World:
    """Make a world and read it back as a client does."""
    made: World = defaultdict(dict)
    for stream, record in Generator(seed, Size(rooftops, vehicles, days), anchor).records():
        key = resources()[stream].key_of(record)
        assert key not in made[stream], "an id came twice"
        made[stream][key] = decode(encode(record))
    return made


def world_of(sandbox: Sandbox) -> World:
    """Read the current records of a sandbox."""
    return {
        stream: {key: decode(row.body) for key, row in table.rows.items()}
        for stream, table in sandbox.ledger.tables.items()
    }
