"""Servers, clocks and clients for the tests of session and client."""

from __future__ import annotations

import contextlib
import typing as t

import pytest
from support.clock import FakeClock
from support.dms import FakeDms

from automate_api import redaction
from automate_api.client import Client
from automate_api.config import ApiConfig
from automate_api.session import Session

if t.TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path


class Connect(t.Protocol):
    """Makes a session and a client of the fake DMS, as one process has them."""

    def __call__(
        self,
        *,
        stop: threading.Event | None = None,
        **settings: t.Any,  # noqa: ANN401 - a setting has any type
    ) -> tuple[Session, Client]:
        """Connect with the fake's settings, changed by `settings`."""


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test's secrets be replaced in another test's text."""
    monkeypatch.setattr(redaction, "_secrets", set())
    monkeypatch.setattr(redaction, "_pattern", None)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def dms(clock: FakeClock) -> Iterator[FakeDms]:
    with FakeDms(clock=clock.time) as server:
        yield server


@pytest.fixture
def connect(dms: FakeDms, clock: FakeClock, tmp_path: Path) -> Iterator[Connect]:
    with contextlib.ExitStack() as open_ones:

        def make(
            *,
            stop: threading.Event | None = None,
            **settings: t.Any,  # noqa: ANN401 - a setting has any type
        ) -> tuple[Session, Client]:
            config = ApiConfig.from_settings(dms.settings(tmp_path, **settings))
            session = Session(config, stop=stop, clock=clock, chance=lambda: 0.5)
            open_ones.callback(session.close)
            client = Client(config, session, stop=stop, clock=clock, chance=lambda: 0.5)
            open_ones.callback(client.close)
            return session, client

        yield make


@pytest.fixture
def session(connect: Connect) -> Session:
    return connect()[0]


@pytest.fixture
def client(connect: Connect) -> Client:
    return connect()[1]
