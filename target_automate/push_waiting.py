"""`automate-dms push waiting`: writes that wait for their customer, or for a person's approval."""

from __future__ import annotations

import click

from target_automate.intents import State
from target_automate.push_listing import ids_or_all, listing, showing
from target_automate.push_options import settings_options
from target_automate.push_rejects import drop_chosen

STATES = frozenset({State.WAITING_PARENT, State.WAITING_APPROVAL})
WHAT = "waiting writes"


@click.group()
def waiting() -> None:
    """Writes that wait for a customer or an approval: look, drop.

    What waits for an approval goes out with `push plan` and `push apply`.
    """


waiting.add_command(listing(STATES, WHAT))
waiting.add_command(showing(STATES, WHAT))


@waiting.command()
@settings_options
@ids_or_all
def drop(
    sources: tuple[str, ...], journal: str | None, ids: tuple[int, ...], *, everything: bool
) -> None:
    """Give waiting writes up for good.

    The same record sent again is then taken for one that is done with; a changed one goes out.
    """
    drop_chosen(sources, journal, ids, everything=everything, what=WHAT, states=STATES)
