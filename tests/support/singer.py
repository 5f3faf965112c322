"""Singer messages in short, and a loader to feed them to."""

from __future__ import annotations

import io
import json
import typing as t

import duckdb

from target_warehouse.target import TargetWarehouse

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

Message = dict[str, t.Any]


def schema(stream: str, keys: list[str] | None = None, /, **properties: t.Any) -> Message:  # noqa: ANN401 - JSON Schemas
    """Write a SCHEMA message; a property may be just the name of its type."""
    spelled = {
        name: {"type": [declared, "null"]} if isinstance(declared, str) else declared
        for name, declared in properties.items()
    }
    return {
        "type": "SCHEMA",
        "stream": stream,
        "key_properties": keys or [],
        "schema": {"type": "object", "properties": spelled},
    }


def record(stream: str, version: int | None = None, /, **fields: t.Any) -> Message:  # noqa: ANN401 - JSON values
    """Write a RECORD message, with its version if it has one."""
    message = {"type": "RECORD", "stream": stream, "record": fields}
    return message if version is None else {**message, "version": version}


def state(value: object) -> Message:
    """Write a STATE message."""
    return {"type": "STATE", "value": value}


def lines_of(messages: Iterable[Message | str]) -> str:
    """Write messages as lines; text stays as it is, for numbers that Python would round."""
    return "".join(
        (message if isinstance(message, str) else json.dumps(message)) + "\n"
        for message in messages
    )


def drained(target: TargetWarehouse, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the number of rows whenever a target drains."""
    sizes: list[int] = []
    drain = target.drain

    def counted() -> None:
        sizes.append(sum(sink.current_size for sink in target.active_sinks()))
        drain()

    monkeypatch.setattr(target, "drain", counted)
    return sizes


class Loader:
    """Runs the target in this process, on one warehouse file."""

    def __init__(self, path: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capture = capture

    def target(self, **settings: t.Any) -> TargetWarehouse:  # noqa: ANN401 - settings
        return TargetWarehouse(config={"filepath": str(self.path), **settings})

    def run(self, messages: Iterable[Message | str], **settings: t.Any) -> list[t.Any]:  # noqa: ANN401 - settings
        """Load messages and give back the STATE values that were written."""
        self._capture.readouterr()
        target = self.target(**settings)
        try:
            target.listen(io.StringIO(lines_of(messages)))
        finally:
            target.close()
        return self.states()

    def states(self) -> list[t.Any]:
        return [json.loads(line) for line in self._capture.readouterr().out.splitlines()]

    def query(self, sql: str) -> list[tuple[t.Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'").fetchall()
            return connection.execute(sql).fetchall()

    def types(self, table: str) -> dict[str, str]:
        rows = self.query(
            "SELECT column_name, data_type FROM duckdb_columns() "  # noqa: S608 - a test's own table
            f"WHERE table_name = '{table}' ORDER BY column_index"
        )
        return dict(rows)
