"""The command: reads a sample, prints what differs, writes the proposal.

It looks at the first and the last page of each list. A run of the tap looks at every record, and
says the same of them.
"""

from __future__ import annotations

import contextlib
import logging
import typing as t

import click
import msgspec
from rich.text import Text

from automate_api import program
from automate_api.clock import SYSTEM_CLOCK
from automate_api.config import ApiConfig
from automate_api.session import Session
from automate_api.tables import console, table
from automate_dms import proposals, tap_settings
from automate_dms.doctor.findings import counted
from automate_dms.doctor.subject import Subject, patient
from automate_dms.drift.comparison import COLUMNS, compare
from tap_automate.streams import STREAMS
from tap_automate.tap import TapAutomate

if t.TYPE_CHECKING:
    from pathlib import Path

    from automate_dms.drift.comparison import Compared

EXIT_DRIFT: t.Final = 1
WIDTH: t.Final = 160
"""Columns of the table where there is no terminal."""


@click.command()
@tap_settings.option
@click.option(
    "--stream",
    "names",
    multiple=True,
    type=click.Choice([declaration.name for declaration in STREAMS]),
    help="Only this stream, with its lines. May be repeated. Default: all.",
)
@click.option(
    "--sample",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Records of a page; the first and the last page of each list are looked at.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@proposals.option
@program.terminable()
def drift(
    sources: tuple[str, ...],
    names: tuple[str, ...],
    sample: int,
    *,
    as_json: bool,
    propose: Path | None,
) -> int | None:
    """Compare a sample of the DMS's records with the contract and the overlay.

    Reads two pages of each list, and writes nothing to the DMS. Ends with 0 when all is as the
    contract and the overlay have it, and with 1 when something is not.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # A person who waits for a one-time code is told of it.
    logging.getLogger("automate_api.login").setLevel(logging.INFO)
    if propose is not None:
        proposals.check(propose)
    api = ApiConfig.from_settings(tap_settings.given(sources), program=TapAutomate.name)
    with (
        contextlib.closing(Session(patient(api))) as session,
        contextlib.closing(Subject(api, session, SYSTEM_CLOCK)) as subject,
    ):
        before = subject.document
        compared = compare(subject, names, sample)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(compared.as_json())).decode())
    else:
        _print(compared)
    if propose is not None:
        document = None if compared.proposal == before else compared.proposal
        proposals.write(propose, document, compared.reasons())
    return EXIT_DRIFT if compared.found else None


def _print(compared: Compared) -> None:
    out = console(width=WIDTH)
    if compared.found:
        out.print(table(COLUMNS, compared.rows()))
    lines = compared.reasons()
    lines += [f"{name}: not compared, {why}" for name, why in compared.skipped.items()]
    records = counted(sum(compared.records.values()), "record")
    said = (
        counted(len(compared.found), "difference")
        if compared.found
        else "All are as the contract has them"
    )
    lines.append(f"{records} of {counted(len(compared.records), 'stream')}. {said}.")
    for line in lines:
        out.print(Text(line), soft_wrap=True)
