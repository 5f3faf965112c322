"""The tap's settings, as `--config` names them, for commands that ask a tenant as the tap would."""

from __future__ import annotations

import typing as t

import click

from automate_api import settings
from tap_automate.tap import TapAutomate

if t.TYPE_CHECKING:
    from collections.abc import Sequence

option: t.Final = click.option(
    "--config",
    "sources",
    multiple=True,
    metavar="FILE",
    help="Configuration file (JSON) of tap-automate, or ENV for TAP_AUTOMATE_* variables. May be "
    "repeated, the last wins. Default: ENV.",
)
"""Adds `--config` to a command."""


def schema() -> dict[str, t.Any]:
    """Return the JSON Schema of all settings of the tap, the SDK's own among them."""
    found = TapAutomate.config_jsonschema
    TapAutomate.append_builtin_config(found)
    return found


def given(sources: Sequence[str]) -> dict[str, t.Any]:
    """Read what is set.

    Args:
        sources: JSON files, or `ENV`; the environment where there are none.

    Returns:
        Setting to value, unchecked; null and empty text count as not given.

    Raises:
        ConfigError: When a file cannot be read or is not a JSON object.
    """
    found = settings.from_sources(
        schema(), sources or (settings.ENVIRONMENT,), TapAutomate.env_prefix
    )
    return {name: value for name, value in found.items() if value not in (None, "")}
