"""Streams as taps of others write them, and what has to stand in the warehouse after each.

Beside each `data/<name>.singer` lies `<name>.json`: the STATE values that come out, and for each
table its columns in order and its rows as text, sorted.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from support.singer import Loader

FILES = sorted((Path(__file__).parent / "data").glob("*.singer"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("batch_size_rows", [1, 50_000])
def test_a_foreign_taps_stream_becomes_these_tables(
    loader: Loader,
    file: Path,
    batch_size_rows: int,
) -> None:
    expected = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    lines = file.read_text(encoding="utf-8").splitlines()
    assert loader.run(lines, batch_size_rows=batch_size_rows) == expected["states"]
    tables = loader.query("SELECT table_name FROM duckdb_tables() ORDER BY 1")
    assert [name for (name,) in tables] == sorted(expected["tables"])
    for table, content in expected["tables"].items():
        assert list(loader.types(table).items()) == list(content["columns"].items())
        sql = f'SELECT COLUMNS(*)::VARCHAR FROM "{table}" ORDER BY ALL'  # noqa: S608 - our own data
        assert [list(row) for row in loader.query(sql)] == content["rows"]
