"""A dealership for the whole session, for tests that only read from it."""

from __future__ import annotations

import typing as t

import pytest
from support.dealership import Dealership, dealership

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def quiet_dealer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dealership]:
    """A small world in which nothing changes; tests that use it leave no rule behind."""
    folder = tmp_path_factory.mktemp("dealership")
    with dealership(folder, "--vehicles", "60", "--days", "10") as running:
        yield running
