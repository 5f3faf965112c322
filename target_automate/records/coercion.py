"""Values as other systems write them -> values as the API takes them, where nothing is lost by it.

Sources differ: CSV has only text, databases have whole numbers for flags, `numeric` and timestamps,
and Singer targets of the SDK hand over Python's own dates. Each function takes any such value and
returns the API's, or None for what says nothing: null, and text without a character that shows,
with which many systems write null.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import types
import typing as t
from decimal import Decimal

import msgspec

from automate_api.exact_json import decode

StructureT = t.TypeVar("StructureT", dict[str, t.Any], list[t.Any])

_NUMBER: t.Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_GREATEST: t.Final = Decimal(10**38)
"""As many digits as databases give a number; beyond, it is a mistake."""

_FLAGS: t.Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_MIDNIGHT: t.Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?", re.ASCII
)
_INSTANT: t.Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})", re.ASCII
)

_KINDS: t.Final[tuple[tuple[type | types.UnionType, str], ...]] = (
    (types.NoneType, "null"),
    (bool, "a boolean"),
    (str, "text"),
    (int | float | Decimal, "a number"),
    (dict, "an object"),
    (list, "an array"),
    (dt.datetime, "a date and time"),
    (dt.date, "a date"),
)
"""In the order in which Python's types contain each other, the narrow ones first."""


class UnfitError(Exception):
    """A value that cannot be taken; the message says what was expected and what kind came."""

    def __init__(self, expected: str, value: object) -> None:
        """Say what was expected; of the value only its JSON type is kept."""
        super().__init__(f"expected {expected}, got {kind(value)}")


def kind(value: object) -> str:
    """Name a value's JSON type, with its article."""
    return next(
        (name for kinds, name in _KINDS if isinstance(value, kinds)),
        "another type",
    )


def text(value: object) -> str | None:
    """Take text as it is, and whole numbers: a key that a database holds as one.

    Numbers with a point are refused, since text such as `100.0` and `100` would differ.

    Raises:
        UnfitError: It is neither, or text that cannot be written in UTF-8.
    """
    if isinstance(value, str):
        if not value or value.isspace():
            return None
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                msg = "text of whole characters"
                raise UnfitError(msg, value) from error
        return value
    if isinstance(value, Decimal) and value.is_finite() and value.as_tuple().exponent == 0:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _GREATEST:
        return str(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    msg = "text"
    raise UnfitError(msg, value)


def number(value: object) -> int | Decimal | None:
    """Take a number, or one as text in plain or scientific notation with a decimal point.

    Returns:
        It exactly; a float as the shortest decimal that means it.

    Raises:
        UnfitError: It is none, has more than 38 digits before the point, or is not finite.
    """
    found: int | Decimal
    if isinstance(value, str):
        if not value.strip():
            return None
        if not _NUMBER.fullmatch(value.strip()):
            msg = "a number"
            raise UnfitError(msg, value)
        found = Decimal(value.strip())
    elif isinstance(value, float):
        found = Decimal(repr(value))
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        found = value
    else:
        msg = "a number"
        raise UnfitError(msg, value)
    if isinstance(found, Decimal) and not found.is_finite():
        msg = "a finite number"
        raise UnfitError(msg, value)
    if not -_GREATEST < found < _GREATEST:
        msg = "a number of at most 38 digits"
        raise UnfitError(msg, value)
    return found


def integer(value: object) -> int | None:
    """Take a whole number, also one written as `60.0` or as text.

    Raises:
        UnfitError: It is none.
    """
    found = number(value)
    if isinstance(found, Decimal):
        if found != found.to_integral_value():
            msg = "a whole number"
            raise UnfitError(msg, value)
        return int(found)
    return found


def boolean(value: object) -> bool | None:
    """Take true and false, 1 and 0, and text for them: `true`, `t`, `1` and their opposites.

    Raises:
        UnfitError: It is none of them.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and not value.strip():
        return None
    found = None
    if isinstance(value, str):
        found = _FLAGS.get(value.strip().lower())
    elif isinstance(value, int | float) or (isinstance(value, Decimal) and value.is_finite()):
        found = bool(value) if value in {0, 1} else None
    if found is None:
        msg = "a boolean"
        raise UnfitError(msg, value)
    return found


def date(value: object) -> str | None:
    """Take a date, and a midnight as the date that it is written with.

    Returns:
        `2026-02-03`.

    Raises:
        UnfitError: It is none, or a time of day other than midnight would be lost.
    """
    msg = "a date such as 2026-02-03"
    if not isinstance(value, str | dt.date):
        raise UnfitError(msg, value)
    written = text(value)
    if written is None:
        return None
    midnight = _MIDNIGHT.fullmatch(written)
    try:
        return dt.date.fromisoformat(midnight[1] if midnight else written).isoformat()
    except ValueError as error:
        raise UnfitError(msg, value) from error


def instant(value: object) -> str | None:
    """Take a time with its UTC offset in any form of ISO 8601, the one of databases included.

    Returns:
        As RFC 3339 has it, `2026-02-03T09:30:00-05:00`: with the offset that it came with.

    Raises:
        UnfitError: It is none, has no offset, or lies outside of the years 1 to 9999 in UTC.
    """
    msg = "a date and time with UTC offset such as 2026-02-03T09:30:00-05:00"
    if not isinstance(value, str | dt.date):
        raise UnfitError(msg, value)
    written = text(value)
    if written is None:
        return None
    try:
        found = dt.datetime.fromisoformat(written)
        if found.tzinfo is None:
            raise UnfitError(msg, value)
        found.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise UnfitError(msg, value) from error
    written = written if _INSTANT.fullmatch(written) else found.isoformat()
    if not _INSTANT.fullmatch(written):
        raise UnfitError(msg, value)
    return written


def mapping(value: object) -> dict[str, t.Any] | None:
    """Take an object, or one as JSON text.

    Raises:
        UnfitError: It is none.
    """
    return _structure(value, dict, "an object")


def array(value: object) -> list[t.Any] | None:
    """Take an array, or one as JSON text.

    Raises:
        UnfitError: It is none.
    """
    return _structure(value, list, "an array")


def _structure(value: object, kind: type[StructureT], expected: str) -> StructureT | None:
    found = value
    if isinstance(value, str):
        if not value.strip():
            return None
        with contextlib.suppress(msgspec.DecodeError, ValueError, ArithmeticError, RecursionError):
            found = decode(value)
    if found is None or isinstance(found, kind):
        return found
    raise UnfitError(expected, value)
