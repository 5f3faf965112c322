"""JSON whose numbers keep every digit: `Decimal` instead of binary fractions, both ways.

All of it may be used from any thread.
"""

from __future__ import annotations

import decimal
import typing as t

import msgspec

if t.TYPE_CHECKING:
    Type = t.TypeVar("Type")

_encoder: t.Final = msgspec.json.Encoder(decimal_format="number")

encode: t.Final = _encoder.encode
"""Writes a value, a `Decimal` as a number with the digits that it has."""

encode_into: t.Final = _encoder.encode_into
"""Writes a value into a buffer, as `encode` does."""

encode_lines: t.Final = _encoder.encode_lines
"""Writes each of many values on a line of its own, as `encode` does."""


def decoder(of: type[Type]) -> msgspec.json.Decoder[Type]:
    """Make what reads values of a type, numbers with a point or exponent as `Decimal`.

    Args:
        of: The type.
    """
    return msgspec.json.Decoder(of, float_hook=decimal.Decimal)


decode: t.Final[t.Callable[[bytes | str], t.Any]] = msgspec.json.Decoder(
    float_hook=decimal.Decimal
).decode
"""Reads any value, numbers with a point or exponent as `Decimal`.

Raises `msgspec.DecodeError` for what is no JSON, `UnicodeError` for what is no UTF-8, and
`ArithmeticError` for an exponent that no `Decimal` has.
"""
