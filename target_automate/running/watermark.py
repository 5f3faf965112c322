"""Which STATE may be written: the last one before which every record is settled.

Records come in order and are settled in any. A STATE of the tap stands for the records before it,
so it is held until all of them are settled.
"""

from __future__ import annotations

import dataclasses
import threading
import typing as t
from collections import deque

NOTHING: t.Final = object()
"""No STATE: any JSON value can be one."""


@dataclasses.dataclass(slots=True, eq=False)
class Stretch:
    """The records between two STATEs.

    Attributes:
        unsettled: How many of them are not settled yet.
        state: The STATE behind them; `NOTHING` until it comes.
    """

    unsettled: int = 0
    state: t.Any = NOTHING


class Watermark:
    """Counts records between STATEs; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stretches = deque([Stretch()])

    def take(self) -> Stretch:
        """Take note of a record; hand what this returns to `settle` once it is settled."""
        with self._lock:
            stretch = self._stretches[-1]
            stretch.unsettled += 1
            return stretch

    def settle(self, stretch: Stretch) -> None:
        """Take note that a record is settled."""
        with self._lock:
            stretch.unsettled -= 1

    def state(self, value: t.Any) -> None:  # noqa: ANN401 - any JSON
        """Take note of a STATE: it stands for every record so far."""
        with self._lock:
            self._stretches[-1].state = value
            self._stretches.append(Stretch())

    def passed(self) -> t.Any:  # noqa: ANN401 - any JSON
        """Give the last STATE that may be written and was not given yet, else `NOTHING`."""
        passed: t.Any = NOTHING
        with self._lock:
            while self._stretches[0].state is not NOTHING and not self._stretches[0].unsettled:
                passed = self._stretches.popleft().state
        return passed
