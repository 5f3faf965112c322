"""Journal entries that change without a new `updatedAt`: the period is named, and written again."""

from __future__ import annotations

import signal
import typing as t
from decimal import Decimal

import pytest
from support.compare import differences
from support.dealership import Dealership, dealership, pipe
from support.failures import entries, refused, warned
from support.silence import Record, Tap, bring, streams_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LATER: t.Final = 120
"""Seconds: more than the overlap of the settings, so that what lies before is read no more."""

FAMILY: t.Final = {"gl_entries", "gl_entry_lines"}


@pytest.fixture(scope="module")
def open_dealer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dealership]:
    """Serve books of two months, and of the current one even on its first day."""
    world = ("--vehicles", "60", "--days", "60", "--mfa-type", "none")
    with dealership(tmp_path_factory.mktemp("books"), *world) as running:
        entries = [e for e in running.records("gl_entries") if e["status"] == "posted"]
        for period in running.records("accounting_periods"):
            if period["periodStatus"] == "open" and not period["isAdjustingPeriod"]:
                named = {n: period[n] for n in ("companyId", "fiscalYear", "fiscalPeriod")}
                named |= {"accountingDate": period["startDate"]}
                like = next(each for each in entries if each["companyId"] == period["companyId"])
                ids = [f"je_{period['periodId']}_{number}" for number in range(2)]
                bring(running, "gl_entries", *({**like, **named, "journalEntryId": i} for i in ids))
        yield running


@pytest.fixture
def tap(dealer: Dealership, tmp_path: Path) -> Tap:
    """Load the journals, and let what was loaded become older than the overlap."""
    tap = Tap(dealer, tmp_path, "gl_entries")
    tap.run()
    dealer.pass_time(LATER)
    return tap


def of_period(dealer: Dealership, *, closed: bool) -> list[Record]:
    """Return the posted entries of a company's newest closed or open period that has several."""
    groups: dict[tuple[t.Any, ...], list[Record]] = {}
    for entry in dealer.records("gl_entries"):
        if entry["status"] == "posted" and entry["fiscalPeriod"] != 13 and entry["lines"]:
            name = entry["fiscalYear"], entry["fiscalPeriod"], entry["companyId"]
            groups.setdefault(name, []).append(entry)
    periods = {
        (each["fiscalYear"], each["fiscalPeriod"], each["companyId"])
        for each in dealer.records("accounting_periods")
        if (each["periodStatus"] == "closed") is closed
    }
    return groups[max(name for name in groups if name in periods and len(groups[name]) > 1)]


def named(entry: Record) -> str:
    """Return the name of an entry's period, as a message has it."""
    year, number, company = (entry[n] for n in ("fiscalYear", "fiscalPeriod", "companyId"))
    return f"period {year}-{number:02d} of {company}"


def raised(entry: Record, by: int) -> Record:
    """Return an entry with another dollar amount on both sides, and the same `updatedAt`."""
    first, second, *others = sorted(entry["lines"], key=lambda line: -abs(line["amount"]))
    grown = [
        line
        | {
            "debit": line["debit"] + by if line["debit"] else line["debit"],
            "credit": line["credit"] + by if line["credit"] else line["credit"],
        }
        for line in (first, second)
    ]
    return entry | {"lines": [*grown, *others]}


def rows_of(tap: Tap) -> dict[str, Record]:
    rows: dict[str, Record] = tap.bookmark("gl_entries")["periods"]["rows"]
    return rows


def test_a_control_row_is_what_the_entries_of_its_period_come_to(tap: Tap) -> None:
    for closed in (True, False):
        posted = of_period(tap.dealer, closed=closed)
        year, number, company = (
            posted[0][name] for name in ("fiscalYear", "fiscalPeriod", "companyId")
        )
        counted = [
            entry
            for entry in tap.dealer.records("gl_entries")
            if (entry["fiscalYear"], entry["fiscalPeriod"]) == (year, number)
            and entry["companyId"] == company
            and entry["status"] in {"posted", "reversed"}
        ]
        row = rows_of(tap)[f"{company}/{year}-{number:02d}"]
        assert row["count"] == len(counted)
        assert Decimal(row["debit"]) == sum(entry["totalDebit"] for entry in counted)
        assert Decimal(row["credit"]) == sum(entry["totalCredit"] for entry in counted)
    assert any(name.endswith("-13") for name in rows_of(tap))


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_a_period_that_was_changed_in_silence_is_named_and_written_again_whole(
    tap: Tap, *, closed: bool
) -> None:
    assert tap.run().messages("RECORD") == []
    entry = of_period(tap.dealer, closed=closed)[0]
    before = tap.bookmark("gl_entries")
    tap.dealer.pass_time(LATER)
    bring(tap.dealer, "gl_entries", raised(entry, 100))
    done = tap.run()
    warned(done, "'gl_entries'", f"{named(entry)} was restated", "By the run before it had")
    same = {
        each["journalEntryId"]: each
        for each in tap.dealer.records("gl_entries")
        if named(each) == named(entry)
    }
    assert {each["journalEntryId"] for each in done.records("gl_entries")} == same.keys()
    assert len(done.records("gl_entries")) == len(same)
    written = next(
        each
        for each in done.records("gl_entries")
        if each["journalEntryId"] == entry["journalEntryId"]
    )
    assert written["lines"] == raised(entry, 100)["lines"]
    lines = {(each["journalEntryId"], each["lineId"]) for each in done.records("gl_entry_lines")}
    assert lines == {(key, line["lineId"]) for key in same for line in same[key]["lines"]}
    after = tap.bookmark("gl_entries")
    assert after["seen"] == before["seen"] == []
    quiet = tap.run()
    assert quiet.messages("RECORD") == []
    assert entries(quiet.err, "WARNING") == []


