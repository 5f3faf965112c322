"""A plan says of changes what they would do to the records that the DMS holds, and does nothing."""

from __future__ import annotations

import threading
import time
import typing as t

import pytest
from support.dms import Canned, FakeDms
from support.intents import new
from support.running import target_values

from automate_api.config import ApiConfig
from target_automate import config
from target_automate.checks.references import lane_of
from target_automate.journal import identity
from target_automate.journal.file import open_journal
from target_automate.journal.intents import State
from target_automate.push.planning import Forecast, open_planner
from target_automate.running.parts import tenant_of
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_automate.push.plan_file import Plan

NOON: t.Final = "2026-09-21T12:00:00Z"
DEAL: t.Final = {"dealId": "deal_1", "status": "contracted", "updatedAt": NOON}
VEHICLE: t.Final = {
    "vehicleId": "veh_1",
    "listPrice": 30000,
    "salePrice": 28000,
    "comments": "as new",
    "updatedAt": NOON,
}
RULE: t.Final = {"object": "vehicle_prices", "when": "salePrice < dms.salePrice * 0.9"}


@pytest.fixture
def dms() -> Iterator[FakeDms]:
    with FakeDms(totp=False) as serving:
        serving.answer("GET /deals/deal_1", *[Canned(200, DEAL)] * 9)
        serving.answer("GET /vehicles/veh_1", *[Canned(200, VEHICLE)] * 9)
        yield serving


class Plans:
    """Plans what is to be done with records.

    Attributes:
        values: The target's settings.
    """

    def __init__(self, dms: FakeDms, folder: Path) -> None:
        self.dms = dms
        self.values = target_values(dms, folder, approvals=[RULE], max_wait_seconds=1)
        self.api = ApiConfig.from_settings(self.values, program=config.PROGRAM)
        self.path = folder / "journal.db"

    def of(self, *records: tuple[str, dict[str, t.Any]]) -> tuple[Plan, list[Forecast]]:
        """Plan records of streams."""
        with open_planner(self.api, self.values, stop=threading.Event()) as planner:
            for object_name, record in records:
                planner.take(by_object(object_name), record)
            return planner.plan(compare=100)

    def acked(self, object_name: str, body: dict[str, t.Any], sequence: int = 1) -> None:
        """Keep a write that the DMS has."""
        sink = by_object(object_name)
        key = identity.business_key(sink, body)
        content = identity.record_hash(sink, body)
        with open_journal(self.path, tenant=tenant_of(self.api)) as journal:
            kept = new(
                object_name,
                key,
                payload=body,
                content_hash=content,
                sequence=sequence,
                lane=lane_of(journal, sink, key, body),
            )
            journal.change(journal.add(kept, 0.0), State.ACKED, 0.0)


@pytest.fixture
def plans(dms: FakeDms, tmp_path: Path) -> Plans:
    return Plans(dms, tmp_path)


def status(wanted: str, **more: str) -> tuple[str, dict[str, t.Any]]:
    return "deal_statuses", {"dealId": "deal_1", "status": wanted, **more}


def price(amount: int, **more: t.Any) -> tuple[str, dict[str, t.Any]]:  # noqa: ANN401 - JSON
    return "vehicle_prices", {"vehicleId": "veh_1", "salePrice": amount, **more}


def test_a_change_is_shown_with_each_field_as_it_is_and_as_it_would_be(plans: Plans) -> None:
    plan, (forecast,) = plans.of(price(27000, listPrice=30000, comments="One owner"))
    assert (forecast.action, forecast.note) == ("update", None)
    assert forecast.changes == {"salePrice": (28000, 27000), "comments": ("as new", "One owner")}
    (write,) = plan.writes
    assert write.object == "vehicle_prices"
    assert "ifUpdatedAt" not in write.payload, "what it is guarded by is read when it is applied"


@pytest.mark.parametrize(
    ("record", "note"),
    [
        (price(28000), "DROPPED: unchanged: the DMS holds it already"),
        (status("contracted"), "DROPPED: unchanged: the DMS holds it already"),
    ],
    ids=["price", "status"],
)
def test_what_the_dms_holds_already_is_shown_as_nothing_to_do(
    plans: Plans, record: tuple[str, dict[str, t.Any]], note: str
) -> None:
    plan, (forecast,) = plans.of(record)
    assert (forecast.action, forecast.note, plan.writes) == ("no-op", note, [])


