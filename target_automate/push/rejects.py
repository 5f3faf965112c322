"""`automate-dms push rejects`: writes that were not taken."""

from __future__ import annotations

import time

import click

from automate_api.config import overlay_of
from automate_api.errors import RejectsError
from target_automate.journal.file import change_journal
from target_automate.journal.intents import State
from target_automate.paths import journal_path
from target_automate.push import replays
from target_automate.push.delivery import count_in, deliver_open, tell_held
from target_automate.push.drop import dropping
from target_automate.push.listing import choice, hold_to_one, ids_or_all, listing, showing
from target_automate.push.options import (
    log_plainly,
    settings_options,
    target_settings,
)
from target_automate.records.records import Records

STATES = frozenset({State.REJECTED})
WHAT = "rejected writes"


@click.group()
def rejects() -> None:
    """Writes that were rejected: look, replay, drop."""


rejects.add_command(listing(STATES, WHAT))
rejects.add_command(showing(STATES, WHAT))
rejects.add_command(dropping(STATES, WHAT))


@rejects.command("replay")
@settings_options
@ids_or_all
@click.option("--later", is_flag=True, help="Leave the delivery to the next run.")
def replay(
    sources: tuple[str, ...],
    journal: str | None,
    ids: tuple[int, ...],
    *,
    everything: bool,
    later: bool,
) -> None:
    """Plan rejected writes anew and deliver them.

    A record that was not valid is read again, and stays rejected unless it is valid now; correct it
    at its source and send it from there instead. As each run does, this one delivers whatever else
    is open in the journal. It ends with 3 when some are rejected again.
    """
    log_plainly()
    hold_to_one(ids, everything=everything)
    values = target_settings(sources, journal)
    path, key = journal_path(values), values.get("journal_key")
    with change_journal(path, key=key) as opened:
        selected = choice(opened, ids, everything=everything, states=STATES, what=WHAT)
        records = Records(opened, overlay_of(values))
        held = replays.replay(opened, records, selected, time.time())
    planned = sorted(set(selected) - {kept.id for kept in held})
    tell_held(held)
    click.echo(f"{len(planned):,} of {len(selected):,} planned anew.", err=True)
    if planned and not later:
        deliver_open(values)
        again = count_in(values, planned, State.REJECTED)
        if again:
            msg = f"{again:,} of {len(planned):,} were rejected again: `push rejects list`."
            raise RejectsError(msg)
    if held:
        msg = f"{len(held):,} of {len(selected):,} stay rejected, for the reasons above."
        raise RejectsError(msg)
