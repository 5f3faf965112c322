"""A journal and the DMS's lists, for tests of the parts that work on them."""

from __future__ import annotations

import typing as t

import pytest
from support.intents import journal_at
from support.listing import Lists

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_automate.journal.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty journal, open for writing."""
    with journal_at(tmp_path) as opened:
        yield opened


@pytest.fixture
def lists() -> Lists:
    """Lists of a DMS, to be filled."""
    return Lists()
