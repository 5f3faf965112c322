"""What keeps writes safe, taken out piece by piece: the proof must see that something is wrong.

Each of these would pass if the matrix of crashes and faults could not tell good from bad.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
from unittest import mock

import pytest
from proof import matrix, subjects
from proof.crashes import Yard, struck

from automate_api import replies
from automate_sandbox.instants import parse
from target_automate.checks.changes import Changes
from target_automate.journal import identity
from target_automate.journal.intents import State
from target_automate.journal.journal import Journal
from target_automate.records import records
from target_automate.running.watermark import Stretch, Watermark
from target_automate.sending import senders
from target_automate.sending.attachments import Attachments
from target_automate.sending.settlement import Settlement
from target_automate.sinks import table as sinks
from target_automate.sinks.statuses import Machine

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_automate.sending.settlement import Attempt
    from target_automate.sending.steps import Step
    from target_automate.sinks.declarations import SinkDeclaration

Without: t.TypeAlias = t.ContextManager[object]

PRESSES: t.Final = 3


@pytest.fixture(scope="module")
def yards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Yard]]:
    with contextlib.ExitStack() as stack:
        yield {
            keys: stack.enter_context(Yard.open(tmp_path_factory.mktemp(f"safety-{keys}"), keys))
            for keys in t.get_args(t.Literal["honoured", "ignored"])
        }


def commit_after_send() -> Without:
    """What is sent stands in the journal only once the answer does."""
    flush = Journal.flush

    def late(journal: Journal) -> None:
        sent = journal._connection.execute("SELECT 1 FROM intent WHERE state = 'SENT'").fetchone()  # noqa: SLF001 - the mutation is in there
        if not sent:
            flush(journal)

    return mock.patch.object(Journal, "flush", late)


def keys_without_sequence() -> Without:
    """The same content has the same key whenever it comes."""
    make = identity.idempotency_key
    return mock.patch.object(
        identity, "idempotency_key", lambda **parts: make(**{**parts, "sequence": 0})
    )


def recovering_sent_as(state: str) -> Without:
    """What was sent when the process died is taken for something else than unknown."""
    recover = Journal.recover

    def mistaken(journal: Journal, at: float) -> t.Any:  # noqa: ANN401 - as the original's
        for (intent_id,) in journal._connection.execute(  # noqa: SLF001 - the mutation is in there
            "SELECT id FROM intent WHERE state = 'SENT'"
        ).fetchall():
            journal.change(intent_id, State(state), at)
        return recover(journal, at)

    return mock.patch.object(Journal, "recover", mistaken)


def resending_instead_of_parking() -> Without:
    """What is not found is sent again."""

    def eager(name: str) -> SinkDeclaration:
        return dataclasses.replace(sinks.by_object(name), unknown="resend")

    return mock.patch("target_automate.sending.courier.by_object", eager)


def state_before_settled() -> Without:
    """Records do not hold the STATE that stands behind them."""
    return mock.patch.object(Watermark, "take", side_effect=lambda: Stretch(1))


def nothing_seen_is_kept() -> Without:
    """A change that is sent again is one about the record as it is by then."""
    return mock.patch.object(Changes, "_seen", return_value="")


def no_guard_in_the_call() -> Without:
    """The DMS is not told what a change was decided on."""
    return mock.patch.object(senders, "guarded", lambda body, *_: dict(body))


def nothing_read_back() -> Without:
    """A change whose outcome is unknown is taken for one that was not carried out."""
    return mock.patch.object(Changes, "after_sending", return_value="unchanged")


def lanes_by_object() -> Without:
    """Writes about one record go in the order of their own kind alone."""
    return mock.patch.object(
        records, "lane_of", lambda journal, sink, key, _: journal.seal.digest(sink.object, key)
    )


def no_attachment_kept() -> Without:
    """A file whose completion is unknown is announced and completed anew."""
    return mock.patch.object(Attachments, "_keep")


def no_way_back_known() -> Without:
    """No status lies behind another."""
    return mock.patch.object(Machine, "is_backwards", return_value=False)


def asking_on() -> Without:
    """What wants an approval is sent again at once, a few times."""
    ask = Settlement._ask_for_approval  # noqa: SLF001 - what is taken out

    def press(settlement: Settlement, attempt: Attempt) -> Step:
        if attempt.effort.attempts < PRESSES:
            return settlement.desk.again(attempt.intent, State.PLANNED, 0.1)
        return ask(settlement, attempt)

    return mock.patch.object(Settlement, "_ask_for_approval", press)


REMOVALS: t.Final[dict[str, tuple[Callable[[], Without], str, str, str, str]]] = {
    "commit after send": (commit_after_send, "ignored", "deal", "none", "duplicated"),
    "no sequence in the key": (keys_without_sequence, "honoured", "customer", "none", "stale"),
    "sent is planned at the start": (
        lambda: recovering_sent_as("PLANNED"), "ignored", "appointment", "none", "duplicated",
    ),
    "sent is dropped at the start": (
        lambda: recovering_sent_as("DROPPED"), "honoured", "deal", "none", "lost",
    ),
    "resend instead of park": (
        resending_instead_of_parking, "ignored", "deal", "cut-late", "duplicated",
    ),
    "STATE before settled": (state_before_settled, "honoured", "deal", "none", "early"),
    "nothing seen is kept": (
        nothing_seen_is_kept, "ignored", "price that somebody else sets", "cut-before",
        "overwritten",
    ),
    "no guard in the call": (
        no_guard_in_the_call, "ignored", "price that somebody else sets meanwhile", "none",
        "overwritten",
    ),
    "nothing read back": (nothing_read_back, "ignored", "photos", "cut-unanswered", "duplicated"),
    "lanes by object": (
        lanes_by_object, "honoured", "terms of a deal", "rate_limit-seconds", "misordered",
    ),
    "no way back known": (
        no_way_back_known, "honoured", "status of a repair order", "none", "backwards",
    ),
    "asking on": (asking_on, "honoured", "status that wants approval", "none", "pressed"),
    "no attachment kept": (
        no_attachment_kept, "honoured", "file, completed", "cut-unanswered", "duplicated",
    ),
}  # fmt: skip
"""Name to what takes it out, where, and what the checker then says."""


@pytest.mark.parametrize("removal", REMOVALS)
def test_without_it_the_checker_says_what_goes_wrong(yards: dict[str, Yard], removal: str) -> None:
    without, keys, name, fault, word = REMOVALS[removal]
    with without():
        problems = [
            problem
            for _, found in matrix.cases(yards[keys], name, fault, lambda points: points)
            for problem in found
        ]
    assert [problem for problem in problems if problem.startswith(word)]


def waited(yard: Yard, seconds: int) -> float:
    """Have a deal throttled; tell how many seconds later the DMS has taken it."""
    trial = yard.trial(subjects.deal(10_000 + seconds, yard).fed)
    before = parse(yard.dealer.control("info")["now"])
    struck(yard.dealer, {"kind": "rate_limit", "retry_after": seconds})
    trial.carry_out()
    (write,) = (entry for entry in yard.history(trial.since) if entry["stream"] is None)
    return float(write["at"] - before) / 1000


def test_retry_after_is_waited_out_and_the_proof_sees_it(yards: dict[str, Yard]) -> None:
    read = replies.read

    def deaf(*answer: t.Any) -> replies.Reply | replies.Failure:  # noqa: ANN401 - as the original's
        outcome = read(*answer)
        if isinstance(outcome, replies.Failure):
            return outcome
        return dataclasses.replace(outcome, retry_after=None)

    assert waited(yards["honoured"], 40) >= 40
    with mock.patch.object(replies, "read", deaf):
        assert waited(yards["honoured"], 50) < 50
