"""`automate-dms push status` and `check`: how the journal stands, and what may be written."""

from __future__ import annotations

import datetime as dt
import json
import time
import typing as t

import click

from automate_api.errors import NotEntitledError
from automate_api.session import Session
from automate_api.tables import console, table
from target_automate.intents import OPEN
from target_automate.journal_file import read_journal
from target_automate.keys import PROOF
from target_automate.paths import journal_path
from target_automate.push_options import (
    api_config,
    journal_settings,
    log_plainly,
    settings_options,
    stoppable,
    target_settings,
)
from target_automate.sinks import SINKS

FORBIDDEN: t.Final = 403


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
def check(sources: tuple[str, ...], journal: str | None) -> None:
    """Log in and say what may be written; writes nothing, neither to the DMS nor to the journal."""
    log_plainly()
    values = target_settings(sources, journal)
    api = api_config(values)
    with stoppable() as stop:
        session = Session(api, stop=stop)
        try:
            entitlements = session.entitlements
        finally:
            session.close()
    missing = []
    for sink in SINKS:
        needed = " or ".join(sorted(sink.entitlements)) or "nothing in particular"
        allowed = not sink.entitlements or bool(sink.entitlements & entitlements)
        click.echo(f"{sink.object}: {'may be written' if allowed else f'needs {needed}'}")
        if not allowed:
            missing.append(sink.object)
    path = journal_path(values)
    click.echo(f"journal: {path}{'' if path.exists() else ', made by the first push'}")
    if len(missing) == len(SINKS):
        msg = "This login may write nothing; the dealer can change that."
        raise NotEntitledError(msg, status=FORBIDDEN)


def _ages(state: str) -> bool:
    return state in OPEN or state in {"PARKED", "REJECTED"}
