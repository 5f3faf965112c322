"""What a sample of records shows that the contract does not have, and the overlay made of it."""

from __future__ import annotations

import typing as t
from decimal import Decimal
from pathlib import Path

import pytest

from automate_api import contract, differences
from automate_api.differences import Kind, Sample
from automate_api.tenant import proposal, reading
from automate_api.tenant.likeness import likeness
from automate_api.tenant.overlay import SAME_RESOURCE, ResourceOverlay

Record = dict[str, t.Any]

SCHEMA: t.Final[Record] = {
    "type": "object",
    "x-key": ["recordId"],
    "required": ["recordId"],
    "properties": {
        "recordId": {"type": "string"},
        "status": {"type": ["string", "null"], "enum": ["open", "closed", None]},
        "openedAt": {"type": ["string", "null"], "format": "date-time"},
        "dueOn": {"type": ["string", "null"], "format": "date"},
        "total": {"type": ["number", "null"]},
        "visits": {"type": ["integer", "null"]},
        "tags": {"type": ["array", "null"], "items": {"type": "string"}},
        "lot": {
            "type": ["object", "null"],
            "properties": {"lotId": {"type": "string"}, "name": {"type": ["string", "null"]}},
        },
        "lines": {
            "type": ["array", "null"],
            "items": {
                "type": "object",
                "required": ["lineId"],
                "properties": {
                    "lineId": {"type": "string"},
                    "laborSale": {"type": ["number", "null"]},
                    "payType": {"type": ["string", "null"], "enum": ["warranty", None]},
                },
            },
        },
    },
}


def record(**changes: t.Any) -> Record:  # noqa: ANN401 - any values
    """A record as the contract has it, but for the changes; `...` leaves a field out."""
    plain: Record = {
        "recordId": "r_1",
        "status": "open",
        "openedAt": "2026-01-20T13:45:00Z",
        "dueOn": "2026-01-20",
        "total": Decimal("1.50"),
        "visits": 3,
        "tags": ["a"],
        "lot": {"lotId": "lot_1", "name": "Main"},
        "lines": [{"lineId": "1", "laborSale": 1, "payType": "warranty"}],
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not ...}


def sampled(*records: Record, times: int = differences.ENOUGH) -> Sample:
    sample = Sample(SCHEMA)
    for each in records * times:
        sample.add(each)
    return sample


def found(*records: Record) -> list[tuple[Kind, str, str]]:
    return [(each.kind, each.place, each.detail) for each in sampled(*records).differences()]


def test_records_as_the_contract_has_them_show_no_difference() -> None:
    nulls = {name: None for name in record() if name != "recordId"}
    assert found(record(), record(**nulls), record(total=2, lines=[], tags=[])) == []


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"status": "demo"}, (Kind.WORD, "status", "demo")),
        ({"status": "J. Doe, 12"}, (Kind.WORD, "status", differences.NOT_SHOWN)),
        ({"status": "Jane"}, (Kind.WORD, "status", differences.NOT_SHOWN)),
        ({"status": "OPEN"}, (Kind.WORD, "status", "OPEN")),
        ({"total": "1.50"}, (Kind.TYPE, "total", "string")),
        ({"visits": Decimal("1.5")}, (Kind.TYPE, "visits", "number")),
        ({"visits": True}, (Kind.TYPE, "visits", "boolean")),
        ({"openedAt": "2026-01-20"}, (Kind.TYPE, "openedAt", "text that is no date-time")),
        ({"dueOn": "20.01.2026"}, (Kind.TYPE, "dueOn", "text that is no date")),
        ({"tags": [1]}, (Kind.TYPE, "tags", "integer")),
        ({"lot": "Main"}, (Kind.TYPE, "lot", "string")),
        ({"keyTag": "K-1"}, (Kind.UNKNOWN, "keyTag", "")),
        ({"jane.doe@example.com": 1}, (Kind.UNKNOWN, differences.NOT_SHOWN, "")),
        ({"lot": {"lotId": "l", "name": "M", "row": 1}}, (Kind.UNKNOWN, "lot.row", "")),
        ({"dueOn": ...}, (Kind.MISSING, "dueOn", "")),
        ({"lot": {"lotId": "l"}}, (Kind.MISSING, "lot.name", "")),
        (
            {"lines": [{"lineId": "1", "laborSale": 1, "payType": "goodwill"}]},
            (Kind.WORD, "lines[].payType", "goodwill"),
        ),
        (
            {"lines": [{"lineId": "1", "laborSale": 1, "payType": None, "hint": 1}]},
            (Kind.UNKNOWN, "lines[].hint", ""),
        ),
        (
            {"lines": [{"lineId": "1", "payType": None}]},
            (Kind.MISSING, "lines[].laborSale", ""),
        ),
    ],
)
def test_each_kind_of_difference_is_found_where_it_is(
    changes: Record, difference: tuple[Kind, str, str]
) -> None:
    assert found(record(**changes)) == [difference]