def test_a_step_that_was_taken_before_is_shown_as_nothing_to_do(plans: Plans) -> None:
    plans.acked(*status("pending"))
    plans.acked(*status("contracted"), sequence=2)
    plan, (forecast,) = plans.of(status("pending"))
    assert (forecast.action, plan.writes) == ("no-op", [])
    assert forecast.note == "unchanged"


@pytest.mark.parametrize(
    ("record", "note"),
    [
        (
            status("pending"),
            f"REJECTED: it is further on; the DMS holds status contracted, changed at {NOON}",
        ),
        (
            status("delivered", expectedStatus="pending"),
            (
                "REJECTED: the record expects status pending; the DMS holds status contracted, "
                f"changed at {NOON}"
            ),
        ),
        (
            price(27000, ifUpdatedAt="2026-09-21T11:00:00Z"),
            (
                "REJECTED: it was changed after the ifUpdatedAt of the record; the DMS holds "
                f"salePrice 28000, changed at {NOON}"
            ),
        ),
    ],
    ids=["backwards", "status", "version"],
)
def test_a_change_that_would_be_refused_is_shown_as_blocked_with_what_the_dms_holds(
    plans: Plans, record: tuple[str, dict[str, t.Any]], note: str
) -> None:
    plan, (forecast,) = plans.of(record)
    assert (forecast.action, forecast.note, plan.writes) == ("blocked", note, [])


def test_a_rule_about_what_the_dms_holds_is_shown_beside_what_would_change(plans: Plans) -> None:
    plan, (forecast,) = plans.of(price(20000))
    assert forecast.action == "update"
    assert forecast.note == "`approvals` holds it: `salePrice < dms.salePrice * 0.9`"
    assert forecast.changes == {"salePrice": (28000, 20000)}
    assert len(plan.writes) == 1, "to apply the plan is the approval"


def test_the_changes_of_a_deal_that_the_plan_creates_go_with_it(plans: Plans) -> None:
    deal = {"referenceId": "web-1", "customerId": "cust_1", "vehicle": {"vin": "1HG"}}
    step = {"dealReferenceId": "web-1", "status": "contracted"}
    plan, forecasts = plans.of(("deal_statuses", step), ("deals", deal))
    assert [(found.object, found.action) for found in forecasts] == [
        ("deals", "create"),
        ("deal_statuses", "update"),
    ]
    assert forecasts[1].changes == {"status": (None, "contracted")}
    assert {write.object for write in plan.writes} == {"deals", "deal_statuses"}


def test_the_changes_of_a_deal_that_nobody_knows_are_blocked(plans: Plans) -> None:
    _, (forecast,) = plans.of(("deal_statuses", {"dealReferenceId": "web-9", "status": "lost"}))
    assert forecast.action == "blocked"
    assert forecast.note == "WAITING_PARENT: neither the journal nor the DMS knows its deal"


def test_a_change_behind_one_that_is_not_shown_yet_is_left_for_a_later_plan(plans: Plans) -> None:
    plans.acked(*price(29000))
    with open_journal(plans.path, tenant=tenant_of(plans.api)) as journal:
        guard = {"status": None, "updatedAt": NOON, "seen": ""}
        known = {"version": "2026-09-21T12:00:05Z", "guard": guard, "resolved": "veh_1"}
        journal.change(1, State.ACKED, time.time(), **known)
    plan, (forecast,) = plans.of(price(28000))
    assert (forecast.action, plan.writes) == ("blocked", [])
    assert forecast.note == (
        "the DMS does not show yet what was written before; plan again in a while"
    )


def test_a_plan_of_changes_writes_nothing_anywhere(plans: Plans) -> None:
    plans.acked("customers", {"externalId": "crm-1"})
    before = plans.path.read_bytes()
    plans.of(status("delivered"), status("pending"), price(27000), price(28000))
    assert plans.path.read_bytes() == before
    sent = {seen.method for seen in plans.dms.seen if seen.path != "/sessions"}
    assert sent == {"GET"} | (sent & {"HEAD"})
