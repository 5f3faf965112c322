"""Files behind signed links, served as an object store does: no login, any range, in pieces.

A request that brings an `Authorization` is refused, as by a store that has the signature of the
link already; one with cookies is served, and both are counted.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
import typing as t
from urllib.parse import parse_qsl

from automate_sandbox import contents
from automate_sandbox.answers import Answer
from automate_sandbox.links import PREFIX, link
from automate_sandbox.transport import connection

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import Scope, Send

    from automate_sandbox.faults import Rule
    from automate_sandbox.money import Record
    from automate_sandbox.sandbox import Sandbox

PIECE: t.Final = 1 << 16
"""Bytes that are sent at once."""

PIECES_WHEN_SLOW: t.Final = 8

CREDENTIALS: t.Final = ("authorization", "cookie", "proxy-authorization")
XML_HEADER: t.Final = (b"content-type", b"application/xml")
BYTES_RANGE: t.Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
ATTACHMENT: t.Final = re.compile(r"/attachments/([^/]+)")
PHOTO: t.Final = re.compile(r"/vehicles/([^/]+)/(\d+)\.jpg", re.ASCII)

UPLOADED: t.Final = re.compile(r"/uploads/([^/]+)")

MESSAGES: t.Final = {
    "AccessDenied": (403, "Request has expired"),
    "SignatureDoesNotMatch": (403, "The signature does not match the link."),
    "InvalidArgument": (400, "Only one way to authenticate is allowed; the link has one."),
    "NoSuchKey": (404, "The file does not exist."),
    "MethodNotAllowed": (405, "The method is not allowed here."),
    "InvalidRange": (416, "The range lies outside of the file."),
    "MissingHeader": (403, "A header that the link was made for is missing or another one."),
    "MissingContentLength": (411, "The Content-Length is missing."),
    "EntityTooLarge": (400, "The file is larger than the announced one."),
    "Completed": (409, "The attachment has been completed."),
}
"""Code to status and text of a refusal."""


@dataclasses.dataclass
class Download:
    """A good answer, before it is sent.

    Attributes:
        status: 200 or 206.
        headers: Names in small letters.
        content: The file.
        start: The first byte to send.
        stop: The one after the last.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    content: contents.File
    start: int
    stop: int

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return self.stop - self.start


class Downloads:
    """The files of a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Serve what the records of a sandbox link to.

        Args:
            sandbox: Its owner.
        """
        self._sandbox = sandbox

    def count(self, scope: Scope) -> None:
        """Count a request below `PREFIX`, and the credentials that it brings."""
        names = {name.decode("latin-1") for name, _ in scope["headers"]}
        self._sandbox.downloads.update(["requests", *names.intersection(CREDENTIALS)])

    def answer(self, scope: Scope, strikes: Sequence[Rule]) -> Answer | Download:
        """Make the answer to a request below `PREFIX`.

        Args:
            scope: Of the request.
            strikes: The faults that strike it.
        """
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        path = scope["path"].removeprefix(PREFIX)
        refusal = self._refusal(scope, path, headers)
        if any(rule.kind == "expired_url" for rule in strikes):
            refusal = "AccessDenied"
        found = None if refusal else self._find(path)
        if found is None:
            return refused(refusal or "NoSuchKey")
        return _chosen(found, path, headers)

    async def send_bytes(
        self, download: Download, faulty: Faulty, scope: Scope, send: Send
    ) -> None:
        """Send the bytes of a file in pieces, as fast as the peer takes them.

        Args:
            download: Whose headers have been sent.
            faulty: What goes wrong on the way.
            scope: Of the request.
            send: To the server.
        """
        start, stop = download.start, download.stop
        if scope["method"] == "HEAD":
            stop = start
        elif faulty.halved:
            stop = start + (stop - start) // 2
        step = PIECE
        if faulty.milliseconds:
            step = min(PIECE, (stop - start) // PIECES_WHEN_SLOW + 1)
        for position in range(start, stop, step):
            if connection(scope) is None:
                return
            if faulty.milliseconds:
                await asyncio.sleep(faulty.milliseconds / 1000)
            piece = download.content.read(position, min(position + step, stop))
            if faulty.wrong:
                piece = bytes((piece[0] ^ 0xFF,)) + piece[1:]
            self._sandbox.downloads["bytes"] += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            # The transport passes on at the end of a turn what it has been given, and only then
            # feels a peer that does not keep up.
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"", "more_body": faulty.halved})

    def _refusal(self, scope: Scope, path: str, headers: Mapping[str, str]) -> str:
        if scope["method"] not in {"GET", "HEAD"}:
            return "MethodNotAllowed"
        if "authorization" in headers:
            return "InvalidArgument"
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        return self._sandbox.links.refusal(path, query)

    def _find(self, path: str) -> contents.File | None:
        if match := UPLOADED.fullmatch(path):
            record = self._sandbox.ledger.record("attachments", match[1])
            return self._sandbox.uploads.held(record) if record else None
        if match := ATTACHMENT.fullmatch(path):
            record = self._sandbox.ledger.record("attachments", match[1])
            return attached(record) if record else None
        if match := PHOTO.fullmatch(path):
            vehicle = self._sandbox.ledger.record("vehicles", match[1]) or {}
            stored = link(path)
            if any(shown["url"] == stored for shown in vehicle.get("photos") or ()):
                return photo(match[1], int(match[2]))
        return None


