"""Small servers on loopback, and certificates for a single test."""

from __future__ import annotations

import datetime as dt
import ipaddress
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Handler = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Authority:
    """A certificate authority for tests."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, folder: Path) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Throw-away authority")
        certificate = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        authority = cls(folder, key, certificate)
        authority.pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return authority

    @classmethod
    def stolen(cls, folder: Path, certificate: Path, key: Path) -> Authority:
        """Return an authority that signs with a stolen key."""
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        return cls(folder, private, x509.load_pem_x509_certificate(certificate.read_bytes()))

    @property
    def pem(self) -> Path:
        return self.folder / "authority.pem"

    def context(
        self, host: str = "127.0.0.1", *, days: tuple[int, int] = (-1, 1)
    ) -> ssl.SSLContext:
        """Return a server's TLS context with a certificate for the host, valid between the days."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue(host, days=days))
        return context

    def issue(
        self, host: str | None, *, common_name: str = "server", days: tuple[int, int] = (-1, 1)
    ) -> Path:
        """Issue a server certificate and its key; without a host, it has only a common name."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common_name), self.certificate.subject, key.public_key(), days)
        if host is not None:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_san(host)]), critical=False
            )
        certificate = builder.sign(self.key, hashes.SHA256())
        path = self.folder / f"server-{certificate.serial_number}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _san(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    days: tuple[int, int] = (-1, 1),
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
    )


def reachable_addresses() -> set[str]:
    """Return this machine's addresses that are not loopback: its own name may resolve to none."""
    return {
        address.address
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family in {socket.AF_INET, socket.AF_INET6}
        and not ipaddress.ip_address(address.address.partition("%")[0]).is_loopback
    }


@contextmanager
def server(handler: Handler, context: ssl.SSLContext | None = None, port: int = 0) -> Iterator[int]:
    """Pass each connection to the handler; yield the port on 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", port))
    threads: list[threading.Thread] = []
    open_sockets: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        # Many of these tests are about clients that give up halfway.
        with suppress(OSError, ValueError):
            connection.settimeout(60)
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
                open_sockets.append(connection)
            with connection:
                handler(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_sockets.append(connection)
            threads.append(threading.Thread(target=serve, args=(connection,)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(60)
        for connection in open_sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in threads:
            thread.join(60)


def relay(one: socket.socket, other: socket.socket) -> bytes:
    """Copy bytes both ways until one side hangs up; return the first that `other` sent.

    In one thread, because two threads must not read and write an SSLSocket at the same time.
    """
    first, opposite = b"", {one: other, other: one}
    with suppress(OSError, ValueError):  # closed on either side
        while True:
            kept = [it for it in opposite if isinstance(it, ssl.SSLSocket) and it.pending()]
            for source in kept or select.select(list(opposite), [], [])[0]:
                piece = source.recv(65536)
                if not piece:
                    return first
                if source is other:
                    first = first or piece
                opposite[source].sendall(piece)
    return first


def read_request(connection: socket.socket) -> bytes:
    """Read a request with its body; return "" if the client hung up."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line[15:])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        ),
        0,
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
