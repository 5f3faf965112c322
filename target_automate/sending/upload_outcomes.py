"""What sending a file came to: a table of outcomes and functions of a store's answer."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import re
import typing as t
from http import HTTPStatus

import requests
import urllib3.exceptions

from automate_api import replies, retry
from automate_api.retry import Trouble

if t.TYPE_CHECKING:
    from automate_api.replies import Reply

ANSWER_BYTES: t.Final = 1 << 16
"""Of an answer's body that are read, for its error code."""

EXPIRED: t.Final = frozenset({400, 401, 403, 404, 410})
"""What stores answer once a signed address has ended (403 most of them, 400 Google's, 410 some), or
when they no longer know it (401, 404)."""

TAKEN: t.Final = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})

FINAL: t.Final = frozenset(
    {
        HTTPStatus.NOT_IMPLEMENTED,
        HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
        HTTPStatus.INSUFFICIENT_STORAGE,
    }
)
"""Statuses from 500 that another attempt does not change."""

OF_THE_BYTES: t.Final = frozenset(
    {
        "BadDigest",
        "EntityTooLarge",
        "EntityTooSmall",
        "InvalidDigest",
        "Md5Mismatch",
        "XAmzContentSHA256Mismatch",
    }
)
"""Error codes that are not about the address, whatever their status; Amazon S3's, those of Google's
XML API and of Azure Blob Storage."""

SILENT: t.Final = "RequestTimeout"
"""Amazon S3's error code, with status 400, when no byte has come for a while."""

_XML_CODE: t.Final = re.compile(rb"<Code>([A-Za-z][A-Za-z0-9]{0,63})</Code>")
"""In the body of what Amazon's, Google's and Azure's stores refuse."""


class PutKind(enum.Enum):
    """What is known after a file was sent."""

    DONE = "it was taken"
    EXPIRED = "the address has ended: announce the file anew"
    TAKEN = "something is there already: completing tells whether it is this file"
    REFUSED = "it is not taken, or the address is one that nothing is sent to"
    CHANGED = "the file is not, or no longer, what was announced"
    UNANSWERED = "no answer, or that of a busy store, as often as was tried"


@dataclasses.dataclass(frozen=True, slots=True)
class PutOutcome:
    """What sending a file came to.

    Attributes:
        kind: What is known.
        reason: For a person; names a status and a code, never an address, a path or a value. Empty
            when the file was taken.
        status: HTTP status of the last answer; None when there was none.
    """

    kind: PutKind
    reason: str = ""
    status: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class StoreAnswer:
    """How a store answers.

    Attributes:
        status: HTTP status.
        code: Of the error, when the body has one.
        retry_after: Seconds that the store asks to wait, None when it does not.
    """

    status: int
    code: str | None = None
    retry_after: float | None = None

    @classmethod
    def of(cls, response: requests.Response) -> StoreAnswer:
        """Read an answer; its status counts even when its body breaks off."""
        content = b""
        with contextlib.suppress(requests.RequestException, urllib3.exceptions.HTTPError):
            content = response.raw.read(ANSWER_BYTES, decode_content=True)
        status = response.status_code
        is_success = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
        # Without a body every answer can be read.
        body = b"" if is_success else content
        reply = t.cast("Reply", replies.read(status, response.headers, body))
        xml = _XML_CODE.search(body)
        code = reply.error_code or (xml[1].decode("ascii") if xml else None)
        return cls(status, code, reply.retry_after)

    def __str__(self) -> str:
        """Status and code, for messages."""
        return f"status {self.status}, code {self.code}" if self.code else f"status {self.status}"

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def trouble(self) -> Trouble | None:
        """What another attempt may cure, None when there is nothing."""
        if self.status == HTTPStatus.REQUEST_TIMEOUT or self.code == SILENT:
            return Trouble.CUT
        if self.status < HTTPStatus.INTERNAL_SERVER_ERROR or self.status in FINAL:
            return retry.STATUSES.get(self.status)
        return retry.STATUSES.get(self.status, Trouble.GATEWAY)


def judge(answer: StoreAnswer) -> PutOutcome:
    """Tell what an answer means that is the last one, other than that of a busy store."""
    if answer.is_success:
        return PutOutcome(PutKind.DONE, status=answer.status)
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        reason = f"{answer}, a redirect, which no file is sent along"
        return PutOutcome(PutKind.REFUSED, reason, answer.status)
    if answer.status in TAKEN:
        kind = PutKind.TAKEN
    elif answer.status in EXPIRED and answer.code not in OF_THE_BYTES:
        kind = PutKind.EXPIRED
    else:
        kind = PutKind.REFUSED
    return PutOutcome(kind, str(answer), answer.status)
