"""A DMS on loopback, and doctor run on its settings; time that doctor would wait passes at once."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from support.clock import FakeClock
from support.dms import FakeDms
from support.examination import Examine, Settings, shows_nothing

from automate_api import redaction
from automate_dms.doctor.examination import examine

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from automate_dms.doctor.findings import Report


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test's secrets be replaced in another test's text."""
    monkeypatch.setattr(redaction, "_secrets", set())
    monkeypatch.setattr(redaction, "_pattern", None)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(time.time())


@pytest.fixture
def dms(clock: FakeClock) -> Iterator[FakeDms]:
    with FakeDms(clock=clock.time) as server:
        server.names_culprit = True
        yield server


@pytest.fixture
def doctor(tmp_path: Path, clock: FakeClock) -> Examine:
    def run(values: Settings | str) -> Report:
        file = tmp_path / "config.json"
        file.write_text(values if isinstance(values, str) else json.dumps(values))
        report = examine([str(file)], clock=clock)
        shows_nothing(report)
        return report

    return run
