"""The order of work: per key as records came, customers before deals before appointments."""

from __future__ import annotations

import typing as t

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from target_automate.schedule import Item, Schedule

RANKS: t.Final = {"customers": 0, "deals": 1, "service_appointments": 2}


def item(number: int, object_name: str = "customers", key: bytes = b"k") -> Item:
    return Item(RANKS[object_name], number, (object_name, key))


class ScheduleMachine(RuleBasedStateMachine):
    """Against lists that are searched from the start each time."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule = Schedule()
        self.now = 0.0
        self.last = 0
        self.there: list[Item] = []
        """Whatever is not done, in the order in which it came."""
        self.in_work: list[Item] = []
        self.until: dict[Item, float] = {}
        self.waiting: set[Item] = set()
        self.left: set[tuple[str, bytes]] = set()

    def heads(self) -> list[Item]:
        """What may be given out: the first of each lane, if nothing holds it."""
        first: dict[tuple[str, bytes], Item] = {}
        for one in self.there:
            first.setdefault(one.lane, one)
        return sorted(
            one
            for one in first.values()
            if one not in self.in_work
            and one not in self.waiting
            and self.until.get(one, 0.0) <= self.now
            and one.lane not in self.left
        )

    @rule(object_name=st.sampled_from(sorted(RANKS)), key=st.sampled_from([b"1", b"2"]))
    def add(self, object_name: str, key: bytes) -> None:
        self.last += 1
        one = item(self.last, object_name, key)
        self.there.append(one)
        self.schedule.add(one)

    @rule()
    def take(self) -> None:
        heads = self.heads()
        taken = self.schedule.take(self.now)
        assert taken == (heads[0] if heads else None)
        if taken is not None:
            self.until.pop(taken, None)
            self.in_work.append(taken)

    @precondition(lambda self: self.in_work)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        one = self._back(data)
        self.there.remove(one)
        self.schedule.done(one)

    @precondition(lambda self: self.in_work)
    @rule(data=st.data(), seconds=st.integers(0, 5))
    def put_off(self, data: st.DataObject, seconds: int) -> None:
        one = self._back(data)
        self.until[one] = self.now + seconds
        self.schedule.put_off(one, self.now + seconds)

    @precondition(lambda self: self.in_work)
    @rule(data=st.data())
    def wait(self, data: st.DataObject) -> None:
        one = self._back(data)
        self.waiting.add(one)
        self.schedule.wait(one)

    @precondition(lambda self: self.in_work)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        one = self._back(data)
        self.left.add(one.lane)
        self.schedule.leave(one)

    @precondition(lambda self: self.last)
    @rule(data=st.data())
    def wake(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, self.last))
        woken = {one for one in self.waiting if one.id == number}
        assert self.schedule.wake(number) is bool(woken)
        self.waiting -= woken

    @rule(seconds=st.integers(1, 4))
    def pass_by(self, seconds: int) -> None:
        assume(self.now < 50)
        self.now += seconds

    @invariant()
    def what_waits_is_listed_with_what_is_behind_it(self) -> None:
        assert self.schedule.waiting() == sorted(self.waiting)
        for one in self.waiting:
            behind = [other for other in self.there if other.lane == one.lane and other != one]
            assert self.schedule.behind(one) == behind

    @invariant()
    def it_is_at_rest_when_nothing_but_waiting_is_left(self) -> None:
        assert self.schedule.is_at_rest is not (
            self.heads() or self.in_work or any(one in self.until for one in self.there)
        )

    @invariant()
    def the_next_time_is_that_of_the_first_that_is_due(self) -> None:
        # What was due at the last `take` is ready, and no longer put off.
        later = [until for until in self.until.values() if until > self.now]
        due = self.schedule.next_due
        assert due == min(later, default=None) or due in self.until.values()

    def _back(self, data: st.DataObject) -> Item:
        one = data.draw(st.sampled_from(self.in_work))
        self.in_work.remove(one)
        return one


TestSchedule = ScheduleMachine.TestCase


def test_customers_go_before_deals_and_these_before_appointments_whatever_came_first() -> None:
    schedule = Schedule()
    for number, name in enumerate(["service_appointments", "deals", "customers"] * 2):
        schedule.add(item(number, name, bytes([number])))
    order = []
    while (taken := schedule.take(0.0)) is not None:
        order.append(taken.id)
        schedule.done(taken)
    assert order == [2, 5, 1, 4, 0, 3]


def test_what_comes_late_with_a_lower_id_goes_first_in_its_lane() -> None:
    """An intent of an earlier run is handed in again while a later one of its key is at work."""
    schedule = Schedule()
    for number in (5, 7, 6):
        schedule.add(item(number))
    order = []
    while (taken := schedule.take(0.0)) is not None:
        order.append(taken.id)
        schedule.done(taken)
    assert order == [5, 6, 7]