def test_a_field_counts_as_missing_when_enough_records_could_have_had_it() -> None:
    few = sampled(record(dueOn=...), times=differences.ENOUGH - 1)
    assert few.differences() == []
    assert not [each for each in found(record(dueOn=...), record()) if each[0] is Kind.MISSING]


def test_a_key_counts_as_missing_when_one_record_lacks_it() -> None:
    one = sampled(record(recordId=..., lines=[{"laborSale": 1, "payType": None}]), times=1)
    places = [(each.kind, each.place) for each in one.differences()]
    assert places == [(Kind.MISSING, "recordId"), (Kind.MISSING, "lines[].lineId")]


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("stockNumber", "stockNo"),
        ("stockNumber", "stock_nbr"),
        ("acquisitionDate", "acquiredOn"),
        ("odometer.value", "mileage"),
        ("address.postalCode", "address.zip"),
        ("gross.total", "totalGross"),
        ("updatedAt", "lastModified"),
        ("laborSale", "labor.sale"),
        ("accountNumber", "glAccount"),
        ("msrp", "stickerPrice"),
        ("customerId", "buyerId"),
        ("exteriorColor", "extColor"),
        ("dateOfBirth", "dob"),
        ("driversLicense", "person.DL"),
    ],
)
def test_names_of_the_same_thing_are_alike(mine: str, theirs: str) -> None:
    assert likeness(tuple(mine.split(".")), tuple(theirs.split("."))) >= 0.5


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("customerNumber", "customerName"),
        ("salePrice", "keyTag"),
        ("stockNumber", "tagNumber"),
        ("dealNumber", "desk.round"),
        ("make", "model"),
        ("repairOrder", "ro_number"),
        ("invoiceDate", "id"),
    ],
)
def test_names_of_other_things_are_not(mine: str, theirs: str) -> None:
    assert likeness(tuple(mine.split(".")), tuple(theirs.split("."))) < 0.5


def made(*records: Record, said: ResourceOverlay = SAME_RESOURCE) -> proposal.Proposal:
    return proposal.proposed(sampled(*records), said)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"dueOn": ..., "dueDate": "2026-01-20"}, {"dueOn": "dueDate"}),
        ({"total": ..., "sums": {"total": 1}}, {"total": "sums.total"}),
        ({"lot": {"lotId": "l"}, "lotName": "M"}, {"lot.name": "lotName"}),
        ({"lot": ..., "place": {"lotId": "l", "name": "M"}}, {"lot": "place"}),
        ({"status": ..., "progress": "closed"}, {"status": "progress"}),
        ({"recordId": ..., "id": "r_1"}, {"recordId": "id"}),
        (
            {"lines": [{"id": "1", "laborSale": 1, "payType": None}]},
            {"lines[].lineId": "id"},
        ),
        (
            {"lines": ..., "jobs": [{"lineId": "1", "laborSale": 1, "payType": None}]},
            {"lines": "jobs"},
        ),
        (
            {"lines": [{"lineId": "1", "labor": {"sale": 1}, "payType": None}]},
            {"lines[].laborSale": "labor.sale"},
        ),
    ],
)
def test_what_is_missing_is_found_under_another_name(
    changes: Record, fields: dict[str, str]
) -> None:
    assert made(record(**changes)).part == {"fields": fields}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"dueOn": ..., "dueDate": "soon"}, id="no date"),
        pytest.param({"visits": ..., "visitCount": "3"}, id="another type"),
        pytest.param({"visits": ..., "visitCount": None}, id="null alone"),
        pytest.param({"status": ..., "state": "new"}, id="other words"),
        pytest.param({"dueOn": ..., "hiredOn": "2026-01-20"}, id="another name"),
        pytest.param({"recordId": ..., "buyerId": "b_1"}, id="whose key it is"),
        pytest.param(
            {"dueOn": ..., "dueDate": "2026-01-20", "dueDay": "2026-01-21"}, id="two of them"
        ),
    ],
)
def test_what_does_not_fit_is_not_taken_for_it(changes: Record) -> None:
    assert made(record(**changes)).renames == []


