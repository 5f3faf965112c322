"""A tap without a network, for what needs none."""

from __future__ import annotations

import typing as t

import pytest

from tap_automate.tap import TapAutomate

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def offline_settings(tmp_path: Path) -> dict[str, t.Any]:
    return {
        "api_url": "http://127.0.0.1:9",
        "integration_id": "none",
        "platform_token": "a-platform-token",
        "username": "someone",
        "password": "a-password",
        "session_path": str(tmp_path / "session"),
    }


@pytest.fixture
def make_tap(offline_settings: dict[str, t.Any]) -> Callable[..., TapAutomate]:
    def make(*, catalog: dict[str, t.Any] | None = None, **changes: t.Any) -> TapAutomate:  # noqa: ANN401
        return TapAutomate(config={**offline_settings, **changes}, catalog=catalog)

    return make
