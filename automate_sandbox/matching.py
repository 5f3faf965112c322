"""Which customer a payload means."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from automate_sandbox.ledger import Ledger
    from automate_sandbox.money import Record

MatchedBy = t.Literal["externalId", "nameAndContact"]


def match_customer(ledger: Ledger, payload: Record) -> tuple[Record, MatchedBy] | None:
    """Find a customer by `externalId`, else by first and last name with an email or a phone.

    A merged customer stands for the one that is left. A person who has another `externalId` is
    another person, whatever the name.

    Args:
        ledger: Of the world.
        payload: Of an upsert.

    Returns:
        The current record and how it was found; None when nobody matches.
    """
    table = ledger.tables["customers"]
    external_id = payload.get("externalId")
    known = table.find("externalId", external_id) if external_id else set()
    if known:
        return survivor(ledger, min(known)), "externalId"
    name = _name(payload)
    if not all(name):
        return None
    contacts = [("email", email) for email in payload.get("emails") or () if email]
    contacts += [
        ("phone", phone["number"])
        for phone in payload.get("phones") or ()
        if phone and phone.get("number")
    ]
    candidates = {key for parameter, value in contacts for key in table.find(parameter, value)}
    for key in sorted(candidates):
        record = survivor(ledger, key)
        if _name(record) == name and not (external_id and record.get("externalId")):
            return record, "nameAndContact"
    return None


def survivor(ledger: Ledger, key: str) -> Record:
    """Follow merges to the customer that is left."""
    record = ledger.record("customers", key) or {}
    while record["mergedIntoCustomerId"]:
        record = ledger.record("customers", record["mergedIntoCustomerId"]) or {}
    return record


def _name(record: Record) -> tuple[str, str]:
    first, last = record.get("firstName") or "", record.get("lastName") or ""
    return first.strip().casefold(), last.strip().casefold()