def test_further_fields_are_described_and_what_may_be_personal_is_marked() -> None:
    part = made(
        record(
            keyTag="K-1",
            soldOn="2026-01-20",
            ratio=1,
            spouseName="J",
            contactVia="jane@example.com",
            desk={"manager": "North", "round": 1},
            rows=[{"at": "2026-01-20T13:45:00Z"}],
            spouseMails=["x", "jane@example.com"],
            mixed="1",
            nothing=None,
        ),
        record(ratio=Decimal("1.5"), mixed=1),
    ).part
    assert part == {
        "add": {
            "keyTag": {"type": "string"},
            "soldOn": {"type": "string", "format": "date"},
            "ratio": {"type": "number"},
            "spouseName": {"type": "string", "pii": True},
            "contactVia": {"type": "string", "pii": True},
            "spouseMails": {"type": "array", "items": {"type": "string"}, "pii": True},
            "desk": {
                "type": "object",
                "properties": {"manager": {"type": "string"}, "round": {"type": "integer"}},
            },
            "rows": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"at": {"type": "string", "format": "date-time"}},
                },
            },
        }
    }


def test_personal_data_is_named_as_settings_name_it() -> None:
    part = made(
        record(
            dob="1961-02-03",
            desk={"email": "x", "round": 1},
            spouses=[{"spouseName": "J"}],
            lines=[{"lineId": "1", "laborSale": 1, "payType": None, "homePhone": "x"}],
        )
    ).part
    assert sorted(proposal.personal_names(part["add"])) == [
        "dob",
        "email",
        "homePhone",
        "spouseName",
    ]


def test_words_that_look_like_codes_are_proposed_and_others_are_not() -> None:
    words = [record(status="demo"), record(status="Jane Doe"), record(status="closed")]
    assert made(*words).part == {"values": {"status": {"demo": None}}}


def test_a_word_that_is_spelled_otherwise_is_taken_for_the_contracts() -> None:
    assert made(record(status="Open"), record(status="closed")).part == {
        "values": {"status": {"Open": "open"}}
    }
    both = made(record(status="Open"), record(status="open")).part
    assert both == {"values": {"status": {"Open": None}}}


def test_a_field_within_one_that_has_moved_is_proposed_by_the_tenants_path() -> None:
    said = ResourceOverlay(fields={"lot": "place"})
    seen = record(lot={"lotId": "l", "label": "M", "names": "N"})
    assert made(seen, said=said).part["fields"] == {"lot.name": "place.names"}


def test_a_proposal_is_read_as_an_overlay_and_says_what_the_one_before_said() -> None:
    document = {"resources": {"vehicles": {"path": "/units", "values": {"status": {"a": None}}}}}
    part = {"fields": {"stockNumber": "stockNo"}, "values": {"status": {"b": None}}}
    merged = proposal.with_part(document, "vehicles", part)
    overlay = reading.from_text(proposal.written(merged), Path("overlay.yaml"))
    assert overlay.as_document() == {
        "resources": {
            "vehicles": {
                "path": "/units",
                "fields": {"stockNumber": "stockNo"},
                "values": {"status": {"a": None, "b": None}},
            }
        }
    }
    assert document["resources"]["vehicles"].keys() == {"path", "values"}


def test_the_contracts_own_examples_of_a_vehicle_fit_it() -> None:
    known = contract.load().resource("/vehicles")
    sample = Sample(known.record_schema)
    sample.add({"vehicleId": "veh_1", "status": "in_stock", "updatedAt": "2026-01-20T13:45:00Z"})
    assert sample.differences() == []
    assert sample.records == 1
    assert sample.at("status") is not None
    assert sample.at("photos[].url") is None
