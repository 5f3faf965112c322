"""Recognisable secrets and personal data, planted to be looked for in whatever a program says."""

from __future__ import annotations

import base64
import typing as t

PASSWORD: t.Final = "planted-pass word"  # noqa: S105 - planted
PLATFORM: t.Final = "planted-platform-token"
TOTP: t.Final = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
HASH_KEY: t.Final = "planted-key-of-the-hashes"
PERSON: t.Final[dict[str, t.Any]] = {
    "externalId": "crm-4711",
    "firstName": "Plantania",
    "lastName": "Quorndon",
    "emails": ["plantania@mail.example.com"],
    "phones": [{"type": "cell", "number": "+12025557654"}],
    "address": {"line1": "77 Quagmire Row", "city": "Xanaduville", "postalCode": "93940-7766"},
    "driversLicense": {"number": "D7654321Q", "state": "CA"},
    "dateOfBirth": "1961-02-03",
}
DROPPED: t.Final = ("D7654321Q", "1961-02-03")
PERSONAL: t.Final = (
    *DROPPED,
    "Plantania",
    "plantania",
    "Quorndon",
    "mail.example.com",
    "2025557654",
    "Quagmire",
    "Xanaduville",
    "93940-7766",
)
SECRETS: t.Final = (
    "planted",
    TOTP,
    base64.b64encode(PLATFORM.encode()).decode(),
    "planted-pass%20word",
    "planted-pass+word",
)
DEBUG: t.Final = {
    "LOGLEVEL": "DEBUG",
    "TAP_AUTOMATE_LOGLEVEL": "DEBUG",
    "TARGET_AUTOMATE_LOGLEVEL": "DEBUG",
    "TARGET_WAREHOUSE_LOGLEVEL": "DEBUG",
}
