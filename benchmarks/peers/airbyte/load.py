"""Loads the vehicles into DuckDB with PyAirbyte: `load.py BASE_URL TOKEN FOLDER`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# No figures to anyone, no look at the registry of connectors.
os.environ["DO_NOT_TRACK"] = "1"
os.environ["AIRBYTE_OFFLINE_MODE"] = "1"
BASE_URL, TOKEN, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
os.environ["AIRBYTE_PROJECT_DIR"] = os.environ["AIRBYTE_LOGGING_ROOT"] = str(FOLDER)

import airbyte  # type: ignore[import-not-found]  # noqa: E402 - after its settings
from airbyte.caches import DuckDBCache  # type: ignore[import-not-found]  # noqa: E402


def main() -> None:
    """Read the stream into the cache, which replaces the rows of a key."""
    source = airbyte.get_source(
        "source-dealer",
        config={"base_url": BASE_URL, "token": TOKEN},
        source_manifest=Path(__file__).with_name("manifest.yaml"),
        streams=["vehicles"],
    )
    cache = DuckDBCache(db_path=FOLDER / "warehouse.duckdb", schema_name="dealer")
    source.read(cache=cache, write_strategy="merge", force_full_refresh=True)


if __name__ == "__main__":
    main()
