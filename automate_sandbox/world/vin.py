"""Vehicle identification numbers with a valid check digit (49 CFR 565.15)."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import random

LETTERS: t.Final = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
"""What a VIN may hold: no I, O and Q."""

WEIGHTS: t.Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
VALUES: t.Final = dict(
    zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True)
) | {str(digit): digit for digit in range(10)}
YEARS: t.Final = "ABCDEFGHJKLMNPRSTVWXY123456789"
"""Code of a model year; A is 1980 and, 30 years later, 2010."""

CHECK_POSITION: t.Final = 8


def check_digit(vin: str) -> str:
    """Compute the ninth character of a VIN from the other sixteen."""
    remainder = (
        sum(VALUES[letter] * weight for letter, weight in zip(vin, WEIGHTS, strict=True)) % 11
    )
    return "0123456789X"[remainder]


def make_vin(rng: random.Random, maker: str, year: int, serial: int) -> str:
    """Make a VIN that no other serial number shares.

    Args:
        rng: Chooses the descriptor section.
        maker: World manufacturer identifier, three characters.
        year: Model year.
        serial: Below a million a plain serial number; above, the plant's letter counts on.
    """
    descriptor = "".join(rng.choices(LETTERS, k=5))
    plant = LETTERS[serial // 1_000_000 % len(LETTERS)]
    vin = f"{maker}{descriptor}0{YEARS[(year - 1980) % 30]}{plant}{serial % 1_000_000:06d}"
    return vin[:CHECK_POSITION] + check_digit(vin) + vin[CHECK_POSITION + 1 :]
