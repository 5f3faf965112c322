"""Rules for what a person has to approve."""

from __future__ import annotations

import dataclasses
import typing as t
from decimal import Decimal

import pytest
from support.intents import intent

from target_automate.checks.approvals import Approvals, problem
from target_automate.journal.intents import State

DEAL: t.Final = {
    "referenceId": "web-1",
    "vehicle": {"vin": "1HGCM82633A004352"},
    "pricing": {"salePrice": Decimal("100000.01")},
    "fees": [{"code": "DOC", "amount": 175}],
}


def held(when: str | None, **changes: t.Any) -> str | None:  # noqa: ANN401 - attributes
    rule = {"object": "deals"} | ({} if when is None else {"when": when})
    return Approvals([rule]).holds(intent("deals", **{"payload": DEAL, **changes}))


@pytest.mark.parametrize(
    "when",
    [
        "pricing.salePrice > 100000",
        "pricing['salePrice'] > 1e5",
        "pricing.salePrice * 0.5 > 50000",
        "fees[0].code == 'DOC'",
        "vehicle.vin.startswith('1HG')",
        " rows >= 1",
        "True",
        None,
    ],
)
def test_a_rule_that_is_true_holds_the_record(when: str | None) -> None:
    assert (reason := held(when))
    assert (when or "every one") in reason


@pytest.mark.parametrize(
    "when", ["pricing.salePrice > 100000.01", "rows > 1", "not referenceId", "None", "0"]
)
def test_a_rule_that_is_not_true_lets_it_go(when: str) -> None:
    assert held(when) is None


@pytest.mark.parametrize(
    "when",
    [
        "finance.cashDown > 1",
        "pricing.discounts > 1",
        "fees[3].amount > 1",
        "pricing.salePrice > 'a'",
        "1 / 0",
        "9 ** 9 ** 9 ** 9",
        "open('/etc/passwd')",
        "referenceId.__class__",
    ],
)
def test_a_rule_that_cannot_be_decided_holds_the_record_and_shows_none_of_it(when: str) -> None:
    assert (reason := held(when))
    assert "cannot be decided" in reason
    assert "web-1" not in reason


def held_change(
    object_name: str, when: str, payload: dict[str, t.Any], record: dict[str, t.Any] | None
) -> str | None:
    rules = [{"object": object_name, "when": when}]
    return Approvals(rules).holds(intent(object_name, payload=payload), record)


VEHICLE: t.Final = {"vehicleId": "veh_1", "salePrice": Decimal("20000.00"), "comments": "web-1"}
DROP: t.Final = "salePrice and salePrice < dms.salePrice * 0.9"


@pytest.mark.parametrize(
    ("object_name", "when", "payload", "record"),
    [
        ("vehicle_prices", DROP, {"salePrice": Decimal("17999.99")}, VEHICLE),
        ("vehicle_prices", "dms.status == 'in_stock'", {}, VEHICLE | {"status": "in_stock"}),
        ("deal_statuses", "status == 'delivered'", {"status": "delivered"}, {}),
        ("deal_statuses", "dealReferenceId == 'web-9'", {"dealReferenceId": "web-9"}, {}),
        ("deal_statuses", "not expectedStatus", {"status": "delivered"}, {}),
        ("repair_order_statuses", "status in ['closed', 'voided']", {"status": "closed"}, {}),
        ("attachments", "dealId and not path.endswith('.pdf')", {"dealId": "d", "path": "a"}, None),
        ("deals", "dms is None", {}, None),
    ],
    ids=str,
)
def test_a_rule_knows_the_record_of_the_dms_and_fields_that_are_not_given(
    object_name: str, when: str, payload: dict[str, t.Any], record: dict[str, t.Any] | None
) -> None:
    assert held_change(object_name, when, payload, record) == f"`approvals` holds it: `{when}`"


