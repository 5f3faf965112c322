"""The floor: the least that reading into a sink can cost in Python, with nothing made sure of.

Pages are requested by number from threads, decoded by msgspec into typed structs, and written out:
no windows, no certificate, no selection, no state, no upsert. `floor.py KIND BASE_URL TOKEN FOLDER
IN_FLIGHT`, where the kinds are `null` (Singer lines to standard output), `parquet` (a file for
every 100 pages), `load` (those files into DuckDB) and `warehouse` (both, one after the other).
"""

from __future__ import annotations

import collections
import concurrent.futures
import datetime as dt  # noqa: TC003 - msgspec looks at the types of fields
import http.client
import itertools
import sys
import threading
import typing as t
import urllib.parse
from pathlib import Path

import click
import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PAGE_SIZE: t.Final = 200
PAGES_A_FILE: t.Final = 100
TIMEOUT_SECONDS: t.Final = 60.0
OK: t.Final = 200


class Vehicle(msgspec.Struct, gc=False, rename="camel"):
    """A vehicle of the page server, nested values as they came."""

    vehicle_id: str
    vin: str | None
    stock_number: str | None
    status: str | None
    condition: str | None
    year: int | None
    make: str | None
    model: str | None
    trim: str | None
    body_style: str | None
    exterior_color: str | None
    interior_color: str | None
    odometer: msgspec.Raw
    msrp: float | None
    list_price: float | None
    sale_price: float | None
    cost: float | None
    is_wholesale: bool | None
    aging_days: int | None
    lot: msgspec.Raw
    photos: msgspec.Raw
    fuel_type: str | None
    transmission: str | None
    drive_type: str | None
    engine: str | None
    acquisition_date: dt.date | None
    rooftop_id: str | None
    created_at: dt.datetime | None
    deleted_at: dt.datetime | None
    updated_at: dt.datetime


class Envelope(msgspec.Struct, gc=False):
    """A page."""

    items: list[Vehicle]
    total: int


class Line(msgspec.Struct, gc=False):
    """A RECORD message."""

    record: Vehicle
    type: str = "RECORD"
    stream: str = "vehicles"


NESTED: t.Final = ("odometer", "lot", "photos")
INSTANT: t.Final = pa.timestamp("us", "UTC")
TYPES: t.Final = {
    "year": pa.int64(),
    "agingDays": pa.int64(),
    "isWholesale": pa.bool_(),
    "acquisitionDate": pa.date32(),
    **dict.fromkeys(("msrp", "listPrice", "salePrice", "cost"), pa.float64()),
    **dict.fromkeys(NESTED, pa.string()),
    **dict.fromkeys(("createdAt", "deletedAt", "updatedAt"), INSTANT),
}
SCHEMA: t.Final = pa.schema(
    [(name, TYPES.get(name, pa.string())) for name in Vehicle.__struct_encode_fields__]
)


class Reader:
    """Fetches pages over connections that are kept, one for each thread."""

    def __init__(self, base_url: str, token: str) -> None:
        url = urllib.parse.urlsplit(base_url)
        self._host, self._path = url.netloc, f"{url.path}/vehicles?pageSize={PAGE_SIZE}&page="
        self._headers = {"Authorization": f"Bearer {token}"}
        self._of_thread = threading.local()
        self._decoder = msgspec.json.Decoder(Envelope)

    def page(self, number: int) -> Envelope:
        """Fetch and decode one page."""
        connection = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT_SECONDS)
            self._of_thread.connection = connection
        connection.request("GET", self._path + str(number), headers=self._headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != OK:
            msg = f"The server answered {answer.status}."
            raise click.ClickException(msg)
        return self._decoder.decode(body)

    def pages(self, in_flight: int) -> Iterator[list[Vehicle]]:
        """Give the rows of all pages, in order, so many pages requested ahead."""
        first = self.page(1)
        yield first.items
        numbers = iter(range(2, -(-first.total // PAGE_SIZE) + 1))
        if in_flight == 1:
            yield from (self.page(number).items for number in numbers)
            return
        with concurrent.futures.ThreadPoolExecutor(in_flight) as pool:
            ahead = collections.deque(
                pool.submit(self.page, number) for number in itertools.islice(numbers, in_flight)
            )
            while ahead:
                done = ahead.popleft().result()
                ahead.extend(
                    pool.submit(self.page, number) for number in itertools.islice(numbers, 1)
                )
                yield done.items


def to_null(pages: Iterator[list[Vehicle]], _: Path) -> None:
    """Write Singer lines."""
    encoder = msgspec.json.Encoder()
    for rows in pages:
        sys.stdout.buffer.write(encoder.encode_lines([Line(row) for row in rows]))


def to_parquet(pages: Iterator[list[Vehicle]], folder: Path) -> None:
    """Write Parquet files."""
    for number in itertools.count():
        rows = list(itertools.chain.from_iterable(itertools.islice(pages, PAGES_A_FILE)))
        if not rows:
            return
        columns = zip(*map(msgspec.structs.astuple, rows), strict=True)
        pairs = zip(columns, SCHEMA, strict=True)
        table = pa.table([_array(column, field) for column, field in pairs], SCHEMA)
        pq.write_table(table, folder / f"vehicles-{number:04d}.parquet")


def _array(column: Iterable[t.Any], field: pa.Field) -> pa.Array:
    values = map(bytes, column) if field.name in NESTED else column
    return pa.array(values, field.type)


def load(folder: Path) -> None:
    """Load the Parquet files into a new DuckDB file."""
    files = str(folder / "vehicles-*.parquet")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        relation = connection.read_parquet(files)
        relation.create("vehicles")


def to_warehouse(pages: Iterator[list[Vehicle]], folder: Path) -> None:
    """Write Parquet files, then load them."""
    to_parquet(pages, folder)
    load(folder)


SINKS: t.Final[dict[str, Callable[[Iterator[list[Vehicle]], Path], None]]] = {
    "null": to_null,
    "parquet": to_parquet,
    "warehouse": to_warehouse,
}


@click.command()
@click.argument("kind", type=click.Choice([*SINKS, "load"]))
@click.argument("base_url")
@click.argument("token")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("in_flight", type=click.IntRange(1))
def main(kind: str, base_url: str, token: str, folder: Path, in_flight: int) -> None:
    """Read all vehicles into a sink."""
    if kind == "load":
        load(folder)
    else:
        SINKS[kind](Reader(base_url, token).pages(in_flight), folder)


if __name__ == "__main__":
    main()
