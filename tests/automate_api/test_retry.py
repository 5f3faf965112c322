from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automate_api import retry
from automate_api.retry import Trouble


@settings(deadline=None)
@given(
    trouble=st.sampled_from(list(Trouble)),
    attempt=st.integers(min_value=1, max_value=10_000),
    asked=st.none() | st.floats(min_value=0, max_value=86_400),
    chance=st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_retry_after_is_never_undercut_and_jitter_is_bounded(
    trouble: Trouble, attempt: int, asked: float | None, chance: float
) -> None:
    delay = retry.delay(trouble, attempt, asked, chance)
    if delay is None:
        assert attempt >= retry.ATTEMPTS[trouble]
    else:
        assert (asked or 0.0) <= delay <= (asked or 0.0) + retry.CAP_SECONDS


def test_delays_grow_with_the_attempts_and_use_the_whole_range() -> None:
    longest = [retry.delay(Trouble.THROTTLED, n, None, 1.0) for n in range(1, 10)]
    assert longest == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert retry.delay(Trouble.THROTTLED, 9, None, 0.0) == 0.0


@pytest.mark.parametrize("trouble", [each for each in Trouble if each is not Trouble.THROTTLED])
def test_every_trouble_but_throttling_ends(trouble: Trouble) -> None:
    attempts = next(n for n in range(1, 100) if retry.delay(trouble, n, 1.0, 0.5) is None)
    assert 3 <= attempts <= 8


def test_answers_that_will_not_change_are_not_repeated() -> None:
    assert set(retry.STATUSES) == {429, 500, 502, 503, 504}
