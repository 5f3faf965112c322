"""What the shop on the web has for the DMS, and the outbox that it is written to."""

from __future__ import annotations

import datetime as dt
import errno
import json
import random
import typing as t
from pathlib import Path

import pytest

from automate_sandbox import contents, outbox, shop

TODAY = dt.date(2026, 11, 23)
PORT = 9


def dealership(for_sale: int = 20, sold: int = 3) -> list[dict[str, t.Any]]:
    """Return vehicles of which one earns money when it is sold for 500 less."""
    return [
        {
            "vin": f"VIN{number:03d}",
            "status": "in_stock" if number < for_sale else "retail_sold",
            "salePrice": 30_000.00,
            "cost": 25_000.00 if number == 7 else 29_900.00,
        }
        for number in range(for_sale + sold)
    ]


def make(vehicles: list[dict[str, t.Any]], seed: int = 1) -> dict[str, list[dict[str, t.Any]]]:
    return shop.make(vehicles, seed, TODAY, "/folder/contract.pdf")


def test_the_same_world_gives_the_same_rows_in_whatever_order_its_vehicles_come() -> None:
    vehicles = dealership()
    shuffled = random.Random(1).sample(vehicles, len(vehicles))  # noqa: S311 - no secret
    assert make(vehicles) == make(shuffled)
    assert make(vehicles) != make(vehicles, seed=2)


def test_the_deal_that_is_delivered_earns_money_and_the_last_one_is_on_a_sold_vehicle() -> None:
    vehicles = dealership()
    deals = make(vehicles)["deals"]
    vins = [deal["vehicle"]["vin"] for deal in deals]
    assert vins[0] == "VIN007"
    assert len({*vins}) == len(vins)
    sold = {vehicle["vin"] for vehicle in vehicles if vehicle["status"] == "retail_sold"}
    assert [vin in sold for vin in vins] == [False] * (len(vins) - 1) + [True]


@pytest.mark.parametrize(("for_sale", "sold"), [(10, 3), (11, 0)])
def test_a_dealership_that_is_too_small_is_refused(for_sale: int, sold: int) -> None:
    with pytest.raises(shop.TooSmallError, match=f"has {for_sale} vehicles for sale and {sold}"):
        make(dealership(for_sale, sold))
    assert make(dealership(11, 1))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a sandbox answer that is none."""
    answers = {
        "info": json.dumps({"seed": 1, "now": "2026-11-23T12:00:00Z"}),
        "records/vehicles": "".join(json.dumps(vehicle) + "\n" for vehicle in dealership()),
    }
    monkeypatch.setattr(outbox, "_get", lambda _port, call: answers[call].encode())


@pytest.mark.usefixtures("served")
def test_an_outbox_names_the_file_that_lies_in_it_and_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "output/outbox"
    said = outbox.write(folder, PORT)
    assert "30 leads, 12 deals, 2 deal_statuses, 1 attachments" in said
    [attachment] = (folder / "attachments.jsonl").read_text().splitlines()
    contract = contents.make(shop.CONTRACT, contents.PDF)
    assert json.loads(attachment)["path"] == str(folder / shop.CONTRACT)
    assert (folder / shop.CONTRACT).read_bytes() == contract.read(0, contract.size)
    (folder / "leads.jsonl").write_text("changed")
    assert "is there already" in outbox.write(folder, PORT)
    assert (folder / "leads.jsonl").read_text() == "changed"


@pytest.mark.usefixtures("served")
def test_an_outbox_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "output/outbox"
    write_bytes = Path.write_bytes
    left = iter(range(3))

    def write(path: Path, content: bytes) -> int:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(outbox.OutboxError, match="No space left on device"):
        outbox.write(folder, PORT)
    assert [*folder.parent.iterdir()] == []
