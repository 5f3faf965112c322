"""Runs in this process, against a DMS that answers as the test says, by the test's own clock."""

from __future__ import annotations

import contextlib
import threading
import typing as t

from automate_api import settings
from automate_api.config import ApiConfig
from target_automate import config
from target_automate.journal.intents import State
from target_automate.running.run import Run, open_run
from target_automate.target import TargetAutomate

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.clock import FakeClock
    from support.dms import FakeDms


def target_values(dms: FakeDms, folder: Path, **changes: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - settings
    """Give the target's settings, the defaults of all that are not given."""
    own = {"journal_path": str(folder / "journal.db"), "workers": 1}
    given = dms.settings(folder, **own | changes)
    values: dict[str, t.Any] = settings.resolve(
        TargetAutomate.settings_schema(), given, prefix=None
    )
    return values


@contextlib.contextmanager
def running(
    dms: FakeDms,
    clock: FakeClock,
    folder: Path,
    **changes: t.Any,  # noqa: ANN401 - settings
) -> Iterator[Run]:
    """Open a run with the defaults of all settings."""
    values = target_values(dms, folder, **changes)
    api = ApiConfig.from_settings(values, program=config.PROGRAM)
    with open_run(api, values, stop=threading.Event(), clock=clock) as run:
        yield run


def finish(run: Run) -> None:
    """Bring a run to its end as the program does."""
    run.finish(run.look)
    run.check_end()


def states(run: Run) -> list[State]:
    """List where the journal's writes are, in order."""
    return [kept.state for kept in run.journal.having({*State})]
