"""`automate-dms push waiting`: writes that wait for their customer, or for a person's approval."""

from __future__ import annotations

import click

from target_automate.intents import State
from target_automate.push_drop import dropping
from target_automate.push_listing import listing, showing

STATES = frozenset({State.WAITING_PARENT, State.WAITING_APPROVAL})
WHAT = "waiting writes"


@click.group()
def waiting() -> None:
    """Writes that wait for a customer or an approval: look, drop.

    What waits for an approval goes out with `push plan` and `push apply`.
    """


waiting.add_command(listing(STATES, WHAT))
waiting.add_command(showing(STATES, WHAT))
waiting.add_command(dropping(STATES, WHAT))
