"""A tap without a network, for what needs none, and one that reads a fake DMS."""

from __future__ import annotations

import json
import typing as t

import pytest
from support.dealership import Run, run

from tap_automate.tap import TapAutomate

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.dms import FakeDms


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


@pytest.fixture
def extract_from(tmp_path: Path, make_tap: Callable[..., TapAutomate]) -> Callable[..., Run]:
    """Read some streams of a fake DMS in a process of its own."""

    def extract(
        dms: FakeDms,
        *streams: str,
        state: dict[str, t.Any] | None = None,
        **settings: t.Any,  # noqa: ANN401 - settings
    ) -> Run:
        catalog = make_tap(**settings).catalog_dict
        for entry in catalog["streams"]:
            root = next(each for each in entry["metadata"] if not each["breadcrumb"])
            root["metadata"]["selected"] = entry["tap_stream_id"] in streams
        files = {
            "config": dms.settings(tmp_path, **settings),
            "catalog": catalog,
            "state": state or {},
        }
        arguments: list[str | Path] = []
        for name, content in files.items():
            path = tmp_path / f"{name}.json"
            path.write_text(json.dumps(content))
            arguments += [f"--{name}", path]
        return run("tap-automate", *arguments)

    return extract
