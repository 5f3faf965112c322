"""Who reads what: the commands of every contestant, each into its usual sink."""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

from benchmarks.environments import PEERS, environment
from benchmarks.page_server import BASE_PATH, INTEGRATION, TOKEN

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Command = list[str]

BIN: t.Final = Path(sys.executable).parent
PAGE_SIZE: t.Final = 200
"""Rows of a page, unless a run says otherwise; the floor, dlt and Airbyte know no other."""
WAREHOUSE: t.Final = "warehouse.duckdb"
Kind = t.Literal["ours", "peer", "floor"]


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What a contestant is given.

    Attributes:
        api_url: The page server's.
        folder: Empty; for whatever it writes.
        in_flight: Requests under way at once, for those that can have more than one.
        page_size: Rows to ask for in one request, for those that can be told.
    """

    api_url: str
    folder: Path
    in_flight: int
    page_size: int

    @property
    def base_url(self) -> str:
        """The address that paths are appended to."""
        return f"{self.api_url}{BASE_PATH}"

    def write(self, name: str, content: object) -> str:
        """Write a file of JSON and return its path."""
        path = self.folder / name
        path.write_text(json.dumps(content))
        return str(path)


@dataclasses.dataclass(frozen=True, slots=True)
class Contestant:
    """One way to read vehicles.

    Attributes:
        name: Short, for `--only` and the results.
        label: For tables.
        kind: Whose it is.
        commands: A pipeline, its files written.
        environments: Of peers, that have to be installed.
        before: Runs before what is measured.
        reads: Whether it asks the page server at all.
        leaves: Pattern of the Parquet files that it leaves in its folder.
    """

    name: str
    label: str
    kind: Kind
    commands: Callable[[Task], list[Command]]
    environments: tuple[str, ...] = ()
    before: Callable[[Task], list[Command]] | None = None
    reads: bool = True
    leaves: str | None = None


@functools.cache
def _catalog() -> dict[str, t.Any]:
    """Discover with our tap, and leave the vehicles alone selected."""
    command = [str(BIN / "tap-automate"), "--discover"]
    done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - ours
    streams = json.loads(done.stdout)["streams"]
    return {"streams": [each for each in streams if each["tap_stream_id"] == "vehicles"]}


def _tap(task: Task, **changes: object) -> Command:
    settings = {
        "api_url": task.api_url,
        "integration_id": INTEGRATION,
        "platform_token": TOKEN,
        "username": "bench",
        "password": "bench",
        "mfa_type": "none",
        "session_store": "memory",
        "start_date": "2025-01-01T00:00:00Z",
        "page_size": task.page_size,
        "requests_per_second": 1_000_000,
        "concurrency": task.in_flight,
        "cooldown_seconds": 2,
        "overlap_seconds": 2,
        **changes,
    }
    config, catalog = task.write("tap.json", settings), task.write("catalog.json", _catalog())
    return [str(BIN / "tap-automate"), "--config", config, "--catalog", catalog]


def _warehouse(task: Task) -> Command:
    config = task.write("target.json", {"filepath": str(task.folder / WAREHOUSE)})
    return [str(BIN / "target-warehouse"), "--config", config]


def _batches(task: Task) -> Command:
    folder = task.folder / "batches"
    folder.mkdir()
    batches = {"encoding": {"format": "parquet"}, "storage": {"root": folder.as_uri()}}
    return _tap(task, batch_config=batches)


def _plain(task: Task) -> Command:
    settings = {"base_url": task.base_url, "token": TOKEN, "page_size": task.page_size}
    config = task.write("plain.json", settings)
    return [sys.executable, "-m", "benchmarks.plain_tap", "--config", config]


def _target_duckdb(task: Task) -> Command:
    settings = {"filepath": str(task.folder / WAREHOUSE), "default_target_schema": "dealer"}
    program = environment("target_duckdb") / "target-duckdb"
    return [str(program), "--config", task.write("target.json", settings)]


def _msdk(task: Task) -> Command:
    stream = {
        "name": "vehicles",
        "path": "/vehicles",
        "params": {"pageSize": task.page_size},
        "records_path": "$.items[*]",
        "primary_keys": ["vehicleId"],
    }
    settings = {
        "api_url": task.base_url,
        "auth_method": "bearer_token",
        "bearer_token": TOKEN,
        "pagination_request_style": "page_number_paginator",
        "pagination_next_page_param": "page",
        # It asks for another page as long as this finds something.
        "next_page_token_path": "$.items[0].vehicleId",
        "streams": [stream],
    }
    program = environment("tap_rest_api_msdk") / "tap-rest-api-msdk"
    return [str(program), "--config", task.write("tap.json", settings)]


def _dlt(kind: str, task: Task) -> list[Command]:
    program = [str(environment("dlt") / "python"), str(PEERS / "dlt" / "load.py")]
    return [[*program, kind, task.base_url, TOKEN, str(task.folder)]]


def _airbyte(task: Task) -> list[Command]:
    return _declared(task, PEERS / "airbyte" / "manifest.yaml")


def _airbyte_split(task: Task) -> list[Command]:
    """Cut the stream by hand into slices of three weeks, 16 of which are read at once."""
    manifest = yaml.safe_load((PEERS / "airbyte" / "manifest.yaml").read_text())
    manifest |= {"concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": 16}}
    form = "%Y-%m-%dT%H:%M:%SZ"
    manifest["streams"][0]["incremental_sync"] = {
        "type": "DatetimeBasedCursor",
        "cursor_field": "updatedAt",
        "datetime_format": form,
        "start_datetime": "2025-01-01T00:00:00Z",
        "end_datetime": "2026-01-01T00:00:00Z",
        "step": "P21D",
        "cursor_granularity": "PT1S",
        "start_time_option": _parameter("updatedFrom"),
        "end_time_option": _parameter("updatedTo"),
    }
    return _declared(task, Path(task.write("manifest.yaml", manifest)))


def _parameter(name: str) -> dict[str, str]:
    return {"type": "RequestOption", "inject_into": "request_parameter", "field_name": name}


def _declared(task: Task, manifest: Path) -> list[Command]:
    modes = ["full_refresh", "incremental"]
    stream = {"name": "vehicles", "json_schema": {}, "supported_sync_modes": modes}
    sync = {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    config = task.write("airbyte.json", {"base_url": task.base_url, "token": TOKEN})
    catalog = task.write("catalog.json", {"streams": [sync]})
    program = str(environment("airbyte") / "source-declarative-manifest")
    arguments = ["--config", config, "--catalog", catalog, "--manifest-path", str(manifest)]
    return [[program, "read", *arguments]]


def _pyairbyte(task: Task) -> list[Command]:
    program = [str(environment("airbyte") / "python"), str(PEERS / "airbyte" / "load.py")]
    return [[*program, task.base_url, TOKEN, str(task.folder)]]


def _floor(kind: str, task: Task) -> list[Command]:
    command = [sys.executable, "-m", "benchmarks.floor", kind, task.base_url, TOKEN]
    return [[*command, str(task.folder), str(task.in_flight)]]


def _pipeline(*programs: Callable[[Task], Command]) -> Callable[[Task], list[Command]]:
    return lambda task: [program(task) for program in programs]


def _contestants() -> Sequence[Contestant]:
    dlt = {
        "default": "dlt rest_api",
        "tuned": "dlt rest_api, tuned",
        "split": "dlt rest_api, split by hand",
        "arrow": "dlt, Arrow source by hand",
    }
    floor = {
        "null": "floor: threads + msgspec",
        "parquet": "floor: threads + Parquet",
        "warehouse": "floor: threads + Parquet + DuckDB",
    }
    return (
        Contestant("plain", "plain SDK tap", "peer", _pipeline(_plain)),
        Contestant("msdk", "tap-rest-api-msdk", "peer", _pipeline(_msdk), ("tap_rest_api_msdk",)),
        Contestant("airbyte", "Airbyte declarative runner", "peer", _airbyte, ("airbyte",)),
        Contestant(
            "airbyte-split",
            "Airbyte declarative runner, split by hand",
            "peer",
            _airbyte_split,
            ("airbyte",),
        ),
        Contestant("tap", "tap-automate", "ours", _pipeline(_tap)),
        Contestant(
            "plain-duckdb",
            "plain SDK tap | target-duckdb",
            "peer",
            _pipeline(_plain, _target_duckdb),
            ("target_duckdb",),
        ),
        *(
            Contestant(f"dlt-{kind}", label, "peer", functools.partial(_dlt, kind), ("dlt",))
            for kind, label in dlt.items()
        ),
        Contestant("pyairbyte", "PyAirbyte, DuckDB cache", "peer", _pyairbyte, ("airbyte",)),
        Contestant(
            "warehouse",
            "tap-automate | target-warehouse",
            "ours",
            _pipeline(_tap, _warehouse),
        ),
        Contestant(
            "batch",
            "tap-automate, BATCH | target-warehouse",
            "ours",
            _pipeline(_batches, _warehouse),
            leaves="batches/*.parquet",
        ),
        *(
            Contestant(
                f"floor-{kind}",
                label,
                "floor",
                functools.partial(_floor, kind),
                leaves=None if kind == "null" else "vehicles-*.parquet",
            )
            for kind, label in floor.items()
        ),
        Contestant(
            "floor-load",
            "floor: Parquet into DuckDB alone",
            "floor",
            functools.partial(_floor, "load"),
            before=functools.partial(_floor, "parquet"),
            reads=False,
        ),
    )


CONTESTANTS: t.Final = {each.name: each for each in _contestants()}
