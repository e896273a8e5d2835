"""A reverse proxy on loopback, with TLS or without, which streams both ways."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import threading
from asyncio.sslproto import SSLProtocol
from functools import partial

from wizard.sign_in_traffic import record
from wizard.system.platforms import give_back_memory
from wizard.tunnels import QueuedListener, TunnelEvent, TunnelRequest
from wizard.tunnels.connections import Client, Route

LOOK_SECONDS = 1.0
STOP_SECONDS = 5.0
HANDSHAKE_SECONDS = 10
SHUTDOWN_SECONDS = 2
# Giving back memory takes a few milliseconds, so it is done once for this many connections.
MANY = 64


class Proxy:
    """Forwards requests to LibreChat's port, in its own thread.

    It saves what the requests of a sign-in showed, for `verify`. Without a TLS `context` the client
    is a proxy: its `Host` and `X-Forwarded-*` pass. To renew the certificate, assign a new context,
    since OpenSSL replaces certificate and key of a context in two steps, not in one. The listeners
    are on one port; `end` closes them.
    """

    def __init__(
        self,
        request: TunnelRequest,
        context: ssl.SSLContext | None,
        listeners: list[socket.socket],
    ) -> None:
        self.port: int = listeners[0].getsockname()[1]
        self.ended = threading.Event()
        self._listeners = listeners
        self.context = context
        keep = QueuedListener(partial(_record, request))

        def hear(event: TunnelEvent) -> None:
            if event.passage is not None:
                keep(event)
            request.on_event(event)

        hosts = None if context is None else _served_hosts(self.port)
        self._route = Route(request.port, hear, request.language, hosts)
        self._servers: list[asyncio.Server] = []
        self._look: asyncio.TimerHandle | None = None
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    def end(self) -> None:
        """Close every socket; safe to call twice, and from the proxy's own thread."""
        self.ended.set()
        if not self._thread.is_alive():
            return
        stopped = asyncio.run_coroutine_threadsafe(self._stop(), self._loop)
        stopped.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._loop.stop))
        if threading.current_thread() is not self._thread:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        # An error of one connection (a port scan, a browser that does not trust us yet) ends that
        # connection and is not shown.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def _start(self) -> None:
        for listener in self._listeners:
            server = await self._loop.create_server(self._accept, sock=listener, backlog=512)
            self._servers.append(server)
        self._look_after_clients()

    def _accept(self) -> asyncio.BaseProtocol:
        client = Client(self._route)
        if self.context is None:
            return client
        return _Tls(
            self._loop,
            client,
            self.context,
            None,  # type: ignore[arg-type] # no future for the handshake
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=SHUTDOWN_SECONDS,
        )

    def _look_after_clients(self) -> None:
        """Close overdue connections, and give back the memory of closed ones."""
        for client in tuple(self._route.clients):
            client.end_if_overdue(self._loop.time())
        if self._route.closed >= MANY:
            self._route.closed = 0
            give_back_memory()
        self._look = self._loop.call_later(LOOK_SECONDS, self._look_after_clients)

    async def _stop(self) -> None:
        """Close every socket, even in the middle of a request."""
        if self._look is not None:
            self._look.cancel()
        for server in self._servers:
            server.close()
            if sys.version_info >= (3, 13):
                server.abort_clients()  # those in their handshake, too
        while self._route.clients:
            for client in tuple(self._route.clients):
                client.abort()
            await asyncio.sleep(0)


class _Tls(SSLProtocol):
    """asyncio's TLS with a buffer for one record, in place of 256 KiB per connection."""

    max_size = 16 * 1024


def _record(request: TunnelRequest, event: TunnelEvent) -> None:
    if event.passage is not None:
        record(request.state_dir, request.port, event.passage)


def _served_hosts(port: int) -> frozenset[bytes]:
    """The `Host` values to answer for; any other is DNS rebinding."""
    names = ("localhost", "127.0.0.1", "[::1]")
    suffixes = ("", ":443") if port == 443 else (f":{port}",)
    return frozenset(f"{name}{suffix}".encode() for name in names for suffix in suffixes)
