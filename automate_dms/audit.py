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
from automate_dms import tap_settings
from automate_dms.auditor import COLUMNS, Auditor, Outcome
from automate_singer import inputs
from tap_automate.audit import comparison
from tap_automate.audit.findings import Findings
from tap_automate.audit.output import STANDARD_OUTPUT, opened
from tap_automate.instants import to_microseconds
from tap_automate.reading.windows import MICROSECONDS
from tap_automate.streams import STREAMS
from tap_automate.tap import TapAutomate
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
@tap_settings.option
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
@click.option(
    "--accept-vanished",
    "accepted",
    multiple=True,
    type=click.Choice([declaration.name for declaration in STREAMS]),
    help="However many rows of this stream have vanished at once, take them for deleted. May be "
    "repeated.",
)
def audit(
    against: Path,
    sources: tuple[str, ...],
    names: tuple[str, ...],
    **options: t.Any,  # noqa: ANN401 - of several types
) -> int | None:
    """Compare a warehouse with the DMS: what is missing, stale or gone.

    Ends with 0 when the two agree, and with 1 when they differ or nothing could be compared.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger(comparison.__name__).setLevel(logging.INFO)
    start, end, output = options["start"], options["end"], options["output"]
    state: t.IO[str] | None = options["state"]
    if start is not None and end is not None and end <= start:
        msg = "--to must be later than --from"
        raise click.UsageError(msg)
    written = 0
    with contextlib.ExitStack() as stack:
        write = None
        if output is not None:
            # First of all: before any request, and while a signal still ends the wait for a FIFO.
            put = stack.enter_context(opened(output, _inputs(against, sources, state)))

            def write(line: bytes) -> None:
                nonlocal written
                put(line)
                written += 1

        tap = TapAutomate(config=tap_settings.given(sources), state=inputs.read_json(state))
        connection = connect(against, read_only=True)
        stack.callback(connection.close)
        place = TablePlace(against, options["schema"], "")
        auditor = Auditor(tap, connection, place, write, options["accepted"])
        outcomes = auditor.run(names, start, end)
    found = Findings()
    for outcome in outcomes:
        found.add(outcome.findings)
    lines = [note for outcome in outcomes for note in outcome.notes()]
    if found.newer and state is None:
        lines.append(
            "Without --state, all that is newer than a stream's newest row is taken for what the "
            "next run brings. What the tap has already passed by is not found."
        )
    lines.append(_summary(found, output, written))
    _print(outcomes, lines, to_stderr=output == STANDARD_OUTPUT)
    return EXIT_DIFFERS if found.differs or not found.buckets else None


def _inputs(against: Path, sources: tuple[str, ...], state: t.IO[str] | None) -> list[Path]:
    """List the files that are read, which no message may replace."""
    configs = [Path(source) for source in sources if source != settings.ENVIRONMENT]
    log = against.with_name(f"{against.name}.wal")
    return [against, log, *configs, *([Path(state.name)] if state else [])]


def _summary(found: Findings, output: str | None, written: int) -> str:
    """Say in one sentence what has come of it."""
    counts = {
        "vanished": found.vanished,
        "missing": found.missing,
        "stale": found.stale,
        "from before the oldest": found.older,
        "of streams without rows": found.unloaded,
    }
    differing = ", ".join(f"{number:,} {name}" for name, number in counts.items() if number)
    said = differing or "All agree"
    if not differing and not found.buckets:
        said = "Nothing was compared, as nothing was loaded between --from and --to"
    if output is None:
        return f"{said}."
    place = "standard output" if output == STANDARD_OUTPUT else output
    return f"{said}: {written:,} messages written to {place}."


def _print(outcomes: list[Outcome], lines: list[str], *, to_stderr: bool) -> None:
    out = console(width=WIDTH, stderr=to_stderr)
    out.print(table(COLUMNS, [outcome.row() for outcome in outcomes]))
    for line in lines:
        out.print(Text(line), soft_wrap=True)
