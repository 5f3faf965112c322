"""Intents, and a journal to keep them in, for tests of the parts that work on them."""

from __future__ import annotations

import contextlib
import typing as t

from target_automate.journal.file import open_journal
from target_automate.journal.intents import Intent, State
from target_automate.journal.journal import NewIntent
from target_automate.journal.sealing import NoSeal
from target_automate.sinks.table import SINKS

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_automate.journal.journal import Journal

TENANT: t.Final = "dms.example/int_1"
AT: t.Final = 1_790_000_020.0
"""When records come, seconds since 1970."""

OPERATIONS: t.Final = {sink.object: sink.operation for sink in SINKS}


@contextlib.contextmanager
def journal_at(folder: Path, key: str | None = None, *, tenant: str = TENANT) -> Iterator[Journal]:
    """Open the journal of a folder."""
    with open_journal(folder / "journal.db", tenant=tenant, key=key) as journal:
        yield journal


def new(object_name: str = "customers", key: str = "crm-1", **changes: t.Any) -> NewIntent:  # noqa: ANN401 - of any attribute
    """Make an intent that is to be kept."""
    facts: dict[str, t.Any] = {
        "object": object_name,
        "operation": OPERATIONS[object_name],
        "business_key": key,
        "content_hash": "a" * 64,
        "sequence": 1,
        "payload": {"externalId": key},
    }
    return NewIntent(**facts | changes)


def intent(object_name: str = "customers", **changes: t.Any) -> Intent:  # noqa: ANN401 - of any attribute
    """Make an intent that is in no journal."""
    key = changes.get("business_key", "crm-1")
    facts: dict[str, t.Any] = {
        "id": 1,
        "object": object_name,
        "operation": OPERATIONS[object_name],
        "business_key": key,
        "digest": NoSeal().digest(object_name, key),
        "lane": NoSeal().digest(object_name, key),
        "content_hash": "a" * 64,
        "sequence": 1,
        "generation": 0,
        "state": State.PLANNED,
        "payload": {"externalId": key},
        "parent": None,
        "resolved": None,
        "guard": None,
        "look_up": False,
        "approved": False,
        "attempts": 0,
        "created_at": AT,
        "first_sent_at": None,
        "sent_at": None,
        "operation_id": None,
        "dms_id": None,
        "cause": None,
        "reason": None,
    }
    return Intent(**facts | changes)
