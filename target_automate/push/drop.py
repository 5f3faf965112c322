"""Gives up writes that a person has chosen."""

from __future__ import annotations

import time
import typing as t

import click

from target_automate.journal.file import change_journal
from target_automate.push import replays
from target_automate.push.listing import choice, hold_to_one, ids_or_all
from target_automate.push.options import journal_settings, settings_options

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from target_automate.journal.intents import State


def dropping(states: Collection[State], what: str) -> click.Command:
    """Make a `drop` command.

    Args:
        states: Of the writes that it drops.
        what: Names them, in the plural.
    """

    @settings_options
    @ids_or_all
    def command(
        sources: tuple[str, ...], journal: str | None, ids: tuple[int, ...], *, everything: bool
    ) -> None:
        hold_to_one(ids, everything=everything)
        drop_chosen(sources, journal, ids, everything=everything, what=what, states=states)

    command.__doc__ = (
        f"Give {what} up for good.\n\n"
        "The same record sent again is then taken for one that is done with; a changed one goes "
        "out."
    )
    return click.command("drop")(command)


def drop_chosen(  # noqa: PLR0913 - what a command line names
    sources: tuple[str, ...],
    journal: str | None,
    ids: tuple[int, ...],
    *,
    everything: bool,
    what: str,
    states: Collection[State],
) -> None:
    """Drop the writes that a command line has chosen.

    Raises:
        ConfigError: When one is not there, or in another state.
    """
    path, key = journal_settings(sources, journal)
    with change_journal(path, key=key) as opened:
        selected = choice(opened, ids, everything=everything, states=states, what=what)
        replays.drop(opened, selected, time.time())
    click.echo(f"{len(selected):,} dropped.", err=True)
