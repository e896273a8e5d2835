"""Whether server-sent events come through a tunnel one by one, found by sending one.

LibreChat streams its answers by GET as server-sent events (since 0.8.7); a tunnel that keeps
them until the stream ends lets sign-in work and makes every chat look frozen.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from wizard.tunnels import OnEvent, ignore_event
from wizard.tunnels.observer import Observer

HOLD_SECONDS = 3.0
REACHABLE_SECONDS = 15.0
RETRY_SECONDS = 1.0
_EVENT = b"data: first\n\n"
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Connection: close\r\n\r\n"
) + _EVENT


class Stream(Protocol):
    """An answer that is read as it comes."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes, b"" at the end."""
        ...


Visit = Callable[[str], AbstractContextManager[Stream]]


class Relay:
    """Passes connections on to a port of this machine, which can be another one later.

    Args:
        port: where to at first.
        on_event: gets the requests that pass.
    """

    def __init__(self, port: int, on_event: OnEvent = ignore_event) -> None:
        self._target = port
        self._on_event = on_event
        self._open: set[socket.socket] = set()
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                relay._pass_on(self.request)

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="relay", daemon=True
        ).start()

    @property
    def port(self) -> int:
        """Where connections are taken."""
        return self._server.server_address[1]

    def lead_to(self, port: int) -> None:
        """Lead to another port from now on; what is open to the old one is cut."""
        self._target = port
        for connection in list(self._open):
            _cut(connection)

    def close(self) -> None:
        """Take no more, and cut what is open."""
        self._server.shutdown()
        self._server.server_close()
        self.lead_to(0)

    def _pass_on(self, visitor: socket.socket) -> None:
        # LibreChat listens on either address, as Node resolves localhost.
        try:
            librechat = socket.create_connection(("localhost", self._target), timeout=10)
        except OSError:
            return
        librechat.settimeout(None)
        pair = {visitor, librechat}
        self._open |= pair
        observer = Observer(self._on_event)
        there = threading.Thread(
            target=_copy, args=(visitor, librechat, observer.asked), daemon=True
        )
        there.start()
        _copy(librechat, visitor, observer.answered)
        there.join()
        self._open -= pair
        librechat.close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


def come_one_by_one(url: str, relay: Relay, visit: Visit, closing: threading.Event) -> bool | None:
    """Whether an event is seen at the URL before its stream ends; None if the URL is unreachable.

    Args:
        url: leads to the relay, which is led to a stream of ours meanwhile.
        relay: is left leading there.
        visit: asks for a URL.
        closing: ends the attempts.
    """
    stream = _OneEvent()
    relay.lead_to(stream.port)
    deadline = time.monotonic() + REACHABLE_SECONDS
    try:
        while time.monotonic() < deadline and not closing.wait(RETRY_SECONDS):
            with contextlib.suppress(OSError), visit(url) as answer:
                received = b""
                while _EVENT not in received and (chunk := answer.read(1)):
                    received += chunk
                if _EVENT in received:
                    return not stream.ended
    finally:
        stream.close()
    return None


class _OneEvent:
    """A server of one event, whose stream stays open for a while after it."""

    def __init__(self) -> None:
        self.ended = False
        self._enough = threading.Event()
        stream = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.recv(65536)
                self.request.sendall(_ANSWER)
                stream.ended = stream._enough.wait(HOLD_SECONDS) is False

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="event", daemon=True
        ).start()

    def close(self) -> None:
        self._enough.set()
        self._server.shutdown()
        self._server.server_close()


def _copy(source: socket.socket, target: socket.socket, seen: Callable[[bytes], None]) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            seen(chunk)
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
