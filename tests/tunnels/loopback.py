"""Servers and clients on loopback for the tests of the local tunnel."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h11

from wizard.defaults import ENGLISH
from wizard.language import Language
from wizard.system.loopback import listeners
from wizard.system.processes import Processes
from wizard.tunnels import QueuedListener, TunnelEvent, TunnelRequest, ignore_event
from wizard.tunnels.certificates import Authority
from wizard.tunnels.proxy import Proxy

MEGABYTE = 1 << 20


class WithoutMkcert(Processes):
    """This machine without mkcert."""

    def which(self, program: str) -> Path | None:
        return None if program == "mkcert" else super().which(program)


@contextlib.contextmanager
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


async def _cancel_all() -> None:
    await asyncio.sleep(0.01)  # lets newly accepted connections start, so that they end normally
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.01)  # lets the transports close


@dataclass
class RunningProxy:
    port: int
    authority: Authority
    answered: list[TunnelEvent]

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.ca_file))

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        return self.client_context().wrap_socket(plain, server_hostname="localhost")

    def raw(self, data: bytes) -> bytes:
        """Send data; return everything received until the proxy closes the connection."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_to_end(connection)

    def head(self, method: str = "GET", path: str = "/echo", *lines: str) -> bytes:
        """Return the head of a request."""
        all_lines = (f"{method} {path} HTTP/1.1", f"Host: localhost:{self.port}", *lines, "", "")
        return "\r\n".join(all_lines).encode("latin-1")


class Events(QueuedListener):
    """Keeps the events of a proxy at once, without a queue."""

    def __init__(self) -> None:
        super().__init__(ignore_event)
        self.received: list[TunnelEvent] = []

    def __call__(self, event: TunnelEvent) -> None:
        self.received.append(event)


@contextlib.contextmanager
def running_proxy(
    upstream_port: int, authority: Authority, language: Language | None = None
) -> Iterator[RunningProxy]:
    events = Events()
    request = TunnelRequest(
        upstream_port,
        authority.ca_file.parent,
        on_event=events,
        language=language or Language(ENGLISH),
    )
    proxy = Proxy(request, authority.server_context(), listeners(0))
    try:
        yield RunningProxy(proxy.port, authority, events.received)
    finally:
        proxy.end()


def read_to_end(connection: ssl.SSLSocket) -> bytes:
    received = bytearray()
    while data := connection.recv(65536):
        received += data
    return bytes(received)


def eventually(condition: Callable[[], object], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def assert_events_come_one_by_one(upstream: Upstream, answer: http.client.HTTPResponse) -> None:
    """Assert that each event is sent after the previous one was read; `events_read` starts at 0."""
    for number in range(5):
        assert answer.readline() + answer.readline() == b"data: %d\n\n" % number
        upstream.events_read = number + 1
    assert answer.read() == b""


@dataclass
class Upstream:
    """A stand-in for LibreChat: an HTTP/1.1 server with h11, which validates the proxy's requests.

    Attributes:
        connections: the number of connections so far.
        events_read: how many of the five events of `/events` the client has; the next one waits.
        hanging: set while a request for `/hang` is running.
        left: paths whose client left before the response.
        sent: bytes sent by a download.
        received: bytes received by an upload.
    """

    port: int = 0
    connections: int = 0
    left: list[str] = field(default_factory=list)
    sent: int = 0
    received: int = 0
    events_read: int = 5
    hanging: threading.Event = field(default_factory=threading.Event)
    reading: threading.Event = field(default_factory=threading.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = h11.Connection(h11.SERVER)
        try:
            while await self._answer(connection, reader, writer):
                connection.start_next_cycle()
        except (ConnectionError, h11.RemoteProtocolError):
            pass
        finally:
            writer.close()

    async def _answer(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        request = await self._next(connection, reader)
        if not isinstance(request, h11.Request):
            return False
        path = request.target.decode().partition("?")[0]

        def send(*events: h11.Event) -> None:
            for event in events:
                writer.write(connection.send(event) or b"")

        if path == "/slow-reader":
            while not self.reading.is_set():
                await asyncio.sleep(0.01)
        if connection.they_are_waiting_for_100_continue:
            send(h11.InformationalResponse(status_code=100, headers=[]))
        digest, size = hashlib.sha256(), 0
        while isinstance(event := await self._next(connection, reader), h11.Data):
            digest.update(event.data)
            size += len(event.data)
            self.received = size
        match path:
            case "/events":
                send(h11.Response(status_code=200, headers=[("Content-Type", "text/event-stream")]))
                for number in range(5):
                    while self.events_read < number:
                        await asyncio.sleep(0.01)
                    send(h11.Data(data=f"data: {number}\n\n".encode()))
                send(h11.EndOfMessage())
            case "/hang":
                self.hanging.set()
                await reader.read(1)
                self.left.append(path)
                return False
            case "/half":
                send(h11.Response(status_code=200, headers=[("Content-Length", "1000")]))
                send(h11.Data(data=b"x" * 100))
                await writer.drain()
                return False
            case "/download":
                send(
                    h11.Response(status_code=200, headers=[("Content-Length", str(50 * MEGABYTE))])
                )
                self.sent = 0
                for _ in range(50 * 16):
                    send(h11.Data(data=b"x" * (MEGABYTE // 16)))
                    await writer.drain()
                    self.sent += MEGABYTE // 16
                send(h11.EndOfMessage())
            case _:
                status = int(path[1:]) if path[1:].isdigit() else 200
                said = {
                    "method": request.method.decode(),
                    "target": request.target.decode(),
                    "headers": [(n.decode(), v.decode("latin-1")) for n, v in request.headers],
                    "size": size,
                    "sha256": digest.hexdigest(),
                }
                text = b"" if status in {204, 304} else json.dumps(said).encode()
                headers = [
                    ("Keep-Alive", "timeout=5"),
                    ("Connection", "keep-alive, X-Hop"),
                    ("X-Hop", "1"),
                    ("Strict-Transport-Security", "max-age=31536000"),
                    ("Set-Cookie", "a=1"),
                    ("Set-Cookie", "b=2"),
                ]
                if status != 204:
                    headers.append(("Content-Length", str(len(text))))
                send(h11.Response(status_code=status, headers=headers))
                if text and request.method != b"HEAD":
                    send(h11.Data(data=text))
                send(h11.EndOfMessage())
        await writer.drain()
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE

    async def _next(self, connection: h11.Connection, reader: asyncio.StreamReader) -> object:
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        return event


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@contextlib.contextmanager
def serving(handler: Handler, port: int = 0) -> Iterator[int]:
    """Run a TCP server on 127.0.0.1; yield its port."""
    with event_loop() as loop:
        server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(handler, "127.0.0.1", port), loop
        ).result(60)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            loop.call_soon_threadsafe(server.close)


@contextlib.contextmanager
def scripted(*answers: bytes, close: bool = False) -> Iterator[tuple[int, list[bytes]]]:
    """Run a server that answers each head with the next bytes; yield its port and what it read."""
    heads: list[bytes] = []
    script = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(next(script, b""))
                await writer.drain()
                if close:
                    break
        writer.close()

    with serving(serve) as port:
        yield port, heads
