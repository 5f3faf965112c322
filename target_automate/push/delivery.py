"""Delivers on a person's command, as target-automate does on a tap's."""

from __future__ import annotations

import collections
import time
import typing as t

import click

from target_automate.journal.file import read_journal
from target_automate.paths import journal_path
from target_automate.push.options import api_config, stoppable
from target_automate.running.report import Report
from target_automate.running.run import Run, open_run

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from automate_api.config import ApiConfig
    from target_automate.journal.intents import State
    from target_automate.push.replays import Held

LOOK_SECONDS: t.Final = 0.25
"""Between two commits of what is done, and updates of the progress line."""


def deliver(
    values: Mapping[str, t.Any], hand_in: Callable[[Run], object], *, alone: bool = False
) -> None:
    """Deliver what a person has decided about, and show what came of it.

    Args:
        values: The target's settings, checked.
        hand_in: Gives the run its work.
        alone: Whether nothing but that is worked on.

    Raises:
        AutomateError: What has ended the run, or what it should not have come to.
    """
    api: ApiConfig = api_config(values)
    report = Report()
    with stoppable() as stop, open_run(api, values, stop=stop, alone=alone) as run:
        looked = 0.0

        def look() -> None:
            nonlocal looked
            if time.monotonic() - looked > LOOK_SECONDS:
                looked = time.monotonic()
                run.journal.flush()
                report.update(run.tally)

        try:
            with report.progress():
                hand_in(run)
                run.work_off(look)
        finally:
            run.close()
            report.table(run.tally, run.stats)
        run.check_end()


def deliver_open(values: Mapping[str, t.Any]) -> None:
    """Deliver everything that the journal holds open, as each run does first.

    Raises:
        AutomateError: What has ended the run, or what it should not have come to.
    """
    deliver(values, Run.recover)


def count_in(values: Mapping[str, t.Any], ids: Sequence[int], state: State) -> int:
    """Count the writes that are in a state.

    Args:
        values: The target's settings, checked.
        ids: The writes.
        state: The state.
    """
    path, key = journal_path(values), values.get("journal_key")
    with read_journal(path, key=key) as journal:
        return sum(journal.get(intent_id).state is state for intent_id in ids)


def tell_held(held: Sequence[Held]) -> None:
    """Say on standard error which writes stay as they are, and why."""
    by_reason = collections.defaultdict[str, list[int]](list)
    for kept in held:
        by_reason[kept.reason].append(kept.id)
    for reason, ids in by_reason.items():
        some = ", ".join(map(str, ids[:10])) + (" ..." if len(ids) > 10 else "")  # noqa: PLR2004 - enough to look at
        click.echo(f"{len(ids):,} left as they are ({some}): {reason}", err=True)
