"""Writes to vehicles: prices, comments, photos, as far as the DMS's validations let them."""

from __future__ import annotations

import typing as t

from automate_sandbox.amounts import price
from automate_sandbox.calls import Asked, Call, Outcome
from automate_sandbox.instants import SECOND, render
from automate_sandbox.problems import Problem
from automate_sandbox.refusals import existing, hold_version, not_allowed

if t.TYPE_CHECKING:
    from automate_sandbox.money import Record
    from automate_sandbox.sandbox import Sandbox

PRICED: t.Final = frozenset({"in_stock", "transit"})
"""Prices of other vehicles are history."""

LONGEST_COMMENT: t.Final = 2_000
MOST_PHOTOS: t.Final = 100


def change(sandbox: Sandbox, asked: Asked) -> Outcome:
    """Change prices and comments, unless the record has changed since the client saw it."""
    payload = asked.payload
    vehicle = existing(sandbox, "vehicles", asked.key)
    hold_version(vehicle, "ifUpdatedAt", payload.get("ifUpdatedAt"))
    prices = {name: price(payload, name) for name in ("listPrice", "salePrice")}
    given = {name: value for name, value in prices.items() if value is not None}
    if given and vehicle["status"] not in PRICED:
        raise not_allowed(vehicle, "the vehicle is no longer for sale", next(iter(given)))
    after = vehicle | given
    if given and after["listPrice"] and after["salePrice"] > after["listPrice"]:
        field = "salePrice" if "salePrice" in given else "listPrice"
        raise Problem.invalid(422, field, "the sale price would be above the list price")
    comments = payload.get("comments")
    if comments is not None:
        if len(comments) > LONGEST_COMMENT:
            raise Problem.invalid(422, "comments", f"expected at most {LONGEST_COMMENT} characters")
        after["comments"] = comments
    return _changed(sandbox, after)


def replace_photos(sandbox: Sandbox, asked: Asked) -> Outcome:
    """Show these photos and no others, in this order."""
    vehicle = existing(sandbox, "vehicles", asked.key)
    photos = asked.payload["photos"]
    if len(photos) > MOST_PHOTOS:
        raise Problem.invalid(422, "photos", f"expected at most {MOST_PHOTOS}")
    vehicle["photos"] = [
        _photo(sandbox, vehicle, f"photos.{position}", photo)
        for position, photo in enumerate(photos)
    ]
    return _changed(sandbox, vehicle)


def _photo(sandbox: Sandbox, vehicle: Record, field: str, photo: Record) -> Record:
    key = photo.get("attachmentId")
    if key is None:
        return {"url": photo["url"], "attachmentId": None}
    attachment = sandbox.ledger.record("attachments", key)
    if attachment is None or attachment["entityId"] != vehicle["vehicleId"]:
        message = "the vehicle has no such attachment that was completed"
        raise Problem.invalid(422, f"{field}.attachmentId", message)
    if not (attachment["contentType"] or "").startswith("image/"):
        raise Problem.invalid(422, f"{field}.attachmentId", "expected a picture")
    return {"url": attachment["downloadUrl"], "attachmentId": key}


def _changed(sandbox: Sandbox, vehicle: Record) -> Outcome:
    vehicle["updatedAt"] = render(sandbox.clock.now() // SECOND * SECOND)
    return Outcome(200, vehicle, [("vehicles", vehicle)])


CHANGE: t.Final = Call(change, shows="vehicles")
PHOTOS: t.Final = Call(replace_photos, shows="vehicles")
