"""What a contestant got: counted, before its speed is believed."""

from __future__ import annotations

import contextlib
import typing as t

import duckdb
import msgspec

from benchmarks.processes import RunFailedError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from benchmarks.vehicles import Vehicles

KEY: t.Final = "vehicleid"
PRICE: t.Final = "listprice"
"""Names of columns as compared: in lower case, without underscores."""
CENT: t.Final = 0.01


class _Message(msgspec.Struct, gc=False):
    """A RECORD of Singer, or of Airbyte with its `data`."""

    type: str
    record: dict[str, t.Any] | None = None


def check_table(path: Path, vehicles: Vehicles) -> None:
    """Compare a DuckDB file's table of vehicles with what was served.

    Args:
        path: Of the file.
        vehicles: What was served.

    Raises:
        RunFailedError: When rows, keys or the sum of a price differ.
    """
    with contextlib.closing(duckdb.connect(str(path), read_only=True)) as connection:
        found = connection.execute(
            "SELECT table_schema FROM information_schema.tables "
            "WHERE table_name = 'vehicles' AND NOT contains(table_schema, 'staging')"
        ).fetchall()
        schema = found[0][0] if found else "main"
        _check(connection.table(f"{schema}.vehicles"), path.name, vehicles)


def check_files(pattern: Path, vehicles: Vehicles) -> None:
    """Compare Parquet files with what was served.

    Args:
        pattern: Of their paths.
        vehicles: What was served.

    Raises:
        RunFailedError: When rows, keys or the sum of a price differ.
    """
    with contextlib.closing(duckdb.connect()) as connection:
        _check(connection.read_parquet(str(pattern)), pattern.name, vehicles)


def _check(relation: duckdb.DuckDBPyRelation, what: str, vehicles: Vehicles) -> None:
    named = {column.replace("_", "").lower(): column for column in relation.columns}
    key, price = f'"{named[KEY]}"', f'"{named[PRICE]}"'
    sums = relation.aggregate(f"count(*), count(DISTINCT {key}), sum({price})").fetchall()
    ((count, keys, total),) = t.cast("list[tuple[int, int, float]]", sums)
    _compare(what, (count, keys, float(total or 0)), vehicles)


def check_lines(path: Path, vehicles: Vehicles) -> None:
    """Compare Singer or Airbyte messages with what was served.

    Args:
        path: Of the messages.
        vehicles: What was served.

    Raises:
        RunFailedError: When rows, keys or the sum of a price differ.
    """
    with path.open("rb") as lines:
        records = list(_records(lines))
    keys = {record["vehicleId"] for record in records}
    price = sum(record["listPrice"] for record in records)
    _compare("the output", (len(records), len(keys), price), vehicles)


def _records(lines: Iterable[bytes]) -> Iterator[dict[str, t.Any]]:
    decoder = msgspec.json.Decoder(_Message)
    for line in lines:
        message = decoder.decode(line)
        if message.type == "RECORD" and message.record is not None:
            yield message.record.get("data", message.record)


def _compare(what: str, got: tuple[int, int, float], vehicles: Vehicles) -> None:
    count, keys, price = got
    expected = float(vehicles.list_prices())
    if (count, keys) != (vehicles.count, vehicles.count) or abs(price - expected) > CENT:
        msg = (
            f"expected {vehicles.count} rows with a price of {expected:.2f} together, {what} has "
            f"{count} rows, {keys} keys, {price:.2f}"
        )
        raise RunFailedError(msg)
