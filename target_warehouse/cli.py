"""`automate-dms warehouse`: what a person does with the DuckDB file."""

from __future__ import annotations

import datetime as dt
import typing as t
from pathlib import Path

import click
from rich.text import Text

from automate_api.tables import console, table
from target_warehouse import fresh_tables
from target_warehouse.database import connect
from target_warehouse.show import Inspection

if t.TYPE_CHECKING:
    from decimal import Decimal

    from target_warehouse.freshness import Delay

DEFAULT_FILE: t.Final = "output/warehouse.duckdb"
FRESHNESS: t.Final = (
    "table",
    "newest change",
    "age",
    "age of load",
    "loads",
    "rows",
    "median delay",
    "worst delay",
)


@click.group()
def warehouse() -> None:
    """Look at the DuckDB warehouse."""


@warehouse.command()
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_FILE)
@click.option("--schema", default="main", show_default=True, help="The schema with the tables.")
def show(file: Path, schema: str) -> None:
    """Print rows per table, how fresh they are, and a few answers from FILE."""
    now = dt.datetime.now(tz=dt.UTC)
    out = console()
    connection = connect(file, read_only=True)
    try:
        inspection = Inspection(connection, file, schema)
        tables = inspection.tables()
        answers = inspection.answers(now.date())
    finally:
        connection.close()
    if tables:
        ages = [found.newest and now - found.newest for found in tables]
        rows = [
            (found.name, found.rows, found.newest, age)
            for found, age in zip(tables, ages, strict=True)
        ]
        out.print(table(("table", "rows", "newest row", "age"), rows))
    else:
        out.print(Text(f"There are no tables in schema {schema!r}"))
    for answer in answers:
        out.print(Text(f"\n{answer.title}", style="bold"))
        out.print(table(answer.columns, answer.rows))
    if tables and not answers:
        text = "Questions are asked of the tables of tap-automate with `column_names: as_is`."
        out.print(Text(f"\n{text}"), soft_wrap=True)
    if tables and not any(found.rows for found in tables):
        text = (
            "Every table is empty. Where the tap has bookmarks of rows that another file got, "
            "load once with `meltano run --full-refresh`, or without the tap's state."
        )
        out.print(Text(f"\n{text}"), soft_wrap=True)
    out.print(Text(f"\nFile: {file}"), soft_wrap=True)


@warehouse.command()
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_FILE)
@click.option("--schema", default="main", show_default=True, help="The schema with the tables.")
def freshness(file: Path, schema: str) -> None:
    """Print how long changes took to reach FILE, and how old its newest are."""
    now = dt.datetime.now(tz=dt.UTC)
    out = console()
    connection = connect(file, read_only=True)
    try:
        found = fresh_tables.read(connection, file, schema)
    finally:
        connection.close()
    if not found:
        text = (
            f"Nothing is known of schema {schema!r}: no stream with a time as its replication key "
            "has been loaded into it."
        )
        out.print(Text(text), soft_wrap=True)
        return
    rows = [
        (
            each.table,
            each.newest,
            each.newest and now - each.newest,
            now - each.loaded,
            *_delay(each.delay),
        )
        for each in found
    ]
    out.print(table(FRESHNESS, rows))
    text = (
        f"Delay: from the change in the source to its row here, hours:minutes:seconds, over the "
        f"last {fresh_tables.LOADS} loads that brought changes; a first load is not measured."
    )
    out.print(Text(f"\n{text}"), soft_wrap=True)


def _delay(delay: Delay | None) -> tuple[int, int, str, str] | tuple[None, ...]:
    if delay is None:
        return (None,) * 4
    return delay.loads, delay.rows, _clock(delay.median), _clock(delay.worst)


def _clock(seconds: Decimal) -> str:
    whole = dt.timedelta(seconds=abs(round(seconds)))
    return f"-{whole}" if seconds < 0 else str(whole)
