"""Open rows that change without a new `updatedAt`: the next run has them, and nothing else."""

from __future__ import annotations

import datetime as dt
import signal
import typing as t

import pytest
from support.compare import differences
from support.dealership import Dealership, pipe
from support.failures import entries, refused, warned
from support.silence import Record, Tap, bring, streams_of

from tap_automate.streams import STREAMS, Open

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ORDERS: t.Final = "GET /service/repair-orders"
LATER: t.Final = 120
"""Seconds: more than the overlap of the settings, so that what lies before is read no more."""


def states_of(stream: str) -> set[str]:
    declared = next(each.reread for each in STREAMS if each.name == stream)
    assert isinstance(declared, Open)
    return set(declared.values)


def is_open_order(record: Record) -> bool:
    return record["status"] in states_of("repair_orders")


def is_deal_in_flight(record: Record) -> bool:
    return record["status"] in states_of("deals")


def is_ahead(record: Record) -> bool:
    return bool(record["appointmentId"] == "appt_ahead")


def server_time(dealer: Dealership) -> dt.datetime:
    now: str = dealer.control("clock", {"advance": 0})["now"]
    return dt.datetime.fromisoformat(now)


@pytest.fixture
def tap(dealer: Dealership, tmp_path: Path) -> Tap:
    """Load what may be open, and let what was loaded become older than the overlap."""
    booked, at = dealer.records("service_appointments")[0], server_time(dealer)
    ahead = {
        "appointmentId": "appt_ahead",
        "advisorId": "u_76",
        "appointmentTime": (at + dt.timedelta(days=9)).isoformat(),
    }
    bring(dealer, "service_appointments", booked | ahead)
    tap = Tap(dealer, tmp_path, "deals", "repair_orders", "service_appointments")
    tap.run()
    dealer.pass_time(LATER)
    return tap


def some(dealer: Dealership, stream: str, fits: Callable[[Record], bool]) -> Record:
    """Choose a record that fits."""
    return next(record for record in dealer.records(stream) if fits(record))


def test_a_run_in_which_nothing_changed_writes_nothing(tap: Tap) -> None:
    for _ in range(2):
        quiet = tap.run()
        assert quiet.messages("RECORD") == []
        assert entries(quiet.err, "WARNING") == []
        tap.dealer.pass_time(LATER)


@pytest.mark.parametrize(
    ("stream", "key", "fits", "change", "lines"),
    [
        (
            "repair_orders",
            "repairOrderId",
            is_open_order,
            {"tagNumber": "T-77"},
            {"repair_order_lines"},
        ),
        (
            "deals",
            "dealId",
            is_deal_in_flight,
            {"salespersonId": "u_77"},
            {"deal_fees", "deal_products", "deal_trade_ins"},
        ),
        ("service_appointments", "appointmentId", is_ahead, {"advisorId": "u_77"}, set()),
    ],
)
def test_an_open_row_that_changed_in_silence_is_written_once_with_its_lines(  # noqa: PLR0913, PLR0917 - a case has as many parts
    tap: Tap,
    stream: str,
    key: str,
    fits: Callable[[Record], bool],
    change: Record,
    lines: set[str],
) -> None:
    before = tap.bookmark(stream)
    record = some(tap.dealer, stream, fits) | change
    bring(tap.dealer, stream, record)
    done = tap.run()
    assert [each[key] for each in done.records(stream)] == [record[key]]
    assert done.records(stream)[0].items() >= change.items()
    assert streams_of(done) <= {stream, *lines}
    if stream == "repair_orders":
        ids = [each["lineId"] for each in done.records("repair_order_lines")]
        assert ids == [line["lineId"] for line in record["lines"]]
    said = [entry for entry in entries(done.err, "INFO") if "open rows were read again" in entry]
    assert len(said) == 1
    assert "1 had changed without a new `updatedAt`" in said[0]
    after = tap.bookmark(stream)
    assert after["seen"] == before["seen"] == []
    assert after["replication_key_value"] > before["replication_key_value"]
    assert tap.run().messages("RECORD") == []


