"""Whether a warehouse holds what the sandbox holds, row by row and field by field.

Written without any code of tap or loader: it knows the promises alone (sentinel dates become null,
two personal fields are dropped, lines belong to their parent's last version, every version that the
tap has seen is in the history).
"""

from __future__ import annotations

import datetime as dt
import json
import typing as t
from decimal import Decimal

import duckdb

from support.links import settled

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from support.dealership import Dealership

Row = dict[str, t.Any]
Rows = dict[tuple[t.Any, ...], Row]

KEYS: dict[str, tuple[str, ...]] = {
    "vehicles": ("vehicleId",),
    "lots": ("lotId",),
    "customers": ("customerId",),
    "deals": ("dealId",),
    "deal_recaps": ("dealRecapId",),
    "service_appointments": ("appointmentId",),
    "repair_orders": ("repairOrderId",),
    "op_codes": ("opCode", "rooftopId"),
    "parts": ("partId",),
    "parts_tickets": ("partsTicketId",),
    "gl_accounts": ("glAccountId",),
    "gl_entries": ("journalEntryId",),
    "receipts": ("receiptId",),
    "deposits": ("depositId",),
    "accounting_periods": ("periodId",),
    "users": ("userId",),
    "rooftops": ("rooftopId",),
    "attachments": ("attachmentId",),
    "events": ("eventId",),
}
"""Streams of records, with what identifies one."""


class Lines(t.NamedTuple):
    """Where lines are in their parents, and what tells those of one parent apart."""

    parent: str
    field: str
    key: str
    single: str = ""
    """A field with the only line, where the list has none."""

    def of(self, record: Row) -> list[Row]:
        """Return the lines of a record, numbered where they have no id."""
        value: t.Any = record
        for name in self.field.split("."):
            value = (value or {}).get(name)
        lines = value or [line for line in [record.get(self.single)] if line]
        numbered = self.key == "position"
        return [
            {**line, "position": number} if numbered else line
            for number, line in enumerate(lines, 1)
            if line
        ]


LINES = {
    "deal_fees": Lines("deals", "fees", "position"),
    "deal_products": Lines("deals", "finance.products", "position"),
    "deal_trade_ins": Lines("deals", "tradeIns", "position", single="tradeIn"),
    "repair_order_lines": Lines("repair_orders", "lines", "lineId"),
    "gl_entry_lines": Lines("gl_entries", "lines", "lineId"),
}
"""Streams of the lines within records: their current ones belong to the parent's last version."""

HISTORY: t.Final = "vehicle_status_history"
"""The stream of what vehicles were when: a row for each version that the tap has seen."""
VERSION_FIELDS = (
    *("vehicleId", "rooftopId", "vin", "stockNumber", "status", "condition"),
    *("listPrice", "salePrice", "msrp", "cost", "isWholesale"),
)
STREAMS = (*KEYS, *LINES, HISTORY)

DROPPED = ("driversLicense", "dateOfBirth")
SENTINELS = ("1000-01-01", "0001-01-01", "1910-01-01")


def key_fields(stream: str) -> tuple[str, ...]:
    """Return the names that identify a row."""
    if stream == HISTORY:
        return (*KEYS["vehicles"], "updatedAt")
    if stream in LINES:
        return (*KEYS[LINES[stream].parent], LINES[stream].key)
    return KEYS[stream]


def key_of(stream: str, row: Row) -> tuple[t.Any, ...]:
    """Return what identifies a row; an instant as the warehouse has it."""
    return tuple(_plain(row[name]) for name in key_fields(stream))


def parent_of(stream: str) -> str | None:
    """Return the stream that a stream is cut from, or None for records."""
    return "vehicles" if stream == HISTORY else LINES[stream].parent if stream in LINES else None


def expected(dealership: Dealership) -> dict[str, Rows]:
    """Return what a warehouse should hold, by table and key; of the history, the last versions."""
    tables: dict[str, Rows] = {}
    for stream in KEYS:
        tables[stream] = _by_key(stream, map(_emitted, map(settled, dealership.records(stream))))
    for stream, lines in LINES.items():
        rows = [
            {
                **{name: record[name] for name in (*KEYS[lines.parent], "rooftopId")},
                **line,
                "parentUpdatedAt": record["updatedAt"],
            }
            for record in tables[lines.parent].values()
            for line in lines.of(record)
        ]
        tables[stream] = _by_key(stream, rows)
    dated = [vehicle for vehicle in tables["vehicles"].values() if vehicle["updatedAt"]]
    tables[HISTORY] = _by_key(HISTORY, map(_version, dated))
    return tables


def differences(
    dealership: Dealership, warehouse: Path, *, without: Collection[str] = ()
) -> list[str]:
    """Say what differs; an empty list means that the two are equal.

    Args:
        dealership: What the DMS holds.
        warehouse: What was loaded.
        without: Streams that the tenant does not offer.
    """
    wanted = {name: rows for name, rows in expected(dealership).items() if name not in without}
    found: list[str] = []
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for stream, rows in wanted.items():
            assert rows, f"{stream}: nothing is there to be compared"
            loaded = _loaded(connection, stream)
            if stream in LINES:
                loaded = _current(loaded, stream, wanted)
            elif stream == HISTORY:
                rows |= _past(dealership, loaded.keys() - rows.keys())  # noqa: PLW2901
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


def _by_key(stream: str, rows: Iterable[Row]) -> Rows:
    return {key_of(stream, row): row for row in rows}


def _version(vehicle: Row) -> Row:
    row = {name: vehicle[name] for name in VERSION_FIELDS}
    lot = vehicle["lot"] or {}
    dated = dict.fromkeys(("updatedAt", "parentUpdatedAt"), vehicle["updatedAt"])
    return {**row, "lotId": lot.get("lotId"), **dated}


def _past(dealership: Dealership, keys: set[tuple[t.Any, ...]]) -> Rows:
    """Return versions that were current once; the last of a second, as the tap sees it."""
    entries = dealership.control("history?limit=10000000") if keys else ()
    versions = [
        _version(_emitted(settled(entry["record"])))
        for entry in entries
        if entry["stream"] == "vehicles" and entry["record"]
    ]
    return {key: row for key, row in _by_key(HISTORY, versions).items() if key in keys}


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
    result = _by_key(table, map(settled, rows))
    assert len(result) == len(rows), f"{table}: a key stands there twice"
    return result


def _current(loaded: Rows, stream: str, wanted: dict[str, Rows]) -> Rows:
    """Return the lines that belong to their parent's last version."""
    parent = LINES[stream].parent
    updated = {key: _plain(row["updatedAt"]) for key, row in wanted[parent].items()}
    key_length = len(KEYS[parent])
    return {
        key: row
        for key, row in loaded.items()
        if row["parentUpdatedAt"] == updated[key[:key_length]]
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
