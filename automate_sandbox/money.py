"""Money and quantities as exact decimals, never floats."""

from __future__ import annotations

import typing as t
from decimal import ROUND_HALF_UP, Decimal

import msgspec

CENT: t.Final = Decimal("0.01")
ZERO: t.Final = Decimal("0.00")

Record = dict[str, t.Any]
"""A JSON object of the API: numbers with a fraction are `Decimal`."""

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)


def cents(number: int) -> Decimal:
    """Make an amount from whole cents: 12345 is 123.45."""
    return Decimal(number).scaleb(-2)


def dollars(number: int) -> Decimal:
    """Make an amount from whole dollars: 25000 is 25000.00."""
    return Decimal(number * 100).scaleb(-2)


def round_cents(amount: Decimal) -> Decimal:
    """Round half up to the cent, as a deal's worksheet does."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def percent_of(rate: Decimal, amount: Decimal) -> Decimal:
    """Take `rate` percent of an amount, rounded to the cent."""
    return round_cents(rate * amount / 100)


def encode(value: object) -> bytes:
    """Write JSON; decimals become numbers with the digits they have."""
    return _encoder.encode(value)


def decode(body: bytes) -> t.Any:  # noqa: ANN401 - any JSON value
    """Read JSON; numbers with a fraction or exponent become decimals.

    Raises:
        msgspec.DecodeError: The text is no JSON.
    """
    return _decoder.decode(body)
