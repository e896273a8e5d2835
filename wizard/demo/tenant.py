"""The demo tenant as a server: HTTPS on this machine's loopback, in a thread of its own."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from wizard.demo.state import Tenant
from wizard.findings import ExitCode, Rule, Severity

if TYPE_CHECKING:
    import uvicorn

SECONDS_TO_START = 10.0

NO_START = Rule(
    id="LA450",
    severity=Severity.ERROR,
    title="The demo tenant cannot start",
    why="`--demo` needs a port on this machine and the certificate that was made for it.",
    fix="Run the command again without a fixed port, so that a free one is taken.",
    exit_code=ExitCode.TENANT,
)

RULES = (NO_START,)


class DemoTenant:
    """Serves a `Tenant` while the context is open, on loopback and nowhere else.

    Args:
        tenant: settings and contents; may be changed at any time.
        certificate: PEM file with the certificate (chain) for `host`.
        key: PEM file with its key.
        host: the name that stands in the issuer: a name of this machine.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        tenant: Tenant,
        *,
        certificate: Path,
        key: Path,
        host: str = "localhost",
        port: int = 0,
    ) -> None:
        self.tenant = tenant
        self._certificate = certificate
        self._key = key
        self._host = host
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def domain(self) -> str:
        """Host and port, as `--domain` takes them; the port is known once it runs."""
        return self.tenant.domain

    @property
    def issuer(self) -> str:
        """With a trailing slash, as Auth0 has it."""
        return self.tenant.issuer

    def start(self) -> None:
        """Serve, and return when requests are answered.

        Raises:
            Failure: LA450, the port is taken or the certificate cannot be used.
        """
        try:
            sockets = _listen(self._port)
        except OSError as error:
            raise NO_START.failure(f"Port {self._port}: {error.strerror}") from None
        self.tenant.domain = f"{self._host}:{sockets[0].getsockname()[1]}"
        try:
            self._serve(sockets)
        except OSError as error:  # ssl.SSLError is one
            for listener in sockets:
                listener.close()
            raise NO_START.failure(f"{self._certificate}: {error}") from None

    def stop(self) -> None:
        """Serve no longer."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
            self._server = self._thread = None

    def _serve(self, sockets: list[socket.socket]) -> None:
        # Starlette, uvicorn and PyJWT are costly to import, and this module has rules to show.
        from wizard.demo.server import server

        self._server = server(self.tenant, self._certificate, self._key)
        self._thread = threading.Thread(
            target=self._server.run, args=(sockets,), name="demo tenant", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise OSError("the server did not come up")
            time.sleep(0.002)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _listen(port: int) -> list[socket.socket]:
    """Listeners on the loopback of IPv4 and, where there is one, of IPv6; the same port.

    Raises:
        OSError: the port is taken.
    """
    for _ in range(10):
        first = _listener(socket.AF_INET, "127.0.0.1", port)
        try:
            return [first, _listener(socket.AF_INET6, "::1", first.getsockname()[1])]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return [first]
            first.close()
            if port:
                raise
    raise OSError(errno.EADDRINUSE, "no port is free on both 127.0.0.1 and ::1")


def _listener(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off only where it sees that this is TCP, which
    # `socket.create_server` does not say; without, every answer takes 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(100)
    except OSError:
        listener.close()
        raise
    return listener
