"""The command: asks for consent, prints what was found, writes the proposal."""

from __future__ import annotations

import logging
import typing as t
from pathlib import Path

import click
import msgspec
from rich.text import Text

from automate_api import program, settings, whole_files
from automate_api.errors import ConfigError
from automate_api.tables import console, table
from automate_api.tenant import proposal
from automate_dms.doctor import idempotency
from automate_dms.doctor.examination import examine
from automate_dms.doctor.findings import Report, Status, counted

if t.TYPE_CHECKING:
    from automate_api.config import ApiConfig

WIDTH: t.Final = 160
COLUMNS: t.Final = ("", "check", "list", "what", "what to set or do")
HEAD: t.Final = (
    "What this tenant does otherwise than the contract, as `automate-dms doctor` takes it.",
    "A proposal: look at every line before `contract_overlay` names this file.",
)
PARTIAL: t.Final = "Not all was asked: take it again when the API answers."


@click.command()
@click.option(
    "--config",
    "sources",
    multiple=True,
    metavar="FILE",
    help="Configuration file (JSON) of tap-automate, or ENV for TAP_AUTOMATE_* variables. May be "
    "repeated, the last wins. Default: ENV.",
)
@click.option("--all", "whole", is_flag=True, help="Show what is well of each list, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option(
    "--propose",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write an overlay (`contract_overlay`) of what this tenant does otherwise to FILE, which "
    "must not be there yet.",
)
@click.option(
    "--write-tests",
    is_flag=True,
    help="Also see whether idempotency keys are honoured, by writing one test customer. Anywhere "
    "but on loopback, the integration's id has to be typed first.",
)
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
    if propose is not None:
        _check(propose)
    report = examine(sources or (settings.ENVIRONMENT,), consents if write_tests else None)
    unwritten = None
    if propose is not None and report.proposal is not None:
        unwritten = _write(propose, report)
    gone = "Nobody reads what doctor found any more."
    with program.standard_output(gone=gone, then="run doctor again"):
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(report.as_json())).decode())
        else:
            _print(report, None if unwritten else propose, whole=whole)
    if unwritten:
        raise ConfigError(unwritten)
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


def _check(path: Path) -> None:
    """See before anything is asked that the proposal can be written."""
    if path.exists():
        msg = f"{path} is there already. Name another file by --propose."
        raise ConfigError(msg)
    if not path.parent.is_dir():
        msg = f"There is no folder {path.parent}. Name another file by --propose."
        raise ConfigError(msg)


def _write(path: Path, report: Report) -> str | None:
    """Write the proposal, with what renamed fields were recognised by above it.

    Returns:
        None; why it could not be written, where that is so: what was found is shown all the same.
    """
    partial = () if report.is_whole else (PARTIAL,)
    lines = [f"# {line}\n" for line in (*HEAD, *partial, *report.reasons)]
    text = "".join(lines) + proposal.written(report.proposal or {})
    try:
        whole_files.write(path, text.encode())
    except OSError as error:
        return f"The proposal cannot be written to {path} ({error.strerror}). Name another file."
    return None


def _print(report: Report, propose: Path | None, *, whole: bool) -> None:
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
    if report.proposal is not None:
        lines.append(
            "Write the overlay that is proposed with --propose FILE."
            if propose is None
            else f"The overlay that is proposed is in {propose}: look at it, then set "
            f"`contract_overlay`."
        )
    elif propose is not None:
        lines.append(f"No overlay is proposed, and {propose} was not written.")
    for line in lines:
        out.print(Text(line), soft_wrap=True)