def test_year_end_entries_are_compared_as_a_period_of_their_own(tap: Tap) -> None:
    entry = next(each for each in tap.dealer.records("gl_entries") if each["fiscalPeriod"] == 13)
    bring(tap.dealer, "gl_entries", raised(entry, 5))
    done = tap.run()
    warned(done, f"{named(entry)} was restated")
    assert {each["fiscalPeriod"] for each in done.records("gl_entries")} == {13}


def test_a_warning_says_what_the_period_came_to_before_and_comes_to_now(tap: Tap) -> None:
    entry = of_period(tap.dealer, closed=True)[0]
    name = f"{entry['companyId']}/{entry['fiscalYear']}-{entry['fiscalPeriod']:02d}"
    before = rows_of(tap)[name]
    bring(tap.dealer, "gl_entries", raised(entry, 7))
    done = tap.run()
    after = rows_of(tap)[name]
    assert Decimal(after["debit"]) - Decimal(before["debit"]) == 7
    for row in (before, after):
        debit, credit = Decimal(row["debit"]), Decimal(row["credit"])
        warned(done, f"{row['count']:,} entries, debits {debit:,}, credits {credit:,}")


def test_a_period_with_the_same_sums_is_said_to_hold_other_accounts_or_entries(tap: Tap) -> None:
    entry = of_period(tap.dealer, closed=True)[0]
    swapped = [line | {"controlNumber": f"other {line['lineId']}"} for line in entry["lines"]]
    bring(tap.dealer, "gl_entries", entry | {"lines": swapped})
    done = tap.run()
    warned(done, f"{named(entry)} was restated", "Number and sums are as expected (", "accounts")
    assert "By the run before it had" not in done.err
    assert entry["journalEntryId"] in {e["journalEntryId"] for e in done.records("gl_entries")}


def test_an_entry_posted_back_dated_into_a_closed_period_is_told_and_comes_alone(
    tap: Tap,
) -> None:
    entry = of_period(tap.dealer, closed=True)[0]
    now: str = tap.dealer.control("clock", {"advance": 0})["now"]
    stamps = dict.fromkeys(("createdAt", "postedAt", "updatedAt"), now)
    late = [{**entry, **stamps, "journalEntryId": f"je_late_{number}"} for number in range(2)]
    bring(tap.dealer, "gl_entries", *late)
    tap.dealer.pass_time(LATER)
    done = tap.run()
    assert {each["journalEntryId"] for each in done.records("gl_entries")} == {
        "je_late_0",
        "je_late_1",
    }
    assert entries(done.err, "WARNING") == []
    told = f"2 entries were posted back-dated into closed {named(entry)}"
    assert [told in each for each in entries(done.err, "INFO") if "back-dated" in each] == [True]
    quiet = tap.run()
    assert quiet.messages("RECORD") == []
    assert not [each for each in entries(quiet.err, "INFO") if "back-dated" in each]


def test_an_entry_imported_with_an_old_date_is_found_by_its_period(tap: Tap) -> None:
    entry = of_period(tap.dealer, closed=True)[0]
    bring(tap.dealer, "gl_entries", {**entry, "journalEntryId": "je_old"})
    done = tap.run()
    assert "je_old" in {each["journalEntryId"] for each in done.records("gl_entries")}
    warned(done, f"{named(entry)} was restated")


def test_periods_that_a_vendor_makes_text_are_passed_over_with_one_line(tap: Tap) -> None:
    entry = of_period(tap.dealer, closed=True)[0]
    entries_of_gl = {"path": "/accounting/gl-entries*"}
    tap.dealer.faults({"kind": "text_field", "field": "fiscalPeriod", "match": entries_of_gl})
    done = tap.run()
    assert "was restated" not in done.err
    [said] = [each for each in entries(done.err, "WARNING") if "cannot be compared" in each]
    assert named(entry) in said
    tap.dealer.control("reset-faults", {})
    back = tap.run()
    assert back.messages("RECORD") == []
    assert entries(back.err, "WARNING") == []


