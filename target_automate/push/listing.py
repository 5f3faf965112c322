"""Lists of writes that a person looks through, and one write in full."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import time
import typing as t

import click
from rich.text import Text

from automate_api.errors import ConfigError
from automate_api.tables import console, table
from target_automate.journal.file import read_journal
from target_automate.push.options import journal_settings, settings_options
from target_automate.sinks.table import SINKS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from target_automate.journal.intents import Intent, State
    from target_automate.journal.journal import Journal

WIDTH: t.Final = 160
"""Columns where there is no terminal to ask: these tables have many."""
MASK: t.Final = "***"
LIMIT: t.Final = 100

COLUMNS: t.Final = (
    "id", "object", "business key", "cause", "reason", "status", "request id", "attempts", "age",
)  # fmt: skip

KEYS_ARE_SHOWN: t.Final = (
    "Business keys are shown as your records have them (externalId, referenceId, or customer, VIN "
    "and time), since nothing else tells you which record it is; no other value of a record is."
)

_FACTS: t.Final = (
    "id", "object", "operation", "business_key", "state", "cause", "reason", "http_status",
    "request_id", "attempts", "created_at", "sent_at", "settled_at", "dms_id",
)  # fmt: skip
_INSTANTS: t.Final = frozenset({"created_at", "first_sent_at", "sent_at", "settled_at"})


def listing(states: Collection[State], what: str) -> click.Command:
    """Make a `list` command.

    Args:
        states: Of the writes that it lists.
        what: Names them, in the plural.
    """

    @settings_options
    @click.option(
        "--object",
        "object_name",
        type=click.Choice([sink.object for sink in SINKS]),
        help="Of this object alone.",
    )
    @click.option("--json", "as_json", is_flag=True, help="All of them, one JSON object a line.")
    @click.option(
        "--limit",
        type=click.IntRange(1),
        default=LIMIT,
        show_default=True,
        help="Rows of the table.",
    )
    def command(
        sources: tuple[str, ...],
        journal: str | None,
        object_name: str | None,
        limit: int,
        *,
        as_json: bool,
    ) -> None:
        path, key = journal_settings(sources, journal)
        with read_journal(path, key=key) as opened:
            rows = opened.listed(states, object_name)
            if as_json:
                for row in rows:
                    click.echo(json.dumps({name: _plain(name, row[name]) for name in _FACTS}))
                return
            shown = list(itertools.islice(rows, limit))
            counts = opened.counts()
        total = sum(
            count
            for (name, state), count in counts.items()
            if state in states and object_name in {None, name}
        )
        _print(shown, total, what)

    command.__doc__ = f"List {what}, the oldest first.\n\n{KEYS_ARE_SHOWN}"
    return click.command("list")(command)


def showing(states: Collection[State], what: str) -> click.Command:
    """Make a `show` command.

    Args:
        states: Of the writes that it shows.
        what: Names them, in the plural.
    """

    @settings_options
    @click.argument("intent_id", metavar="ID", type=int)
    @click.option("--reveal", is_flag=True, help="Print the record's values, which are personal.")
    def command(
        sources: tuple[str, ...], journal: str | None, intent_id: int, *, reveal: bool
    ) -> None:
        path, key = journal_settings(sources, journal)
        with read_journal(path, key=key) as opened:
            intent = chosen(opened, [intent_id], states, what)[0]
        facts = {
            name: _plain(name, getattr(intent, name))
            for name in (
                "id", "object", "operation", "business_key", "sequence", "state", "cause", "reason",
                "attempts", "created_at", "first_sent_at", "sent_at", "resolved", "dms_id",
                "operation_id",
            )
        }  # fmt: skip
        facts["payload"] = intent.payload if reveal else masked(intent.payload)
        click.echo(json.dumps(facts, indent=2, default=str))

    command.__doc__ = (
        f"Print one of the {what} as JSON; the record's values are masked without --reveal."
    )
    return click.command("show")(command)


def chosen(
    journal: Journal, ids: Iterable[int], states: Collection[State], what: str
) -> list[Intent]:
    """Read the writes that a person has named.

    Args:
        journal: Where they are.
        ids: As the lists show them.
        states: One of which each must be in.
        what: Names such writes, in the plural.

    Raises:
        ConfigError: When one is not there, or in another state.
    """
    found = []
    for intent_id in ids:
        try:
            intent = journal.get(intent_id)
        except LookupError as error:
            raise ConfigError(str(error)) from None
        if intent.state not in states:
            msg = (
                f"Write {intent_id} is {intent.state}, so it is not one of the {what}. "
                "Nothing was changed."
            )
            raise ConfigError(msg)
        found.append(intent)
    return found


def masked(value: object) -> object:
    """Put `***` in the place of each value, so that the names of fields are left."""
    if isinstance(value, dict):
        return {name: masked(part) for name, part in value.items()}
    if isinstance(value, list):
        return [masked(part) for part in value]
    return MASK


def ids_or_all(command: Callable[..., t.Any]) -> Callable[..., t.Any]:
    """Add the arguments that choose writes: their ids, or `--all`."""
    command = click.option("--all", "everything", is_flag=True, help="All of them.")(command)
    return click.argument("ids", metavar="[ID]...", type=int, nargs=-1)(command)


def choice(
    journal: Journal,
    ids: tuple[int, ...],
    *,
    everything: bool,
    states: Collection[State],
    what: str,
) -> list[int]:
    """Read which writes a person has chosen.

    Returns:
        Their ids, the oldest first.

    Raises:
        ConfigError: When one is not there, or in another state.
    """
    if everything:
        return [row["id"] for row in journal.listed(states)]
    return [intent.id for intent in chosen(journal, sorted(set(ids)), states, what)]


def hold_to_one(ids: tuple[int, ...], *, everything: bool) -> None:
    """Refuse a command line that chooses nothing, or twice.

    Raises:
        click.UsageError: When it does.
    """
    if everything is bool(ids):
        msg = "Name the ids of writes, or give --all."
        raise click.UsageError(msg)


def _print(rows: list[dict[str, t.Any]], total: int, what: str) -> None:
    out = console(width=WIDTH)
    if not rows:
        out.print(f"There are no {what}.")
        return
    now = time.time()
    cells = [
        (
            str(row["id"]),
            row["object"],
            row["business_key"],
            row["cause"],
            row["reason"],
            None if row["http_status"] is None else str(row["http_status"]),
            row["request_id"],
            row["attempts"],
            dt.timedelta(seconds=now - (row["settled_at"] or row["created_at"])),
        )
        for row in rows
    ]
    out.print(table(COLUMNS, cells))
    if total > len(rows):
        out.print(Text(f"{total - len(rows):,} more: --limit, or --json for all."))


def _plain(name: str, value: t.Any) -> t.Any:  # noqa: ANN401 - of any column
    if value is not None and name in _INSTANTS:
        return dt.datetime.fromtimestamp(value, dt.UTC).isoformat()
    return value
