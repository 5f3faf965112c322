"""Rules by which real servers differ, merged customers, and what a writer reads back."""

from __future__ import annotations

import typing as t

import pytest
import requests
from support.visitor import Visitor, error_of, serving, visiting

from automate_sandbox import pages
from automate_sandbox.ledger import Ledger
from automate_sandbox.resources import resources

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.visitor import Shop

SMALL: t.Final = ("--vehicles", "30", "--days", "10", "--mfa-type", "none")
VIN: t.Final = "1M8GDM9AXKP042788"


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Visitor]:
    """Visit a server with every rule that makes a writer's life harder."""
    rules = ("--unique-references", "--no-external-id-echo", "--visible-after", "60000")
    with serving(tmp_path, *SMALL, *rules) as served, visiting(served) as guest:
        yield guest


def new_customer(guest: Visitor, name: str) -> str:
    """Make a customer whose `externalId` is its name."""
    key: str = guest.post("/customers", {"externalId": name}).json()["customerId"]
    return key


def deal(guest: Visitor, customer_id: str, **fields: str) -> dict[str, t.Any]:
    vehicle = guest.all("/vehicles", status="in_stock")[0]
    return {"customerId": customer_id, "vehicle": {"vin": vehicle["vin"]}, **fields}


def appointment(customer_id: str, **fields: str) -> dict[str, t.Any]:
    time = "2026-03-09T08:30:00-05:00"
    return {"customerId": customer_id, "vin": VIN, "appointmentTime": time, **fields}


def test_a_second_deal_with_a_reference_may_be_refused(strict: Visitor) -> None:
    body = deal(strict, new_customer(strict, "buyer"), referenceId="web-1")
    assert strict.post("/deals", body).status_code == 201
    answer = strict.post("/deals", body)
    assert answer.status_code == 409
    assert error_of(answer)["code"] == "duplicate"
    assert error_of(answer)["details"][0]["field"] == "referenceId"
    assert strict.post("/deals", body | {"referenceId": "web-2"}).status_code == 201
    del body["referenceId"]
    assert [strict.post("/deals", body).status_code for _ in range(2)] == [201, 201]


def test_an_appointment_keeps_its_external_id(visitor: Visitor) -> None:
    body = appointment(new_customer(visitor, "echo"), externalId="mine-1")
    key = visitor.post("/service/appointments", body).json()["appointmentId"]
    assert visitor.get(f"/service/appointments/{key}").json()["externalId"] == "mine-1"


def test_an_appointment_loses_its_external_id_by_rule(strict: Visitor) -> None:
    body = appointment(new_customer(strict, "echo"), externalId="mine-1")
    key = strict.post("/service/appointments", body).json()["appointmentId"]
    strict.shop.pass_time(60)
    assert strict.get(f"/service/appointments/{key}").json()["externalId"] is None


def test_a_write_may_show_up_late_with_the_time_at_which_it_was_made(strict: Visitor) -> None:
    written = strict.post("/customers", {"externalId": "late"}).json()
    key = written["customerId"]
    assert strict.all("/customers", externalId="late") == []
    assert strict.get(f"/customers/{key}").status_code == 404
    again = strict.post("/customers", {"externalId": "late", "notes": "seen by writes"}).json()
    assert again["customerId"] == key
    strict.shop.pass_time(60)
    (record,) = strict.all("/customers", externalId="late")
    assert record == strict.get(f"/customers/{key}").json()
    assert record["notes"] == "seen by writes"
    assert record["updatedAt"] == again["updatedAt"]
    strict.post("/customers", {"externalId": "late", "notes": "changed"})
    assert strict.get(f"/customers/{key}").json()["notes"] == "seen by writes"


def test_what_was_hidden_is_visible_after_a_restart(tmp_path: Path) -> None:
    options = ("--store", str(tmp_path / "world.db"), "--visible-after", "600000")
    with serving(tmp_path, *SMALL, *options) as served, visiting(served) as guest:
        key = new_customer(guest, "hidden")
        assert guest.get(f"/customers/{key}").status_code == 404
    with serving(tmp_path, "--mfa-type", "none", *options) as served, visiting(served) as guest:
        assert guest.get(f"/customers/{key}").json()["externalId"] == "hidden"


def test_a_null_means_not_given(visitor: Visitor) -> None:
    body = {"externalId": "nulls", "firstName": "Ann", "notes": "kept", "emails": ["n@example.com"]}
    key = visitor.post("/customers", body).json()["customerId"]
    visitor.post("/customers", {"externalId": "nulls", "notes": None, "emails": None})
    record = visitor.get(f"/customers/{key}").json()
    assert (record["notes"], record["emails"]) == ("kept", ["n@example.com"])


def test_a_customer_merged_by_hand_stands_for_the_survivor(shop: Shop, visitor: Visitor) -> None:
    gone, left = new_customer(visitor, "gone"), new_customer(visitor, "left")
    before = visitor.get(f"/customers/{gone}").json()["updatedAt"]
    shop.pass_time(2)
    shop.control("merge", {"from": gone, "into": left})
    record = visitor.get(f"/customers/{gone}").json()
    assert record["mergedIntoCustomerId"] == left
    assert (record["externalId"], record["isActive"]) == ("gone", False)
    assert record["updatedAt"] > before
    for path, body in (
        ("/deals", deal(visitor, gone)),
        ("/service/appointments", appointment(gone)),
    ):
        answer = visitor.post(path, body)
        assert answer.status_code == 422
        assert error_of(answer)["code"] == "customer_merged"
        assert error_of(answer)["details"][0]["field"] == "customerId"
    upserted = visitor.post("/customers", {"externalId": "gone", "notes": "still here"}).json()
    assert (upserted["customerId"], upserted["matchedBy"]) == (left, "externalId")
    survivor = visitor.get(f"/customers/{left}").json()
    assert (survivor["notes"], survivor["externalId"]) == ("still here", "left")
    assert new_customer(visitor, "left") == left


