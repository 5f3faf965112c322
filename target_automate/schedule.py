"""Which intent is worked on next.

Intents of one business key form a lane: one after the other, in the order in which they came.
Between lanes customers go before deals and deals before appointments, the older first. An intent
that is put off for a while, or waits for another, holds its lane.
"""

from __future__ import annotations

import dataclasses
import heapq
import typing as t

Lane: t.TypeAlias = tuple[str, bytes]


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Item:
    """An intent in the schedule.

    Attributes:
        rank: Of its object: the lowest goes first.
        id: The intent's.
        lane: Its object and business key.
    """

    rank: int
    id: int
    lane: Lane = dataclasses.field(compare=False)


@dataclasses.dataclass(slots=True)
class _Queue:
    """A lane: what is worked on, and what comes after it."""

    active: Item | None = None
    behind: list[Item] = dataclasses.field(default_factory=list)


class Schedule:
    """The order of work; for one thread at a time."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, _Queue] = {}
        self._ready: list[Item] = []
        self._put_off: list[tuple[float, Item]] = []
        self._waiting: dict[int, Item] = {}
        self._in_work = 0

    @property
    def load(self) -> int:
        """How many could be worked on now, are worked on, or are put off."""
        return len(self._ready) + self._in_work + len(self._put_off)

    @property
    def next_due(self) -> float | None:
        """When the first that was put off is due; None when none is."""
        return self._put_off[0][0] if self._put_off else None

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is left but what waits for others."""
        return not self.load

    def add(self, item: Item) -> None:
        """Take an intent in, behind those of its lane that are older."""
        queue = self._lanes.setdefault(item.lane, _Queue())
        if queue.active is None:
            queue.active = item
            heapq.heappush(self._ready, item)
        else:
            heapq.heappush(queue.behind, item)

    def take(self, now: float) -> Item | None:
        """Give out the next intent.

        Args:
            now: Seconds by the clock of `put_off`.

        Returns:
            The intent, to be handed back by `done`, `put_off` or `wait`; None when there is none.
        """
        while self._put_off and self._put_off[0][0] <= now:
            heapq.heappush(self._ready, heapq.heappop(self._put_off)[1])
        if not self._ready:
            return None
        self._in_work += 1
        return heapq.heappop(self._ready)

    def done(self, item: Item) -> None:
        """Hand an intent back that needs no more work in this run; its lane goes on."""
        self._in_work -= 1
        queue = self._lanes[item.lane]
        if queue.behind:
            queue.active = heapq.heappop(queue.behind)
            heapq.heappush(self._ready, queue.active)
        else:
            del self._lanes[item.lane]

    def leave(self, item: Item) -> None:
        """Hand an intent back that is open and needs no more work in this run.

        What comes after it in its lane is not to overtake it, and is for the next run, too.
        """
        self._in_work -= 1
        self._lanes[item.lane].behind.clear()

    def put_off(self, item: Item, until: float) -> None:
        """Hand an intent back that is to be taken again at a time."""
        self._in_work -= 1
        heapq.heappush(self._put_off, (until, item))

    def wait(self, item: Item) -> None:
        """Hand an intent back that waits until it is woken."""
        self._in_work -= 1
        self._waiting[item.id] = item

    def wake(self, intent_id: int) -> bool:
        """Have an intent taken again that waits.

        Returns:
            Whether it was waiting.
        """
        item = self._waiting.pop(intent_id, None)
        if item is not None:
            heapq.heappush(self._ready, item)
        return item is not None

    def waiting(self) -> list[Item]:
        """List what waits."""
        return sorted(self._waiting.values())

    def behind(self, item: Item) -> list[Item]:
        """List what comes after an intent in its lane."""
        return sorted(self._lanes[item.lane].behind)
