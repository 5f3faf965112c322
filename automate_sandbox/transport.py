"""Connections: each answer leaves in one write, and a fault can cut one.

The server writes head, body and end of an answer separately. Joined, they are one packet for a
small answer, and a client never waits for a delayed acknowledgement between them.
"""

from __future__ import annotations

import asyncio
import typing as t

from uvicorn.protocols.http.h11_impl import H11Protocol

if t.TYPE_CHECKING:
    from starlette.types import Scope

Peer = tuple[str, int]


class OneWriteTransport(asyncio.Transport):
    """A transport that joins what is written in one turn of the event loop."""

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        """Wrap a transport.

        Args:
            inner: The socket's.
            loop: That it lives in.
        """
        super().__init__()
        self._inner = inner
        self._loop = loop
        self._pending: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview[t.Any]) -> None:
        """Keep data until this turn of the loop ends."""
        if not self._pending:
            self._loop.call_soon(self.flush)
        self._pending.append(bytes(data))

    def flush(self) -> None:
        """Write what was kept."""
        if self._pending:
            self._inner.write(b"".join(self._pending))
            self._pending.clear()

    def close(self) -> None:
        """Write what was kept, then close."""
        self.flush()
        self._inner.close()

    def abort(self) -> None:
        """Close at once; what was kept is lost."""
        self._pending.clear()
        self._inner.abort()

    def is_closing(self) -> bool:
        """Tell whether the connection is closing."""
        return self._inner.is_closing()

    def get_extra_info(self, name: str, default: t.Any = None) -> t.Any:  # noqa: ANN401 - asyncio's
        """Ask the socket's transport."""
        return self._inner.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Stop reading for a while."""
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._inner.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection to another protocol."""
        self._inner.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Name the protocol of the connection."""
        return self._inner.get_protocol()


_open: dict[Peer, OneWriteTransport] = {}


class OneWriteProtocol(H11Protocol):
    """The server's protocol over `OneWriteTransport`, known by its peer while it is open."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the transport and remember it."""
        joined = OneWriteTransport(transport, self.loop)
        super().connection_made(joined)
        if self.client:
            _open[self.client] = joined

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the transport."""
        if self.client:
            _open.pop(self.client, None)
        super().connection_lost(exc)


def connection(scope: Scope) -> OneWriteTransport | None:
    """Find the transport of a request; None once the peer has gone."""
    peer = scope.get("client")
    return _open.get(tuple(peer)) if peer else None