def test_a_closed_order_is_not_read_again(tap: Tap) -> None:
    closed = some(tap.dealer, "repair_orders", lambda each: not is_open_order(each))
    bring(tap.dealer, "repair_orders", closed | {"tagNumber": "T-88"})
    assert tap.run().messages("RECORD") == []


def test_an_open_row_within_the_overlap_is_read_again_as_well(tap: Tap) -> None:
    now = f"{server_time(tap.dealer):%Y-%m-%dT%H:%M:%SZ}"
    order = some(tap.dealer, "repair_orders", is_open_order)
    bring(tap.dealer, "repair_orders", order | {"updatedAt": now})
    tap.dealer.pass_time(5)
    assert len(tap.run().records("repair_orders")) == 1
    is_ours = {"repairOrderId": order["repairOrderId"]}.items()
    silent = some(tap.dealer, "repair_orders", lambda each: each.items() >= is_ours)
    bring(tap.dealer, "repair_orders", silent | {"tagNumber": "T-99"})
    tap.dealer.pass_time(5)
    assert [each["tagNumber"] for each in tap.run().records("repair_orders")] == ["T-99"]
    tap.dealer.pass_time(LATER)
    assert tap.run().messages("RECORD") == []


def test_rows_are_left_alone_where_the_settings_say_so(tap: Tap) -> None:
    order = some(tap.dealer, "repair_orders", is_open_order)
    bring(tap.dealer, "repair_orders", order | {"tagNumber": "T-66"})
    before = tap.dealer.stats()["requests"]
    assert tap.run(reread_open=False).messages("RECORD") == []
    after = tap.dealer.stats()["requests"]
    assert after[ORDERS] - before[ORDERS] == 1
    # What was known before is still known.
    assert len(tap.run().records("repair_orders")) == 1


def test_a_backfill_reads_nothing_again_and_forgets_nothing(tap: Tap) -> None:
    before = tap.state
    done = tap.run(start_date="2000-01-01", end_date="2000-02-01")
    assert done.messages("RECORD") == []
    assert tap.state == before


def test_each_rooftop_knows_its_own_open_rows(dealer: Dealership, tmp_path: Path) -> None:
    rooftops = [each["rooftopId"] for each in dealer.records("rooftops")]
    tap = Tap(dealer, tmp_path, "repair_orders", rooftop_ids=rooftops)
    tap.run()
    dealer.pass_time(LATER)
    parts = tap.bookmark("repair_orders")["partitions"]
    assert len(parts) == len(rooftops)
    known = [set(part["open_rows"]) for part in parts]
    assert known[0].isdisjoint(known[1])
    open_orders = [
        each
        for each in dealer.records("repair_orders")
        if is_open_order(each) and each["rooftopId"] in rooftops
    ]
    assert sum(map(len, known)) == len(open_orders)
    order = open_orders[0]
    bring(dealer, "repair_orders", order | {"tagNumber": "T-55"})
    assert [each["tagNumber"] for each in tap.run().records("repair_orders")] == ["T-55"]
    changed = [
        part["context"]["rooftopId"]
        for part, before in zip(tap.bookmark("repair_orders")["partitions"], known, strict=True)
        if set(part["open_rows"]) != before
    ]
    assert changed == [order["rooftopId"]]


def test_rows_read_again_land_in_batch_files_too(dealer: Dealership, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": files.as_uri()},
    }
    warehouse, state = tmp_path / "w.duckdb", tmp_path / "state.json"
    config = dealer.config(batch_config=batches, requests_per_second=1_000)
    assert pipe(config, warehouse, state).code == 0
    dealer.pass_time(LATER)
    bring(
        dealer,
        "repair_orders",
        some(dealer, "repair_orders", is_open_order) | {"tagNumber": "T-44"},
    )
    second = pipe(config, warehouse, state)
    assert second.code == 0, second.err
    assert second.messages("RECORD") == []
    written = [each for each in second.messages("BATCH") if each["stream"] == "repair_orders"]
    assert len(written) == 1
    assert differences(dealer, warehouse) == []


