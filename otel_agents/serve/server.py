"""A server for ASGI apps that leaves the process around it alone; must not know the app.

It neither configures logging nor handles signals, has an event loop of its own, and ends with the process at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from otel_agents import guard
from otel_agents.config.values import Address
from otel_agents.door.visit import App

NAME: Final = "otel-agents-serve"
BACKLOG: Final = 128
MAX_SOCKETS: Final = 512  # files of the host: it needs them, too
ASK_S: Final = 10.0  # within which who connects has to ask for something: until then nobody knows whether he may
MAX_MESSAGE: Final = 65_536
PING_S: Final = 20.0
UNREAD_MS: Final = 60_000  # how long what is sent may go unread before the connection is given up
LEAVE_S: Final = 2
LOGGERS: Final = ("uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio")

_threads: weakref.WeakSet[ServerThread] = weakref.WeakSet()


def bind(address: Address) -> socket.socket:
    """Return a listening socket.

    Raises:
        OSError: The address is taken, is none of ours, or has no such name.
    """
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, *_, place = found[0]
    listening = socket.create_server(place[:2], family=family, backlog=BACKLOG)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; those who connect inherit it
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
    return listening


def address_of(listening: socket.socket) -> Address:
    """Return where a socket listens, with the port that the system chose."""
    host, port = listening.getsockname()[:2]
    return Address(host, port)


class Protocol(H11Protocol):
    """HTTP for no more connections than the host can spare."""

    def connection_made(self, transport: Any) -> None:
        """Take a connection, or close it."""
        super().connection_made(transport)
        if len(self.connections) > MAX_SOCKETS:
            transport.abort()
        else:
            self.loop.call_later(ASK_S, self._give_up)

    def _give_up(self) -> None:
        """Close a connection on which nothing was asked, and which is no WebSocket's by now."""
        if not self.cycle and self in self.connections:  # type: ignore[truthy-bool]  # it is None before a request
            self.transport.abort()


def configure(app: App, **more: Any) -> uvicorn.Config:
    """Return settings of uvicorn that touch nothing outside of the server."""
    return uvicorn.Config(
        app,
        http=Protocol,
        ws="auto",  # of both kinds only the default one waits for a slow client, in every version
        ws_max_size=MAX_MESSAGE,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=LEAVE_S,
        **more,
    )


class Server(uvicorn.Server):
    """uvicorn's server, which ends the streams before it waits for them."""

    def __init__(self, config: uvicorn.Config, on_leave: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_leave = on_leave

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, and let go of clients that have not read to the end: their sockets would outlive the loop."""
        self._on_leave()
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)  # in which they are closed


class ServerThread:
    """A server in a daemon thread. In a forked child it is gone, and its connections are let go of."""

    def __init__(self, app: App, listening: socket.socket, on_leave: Callable[[], object] = bool) -> None:
        self.address = address_of(listening)
        self._socket = listening
        self._on_leave = on_leave
        self._server = Server(configure(app, lifespan="off", interface="asgi3"), on_leave)
        self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
        _threads.add(self)

    def start(self) -> None:
        """Begin to answer; who has connected since the socket listens is answered, too."""
        self._thread.start()

    def stop(self, timeout_s: float = LEAVE_S + 1) -> None:
        """Stop, and wait for that."""
        self._server.should_exit = True
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    def let_go(self) -> None:
        """In a forked child: keep neither the port nor a connection open that is the parent's.

        The numbers stay taken, so that nothing of the child's gets them while objects of the parent's are around.
        """
        _threads.discard(self)
        self._on_leave()
        transports = (getattr(each, "transport", None) for each in list(self._server.server_state.connections))
        sockets = (transport.get_extra_info("socket") for transport in transports if transport is not None)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (self._socket.fileno(), *(each.fileno() for each in sockets if each is not None)):
            if number >= 0:
                os.dup2(nothing, number, inheritable=False)
        os.close(nothing)

    def _run(self) -> None:
        guard.run("serve.thread", self._serve)

    def _serve(self) -> None:
        quiet = _Quiet(self._thread)
        for name in LOGGERS:
            logging.getLogger(name).addFilter(quiet)
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.get_loop().set_exception_handler(_failed)
            runner.run(self._server.serve([self._socket]))


class _Quiet(logging.Filter):
    """Keeps what uvicorn and asyncio say in our thread out of the host's logs, and counts what failed there as ours."""

    def __init__(self, thread: threading.Thread) -> None:
        super().__init__()
        self._thread = thread

    def filter(self, record: logging.LogRecord) -> bool:
        if threading.current_thread() is not self._thread:
            return True
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, Exception):
            guard.swallowed("serve.app", error)
        return False


def _failed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if isinstance(error, Exception):
        guard.swallowed("serve.loop", error)


def _let_go() -> None:
    for thread in list(_threads):
        guard.run("serve.fork", thread.let_go)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_let_go)
