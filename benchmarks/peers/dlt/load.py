"""Loads the vehicles into DuckDB with dlt: `load.py KIND BASE_URL TOKEN FOLDER`.

Kinds: `default`, the rest_api source as its documentation begins; `tuned`, the same with what the
documentation says of speed; `split`, tuned and cut by hand into resources of three weeks that are
read in parallel; `arrow`, a source written by hand that parses pages with orjson and gives Arrow
tables. All merge on the primary key.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import typing as t
from pathlib import Path

# No figures to anyone; the settings of speed are read when dlt is imported.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "WARNING"
KIND, BASE_URL, TOKEN, FOLDER = sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])
TUNED: t.Final = {
    "EXTRACT__WORKERS": "16",
    "EXTRACT__MAX_PARALLEL_ITEMS": "32",
    "NORMALIZE__WORKERS": "2",
    "LOAD__WORKERS": "2",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
    "DATA_WRITER__FILE_MAX_ITEMS": "50000",
}
if KIND != "default":
    os.environ.update(TUNED)

import dlt  # type: ignore[import-not-found]  # noqa: E402 - after its settings
import orjson  # type: ignore[import-not-found]  # noqa: E402
import pyarrow as pa  # noqa: E402
from dlt.sources.helpers.rest_client import RESTClient  # type: ignore[import-not-found]  # noqa: E402
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth  # type: ignore[import-not-found]  # noqa: E402
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator  # type: ignore[import-not-found]  # noqa: E402
from dlt.sources.rest_api import rest_api_source  # type: ignore[import-not-found]  # noqa: E402

PAGE_SIZE: t.Final = 200
FIRST_DAY: t.Final = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
SLICES: t.Final = 18
SLICE: t.Final = dt.timedelta(days=21)

TYPES: t.Final[dict[str, str]] = {
    "vehicleId": "text",
    "vin": "text",
    "stockNumber": "text",
    "status": "text",
    "condition": "text",
    "year": "bigint",
    "make": "text",
    "model": "text",
    "trim": "text",
    "bodyStyle": "text",
    "exteriorColor": "text",
    "interiorColor": "text",
    "odometer": "json",
    "msrp": "double",
    "listPrice": "double",
    "salePrice": "double",
    "cost": "double",
    "isWholesale": "bool",
    "agingDays": "bigint",
    "lot": "json",
    "photos": "json",
    "fuelType": "text",
    "transmission": "text",
    "driveType": "text",
    "engine": "text",
    "acquisitionDate": "date",
    "rooftopId": "text",
    "createdAt": "timestamp",
    "updatedAt": "timestamp",
    "deletedAt": "timestamp",
}
ARROW: t.Final = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "json": pa.string(),
    "date": pa.string(),
    "timestamp": pa.string(),
}


def rest(*, tuned: bool, split: bool) -> t.Any:  # noqa: ANN401 - dlt has no types here
    """Configure the rest_api source."""
    endpoint = {
        "path": "vehicles",
        "params": {"pageSize": PAGE_SIZE},
        "data_selector": "items",
        "paginator": {
            "type": "page_number",
            "base_page": 1,
            "total_path": None,
            "stop_after_empty_page": True,
        },
    }
    resource: dict[str, t.Any] = {
        "name": "vehicles",
        "primary_key": "vehicleId",
        "write_disposition": "merge",
        "endpoint": endpoint,
    }
    if tuned:
        resource |= {
            "write_disposition": {"disposition": "merge", "strategy": "upsert"},
            "columns": {name: {"data_type": kind} for name, kind in TYPES.items()},
            "max_table_nesting": 0,
        }
    resources = [_slice(resource, number) for number in range(SLICES)] if split else [resource]
    return rest_api_source(
        {
            "client": {"base_url": BASE_URL, "auth": {"type": "bearer", "token": TOKEN}},
            "resources": resources,
        },
        name="dealer",
        parallelized=tuned,
    )


def _slice(resource: dict[str, t.Any], number: int) -> dict[str, t.Any]:
    """Cut a span of time out of a resource; all of them go into one table."""
    start = FIRST_DAY + number * SLICE
    bounds = {
        "updatedFrom": start.isoformat(),
        "updatedTo": (start + SLICE - dt.timedelta(seconds=1)).isoformat(),
    }
    endpoint = resource["endpoint"]
    return {
        **resource,
        "name": f"vehicles_{number}",
        "table_name": "vehicles",
        "endpoint": {**endpoint, "params": {**endpoint["params"], **bounds}},
    }


def arrow_tables() -> t.Iterator[t.Any]:
    """Give a table for each page."""
    schema = pa.schema(
        [pa.field(name, ARROW[kind], nullable=name != "vehicleId") for name, kind in TYPES.items()]
    )
    nested = [name for name, kind in TYPES.items() if kind == "json"]
    client = RESTClient(
        BASE_URL,
        auth=BearerTokenAuth(TOKEN),
        paginator=PageNumberPaginator(base_page=1, total_path=None),
        data_selector="items",
    )
    number = 1
    while True:
        answer = client.get("vehicles", params={"pageSize": PAGE_SIZE, "page": number})
        answer.raise_for_status()
        items = orjson.loads(answer.content)["items"]
        if not items:
            return
        for item in items:
            for name in nested:
                item[name] = orjson.dumps(item[name]).decode()
        table = pa.Table.from_pylist(items, schema)
        for position, name in enumerate(schema.names):
            if TYPES[name] == "timestamp":
                column = table.column(position).cast(pa.timestamp("us", "UTC"))
                table = table.set_column(position, name, column)
            elif TYPES[name] == "date":
                table = table.set_column(position, name, table.column(position).cast(pa.date32()))
        yield table
        number += 1


def main() -> None:
    """Run the pipeline."""
    pipeline = dlt.pipeline(
        "vehicles",
        pipelines_dir=str(FOLDER / "pipelines"),
        destination=dlt.destinations.duckdb(str(FOLDER / "warehouse.duckdb")),
        dataset_name="dealer",
    )
    if KIND == "arrow":
        source = dlt.resource(
            arrow_tables,
            name="vehicles",
            primary_key="vehicleId",
            write_disposition={"disposition": "merge", "strategy": "upsert"},
        )
    else:
        source = rest(tuned=KIND != "default", split=KIND == "split")
    file_format = None if KIND == "default" else "parquet"
    pipeline.run(source, loader_file_format=file_format).raise_on_failed_jobs()


if __name__ == "__main__":
    main()
