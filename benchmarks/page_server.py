"""A server of vehicles that costs next to nothing: what readers are measured against.

It speaks as much of the contract as a reader of one list needs: the login, `Date`, the Bearer
token, `updatedFrom`, `updatedTo`, `page` and `pageSize`. Answers wait without holding up others.

    python -m benchmarks.page_server --rows 200000 --latency 100

prints one JSON line (`api_url`), then serves until it is stopped. `GET /stats` tells how many list
answers and rows went out.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import email.utils
import json
import subprocess
import sys
import typing as t
import urllib.parse
import urllib.request

import click

from benchmarks.ceiling import ceiling
from benchmarks.vehicles import Vehicles

if t.TYPE_CHECKING:
    from collections.abc import Iterator

INTEGRATION: t.Final = "bench"
TOKEN: t.Final = "bench-token"  # noqa: S105 - of this server alone
BASE_PATH: t.Final = f"/integrations/{INTEGRATION}"
LIFETIME_SECONDS: t.Final = 7 * 86_400
MOST_ROWS: t.Final = 1_000
"""Of a page."""
DEFAULT_ROWS: t.Final = 50

_SESSION: t.Final = {
    "authToken": TOKEN,
    "expiresIn": LIFETIME_SECONDS,
    "user": {"id": "u_bench", "name": "Bench", "entitlements": ["inventory"]},
}
_REASONS: t.Final = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}


class Pages:
    """What is served, and how much of it went out.

    Args:
        vehicles: The rows.
        latency: Seconds by which each list answer is late.
    """

    def __init__(self, vehicles: Vehicles, latency: float) -> None:
        self.latency = latency
        self._vehicles = vehicles
        self._answers = 0
        self._rows = 0

    def list_vehicles(self, query: str) -> tuple[int, bytes]:
        """Answer a list request: status and body."""
        asked = dict(urllib.parse.parse_qsl(query))
        try:
            since, until = _seconds(asked.get("updatedFrom")), _seconds(asked.get("updatedTo"))
            page, size = int(asked.get("page", 1)), int(asked.get("pageSize", DEFAULT_ROWS))
        except ValueError:
            return _error(400, "invalid_parameter")
        if page < 1 or size < 1:
            return _error(400, "invalid_parameter")
        size = min(size, MOST_ROWS)
        numbers = self._vehicles.between(
            float("-inf") if since is None else since, float("inf") if until is None else until
        )
        rows = numbers[(page - 1) * size : page * size]
        self._answers += 1
        self._rows += len(rows)
        items = self._vehicles.body(rows)
        head = b'{"items":[%b],"page":%d,"pageSize":%d,"total":%d}'
        return 200, head % (items, page, size, len(numbers))

    def stats(self) -> tuple[int, bytes]:
        """Tell what went out."""
        return 200, json.dumps({"answers": self._answers, "rows": self._rows}).encode()


class Connection(asyncio.Protocol):
    """A kept connection: one request after the other, as HTTP/1.1 has it."""

    def __init__(self, pages: Pages, loop: asyncio.AbstractEventLoop) -> None:
        self._pages = pages
        self._loop = loop
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = t.cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._received += data
        while True:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            length = _length(head)
            if not end or len(rest) < length:
                return
            self._received = rest[length:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        line, _, fields = head.partition(b"\r\n")
        method, target, _ = line.decode("latin-1").split(" ", 2)
        path, _, query = target.partition("?")
        if path == f"{BASE_PATH}/vehicles" and method == "GET":
            if f"bearer {TOKEN}".encode() not in fields.lower():
                self._send(*_error(401, "unauthorized"))
            elif self._pages.latency:
                self._loop.call_later(self._pages.latency, self._send_page, query)
            else:
                self._send_page(query)
        elif path == f"{BASE_PATH}/sessions" and method == "POST":
            self._send(200, json.dumps(_SESSION).encode())
        elif path == "/stats":
            self._send(*self._pages.stats())
        else:
            self._send(*_error(404, "not_found"), with_body=method != "HEAD")

    def _send_page(self, query: str) -> None:
        self._send(*self._pages.list_vehicles(query))

    def _send(self, status: int, body: bytes, *, with_body: bool = True) -> None:
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nDate: {email.utils.formatdate(usegmt=True)}\r\n\r\n"
        ).encode()
        if not self._transport.is_closing():
            self._transport.write(head + body if with_body else head)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    instant = dt.datetime.fromisoformat(text)
    return (instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)).timestamp()


def _error(status: int, code: str) -> tuple[int, bytes]:
    return status, json.dumps({"error": {"code": code, "message": _REASONS[status]}}).encode()


@dataclasses.dataclass(frozen=True, slots=True)
class PageServer:
    """A running page server.

    Attributes:
        api_url: Its address.
    """

    api_url: str

    def rows_served(self) -> int:
        """Count the rows that went out so far."""
        return self._stats()["rows"]

    def answers(self) -> int:
        """Count the pages that went out so far."""
        return self._stats()["answers"]

    def _stats(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.api_url}/stats") as answer:  # noqa: S310 - our own
            return t.cast("dict[str, int]", json.load(answer))

    def ceiling(self, page_size: int, seconds: float) -> float:
        """Measure how many full pages a second it gives at most."""
        url = urllib.parse.urlsplit(self.api_url)
        head = (
            f"GET {BASE_PATH}/vehicles?pageSize={page_size}&page=2 HTTP/1.1\r\n"
            f"Host: {url.netloc}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        )
        host, port = t.cast("str", url.hostname), t.cast("int", url.port)
        return ceiling(host, port, head.encode(), seconds)


@contextlib.contextmanager
def serving(rows: int, latency: float = 0.0) -> Iterator[PageServer]:
    """Serve vehicles from a process of its own until the block ends.

    Args:
        rows: How many there are.
        latency: Milliseconds by which each list answer is late.
    """
    command = [sys.executable, "-m", "benchmarks.page_server", "--rows", str(rows)]
    command += ["--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        try:
            facts = json.loads(t.cast("t.IO[str]", process.stdout).readline())
            yield PageServer(facts["api_url"])
        finally:
            process.terminate()


async def serve(pages: Pages) -> None:
    """Serve on a free port; the first line printed says where."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(pages, loop), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    click.echo(json.dumps({"api_url": f"http://127.0.0.1:{port}"}))
    async with server:
        await server.serve_forever()


@click.command()
@click.option("--rows", type=click.IntRange(0), required=True, help="Vehicles that there are.")
@click.option("--latency", type=click.FloatRange(0), default=0.0, help="Of a page, milliseconds.")
def main(rows: int, latency: float) -> None:
    """Serve vehicles until stopped."""
    asyncio.run(serve(Pages(Vehicles(rows), latency / 1000)))


if __name__ == "__main__":
    main()
