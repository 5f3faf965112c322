"""A model of the list call: rows change between requests, pages and bounds are of any kind."""

from __future__ import annotations

import dataclasses
import random
import typing as t
import zlib

from tap_automate.bookmark import Bookmark
from tap_automate.reading.harvest import Harvest
from tap_automate.reading.windows import MICROSECONDS, Page, Row, Window

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_automate.reading.harvest import Request
    from tap_automate.reading.windows import Certified

ORDERS = ("ascending", "descending", "by_id", "opaque", "unstable")
BOUNDS = ("[]", "[)", "(]", "()")
BASE = 1_700_000_000 * MICROSECONDS


@dataclasses.dataclass
class ModelApi:
    """A list call with a clock that moves on with every request.

    Attributes:
        now: Microseconds since 1970.
        rows: Key to `updatedAt`.
        changes: Changes, on average, that land before each request.
        delay: Microseconds until a change is visible, at most.
    """

    seed: int
    size: int = 40
    page_size: int = 5
    order: str = "ascending"
    bounds: str = "[]"
    changes: float = 0.0
    granularity: int = 1
    span_seconds: int = 3_600
    delay: int = 0
    now: int = BASE
    requests: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a model, not a secret
        self.rows: dict[str, int] = {}
        self._visible_from: dict[str, list[tuple[int, int]]] = {}
        for number in range(self.size):
            age = self._random.randrange(self.span_seconds * MICROSECONDS)
            self.write(f"k{number:05d}", self.now - age)

    def write(self, key: str, updated: int) -> None:
        updated -= updated % self.granularity
        self.rows[key] = updated
        visible = updated + (self._random.randrange(self.delay) if self.delay else 0)
        versions = self._visible_from.setdefault(key, [])
        versions.append((visible, updated))

    def insert(self) -> None:
        self.write(f"k{len(self._visible_from):05d}", self.now)

    def delete(self, key: str) -> None:
        del self.rows[key], self._visible_from[key]
        self._visible_from[f"{key}-gone"] = []

    def pass_time(self, seconds: float) -> None:
        self.now += int(seconds * MICROSECONDS)

    def _live(self) -> None:
        whole, part = divmod(self.changes, 1)
        for _ in range(int(whole) + (self._random.random() < part)):
            self.now += self._random.randrange(50_000)
            draw = self._random.random()
            if draw < 0.1 or not self.rows:
                self.insert()
            elif draw < 0.15:
                self.delete(self._random.choice(sorted(self.rows)))
            else:
                self.write(self._random.choice(sorted(self.rows)), self.now)

    def _seen_by_readers(self) -> dict[str, int]:
        seen = {}
        for key in self.rows:
            shown = [updated for visible, updated in self._visible_from[key] if visible <= self.now]
            if shown:
                seen[key] = shown[-1]
        return seen

    def fetch(self, window: Window, page: int) -> Page:
        self.requests += 1
        self.pass_time(0.05)
        self._live()
        low, high = window.start * MICROSECONDS, window.end * MICROSECONDS
        inside = [
            (key, updated)
            for key, updated in self._seen_by_readers().items()
            if (low < updated or (self.bounds[0] == "[" and low == updated))
            and (updated < high or (self.bounds[1] == "]" and updated == high))
        ]
        match self.order:
            case "ascending":
                inside.sort(key=lambda row: (row[1], row[0]))
            case "descending":
                inside.sort(key=lambda row: (row[1], row[0]), reverse=True)
            case "by_id":
                inside.sort()
            case "opaque":
                inside.sort(key=lambda row: zlib.crc32(row[0].encode()))
            case _:
                self._random.shuffle(inside)
        cut = inside[(page - 1) * self.page_size : page * self.page_size]
        return Page([Row((key,), updated, {}) for key, updated in cut], self.page_size, len(inside))


def read_together(
    api: ModelApi, start: int, end: int, *, in_flight: int, chance: random.Random
) -> Iterator[Certified]:
    """Read `[start, end]` with several requests under way, answered and taken in any order."""
    harvest = Harvest(start, end)
    sent: list[Request] = []
    answered: list[tuple[Request, Page]] = []
    most_pages = chance.randint(1, 100)
    while not harvest.is_done:
        while len(sent) + len(answered) < in_flight:
            request = harvest.next_request(most_pages)
            if request is None:
                break
            sent.append(request)
        if sent and (not answered or chance.random() < 0.5):
            request = sent.pop(chance.randrange(len(sent)))
            answered.append((request, api.fetch(request.window, request.page)))
        elif answered:
            harvest.receive(*answered.pop(chance.randrange(len(answered))))
        while (window := harvest.take()) is not None:
            yield window


def read_plainly(api: ModelApi) -> dict[str, int]:
    """Read as the usual page-number tap does: a load while rows change, and a quiet run after it.

    Returns:
        Key to the last `updatedAt` that was read.
    """
    emitted: dict[str, int] = {}
    bookmark = 0
    for _ in range(2):
        everything = Window(bookmark, 2**33)
        page = 1
        while rows := api.fetch(everything, page).rows:
            emitted |= {row.key[0]: row.updated for row in rows}
            page += 1
        bookmark = max(emitted.values(), default=0) // MICROSECONDS
        api.changes = 0.0
        api.pass_time(10)
    return emitted


@dataclasses.dataclass
class ModelTap:
    """The tap's way over the model: bookmark, windows, rows that are new.

    Attributes:
        emitted: Key to the last `updatedAt` emitted.
        messages: Every (key, updatedAt) emitted, in order.
    """

    api: ModelApi
    cooldown: int = 2
    overlap: int = 60
    start: int = 0
    in_flight: int = 1

    def __post_init__(self) -> None:
        self._chance = random.Random(self.api.seed)  # noqa: S311 - a model, not a secret
        self.emitted: dict[str, int] = {}
        self.messages: list[tuple[str, int]] = []
        self.state: dict[str, t.Any] = {}

    def run(self) -> None:
        for _ in self.steps():
            pass

    def catch_up(self) -> None:
        """Let changes end and time pass, and run once more."""
        self.api.changes = 0.0
        self.api.pass_time(10)
        self.run()

    def steps(self) -> Iterator[str | None]:
        """Run; yield the bookmark after each window, so that a test may stop anywhere."""
        bookmark = Bookmark.from_state(self.state, overlap_seconds=self.overlap, name="model")
        start = self.start if bookmark.start is None else bookmark.start
        end = self.api.now // MICROSECONDS - self.cooldown
        if end <= start:
            return
        for certified in read_together(
            self.api, start, end, in_flight=self.in_flight, chance=self._chance
        ):
            for row in bookmark.fresh(certified.rows):
                self.emitted[row.key[0]] = row.updated
                self.messages.append((row.key[0], row.updated))
            bookmark.advance(certified.window)
            self.state = bookmark.to_state("updatedAt")
            yield self.state["replication_key_value"]
