"""Whatever happens in whatever order between two requests, a quiet run leaves nothing out."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.model import BASE, BOUNDS, ORDERS, ModelApi, ModelTap

from tap_automate.bookmark import Bookmark
from tap_automate.reading.harvest import Harvest
from tap_automate.reading.windows import MICROSECONDS, UncertifiableError

if t.TYPE_CHECKING:
    from tap_automate.reading.harvest import Request
    from tap_automate.reading.windows import Page

picks = st.integers(0, 10**6)
"""Which of what there is, by its place."""


class Extraction(RuleBasedStateMachine):
    """A DMS whose rows change, and a run over it that asks, waits, emits, and is killed."""

    @initialize(
        seed=st.integers(0, 10**6),
        size=st.integers(0, 60),
        page_size=st.integers(1, 8),
        order=st.sampled_from(ORDERS),
        bounds=st.sampled_from(BOUNDS),
        granularity=st.sampled_from([1, 1_000, MICROSECONDS]),
        span_seconds=st.sampled_from([5, 600, 86_400]),
    )
    def begin(self, **options: t.Any) -> None:  # noqa: ANN401 - the model's own
        self.api = ModelApi(**options)
        self.tap = ModelTap(self.api, start=BASE // MICROSECONDS - 90_000)
        self.harvest: Harvest | None = None
        self.marks: list[str] = []

    @rule(pick=picks)
    def change(self, pick: int) -> None:
        if self.api.rows:
            self.api.write(sorted(self.api.rows)[pick % len(self.api.rows)], self.api.now)

    @rule(rows=st.integers(1, 12))
    def insert(self, rows: int) -> None:
        for _ in range(rows):
            self.api.insert()

    @rule(pick=picks)
    def delete(self, pick: int) -> None:
        if self.api.rows:
            self.api.delete(sorted(self.api.rows)[pick % len(self.api.rows)])

    @rule(seconds=st.integers(1, 200))
    def pass_time(self, seconds: int) -> None:
        self.api.pass_time(seconds)

    @precondition(lambda self: self.harvest is None)
    @rule()
    def start(self) -> None:
        """Start a run from the state that the last one left."""
        self.bookmark = Bookmark.from_state(self.tap.state, overlap_seconds=60, name="model")
        start = self.tap.start if self.bookmark.start is None else self.bookmark.start
        self.harvest = Harvest(start, self.api.now // MICROSECONDS - self.tap.cooldown)
        self.asked: list[Request] = []
        self.answered: list[tuple[Request, Page]] = []

    @precondition(lambda self: self.harvest is not None)
    @rule(requests=st.integers(1, 8), most_pages=st.integers(1, 100))
    def ask(self, requests: int, most_pages: int) -> None:
        assert self.harvest is not None
        for _ in range(requests):
            request = self.harvest.next_request(most_pages)
            if request is not None:
                self.asked.append(request)

    @precondition(lambda self: self.harvest is not None and self.asked)
    @rule(pick=picks)
    def answer(self, pick: int) -> None:
        """Have the server make an answer, which may arrive much later."""
        request = self.asked.pop(pick % len(self.asked))
        self.answered.append((request, self.api.fetch(request.window, request.page)))

    @precondition(lambda self: self.harvest is not None and self.answered)
    @rule(pick=picks)
    def arrive(self, pick: int) -> None:
        assert self.harvest is not None
        self.harvest.receive(*self.answered.pop(pick % len(self.answered)))
        self.take()

    @precondition(lambda self: self.harvest is not None)
    @rule()
    def finish(self) -> None:
        """Bring the run to its end, or to where it has to give up."""
        for _ in range(100_000):
            harvest = self.harvest
            if harvest is None:
                return
            request = harvest.next_request(1)
            if request is not None:
                self.asked.append(request)
            if self.asked:
                self.answer(0)
            if self.answered:
                self.arrive(0)
        pytest.fail("the run does not end")

    @precondition(lambda self: self.harvest is not None)
    @rule()
    def kill(self) -> None:
        self.harvest = None

    def take(self) -> None:
        assert self.harvest is not None
        try:
            while (window := self.harvest.take()) is not None:
                for row in self.bookmark.fresh(window.rows):
                    self.tap.emitted[row.key[0]] = row.updated
                self.bookmark.advance(window.window)
                self.tap.state = self.bookmark.to_state("updatedAt")
                self.marks.append(self.tap.state["replication_key_value"])
        except UncertifiableError:
            self.harvest = None
            return
        if self.harvest.is_done:
            self.harvest = None

    @invariant()
    def the_bookmark_never_moves_back(self) -> None:
        assert self.marks == sorted(self.marks)

    def teardown(self) -> None:
        if hasattr(self, "tap"):
            self.tap.catch_up()
            emitted = {key: self.tap.emitted.get(key) for key in self.api.rows}
            assert emitted == self.api.rows


class LongExtraction(Extraction):
    """The same for longer."""


Extraction.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestExtraction = Extraction.TestCase

LongExtraction.TestCase.settings = settings(
    max_examples=600, stateful_step_count=100, deadline=None
)
TestLongExtraction = pytest.mark.slow(LongExtraction.TestCase)
