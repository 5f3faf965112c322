"""The SDK's own tests for targets, as they come; what they cannot see is in the tests beside."""

from __future__ import annotations

import typing as t

import pytest
from singer_sdk.testing import get_target_test_class

from target_warehouse.target import TargetWarehouse

if t.TYPE_CHECKING:
    from pathlib import Path


Standard: t.Any = get_target_test_class(TargetWarehouse, config={"filepath": "replaced"})


class TestStandard(Standard):  # type: ignore[misc]
    """Every test of the SDK, on a warehouse of its own."""

    @pytest.fixture(autouse=True)
    def _own_file(self, tmp_path: Path, runner: t.Any) -> None:  # noqa: ANN401 - the SDK's runner
        runner.config["filepath"] = str(tmp_path / "warehouse.duckdb")
