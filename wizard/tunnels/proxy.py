"""A reverse proxy on loopback, by TLS or without: streams both ways, as chats and uploads do."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import threading
from asyncio.sslproto import SSLProtocol

from wizard.defaults import ENGLISH
from wizard.language import Language
from wizard.platforms import give_back_memory
from wizard.tunnels import OnEvent, ignore_event
from wizard.tunnels.connections import Client, Route

LOOK_SECONDS = 1.0
STOP_SECONDS = 5.0
HANDSHAKE_SECONDS = 10
SHUTDOWN_SECONDS = 2
# That many closed connections are worth the few milliseconds of giving back their memory.
MANY = 64


class Proxy:
    """Passes each request on to a port of this machine.

    Everything happens in the event loop that runs `start`; `on_event` is called there.

    Args:
        upstream_port: LibreChat's.
        context: the certificate. Without one it speaks plain HTTP with a proxy: any `Host` is
            passed on, and what that proxy says of who asks.
        listeners: where it listens, all on one port; closed at the end.
        on_event: gets each request.
        language: of the pages for people.
    """

    def __init__(
        self,
        upstream_port: int,
        context: ssl.SSLContext | None,
        listeners: list[socket.socket],
        *,
        on_event: OnEvent = ignore_event,
        language: Language | None = None,
    ) -> None:
        self.port: int = listeners[0].getsockname()[1]
        self._listeners = listeners
        self._context = context
        self._route = Route(upstream_port, on_event, language or Language(ENGLISH))
        self._servers: list[asyncio.Server] = []
        self._look: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Take connections."""
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            server = await loop.create_server(self._accept, sock=listener, backlog=512)
            self._servers.append(server)
        if self._context is not None:
            self._route.hosts = _served_hosts(self.port)
        self._look_after_clients()

    def _accept(self) -> asyncio.BaseProtocol:
        client = Client(self._route)
        if self._context is None:
            return client
        return _Tls(
            asyncio.get_running_loop(),
            client,
            self._context,
            None,  # type: ignore[arg-type] # nobody waits for the handshake
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=SHUTDOWN_SECONDS,
        )

    def _look_after_clients(self) -> None:
        """End what lasts too long, and give back the memory of those that have gone."""
        loop = asyncio.get_running_loop()
        for client in tuple(self._route.clients):
            client.end_if_overdue(loop.time())
        if self._route.closed >= MANY:
            self._route.closed = 0
            give_back_memory()
        self._look = loop.call_later(LOOK_SECONDS, self._look_after_clients)

    async def stop(self) -> None:
        """Close every socket, those of requests under way too."""
        if self._look is not None:
            self._look.cancel()
        for server in self._servers:
            server.close()
            if sys.version_info >= (3, 13):
                server.abort_clients()  # reaches those too that are still in their handshake
        self._servers.clear()
        while self._route.clients:
            for client in tuple(self._route.clients):
                client.abort()
            await asyncio.sleep(0)

    def serving(self) -> bool:
        """Whether new connections are accepted."""
        return bool(self._servers) and all(server.is_serving() for server in self._servers)


class ProxyThread:
    """A proxy that runs in an event loop and a thread of its own from `begin` to `end`."""

    def __init__(self, proxy: Proxy) -> None:
        self.ended = threading.Event()
        self._proxy = proxy
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._proxy.port

    def begin(self) -> None:
        """Take connections."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._proxy.start(), self._loop).result()

    def end(self) -> None:
        """Close every socket; may be called twice, and from the proxy's own thread."""
        self.ended.set()
        if not self._thread.is_alive():
            return
        stopped = asyncio.run_coroutine_threadsafe(self._proxy.stop(), self._loop)
        stopped.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._loop.stop))
        if threading.current_thread() is not self._thread:
            self._thread.join(STOP_SECONDS)

    def serving(self) -> bool:
        """Whether connections are accepted."""
        return self._thread.is_alive() and self._proxy.serving()

    def _run(self) -> None:
        # What goes wrong with one connection (a port scan, a browser that does not trust us yet)
        # is that connection's end, and nothing for the terminal.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


class _Tls(SSLProtocol):
    """asyncio's TLS with room for one record: else each connection holds 256 KiB from its start."""

    max_size = 16 * 1024


def _served_hosts(port: int) -> frozenset[bytes]:
    """The `Host` values that are ours; another name that leads here is DNS rebinding."""
    names = ("localhost", "127.0.0.1", "[::1]")
    suffixes = ("", ":443") if port == 443 else (f":{port}",)
    return frozenset(f"{name}{suffix}".encode() for name in names for suffix in suffixes)
