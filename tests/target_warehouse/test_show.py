"""`automate-dms warehouse show`: what a person sees of a warehouse."""

from __future__ import annotations

import datetime as dt
import typing as t
from decimal import Decimal

import duckdb
import pytest
from click.testing import CliRunner
from support.singer import Loader, Message, record, schema

from automate_api.errors import ConfigError, TryLaterError
from automate_api.tables import format_value
from target_warehouse.cli import warehouse
from target_warehouse.database import connect
from target_warehouse.show import QUERIES, Answer, Inspection, load_query

if t.TYPE_CHECKING:
    from pathlib import Path

MONEY = {"type": ["number", "null"], "x-sql-datatype-properties": {"precision": 18, "scale": 2}}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
DAY = {"type": ["string", "null"], "format": "date"}
TODAY = dt.date(2026, 11, 23)


def dealership() -> list[Message]:
    """Write the tables that the queries ask for, small and with every trap in it."""
    messages = [
        schema(
            "vehicles",
            ["vehicleId"],
            vehicleId="string",
            status="string",
            acquisitionDate=DAY,
            cost=MONEY,
            listPrice=MONEY,
            updatedAt=INSTANT,
            deletedAt=INSTANT,
        )
    ]
    for number, (status, acquired, cost, *deleted) in enumerate(
        [
            ("in_stock", "2026-11-23", 0.1),
            ("in_stock", "2026-10-24", 0.2),
            ("in_stock", "2026-10-23", 1000),
            ("in_stock", "2026-01-01", None),
            ("in_stock", None, 5),
            ("retail_sold", "2026-11-23", 7777),
            ("in_stock", "2026-11-23", 8888, "2026-11-27T10:00:00Z"),
        ]
    ):
        messages.append(
            record(
                "vehicles",
                vehicleId=str(number),
                status=status,
                acquisitionDate=acquired,
                cost=cost,
                listPrice=cost,
                updatedAt=f"2026-11-2{number}T10:00:00Z",
                deletedAt=next(iter(deleted), None),
            )
        )
    messages.append(
        schema(
            "deals",
            ["dealId"],
            dealId="string",
            rooftopId="string",
            status="string",
            soldDate=DAY,
            deliveredAt=INSTANT,
            unwoundAt=INSTANT,
            gross="object",
            updatedAt=INSTANT,
            deletedAt=INSTANT,
        )
    )
    for number, (status, sold, delivered, front, unwound) in enumerate(
        [
            ("delivered", "2026-10-31", "2026-11-02T10:00:00Z", 0.1, None),
            # In Phoenix it is still the last evening of October.
            ("finalized", None, "2026-11-01T05:00:00Z", 0.2, None),
            ("delivered", "2026-11-01", None, -500.25, None),
            ("unwound", "2026-09-02", None, 9999, "2026-11-01T05:00:00Z"),
            ("unwound", None, None, 9999, "2026-11-01T05:00:00Z"),
            ("penciled", None, None, 9999, None),
        ]
    ):
        messages.append(
            record(
                "deals",
                dealId=str(number),
                rooftopId="r",
                status=status,
                soldDate=sold,
                deliveredAt=delivered,
                unwoundAt=unwound,
                gross={"front": front, "back": 1, "total": front + 1},
                updatedAt="2026-11-03T10:00:00Z",
            )
        )
    messages += [
        schema("rooftops", ["rooftopId"], rooftopId="string", timeZone="string", updatedAt=INSTANT),
        record(
            "rooftops",
            rooftopId="r",
            timeZone="America/Phoenix",
            updatedAt="2026-01-01T00:00:00Z",
        ),
        schema(
            "gl_entries",
            ["journalEntryId"],
            journalEntryId="string",
            updatedAt=INSTANT,
            deletedAt=INSTANT,
            status="string",
        ),
        schema(
            "gl_entry_lines",
            ["journalEntryId", "lineId"],
            journalEntryId="string",
            lineId="string",
            parentUpdatedAt=INSTANT,
            debit=MONEY,
            credit=MONEY,
        ),
    ]
    lines = [("1", 0.1, None), ("2", 0.2, None), ("3", None, 0.3)]
    for entry, status in [("posted", "posted"), ("was", "reversed"), ("open", "unposted")]:
        messages.append(
            record(
                "gl_entries", journalEntryId=entry, updatedAt="2026-11-01T00:00:00Z", status=status
            )
        )
        # A line of an older version stays behind, and an unposted entry does not count.
        stale = [("9", 77, None, "2026-10-01T00:00:00Z")] if entry == "posted" else []
        current = [(*line, "2026-11-01T00:00:00Z") for line in lines[: 1 if entry == "open" else 3]]
        messages += [
            record(
                "gl_entry_lines",
                journalEntryId=entry,
                lineId=line,
                debit=debit,
                credit=credit,
                parentUpdatedAt=at,
            )
            for line, debit, credit, at in [*stale, *current]
        ]
    return messages


