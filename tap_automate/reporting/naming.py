"""Whether the rows of earlier runs came under the names and words that this run's overlay gives.

A warehouse keeps what it has until it comes again. Rows that were loaded before an overlay was set,
or changed, have the tenant's names in columns of their own; only a first load brings all of them
again. So a stream's state keeps, as `STATE`, what its first load went by.
"""

from __future__ import annotations

import hashlib
import typing as t

from automate_api.errors import ConfigError
from automate_api.exact_json import encode

if t.TYPE_CHECKING:
    from automate_api.tenant.overlay import Overlay

STATE: t.Final = "naming"
"""Where a stream's state has it; missing where names and words were the contract's."""

WARNING: t.Final = (
    "the rows of earlier runs came under other names or words than `contract_overlay` gives now, "
    "and stay as they are until they change. Load the stream anew, without its bookmark "
    "(`meltano run --full-refresh`); columns of the old names stay behind."
)


def naming(overlay: Overlay | None, name: str) -> str:
    """Give what tells the names and words of a resource from others.

    Args:
        overlay: What the tenant does otherwise; None where there is none.
        name: The resource.

    Returns:
        A digest; empty where names and words are the contract's.
    """
    if overlay is None:
        return ""
    said = overlay.resource(name)
    if not (said.fields or said.values):
        return ""
    values = {place: sorted(words.items()) for place, words in said.values.items()}
    text = encode([sorted(said.fields.items()), sorted(values.items())])
    return hashlib.sha256(text).hexdigest()[:16]


def from_state(state: dict[str, t.Any], *, name: str) -> str:
    """Read what a stream's first load went by.

    Args:
        state: What Singer state holds for it.
        name: The stream, for the message.

    Raises:
        ConfigError: When a person edited it into another form.
    """
    kept = state.get(STATE, "")
    if isinstance(kept, str):
        return kept
    msg = f"State of stream '{name}': `{STATE}` must be text, as tap-automate writes it. Remove it."
    raise ConfigError(msg)


def has_rows(state: dict[str, t.Any]) -> bool:
    """Tell whether a stream's state says that rows were loaded."""
    return "replication_key_value" in state or bool(state.get("partitions"))
