"""The command: asks for consent, prints what was found, writes the proposal."""

from __future__ import annotations

import logging
import typing as t

import click
import msgspec
from rich.text import Text

from automate_api import program, settings
from automate_api.tables import console, table
from automate_dms import proposals, tap_settings
from automate_dms.doctor import idempotency
from automate_dms.doctor.examination import examine
from automate_dms.doctor.findings import Report, Status, counted

if t.TYPE_CHECKING:
    from pathlib import Path

    from automate_api.config import ApiConfig

WIDTH: t.Final = 160
COLUMNS: t.Final = ("", "check", "list", "what", "what to set or do")
PARTIAL: t.Final = "Not all was asked: take it again when the API answers."


@click.command()
@tap_settings.option
@click.option("--all", "whole", is_flag=True, help="Show what is well of each list, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@proposals.option
@click.option(
    "--write-tests",
    is_flag=True,
    help="Also see whether idempotency keys are honoured, by writing one test customer. Anywhere "
    "but on loopback, the integration's id has to be typed first.",
)
@program.terminable()
def doctor(
    sources: tuple[str, ...],
    *,
    whole: bool,
    as_json: bool,
    propose: Path | None,
    write_tests: bool,
) -> int:
    """Find out what the tenant really answers, and what to set for it.

    Nothing is written to the DMS, unless --write-tests asks for it. Ends with 0 when all is well,
    with 1 when there is something to look at, and when something fails with what a run would end
    with for it.
    """
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    # A person who waits for a one-time code is told of it.
    logging.getLogger("automate_api.login").setLevel(logging.INFO)
    if propose is not None:
        proposals.check(propose)
    report = examine(sources or (settings.ENVIRONMENT,), consents if write_tests else None)
    gone = "Nobody reads what doctor found any more."
    with program.standard_output(gone=gone, then="run doctor again"):
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(report.as_json())).decode())
        else:
            _print(report, whole=whole, hint=propose is None)
    if propose is not None:
        partial = () if report.is_whole else (PARTIAL,)
        proposals.write(propose, report.proposal, (*partial, *report.reasons))
    return report.exit_code


def consents(api: ApiConfig) -> bool:
    """Ask a person whether a test customer may be written; on loopback, nobody needs to be.

    Args:
        api: Where to.
    """
    if api.is_loopback:
        return True
    question = f"{idempotency.CONSENT} {api.host}. Type `{api.integration_id}` to allow it"
    answer: str = click.prompt(question, default="", show_default=False, err=True)
    return answer.strip() == api.integration_id


def _print(report: Report, *, whole: bool, hint: bool) -> None:
    out = console(width=WIDTH)
    rows = [
        (each.status, each.check, each.list, each.what, each.set)
        for each in report.findings
        if whole or each.status is not Status.OK or not each.list
    ]
    out.print(table(COLUMNS, rows))
    counts = [
        f"{sum(1 for _ in report.of(status))} {status}"
        for status in Status
        if any(True for _ in report.of(status))
    ]
    lines = [f"{', '.join(counts)}; {counted(report.requests, 'request')}."]
    if len(rows) < len(report.findings):
        rest = len(report.findings) - len(rows)
        lines.append(f"{counted(rest, 'check')} of lists that are well: see --all.")
    if report.proposal is not None and hint:
        lines.append("Write the overlay that is proposed with --propose FILE.")
    for line in lines:
        out.print(Text(line), soft_wrap=True)
