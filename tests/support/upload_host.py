"""A store on loopback for tests of uploads: real HTTP, and whatever answer a test wants."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import threading
import typing as t

from support.loopback import LoopbackServer, Server

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

PIECE: t.Final = 1 << 16
PATIENCE: t.Final = 15
"""Seconds to wait for the end of a request that its client has left."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the store does with a file.

    Attributes:
        status: HTTP status, answered once all of it has come.
        headers: Beside Content-Length.
        body: Of the answer.
        cut: Close the connection after so many bytes of the file, without an answer.
        early: Answer after so many bytes of the file, and close the connection.
        after: Bytes of the file after which `then` is called.
        then: Called once.
    """

    status: int = 200
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None
    early: int | None = None
    after: int = 0
    then: Callable[[], None] | None = None


@dataclasses.dataclass(frozen=True)
class Came:
    """A request that came, and what of its body.

    Attributes:
        method: HTTP method.
        path: With its query.
        headers: Names in lower case.
        size: Bytes that have come.
        sha256: Of them.
    """

    method: str
    path: str
    headers: dict[str, str]
    size: int
    sha256: str

    @property
    def is_whole(self) -> bool:
        """Whether all came that was to."""
        return self.size == int(self.headers["content-length"])


class UploadHost(LoopbackServer):
    """The server; use it as a context.

    Attributes:
        script: Answers to the next requests; 200 after them.
        came: The requests, in the order in which they ended.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.script: list[Answer] = []
        self.came: list[Came] = []
        self.changed = threading.Condition()
        super().__init__(_Handler, tls)

    def ended(self, count: int) -> list[Came]:
        """Wait until so many requests have ended, and list them."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.came) >= count, PATIENCE)
            return list(self.came)

    @property
    def url(self) -> str:
        """Where it wants a file."""
        return f"{self.base}/incoming/canary-name?signature=canary-signature"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_PUT(self) -> None:
        """Take a file."""
        host: UploadHost = self.server.owner
        with host.changed:
            answer = host.script.pop(0) if host.script else Answer()
        limit = answer.cut if answer.cut is not None else answer.early
        size, digest = self._take(answer, limit)
        headers = {name.lower(): value for name, value in self.headers.items()}
        came = Came(self.command, self.path, headers, size, digest)
        with host.changed:
            host.came.append(came)
            host.changed.notify_all()
        if limit is not None or not came.is_whole:
            self.close_connection = True
        if answer.cut is not None or (limit is None and not came.is_whole):
            return
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def _take(self, answer: Answer, limit: int | None) -> tuple[int, str]:
        wanted = int(self.headers["Content-Length"])
        digest, size, then = hashlib.sha256(), 0, answer.then
        end = wanted if limit is None else min(limit, wanted)
        while size < end:
            piece = self.rfile.read1(min(PIECE, end - size))
            if not piece:
                break
            digest.update(piece)
            size += len(piece)
            if then and size >= answer.after:
                then()
                then = None
        return size, digest.hexdigest()
