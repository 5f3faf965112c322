"""A served sandbox and a visitor who is logged in there."""

from __future__ import annotations

import typing as t

import pytest
from support.visitor import Shop, Visitor, serving, visiting

if t.TYPE_CHECKING:
    from collections.abc import Iterator

SMALL: t.Final = ("--vehicles", "60", "--days", "20")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Serve a small world without a second factor."""
    with serving(tmp_path_factory.mktemp("shop"), *SMALL, "--mfa-type", "none") as served:
        yield served


@pytest.fixture
def visitor(shop: Shop) -> Iterator[Visitor]:
    """Log in at the small world; its faults are gone afterwards."""
    with visiting(shop) as guest:
        yield guest
    shop.control("reset-faults", {})
    shop.control("unlock", {})
