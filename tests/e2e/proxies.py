"""What stands between the program and the network, on loopback."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.sockets import read_request, relay, server


@contextmanager
def refusing_proxy() -> Iterator[str]:
    """The URL of an HTTP proxy that wants a password."""

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
    """The URL of an HTTP proxy for which every name leads to the port `target` of this machine."""

    def tunnel(connection: socket.socket) -> None:
        head = read_request(connection)
        assert head.startswith(b"CONNECT "), head
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", target)) as onward:
            relay(connection, onward)

    with server(tunnel) as port:
        yield f"http://127.0.0.1:{port}"


@dataclass
class Record:
    """The request lines that came by."""

    lines: list[str] = field(default_factory=list)

    def of(self, path: str) -> list[str]:
        """Those for that path."""
        return [line for line in self.lines if line.split()[1].startswith(path)]


@contextmanager
def counting(port: int, target: int) -> Iterator[Record]:
    """A record of what comes to `port`, which is passed on to `target` as it is."""
    record = Record()

    def note(connection: socket.socket) -> None:
        if not (head := read_request(connection)):
            return  # only somebody who looks whether the port is taken
        line, _, rest = head.partition(b"\r\n")
        record.lines.append(line.decode())
        with socket.create_connection(("127.0.0.1", target)) as onward:
            # One request a connection, so that none goes by unseen.
            onward.sendall(line + b"\r\nConnection: close\r\n" + rest)
            relay(connection, onward)

    with server(note, port=port):
        yield record


@contextmanager
def tls_only(port: int, target: int, context: ssl.SSLContext) -> Iterator[None]:
    """HTTPS at `port` that adds nothing to what it passes on to `target`."""

    def pass_on(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", target)) as onward:
            relay(connection, onward)

    with server(pass_on, context, port):
        yield
