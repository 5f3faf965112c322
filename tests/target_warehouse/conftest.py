"""Fixtures of the loader's tests."""

from __future__ import annotations

import typing as t

import pytest
from support.singer import Loader

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def loader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Loader:
    """A loader with a warehouse of its own."""
    return Loader(tmp_path / "warehouse.duckdb", capsys)
