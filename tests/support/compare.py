"""Whether a warehouse holds what the sandbox holds, row by row and field by field.

Written without any code of tap or loader: it knows the promises alone (sentinel dates become null,
two personal fields are dropped, lines belong to their parent's last version).
"""

from __future__ import annotations

import datetime as dt
import json
import typing as t
from decimal import Decimal

import duckdb

from support.links import settled

if t.TYPE_CHECKING:
    from pathlib import Path

    from support.dealership import Dealership

Row = dict[str, t.Any]
Rows = dict[tuple[str, ...], Row]

KEYS: dict[str, tuple[str, ...]] = {
    "vehicles": ("vehicleId",),
    "lots": ("lotId",),
    "customers": ("customerId",),
    "deals": ("dealId",),
    "service_appointments": ("appointmentId",),
    "repair_orders": ("repairOrderId",),
    "gl_accounts": ("glAccountId",),
    "gl_entries": ("journalEntryId",),
    "users": ("userId",),
    "rooftops": ("rooftopId",),
}
LINES = {
    "repair_order_lines": ("repair_orders", "repairOrderId"),
    "gl_entry_lines": ("gl_entries", "journalEntryId"),
}
DROPPED = ("driversLicense", "dateOfBirth")
SENTINELS = ("1000-01-01", "0001-01-01", "1910-01-01")


def expected(dealership: Dealership) -> dict[str, Rows]:
    """Return what a warehouse should hold, by table and key."""
    tables: dict[str, Rows] = {}
    for stream, key in KEYS.items():
        records = [settled(_emitted(record)) for record in dealership.records(stream)]
        tables[stream] = {tuple(record[name] for name in key): record for record in records}
    for stream, (parent, key_field) in LINES.items():
        tables[stream] = {
            (record[key_field], line["lineId"]): {
                key_field: record[key_field],
                "rooftopId": record["rooftopId"],
                **line,
                "parentUpdatedAt": record["updatedAt"],
            }
            for record in tables[parent].values()
            for line in record["lines"]
        }
    return tables


def differences(dealership: Dealership, warehouse: Path) -> list[str]:
    """Say what differs; an empty list means that the two are equal."""
    wanted = expected(dealership)
    found: list[str] = []
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for stream, rows in wanted.items():
            assert rows, f"{stream}: nothing is there to be compared"
            loaded = _loaded(connection, stream)
            if stream in LINES:
                loaded = _current(loaded, LINES[stream], wanted)
            found += [f"{stream}: {key} is missing" for key in rows.keys() - loaded.keys()]
            found += [f"{stream}: {key} is no longer there" for key in loaded.keys() - rows.keys()]
            for key in rows.keys() & loaded.keys():
                found += [
                    f"{stream}: {key} {name}: {_plain(row_value)!r} in the DMS, {value!r} here"
                    for name, value in loaded[key].items()
                    if not _same(row_value := rows[key].get(name), value)
                ]
                unloaded = rows[key].keys() - loaded[key].keys()
                found += [f"{stream}: no column {name}" for name in unloaded]
    return found


def _emitted(value: t.Any) -> t.Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {name: _emitted(child) for name, child in value.items() if name not in DROPPED}
    if isinstance(value, list):
        return [_emitted(child) for child in value]
    if isinstance(value, str) and value.startswith(SENTINELS):
        return None
    return value


def _loaded(connection: duckdb.DuckDBPyConnection, table: str) -> Rows:
    cursor = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a table of ours
    names = [column[0] for column in cursor.description]
    is_json = [column[1] == "JSON" for column in cursor.description]
    rows = [
        {
            name: json.loads(value, parse_float=Decimal) if nested and value else value
            for name, value, nested in zip(names, row, is_json, strict=True)
            if not name.startswith("_sdc_")
        }
        for row in cursor.fetchall()
    ]
    key = KEYS.get(table) or (LINES[table][1], "lineId")
    result = {tuple(row[name] for name in key): settled(row) for row in rows}
    assert len(result) == len(rows), f"{table}: a key stands there twice"
    return result


def _current(loaded: Rows, parent: tuple[str, str], wanted: dict[str, Rows]) -> Rows:
    stream, key_field = parent
    parents = wanted[stream]
    return {
        key: row
        for key, row in loaded.items()
        if row["parentUpdatedAt"] == _plain(parents[row[key_field],]["updatedAt"])
    }


def _same(wanted: t.Any, loaded: t.Any) -> bool:  # noqa: ANN401 - any value
    if isinstance(loaded, float):
        return False
    if isinstance(loaded, dt.datetime):
        return bool(_plain(wanted) == loaded)
    if isinstance(loaded, dt.date):
        return bool(wanted == loaded.isoformat())
    return bool(wanted == loaded)


def _plain(value: t.Any) -> t.Any:  # noqa: ANN401 - any value
    if isinstance(value, str):
        try:
            return dt.datetime.fromisoformat(value)
        except ValueError:
            return value
    return value
