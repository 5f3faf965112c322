"""Prices, comments and photos of vehicles: what the DMS takes, and what it refuses."""

from __future__ import annotations

import hashlib
import typing as t
from decimal import Decimal

import pytest
from support.desk import Desk, refusal
from support.visitor import Shop, Visitor, serving, visiting

from automate_sandbox import contract_file
from automate_sandbox.money import decode

if t.TYPE_CHECKING:
    from pathlib import Path

    import requests

    Record = dict[str, t.Any]


@pytest.fixture
def desk(visitor: Visitor) -> Desk:
    return Desk(visitor)


def patch(desk: Desk, vehicle: Record, body: Record) -> requests.Response:
    return desk.guest.send("PATCH", f"/vehicles/{vehicle['vehicleId']}", json=body)


def put_photos(desk: Desk, vehicle: Record, *photos: Record) -> requests.Response:
    path = f"/vehicles/{vehicle['vehicleId']}/photos"
    return desk.guest.send("PUT", path, json={"photos": photos})


def plain(record: Record) -> Record:
    """A vehicle without the signatures of its links, which differ from answer to answer."""
    photos = [photo | {"url": photo["url"].partition("&")[0]} for photo in record["photos"]]
    return record | {"photos": photos}


def attached(desk: Desk, vehicle: Record, content_type: str = "image/png") -> str:
    """Attach a file to a vehicle."""
    data = f"picture of {vehicle['vehicleId']}, {content_type}".encode()
    body = {
        "entityType": "vehicle",
        "entityId": vehicle["vehicleId"],
        "fileName": "front",
        "contentType": content_type,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    upload = desk.guest.post("/attachments", body).json()
    sent = desk.guest.http.put(
        upload["uploadUrl"], data=data, headers=upload["uploadHeaders"], timeout=30
    )
    assert sent.status_code == 200
    key: str = upload["attachmentId"]
    assert desk.guest.send("POST", f"/attachments/{key}/complete").status_code == 200
    return key


def test_prices_and_comments_change_and_nothing_else(shop: Shop, desk: Desk) -> None:
    vehicle = decode(desk.guest.get(f"/vehicles/{desk.vehicle()['vehicleId']}").content)
    assert vehicle["comments"] is None
    shop.pass_time(1)
    body = {
        "listPrice": 31999.5,
        "salePrice": 30000,
        "comments": "One owner `and` more",
        "ifUpdatedAt": vehicle["updatedAt"],
        "cost": 1,
    }
    answer = patch(desk, vehicle, body)
    assert answer.status_code == 200
    assert contract_file.validator("Vehicle").is_valid(answer.json())
    changed = decode(answer.content)
    assert changed["updatedAt"] > vehicle["updatedAt"]
    assert plain(changed) == plain(vehicle) | {
        "listPrice": Decimal("31999.50"),
        "salePrice": 30000,
        "comments": "One owner `and` more",
        "updatedAt": changed["updatedAt"],
    }
    read = decode(desk.guest.get(f"/vehicles/{vehicle['vehicleId']}").content)
    assert plain(read) == plain(changed)
    version, write = shop.control(f"history?since={shop.stats()['lastSeq'] - 2}")
    assert version["key"] == write["write"]["id"] == vehicle["vehicleId"]
    assert version["requestId"] == write["requestId"] == answer.headers["X-Request-Id"]
    assert write["key"] == "PATCH /vehicles/{id}"
    assert shop.stats()["requests"]["PATCH /vehicles/{id}"] >= 1


def test_a_key_belongs_to_one_vehicle(desk: Desk) -> None:
    first, second = (f"/vehicles/{desk.vehicle()['vehicleId']}" for _ in range(2))
    headers, body = {"Idempotency-Key": "one-vehicle"}, {"comments": "mine"}
    assert desk.guest.send("PATCH", first, json=body, headers=headers).status_code == 200
    answer = desk.guest.send("PATCH", second, json=body, headers=headers)
    assert refusal(answer)[:2] == (422, "idempotency_key_reused")


def test_a_newer_copy_in_the_dms_wins_and_is_told(shop: Shop, desk: Desk) -> None:
    vehicle = desk.vehicle()
    shop.pass_time(2)
    newer = patch(desk, vehicle, {"salePrice": float(vehicle["salePrice"] - 100)}).json()
    before = shop.stats()["lastSeq"]
    lower = float(vehicle["salePrice"] - 200)
    body = {"salePrice": lower, "ifUpdatedAt": vehicle["updatedAt"]}
    answer = patch(desk, vehicle, body)
    assert refusal(answer) == (409, "version_conflict", "ifUpdatedAt", newer["updatedAt"])
    assert shop.stats()["lastSeq"] == before
    again = patch(desk, vehicle, body | {"ifUpdatedAt": newer["updatedAt"]})
    assert again.json()["salePrice"] == lower


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"salePrice": 0}, "salePrice"),
        ({"listPrice": -5}, "listPrice"),
        ({"listPrice": 1e9}, "listPrice"),
        ({"salePrice": 9999.999}, "salePrice"),
        ({"salePrice": 9_999_999}, "salePrice"),
        ({"listPrice": 1}, "listPrice"),
        ({"comments": "x" * 2_001}, "comments"),
    ],
)
def test_what_the_dms_does_not_take_is_refused_by_field(
    shop: Shop, desk: Desk, body: Record, field: str
) -> None:
    before = shop.stats()["lastSeq"]
    answer = patch(desk, desk.vehicle(), body)
    assert refusal(answer)[:3] == (422, "validation_failed", field)
    assert shop.stats()["lastSeq"] == before


