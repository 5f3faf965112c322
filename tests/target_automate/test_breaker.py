"""An object that fails whatever is sent is left alone, and the others go on."""

from __future__ import annotations

import pytest
from support.clock import FakeClock

from automate_api.errors import RequestRefusedError
from target_automate.sending.breaker import FAILURES, LONGEST_PAUSE_SECONDS, Breaker


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def fail(breaker: Breaker, times: int, object_name: str = "deals") -> None:
    for _ in range(times):
        breaker.failed(object_name)


def test_so_many_failures_in_a_row_pause_the_object_and_no_other(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    fail(breaker, FAILURES - 1)
    assert breaker.pause("deals") == 0
    fail(breaker, 1)
    assert breaker.pause("deals") == 1
    assert breaker.pause("customers") == 0
    clock.pass_by(1)
    assert breaker.pause("deals") == 0


def test_an_answer_between_them_starts_the_count_anew(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    fail(breaker, FAILURES - 1)
    breaker.succeeded("deals")
    fail(breaker, FAILURES - 1)
    assert breaker.pause("deals") == 0


def test_pauses_double_up_to_a_minute_and_start_small_after_an_answer(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    fail(breaker, FAILURES - 1)
    pauses = []
    for _ in range(8):
        fail(breaker, 1)
        pauses.append(breaker.pause("deals"))
        clock.pass_by(pauses[-1])
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    breaker.succeeded("deals")
    fail(breaker, FAILURES)
    assert breaker.pause("deals") == 1


def test_requests_that_fail_together_are_one_pause(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    fail(breaker, FAILURES + 31)
    assert breaker.pause("deals") == 1


def test_an_object_that_is_closed_stays_so_with_its_first_error(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    first, second = (RequestRefusedError(text, status=403) for text in ("first", "second"))
    breaker.close("deals", first)
    breaker.close("deals", second)
    breaker.succeeded("deals")
    clock.pass_by(1000)
    assert breaker.closed_for("deals") is first
    assert breaker.closed_for("customers") is None
    assert breaker.errors() == [first]