def pushed() -> list[Message]:
    """Write what is shown of a feed that was pushed, and what is none of its business."""
    at, later = "2026-11-03T10:00:00Z", "2026-11-04T10:00:00Z"

    def rows(stream: str, names: str, *values: tuple[t.Any, ...], **typed: object) -> list[Message]:
        columns = {name: typed.get(name, "string") for name in names.split()}
        columns |= {name: INSTANT for name in columns if name.endswith("At")}
        fields = [dict(zip(columns, row, strict=True)) for row in values]
        keys = [*columns][: 2 if stream in {"write_results", "gl_entry_lines"} else 1]
        return [schema(stream, keys, **columns), *(record(stream, **each) for each in fields)]

    gross = {"front": 1200.1, "back": 740, "total": 1940.1}
    return [
        *rows(
            "write_results",
            "object businessKey dmsId",
            ("customers", "a", "c1"),
            ("deals", "b", "d1"),
            ("deals", "c", "d2"),
            ("deals", "d", "d4"),
            ("deal_statuses", "b", "d1"),
            ("service_appointments", "a", "a1"),
            ("appointment_changes", "a", "a1"),
            ("repair_orders", "a", "r1"),
            ("repair_order_statuses", "a", "r1"),
            ("repair_order_inspections", "a", "gone"),
            ("vehicle_prices", "a", "v1"),
            ("attachments", "a", "f1"),
            ("attachments", "b", "other"),
        ),
        *rows("customers", "customerId customerNumber updatedAt", ("c1", "C-1", at)),
        *rows("service_appointments", "appointmentId", ("a1",)),
        *rows("vehicles", "vehicleId", ("v1",)),
        *rows(
            "deals",
            "dealId dealNumber customerId status gross updatedAt deletedAt",
            ("d1", "D-1", "c1", "delivered", gross, at, None),
            ("d2", "D-2", "c1", "penciled", gross, at, None),
            ("other", "D-3", "c1", "delivered", gross, at, None),
            ("d4", "D-4", "c1", "delivered", gross, at, later),
            gross="object",
        ),
        *rows(
            "repair_orders",
            "repairOrderId roNumber customerId status updatedAt deletedAt",
            ("r1", "0001", "c1", "closed", at, None),
        ),
        *rows(
            "attachments",
            "attachmentId entityType entityId",
            ("f1", "deal", "d1"),
            ("f2", "vehicle", "d1"),
            ("f3", "deal", "other"),
        ),
        *rows(
            "gl_entries",
            "journalEntryId dealId repairOrderId postedAt updatedAt deletedAt status",
            ("e1", "d1", None, later, at, None, "posted"),
            ("e2", "d1", None, at, at, None, "reversed"),
            ("e3", "d1", None, None, at, None, "unposted"),
            ("e4", "d1", None, at, at, later, "posted"),
            ("e5", None, "r1", at, at, None, "posted"),
            ("e6", "other", None, at, at, None, "posted"),
            ("e7", "d4", None, at, at, None, "posted"),
        ),
        *rows(
            "gl_entry_lines",
            "journalEntryId lineId debit credit parentUpdatedAt",
            *((f"e{entry}", "1", entry / 10, None, at) for entry in range(1, 8)),
            *((f"e{entry}", "2", None, entry / 10, at) for entry in range(1, 8)),
            ("e1", "3", 77, None, "2026-10-01T00:00:00Z"),
            debit=MONEY,
            credit=MONEY,
        ),
    ]


