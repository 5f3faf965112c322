from __future__ import annotations

import threading
import time

import pytest

from automate_api.clock import SYSTEM_CLOCK
from automate_api.errors import StoppedError


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
