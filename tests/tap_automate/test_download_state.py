"""What the state remembers of files still to be fetched: by key, and beyond that by time."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate_api.errors import ConfigError
from tap_automate.downloads import state as download_state
from tap_automate.downloads.state import MOST_KEYS, MOST_TRIES, Unfetched
from tap_automate.streams import STREAMS

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_automate.tap import TapAutomate

SECONDS = st.integers(0, 4_000_000_000)


def through_state(unfetched: Unfetched) -> Unfetched:
    state = json.loads(json.dumps(unfetched.to_state()))
    return Unfetched.from_state(state, name="attachments")


def test_nothing_is_kept_of_nothing() -> None:
    assert Unfetched().to_state() == {}
    assert Unfetched.from_state(None, name="attachments").to_state() == {}


@given(st.lists(st.tuples(st.text(max_size=3), SECONDS), max_size=40), st.integers(1, 5))
def test_no_row_is_forgotten_however_many_there_are(rows: list[tuple[str, int]], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download_state, "MOST_KEYS", most)
        unfetched = Unfetched()
        for key, second in rows:
            assert unfetched.add(key, second, refused=False)
        kept = through_state(unfetched)
        assert len(kept.rows) <= most
        for key, second in rows:
            by_time = kept.since is not None and kept.since <= second
            assert key in kept.rows or by_time


def test_what_overflows_now_is_for_the_next_run_and_not_for_this() -> None:
    unfetched = Unfetched({str(number): number for number in range(MOST_KEYS)})
    assert unfetched.add("more", 77, refused=True)
    assert unfetched.since is None
    kept = through_state(unfetched)
    assert kept.since == 77
    kept.since = None  # looked through
    assert kept.to_state().keys() == {"rows"}


def test_it_is_known_how_far_files_were_looked_for() -> None:
    assert through_state(Unfetched()).until is None
    assert through_state(Unfetched(until=77)).until == 77


def test_a_row_whose_files_came_is_forgotten() -> None:
    unfetched = Unfetched({"att_1": 5})
    unfetched.discard("att_1")
    unfetched.discard("att_2")
    assert unfetched.to_state() == {}


def test_a_row_that_is_refused_run_after_run_is_left_alone_until_it_changes() -> None:
    unfetched = Unfetched()
    for _ in range(MOST_TRIES - 1):
        assert unfetched.add("veh_1", 5, refused=True)
        unfetched = through_state(unfetched)
    assert unfetched.add("veh_1", 5, refused=False)  # no answer counts for nothing
    assert unfetched.add("veh_1", 6, refused=True)  # another version begins anew
    for _ in range(MOST_TRIES - 2):
        assert through_state(unfetched).add("veh_1", 6, refused=True)
        assert unfetched.add("veh_1", 6, refused=True)
    assert not unfetched.add("veh_1", 6, refused=True)
    assert unfetched.to_state() == {}


def test_a_row_that_is_looked_for_by_its_time_keeps_its_tries() -> None:
    unfetched = Unfetched({"veh_1": 5}, tries={"veh_1": MOST_TRIES - 1})
    unfetched.look_for("veh_1")
    assert (unfetched.since, unfetched.rows) == (5, {})
    assert not unfetched.add("veh_1", 5, refused=True)


@pytest.mark.parametrize(
    "state",
    [
        7,
        "x",
        [1],
        {"rows": []},
        {"rows": {"a": 1}},
        {"rows": {"a": "x"}},
        {"since": "soon"},
        {"tries": {"a": "x"}},
        {"until": "later"},
    ],
)
def test_a_state_of_another_form_is_refused_before_the_run(
    make_tap: Callable[..., TapAutomate], state: object
) -> None:
    with pytest.raises(ConfigError, match=r"State of stream 'attachments': `files`"):
        make_tap().load_state({"bookmarks": {"attachments": {"files": state}}})


def test_streams_that_name_files_are_read_by_one_key(make_tap: Callable[..., TapAutomate]) -> None:
    contract = make_tap().contract
    named = [each for each in STREAMS if each.files]
    assert [each.name for each in named] == ["vehicles", "attachments"]
    for each in named:
        assert len(contract.resource(each.path).key) == 1
