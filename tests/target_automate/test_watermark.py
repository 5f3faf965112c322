"""A STATE is given out once, in order, and never before every record that it stands for."""

from __future__ import annotations

import threading
import typing as t

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from target_automate.running.watermark import NOTHING, Stretch, Watermark


class WatermarkMachine(RuleBasedStateMachine):
    """Against a list of what came and a set of what is not settled."""

    stretches: t.ClassVar[Bundle[tuple[int, Stretch]]] = Bundle("stretches")

    def __init__(self) -> None:
        super().__init__()
        self.watermark = Watermark()
        self.came: list[int | None] = []
        self.unsettled: set[int] = set()
        self.given = 0

    @rule(target=stretches)
    def record(self) -> tuple[int, Stretch]:
        place = len(self.came)
        self.came.append(None)
        self.unsettled.add(place)
        return place, self.watermark.take()

    @rule(taken=consumes(stretches))
    def settle(self, taken: tuple[int, Stretch]) -> None:
        place, stretch = taken
        self.unsettled.discard(place)
        self.watermark.settle(stretch)

    @rule()
    def state(self) -> None:
        self.came.append(len(self.came))
        self.watermark.state({"after": len(self.came) - 1})

    @rule(times=st.integers(1, 2))
    def ask(self, times: int) -> None:
        first = min(self.unsettled, default=len(self.came))
        may_pass = [place for place in self.came[self.given : first] if place is not None]
        wanted = {"after": may_pass[-1]} if may_pass else NOTHING
        for _ in range(times):
            assert self.watermark.passed() == wanted
            wanted = NOTHING
        if may_pass:
            self.given = may_pass[-1] + 1

    @invariant()
    def every_record_is_counted(self) -> None:
        assert self.given <= len(self.came)


TestWatermark = WatermarkMachine.TestCase


def test_any_json_value_is_a_state_also_null() -> None:
    watermark = Watermark()
    assert watermark.passed() is NOTHING
    watermark.state(None)
    assert watermark.passed() is None
    assert watermark.passed() is NOTHING


def test_records_may_be_settled_by_any_thread() -> None:
    watermark = Watermark()
    taken = [watermark.take() for _ in range(400)]
    watermark.state("after all")
    parts = [taken[start::4] for start in range(4)]

    def settle(part: list[Stretch]) -> None:
        for stretch in part:
            watermark.settle(stretch)

    threads = [threading.Thread(target=settle, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert watermark.passed() == "after all"
