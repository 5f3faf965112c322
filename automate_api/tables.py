"""Tables for a person: on a terminal as wide as it is, in a file or pipe of a fixed width."""

from __future__ import annotations

import datetime as dt
import typing as t
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PLAIN_WIDTH: t.Final = 120
"""Columns of output that goes to a file or pipe, where there is no terminal to ask."""


def console(*, width: int = PLAIN_WIDTH, stderr: bool = False) -> Console:
    """Open standard output for tables, or standard error.

    Args:
        width: Columns where there is no terminal.
        stderr: Whether it is standard error: where standard output is for other programs.
    """
    found = Console(stderr=stderr)
    # Not `is_terminal`: colours may be forced upon a pipe, whose width is not that of a terminal.
    return found if found.file.isatty() else Console(stderr=stderr, width=width)


def table(columns: Sequence[str], rows: Iterable[Sequence[t.Any]]) -> Table:
    """Make a table; columns of numbers and ages stand to the right.

    Args:
        columns: Their heads.
        rows: Values of any type, as `format_value` writes them.
    """
    rows = list(rows)
    made = Table()
    for index, column in enumerate(columns):
        number = any(isinstance(row[index], (int, Decimal, dt.timedelta)) for row in rows)
        made.add_column(Text(column), justify="right" if number else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(format_value(value)) for value in row))
    return made


def format_value(value: object) -> str:
    """Write a value for a person: thousands apart, all digits, ages in their largest unit.

    Args:
        value: From a query.

    Returns:
        The text, on one line and without characters that steer a terminal; `-` for null.
    """
    match value:
        case None:
            return "-"
        case int() | Decimal():
            return f"{value:,}"
        case dt.datetime():
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
        case dt.timedelta():
            return _age(value)
    signs = (sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in str(value))
    return "".join(signs)


def _age(age: dt.timedelta) -> str:
    seconds = int(age.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= size:
            return f"{int(seconds / size)} {unit}"
    return f"{seconds} s"
