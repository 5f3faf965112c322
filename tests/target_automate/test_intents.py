"""What a record means beside the newest intent of its key and the one that was created."""

from __future__ import annotations

import itertools

import pytest

from target_automate.journal.intents import OPEN, PASSING, Cause, Head, Meaning, State, meaning


def head(state: State, content: str, sequence: int = 1) -> Head:
    dms_id = "x_1" if state is State.ACKED else None
    cause = Cause.REFUSED if state is State.REJECTED else None
    return Head(sequence, state, content, sequence, dms_id, cause)


@pytest.mark.parametrize("operation", ["upsert", "create", "update", "upload"])
def test_a_key_that_nobody_knows_is_new(operation: str) -> None:
    assert meaning(operation, "A", None) is Meaning.NEW


@pytest.mark.parametrize("operation", ["upsert", "create", "update", "upload"])
@pytest.mark.parametrize("state", sorted(OPEN | {State.REJECTED, State.PARKED}))
def test_the_same_content_is_the_intent_that_is_there(operation: str, state: State) -> None:
    assert meaning(operation, "A", head(state, "A")) is Meaning.SAME


@pytest.mark.parametrize("operation", ["upsert", "create", "update", "upload"])
@pytest.mark.parametrize("state", [State.ACKED, State.DROPPED])
def test_the_same_content_as_the_dms_has_means_nothing(operation: str, state: State) -> None:
    newest = head(state, "A")
    acked = newest if state is State.ACKED else None
    assert meaning(operation, "A", newest, acked=acked) is Meaning.UNCHANGED


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("operation", ["upsert", "update"])
def test_other_content_of_what_may_change_is_the_next_intent(operation: str, state: State) -> None:
    newest = head(state, "B", 2)
    for acked in (None, head(State.ACKED, "A", 1)):
        assert meaning(operation, "A", newest, acked=acked) is Meaning.NEW


@pytest.mark.parametrize("state", sorted(set(State) - {State.PARKED, State.ACKED}))
def test_other_content_of_a_create_is_the_next_intent_while_nothing_is_created(
    state: State,
) -> None:
    assert meaning("create", "A", head(state, "B")) is Meaning.NEW


def test_other_content_of_a_create_that_may_exist_is_blocked() -> None:
    parked = head(State.PARKED, "A", 1)
    assert meaning("create", "B", parked, parked=parked) is Meaning.BLOCKED
    assert meaning("create", "A", parked, parked=parked) is Meaning.SAME


@pytest.mark.parametrize("state", [State.REJECTED, State.DROPPED])
def test_what_may_exist_blocks_every_later_content_not_only_the_next(state: State) -> None:
    parked, blocked = head(State.PARKED, "A", 1), head(state, "B", 2)
    assert meaning("create", "C", blocked, parked=parked) is Meaning.BLOCKED
    assert meaning("create", "A", blocked, parked=parked) is Meaning.BLOCKED
    assert meaning("upsert", "C", blocked, parked=parked) is Meaning.NEW


@pytest.mark.parametrize("newest", [State.ACKED, State.REJECTED, State.PARKED, State.PLANNED])
@pytest.mark.parametrize("operation", ["create", "upload"])
def test_a_created_record_is_never_created_again(operation: str, newest: State) -> None:
    """Whatever came since: its own content is a no-op, any other is refused."""
    created = head(State.ACKED, "A", 1)
    latest = created if newest is State.ACKED else head(newest, "B", 2)
    assert meaning(operation, "A", latest, acked=created) is Meaning.UNCHANGED
    assert meaning(operation, "C", latest, acked=created) is Meaning.EXISTS


def test_a_state_that_lets_no_singer_state_pass_is_one_that_a_run_still_works_on() -> None:
    assert set(State) - PASSING == OPEN - {State.WAITING_APPROVAL}


def test_three_contents_in_turn_are_three_intents() -> None:
    newest, made = None, []
    for number, content in enumerate("ABA", start=1):
        assert meaning("upsert", content, newest) is Meaning.NEW
        newest = head(State.PLANNED, content, number)
        made.append(newest)
    assert [one.content_hash for one in made] == list("ABA")
    assert all(a.sequence < b.sequence for a, b in itertools.pairwise(made))