@pytest.mark.parametrize(
    ("object_name", "when", "payload", "record"),
    [
        ("vehicle_prices", DROP, {"salePrice": Decimal("18000.00")}, VEHICLE),
        ("vehicle_prices", DROP, {"comments": "One owner"}, VEHICLE),
        ("vehicle_prices", DROP, {"comments": "One owner"}, VEHICLE | {"salePrice": None}),
        ("deal_statuses", "status == 'delivered'", {"status": "contracted"}, {}),
        ("appointment_changes", "status == 'cancelled'", {"advisorId": "u_1"}, {}),
        ("attachments", "vehicleId or vin", {"dealId": "d", "path": "a"}, None),
    ],
    ids=str,
)
def test_a_rule_that_the_record_of_the_dms_does_not_meet_lets_it_go(
    object_name: str, when: str, payload: dict[str, t.Any], record: dict[str, t.Any] | None
) -> None:
    assert held_change(object_name, when, payload, record) is None


@pytest.mark.parametrize("record", [None, {}, VEHICLE | {"salePrice": None}], ids=str)
def test_a_rule_about_what_the_dms_does_not_hold_holds_the_record(
    record: dict[str, t.Any] | None,
) -> None:
    reason = held_change("vehicle_prices", DROP, {"salePrice": 1}, record)
    assert reason is not None
    assert "cannot be decided" in reason
    assert "web-1" not in reason


def test_a_rule_is_about_its_own_object_alone() -> None:
    assert Approvals([{"object": "customers"}]).holds(intent("deals")) is None


def test_the_first_rule_that_holds_gives_the_reason() -> None:
    rules = [{"object": "deals", "when": when} for when in ("rows > 9", "rows > 0", "rows > -1")]
    reason = Approvals(rules).holds(intent("deals"))
    assert reason == "`approvals` holds it: `rows > 0`"


@pytest.mark.parametrize("changes", [{"approved": True}, {"attempts": 1}])
def test_what_is_approved_or_has_been_sent_is_not_held(changes: dict[str, t.Any]) -> None:
    assert held(None, **changes) is None


def test_rows_are_the_records_of_the_object_in_this_run_each_counted_once() -> None:
    approvals = Approvals([{"object": "deals", "when": "rows > 2"}])
    holds = [approvals.holds(intent("deals", id=number)) for number in (1, 2, 2, 1, 3)]
    assert [reason is not None for reason in holds] == [False] * 4 + [True]
    assert approvals.holds(intent("customers", id=4)) is None


@pytest.mark.parametrize("expression", ["", "a >", "x = 1", "import os", "a\x00b"])
def test_what_is_no_expression_is_refused_with_the_settings(expression: str) -> None:
    assert (said := problem("deals", expression))
    assert said.startswith("an expression")


@pytest.mark.parametrize(
    "expression",
    [
        "salePrice > 1",
        "  rows > 5000 ",
        "not vin and (listPrice or comments)",
        "salePrice < dms.salePrice * 0.9",
        "int(salePrice) in [n for n in (1, 2)]",
    ],
)
def test_an_expression_is_taken(expression: str) -> None:
    assert problem("vehicle_prices", expression) is None


def test_a_name_that_no_record_has_is_refused_with_the_settings() -> None:
    said = problem("vehicle_prices", "saleprice > 1")
    assert said is not None
    assert said.endswith("not `saleprice`; is `salePrice` meant?")


def test_what_a_rule_has_held_it_holds_until_it_is_approved_or_the_rule_is_gone() -> None:
    """That other records have gone meanwhile approves nothing: a new run counts from one."""
    rules = [{"object": "deals", "when": "rows > 1"}]
    first = Approvals(rules)
    first.holds(intent("deals", id=1))
    reason = first.holds(intent("deals", id=2))
    waits = intent("deals", id=2, state=State.WAITING_APPROVAL, reason=reason)
    assert Approvals(rules).holds(waits) == reason
    assert Approvals(rules).holds(dataclasses.replace(waits, approved=True)) is None
    assert Approvals([{"object": "deals", "when": "rows > 9"}]).holds(waits) is None
