"""A host of files on loopback for tests of downloads: real HTTP, ranges and versions."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.server
import re
import threading
import typing as t
import urllib.parse

from support.loopback import LoopbackServer, Server

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

PIECE: t.Final = 1 << 16


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a test has the host do in place of serving the file.

    Attributes:
        status: HTTP status.
        body: Sent whole, unless cut.
        headers: Beside Content-Length; None as a value leaves a header out.
        cut: Close the connection after so many bytes of the body.
        before: Called when the request has come.
    """

    status: int = 200
    body: bytes = b""
    headers: t.Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    cut: int | None = None
    before: Callable[[], None] | None = None


@dataclasses.dataclass(frozen=True)
class Seen:
    """A request that came."""

    path: str
    query: str
    headers: dict[str, str]


class FileHost(LoopbackServer):
    """The server; use it as a context.

    Attributes:
        files: Path to content, served with ranges, an `ETag` and a `Content-Type`.
        script: Answers for the next requests of a path; taken before `files` is looked at.
        cuts: Path to the bytes after which every answer that is not scripted breaks off.
        types: Path to the `Content-Type`.
        seen: The requests in order.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.script: dict[str, list[Answer]] = {}
        self.cuts: dict[str, int] = {}
        self.types: dict[str, str] = {}
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        super().__init__(_Handler, tls)

    def serve(self, path: str, content: bytes, content_type: str = "application/pdf") -> str:
        """Have a file; return its address."""
        self.files[path], self.types[path] = content, content_type
        return f"{self.base}{path}"

    def answer(self, path: str, *answers: Answer) -> str:
        """Prepare answers for the next requests of a path; return its address."""
        self.script.setdefault(path, []).extend(answers)
        return f"{self.base}{path}"

    def requests(self, path: str) -> list[Seen]:
        """The requests of a path."""
        return [seen for seen in self.seen if seen.path == path]

    def decide(self, seen: Seen) -> Answer:
        """Make the answer to a request."""
        with self._lock:
            self.seen.append(seen)
            if script := self.script.get(seen.path):
                return script.pop(0)
        content = self.files.get(seen.path)
        if content is None:
            return Answer(404)
        return self._served(seen, content)

    def _served(self, seen: Seen, content: bytes) -> Answer:
        tag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        headers = {"ETag": tag, "Content-Type": self.types[seen.path], "Accept-Ranges": "bytes"}
        if seen.headers.get("If-None-Match") == tag:
            return Answer(304, headers=headers)
        asked = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("Range", ""))
        cut = self.cuts.get(seen.path)
        if asked and seen.headers.get("If-Range", tag) == tag:
            start = int(asked[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return Answer(206, content[start:], headers, cut)
        return Answer(200, content, headers, cut)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Serve."""
        parts = urllib.parse.urlsplit(self.path)
        answer = self.server.owner.decide(Seen(parts.path, parts.query, dict(self.headers.items())))
        if answer.before:
            answer.before()
        headers = {"Content-Length": str(len(answer.body)), **answer.headers}
        self.send_response(answer.status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        if "Content-Length" in headers and headers["Content-Length"] is None:
            self.close_connection = True
        self.end_headers()
        body = answer.body if answer.cut is None else answer.body[: answer.cut]
        with contextlib.suppress(OSError):
            for start in range(0, len(body), PIECE):
                self.wfile.write(body[start : start + PIECE])
        if len(body) < len(answer.body):
            self.close_connection = True
