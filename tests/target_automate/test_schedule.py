"""The order of work: per record as writes came, what makes it first; customers before deals."""

from __future__ import annotations

import typing as t

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from target_automate.journal.intents import Brief, State
from target_automate.running.schedule import Item, Schedule

RANKS: t.Final = {"customers": 0, "deals": 1, "service_appointments": 2, "deal_statuses": 4}


def item(number: int, object_name: str = "customers", lane: bytes = b"k") -> Item:
    brief = Brief(number, object_name, b"%d" % number, lane, State.PLANNED)
    return Item(RANKS[object_name], number, brief, object_name != "deal_statuses")


def lane(one: Item) -> bytes:
    return one.brief.lane


def drained(schedule: Schedule) -> list[int]:
    """Work through whatever may be worked on, in the schedule's order."""
    order = []
    while (taken := schedule.take(0.0)) is not None:
        order.append(taken.id)
        schedule.done(taken)
    return order


class ScheduleMachine(RuleBasedStateMachine):
    """Against lists that are searched from the start each time."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule = Schedule()
        self.now = 0.0
        self.last = 0
        self.there: list[Item] = []
        """Whatever is not done, in the order in which it came."""
        self.turn: dict[bytes, Item] = {}
        """Whose turn it is in each lane."""
        self.in_work: list[Item] = []
        self.until: dict[Item, float] = {}
        self.waiting: set[Item] = set()
        self.left: set[bytes] = set()

    def of(self, one: Item) -> list[Item]:
        """List what else is in the lane of an item: what makes the record, then by age."""
        others = [other for other in self.there if lane(other) == lane(one) and other != one]
        return sorted(others, key=lambda other: (not other.founds, other.id))

    def heads(self) -> list[Item]:
        """What may be given out: whose turn it is in each lane, if nothing holds it."""
        return sorted(
            one
            for one in self.turn.values()
            if one not in self.in_work
            and one not in self.waiting
            and self.until.get(one, 0.0) <= self.now
            and lane(one) not in self.left
        )

    def give_way(self, one: Item) -> None:
        """Have what waits give its turn to what makes the record that it waits for."""
        if one in self.waiting and not one.founds and (others := self.of(one)) and others[0].founds:
            self.waiting.remove(one)
            self.turn[lane(one)] = others[0]

    @rule(object_name=st.sampled_from(sorted(RANKS)), key=st.sampled_from([b"1", b"2"]))
    def add(self, object_name: str, key: bytes) -> None:
        self.last += 1
        one = item(self.last, object_name, key)
        self.there.append(one)
        self.give_way(self.turn.setdefault(key, one))
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
        del self.turn[lane(one)]
        if others := self.of(one):
            self.turn[lane(one)] = others[0]
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
        self.give_way(one)
        self.schedule.wait(one)

    @precondition(lambda self: self.in_work)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        one = self._back(data)
        self.left.add(lane(one))
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
            assert self.schedule.behind(one) == self.of(one)

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
    assert drained(schedule) == [2, 5, 1, 4, 0, 3]


def test_what_comes_late_with_a_lower_id_goes_first_in_its_lane() -> None:
    """An intent of an earlier run is handed in again while a later one of its key is at work."""
    schedule = Schedule()
    for number in (5, 7, 6):
        schedule.add(item(number))
    assert drained(schedule) == [5, 6, 7]


def test_what_makes_a_record_goes_ahead_of_the_changes_that_came_before_it() -> None:
    schedule = Schedule()
    busy = item(1, "deals")
    schedule.add(busy)
    assert schedule.take(0.0) == busy
    for number, name in enumerate(["deal_statuses", "deal_statuses", "deals"], start=2):
        schedule.add(item(number, name))
    schedule.done(busy)
    assert drained(schedule) == [4, 2, 3]


def test_a_change_that_waits_lets_what_makes_its_record_pass_and_goes_behind_it() -> None:
    schedule = Schedule()
    for number in (1, 2):
        schedule.add(item(number, "deal_statuses"))
    waits = schedule.take(0.0)
    assert waits is not None
    schedule.wait(waits)
    assert schedule.take(0.0) is None
    schedule.add(item(3, "deals"))
    assert schedule.waiting() == []
    assert drained(schedule) == [3, 1, 2]


def test_what_makes_a_record_and_waits_itself_gives_no_change_its_turn() -> None:
    schedule = Schedule()
    schedule.add(item(1, "deals"))
    schedule.add(item(2, "deal_statuses"))
    founder = schedule.take(0.0)
    assert founder is not None
    schedule.wait(founder)
    assert schedule.take(0.0) is None
    assert [one.id for one in schedule.behind(founder)] == [2]
    assert schedule.wake(1)
    assert drained(schedule) == [1, 2]
