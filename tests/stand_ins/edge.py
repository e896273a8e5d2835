"""The public end of a tunnel service: forwards requests and responses unchanged.

One request per connection; bodies, events and WebSockets pass byte by byte. With
STAND_IN_CERTIFICATE (PEM, certificate and key) visitors use TLS, as in reality;
STAND_IN_EDGE_PORT and STAND_IN_PUBLIC_NAME fix the URL.
"""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from tests.sockets import relay

CERTIFICATE = os.environ.get("STAND_IN_CERTIFICATE", "")
PUBLIC_NAME = os.environ.get("STAND_IN_PUBLIC_NAME", "")
PORT = int(os.environ.get("STAND_IN_EDGE_PORT", "0"))
SECONDS = 60


@dataclass(frozen=True)
class Head:
    """The first lines of a request."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        return next((value for key, value in self.fields if key.lower() == name), "")

    @property
    def host(self) -> str:
        return self.get("host")

    def forwarded(self, visitor: str) -> bytes:
        """Return the forwarded head, with the visitor's own forwarding headers replaced."""
        upgrades = "upgrade" in self.get("connection").lower()
        dropped = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
        dropped |= set() if upgrades else {"connection"}
        fields = [(name, value) for name, value in self.fields if name.lower() not in dropped]
        fields += [
            ("X-Forwarded-For", visitor),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", self.host),
        ]
        fields += [] if upgrades else [("Connection", "close")]
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{n}: {v}" for n, v in fields)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Visit:
    """A visitor's connection and its request."""

    def __init__(self, connection: socket.socket, address: str) -> None:
        self.connection = connection
        self.address = address
        self._rest = b""
        self.head = self._read_head()

    def pass_on(self, upstream: str) -> int:
        """Forward the request to host:port and the response back; return its status, or 0."""
        assert self.head is not None
        host, _, port = upstream.rpartition(":")
        try:
            there = socket.create_connection((host, int(port)), timeout=SECONDS)
        except OSError:
            return 0
        with there, contextlib.suppress(OSError, IndexError):
            there.sendall(self.head.forwarded(self.address) + self._rest)
            return int(relay(self.connection, there).split(b" ", 2)[1])
        return 0

    def answer(self, status: int, body: bytes, **fields: str) -> None:
        """Answer with a page of the service."""
        lines = [f"HTTP/1.1 {status} x", "Connection: close", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        with contextlib.suppress(OSError):
            self.connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def _read_head(self) -> Head | None:
        data, self._rest = _until_blank_line(self.connection)
        if not data:
            return None
        first, *lines = data.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        fields = [line.partition(":") for line in lines if line]
        return Head(method, target, tuple((name, value.strip()) for name, _, value in fields))


def lead_to(target: str, visit: Visit) -> None:
    """Forward a visit to that host and port; answer 502 if nothing listens there."""
    if not visit.pass_on(target):
        visit.answer(502, b"")


class Edge(socketserver.ThreadingTCPServer):
    """Accept visitors on a free port of loopback."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, serve: Callable[[Visit], None]) -> None:
        context: ssl.SSLContext | None = None
        if CERTIFICATE:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                connection: socket.socket = self.request
                with contextlib.suppress(OSError, ValueError):
                    if context is not None:
                        connection = context.wrap_socket(connection, server_side=True)
                    visit = Visit(connection, self.client_address[0])
                    if visit.head is not None:
                        serve(visit)
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()

        super().__init__(("127.0.0.1", PORT), Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def public_host(self) -> str:
        """Return the host that browsers use, or "" if the service chooses it."""
        return f"{PUBLIC_NAME}:{self.port}" if CERTIFICATE else PUBLIC_NAME


def _until_blank_line(connection: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b"", data
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest
