"""`automate-dms drift`: whether records are as the contract and the overlay have them.

It looks at the first and the last page of each list. A run of the tap looks at every record, and
says the same of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import typing as t
from pathlib import Path

import click
import msgspec
from rich.text import Text

from automate_api import settings, whole_files
from automate_api.clock import SYSTEM_CLOCK
from automate_api.config import ApiConfig
from automate_api.differences import Difference, Kind
from automate_api.errors import ConfigError, NotEntitledError, NotOfferedError, ProtocolError
from automate_api.session import Session
from automate_api.tables import console, table
from automate_api.tenant import proposal
from automate_api.tenant.overlay import SAME_RESOURCE
from automate_dms.doctor.subject import Subject, patient
from tap_automate.streams import STREAMS
from tap_automate.tap import TapAutomate

if t.TYPE_CHECKING:
    from automate_api.client import Page
    from automate_api.tenant.renames import Rename

EXIT_DRIFT: t.Final = 1
WIDTH: t.Final = 160
"""Columns of the table where there is no terminal."""

COLUMNS: t.Final = ("stream", "difference", "field", "records", "detail")
HEAD: t.Final = "A proposal: look at every line before `contract_overlay` names this file."
NO_LIST: t.Final = "no such list"
NO_PAGE: t.Final = "no page"
FURTHER: t.Final = {
    NO_LIST: "moved, or not offered: `automate-dms doctor` looks for it",
    NO_PAGE: "the answer is not the contract's, see below",
}
"""Differences of a whole list, and what the table says of them."""

PASSES: t.Final = 2
"""Times that a list is read anew through what was proposed: a field that has come to its place may
show others behind it."""

SINGLES: t.Final = {
    (stream.name, lines.single)
    for stream in STREAMS
    for lines in stream.lines
    if lines.single is not None
}
"""Fields that a tenant sends in place of others, or not at all."""


@dataclasses.dataclass
class Compared:
    """What a sample of each list shows.

    Attributes:
        records: Stream to the number of records looked at.
        found: Stream and difference, in the order of the streams.
        skipped: Stream to why it was not looked at, a sentence.
        renames: Stream and field that the tenant seems to call otherwise.
        proposal: What an overlay should say, the present one included.
    """

    records: dict[str, int] = dataclasses.field(default_factory=dict)
    found: list[tuple[str, Difference | str]] = dataclasses.field(default_factory=list)
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)
    renames: list[tuple[str, Rename]] = dataclasses.field(default_factory=list)
    proposal: dict[str, t.Any] = dataclasses.field(default_factory=dict)

    def rows(self) -> list[tuple[t.Any, ...]]:
        """Give what the table shows."""
        return [
            (name, each, None, None, FURTHER[each])
            if isinstance(each, str)
            else (name, str(each.kind), each.place, each.times, each.detail or None)
            for name, each in self.found
        ]

    def as_json(self) -> dict[str, t.Any]:
        """Give what `--json` prints."""
        keys = ("stream", "difference", "field", "records", "detail")
        return {
            "sampled": self.records,
            "skipped": self.skipped,
            "differences": [dict(zip(keys, row, strict=True)) for row in self.rows()],
            "renames": [
                {"stream": name, "field": str(each.field), "theirs": ".".join(each.theirs)}
                | {"why": each.why}
                for name, each in self.renames
            ],
            "proposal": self.proposal,
        }


@click.command()
@click.option(
    "--config",
    "sources",
    multiple=True,
    metavar="FILE",
    help="Configuration file (JSON) of tap-automate, or ENV for TAP_AUTOMATE_* variables. May be "
    "repeated, the last wins. Default: ENV.",
)
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
@click.option(
    "--propose",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write an overlay that says all of it, the present one included, to a new file.",
)
def drift(
    sources: tuple[str, ...],
    names: tuple[str, ...],
    sample: int,
    *,
    as_json: bool,
    target: Path | None,
) -> int | None:
    """Compare a sample of the DMS's records with the contract and the overlay.

    Reads two pages of each list, and writes nothing to the DMS. Ends with 0 when all is as the
    contract and the overlay have it, and with 1 when something is not.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if target is not None and target.exists():
        msg = f"{target} is there already. Name another file by --propose."
        raise ConfigError(msg)
    api = patient(_api(sources))
    with (
        contextlib.closing(Session(api)) as session,
        contextlib.closing(Subject(api, session, SYSTEM_CLOCK)) as subject,
    ):
        before = subject.document
        compared = _compare(subject, names, sample)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(compared.as_json())).decode())
    else:
        _print(compared)
    if target is not None and compared.proposal == before:
        click.echo(f"There is nothing to propose; {target} is not written.", err=True)
    elif target is not None:
        _write(target, compared)
        click.echo(f"The overlay is in {target}: look at it before you set it.", err=True)
    return EXIT_DRIFT if compared.found else None


