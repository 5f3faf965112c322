"""A small dealership that the tests of a module share, its faults removed after each of them."""

from __future__ import annotations

import typing as t

import pytest
from support.dealership import Dealership, dealership

if t.TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = ("--vehicles", "60", "--days", "10")


@pytest.fixture(scope="module")
def open_dealer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dealership]:
    """Serve a sandbox whose login has no second factor, so that no test waits for a code."""
    directory = tmp_path_factory.mktemp("dealer")
    with dealership(directory, *SMALL, "--mfa-type", "none") as running:
        yield running


@pytest.fixture
def dealer(open_dealer: Dealership) -> Iterator[Dealership]:
    yield open_dealer
    open_dealer.control("reset-faults", {})
    open_dealer.control("unlock", {})
