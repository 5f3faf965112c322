"""`automate-dms push plan` and `apply`: see what would be sent, then send exactly that."""

from __future__ import annotations

import collections
import typing as t
from pathlib import Path

import click

from automate_api import redaction
from automate_api.errors import ConfigError
from automate_api.exact_json import encode
from automate_api.tables import console, table
from target_automate.checks.changes import SEEN
from target_automate.checks.references import lane_of, parent_of
from target_automate.journal.intents import OPEN, Brief, State
from target_automate.journal.journal import NewIntent
from target_automate.push import plan_file
from target_automate.push.delivery import deliver
from target_automate.push.listing import MASK, WIDTH
from target_automate.push.options import (
    api_config,
    log_plainly,
    settings_options,
    target_settings,
)
from target_automate.push.planning import Forecast, Planner, open_planner
from target_automate.records.records import add_behind
from target_automate.running.parts import tenant_of
from target_automate.sinks.table import by_object
from target_automate.target import TargetAutomate

if t.TYPE_CHECKING:
    from automate_singer.sdk_seams import Message, Record
    from target_automate.push.plan_file import Plan, PlannedWrite
    from target_automate.running.run import Run
    from target_automate.sinks.declarations import SinkDeclaration

SHOWN: t.Final = 20


class PlanReader(TargetAutomate):
    """Reads the same input in the same way as the target, for a plan."""

    planner: Planner

    def take(self, sink: SinkDeclaration, record: Record, message: Message) -> None:  # noqa: ARG002 - the hook's
        """Hand a record to the planner."""
        self.planner.take(sink, record)

    def state_received(self, value: t.Any) -> None:  # noqa: ANN401 - any JSON
        """Leave STATE alone: nothing is delivered."""

    def process_endofpipe(self) -> None:
        """Do nothing: nothing was begun."""

    def _look(self) -> None:
        """Do nothing: there is no run to look at."""


@click.command()
@settings_options
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The plan's file."
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option(
    "--show",
    type=click.IntRange(0),
    default=SHOWN,
    show_default=True,
    help="Writes to show one by one; as many customers are compared with the DMS.",
)
def plan(
    sources: tuple[str, ...], journal: str | None, out: Path, show: int, *, force: bool
) -> None:
    """Read Singer messages on standard input, and say what pushing them would do.

    Nothing is sent and nothing is changed: neither journal, nor STATE, nor DMS.
    """
    log_plainly()
    if out.exists() and not force:
        msg = f"{out} is there already. Name another file, or give --force."
        raise ConfigError(msg)
    values = target_settings(sources, journal)
    reader = PlanReader(config=values)
    try:
        with open_planner(api_config(values), values, stop=reader.stop) as planner:
            reader.planner = planner
            reader.listen()
            made, forecasts = planner.plan(show)
    except Exception:
        if reader.stopped is None:
            raise
        raise reader.stopped from None
    plan_file.write(out, made, values.get("journal_key"))
    _print(forecasts, show)
    click.echo(f"{len(made.writes):,} writes are in {out}: `automate-dms push apply {out}`.")


@click.command()
@settings_options
@click.argument("file", type=click.Path(path_type=Path))
def apply(sources: tuple[str, ...], journal: str | None, file: Path) -> None:
    """Send exactly what the plan FILE holds, with what `approvals` would hold back.

    What has been sent by an earlier `apply` of the same plan is not sent again.
    """
    log_plainly()
    values = target_settings(sources, journal)
    made = plan_file.read(file, values.get("journal_key"))
    tenant = tenant_of(api_config(values))
    if made.tenant != tenant:
        msg = f"The plan is for {made.tenant}, and the settings are for {tenant}."
        raise ConfigError(msg)
    deliver(values, lambda run: run.deliver(take_up(run, made)), alone=True)