def _compare(subject: Subject, names: tuple[str, ...], sample: int) -> Compared:
    compared = Compared()
    entitlements = subject.session.entitlements
    for stream in STREAMS:
        name = stream.name
        if names and name not in names:
            continue
        needed = subject.known.resource(stream.path).entitlements
        overlay = subject.api.overlay
        if overlay is not None and not overlay.offers(name):
            compared.skipped[name] = "the overlay says that this tenant does not offer it."
        elif needed and not needed & entitlements:
            why = f"the login lacks the entitlement {' or '.join(sorted(needed))}."
            compared.skipped[name] = why
        else:
            try:
                _look_at(subject, name, sample, compared)
            except NotEntitledError as error:
                compared.skipped[name] = str(error)
            except NotOfferedError:
                compared.found.append((name, NO_LIST))
            except ProtocolError as error:
                compared.found.append((name, NO_PAGE))
                compared.skipped[name] = str(error)
    compared.proposal = subject.document
    return compared


def _look_at(subject: Subject, name: str, sample: int, compared: Compared) -> None:
    """Compare a list, and propose what the overlay should say of it."""
    seen: set[tuple[str, ...]] = set()
    for number in range(PASSES):
        listed = subject.keep(name, _ends(subject, name, sample))
        if not number:
            compared.records[name] = listed.sample.records
        says_nothing = listed.sample.leaves_out_nulls
        for each in listed.sample.differences():
            is_missing = each.kind is Kind.MISSING
            is_usual = is_missing and (says_nothing or (name, each.place) in SINGLES)
            what = (each.kind, each.place, each.detail)
            if not is_usual and what not in seen:
                seen.add(what)
                compared.found.append((name, each))
        overlay = subject.api.overlay
        made = proposal.proposed(
            listed.sample, overlay.resource(name) if overlay else SAME_RESOURCE
        )
        if not made.part:
            return
        if problem := subject.propose(name, made.part):
            compared.skipped[name] = f"no overlay can say all of it: {problem}"
            return
        compared.renames += [(name, each) for each in made.renames]
        if not made.renames:
            return


def _ends(subject: Subject, name: str, sample: int) -> Page:
    """Read the first and the last page of a list, as one."""
    first = subject.page(name, pageSize=sample)
    pages = math.ceil(first.total / max(1, first.page_size))
    if pages <= 1:
        return first
    last = subject.page(name, pageSize=sample, page=pages)
    return dataclasses.replace(first, items=[*first.items, *last.items])


def _api(sources: tuple[str, ...]) -> ApiConfig:
    """Read the tap's settings, of which only those about the API count.

    Raises:
        ConfigError: When they cannot be used.
    """
    schema = TapAutomate.config_jsonschema
    TapAutomate.append_builtin_config(schema)
    given = settings.from_sources(
        schema, sources or (settings.ENVIRONMENT,), TapAutomate.env_prefix
    )
    known = {name: value for name, value in given.items() if value not in (None, "")}
    return ApiConfig.from_settings(known, program=TapAutomate.name)


def _write(target: Path, compared: Compared) -> None:
    """Write the proposal, with what renamed fields were recognised by above it."""
    lines = [f"# {line}\n" for line in (HEAD, *_reasons(compared))]
    text = "".join(lines) + proposal.written(compared.proposal)
    try:
        whole_files.write(target, text.encode())
    except OSError as error:
        msg = f"The overlay cannot be written to {target} ({error.strerror})."
        raise ConfigError(msg) from None


def _reasons(compared: Compared) -> list[str]:
    return [
        f"{name}: {each.field} seems to be {'.'.join(each.theirs)} here: {each.why}."
        for name, each in compared.renames
    ]


def _print(compared: Compared) -> None:
    out = console(width=WIDTH)
    if compared.found:
        out.print(table(COLUMNS, compared.rows()))
    lines = _reasons(compared)
    lines += [f"{name}: not compared, {why}" for name, why in compared.skipped.items()]
    records, streams = sum(compared.records.values()), len(compared.records)
    said = (
        f"{len(compared.found):,} differences"
        if compared.found
        else "All are as the contract has them"
    )
    lines.append(f"{records:,} records of {streams} streams. {said}.")
    for line in lines:
        out.print(Text(line), soft_wrap=True)
