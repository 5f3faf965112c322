"""No step that a DMS allows is taken for one backwards, and none that goes back for one onwards.

The sandbox's tables of steps are the other opinion: who wrote them shares nothing with the target.
"""

from __future__ import annotations

import itertools
import typing as t

import pytest

from automate_api import contract
from automate_sandbox import appointment_writes, deal_writes, order_writes
from target_automate.sinks import statuses

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from target_automate.sinks.statuses import Machine

    Steps: t.TypeAlias = Mapping[str, tuple[str, ...]]

REOPENED: t.Final = ("closed", "in_progress")
"""Of a repair order: a fact about an order and no step that a feed leads it to."""

MACHINES: t.Final[dict[str, tuple[Machine, Steps, str]]] = {
    "deals": (statuses.DEAL, deal_writes.STEPS, "DealStatus"),
    "service_appointments": (
        statuses.APPOINTMENT,
        # An order makes an appointment converted, which no step does.
        {**appointment_writes.STEPS, "checked_in": ("in_progress", "converted", "cancelled")},
        "AppointmentStatus",
    ),
    "repair_orders": (statuses.REPAIR_ORDER, order_writes.STEPS, "RepairOrderStatus"),
}


def known_statuses(enum: str) -> list[str]:
    schema = contract.load().document["components"]["schemas"][enum]
    return [status for status in schema["enum"] if status]


PAIRS: t.Final = [
    (name, now, wanted)
    for name, (_, _, enum) in MACHINES.items()
    for now, wanted in itertools.product(known_statuses(enum), repeat=2)
]


def onwards(steps: Steps, start: str) -> set[str]:
    """Find every status that a record can get to, by steps that do not reopen it."""
    found: set[str] = set()
    next_ones = [start]
    while next_ones:
        now = next_ones.pop()
        for status in steps.get(now, ()):
            if (now, status) != REOPENED and status not in found:
                found.add(status)
                next_ones.append(status)
    return found


@pytest.mark.parametrize(("name", "now", "wanted"), PAIRS)
def test_a_step_is_backwards_when_the_dms_refuses_it_and_it_was_there_before(
    name: str, now: str, wanted: str
) -> None:
    machine, steps, _ = MACHINES[name]
    allowed = wanted in steps.get(now, ()) and (now, wanted) != REOPENED
    was_before = now in onwards(steps, wanted) and wanted not in onwards(steps, now)
    is_an_end = now not in steps and now not in machine.order[-1]

    if now == wanted or allowed:
        assert not machine.is_backwards(now, wanted)
    elif was_before or is_an_end:
        assert machine.is_backwards(now, wanted)


@pytest.mark.parametrize(("name", "now", "wanted"), PAIRS)
def test_statuses_are_beside_each_other_when_each_may_follow_the_other(
    name: str, now: str, wanted: str
) -> None:
    machine, steps, _ = MACHINES[name]
    both_ways = wanted in onwards(steps, now) and now in onwards(steps, wanted)

    assert machine.is_beside(now, wanted) is (now != wanted and both_ways)


def test_reopening_a_closed_order_is_backwards_though_the_dms_would_do_it() -> None:
    now, wanted = REOPENED
    assert wanted in order_writes.STEPS[now]
    assert statuses.REPAIR_ORDER.is_backwards(now, wanted)


@pytest.mark.parametrize("name", MACHINES)
def test_every_status_of_the_contract_has_a_place_or_is_an_end(name: str) -> None:
    machine, _, enum = MACHINES[name]
    placed = [status for rung in machine.order for status in rung]

    assert len(placed) == len(set(placed))
    assert not machine.ends & set(placed)
    assert {*placed, *machine.ends} == {*known_statuses(enum)}


@pytest.mark.parametrize("machine", [machine for machine, _, _ in MACHINES.values()])
@pytest.mark.parametrize("odd", ["on_the_moon", None, 7, ["lost"]])
def test_a_status_that_nobody_knows_stands_in_no_order(machine: Machine, odd: object) -> None:
    (first,), *_ = machine.order
    assert not machine.is_backwards(odd, first)
    assert not machine.is_backwards(first, odd)
