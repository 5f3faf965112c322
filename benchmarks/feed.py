"""Singer lines to push: customers of a dozen fields, and deals of theirs."""

from __future__ import annotations

import dataclasses
import json
import typing as t

if t.TYPE_CHECKING:
    from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True)
class Lines:
    """A file of Singer messages.

    Attributes:
        path: Of the file.
        stream: That all records are of.
        count: How many records there are.
    """

    path: Path
    stream: str
    count: int


def customer(number: int) -> dict[str, t.Any]:
    """Make up a customer."""
    return {
        "externalId": f"bench-{number}",
        "customerType": "retail",
        "firstName": "Dana",
        "lastName": f"Example {number}",
        "emails": [f"dana.{number}@example.com"],
        "phones": [{"type": "mobile", "number": f"+1202555{number % 10_000:04d}"}],
        "address": {
            "line1": f"{number} Main St",
            "city": "Albany",
            "region": "NY",
            "postalCode": "12207",
            "country": "US",
        },
        "driversLicense": {"number": f"X{number:07d}", "state": "NY"},
        "dateOfBirth": "1990-01-01",
        "marketingOptIn": {"email": True, "sms": False, "phone": False},
        "source": "website",
        "notes": "Prefers evenings",
    }


def deal(number: int, customers: int, run: str, vin: str) -> dict[str, t.Any]:
    """Make up a deal of one of the customers.

    Args:
        number: Of the deal.
        customers: How many there are.
        run: Makes its reference a new one.
        vin: Of a vehicle that is for sale.
    """
    return {
        "referenceId": f"bench-{run}-{number}",
        "customerExternalId": f"bench-{number % customers}",
        "vehicle": {"vin": vin},
        "pricing": {"salePrice": 24_950.5},
    }


def write(path: Path, stream: str, key: str, records: list[dict[str, t.Any]]) -> Lines:
    """Write a stream's messages: its schema, the records, a STATE.

    Args:
        path: Of the file.
        stream: Its name.
        key: Field that identifies a record.
        records: In their order.
    """
    types = {"str": "string", "dict": "object", "list": "array"}
    properties = {name: {"type": types[type(text).__name__]} for name, text in records[0].items()}
    messages: list[dict[str, t.Any]] = [
        {
            "type": "SCHEMA",
            "stream": stream,
            "key_properties": [key],
            "schema": {"type": "object", "properties": properties},
        },
        *({"type": "RECORD", "stream": stream, "record": record} for record in records),
        {"type": "STATE", "value": {stream: len(records)}},
    ]
    path.write_text("".join(json.dumps(message) + "\n" for message in messages))
    return Lines(path, stream, len(records))