def test_the_price_of_a_sold_vehicle_stays_but_not_its_comments(desk: Desk) -> None:
    sold = desk.guest.all("/vehicles", status="retail_sold")[0]
    answer = patch(desk, sold, {"salePrice": 5})
    assert refusal(answer) == (422, "status_not_allowed", "salePrice", "retail_sold")
    assert patch(desk, sold, {"comments": "Sold"}).json()["comments"] == "Sold"
    gone = sold | {"vehicleId": "veh_no"}
    assert refusal(patch(desk, gone, {"comments": "x"}))[:2] == (404, "record_not_found")


def test_photos_are_replaced_by_links_and_pictures_in_their_order(desk: Desk) -> None:
    vehicle = desk.vehicle()
    key = attached(desk, vehicle)
    url = "https://img.example.com/a.jpg?size=large"
    answer = put_photos(desk, vehicle, {"url": url}, {"attachmentId": key})
    assert answer.status_code == 200
    assert contract_file.validator("Vehicle").is_valid(answer.json())
    first, second = answer.json()["photos"]
    assert first == {"url": url, "attachmentId": None}
    assert second["attachmentId"] == key
    picture = desk.guest.http.get(second["url"], timeout=30)
    assert picture.content.startswith(b"picture of")
    assert picture.headers["Content-Type"] == "image/png"
    read = desk.read(f"/vehicles/{vehicle['vehicleId']}")
    assert plain(read) == plain(answer.json())
    assert put_photos(desk, vehicle).json()["photos"] == []


def test_a_photo_is_a_completed_picture_of_the_vehicle(desk: Desk) -> None:
    vehicle, other = desk.vehicle(), desk.vehicle()
    body = {
        "entityType": "vehicle",
        "entityId": vehicle["vehicleId"],
        "fileName": "front.jpg",
        "contentType": "image/jpeg",
        "size": 1,
        "sha256": "0" * 64,
    }
    announced = desk.guest.post("/attachments", body).json()["attachmentId"]
    for key in ("att_no", announced, attached(desk, other), attached(desk, vehicle, "text/plain")):
        answer = put_photos(desk, vehicle, {"attachmentId": key})
        assert refusal(answer)[:3] == (422, "validation_failed", "photos.0.attachmentId")
    many: list[Record] = [{"url": f"https://img.example.com/{n}"} for n in range(101)]
    assert refusal(put_photos(desk, vehicle, *many))[:3] == (422, "validation_failed", "photos")
    both = {"url": "https://img.example.com/a", "attachmentId": "att"}
    assert put_photos(desk, vehicle, both).status_code == 422


def test_changes_carry_milliseconds_where_the_world_does(tmp_path: Path) -> None:
    options = ("--vehicles", "30", "--days", "5", "--mfa-type", "none", "--fractional-seconds")
    with serving(tmp_path, *options) as shop, visiting(shop) as guest:
        desk = Desk(guest)
        stamps = set()
        for _ in range(4):
            answer = patch(desk, desk.vehicle(), {"comments": "x"}).json()
            assert desk.read(f"/vehicles/{answer['vehicleId']}")["updatedAt"] == answer["updatedAt"]
            stamps.add(len(answer["updatedAt"]))
        assert len("2026-01-20T13:45:00.000Z") in stamps
