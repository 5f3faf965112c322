"""The file that `--propose` names: an overlay for a person to look at, with its reasons on top."""

from __future__ import annotations

import typing as t
from pathlib import Path

import click

from automate_api import whole_files
from automate_api.errors import ConfigError
from automate_api.tenant import proposal

if t.TYPE_CHECKING:
    from collections.abc import Iterable

HEAD: t.Final = (
    "What this tenant does otherwise than the contract, as its answers show it.",
    "A proposal: look at every line before `contract_overlay` names this file.",
)

option: t.Final = click.option(
    "--propose",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write an overlay (`contract_overlay`) of what this tenant does otherwise, the present "
    "one included, to FILE, which must not be there yet.",
)
"""Adds `--propose` to a command."""


def check(path: Path) -> None:
    """See before anything is asked that a proposal can be written.

    Args:
        path: Where to.

    Raises:
        ConfigError: When it is there already, or its folder is not.
    """
    if path.exists():
        msg = f"{path} is there already. Name another file by --propose."
        raise ConfigError(msg)
    if not path.parent.is_dir():
        msg = f"There is no folder {path.parent}. Name another file by --propose."
        raise ConfigError(msg)


def write(path: Path, document: proposal.Document | None, reasons: Iterable[str]) -> None:
    """Write a proposal, and say on standard error that it is there.

    Args:
        path: Where to.
        document: What its file holds; None when there is nothing to propose.
        reasons: What speaks for it, a sentence each; they become comments.

    Raises:
        ConfigError: When it cannot be written.
    """
    if document is None:
        click.echo(f"There is nothing to propose; {path} is not written.", err=True)
        return
    lines = [f"# {line}\n" for line in (*HEAD, *reasons)]
    try:
        whole_files.write(path, "".join((*lines, proposal.written(document))).encode())
    except OSError as error:
        msg = f"The proposal cannot be written to {path} ({error.strerror}). Name another file."
        raise ConfigError(msg) from None
    click.echo(f"The proposal is in {path}: look at it, then set `contract_overlay`.", err=True)
