"""Where the journal lies and what opens it: settings of every program that reads or writes it."""

from __future__ import annotations

import typing as t

from automate_api import settings

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

JOURNAL_SETTINGS: t.Final[dict[str, t.Any]] = {
    "journal_path": {
        "type": ["string", "null"],
        "minLength": 1,
        "title": "Journal",
        "description": (
            "The file of the journal, on storage that outlives the process: without it a rerun has "
            "to look up in the DMS what was written. "
            "Default: `$XDG_STATE_HOME/automate-dms/journal.db`, or "
            "`~/.local/state/automate-dms/journal.db`."
        ),
    },
    "journal_key": {
        "type": ["string", "null"],
        "minLength": 16,
        "secret": True,
        "writeOnly": True,
        "title": "Key of the journal",
        "description": (
            "Encrypts what is personal in the journal and in plan files. It holds from the "
            "journal's first day on and cannot be changed or set later."
        ),
    },
}
"""`journal_path` and `journal_key`, as a program's settings declare them."""


def journal_path(values: Mapping[str, t.Any]) -> Path:
    """Find the journal.

    Args:
        values: Setting to value, checked.

    Returns:
        The absolute path of the file, which may not exist yet.

    Raises:
        ConfigError: When there is no home directory to look in.
    """
    named = values.get("journal_path")
    if named is not None:
        return settings.path("journal_path", named)
    return settings.state_home("journal_path") / "journal.db"
