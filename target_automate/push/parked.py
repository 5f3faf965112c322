"""`automate-dms push parked`: writes of which nobody knows whether the DMS has them."""

from __future__ import annotations

import re
import time
import typing as t

import click

from automate_api.errors import ConfigError, UnsettledError
from target_automate.checks.comparing import differences, part_of, wanted_of
from target_automate.checks.lookup import Lookup, is_it
from target_automate.journal.file import change_journal
from target_automate.journal.intents import State
from target_automate.paths import journal_path
from target_automate.push import replays
from target_automate.push.delivery import deliver_open, tell_held
from target_automate.push.drop import drop_chosen
from target_automate.push.listing import choice, chosen, hold_to_one, ids_or_all, listing, showing
from target_automate.push.options import (
    api_config,
    journal_settings,
    log_plainly,
    settings_options,
    stoppable,
    target_settings,
)
from target_automate.running.parts import connected
from target_automate.sending.steps import body_of
from target_automate.sinks.entities import lists_of
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from target_automate.checks.lookup import Record
    from target_automate.journal.intents import Intent
    from target_automate.journal.journal import Journal
    from target_automate.sinks.declarations import LookupRule, SinkDeclaration

STATES: t.Final = frozenset({State.PARKED})
WHAT: t.Final = "parked writes"
_ID: t.Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


@click.group()
def parked() -> None:
    """Writes whose outcome nobody knows: look, settle."""


parked.add_command(listing(STATES, WHAT))
parked.add_command(showing(STATES, WHAT))


@parked.command()
@settings_options
@ids_or_all
@click.option("--found", metavar="DMS_ID", help="It is there, as this record (one ID alone).")
@click.option("--resend", is_flag=True, help="Look once more, and send what is not there.")
@click.option("--drop", is_flag=True, help="Give it up: it is not to be sent.")
@click.option("--force", is_flag=True, help="With --found: do not ask the DMS for the record.")
def settle(  # noqa: PLR0913 - what the command line names
    sources: tuple[str, ...],
    journal: str | None,
    ids: tuple[int, ...],
    found: str | None,
    *,
    everything: bool,
    resend: bool,
    drop: bool,
    force: bool,
) -> None:
    """Say what is to become of parked writes: exactly one of --found, --resend, --drop.

    --resend also delivers whatever else is open in the journal, as each run does. It ends with 4
    while anything is parked.
    """
    log_plainly()
    if (found is not None) + resend + drop != 1:
        msg = "Give exactly one of --found DMS_ID, --resend and --drop."
        raise click.UsageError(msg)
    if force and found is None:
        msg = "--force goes with --found."
        raise click.UsageError(msg)
    hold_to_one(ids, everything=everything)
    if drop:
        drop_chosen(sources, journal, ids, everything=everything, what=WHAT, states=STATES)
    elif found is not None:
        _keep_found(sources, journal, ids, found, force=force)
    else:
        _resend(target_settings(sources, journal), ids, everything=everything)


def _resend(values: Mapping[str, t.Any], ids: tuple[int, ...], *, everything: bool) -> None:
    path, key = journal_path(values), values.get("journal_key")
    with change_journal(path, key=key) as opened:
        selected = choice(opened, ids, everything=everything, states=STATES, what=WHAT)
        held = replays.resend(opened, selected, time.time())
    tell_held(held)
    click.echo(f"{len(selected) - len(held):,} of {len(selected):,} planned anew.", err=True)
    if len(held) < len(selected):
        deliver_open(values)
    elif held:
        msg = f"{len(held):,} stay parked, for the reasons above."
        raise UnsettledError(msg)


def _keep_found(
    sources: tuple[str, ...], journal: str | None, ids: tuple[int, ...], dms_id: str, *, force: bool
) -> None:
    if len(ids) != 1:
        msg = "--found is about one write: name its id."
        raise click.UsageError(msg)
    if not _ID.fullmatch(dms_id):
        msg = "--found takes the DMS's id of a record, such as deal_61df30."
        raise click.UsageError(msg)
    if force:
        path, key = journal_settings(sources, journal)
        with change_journal(path, key=key) as opened:
            intent = chosen(opened, ids, STATES, WHAT)[0]
            replays.found(opened, intent.id, dms_id, time.time())
        number = None
    else:
        values = target_settings(sources, journal)
        with change_journal(journal_path(values), key=values.get("journal_key")) as opened:
            intent = chosen(opened, ids, STATES, WHAT)[0]
            number = _checked(opened, intent, dms_id, values)
            replays.found(opened, intent.id, dms_id, time.time(), number=number)
    click.echo(f"Write {intent.id} is {dms_id}{f', number {number}' if number else ''}.", err=True)


def _checked(
    journal: Journal, intent: Intent, dms_id: str, values: Mapping[str, t.Any]
) -> str | None:
    """Hold a record to what was sent.

    Returns:
        The number that people use, where there is one.

    Raises:
        ConfigError: When the DMS does not have it, or it is another record.
        AutomateError: When the DMS cannot be asked.
    """
    sink = by_object(intent.object)
    if sink.makes_once and journal.claimed(sink.object, dms_id):
        msg = f"{dms_id} is another write's record already. Nothing was changed."
        raise ConfigError(msg)
    api = api_config(values)
    with stoppable() as stop, connected(api, stop=stop) as client:
        record = Lookup(client, lists_of(api)).detail(sink.entity, dms_id)
    if record is None:
        msg = (
            f"The DMS has no {dms_id} among its {sink.object}. Nothing was changed; --force keeps "
            "it all the same."
        )
        raise ConfigError(msg)
    if not (differing := _differing(sink, record, body_of(intent, sink, intent.resolved))):
        return sink.number_in(record)
    msg = (
        f"{dms_id} is another record: it differs in "
        f"{', '.join(differing)}. Nothing was changed; --force keeps it all the same."
    )
    raise ConfigError(msg)


def _differing(sink: SinkDeclaration, record: Record, body: Mapping[str, t.Any]) -> Collection[str]:
    """Name the fields in which a record is not what was sent."""
    if sink.change is not None:
        return differences(part_of(sink, record, body), wanted_of(sink, body))
    rule = t.cast("LookupRule", sink.lookup)
    return () if is_it(sink, record, body) else rule.equal
