"""Proxies between the program and the network, on loopback."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.sockets import read_request, relay, server


@contextmanager
def refusing_proxy() -> Iterator[str]:
    """Run an HTTP proxy that requires a password; yield its URL."""

    def refuse(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(
            b"HTTP/1.1 407 Proxy Authentication Required\r\n"
            b"Proxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
        )

    with server(refuse) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def proxy_to(target: int) -> Iterator[str]:
    """Run an HTTP proxy that sends every name to the local port `target`; yield its URL."""

    def tunnel(connection: socket.socket) -> None:
        if not (head := read_request(connection)):
            return  # the program was ended
        assert head.startswith(b"CONNECT "), head
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", target)) as onward:
            relay(connection, onward)

    with server(tunnel) as port:
        yield f"http://127.0.0.1:{port}"


@dataclass
class Record:
    """The request lines that passed."""

    lines: list[str] = field(default_factory=list)

    def of(self, path: str) -> list[str]:
        """Return the request lines for this path."""
        return [line for line in self.lines if line.split()[1].startswith(path)]


@contextmanager
def counting(port: int, target: int) -> Iterator[Record]:
    """Forward `port` to `target` unchanged; yield a record of the requests."""
    record = Record()

    def note(connection: socket.socket) -> None:
        if not (head := read_request(connection)):
            return  # a check whether the port is taken
        line, _, rest = head.partition(b"\r\n")
        record.lines.append(line.decode())
        with socket.create_connection(("127.0.0.1", target)) as onward:
            # One request per connection, so that each is recorded.
            onward.sendall(line + b"\r\nConnection: close\r\n" + rest)
            relay(connection, onward)

    with server(note, port=port):
        yield record


@contextmanager
def tls_only(port: int, target: int, context: ssl.SSLContext) -> Iterator[None]:
    """Serve HTTPS on `port`, and forward to `target` without adding headers."""

    def pass_on(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", target)) as onward:
            relay(connection, onward)

    with server(pass_on, context, port):
        yield
