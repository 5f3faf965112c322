"""Signed links to files: written into answers as they leave, and checked when they are followed.

A record is stored with places for what changes with each answer, so that a link's new signature is
no change of the record and a page stays a join of bodies that were encoded once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import typing as t

from automate_sandbox.instants import SECOND, render

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_sandbox.instants import Clock

PREFIX: t.Final = "/files"
"""Path below which files are served; they are outside of any integration."""

INCOMING: t.Final = "/incoming"
"""Below `PREFIX`, where files are taken."""

LIFE_SECONDS: t.Final = 15 * 60

BASE: t.Final = "\x7f"
SIGNED: t.Final = "`"
EXPIRES: t.Final = "1970-01-01T00:00:00.900Z"
"""Places in a stored record for the server's address, for a link's signature, for its end.

Two are single characters, which are found in a page at a tenth of the cost of a word. The last is
an instant, so that a stored record keeps the contract; no other field has it.
"""

MARK: t.Final = re.compile(rb'("\x7f/[\w./-]+\?object=[0-9a-f]+&`")|\x7f|`')
"""A link in a stored record, or one of its signs anywhere else."""

PLACES: t.Final[Mapping[str, tuple[str, ...]]] = {
    "vehicles": (BASE, SIGNED),
    "attachments": (BASE, SIGNED, EXPIRES),
}
"""Stream to the places that its records have."""


def link(path: str) -> str:
    """Make the stored form of a link to a file.

    Args:
        path: `/vehicles/veh_28f93a/0.jpg`, below `PREFIX`.
    """
    return f"{BASE}{path}?object={_object(path)}&{SIGNED}"


def guarded(stream: str, body: bytes) -> bytes:
    """Escape the signs of places where they are part of somebody's text.

    Args:
        stream: Of the record.
        body: The record as JSON.

    Returns:
        The same record, in which only links have places.
    """
    if stream not in PLACES or body.count(b"\x7f") == body.count(b"`") == body.count(b'&`"'):
        return body
    return MARK.sub(lambda found: found[1] or b"\\u%04x" % ord(found[0]), body)


class Links:
    """Fills in and checks links."""

    def __init__(self, clock: Clock) -> None:
        """Take a key that no other process has: links end with the server that made them.

        Args:
            clock: That they expire by.
        """
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._filled: tuple[tuple[int, str], dict[str, tuple[bytes, bytes]]] = ((0, ""), {})

    def fill(self, stream: str, body: bytes, host: str) -> bytes:
        """Make the links of a record, or of a page of records, ones that can be followed.

        Args:
            stream: Of the records, one of `PLACES`.
            body: JSON, as stored.
            host: Name and port by which the client knows this server.
        """
        filling = self._filling(host)
        for place in PLACES[stream]:
            body = body.replace(*filling[place])
        return body

    def upload(self, key: str, host: str) -> tuple[str, int]:
        """Make a link that a file can be sent to.

        Args:
            key: Of its attachment.
            host: Name and port by which the client knows this server.

        Returns:
            The link, and when it ends, in milliseconds since 1970.
        """
        path, expires = f"{INCOMING}/{key}", self._clock.now() // SECOND + LIFE_SECONDS
        signed = f"expires={expires}&signature={self._signature(str(expires))}"
        return f"http://{host}{PREFIX}{path}?object={_object(path)}&{signed}", expires * SECOND

    def refusal(self, path: str, query: Mapping[str, str]) -> str:
        """Look at a link that is being followed.

        Args:
            path: Below `PREFIX`.
            query: Of the request.

        Returns:
            Why it is none; nothing when it is good.
        """
        expires = query.get("expires", "")
        signature = self._signature(expires)
        is_ours = hmac.compare_digest(
            signature.encode(), query.get("signature", "").encode()
        ) and hmac.compare_digest(_object(path).encode(), query.get("object", "").encode())
        if not is_ours:
            return "SignatureDoesNotMatch"
        return "" if self._clock.now() < int(expires) * SECOND else "AccessDenied"

    def _filling(self, host: str) -> dict[str, tuple[bytes, bytes]]:
        """Say what is replaced by what at each place; the same for all answers of a second."""
        now = self._clock.now() // SECOND
        if self._filled[0] != (now, host):
            expires = now + LIFE_SECONDS
            signed = f"expires={expires}&signature={self._signature(str(expires))}"
            texts = {
                BASE: f"http://{host}{PREFIX}",
                SIGNED: signed,
                EXPIRES: render(expires * SECOND),
            }
            filled = {place: (place.encode(), text.encode()) for place, text in texts.items()}
            self._filled = (now, host), filled
        return self._filled[1]

    def _signature(self, expires: str) -> str:
        return hashlib.blake2b(expires.encode(), key=self._key, digest_size=6).hexdigest()


def _object(path: str) -> str:
    """Bind a link to its path: with another one it is not a link of this server's."""
    return hashlib.blake2b(path.encode(), digest_size=4).hexdigest()
