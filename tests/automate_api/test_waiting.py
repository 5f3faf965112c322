from __future__ import annotations

import threading
import time
import typing as t

import pytest

from automate_api.clock import SYSTEM_CLOCK
from automate_api.errors import StoppedError
from automate_api.pacing import Pacer

if t.TYPE_CHECKING:
    from support.clock import FakeClock


def test_a_wait_lasts_at_least_as_long_as_asked() -> None:
    begin = time.monotonic()
    SYSTEM_CLOCK.wait(0.15, threading.Event())
    assert time.monotonic() - begin >= 0.15


def test_a_stop_ends_a_wait_that_has_begun() -> None:
    stop = threading.Event()
    timer = threading.Timer(0.05, stop.set)
    timer.start()
    with pytest.raises(StoppedError):
        SYSTEM_CLOCK.wait(30, stop)
    timer.join()


@pytest.mark.parametrize("seconds", [30, 0, -1])
def test_a_stop_before_the_wait_ends_it_too(seconds: float) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        SYSTEM_CLOCK.wait(seconds, stop)


def test_places_are_an_interval_apart_and_a_quiet_time_saves_none_up(clock: FakeClock) -> None:
    pacer = Pacer(10, clock)
    assert [pacer.turn() for _ in range(3)] == pytest.approx([0, 0.1, 0.2])
    clock.pass_by(60)
    assert [pacer.turn() for _ in range(3)] == pytest.approx([0, 0.1, 0.2])


def test_a_shorter_pause_does_not_end_a_longer_one(clock: FakeClock) -> None:
    pacer = Pacer(10, clock)
    pacer.hold(30)
    pacer.hold(5)
    assert pacer.held() == pytest.approx(30)
    clock.pass_by(31)
    assert pacer.held() < 0
