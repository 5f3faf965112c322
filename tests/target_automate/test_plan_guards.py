"""A plan is applied to what the person who approved it has seen."""

from __future__ import annotations

import threading
import typing as t

import pytest
from support.clock import FakeClock
from support.dms import Canned, FakeDms
from support.running import finish, running, states, target_values

from automate_api.config import ApiConfig
from target_automate import config
from target_automate.journal.intents import Cause, State
from target_automate.push import plan_file
from target_automate.push.plan import take_up
from target_automate.push.planning import open_planner
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.dms import Seen

    from target_automate.push.plan_file import Plan

PRICES: t.Final = by_object("vehicle_prices")
KEY: t.Final = "a key of sixteen characters"
HELD: t.Final = {"approvals": [{"object": "vehicle_prices"}]}


class Lot(FakeDms):
    """A DMS with one vehicle, which takes every price.

    Attributes:
        vehicle: The vehicle.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.vehicle: dict[str, t.Any] = {"vehicleId": "veh_1", "salePrice": 28000}
        super().__init__(totp=False, clock=clock.time)

    def handle(self, seen: Seen) -> Canned:
        """Show the vehicle, and change it."""
        if seen.path == "/vehicles/veh_1":
            if seen.method == "PATCH":
                self.vehicle |= seen.body
            self.answer(f"{seen.method} {seen.path}", Canned(200, dict(self.vehicle)))
        return super().handle(seen)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def dms(clock: FakeClock) -> Iterator[Lot]:
    with Lot(clock) as serving:
        yield serving


def price(amount: int) -> dict[str, t.Any]:
    return {"vehicleId": "veh_1", "salePrice": amount}


def planned(dms: Lot, folder: Path, *amounts: int, **changes: t.Any) -> Plan:  # noqa: ANN401 - settings
    """Plan prices, and have the plan go through its file."""
    values = target_values(dms, folder, **changes)
    api = ApiConfig.from_settings(values, program=config.PROGRAM)
    with open_planner(api, values, stop=threading.Event()) as planner:
        for amount in amounts:
            planner.take(PRICES, price(amount))
        plan, _ = planner.plan(0)
    plan_file.write(folder / "plan", plan, values.get("journal_key"))
    return plan_file.read(folder / "plan", values.get("journal_key"))


@pytest.mark.parametrize("is_held", [False, True])
def test_a_price_that_somebody_changes_between_plan_and_apply_stays_theirs(
    dms: Lot, clock: FakeClock, tmp_path: Path, *, is_held: bool
) -> None:
    if is_held:
        with running(dms, clock, tmp_path, **HELD) as run:
            run.take(PRICES, price(27000))
            finish(run)
    plan = planned(dms, tmp_path, 27000)
    dms.vehicle["salePrice"] = 35000
    with running(dms, clock, tmp_path, **HELD, max_reject_percent=100) as run:
        run.deliver(take_up(run, plan))
        finish(run)
        (kept,) = run.journal.having({*State})
        assert (kept.state, kept.cause) == (State.REJECTED, Cause.SUPERSEDED)
        assert (kept.reason or "").endswith("the DMS holds salePrice 35000")
    assert dms.vehicle["salePrice"] == 35000


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("amounts", [[27000], [27000, 26000, 27000]])
def test_what_nobody_has_changed_since_is_applied_and_own_writes_of_the_plan_do_not_count(
    dms: Lot, clock: FakeClock, tmp_path: Path, amounts: list[int], key: str | None
) -> None:
    """The journal is made by the first of them, and hashes under a salt of its own."""
    plan = planned(dms, tmp_path, *amounts, journal_key=key)
    with running(dms, clock, tmp_path, journal_key=key) as run:
        run.deliver(take_up(run, plan))
        finish(run)
        assert {*states(run)} == {State.ACKED}
    assert dms.vehicle["salePrice"] == 27000
