"""What makes two records the same: for the writer, by content, and for the server.

A record's business key says which thing it is about, its content hash what it says about it. The
idempotency key is made of both, so that a server that honours it carries a write out once.
"""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import types
import typing as t
import unicodedata
import uuid
from decimal import Decimal

import msgspec

from target_automate.sinks.declarations import ABOUT

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from target_automate.sinks.declarations import SinkDeclaration

Form: t.TypeAlias = t.Literal["text", "vin", "instant"]

FORMS: t.Final[Mapping[str, Form]] = types.MappingProxyType(
    {
        "vin": "vin",
        "appointmentTime": "instant",
        "expectedUpdatedAt": "instant",
        "ifUpdatedAt": "instant",
        "updatedAt": "instant",
    }
)
"""Fields that say the same in more than one spelling; all others are plain text.

A VIN is the same in capitals, an instant with any UTC offset.
"""

_DEEPEST: t.Final = 100

_EXACT: t.Final = decimal.Context(
    prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN
)
"""Never rounds, unlike the standard context."""


def canonical(body: Mapping[str, t.Any]) -> bytes:
    """Write a payload in the one form that all its spellings share.

    Returns:
        JSON in UTF-8 with sorted keys and text in NFC; numbers in one spelling, so that 100, 100.0
        and 1E2 are alike, and exactly. What nests deeper than 100 levels, as no payload does, is
        left out.

    Raises:
        UnicodeEncodeError: Text in it cannot be written in UTF-8.
        TypeError: It holds what JSON has no form for.
    """
    return msgspec.json.encode(_normal(body, _DEEPEST), order="sorted")


def content_hash(body: Mapping[str, t.Any]) -> str:
    """Hash what a payload says: SHA-256 of its canonical form, in hex."""
    return hashlib.sha256(canonical(body)).hexdigest()


def record_hash(declaration: SinkDeclaration, body: Mapping[str, t.Any]) -> str:
    """Hash what a payload says to the DMS: not where on this machine it has it from."""
    return content_hash({n: value for n, value in body.items() if n not in declaration.local})


def business_key(declaration: SinkDeclaration, body: Mapping[str, t.Any]) -> str:
    r"""Name the thing that a payload is about, as its writer does: `crm-10492`.

    Without the writer's own id it is made of the natural key: `customerExternalId:crm-10492 |
    1HGCM82633A004352 | 2026-02-03T14:30:00.000Z`. The customer is named as the record does, since
    a key that changed when the reference is resolved would be none. A `|` in a value is written
    `\|`, so that no two keys read the same.

    Args:
        declaration: The sink.
        body: A payload of it, also one that is not complete.

    Raises:
        LookupError: It lacks a field of the key.
    """
    names = declaration.business_key
    if declaration.natural_key and not body.keys() >= set(names) - {ABOUT}:
        names = declaration.natural_key
    return " | ".join(_key_part(declaration, body, name) for name in names)


def comparable(field: str, value: object) -> str:
    """Write a field of a key so that it is equal for all spellings of the same.

    A VIN in capitals, an instant in UTC to the millisecond, any other in NFC. What should be an
    instant and is none stays as it is, and equals no instant. Null is the empty text, which no
    payload holds.

    Args:
        field: The field's name, `appointmentTime`.
        value: Its content, in a payload or in a record of the DMS.
    """
    text = "" if value is None else unicodedata.normalize("NFC", str(value))
    match FORMS.get(field, "text"):
        case "vin":
            return text.strip().upper()
        case "instant":
            return _utc(text)
        case _:
            return text


def idempotency_key(  # noqa: PLR0913 - each is a part of it
    *,
    tenant: str,
    object: str,  # noqa: A002 - its name everywhere
    operation: str,
    business_key: str,
    content_hash: str,
    sequence: int,
    generation: int,
    journal_id: str | None,
) -> str:
    """Make the key under which a server carries a write out once.

    Args:
        tenant: Whose DMS: the API's host and the integration's id.
        object: What is written, `deals`.
        operation: `upsert`, `create`, `update` or `upload`.
        business_key: Which one.
        content_hash: Its content.
        sequence: The how-manieth content of this business key it is.
        generation: Grows when the same content is to be judged anew.
        journal_id: For upserts and updates: a lost journal starts its sequences anew, and an old
            key would replay an old answer. None for what makes one, which then still happens once.

    Returns:
        A UUID of 36 characters, of the version that RFC 9562 leaves to the maker (8).
    """
    parts = (
        tenant,
        object,
        operation,
        business_key,
        content_hash,
        sequence,
        generation,
        journal_id,
    )
    digest = bytearray(hashlib.sha256(msgspec.json.encode(parts)).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def _key_part(declaration: SinkDeclaration, body: Mapping[str, t.Any], name: str) -> str:
    label = ""
    if name == ABOUT:
        reference = declaration.reference_in(body)
        if reference is None:
            msg = "it refers to nothing"
            raise LookupError(msg)
        name = reference.name_in(body)
        label = f"{name}:"
    return label + comparable(name, body[name]).replace("|", r"\|")


def _utc(text: str) -> str:
    try:
        instant = dt.datetime.fromisoformat(text)
        if instant.tzinfo is None:
            return text
        instant = instant.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return text
    return instant.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _normal(value: object, levels: int) -> object:
    if isinstance(value, str):
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _number(value)
    if isinstance(value, list | dict) and not levels:
        return None
    if isinstance(value, list):
        return [_normal(item, levels - 1) for item in value]
    if isinstance(value, dict):
        return {name: _normal(item, levels - 1) for name, item in value.items()}
    return value


def _number(value: float | Decimal) -> object:
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        msg = "JSON has no form for a number that is not finite."
        raise TypeError(msg)
    return msgspec.Raw(str(_EXACT.normalize(exact)).encode()) if exact else 0
