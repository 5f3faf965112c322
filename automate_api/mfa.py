"""Time-based one-time codes (RFC 6238): which code may be submitted, and when.

The DMS accepts a code once, and every refused login brings a lock-out nearer. So a step (30 seconds
of the server's time) is used at most once by all processes together, and never where the two clocks
might disagree about which step it is.
"""

from __future__ import annotations

import base64
import binascii
import math
import typing as t

import pyotp

STEP_SECONDS: t.Final = 30
TAIL_SECONDS: t.Final = 3
"""A code sent in the last seconds of its step may arrive in the next one."""
HEAD_SECONDS: t.Final = 1
"""`Date` has whole seconds, so the server's step may begin up to a second later than it seems."""
EDGE_SECONDS: t.Final = TAIL_SECONDS + HEAD_SECONDS
"""The longest wait between two steps when the last code was not used."""
_KEY_BYTES: t.Final = 20


def usable_step(server_time: float, last_step: int | None) -> tuple[int, float]:
    """Choose the step whose code is submitted next.

    Args:
        server_time: Seconds since 1970 by the server's clock.
        last_step: The last step that any process submitted, None when there was none.

    Returns:
        The step, always above `last_step`, and the seconds to wait before its code is sent.
    """
    step = math.floor(server_time / STEP_SECONDS)
    if (step + 1) * STEP_SECONDS - server_time < TAIL_SECONDS:
        step += 1
    if last_step is not None:
        step = max(step, last_step + 1)
    return step, max(0.0, step * STEP_SECONDS + HEAD_SECONDS - server_time)


class Totp:
    """The codes of one secret.

    Args:
        secret: Base32, as the DMS showed it at enrolment; spaces, dashes and case do not matter.

    Raises:
        ValueError: When the secret is not base32.
    """

    def __init__(self, secret: str) -> None:
        text = secret.replace(" ", "").replace("-", "").rstrip("=").upper()
        try:
            key = base64.b32decode(text + "=" * (-len(text) % 8))
        except binascii.Error as error:
            msg = "not a base32 secret"
            raise ValueError(msg) from error
        if not key:
            msg = "an empty secret"
            raise ValueError(msg)
        # Many issuers still hand out 80 bits, which pyotp refuses. HMAC pads a short key with
        # zero bytes (RFC 2104), so doing it here gives the same codes.
        padded = base64.b32encode(key.ljust(_KEY_BYTES, b"\0")).decode()
        self._otp = pyotp.TOTP(padded, interval=STEP_SECONDS)

    def code(self, step: int) -> str:
        """Make the six digits of a step (the number of 30-second steps since 1970)."""
        return self._otp.generate_otp(step)