@dataclasses.dataclass(frozen=True)
class Faulty:
    """What goes wrong with the bytes of a download.

    Attributes:
        halved: Only the first half is sent.
        wrong: Bytes differ from the file's.
        milliseconds: Before each of a few pieces.
    """

    halved: bool = False
    wrong: bool = False
    milliseconds: float = 0

    @classmethod
    def of(cls, strikes: Sequence[Rule]) -> Faulty:
        """Take from the faults that strike a request what concerns its bytes."""
        return cls(
            halved=any(r.kind == "cut" and r.fields["when"] == "during" for r in strikes),
            wrong=any(rule.kind == "wrong_bytes" for rule in strikes),
            milliseconds=sum(
                float(rule.fields["milliseconds"]) for rule in strikes if rule.kind == "slow_body"
            ),
        )


def photo(vehicle_id: str, position: int) -> contents.Content:
    """Make a photo of a vehicle; each third one is a PNG, whatever its name says."""
    kind = contents.PNG if position % 3 == 2 else contents.JPEG  # noqa: PLR2004 - 0, 1, 2
    return contents.make(f"{vehicle_id}/{position}", kind)


def attached(record: Record) -> contents.Content:
    """Make the file of an attachment."""
    size = contents.UNKNOWN if record["size"] is None else record["size"]
    return contents.make(record["attachmentId"], record["contentType"] or contents.BINARY, size)


def _chosen(content: contents.File, path: str, asked: Mapping[str, str]) -> Answer | Download:
    """Choose the bytes that a request asks for."""
    tag = f'"{contents.tag(path, content)}"'
    headers = [
        (b"content-type", content.content_type.encode()),
        (b"etag", tag.encode()),
        (b"accept-ranges", b"bytes"),
    ]
    if asked.get("if-none-match") == tag:
        return Answer(304, headers, b"")
    size = content.size
    bounds = BYTES_RANGE.fullmatch(asked.get("range", ""))
    # A range that cannot be read, or is of another file than the client thinks, counts for nothing.
    if bounds is None or bounds[0] == "bytes=-" or asked.get("if-range", tag) != tag:
        return Download(200, headers, content, 0, size)
    first, last = bounds[1], bounds[2]
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= size or (last and first and int(last) < start):
        refusal = refused("InvalidRange")
        refusal.headers.append((b"content-range", b"bytes */%d" % size))
        return refusal
    headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, size)))
    return Download(206, headers, content, start, stop)


def refused(code: str) -> Answer:
    """Make the answer of an object store that refuses a request, one of `MESSAGES`."""
    status, message = MESSAGES[code]
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status, [XML_HEADER], body.encode())