def test_only_two_customers_that_are_there_can_be_merged(shop: Shop, visitor: Visitor) -> None:
    one, other, third = (new_customer(visitor, name) for name in ("one", "other", "third"))
    shop.control("merge", {"from": one, "into": other})
    length = shop.stats()["lastSeq"]
    for ends in (
        {"from": one, "into": third},
        {"from": third, "into": one},
        {"from": third, "into": third},
        {"from": "cust_none", "into": third},
        {"from": third},
    ):
        with pytest.raises(requests.HTTPError, match="422"):
            shop.control("merge", ends)
    assert shop.stats()["lastSeq"] == length


@pytest.mark.parametrize(
    ("first", "second", "matched_by"),
    [
        ({}, {"externalId": "m-1"}, "nameAndContact"),
        ({"externalId": "m-2"}, {}, "nameAndContact"),
        ({"externalId": "m-3"}, {"externalId": "m-3", "lastName": "Other"}, "externalId"),
        ({"externalId": "m-4"}, {"externalId": "m-5"}, None),
        ({}, {"firstName": "Other"}, None),
        ({}, {"emails": ["other@example.com"]}, None),
    ],
)
def test_matched_by_tells_how_a_customer_was_found(
    visitor: Visitor, first: dict[str, t.Any], second: dict[str, t.Any], matched_by: str | None
) -> None:
    mark = "-".join([*map(str, first.values()), "+", *map(str, second)])
    person = {"firstName": "Mia", "lastName": "Match", "emails": [f"mia{mark}@example.com"]}
    made = visitor.post("/customers", person | first).json()
    again = visitor.post("/customers", person | second).json()
    assert made["matchedBy"] is None
    assert again["matchedBy"] == matched_by
    assert (again["customerId"] == made["customerId"]) == (matched_by is not None)


def test_a_writer_finds_its_records_again(visitor: Visitor) -> None:
    body = {
        "externalId": "again",
        "emails": ["again@example.com", "second@example.com"],
        "phones": [{"type": "mobile", "number": "+15185550199"}],
    }
    key = visitor.post("/customers", body).json()["customerId"]
    for found in (
        visitor.all("/customers", externalId="again"),
        visitor.all("/customers", email="second@example.com"),
        visitor.all("/customers", phone="+15185550199"),
    ):
        assert [record["customerId"] for record in found] == [key]
    made = visitor.post("/deals", deal(visitor, key, referenceId="again")).json()
    assert [d["dealId"] for d in visitor.all("/deals", referenceId="again")] == [made["dealId"]]
    assert visitor.all("/deals", referenceId="nobody's") == []


@pytest.mark.parametrize(
    ("bounds", "count"),
    [
        (("2026-03-09T13:30:00Z", "2026-03-09T13:30:00Z"), 1),
        (("2026-03-09T14:30:00+01:00", "2026-03-09T08:30:00-05:00"), 1),
        (("2026-03-09T13:30:01Z", "2026-03-09T14:00:00Z"), 0),
        (("2026-03-09T08:30:00Z", "2026-03-09T08:30:00Z"), 0),
    ],
)
def test_an_appointment_is_found_by_vehicle_customer_and_inclusive_instants(
    visitor: Visitor, bounds: tuple[str, str], count: int
) -> None:
    customer_id = new_customer(visitor, "-".join(bounds))
    key = visitor.post("/service/appointments", appointment(customer_id)).json()["appointmentId"]
    rows = visitor.all(
        "/service/appointments",
        vin=VIN,
        customerId=customer_id,
        appointmentFrom=bounds[0],
        appointmentTo=bounds[1],
    )
    assert [row["appointmentId"] for row in rows] == [key] * count
    assert visitor.all("/service/appointments", vin="other", customerId=customer_id) == []


def test_a_filtered_list_looks_at_no_more_rows_than_an_index_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = Ledger(resources())
    table = ledger.tables["service_appointments"]
    blank = {"updatedAt": "2026-03-09T12:00:00Z", "appointmentTime": "2026-03-09T12:00:00Z"}
    table.load(
        table.row(
            blank
            | {"appointmentId": f"a{i:03d}", "vin": f"v{i % 10}", "customerId": f"c{i % 100}"},
            b'{"id":%d}' % i,
        )
        for i in range(500)
    )
    looked_at = []
    passes = pages._passes  # noqa: SLF001 - what a list costs

    def counting(row: t.Any, filters: t.Any) -> bool:  # noqa: ANN401 - passed through
        looked_at.append(row.key)
        return passes(row, filters)

    monkeypatch.setattr(pages, "_passes", counting)
    pager = pages.Pager("ascending", 200, exclusive=False, seed=1)
    wanted = {"vin": "v7", "customerId": "c17", "appointmentFrom": "2026-03-09"}
    body = pager.page(table, wanted)
    assert body.count(b'{"id":') == 5
    assert len(looked_at) == 5
    looked_at.clear()
    assert pager.page(table, wanted | {"updatedFrom": "2026-03-10"}).count(b'{"id":') == 0
    assert looked_at == []
