"""`automate-dms push status` and `check`: how the journal stands, and what may be written."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import time
import typing as t

import click

from automate_api.client import Client
from automate_api.errors import NotEntitledError, NotOfferedError
from automate_api.session import Session
from automate_api.tables import console, table
from target_automate.journal.file import NoJournalError, hold_to_tenant, read_journal
from target_automate.journal.intents import OPEN
from target_automate.paths import journal_path
from target_automate.push.lists import unread
from target_automate.push.options import (
    api_config,
    journal_settings,
    log_plainly,
    settings_options,
    stoppable,
    target_settings,
)
from target_automate.running.parts import tenant_of
from target_automate.sending.keys import PROOF
from target_automate.sinks.entities import lists_of
from target_automate.sinks.table import SINKS

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from automate_api.tenant.overlay import Overlay
    from target_automate.push.lists import Unread

FORBIDDEN: t.Final = 403
NOT_FOUND: t.Final = 404


@click.command()
@settings_options
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def status(sources: tuple[str, ...], journal: str | None, *, as_json: bool) -> None:
    """Count the writes of the journal by object and state, also while a target runs."""
    path, key = journal_settings(sources, journal)
    with read_journal(path, key=key) as opened:
        counts, oldest = opened.counts(), opened.oldest()
        tenant, proof = opened.fact("tenant"), opened.fact(PROOF)
    now = time.time()
    if as_json:
        states = [
            {"object": name, "state": state, "writes": count, "oldest": oldest[name, state]}
            for (name, state), count in sorted(counts.items())
        ]
        facts = {"journal": str(path), "tenant": tenant, "keysProved": bool(proof)}
        click.echo(json.dumps({**facts, "writes": states}))
        return
    rows = [
        (
            name,
            state,
            count,
            dt.timedelta(seconds=now - oldest[name, state]) if _ages(state) else None,
        )
        for (name, state), count in sorted(counts.items())
    ]
    out = console()
    out.print(table(("object", "state", "writes", "oldest"), rows))
    proved = "shown by an answer" if proof else "not shown by any answer"
    click.echo(f"Journal {path} of {tenant}. That the DMS honours keys is {proved}.")


@click.command()
@settings_options
@click.option(
    "--object",
    "objects",
    type=click.Choice([sink.object for sink in SINKS]),
    multiple=True,
    help="What you push; may be repeated. Default: all of them.",
)
def check(sources: tuple[str, ...], journal: str | None, objects: tuple[str, ...]) -> None:
    """Log in, open the journal, and say what may be written.

    Nothing is written, neither to the DMS nor to the journal. Each list that records are looked up
    in is asked for one. It ends with 1 when the login may not write one of the objects, or the
    tenant does not have, or show it, the list of what one changes.
    """
    log_plainly()
    values = target_settings(sources, journal)
    api = api_config(values)
    about_journal, proved = _journal(values, tenant_of(api))
    pushed = [sink for sink in SINKS if not objects or sink.object in objects]
    with (
        stoppable() as stop,
        contextlib.closing(Session(api, stop=stop)) as session,
        contextlib.closing(Client(api, session, stop=stop)) as client,
    ):
        entitlements = session.entitlements
        writable = [
            sink for sink in pushed if not sink.entitlements or sink.entitlements & entitlements
        ]
        unlisted = list(unread(client, lists_of(api), writable))
    for sink in pushed:
        needed = " or ".join(sorted(sink.entitlements))
        said = "may be written" if sink in writable else f"needs {needed}"
        click.echo(f"{sink.object}: {said}")
    for entity, sinks, reason in unlisted:
        names = ", ".join(sink.object for sink in sinks)
        click.echo(f"list of {entity.name}: cannot be read, and {names} may need it. {reason}")
    click.echo(f"journal: {about_journal}")
    click.echo(f"keys: {_about_keys(values['idempotency_honoured'], proved=proved)}")
    if missing := [sink.object for sink in pushed if sink not in writable]:
        msg = (
            f"This login may not write {', '.join(missing)}. Have the dealer grant what it needs, "
            "or name with --object what you push."
        )
        raise NotEntitledError(msg, status=FORBIDDEN)
    if unseen := list(_unseen(unlisted, api.overlay)):
        msg = (
            f"What {', '.join(unseen)} change cannot be looked up. Have the dealer grant it, say "
            "in `contract_overlay` where it is, or name with --object what you push."
        )
        raise NotOfferedError(msg, status=NOT_FOUND)


def _unseen(unlisted: Iterable[Unread], overlay: Overlay | None) -> Iterator[str]:
    """Name the objects that change what cannot be looked up: no change is sent unread.

    Not where the overlay says itself that there is no list: then they name records by their ids.
    """
    for entity, sinks, _ in unlisted:
        if overlay is None or overlay.offers(entity.name):
            yield from (sink.object for sink in sinks if sink.change is not None)


def _journal(values: Mapping[str, t.Any], tenant: str) -> tuple[str, bool]:
    """Open the journal, if there is one.

    Returns:
        What there is to say of it, and whether an answer has shown that the DMS honours keys.

    Raises:
        ConfigError: When it is another tenant's, another program's, or the key is wrong.
        JournalError: When it cannot be opened.
    """
    path = journal_path(values)
    try:
        with read_journal(path, key=values.get("journal_key")) as opened:
            hold_to_tenant(opened, tenant)
            counts, proof = opened.counts(), opened.fact(PROOF)
    except NoJournalError:
        return f"{path}, made by the first push", False
    left = sum(count for (_, state), count in counts.items() if state in OPEN)
    return f"{path}, {sum(counts.values()):,} writes, {left:,} of them open", bool(proof)


def _about_keys(policy: str, *, proved: bool) -> str:
    """Say how a write is settled whose answer was lost."""
    if policy == "honoured":
        return "honoured, say the settings: what got no answer is sent again under its key"
    if policy == "ignored":
        return "ignored, say the settings: what got no answer is read back"
    if proved:
        return "honoured, an answer has shown: what got no answer is sent again under its key"
    return "not relied on until an answer shows that they are honoured: what got none is read back"


def _ages(state: str) -> bool:
    return state in OPEN or state in {"PARKED", "REJECTED"}
