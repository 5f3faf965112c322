"""`automate-dms audit`: whether the warehouse holds what the DMS has, and what repairs it.

The two sides do not know each other: the tap's package asks the DMS and judges, the loader's reads
its own tables. Here they meet.
"""

from __future__ import annotations

import contextlib
import logging
import typing as t
from pathlib import Path

import click
from rich.text import Text

from automate_api import settings
from automate_api.tables import console, table
from automate_dms.auditor import COLUMNS, Auditor, Outcome
from automate_singer import inputs
from tap_automate import audit as comparison
from tap_automate.audit_fixes import STANDARD_OUTPUT, opened
from tap_automate.instants import to_microseconds
from tap_automate.streams import STREAMS
from tap_automate.tap import TapAutomate
from tap_automate.windows import MICROSECONDS
from target_warehouse.database import connect
from target_warehouse.layout import TablePlace

EXIT_DIFFERS: t.Final = 1
WIDTH: t.Final = 160
"""Columns of the table where there is no terminal."""


class Instant(click.ParamType[int]):
    """A date or an instant, as seconds since 1970."""

    name = "date"

    def convert(
        self,
        value: str,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """Read it."""
        try:
            return to_microseconds(value) // MICROSECONDS
        except ValueError:
            self.fail("expected a date or an instant such as 2026-01-20", param, ctx)


@click.command()
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    required=True,
    help="The DuckDB file of target-warehouse; it is only read.",
)
@click.option(
    "--config",
    "sources",
    multiple=True,
    metavar="FILE",
    help="Configuration file (JSON) of tap-automate, or ENV for TAP_AUTOMATE_* variables. May be "
    "repeated, the last wins. Default: ENV.",
)
@click.option("--schema", default="main", show_default=True, help="The schema with the tables.")
@click.option(
    "--stream",
    "names",
    multiple=True,
    type=click.Choice([declaration.name for declaration in STREAMS]),
    help="Only this stream, with its lines. May be repeated. Default: all that have a table.",
)
@click.option(
    "--from",
    "start",
    type=Instant(),
    help="Compare what changed at or after this date. Default: `start_date`, or the day of the "
    "oldest row.",
)
@click.option(
    "--to", "end", type=Instant(), help="Compare what changed before this date. Default: the load."
)
@click.option(
    "--state",
    type=click.File(),
    help="The tap's last state, which says how far it has read. Default: to the newest row.",
)
@click.option(
    "--output",
    metavar="FILE",
    help="Write Singer messages that repair the warehouse to FILE, or to standard output (-).",
)
def audit(
    against: Path,
    sources: tuple[str, ...],
    names: tuple[str, ...],
    **options: t.Any,  # noqa: ANN401 - of several types
) -> int | None:
    """Compare a warehouse with the DMS: what is missing, stale or gone.

    Ends with 0 when the two agree, and with 1 when they differ.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger(comparison.__name__).setLevel(logging.INFO)
    start, end, output = options["start"], options["end"], options["output"]
    if start is not None and end is not None and end <= start:
        msg = "--to must be later than --from"
        raise click.UsageError(msg)
    tap = _tap(sources, inputs.read_json(options["state"]))
    connection = connect(against, read_only=True)
    with contextlib.ExitStack() as stack:
        stack.callback(connection.close)
        write = stack.enter_context(opened(output)) if output else None
        auditor = Auditor(tap, connection, TablePlace(against, options["schema"], ""), write)
        outcomes = auditor.run(names, start, end)
    _print(outcomes, to_stderr=output == STANDARD_OUTPUT)
    return EXIT_DIFFERS if any(outcome.findings.differs for outcome in outcomes) else None


def _tap(sources: tuple[str, ...], state: dict[str, t.Any] | None) -> TapAutomate:
    """Make the tap of its settings, which also takes over the signals."""
    schema = TapAutomate.config_jsonschema
    TapAutomate.append_builtin_config(schema)
    given = settings.from_sources(
        schema, sources or (settings.ENVIRONMENT,), TapAutomate.env_prefix
    )
    known = {name: value for name, value in given.items() if value not in (None, "")}
    return TapAutomate(config=known, state=state)


def _print(outcomes: list[Outcome], *, to_stderr: bool) -> None:
    out = console(width=WIDTH, stderr=to_stderr)
    out.print(table(COLUMNS, [outcome.row() for outcome in outcomes]))
    for outcome in outcomes:
        for note in outcome.notes():
            out.print(Text(note), soft_wrap=True)
