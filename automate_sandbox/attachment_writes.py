"""Attachments from outside: announced, uploaded (see `uploads.py`), completed."""

from __future__ import annotations

import re
import typing as t

from automate_sandbox.calls import Asked, Call, Outcome
from automate_sandbox.instants import SECOND, render
from automate_sandbox.links import EXPIRES, link
from automate_sandbox.problems import Problem
from automate_sandbox.uploads import HELD, headers_of
from automate_sandbox.world.attachments import KEYS
from automate_sandbox.world.rooftops import stamp

if t.TYPE_CHECKING:
    from automate_sandbox.money import Record
    from automate_sandbox.sandbox import Sandbox

STREAMS: t.Final = {entity_type: stream for stream, (entity_type, _) in KEYS.items()}
"""`entityType` to the stream of the records that have files."""

MEDIA_TYPE: t.Final = re.compile(r"[!-~]+/[!-~]([ -~]*[!-~])?")
"""What can stand in a header; more is not asked for."""


def announce(sandbox: Sandbox, asked: Asked) -> Outcome:
    """Tell where to upload a file; no list has it until it is completed."""
    payload = asked.payload
    _entity(sandbox, payload)
    limit = sandbox.rules.max_upload_bytes
    if payload["size"] > limit:
        raise Problem.invalid(422, "size", f"expected at most {limit:,} bytes")
    if not MEDIA_TYPE.fullmatch(payload["contentType"]):
        raise Problem.invalid(422, "contentType", "expected a media type such as image/png")
    _, key = sandbox.numbers.take("attachments")
    url, expires = sandbox.links.upload(key, asked.host)
    sandbox.uploads.announce(key, payload, expires)
    answer = {
        "attachmentId": key,
        "uploadUrl": url,
        "uploadHeaders": headers_of(payload),
        "expiresAt": render(expires),
    }
    return Outcome(201, answer, [])


def complete(sandbox: Sandbox, asked: Asked) -> Outcome:
    """Compare what was uploaded with what was announced; whoever asks again gets the record."""
    key, uploads = asked.key, sandbox.uploads
    record = sandbox.ledger.record("attachments", key)
    if record is not None:
        return Outcome(200, record, [])
    announced = uploads.announced.get(key)
    if announced is None:
        raise Problem(404, "No such attachment has been announced.", "record_not_found")
    wanted, found = announced.payload, uploads.received(key)
    now = sandbox.clock.now()
    if found is None and now >= announced.expires:
        raise Problem(403, "The upload URL has expired; announce it again.", "upload_expired")
    if found is None:
        raise Problem(422, "Nothing has been uploaded.", "nothing_uploaded")
    if found.size != wanted["size"]:
        message = "another number of bytes was uploaded"
        raise Problem.invalid(422, "size", message, "size_mismatch")
    if found.sha256 != wanted["sha256"]:
        message = "the bytes that were uploaded have another checksum"
        raise Problem.invalid(422, "sha256", message, "checksum_mismatch")
    record = {
        "attachmentId": key,
        "rooftopId": _entity(sandbox, wanted)["rooftopId"],
        **{name: wanted[name] for name in FIELDS},
        "downloadUrl": link(f"{HELD}/{key}"),
        "urlExpiresAt": EXPIRES,
        **stamp(now // SECOND),
    }
    return Outcome(200, record, [("attachments", record)])


FIELDS: t.Final = ("entityType", "entityId", "fileName", "contentType", "size", "sha256")


def _entity(sandbox: Sandbox, payload: Record) -> Record:
    """Find the record that a file is attached to.

    Raises:
        Problem: 422.
    """
    stream = STREAMS.get(payload["entityType"])
    if stream is None:
        raise Problem.invalid(422, "entityType", f"expected one of {', '.join(STREAMS)}")
    record = sandbox.ledger.record(stream, payload["entityId"])
    if record is None:
        raise Problem.invalid(422, "entityId", "there is no such record")
    return record


ANNOUNCE: t.Final = Call(announce)
COMPLETE: t.Final = Call(complete, shows="attachments", has_body=False)