def inspect(path: Path, schema_name: str = "main") -> tuple[dict[str, t.Any], list[Answer]]:
    connection = connect(path, read_only=True)
    try:
        inspection = Inspection(connection, path, schema_name)
        tables = {table.name: (table.rows, table.newest) for table in inspection.tables()}
        return tables, inspection.answers(TODAY)
    finally:
        connection.close()


@pytest.mark.parametrize("schema_name", ["main", "raw data"])
def test_the_answers_of_a_dealership_are_right_to_the_cent(
    loader: Loader,
    schema_name: str,
) -> None:
    loader.run(dealership(), schema=schema_name)
    tables, answers = inspect(loader.path, schema_name)
    assert tables == {
        "deals": (6, dt.datetime(2026, 11, 3, 10, tzinfo=dt.UTC)),
        "gl_entries": (3, dt.datetime(2026, 11, 1, tzinfo=dt.UTC)),
        "gl_entry_lines": (8, dt.datetime(2026, 11, 1, tzinfo=dt.UTC)),
        "rooftops": (1, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
        "vehicles": (7, dt.datetime(2026, 11, 26, 10, tzinfo=dt.UTC)),
    }
    aged, gross, balance = answers
    assert aged.rows == [
        ("0-30", 2, Decimal("0.30"), Decimal("0.30")),
        ("31-60", 1, Decimal(1000), Decimal(1000)),
        ("over 90", 1, None, None),
        ("unknown", 1, Decimal(5), Decimal(5)),
    ]
    assert gross.columns == ("month", "units", "front", "back", "total")
    assert gross.rows == [
        ("2026-11", 1, Decimal("-500.25"), Decimal(1), Decimal("-499.25")),
        ("2026-10", 1, Decimal("-9998.70"), Decimal(1), Decimal("-9997.70")),
        ("2026-09", 1, Decimal(9999), Decimal(1), Decimal(10000)),
    ]
    assert balance.rows == [(2, 6, Decimal("0.60"), Decimal("0.60"), Decimal("0.00"))]
    assert [format_value(value) for value in balance.rows[0]][-1] == "0.00"


def test_a_warehouse_with_every_version_answers_with_the_last_one(loader: Loader) -> None:
    loader.run(dealership())
    _, once = inspect(loader.path, "main")
    loader.path.unlink()
    older = [
        record(
            "vehicles",
            vehicleId="5",
            status="in_stock",
            acquisitionDate="2026-11-23",
            cost=7777,
            listPrice=7777,
            updatedAt="2026-11-20T10:00:00Z",
        ),
    ]
    messages = dealership()
    for _ in range(2):
        loader.run([messages[0], *older, *messages], load_method="append-only")
    tables, answers = inspect(loader.path, "main")
    assert tables["vehicles"][0] == 16
    assert answers == once


@pytest.mark.parametrize("load_method", ["upsert", "append-only"])
def test_what_was_pushed_is_shown_with_what_has_been_posted_of_it(
    loader: Loader, load_method: str
) -> None:
    for _ in range(2):
        loader.run(pushed(), load_method=load_method)
    _, (seen, posted, _) = inspect(loader.path)
    assert seen.rows == [
        ("appointment_changes", 1, 1, 1),
        ("attachments", 2, 2, 1),
        ("customers", 1, 1, 1),
        ("deal_statuses", 1, 1, 1),
        ("deals", 3, 3, 3),
        ("repair_order_inspections", 1, 1, 0),
        ("repair_order_statuses", 1, 1, 1),
        ("repair_orders", 1, 1, 1),
        ("service_appointments", 1, 1, 1),
        ("vehicle_prices", 1, 1, 1),
    ]
    front, back = Decimal("1200.10"), Decimal("740.00")
    assert posted.rows == [
        ("deal", "D-1", "C-1", "delivered", front, back, 1, 4, *[Decimal("0.30")] * 2),
        ("repair order", "0001", "C-1", "closed", None, None, 0, 2, *[Decimal("0.50")] * 2),
    ]


@pytest.mark.parametrize("schema_name", ["main", "raw data"])
def test_what_was_pushed_is_shown_where_the_dms_has_no_such_table(
    loader: Loader, schema_name: str
) -> None:
    there = {"write_results", "deals", "gl_entries", "gl_entry_lines"}
    loader.run((m for m in pushed() if m["stream"] in there), schema=schema_name)
    _, answers = inspect(loader.path, schema_name)
    seen, posted, _ = answers
    assert [row for row in seen.rows if row[-1]] == [
        ("deal_statuses", 1, 1, 1),
        ("deals", 3, 3, 3),
    ]
    assert [row[:3] for row in posted.rows] == [("deal", "D-1", None)]


def test_a_warehouse_without_rows_says_what_may_have_happened(loader: Loader) -> None:
    loader.run([schema("vehicles", ["vehicleId"], vehicleId="string")])
    result = CliRunner().invoke(warehouse, ["show", str(loader.path)], catch_exceptions=False)
    assert "Every table is empty" in result.stdout
    assert "--full-refresh" in result.stdout


def test_every_query_is_shipped_with_a_title_and_what_it_needs() -> None:
    for name in QUERIES:
        query = load_query(name)
        assert query.title
        assert query.needs


def test_the_command_prints_tables_answers_and_the_file(loader: Loader) -> None:
    loader.run(dealership())
    result = CliRunner().invoke(warehouse, ["show", str(loader.path)], catch_exceptions=False)
    assert result.exit_code == 0
    for text in ("gl_entry_lines", "Aged inventory", "Gross by month", "Trial balance", "0.00"):
        assert text in result.stdout
    assert f"File: {loader.path}" in result.stdout.splitlines()


@pytest.mark.parametrize("column_names", ["as_is", "snake_case"])
def test_a_warehouse_of_other_names_gets_the_overview_alone(
    loader: Loader,
    column_names: str,
) -> None:
    messages = [
        schema("[red]x", [], **{"[bold]": "string", "updatedAt": INSTANT}),
        record("[red]x", **{"[bold]": "a", "updatedAt": "2026-01-02T03:04:05Z"}),
    ]
    vehicles = dealership()[:2] if column_names == "snake_case" else []
    loader.run([*messages, *vehicles], column_names=column_names)
    result = CliRunner().invoke(warehouse, ["show", str(loader.path)], catch_exceptions=False)
    assert "2026-01-02 03:04:05 UTC" in result.stdout
    assert ("[red]x" in result.stdout) == (column_names == "as_is")
    assert "Aged inventory" not in result.stdout
    assert "`column_names: as_is`" in result.stdout


def test_a_schema_without_tables_says_so(loader: Loader) -> None:
    loader.run(dealership())
    arguments = ["show", str(loader.path), "--schema", "elsewhere"]
    result = CliRunner().invoke(warehouse, arguments, catch_exceptions=False)
    assert "There are no tables in schema 'elsewhere'" in result.stdout


def test_a_missing_foreign_or_locked_file_is_a_clear_error(
    loader: Loader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    foreign = tmp_path / "notes.txt"
    foreign.write_text("not a database")
    for path, text in [(loader.path, "There is no warehouse at"), (foreign, "is not a DuckDB")]:
        with pytest.raises(ConfigError, match=text):
            CliRunner().invoke(warehouse, ["show", str(path)], catch_exceptions=False)
    assert not loader.path.exists()
    loader.run(dealership())
    locked = duckdb.IOException('IO Error: Could not set lock on file "x": held by y (PID 42)')

    def refuse(*_: object, **__: object) -> t.NoReturn:
        raise locked

    monkeypatch.setattr(duckdb, "connect", refuse)
    with pytest.raises(TryLaterError, match="process 42"):
        CliRunner().invoke(warehouse, ["show", str(loader.path)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "-"),
        (1234567, "1,234,567"),
        (Decimal("-1234.50"), "-1,234.50"),
        (dt.timedelta(seconds=59), "59 s"),
        (dt.timedelta(minutes=61), "1 h"),
        (dt.timedelta(minutes=59), "59 min"),
        (dt.timedelta(days=400), "400 d"),
        (dt.timedelta(hours=-25), "-1 d"),
        ("text", "text"),
    ],
)
def test_values_are_written_for_a_person(value: object, expected: str) -> None:
    assert format_value(value) == expected
