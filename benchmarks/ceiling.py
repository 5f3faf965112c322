"""How many answers a second a server gives at most: asked by a client that does nothing else."""

from __future__ import annotations

import asyncio
import time
import typing as t

CONNECTIONS: t.Final = 16


class _Visitor(asyncio.Protocol):
    """Sends one request again and again, each as soon as the last is answered."""

    def __init__(self, request: bytes) -> None:
        self.answers = 0
        self._request = request
        self._head = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = t.cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._left:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            _, _, length = head.lower().partition(b"content-length: ")
            self._head, self._left = b"", int(length.partition(b"\r\n")[0])
        self._left -= len(data)
        if not self._left:
            self.answers += 1
            self._transport.write(self._request)


def ceiling(host: str, port: int, request: bytes, seconds: float) -> float:
    """Measure answers a second.

    Args:
        host: Of the server.
        port: Of the server.
        request: Head and body; the answer has a body, too.
        seconds: For how long.
    """
    return asyncio.run(_flood(host, port, request, seconds))


async def _flood(host: str, port: int, request: bytes, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    begin = time.perf_counter()
    visitors = [
        await loop.create_connection(lambda: _Visitor(request), host, port)
        for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(seconds)
    answers = sum(visitor.answers for _, visitor in visitors)
    took = time.perf_counter() - begin
    for transport, _ in visitors:
        transport.abort()
    return answers / took
