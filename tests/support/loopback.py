"""What servers on loopback have in common: real HTTP, in threads, on a free port."""

from __future__ import annotations

import http.server
import sys
import threading
import typing as t

if t.TYPE_CHECKING:
    import ssl


class LoopbackServer:
    """The server; use it as a context.

    Attributes:
        base: Its address, without a slash at the end.
        mistakes: Of the server itself; raised when it ends.
    """

    def __init__(
        self, handler: type[http.server.BaseHTTPRequestHandler], tls: ssl.SSLContext | None
    ) -> None:
        self.mistakes: list[BaseException] = []
        self._server = Server(("127.0.0.1", 0), handler)
        self._server.owner = self
        scheme = "http"
        if tls is not None:
            scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.base = f"{scheme}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> t.Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self.mistakes:
            raise self.mistakes[0]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])


class Server(http.server.ThreadingHTTPServer):
    """What a handler has as its `server`.

    Attributes:
        owner: Whose it is.
    """

    owner: t.Any

    def handle_error(self, *_: object) -> None:
        """Stay quiet when a client left, as it may at any moment; remember its own mistakes."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.owner.mistakes.append(error)
