"""`automate-dms reference`: pages about streams, sinks, settings and exit codes."""

from __future__ import annotations

import copy
import inspect
import typing as t
from pathlib import Path

import click

from automate_api import contract, whole_files
from automate_api.config import overlay_of
from automate_api.errors import ConfigError
from automate_dms.reference_exit_codes import exit_codes_page
from automate_dms.reference_settings import Program, settings_page
from automate_dms.reference_sinks import sinks_page
from automate_dms.reference_streams import streams_page
from tap_automate.tap import TapAutomate
from tap_outbox.tap import TapOutbox
from target_automate.results_tap import TapAutomateResults
from target_automate.target import TargetAutomate
from target_warehouse.target import TargetWarehouse

if t.TYPE_CHECKING:
    from automate_singer.configured import Configured

FOLDER: t.Final = Path("docs/reference")
PLUGINS: t.Final[tuple[type[Configured], ...]] = (
    TapAutomate,
    TargetAutomate,
    TargetWarehouse,
    TapAutomateResults,
    TapOutbox,
)


def pages(known: contract.Contract) -> dict[str, str]:
    """Write every page of the reference.

    Args:
        known: The API, as its contract or a tenant has it.

    Returns:
        File name to Markdown.
    """
    return {
        "streams.md": streams_page(known),
        "sinks.md": sinks_page(known),
        "settings.md": settings_page(*map(_program, PLUGINS)),
        "exit-codes.md": exit_codes_page(),
    }


def _program(plugin: type[Configured]) -> Program:
    schema = copy.deepcopy(plugin.config_jsonschema)
    plugin.append_builtin_config(schema)
    about = (inspect.getdoc(plugin) or "").partition("\n")[0]
    return Program(plugin.name, about, plugin.env_prefix, schema)


@click.command()
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Folder to write the pages to, made where there is none; {FOLDER} where that is there.",
)
@click.option(
    "--overlay",
    "overlay",
    metavar="FILE",
    help="What your tenant does otherwise, as `contract_overlay` names it: with its further fields "
    "and words.",
)
def reference(folder: Path | None, overlay: str | None) -> None:
    """Write the pages about streams, sinks, settings and exit codes, in Markdown."""
    if folder is None:
        if not FOLDER.is_dir():
            msg = f"There is no {FOLDER} here to write to. Name a folder with --to."
            raise ConfigError(msg)
        folder = FOLDER
    written = pages(contract.load(overlay_of({"contract_overlay": overlay})))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in written.items():
            whole_files.write(folder / name, text.encode())
    except OSError as error:
        msg = f"The folder {folder} cannot be written: {error.strerror}. Name another with --to."
        raise ConfigError(msg) from None
    click.echo(f"Wrote {', '.join(written)} to {folder}.")
