"""What the commands of `automate-dms push` share: where settings come from, and how they end."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import typing as t

import click

from automate_api import redaction, settings
from automate_api.config import REQUIRED, SETTINGS, ApiConfig
from automate_api.errors import EXIT_SIGINT, EXIT_SIGTERM, StoppedError
from target_automate import config
from target_automate.paths import JOURNAL_SETTINGS, journal_path

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import FrameType

    Command = t.TypeVar("Command", bound=Callable[..., t.Any])

SCHEMA: t.Final[Mapping[str, t.Any]] = {
    "type": "object",
    "properties": {**SETTINGS, **config.TARGET_SETTINGS},
    "required": list(REQUIRED),
}
JOURNAL_SCHEMA: t.Final[Mapping[str, t.Any]] = {"type": "object", "properties": JOURNAL_SETTINGS}


def settings_options(command: Command) -> Command:
    """Add `--config` and `--journal`, which every command of the group takes."""
    command = click.option(
        "--journal",
        metavar="PATH",
        help="The journal's file, instead of the setting `journal_path`.",
    )(command)
    return click.option(
        "--config",
        "sources",
        multiple=True,
        metavar="FILE",
        help=f"Configuration file (JSON), or ENV for {config.ENV_PREFIX}* variables. May be "
        "repeated, the last wins. Default: ENV.",
    )(command)


def target_settings(sources: tuple[str, ...], journal: str | None) -> dict[str, t.Any]:
    """Read and check all settings of target-automate.

    Args:
        sources: As `--config` names them.
        journal: As `--journal` names it.

    Raises:
        ConfigError: With one line for each setting that is missing or wrong.
    """
    values = _read(SCHEMA, sources, journal)
    settings.check(SCHEMA, values, program=config.PROGRAM, further=config.problems)
    return values


def api_config(values: Mapping[str, t.Any]) -> ApiConfig:
    """Make of the settings what the client works with.

    Raises:
        ConfigError: With one line for each setting that is wrong.
    """
    return ApiConfig.from_settings(values, program=config.PROGRAM)


def journal_settings(sources: tuple[str, ...], journal: str | None) -> tuple[Path, str | None]:
    """Find the journal, for what needs nothing but it.

    Args:
        sources: As `--config` names them.
        journal: As `--journal` names it.

    Returns:
        The file's path, and the key that opens it.

    Raises:
        ConfigError: When the settings about it cannot be used.
    """
    values = _read(JOURNAL_SCHEMA, sources, journal)
    settings.check(JOURNAL_SCHEMA, values, program=config.PROGRAM)
    return journal_path(values), values.get("journal_key")


@contextlib.contextmanager
def stoppable() -> Iterator[threading.Event]:
    """Have SIGINT and SIGTERM end the block between two steps; a second one ends it at once.

    Yields:
        Set by the signal.

    Raises:
        StoppedError: When one came, whatever error came of it.
    """
    stop, came = threading.Event(), list[int]()

    def note(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        came.append(signum)
        stop.set()
        for name in handlers:
            signal.signal(name, signal.SIG_DFL)

    handlers = {name: signal.signal(name, note) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    except Exception:
        if not came:
            raise
        code = EXIT_SIGINT if came[0] == signal.SIGINT else EXIT_SIGTERM
        raise StoppedError(code) from None
    finally:
        for name, handler in handlers.items():
            signal.signal(name, handler)


def log_plainly() -> None:
    """Show warnings and errors on standard error, as a person reads them."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")


def _read(
    schema: Mapping[str, t.Any], sources: tuple[str, ...], journal: str | None
) -> dict[str, t.Any]:
    given = settings.from_sources(schema, sources or (settings.ENVIRONMENT,), config.ENV_PREFIX)
    known = {name: value for name, value in given.items() if value not in (None, "")}
    redaction.register_settings(schema, known)
    values = settings.resolve(schema, known)
    if journal is not None:
        values["journal_path"] = journal
    return values
