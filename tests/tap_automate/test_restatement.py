"""Accounting periods: which are compared, what they come to, and when that is a restatement."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import typing as t
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate_api import contract
from automate_api.errors import ConfigError
from tap_automate.passes.base import Span
from tap_automate.passes.controls import STATE_KEY, Control, Kept, facts_of
from tap_automate.passes.periods import MOST_OPEN, Choice, Period, choose
from tap_automate.passes.restatement import RANGE, Tally
from tap_automate.reading.windows import MICROSECONDS

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_automate.tap import TapAutomate

TODAY = dt.date(2026, 11, 23)
CALENDAR = choose([], TODAY)
COOLDOWN = 5
"""Seconds of the model between what a run counts and the moment at which it looks."""

ENTRY: dict[str, t.Any] = {
    "journalEntryId": "je_1",
    "companyId": "co_1",
    "rooftopId": "rt_1",
    "accountingDate": "2026-10-31",
    "fiscalYear": 2026,
    "fiscalPeriod": 10,
    "status": "posted",
    "createdAt": "2026-11-01T00:00:00Z",
    "postedAt": "2026-11-01T00:00:00Z",
    "lines": [
        {"lineId": "L1", "accountNumber": "0200", "debit": Decimal("10.10"), "credit": 0},
        {"lineId": "L2", "accountNumber": "324A", "debit": 0, "credit": Decimal("10.10")},
    ],
}


def period(year: int, number: int, *, is_open: bool = False, books: str = "co_1") -> Period:
    month = min(number, 12)
    first = dt.date(year, month, 1)
    last = (first + dt.timedelta(31)).replace(day=1) - dt.timedelta(1)
    return Period(books, year, number, first, last, is_open, is_adjusting=number == 13)


def names(choice: Choice) -> list[str]:
    return [choice.name(each, each.books) for each in choice.periods]


def control(entry: dict[str, t.Any]) -> Control:
    made = Control()
    made.include(facts_of(entry, 0))
    return made


class TestPeriods:
    def test_the_open_the_last_two_closed_and_the_newest_13th_are_compared(self) -> None:
        known = [period(2024, 13), period(2025, 12), period(2025, 13)]
        known += [period(2026, month, is_open=month > 10) for month in range(1, 13)]
        assert names(choose(known, TODAY)) == [
            "co_1/2025-13",
            "co_1/2026-09",
            "co_1/2026-10",
            "co_1/2026-11",
        ]

    def test_a_13th_that_is_still_open_does_not_take_the_place_of_a_month(self) -> None:
        known = [dataclasses.replace(period(2025, 13), is_open=True)]
        known += [period(2025, month) for month in range(9, 13)]
        assert names(choose(known, dt.date(2026, 1, 10))) == [
            "co_1/2025-11",
            "co_1/2025-12",
            "co_1/2025-13",
        ]

    def test_each_company_closes_its_own(self) -> None:
        known = [period(2026, month, books=books) for books in "ab" for month in range(6, 9)]
        known += [period(2026, 9, books="a"), period(2026, 9, books="b", is_open=True)]
        assert set(names(choose(known, TODAY))) == {
            "a/2026-08",
            "a/2026-09",
            "b/2026-07",
            "b/2026-08",
            "b/2026-09",
        }

    def test_where_nobody_closes_a_period_the_newest_are_compared(self) -> None:
        known = [period(2026, month, is_open=True) for month in range(1, 12)]
        assert len(choose(known, TODAY).periods) == MOST_OPEN
        assert names(choose(known, TODAY))[-1] == "co_1/2026-11"

    def test_without_periods_this_month_and_the_two_before_are_compared(self) -> None:
        assert CALENDAR.is_calendar
        assert CALENDAR.spans() == [(dt.date(2026, 9, 1), dt.date(2026, 11, 30))]
        assert [CALENDAR.described(name) for name in names(CALENDAR)] == [
            "month 2026-09",
            "month 2026-10",
            "month 2026-11",
        ]
        assert choose([], dt.date(2026, 1, 31)).spans() == [
            (dt.date(2025, 11, 1), dt.date(2026, 1, 31))
        ]

    def test_days_are_asked_for_once_however_periods_overlap(self) -> None:
        choice = choose([period(2025, 12), period(2025, 13), period(2026, 9)], TODAY)
        assert choice.spans() == [
            (dt.date(2025, 12, 1), dt.date(2025, 12, 31)),
            (dt.date(2026, 9, 1), dt.date(2026, 9, 30)),
        ]

    def test_an_entry_belongs_to_the_period_that_it_names_not_to_the_day_it_counts_for(
        self,
    ) -> None:
        choice = choose([period(2025, 12), period(2025, 13)], dt.date(2026, 1, 10))
        year_end = {**ENTRY, "fiscalYear": 2025, "fiscalPeriod": 13, "accountingDate": "2025-12-31"}
        found = choice.find(facts_of(year_end, 0))
        assert found is not None
        assert choice.described(found[0]) == "period 2025-13 of co_1"

    def test_without_periods_an_entry_belongs_to_the_month_of_its_accounting_date(self) -> None:
        found = CALENDAR.find(facts_of({**ENTRY, "fiscalPeriod": 13}, 0))
        assert found is not None
        assert found[0] == "co_1/month 2026-10"
        for odd in (None, "", "soon", "2026", 20261031):
            assert CALENDAR.find(facts_of({**ENTRY, "accountingDate": odd}, 0)) is None

    def test_a_period_that_names_no_company_is_that_of_all(self) -> None:
        choice = choose([period(2026, 10, books="")], TODAY)
        found = choice.find(facts_of(ENTRY, 0))
        assert found is not None
        assert found[0] == "co_1/2026-10"

    def test_the_parameters_are_those_of_the_list_call(self) -> None:
        assert set(RANGE) <= contract.load().resource("/accounting/gl-entries").parameters


class TestControls:
    def test_sums_are_exact(self) -> None:
        lines = [{"lineId": str(n), "debit": Decimal("0.10"), "credit": None} for n in range(3)]
        entry = {**ENTRY, "lines": lines}
        assert (control(entry).debit, control(entry).credit) == (Decimal("0.30"), Decimal(0))

    def test_a_signed_amount_stands_for_a_line_without_sides(self) -> None:
        lines = [{"lineId": "a", "amount": Decimal(-7)}, {"lineId": "b", "amount": 5}]
        assert control({**ENTRY, "lines": lines}).credit == 7
        assert control({**ENTRY, "lines": lines}).debit == 5

    def test_an_entry_without_lines_counts_with_what_it_says_of_itself(self) -> None:
        entry = {**ENTRY, "lines": None, "totalDebit": Decimal("3.5"), "totalCredit": 3}
        assert (control(entry).debit, control(entry).credit) == (Decimal("3.5"), Decimal(3))

    @pytest.mark.parametrize(
        "change",
        [
            {"accountNumber": "0201"},
            {"accountNumber": "200"},
            {"debit": Decimal("10.11")},
            {"controlNumber": "D-1"},
            {"control2Number": "D-1"},
            {"departmentCode": "10"},
            {"unitCount": 1},
            {"lineId": "L9"},
        ],
    )
    def test_what_a_statement_is_made_of_is_in_the_hash(self, change: dict[str, t.Any]) -> None:
        changed = {**ENTRY, "lines": [{**ENTRY["lines"][0], **change}, ENTRY["lines"][1]]}
        assert control(changed).hash != control(ENTRY).hash

    def test_the_order_of_lines_and_the_zeros_of_an_amount_are_not(self) -> None:
        first, second = ENTRY["lines"]
        same = [{**second, "debit": Decimal("0.00")}, {**first, "debit": Decimal("10.1000")}]
        assert control({**ENTRY, "lines": same}) == control(ENTRY)
        noted = [{**first, "description": "A note", "isReconciled": True}, second]
        assert control({**ENTRY, "lines": noted}) == control(ENTRY)

    def test_rows_in_the_state_are_exact_and_small(self) -> None:
        row = Control(123_456, Decimal("123456789012345678.90"), Decimal("-0.01"), 2**64 - 1)
        state = {STATE_KEY: {"until": "2026-11-23T00:00:00Z", "rows": {"co_1/2026-10": row}}}
        text = json.dumps(state, default=lambda control: control.to_state())
        assert Kept.from_state(json.loads(text), name="gl_entries").rows == {"co_1/2026-10": row}
        assert len(json.dumps({"co_123456/2026-10": row.to_state()})) < 140

    @pytest.mark.parametrize(
        "kept",
        [
            None,
            [],
            {},
            {"until": "2026-11-23T00:00:00Z"},
            {"until": "soon", "rows": {}},
            {"until": "2026-11-23T00:00:00Z", "rows": {"p": {}}},
            {
                "until": "2026-11-23T00:00:00Z",
                "rows": {"p": {"count": 1, "debit": "x", "credit": "1", "hash": "0"}},
            },
            {
                "until": "2026-11-23T00:00:00Z",
                "rows": {"p": {"count": "1", "debit": "1", "credit": "1", "hash": "0"}},
            },
        ],
    )
    def test_a_state_that_a_person_has_broken_is_said_before_anything_is_read(
        self, make_tap: Callable[..., TapAutomate], kept: object
    ) -> None:
        state = {"replication_key_value": "2026-01-20T13:45:00Z", STATE_KEY: kept}
        with pytest.raises(ConfigError, match=rf"'gl_entries': `{STATE_KEY}` must be control rows"):
            make_tap().load_state({"bookmarks": {"gl_entries": state}})

    @pytest.mark.parametrize("odd", [None, "many", True, [], {"a": 1}])
    def test_odd_values_neither_fail_nor_count(self, odd: object) -> None:
        entry = {
            name: odd for name in ENTRY if name not in {"journalEntryId", "companyId", "lines"}
        }
        facts = facts_of({**entry, "journalEntryId": "je_1", "totalDebit": odd, "lines": odd}, 7)
        assert facts.born == 7
        assert CALENDAR.find(facts) is None


@dataclasses.dataclass
class Books:
    """A model of a ledger: what is done to it, second by second, and what a run makes of it."""

    now: int = 1_000
    entries: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    state: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    altered: set[str] = dataclasses.field(default_factory=set)

    def post(self, month: int, *, posted: bool = True) -> None:
        self.now += 1
        key = f"je_{len(self.entries)}"
        stamp = instant(self.now)
        self.entries[key] = {
            **ENTRY,
            "journalEntryId": key,
            "accountingDate": f"2026-{month:02d}-15",
            "fiscalPeriod": month,
            "status": "posted" if posted else "unposted",
            "createdAt": stamp,
            "postedAt": stamp if posted else None,
            "updatedAt": stamp,
        }

    def pick(self, number: int, *states: str) -> dict[str, t.Any] | None:
        self.now += 1
        fitting = [each for each in self.entries.values() if each["status"] in states]
        return fitting[number % len(fitting)] if fitting else None

    def step(self, number: int, states: tuple[str, ...], **changes: object) -> None:
        entry = self.pick(number, *states)
        if entry:
            entry |= {"updatedAt": instant(self.now), **changes}

    def alter(self, number: int, **changes: object) -> None:
        """Change a posted entry without saying so: an amount, unless told otherwise."""
        entry = self.pick(number, "posted", "reversed")
        # What no run has seen as it is comes by its `updatedAt`, whatever becomes of it.
        seen = self.state.get("seen_until", "")
        if entry and max(entry["postedAt"], entry["updatedAt"]) < seen:
            amount = Decimal(self.now)
            lines = [{**entry["lines"][0], "debit": amount}, entry["lines"][1]]
            entry |= changes or {"lines": lines}
            self.altered.add(f"co_1/month 2026-{entry['fiscalPeriod']:02d}")

    def do(self, name: str, number: int) -> None:
        """Do one thing, a second later; the number chooses a month or an entry."""
        stamp = instant(self.now + 1)
        match name:
            case "post":
                self.post(number)
            case "draft":
                self.post(number, posted=False)
            case "finish":
                self.step(number, ("unposted",), status="posted", postedAt=stamp)
            case "touch":
                self.step(number, ("posted", "reversed"))
            case "reverse":
                self.step(number, ("posted",), status="reversed")
            case "void":
                self.step(number, ("posted", "unposted"), status="voided")
            case "alter":
                self.alter(number)
            case _:
                self.alter(number, status="voided")

    def run(self) -> set[str]:
        """Count, as a run does; return the periods that it calls restated."""
        self.now += COOLDOWN
        end = self.now - COOLDOWN
        kept = Kept.from_state(self.state, name="gl_entries")
        tally = Tally(CALENDAR, kept, Span(0, -1, 0, end, self.now, is_first=False))
        for entry in self.entries.values():
            updated = second(entry["updatedAt"]) * MICROSECONDS
            tally.add(facts_of(entry, updated), updated)
        rows = {name: each.to_state() for name, each in tally.now.items()}
        restated = set(tally.restated())
        self.state = {STATE_KEY: {"until": instant(end), "rows": rows}, "seen_until": instant(end)}
        return restated


def instant(at: int) -> str:
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def second(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp())


steps = st.one_of(
    st.tuples(st.just("post"), st.integers(8, 11)),
    st.tuples(st.just("draft"), st.integers(9, 11)),
    st.tuples(
        st.sampled_from(["finish", "touch", "reverse", "void", "alter", "hide"]), st.integers(0, 50)
    ),
    st.tuples(st.just("run"), st.just(0)),
)


@given(st.lists(steps, max_size=40))
def test_a_period_is_restated_when_an_entry_of_it_was_changed_in_silence_and_at_no_other_time(
    script: list[tuple[str, int]],
) -> None:
    books = Books()
    for name, number in [*script, ("run", 0), ("run", 0)]:
        if name != "run":
            books.do(name, number)
            continue
        # The model posts into a month that is not compared, too.
        expected = books.altered - {"co_1/month 2026-08"}
        assert books.run() == expected
        books.altered.clear()


def test_entries_that_are_gone_are_a_restatement_also_when_they_were_all_of_a_period() -> None:
    books = Books()
    books.post(10)
    books.now += COOLDOWN
    assert books.run() == set()
    books.entries.clear()
    assert books.run() == {"co_1/month 2026-10"}
    assert books.run() == set()


def compared(state: dict[str, t.Any], *entries: dict[str, t.Any]) -> Tally:
    """Count entries of October as a run after the one that has left the state does."""
    kept = Kept.from_state(state, name="gl_entries")
    choice = choose([period(2026, 9), period(2026, 10)], TODAY)
    end = second("2026-11-20T00:00:00Z")
    tally = Tally(choice, kept, Span(0, -1, end - 60, end, end, is_first=False))
    for entry in entries:
        tally.add(facts_of(entry, 0), 0)
    return tally


def as_state(tally: Tally) -> dict[str, t.Any]:
    rows = {name: each.to_state() for name, each in tally.rows().items()}
    return {STATE_KEY: {"until": "2026-11-20T00:00:00Z", "rows": rows}}


@pytest.mark.parametrize("odd", [{"fiscalPeriod": "P10"}, {"fiscalYear": ["2026"]}])
def test_a_period_whose_entries_name_none_by_number_is_passed_over_until_they_do(
    odd: dict[str, object],
) -> None:
    first = compared({}, ENTRY)
    assert first.rows()["co_1/2026-10"].count == 1
    unclear = compared(as_state(first), {**ENTRY, **odd})
    assert unclear.unclear() == {"co_1/2026-10"}
    assert unclear.restated() == []
    assert unclear.rows().keys() == {"co_1/2026-09"}
    again = compared(as_state(unclear), ENTRY)
    assert (again.unclear(), again.restated()) == (set(), [])
    changed = {**ENTRY, "lines": []}
    assert compared(as_state(again), changed).restated() == ["co_1/2026-10"]


def test_an_entry_without_a_period_leaves_the_others_compared() -> None:
    none = {**ENTRY, "fiscalPeriod": None}
    tally = compared(as_state(compared({}, ENTRY)), none)
    assert (tally.unclear(), tally.restated()) == (set(), ["co_1/2026-10"])


def test_a_period_by_number_may_come_as_text() -> None:
    text = {**ENTRY, "fiscalYear": "2026", "fiscalPeriod": "10"}
    tally = compared(as_state(compared({}, ENTRY)), text)
    assert (tally.unclear(), tally.restated()) == (set(), [])
    assert facts_of({**ENTRY, "fiscalYear": "9" * 5_000}, 0).year is None


def test_an_entry_that_became_visible_late_is_no_restatement() -> None:
    books = Books()
    books.post(10)
    late = books.entries.pop("je_0")
    books.now += COOLDOWN
    books.run()
    kept = Kept.from_state(books.state, name="gl_entries")
    updated = second(late["updatedAt"]) * MICROSECONDS
    assert kept.until is not None
    assert updated < kept.until
    for is_late in (True, False):
        span = Span(0, -1, second(late["updatedAt"]) - 60, books.now, books.now, is_first=False)
        rows = {**kept.rows, "co_1/month 2026-10": Control()}
        tally = Tally(CALENDAR, dataclasses.replace(kept, rows=rows), span)
        tally.add(facts_of(late, updated), updated, is_late=is_late)
        assert bool(tally.restated()) is not is_late
