"""Open rows: which they are, when one counts as changed, and what the state remembers of them."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate_api import contract, exact_json
from automate_api.errors import ConfigError
from tap_automate.instants import to_microseconds
from tap_automate.passes.rereads import MOST_KNOWN, STATE_KEY, Digests, digest_of, narrowings, opens
from tap_automate.privacy import Privacy
from tap_automate.reading.codec import Codec
from tap_automate.reading.windows import MICROSECONDS, Row
from tap_automate.streams import STREAMS, Ahead, Open

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_automate.tap import TapAutomate

NOW = to_microseconds("2026-01-20T12:00:00Z") // MICROSECONDS
PLAIN = Privacy({}, None, frozenset())
ORDER = {
    "repairOrderId": "ro_1",
    "status": "open",
    "updatedAt": "2026-01-20T11:00:00Z",
    "totals": {"labor": 120.50},
    "lines": [{"lineId": "L1", "complaint": "Noise"}],
}
DECLARED = {declaration.name: declaration.reread for declaration in STREAMS}

worlds = st.dictionaries(st.integers(0, 30), st.integers(0, 3), max_size=20)


def row(record: t.Any, key: str = "ro_1") -> Row:  # noqa: ANN401 - a struct or a dict
    return Row((key,), NOW * MICROSECONDS, record)


def run_over(state: dict[str, t.Any], world: dict[int, int]) -> set[int]:
    """Meet every row of a world, as a run does; keep the state; return which rows were new."""
    digests = Digests.from_state(state, name="deals")
    new = {key for key, content in world.items() if digests.is_new((str(key),), f"{key}/{content}")}
    digests.settle()
    state[STATE_KEY] = json.loads(json.dumps(digests.to_state()))
    return new


@given(st.lists(worlds, max_size=6))
def test_a_row_is_written_when_it_is_new_or_has_changed_and_at_no_other_time(
    runs: list[dict[int, int]],
) -> None:
    state: dict[str, t.Any] = {}
    before: dict[int, int] = {}
    for world in runs:
        changed = {key for key, content in world.items() if before.get(key) != content}
        assert run_over(state, world) == changed
        assert run_over(state, world) == set()
        before = world


def test_what_a_run_has_not_come_to_is_still_known() -> None:
    state: dict[str, t.Any] = {}
    run_over(state, {1: 1, 2: 1})
    stopped = Digests.from_state(state, name="deals")
    assert not stopped.is_new(("1",), "1/1")
    state[STATE_KEY] = stopped.to_state()
    assert run_over(state, {1: 1, 2: 1}) == set()


def test_of_too_many_the_same_ones_are_known_in_every_run_and_the_state_stays_small() -> None:
    state: dict[str, t.Any] = {}
    world = dict.fromkeys(range(MOST_KNOWN + 500), 0)
    run_over(state, world)
    assert len(run_over(state, world)) == 500
    assert len(run_over(state, world)) == 500
    digest = digest_of(row(ORDER), PLAIN)
    state[STATE_KEY] = [digest] * MOST_KNOWN
    assert len(json.dumps(state, separators=(",", ":"))) < 30_020


def test_a_row_that_changes_while_it_is_read_is_written_by_the_next_run() -> None:
    digests = Digests()
    assert digests.is_new(("1",), "early")
    assert digests.is_new(("1",), "late")
    assert digests.is_new(("1",), "early")
    assert digests.to_state() == []


@pytest.mark.parametrize("known", [None, "abc", {"a": 1}, [1], [None]])
def test_a_state_that_a_person_has_broken_is_said_before_anything_is_read(
    make_tap: Callable[..., TapAutomate], known: object
) -> None:
    state = {"replication_key_value": "2026-01-20T13:45:00Z", STATE_KEY: known}
    with pytest.raises(ConfigError, match=rf"'deals': `{STATE_KEY}` must be a list of texts"):
        make_tap().load_state({"bookmarks": {"deals": state}})
    parts = [{"context": {"rooftopId": "rt_1"}, **state}]
    with pytest.raises(ConfigError, match="must be a list of texts"):
        make_tap().load_state({"bookmarks": {"deals": {"partitions": parts}}})


@pytest.mark.parametrize(
    "change",
    [
        {"totals": {"labor": 120.51}},
        {"lines": []},
        {"status": "completed"},
        {"updatedAt": "2026-01-20T11:00:01Z"},
        {"somethingNew": 1},
    ],
)
def test_any_change_of_content_counts(change: dict[str, t.Any]) -> None:
    assert digest_of(row({**ORDER, **change}), PLAIN) != digest_of(row(ORDER), PLAIN)


def test_what_moves_by_itself_does_not_count() -> None:
    moved = {"agingDays": 7, "photos": [{"url": "a"}], "downloadUrl": "b", "urlExpiresAt": "c"}
    assert digest_of(row({**ORDER, **moved}), PLAIN) == digest_of(row(ORDER), PLAIN)


def test_the_same_content_under_another_key_is_another_row() -> None:
    assert digest_of(row(ORDER, "ro_2"), PLAIN) != digest_of(row(ORDER), PLAIN)


def test_personal_data_that_is_dropped_neither_counts_nor_leaves_a_trace() -> None:
    personal = {**ORDER, "customer": {"dateOfBirth": "1980-01-01"}}
    born_later = {**ORDER, "customer": {"dateOfBirth": "1990-01-01"}}
    assert digest_of(row(personal), PLAIN) == digest_of(row(born_later), PLAIN)


def test_personal_data_that_is_hashed_goes_in_under_its_key() -> None:
    personal = {**ORDER, "notes": "a note"}
    one, other = (Privacy({"notes": "hash"}, key, frozenset({"notes"})) for key in ("k" * 16, "l"))
    assert digest_of(row(personal), one) != digest_of(row(personal), other)


def test_a_record_has_one_digest_however_it_was_read() -> None:
    """A struct where the contract is right about it, a dict where it is not."""
    schema = contract.load().resource("/service/repair-orders").record_schema
    codec = Codec(schema, Privacy({"vin": "drop"}, None, frozenset({"vin"})))
    record = {**ORDER, "vin": "1HGBH41JXMN109186", "roNumber": "7"}
    text = json.dumps({"items": [record], "page": 1, "pageSize": 1, "total": 1}).encode()
    typed = codec.decode(text).items[0]
    loose = exact_json.decode(json.dumps(record))
    assert not isinstance(typed, dict)
    privacy = Privacy({"vin": "drop"}, None, frozenset({"vin"}))
    assert digest_of(row(typed), privacy) == digest_of(row(loose), privacy)


def test_every_state_but_the_last_of_an_order_or_a_deal_is_open() -> None:
    closed = {
        "deals": {"finalized", "unwound", "voided", "lost"},
        "repair_orders": {"closed", "voided"},
    }
    for name, last in closed.items():
        declared = DECLARED[name]
        assert isinstance(declared, Open)
        path = next(each.path for each in STREAMS if each.name == name)
        resource = contract.load().resource(path)
        states = resource.record_schema["properties"][declared.parameter]["enum"]
        assert set(declared.values) == {each for each in states if each} - last
        assert declared.parameter in resource.parameters


def test_a_parameter_that_rows_are_read_again_by_is_one_of_the_list_call() -> None:
    declared = DECLARED["service_appointments"]
    assert isinstance(declared, Ahead)
    resource = contract.load().resource("/service/appointments")
    assert declared.parameter in resource.parameters
    assert declared.field in resource.record_schema["properties"]


def test_a_state_is_asked_for_once_and_compared_in_any_case() -> None:
    declared = Open(("open", "on_hold"))
    asked = narrowings(declared, NOW)
    assert [each.parameters for each in asked] == [{"status": "open"}, {"status": "on_hold"}]
    is_open = opens(declared, NOW)
    assert is_open({"status": "OPEN"})
    assert is_open({"status": "on_hold"})
    assert not is_open({"status": "closed"})
    assert not is_open({"status": None})
    assert not is_open({})
    assert asked[0].obeys({"status": "Open"})
    assert not asked[0].obeys({"status": "on_hold"})


def test_a_row_that_does_not_say_its_state_is_no_proof_that_the_server_ignores_what_is_asked() -> (
    None
):
    assert all(each.obeys({"status": None}) for each in narrowings(Open(("open",)), NOW))
    ahead = Ahead("appointmentTime", "appointmentFrom")
    assert all(each.obeys({"appointmentTime": "?"}) for each in narrowings(ahead, NOW))


def test_an_appointment_is_ahead_from_the_servers_now_on_in_whatever_zone_it_is() -> None:
    ahead = Ahead("appointmentTime", "appointmentFrom")
    (asked,) = narrowings(ahead, NOW)
    assert asked.parameters == {"appointmentFrom": "2026-01-20T12:00:00Z"}
    is_open = opens(ahead, NOW)
    assert is_open({"appointmentTime": "2026-01-20T07:00:00-05:00"})
    assert not is_open({"appointmentTime": "2026-01-20T11:59:59-00:00"})
    assert not is_open({"appointmentTime": None})
    # A server may look at the date alone; one that gives last week's does not look at all.
    assert asked.obeys({"appointmentTime": "2026-01-20T00:00:00Z"})
    assert not asked.obeys({"appointmentTime": "2026-01-13T12:00:00Z"})
