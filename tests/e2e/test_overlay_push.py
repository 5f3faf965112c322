"""target-automate at a tenant that differs: by its overlay it writes the same, once."""

from __future__ import annotations

import typing as t

import pytest
from support.dealership import dealership
from support.pushing import Pushing
from support.singer import state

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.dealership import Run

TENANT: t.Final = """
paths:
  customers: /crm/people
  deals: /sales/jackets
  vehicles: /inventory/units
  changeDealStatus: "/moves/{id}"
parameters:
  deals: {referenceId: reference}
  vehicles: {vin: serial}
fields:
  customers: {customerId: personId, firstName: given, address.postalCode: address.zip}
  deals: {dealId: jacketId, status: stage, pricing.salePrice: price}
  vehicles: {vehicleId: unitId, vin: serial, updatedAt: modified, salePrice: askingPrice}
  changeDealStatus: {expectedStatus: fromStage}
  changeVehicle: {ifUpdatedAt: ifModified}
words:
  deals: {status: {penciled: quote, pending: desk}}
"""

OVERLAY: t.Final = """
resources:
  customers:
    path: /crm/people
    fields: {customerId: personId, firstName: given, address.postalCode: address.zip}
  deals:
    path: /sales/jackets
    parameters: {referenceId: reference}
    fields: {dealId: jacketId, status: stage, pricing.salePrice: price}
    values: {status: {quote: penciled, desk: pending}}
  vehicles:
    path: /inventory/units
    parameters: {vin: serial}
    fields: {vehicleId: unitId, vin: serial, updatedAt: modified, salePrice: askingPrice}
calls:
  changeDealStatus: {path: "/moves/{id}", fields: {expectedStatus: fromStage}}
  changeVehicle: {fields: {ifUpdatedAt: ifModified}}
"""


@pytest.fixture
def pushing(tmp_path: Path) -> Iterator[Pushing]:
    tenant = tmp_path / "tenant.yaml"
    tenant.write_text(TENANT)
    arguments = ("--vehicles", "60", "--days", "10", "--mfa-type", "none", "--tenant", str(tenant))
    with dealership(tmp_path, *arguments) as running:
        yield Pushing(running, tmp_path)


def push(pushing: Pushing, overlay: str, folder: Path) -> Run:
    """Push a customer, a deal, its next status, and the price of another vehicle."""
    path = folder / "overlay.yaml"
    path.write_text(overlay)
    step = {"dealReferenceId": pushing.key(1), "status": "pending"}
    price = {"vin": pushing.vin(2), "salePrice": 17900}
    return pushing.push(
        pushing.customer(address={"postalCode": "10001"}),
        pushing.deal(),
        {"type": "RECORD", "stream": "deal_statuses", "record": step},
        {"type": "RECORD", "stream": "vehicle_prices", "record": price},
        state({"end": 1}),
        contract_overlay=str(path),
    )


def test_creates_and_guarded_updates_arrive_and_none_is_sent_twice(
    pushing: Pushing, tmp_path: Path
) -> None:
    done = push(pushing, OVERLAY, tmp_path)
    assert done.code == 0, done.err
    (customer,), (deal,) = pushing.records("customers"), pushing.records("deals")
    assert (customer["firstName"], customer["address"]["postalCode"]) == ("Dana", "10001")
    assert (deal["status"], deal["pricing"]["salePrice"]) == ("pending", 20001)
    assert deal["customerId"] == customer["customerId"]
    (vehicle,) = [
        each for each in pushing.dealer.records("vehicles") if each["vin"] == pushing.vin(2)
    ]
    assert vehicle["salePrice"] == 17900
    with pushing.journal() as journal:
        rows = {row["object"]: row for row in journal.rows(rejected=False)}
    assert rows["customers"]["dms_id"] == customer["customerId"]
    assert rows["deals"]["dms_id"] == rows["deal_statuses"]["dms_id"] == deal["dealId"]
    assert rows["vehicle_prices"]["dms_id"] == vehicle["vehicleId"]
    assert {row["state"] for row in rows.values()} == {"ACKED"}
    before = pushing.dealer.stats()
    again = push(pushing, OVERLAY, tmp_path)
    assert again.code == 0, again.err
    assert pushing.dealer.stats()["lastSeq"] == before["lastSeq"]


