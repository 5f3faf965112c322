"""`automate-dms push`: what a person does about the writes of target-automate."""

from __future__ import annotations

import click

from target_automate.push.parked import parked
from target_automate.push.plan import apply, plan
from target_automate.push.rejects import rejects
from target_automate.push.status import check, status
from target_automate.push.waiting import waiting


@click.group()
def push() -> None:
    """Look after what is written to the DMS."""


push.add_command(apply)
push.add_command(check)
push.add_command(parked)
push.add_command(plan)
push.add_command(status)
push.add_command(rejects)
push.add_command(waiting)
