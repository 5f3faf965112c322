from __future__ import annotations

import threading

import pytest

from automate_api.errors import StoppedError
from tap_automate.waiting import awaited


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
