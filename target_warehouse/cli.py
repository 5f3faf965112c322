"""`automate-dms warehouse`: what a person does with the DuckDB file."""

from __future__ import annotations

import datetime as dt
import typing as t
from decimal import Decimal
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from target_warehouse.database import connect
from target_warehouse.show import Inspection

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DEFAULT_FILE: t.Final = "output/warehouse.duckdb"
PLAIN_WIDTH: t.Final = 120
"""Columns of output that goes to a file or pipe, where there is no terminal to ask."""


@click.group()
def warehouse() -> None:
    """Look at the DuckDB warehouse."""


@warehouse.command()
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_FILE)
@click.option("--schema", default="main", show_default=True, help="The schema with the tables.")
def show(file: Path, schema: str) -> None:
    """Print rows per table, how fresh they are, and a few answers from FILE."""
    now = dt.datetime.now(tz=dt.UTC)
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    connection = connect(file, read_only=True)
    try:
        inspection = Inspection(connection, file, schema)
        tables = inspection.tables()
        answers = inspection.answers(now.date())
    finally:
        connection.close()
    if tables:
        ages = [table.newest and now - table.newest for table in tables]
        rows = [
            (table.name, table.rows, table.newest, age)
            for table, age in zip(tables, ages, strict=True)
        ]
        console.print(_table(("table", "rows", "newest row", "age"), rows))
    else:
        console.print(Text(f"There are no tables in schema {schema!r}"))
    for answer in answers:
        console.print(Text(f"\n{answer.title}", style="bold"))
        console.print(_table(answer.columns, answer.rows))
    if tables and not answers:
        text = "Questions are asked of the tables of tap-automate with `column_names: as_is`."
        console.print(Text(f"\n{text}"), soft_wrap=True)
    if tables and not any(table.rows for table in tables):
        text = (
            "Every table is empty. Where the tap has bookmarks of rows that another file got, "
            "load once with `meltano run --full-refresh`, or without the tap's state."
        )
        console.print(Text(f"\n{text}"), soft_wrap=True)
    console.print(Text(f"\nFile: {file}"), soft_wrap=True)


def _table(columns: Sequence[str], rows: Iterable[Sequence[t.Any]]) -> Table:
    rows = list(rows)
    table = Table()
    for index, column in enumerate(columns):
        number = any(isinstance(row[index], (int, Decimal, dt.timedelta)) for row in rows)
        table.add_column(Text(column), justify="right" if number else "left")
    for row in rows:
        table.add_row(*(Text(format_value(value)) for value in row))
    return table


def format_value(value: object) -> str:
    """Write a value for a person: thousands apart, all digits, ages in their largest unit.

    Args:
        value: From a query.

    Returns:
        The text; `-` for null.
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
    return str(value)


def _age(age: dt.timedelta) -> str:
    seconds = int(age.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= size:
            return f"{int(seconds / size)} {unit}"
    return f"{seconds} s"