def test_what_the_dms_holds_is_told_by_the_contract_s_words(
    pushing: Pushing, tmp_path: Path
) -> None:
    assert push(pushing, OVERLAY, tmp_path).code == 0
    step = {
        "dealReferenceId": pushing.key(1),
        "status": "contracted",
        "expectedStatus": "penciled",
    }
    message = {"type": "RECORD", "stream": "deal_statuses", "record": step}
    pushing.push(message, contract_overlay=str(tmp_path / "overlay.yaml"))
    (reason,) = [each for each in pushing.reasons("deal_statuses") if "pending" in each]
    assert "desk" not in reason


def test_what_the_tenant_does_not_offer_is_not_sent_and_all_else_is(
    pushing: Pushing, tmp_path: Path
) -> None:
    unoffered = OVERLAY.replace("changeVehicle: {", "changeVehicle: {offered: false, ")
    done = push(pushing, unoffered, tmp_path)
    assert done.code == 1, done.err
    assert "not_offered_by_contract_overlay" in done.err
    (deal,) = pushing.records("deals")
    assert deal["status"] == "pending"
    assert pushing.states("vehicle_prices") == ["PLANNED"]
    assert "PATCH /vehicles/{id}" not in pushing.dealer.stats()["requests"]


def test_a_record_that_the_tenant_does_not_show_is_not_taken_for_one_that_is_gone(
    pushing: Pushing, tmp_path: Path
) -> None:
    unshown = OVERLAY.replace("calls:", "calls:\n  getVehicle: {offered: false}")
    done = push(pushing, unshown, tmp_path)
    assert done.code == 1, done.err
    assert "the vehicle cannot be read" in done.err
    assert "says `contract_overlay`" in done.err
    assert pushing.states("vehicle_prices") == ["PLANNED"]
    (deal,) = pushing.records("deals")
    assert deal["status"] == "pending"


def test_a_run_says_that_records_wait_where_the_list_of_what_they_name_is_not_there(
    pushing: Pushing, tmp_path: Path
) -> None:
    elsewhere = OVERLAY.replace("    path: /inventory/units\n", "")
    done = push(pushing, elsewhere, tmp_path)
    assert done.code == 0, done.err
    (line,) = [each for each in done.err.splitlines() if "cannot be looked up" in each]
    assert "vehicle_prices wait, since their vehicle cannot be looked up: GET /vehicles: " in line
    assert "the DMS answered 404" in line
    assert "`contract_overlay`" in line
    assert "`automate-dms doctor`" in line
    assert pushing.states("vehicle_prices") == ["WAITING_PARENT"]
    mended = push(pushing, OVERLAY, tmp_path)
    assert mended.code == 0, mended.err
    assert "cannot be looked up" not in mended.err
    assert pushing.states("vehicle_prices") == ["ACKED"]


def test_an_overlay_that_is_wrong_ends_a_push_with_2_and_its_line(
    pushing: Pushing, tmp_path: Path
) -> None:
    wrong = OVERLAY.replace("ifUpdatedAt: ifModified", "ifUpdatedAtt: ifModified")
    done = push(pushing, wrong, tmp_path)
    assert done.code == 2, done.err
    line = wrong.splitlines().index(next(x for x in wrong.splitlines() if "Att" in x)) + 1
    assert f"line {line}, `calls.changeVehicle.fields.ifUpdatedAtt`" in done.err
    assert "Is `ifUpdatedAt` meant?" in done.err
    assert "Traceback" not in done.err
    assert pushing.history() == []