def take_up(run: Run, made: Plan) -> list[Brief]:
    """Make intents of a plan's writes, or find them; all of them or none.

    Args:
        run: That is to deliver them.
        made: The plan, of this tenant.

    Returns:
        What is to be delivered: what an earlier run has settled is left out.

    Raises:
        ConfigError: When the journal has moved on since the plan was made.
    """
    journal = run.journal
    if made.journal_id not in {None, journal.journal_id}:
        msg = "The plan was made with another journal; plan again."
        raise ConfigError(msg)
    moved = collections.Counter[str]()
    last: dict[tuple[str, bytes], int] = {}
    for write in made.writes:
        key = (write.object, journal.seal.digest(write.object, write.business_key))
        heads = {head.sequence: head for head in journal.heads(*key)}
        newest = last.get(key, max(heads, default=0))
        here = heads.get(write.sequence)
        same = here is not None and here.content_hash == write.content_hash
        # Something else of the key that is open has to go first, and is none of the plan's.
        behind = key not in last and newest in heads and heads[newest].state in OPEN
        if not same and (here is not None or behind or write.sequence != newest + 1):
            moved[write.object] += 1
        last[key] = max(newest, write.sequence)
    if moved:
        counts = ", ".join(f"{count:,} {name}" for name, count in moved.items())
        msg = f"The journal has moved on since the plan was made ({counts}); plan again."
        raise ConfigError(msg)
    briefs = [brief for write in made.writes if (brief := _intent(run, write)) is not None]
    journal.flush()
    return briefs


def _intent(run: Run, write: PlannedWrite) -> Brief | None:
    """Approve a write's intent, made when there is none; None when it is settled."""
    journal, at = run.journal, run.now()
    digest = journal.seal.digest(write.object, write.business_key)
    heads = {head.sequence: head for head in journal.heads(write.object, digest)}
    here = heads.get(write.sequence)
    if here is not None:
        if here.state not in OPEN:
            return None
        unsent = here.state in {State.WAITING_APPROVAL, State.WAITING_PARENT}
        state = State.PLANNED if unsent else here.state
        if state is State.SENT:
            state = State.UNKNOWN
        known = journal.get(here.id)
        journal.change(here.id, state, at, approved=True, guard=known.guard or _guard(write))
        return Brief(here.id, write.object, digest, known.lane, state)
    newest = heads[max(heads)] if heads else None
    sink = by_object(write.object)
    lane = lane_of(journal, sink, write.business_key, write.payload)
    new = NewIntent(
        object=write.object,
        operation=sink.operation,
        business_key=write.business_key,
        content_hash=write.content_hash,
        sequence=write.sequence,
        payload=write.payload,
        lane=lane,
        parent=parent_of(journal, sink, write.payload),
        guard=_guard(write),
        approved=True,
    )
    return Brief(add_behind(journal, newest, new, at), write.object, digest, lane, State.PLANNED)


def _guard(write: PlannedWrite) -> dict[str, str] | None:
    """Hold a write to what the person who approved it has seen."""
    return None if write.seen is None else {SEEN: write.seen}


def _print(forecasts: list[Forecast], show: int) -> None:
    out = console(width=WIDTH)
    counts = collections.Counter((forecast.object, forecast.action) for forecast in forecasts)
    rows = [(name, action, count) for (name, action), count in sorted(counts.items())]
    out.print(table(("object", "action", "records"), rows))
    busy = [forecast for forecast in forecasts if forecast.action != "no-op"]
    if busy and show:
        details = [
            (found.object, found.business_key, found.action, found.note, _shown(found))
            for found in busy[:show]
        ]
        out.print(table(("object", "business key", "action", "note", "changes"), details))
    if len(busy) > show:
        out.print(f"{len(busy) - show:,} more; see --show.")


def _shown(forecast: Forecast) -> str | None:
    """Write the changes of fields, personal values masked."""
    parts = []
    for name, (old, new) in forecast.changes.items():
        hidden = redaction.is_personal(name) or isinstance(new, (dict, list))
        texts = [MASK if hidden else encode(value).decode() for value in (old, new)]
        parts.append(f"{name}: {' -> '.join(texts)}")
    return "; ".join(parts) or None
