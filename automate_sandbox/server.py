"""A sandbox on a port: starts, says so in one line, ends on a signal, on request, or when idle."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
import typing as t

import uvicorn

from automate_sandbox.api import Api
from automate_sandbox.control import Control
from automate_sandbox.front import Front
from automate_sandbox.live import Live
from automate_sandbox.transport import OneWriteProtocol

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from automate_sandbox.sandbox import Sandbox

HOST: t.Final = "127.0.0.1"
KEEP_ALIVE_SECONDS: t.Final = 75
GRACE_SECONDS: t.Final = 2
STOP_SIGNALS: t.Final = (signal.SIGINT, signal.SIGTERM)


def bind(port: int) -> socket.socket:
    """Take a loopback port; 0 takes any that is free.

    Raises:
        OSError: The port is in use.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """A server that tells when it is ready, and leaves signals to who runs it."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        """Take what to call once the port answers."""
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then say so."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def serve(
    sandbox: Sandbox, listener: socket.socket, *, idle_exit: float, ready: Callable[[], None]
) -> int:
    """Serve until something ends it.

    Args:
        sandbox: What to serve.
        listener: Bound to its port.
        idle_exit: Seconds without a request after which to end; 0 never.
        ready: Called once the port answers.

    Returns:
        The exit code: 0, or 128 and the number of the signal.
    """
    return asyncio.run(_serve(sandbox, listener, idle_exit, ready))


async def _serve(
    sandbox: Sandbox, listener: socket.socket, idle_exit: float, ready: Callable[[], None]
) -> int:
    live = Live(sandbox)
    caught: list[int] = []

    def shut_down(number: int = 0) -> None:
        if number:
            caught.append(number)
        server.should_exit = True

    control = Control(sandbox, live, shut_down)
    api = Api(sandbox)
    front = Front(sandbox, api, control.app)
    config = uvicorn.Config(
        front,
        http=OneWriteProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=512,
    )
    server = _Server(config, ready)
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, shut_down, number)
    live.set_rate(sandbox.rules.live)
    api.writer.resume()
    idle = loop.create_task(_watch_idle(server, front, idle_exit))
    try:
        await server.serve(sockets=[listener])
    finally:
        live.set_rate(0)
        idle.cancel()
    return 128 + caught[0] if caught else 0


async def _watch_idle(server: uvicorn.Server, front: Front, idle_exit: float) -> None:
    while idle_exit and not server.should_exit:
        await asyncio.sleep(min(1.0, idle_exit / 4))
        if front.idle_seconds(time.monotonic()) >= idle_exit:
            server.should_exit = True
