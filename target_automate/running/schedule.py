"""Which intent is worked on next.

Intents about one record form a lane: one after the other, in the order in which they came; only
what makes the record goes ahead of what changes it. Between lanes customers go before deals, deals
before appointments and so on, the older first. An intent that is put off for a while, or waits for
another, holds its lane, but not against what makes its record.
"""

from __future__ import annotations

import dataclasses
import heapq
import typing as t

if t.TYPE_CHECKING:
    from target_automate.journal.intents import Brief


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Item:
    """An intent in the schedule.

    Attributes:
        rank: Of its object: the lowest goes first.
        id: The intent's.
        brief: The intent in short.
        founds: Whether it makes the record that its lane is about.
    """

    rank: int
    id: int
    brief: Brief = dataclasses.field(compare=False)
    founds: bool = dataclasses.field(default=False, compare=False)

    @property
    def place(self) -> tuple[bool, int]:
        """Its place in its lane."""
        return not self.founds, self.id


@dataclasses.dataclass(slots=True)
class _Queue:
    """A lane: what is worked on, and what comes after it."""

    active: Item | None = None
    behind: list[tuple[tuple[bool, int], Item]] = dataclasses.field(default_factory=list)


class Schedule:
    """The order of work; for one thread at a time."""

    def __init__(self) -> None:
        self._lanes: dict[bytes, _Queue] = {}
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
        queue = self._lanes.setdefault(item.brief.lane, _Queue())
        heapq.heappush(queue.behind, (item.place, item))
        if queue.active is None:
            self._go_on(queue)
        else:
            self._give_way(queue)

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
        queue = self._lanes[item.brief.lane]
        if queue.behind:
            self._go_on(queue)
        else:
            del self._lanes[item.brief.lane]

    def leave(self, item: Item) -> None:
        """Hand an intent back that is open and needs no more work in this run.

        What comes after it in its lane is not to overtake it, and is for the next run, too.
        """
        self._in_work -= 1
        self._lanes[item.brief.lane].behind.clear()

    def put_off(self, item: Item, until: float) -> None:
        """Hand an intent back that is to be taken again at a time."""
        self._in_work -= 1
        heapq.heappush(self._put_off, (until, item))

    def wait(self, item: Item) -> None:
        """Hand an intent back that waits until it is woken."""
        self._in_work -= 1
        self._waiting[item.id] = item
        self._give_way(self._lanes[item.brief.lane])

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
        return [found for _, found in sorted(self._lanes[item.brief.lane].behind)]

    def _go_on(self, queue: _Queue) -> None:
        queue.active = heapq.heappop(queue.behind)[1]
        heapq.heappush(self._ready, queue.active)

    def _give_way(self, queue: _Queue) -> None:
        """Let what makes a record go ahead of what waits for it."""
        active = t.cast("Item", queue.active)
        waits = active.id in self._waiting and not active.founds
        if waits and queue.behind and queue.behind[0][1].founds:
            del self._waiting[active.id]
            self._go_on(queue)
            heapq.heappush(queue.behind, (active.place, active))
