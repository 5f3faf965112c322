"""`automate-dms push waiting`: writes that wait for another, or for an approval."""

from __future__ import annotations

import click

from target_automate.journal.intents import State
from target_automate.push.drop import dropping
from target_automate.push.listing import listing, showing

STATES = frozenset({State.WAITING_PARENT, State.WAITING_APPROVAL})
WHAT = "waiting writes"


@click.group()
def waiting() -> None:
    """Writes that wait for what they refer to, or for an approval: look, drop.

    What `approvals` hold goes out with `push plan` and `push apply`; what the DMS wants approved is
    tried again by each run.
    """


waiting.add_command(listing(STATES, WHAT))
waiting.add_command(showing(STATES, WHAT))
waiting.add_command(dropping(STATES, WHAT))
