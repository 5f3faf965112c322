from __future__ import annotations

import base64
import hashlib
import hmac
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automate_api.mfa import (
    EDGE_SECONDS,
    HEAD_SECONDS,
    STEP_SECONDS,
    TAIL_SECONDS,
    Totp,
    usable_step,
)

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("instant", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_are_those_of_rfc_6238(instant: int, code: str) -> None:
    assert Totp(RFC_SECRET).code(instant // STEP_SECONDS) == code


def test_a_secret_of_80_bits_gives_the_codes_of_the_rfc() -> None:
    key = b"0123456789"
    digest = hmac.new(key, struct.pack(">Q", 59_000_000), hashlib.sha1).digest()
    offset = digest[-1] & 0xF
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    assert Totp(base64.b32encode(key).decode()).code(59_000_000) == f"{number % 10**6:06d}"


def test_spaces_dashes_and_case_of_a_secret_do_not_matter() -> None:
    assert Totp("gezd gnbv-GY3T QOJQ gezd gnbv gy3t qojq").code(1) == Totp(RFC_SECRET).code(1)


@pytest.mark.parametrize("secret", ["", "not base32!", "01189998819991197253", "A"])
def test_a_text_that_is_no_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        Totp(secret)


@settings(deadline=None)
@given(
    now=st.floats(min_value=1.6e9, max_value=2.1e9),
    last=st.none() | st.integers(min_value=-3, max_value=3),
)
def test_a_code_is_sent_well_inside_a_step_that_nobody_used(now: float, last: int | None) -> None:
    last_step = None if last is None else int(now // STEP_SECONDS) + last
    step, wait = usable_step(now, last_step)
    assert last_step is None or step > last_step
    assert wait >= 0
    into_step = now + wait - step * STEP_SECONDS
    assert HEAD_SECONDS - 1e-3 <= into_step <= STEP_SECONDS - TAIL_SECONDS + 1e-3


@settings(deadline=None)
@given(now=st.floats(min_value=1.6e9, max_value=2.1e9))
def test_nobody_waits_in_the_middle_of_a_fresh_step(now: float) -> None:
    into_step = now % STEP_SECONDS
    _, wait = usable_step(now, None)
    if HEAD_SECONDS <= into_step <= STEP_SECONDS - TAIL_SECONDS:
        assert wait == 0
    else:
        assert 0 < wait <= EDGE_SECONDS