def test_an_order_without_its_own_stream_still_gives_its_lines(tap: Tap) -> None:
    maps = {"repair_orders": "__NULL__"}
    tap.run(stream_maps=maps)
    order = some(tap.dealer, "repair_orders", is_open_order)
    lines = [{**line, "complaint": "Said later"} for line in order["lines"]]
    bring(tap.dealer, "repair_orders", order | {"lines": lines})
    tap.dealer.pass_time(LATER)
    done = tap.run(stream_maps=maps)
    assert streams_of(done) == {"repair_order_lines"}
    assert {each["complaint"] for each in done.records("repair_order_lines")} == {"Said later"}


@pytest.mark.parametrize("status", [400, 403])
def test_a_server_that_refuses_to_narrow_a_list_costs_a_warning(tap: Tap, status: int) -> None:
    before = tap.bookmark("repair_orders")["open_rows"]
    fault = {"kind": "status", "status": status, "skip": 1, "match": {"path": "/service/repair-*"}}
    tap.dealer.faults(fault)
    done = tap.run()
    warned(done, "'repair_orders': open rows are not read again", "GET /service/repair-orders")
    assert tap.bookmark("repair_orders")["open_rows"] == before
    tap.dealer.control("reset-faults", {})
    assert tap.run().messages("RECORD") == []


def test_a_server_that_fails_over_a_narrowed_list_is_an_error_like_any_other(tap: Tap) -> None:
    fault = {"kind": "server_error", "skip": 1, "match": {"path": "/service/repair-orders"}}
    tap.dealer.faults(fault)
    done = tap.run(code=1)
    refused(done, 1, "GET /service/repair-orders", "500")


def test_a_run_that_is_stopped_among_open_rows_keeps_bookmark_and_what_it_knew(tap: Tap) -> None:
    order = some(tap.dealer, "repair_orders", is_open_order)
    bring(tap.dealer, "repair_orders", order | {"tagNumber": "T-33"})
    before = tap.bookmark("repair_orders")
    tap.dealer.faults(
        {
            "kind": "latency",
            "milliseconds": 25_000,
            "skip": 1,
            "match": {"path": "/service/repair-orders"},
        }
    )
    stopped = tap.stop_when_past("repair_orders", signal.SIGTERM)
    refused(stopped, 143, "Stopped by a signal", "next run continues")
    assert stopped.messages("RECORD") == []
    after = tap.bookmark("repair_orders")
    assert after["open_rows"] == before["open_rows"]
    assert after["replication_key_value"] > before["replication_key_value"]
    tap.dealer.control("reset-faults", {})
    assert [each["tagNumber"] for each in tap.run().records("repair_orders")] == ["T-33"]


def test_voided_orders_unwound_deals_and_merged_customers_are_rows_like_any_other(
    dealer: Dealership, tmp_path: Path
) -> None:
    warehouse, state = tmp_path / "w.duckdb", tmp_path / "state.json"
    config = dealer.config(requests_per_second=1_000)
    assert pipe(config, warehouse, state).code == 0
    dealer.pass_time(LATER)
    now = f"{server_time(dealer):%Y-%m-%dT%H:%M:%SZ}"
    void = {"status": "voided", "voidedAt": now, "voidReason": "Written twice", "updatedAt": now}
    order = some(dealer, "repair_orders", is_open_order) | void
    bring(dealer, "repair_orders", order)
    unwind = {"status": "unwound", "unwoundAt": now, "unwindReason": "Bank", "updatedAt": now}
    deal = some(dealer, "deals", lambda each: each["status"] == "delivered") | unwind
    bring(dealer, "deals", deal)
    one, other = [
        each["customerId"]
        for each in dealer.records("customers")
        if not each["mergedIntoCustomerId"]
    ][:2]
    dealer.control("merge", {"from": one, "into": other})
    dealer.pass_time(10)
    done = pipe(config, warehouse, state)
    assert done.code == 0, done.err
    assert [each["status"] for each in done.records("repair_orders")] == ["voided"]
    assert [each["status"] for each in done.records("deals")] == ["unwound"]
    merged = {each["customerId"]: each for each in done.records("customers")}
    assert merged[one]["mergedIntoCustomerId"] == other
    assert differences(dealer, warehouse) == []
