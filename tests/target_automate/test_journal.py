"""The journal keeps every write before it is sent: durable, by groups, readable meanwhile."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import typing as t
from decimal import Decimal

import pytest
from support.intents import AT, journal_at, new

from target_automate.journal.file import read_journal
from target_automate.journal.intents import OPEN, Cause, State
from target_automate.journal.queries import JournalError

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_automate.journal.journal import Journal

KEY: t.Final = "a long enough key"


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def key(request: pytest.FixtureRequest) -> str | None:
    value: str | None = request.param
    return value


@pytest.fixture
def journal(tmp_path: Path, key: str | None) -> Iterator[Journal]:
    with journal_at(tmp_path, key) as opened:
        yield opened


def durable(journal: Journal, query: str = "SELECT state FROM intent ORDER BY id") -> list[t.Any]:
    """Read what is on the disk, by a connection of its own."""
    with contextlib.closing(sqlite3.connect(journal.path)) as connection:
        return [row[0] for row in connection.execute(query)]


def test_an_intent_is_read_as_it_was_kept(journal: Journal) -> None:
    payload = {"lastName": "Grün", "price": Decimal("0.10"), "n": 10**17, "deep": [{"a": [1]}]}
    parent = journal.seal.digest("customers", "crm-1")
    number = journal.add(
        new(
            "deals",
            "web-1",
            payload=payload,
            parent=parent,
            state=State.REJECTED,
            cause=Cause.INVALID,
            reason="vehicle: required",
            sequence=3,
            look_up=True,
            approved=True,
        ),
        AT,
    )
    kept = journal.get(number)
    assert (kept.object, kept.operation, kept.business_key) == ("deals", "create", "web-1")
    assert kept.payload == payload
    assert str(kept.payload["price"]) == "0.10"
    assert (kept.state, kept.cause, kept.reason) == (
        State.REJECTED,
        Cause.INVALID,
        "vehicle: required",
    )
    assert (kept.sequence, kept.generation, kept.attempts) == (3, 0, 0)
    assert (kept.look_up, kept.approved, kept.parent) == (True, True, parent)
    assert (kept.created_at, kept.first_sent_at, kept.dms_id) == (AT, None, None)


def test_nothing_is_on_the_disk_before_a_flush_and_everything_after_it(journal: Journal) -> None:
    numbers = [journal.add(new(key=f"crm-{place}"), AT) for place in range(3)]
    assert durable(journal) == []
    journal.flush()
    assert durable(journal) == ["PLANNED"] * 3
    journal.change(numbers[1], State.SENT, AT)
    assert durable(journal) == ["PLANNED"] * 3
    journal.flush()
    assert durable(journal) == ["PLANNED", "SENT", "PLANNED"]


def test_what_stands_is_counted_with_its_oldest_without_a_look_at_what_is_done(
    journal: Journal,
) -> None:
    first = journal.add(new(key="crm-1"), AT + 5)
    journal.add(new(key="crm-2", state=State.PARKED), AT)
    for place, key in enumerate(("crm-3", "crm-4")):
        journal.add(new(key=key, state=State.PARKED), AT + place + 1)
    journal.change(first, State.ACKED, AT + 9)
    assert journal.standing({*OPEN, State.PARKED}) == {("customers", State.PARKED): (3, AT)}
    assert journal.standing({State.ACKED}) == {}


def test_the_file_is_synchronised_at_each_commit_and_logs_ahead(tmp_path: Path) -> None:
    with journal_at(tmp_path) as journal:
        pragmas = {
            name: journal._connection.execute(f"PRAGMA {name}").fetchone()[0]  # noqa: SLF001 - it has no other face
            for name in ("journal_mode", "synchronous")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}


def test_a_flush_makes_the_changes_of_every_thread_durable(journal: Journal) -> None:
    together = threading.Barrier(8)
    missing: list[int] = []

    def write(place: int) -> None:
        for turn in range(20):
            number = journal.add(new(key=f"crm-{place}-{turn}"), AT)
            together.wait(30)
            journal.flush()
            if number not in durable(journal, "SELECT id FROM intent"):
                missing.append(number)

    threads = [threading.Thread(target=write, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []
    assert len(durable(journal)) == 160


def test_threads_that_flush_together_share_their_commits(journal: Journal) -> None:
    commits: list[str] = []
    together = threading.Barrier(8)

    def write(place: int) -> None:
        journal.add(new(key=f"crm-{place}"), AT)
        together.wait(30)
        journal.flush()

    journal._connection.set_trace_callback(commits.append)  # noqa: SLF001 - sees statements
    threads = [threading.Thread(target=write, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert commits.count("COMMIT") == 1


def test_a_crash_loses_what_was_not_flushed_and_nothing_else(
    tmp_path: Path, key: str | None
) -> None:
    with journal_at(tmp_path, key) as journal:
        number = journal.add(new(key="crm-1"), AT)
        journal.flush()
        journal.add(new(key="crm-2"), AT)
        journal.change(number, State.ACKED, AT, dms_id="cust_1")
        journal.abandon()
    with journal_at(tmp_path, key) as journal:
        assert [kept.business_key for kept in journal.having({*State})] == ["crm-1"]
        assert journal.get(number).state is State.PLANNED


def test_closing_keeps_what_was_not_flushed(tmp_path: Path, key: str | None) -> None:
    with journal_at(tmp_path, key) as journal:
        journal.add(new(), AT)
    with read_journal(tmp_path / "journal.db", key=key) as journal:
        assert journal.counts() == {("customers", State.PLANNED): 1}


def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    with journal_at(tmp_path) as journal:
        pass
    with pytest.raises(JournalError, match="is closed"):
        journal.add(new(), AT)


def test_what_was_sent_has_an_unknown_outcome_after_a_restart(tmp_path: Path) -> None:
    with journal_at(tmp_path) as journal:
        numbers = {
            state: journal.add(new(key=state, content_hash="c", state=state), AT) for state in State
        }
    with journal_at(tmp_path) as journal:
        briefs = journal.recover(AT + 9)
        assert [brief.id for brief in briefs] == [
            numbers[state] for state in State if state in OPEN
        ]
        unknown = journal.get(numbers[State.SENT])
        assert unknown.state is State.UNKNOWN
        assert "ended while it was sent" in (unknown.reason or "")
        assert all(
            journal.get(number).state is state
            for state, number in numbers.items()
            if state is not State.SENT
        )


def test_the_newest_of_a_key_and_the_one_in_the_dms_are_found(journal: Journal) -> None:
    digest = journal.seal.digest("deals", "web-1")
    assert journal.newest("deals", digest) is None
    first = journal.add(new("deals", "web-1", content_hash="A"), AT)
    journal.change(first, State.ACKED, AT, dms_id="deal_1")
    second = journal.add(new("deals", "web-1", content_hash="B", sequence=2), AT)
    journal.change(second, State.REJECTED, AT, cause=Cause.EXISTS)
    journal.add(new("deals", "web-2", sequence=9), AT)
    journal.add(new("customers", "web-1", sequence=9), AT)
    newest, acked = journal.newest("deals", digest), journal.acked("deals", digest)
    assert newest is not None
    assert (newest.id, newest.state, newest.cause) == (second, State.REJECTED, Cause.EXISTS)
    assert acked is not None
    assert (acked.id, acked.content_hash, acked.dms_id) == (first, "A", "deal_1")
    assert journal.parked("deals", digest) is None
    journal.change(second, State.PARKED, AT)
    journal.add(new("deals", "web-1", content_hash="C", sequence=3), AT)
    parked = journal.parked("deals", digest)
    assert parked is not None
    assert parked.id == second


def test_two_intents_of_a_key_never_share_a_sequence(journal: Journal) -> None:
    journal.add(new(), AT)
    with pytest.raises(JournalError, match="UNIQUE"):
        journal.add(new(content_hash="b"), AT)


def test_a_record_of_the_dms_is_claimed_by_its_own_object_alone(journal: Journal) -> None:
    number = journal.add(new("deals", "web-1"), AT)
    journal.change(number, State.ACKED, AT, dms_id="x_1")
    assert journal.claimed("deals", "x_1")
    assert not journal.claimed("service_appointments", "x_1")
    assert not journal.claimed("deals", "x_2")


def test_the_children_of_a_customer_are_the_newest_of_their_keys_that_wait_or_fell_with_it(
    journal: Journal,
) -> None:
    parent, other = (journal.seal.digest("customers", key) for key in ("crm-1", "crm-2"))

    def child(key: str, **changes: t.Any) -> int:  # noqa: ANN401 - attributes
        return journal.add(new("deals", key, **{"parent": parent, **changes}), AT)

    waits = child("1", state=State.WAITING_PARENT)
    fell = child("2", state=State.REJECTED, cause=Cause.PARENT)
    child("3", state=State.REJECTED, cause=Cause.REFUSED)
    child("4", state=State.WAITING_PARENT, parent=other)
    child("5", state=State.WAITING_PARENT)
    child("5", state=State.PLANNED, sequence=2, content_hash="b")
    child("6", state=State.ACKED)
    assert [brief.id for brief in journal.children(parent)] == [waits, fell]


def test_intents_are_listed_by_state_and_object_and_counted(journal: Journal) -> None:
    wanted = []
    for place in range(4):
        state = State.PARKED if place % 2 else State.REJECTED
        wanted.append(journal.add(new("deals", f"web-{place}", state=state), AT))
        journal.add(new("customers", f"crm-{place}", state=state), AT)
    parked = journal.having({State.PARKED, State.REJECTED}, "deals")
    assert [kept.id for kept in parked] == wanted
    assert len([*journal.having({State.PARKED})]) == 4
    assert journal.counts() == {
        (name, state): 2
        for name in ("deals", "customers")
        for state in (State.PARKED, State.REJECTED)
    }


def test_rows_come_in_the_order_of_their_last_change_and_go_on_from_there(
    journal: Journal,
) -> None:
    numbers = [journal.add(new(key=f"crm-{place}"), AT) for place in range(3)]
    journal.change(numbers[0], State.ACKED, AT + 1, dms_id="cust_1")
    rows = [*journal.rows()]
    assert [row["id"] for row in rows] == [numbers[1], numbers[2], numbers[0]]
    assert [row["business_key"] for row in rows] == ["crm-1", "crm-2", "crm-0"]
    assert rows[-1]["settled_at"] == AT + 1
    journal.change(numbers[1], State.REJECTED, AT + 2, cause=Cause.REFUSED)
    assert [row["id"] for row in journal.rows(after=rows[-1]["revision"])] == [numbers[1]]
    assert [row["id"] for row in journal.rows(rejected=True)] == [numbers[1]]
    assert [row["id"] for row in journal.rows(rejected=False)] == [numbers[0]]


def test_revisions_go_on_after_a_restart(tmp_path: Path) -> None:
    with journal_at(tmp_path) as journal:
        journal.add(new(key="crm-1"), AT)
        (first,) = journal.rows()
    with journal_at(tmp_path) as journal:
        journal.add(new(key="crm-2"), AT)
        (second,) = journal.rows(after=first["revision"])
    assert second["business_key"] == "crm-2"


def test_what_was_once_rejected_stays_on_its_list_when_it_goes(journal: Journal) -> None:
    number = journal.add(new(), AT)
    journal.change(number, State.REJECTED, AT, cause=Cause.REFUSED)
    journal.change(number, State.ACKED, AT, dms_id="cust_1", cause=None)
    assert [row["state"] for row in journal.rows(rejected=True)] == ["ACKED"]


def test_a_column_that_does_not_change_is_refused(journal: Journal) -> None:
    number = journal.add(new(), AT)
    with pytest.raises(ValueError, match="sequence"):
        journal.change(number, State.PLANNED, AT, sequence=9)


def test_an_intent_that_is_not_there_is_said(journal: Journal) -> None:
    with pytest.raises(LookupError, match="no write 77"):
        journal.get(77)


def test_facts_are_kept_and_replaced(tmp_path: Path) -> None:
    with journal_at(tmp_path) as journal:
        first = journal.journal_id
        assert journal.fact("mark") is None
        journal.set_fact("mark", "1")
        journal.set_fact("mark", "2")
    with journal_at(tmp_path) as journal:
        assert journal.fact("mark") == "2"
        assert journal.journal_id == first != ""


def test_a_reader_sees_what_is_durable_while_a_writer_goes_on(
    tmp_path: Path, key: str | None
) -> None:
    with journal_at(tmp_path, key) as writer:
        writer.add(new(key="crm-1"), AT)
        writer.flush()
        with read_journal(writer.path, key=key) as reader:
            rows = reader.rows()
            assert next(rows)["business_key"] == "crm-1"
            writer.add(new(key="crm-2"), AT)
            writer.flush()
            assert [*rows] == []
            assert [row["business_key"] for row in reader.rows()] == ["crm-1", "crm-2"]
            with pytest.raises(JournalError, match="readonly"):
                reader.add(new(key="crm-3"), AT)
        writer.add(new(key="crm-3"), AT)
        writer.flush()
        assert len(durable(writer)) == 3


def test_damage_of_what_is_sealed_is_told_from_a_wrong_key(tmp_path: Path) -> None:
    with journal_at(tmp_path, KEY) as journal:
        number = journal.add(new(), AT)
    with contextlib.closing(sqlite3.connect(journal.path)) as connection:
        connection.execute("UPDATE intent SET payload = X'00'")
        connection.commit()
    with (
        read_journal(journal.path, key=KEY) as reader,
        pytest.raises(JournalError, match="the file is damaged"),
    ):
        reader.get(number)
