"""`automate-dms login`: a person proves the credentials, and jobs refresh from then on."""

from __future__ import annotations

import logging
import typing as t

import click

from automate_api import settings
from automate_api.config import SCHEMA, ApiConfig
from automate_api.session import Session

PREFIX: t.Final = "TAP_AUTOMATE_"


@click.command()
@click.option(
    "--config",
    "sources",
    multiple=True,
    metavar="FILE",
    help=f"Configuration file (JSON), or ENV for {PREFIX}* variables. May be repeated, the last "
    "wins. Default: ENV.",
)
@click.option(
    "--reset",
    is_flag=True,
    help="Forget the kept session first, with refused logins and the lock-out.",
)
def login(sources: tuple[str, ...], *, reset: bool) -> None:
    """Log in once with the settings of the tap, and say as whom and what for."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    # This command says itself what the session's log says to runs.
    logging.getLogger("automate_api.session").setLevel(logging.WARNING)
    given = settings.from_sources(SCHEMA, sources or (settings.ENVIRONMENT,), PREFIX)
    config = ApiConfig.from_settings(given, program="tap-automate")
    session = Session(config)
    if reset:
        session.reset()
    session.log_in()
    entitlements = ", ".join(sorted(session.entitlements)) or "nothing in particular"
    click.echo(f"Logged in as {session.user_id or 'an unnamed user'}.", err=True)
    click.echo(f"Entitled to: {entitlements}.", err=True)
    if config.session_path is None:
        click.echo("The session ends with this command (`session_store: memory`).", err=True)
    session.close()