def test_an_entry_that_is_gone_is_a_restatement(tap: Tap) -> None:
    entry = of_period(tap.dealer, closed=False)[0]
    tap.dealer.control("delete", {"stream": "gl_entries", "keys": [entry["journalEntryId"]]})
    done = tap.run()
    warned(done, f"{named(entry)} was restated", "`automate-dms audit`")


def test_reversals_and_postings_of_a_day_are_no_restatement(tap: Tap) -> None:
    tap.dealer.live(200)
    for _ in range(3):
        tap.dealer.pass_time(10)
        done = tap.run()
        assert entries(done.err, "WARNING") == []
    tap.dealer.live(0)
    tap.dealer.pass_time(LATER)


def test_journals_that_were_restated_land_in_the_warehouse_as_they_are(
    dealer: Dealership, tmp_path: Path
) -> None:
    warehouse, state = tmp_path / "w.duckdb", tmp_path / "state.json"
    config = dealer.config(requests_per_second=1_000)
    dealer.pass_time(LATER)
    assert pipe(config, warehouse, state).code == 0
    dealer.pass_time(LATER)
    bring(dealer, "gl_entries", raised(of_period(dealer, closed=True)[0], 3))
    done = pipe(config, warehouse, state)
    assert done.code == 0, done.err
    assert streams_of(done) == FAMILY
    assert differences(dealer, warehouse) == []


def test_each_rooftop_has_its_own_control_rows(dealer: Dealership, tmp_path: Path) -> None:
    rooftops = [each["rooftopId"] for each in dealer.records("rooftops")]
    tap = Tap(dealer, tmp_path, "gl_entries", rooftop_ids=rooftops)
    tap.run()
    parts = tap.bookmark("gl_entries")["partitions"]
    names = [set(part["periods"]["rows"]) for part in parts]
    assert names[0]
    assert names[1]
    assert names[0].isdisjoint(names[1])
    dealer.pass_time(LATER)
    entry = of_period(dealer, closed=True)[0]
    bring(dealer, "gl_entries", raised(entry, 11))
    done = tap.run()
    warned(done, f"{named(entry)} was restated")
    assert {each["rooftopId"] for each in done.records("gl_entries")} == {entry["rooftopId"]}


def test_a_tenant_without_periods_is_compared_by_months(dealer: Dealership, tmp_path: Path) -> None:
    tap = Tap(dealer, tmp_path, "gl_entries", endpoints={"accounting_periods": "/nowhere"})
    first = tap.run()
    told = "the DMS names no accounting periods, so this month and the 2 before are compared"
    assert [told in each for each in entries(first.err, "INFO") if "names no" in each] == [True]
    dealer.pass_time(LATER)
    entry = of_period(dealer, closed=True)[0]
    bring(dealer, "gl_entries", raised(entry, 13))
    done = tap.run()
    warned(done, f"month {entry['accountingDate'][:7]} of {entry['companyId']} was restated")
    assert entry["journalEntryId"] in {
        each["journalEntryId"] for each in done.records("gl_entries")
    }
    assert tap.run().messages("RECORD") == []


def test_nothing_is_compared_where_the_settings_say_so(tap: Tap) -> None:
    kept = tap.bookmark("gl_entries")["periods"]
    bring(tap.dealer, "gl_entries", raised(of_period(tap.dealer, closed=True)[0], 17))
    done = tap.run(gl_restatement=False)
    assert done.messages("RECORD") == []
    assert tap.bookmark("gl_entries")["periods"] == kept
    # What was kept before is still what the next comparison starts from.
    assert streams_of(tap.run()) == FAMILY


def test_a_stream_of_some_accounting_dates_is_not_compared(
    dealer: Dealership, tmp_path: Path
) -> None:
    tap = Tap(dealer, tmp_path, "gl_entries", gl_accounting_from="2026-01-01")
    tap.run()
    assert "periods" not in str(tap.state)


def test_a_run_that_is_stopped_among_periods_keeps_bookmark_and_control_rows(tap: Tap) -> None:
    entry = of_period(tap.dealer, closed=True)[0]
    bring(tap.dealer, "gl_entries", raised(entry, 19))
    before = tap.bookmark("gl_entries")
    fault = {"kind": "latency", "milliseconds": 25_000, "skip": 1}
    tap.dealer.faults({**fault, "match": {"path": "/accounting/gl-entries"}})
    stopped = tap.stop_when_past("gl_entries", signal.SIGTERM)
    refused(stopped, 143, "Stopped by a signal", "next run continues")
    after = tap.bookmark("gl_entries")
    assert after["periods"] == before["periods"]
    assert after["replication_key_value"] > before["replication_key_value"]
    tap.dealer.control("reset-faults", {})
    warned(tap.run(), f"{named(entry)} was restated")
