from __future__ import annotations

import functools
import threading

import pytest

from automate_api.errors import StoppedError
from tap_automate.waiting import awaited, each


def test_what_a_call_returns_or_raises_comes_through() -> None:
    stop = threading.Event()
    assert awaited(lambda: 7, stop) == 7
    assert awaited(lambda: None, stop) is None
    with pytest.raises(ZeroDivisionError):
        awaited(lambda: 1 // 0, stop)


def test_a_call_that_takes_long_is_left_when_the_run_stops() -> None:
    stop, begun, leave = threading.Event(), threading.Event(), threading.Event()
    returned = threading.Event()

    def long() -> None:
        begun.set()
        leave.wait(60)
        returned.set()

    def stop_it() -> None:
        begun.wait(60)
        stop.set()

    threading.Thread(target=stop_it, daemon=True).start()
    with pytest.raises(StoppedError):
        awaited(long, stop)
    assert not returned.is_set()
    leave.set()
    assert returned.wait(60)


def test_nothing_is_awaited_once_the_run_stops() -> None:
    stop, leave = threading.Event(), threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        awaited(lambda: leave.wait(60), stop)
    leave.set()


def test_calls_are_made_several_at_a_time_and_all_of_them() -> None:
    together = threading.Barrier(3, timeout=30)
    made: list[int] = []

    def call(number: int) -> None:
        together.wait()
        made.append(number)

    calls: list[functools.partial[None]] = [functools.partial(call, n) for n in range(9)]
    each(calls, threads=3, stop=threading.Event(), name="call")
    assert sorted(made) == list(range(9))
    each([], threads=3, stop=threading.Event(), name="call")


def test_an_error_of_a_call_is_raised_and_no_further_call_is_begun() -> None:
    begun: list[int] = []

    def call(number: int) -> None:
        begun.append(number)
        if number == 2:
            raise ValueError(number)

    calls = [functools.partial(call, number) for number in range(100)]
    with pytest.raises(ValueError, match="2"):
        each(calls, threads=1, stop=threading.Event(), name="call")
    assert begun == [0, 1, 2]


def test_calls_that_do_not_end_are_left_to_themselves_when_the_run_stops() -> None:
    stop, held = threading.Event(), threading.Event()

    def call() -> None:
        stop.set()
        held.wait(60)

    begun: list[int] = []
    with pytest.raises(StoppedError):
        each([call, lambda: begun.append(1)], threads=1, stop=stop, name="call")
    held.set()
    assert begun == []
