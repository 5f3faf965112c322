"""Fields that are not sent: each is said once, and how it would be, where the tenant has it."""

from __future__ import annotations

import logging
import typing as t
from pathlib import Path

import pytest

from automate_api.tenant.reading import from_text
from target_automate.records.records import Records
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from target_automate.journal.journal import Journal

OVERLAY: t.Final = """
resources:
  vehicles: {add: {tenantTag: {type: string}, lot.rowNumber: {type: integer}}}
  deals: {add: {deskTag: {type: string}}}
calls:
  changeVehicle: {add: {taken: {type: string}}}
"""
PRICE: t.Final = {"vin": "1HGCM82633A004352", "salePrice": 1, "taken": "yes"}
HINT: t.Final = (
    ". `contract_overlay` adds it to what vehicles hold; where the call takes it, too, say so "
    "under `calls.changeVehicle.add`."
)


def said(journal: Journal, caplog: pytest.LogCaptureFixture, overlay: str, name: str) -> list[str]:
    """List what is said of a price with one more field, read twice."""
    records = Records(journal, from_text(overlay, Path("tenant.yaml")))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            records.read(by_object("vehicle_prices"), {**PRICE, name: "x"})
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("name", ["tenantTag", "tenant_tag", "lot__row_number", "lot.rowNumber"])
def test_a_field_that_the_overlay_adds_to_the_records_alone_is_said_with_what_to_set(
    journal: Journal, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    (line,) = said(journal, caplog, OVERLAY, name)
    assert line == (
        f"vehicle_prices: the field {name!r} is not sent, the API does not take it{HINT}"
    )


@pytest.mark.parametrize(
    ("overlay", "name"), [(OVERLAY, "deskTag"), (OVERLAY, "colour"), ("{}", "tenantTag")]
)
def test_a_field_of_nobody_or_of_other_records_is_said_without(
    journal: Journal, caplog: pytest.LogCaptureFixture, overlay: str, name: str
) -> None:
    found = said(journal, caplog, overlay, name)
    assert f"vehicle_prices: the field {name!r} is not sent, the API does not take it" in found
    assert all("calls." not in line for line in found)


def test_a_field_that_the_call_takes_is_sent_without_a_word(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    records = Records(journal, from_text(OVERLAY, Path("tenant.yaml")))
    reading = records.read(by_object("vehicle_prices"), PRICE)
    assert reading.payload["taken"] == "yes"
    assert caplog.records == []
