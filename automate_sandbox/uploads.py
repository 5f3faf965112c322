"""Uploads to signed links, taken as an object store does: no login, and nothing held in memory.

Of every file size and checksum are kept; its bytes, too, when it is small: in a folder beside the
store, else in one that goes with the process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import tempfile
import typing as t
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qsl

from automate_sandbox.answers import Answer
from automate_sandbox.downloads import CREDENTIALS, refused
from automate_sandbox.links import INCOMING, PREFIX

if t.TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from starlette.types import Receive, Scope

    from automate_sandbox.faults import Rule
    from automate_sandbox.links import Links
    from automate_sandbox.money import Record

PATH: t.Final = PREFIX + INCOMING
"""Below which files are taken."""

HELD: t.Final = "/uploads"
"""Below `PREFIX`, where they are given back."""

KEPT_BYTES: t.Final = 32 << 20
"""Of larger files no byte is kept."""

READ: t.Final = 1 << 20


@dataclasses.dataclass(frozen=True)
class Announced:
    """A file that is to come.

    Attributes:
        payload: Of the call that announced it.
        expires: When its link ends, milliseconds since 1970.
    """

    payload: Record
    expires: int


@dataclasses.dataclass(frozen=True)
class Received:
    """What has come.

    Attributes:
        size: Bytes.
        sha256: 64 hex digits.
    """

    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Held:
    """A file that can be given back.

    Attributes:
        content_type: As it was announced.
        size: In bytes.
        path: Where it lies.
    """

    content_type: str
    size: int
    path: Path

    def read(self, start: int, stop: int) -> bytes:
        """Read the bytes from `start` up to, not including, `stop`."""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(stop - start)


class Uploads:
    """The files that come from outside.

    Attributes:
        announced: Attachment to what was said of its file.
        counts: Requests, bytes, and the credentials that came with links, which need none.
    """

    def __init__(self, links: Links, folder: Path | None) -> None:
        """Take up the files of earlier runs.

        Args:
            links: That uploads are signed with.
            folder: For the bytes; None takes one that goes with the process.
        """
        self.announced: dict[str, Announced] = {}
        self.counts: Counter[str] = Counter()
        self._links = links
        self._folder = folder
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._received: dict[str, Received] = {}

    def announce(self, key: str, payload: Record, expires: int) -> None:
        """Expect a file.

        Args:
            key: Of its attachment.
            payload: Of the call that announced it.
            expires: When its link ends, milliseconds since 1970.
        """
        self.announced[key] = Announced(payload, expires)

    def received(self, key: str) -> Received | None:
        """Tell what has come for an attachment, in an earlier run, too."""
        path = self._path(key)
        if key not in self._received and path is not None and path.exists():
            self._received[key] = _measured(path)
        return self._received.get(key)

    def held(self, attachment: Record) -> Held | None:
        """Give the file of a completed attachment, if its bytes are there."""
        path = self._path(attachment["attachmentId"])
        if path is None or not path.exists():
            return None
        return Held(attachment["contentType"], attachment["size"], path)

    def count(self, scope: Scope) -> None:
        """Count a request below `PATH`, and the credentials that it brings."""
        names = {name.decode("latin-1") for name, _ in scope["headers"]}
        self.counts.update(["requests", *names.intersection(CREDENTIALS)])

    async def take(
        self,
        scope: Scope,
        receive: Receive,
        strikes: Sequence[Rule],
        is_completed: Callable[[str], bool],
    ) -> Answer | None:
        """Take a file in, or refuse it once all of it has come.

        Args:
            scope: Of the request.
            receive: Gives its body.
            strikes: The faults that strike it.
            is_completed: Tells of an attachment whether it is by now.

        Returns:
            None when the client has left in the middle.
        """
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        key = scope["path"].removeprefix(PATH + "/")
        refusal = self._refusal(scope, key, headers)
        if any(rule.kind == "expired_url" for rule in strikes):
            refusal = "AccessDenied"
        if not refusal and is_completed(key):
            refusal = "Completed"
        if refusal:
            return refused(refusal) if await drained(receive) else None
        with tempfile.TemporaryDirectory(dir=self._made()) as folder:
            part = Path(folder) / key
            found = await self._store(key, part, receive)
            if found is None:
                return None
            # What was completed while this came in stays what it is.
            if is_completed(key):
                return refused("Completed")
            if part.exists():
                part.replace(self._made() / key)
        self._received[key] = found
        return Answer(200, [(b"etag", f'"{found.sha256}"'.encode())], b"")

    def close(self) -> None:
        """Drop what goes with the process."""
        if self._temporary:
            self._temporary.cleanup()

    def _refusal(self, scope: Scope, key: str, headers: Mapping[str, str]) -> str:
        if scope["method"] != "PUT":
            return "MethodNotAllowed"
        if "authorization" in headers:
            return "InvalidArgument"
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        refusal = self._links.refusal(f"{INCOMING}/{key}", query)
        if refusal:
            return refusal
        announced = self.announced.get(key)
        return _misfit(announced.payload, headers) if announced else "NoSuchKey"

    async def _store(self, key: str, part: Path, receive: Receive) -> Received | None:
        """Take the bytes as they come, those of a small file into `part`."""
        digest, size = hashlib.sha256(), 0
        keeps = self.announced[key].payload["size"] <= KEPT_BYTES
        with part.open("wb") if keeps else contextlib.nullcontext() as file:
            async for piece in _pieces(receive):
                if piece is None:
                    return None
                digest.update(piece)
                size += len(piece)
                self.counts["bytes"] += len(piece)
                if file:
                    file.write(piece)
        return Received(size, digest.hexdigest())

    def _made(self) -> Path:
        """Give the folder, and make it when it is not there."""
        if self._folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="sandbox-uploads-")
            self._folder = Path(self._temporary.name)
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def _path(self, key: str) -> Path | None:
        return self._folder / key if self._folder else None


def _misfit(payload: Record, headers: Mapping[str, str]) -> str:
    """Tell what of an upload's headers does not fit what was announced; empty when all do."""
    wanted = headers_of(payload).items()
    if any(headers.get(name.lower()) != value for name, value in wanted):
        return "MissingHeader"
    length = headers.get("content-length", "")
    if not length.isdecimal():
        return "MissingContentLength"
    return "EntityTooLarge" if int(length) > payload["size"] else ""


def headers_of(payload: Record) -> dict[str, str]:
    """Name the headers that the upload of an announced file must have."""
    return {"Content-Type": payload["contentType"], "X-Checksum-Sha256": payload["sha256"]}


async def drained(receive: Receive) -> bool:
    """Let the rest of a body come and go; False when the client has left before its end."""
    return all([piece is not None async for piece in _pieces(receive)])


async def _pieces(receive: Receive) -> AsyncIterator[bytes | None]:
    """Give a body as it comes; None at its end means that the client has left."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            yield None
            return
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


def _measured(path: Path) -> Received:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(READ):
            digest.update(piece)
    return Received(path.stat().st_size, digest.hexdigest())
