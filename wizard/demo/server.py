"""The demo tenant as a server: HTTPS on this machine's loopback, in a thread of its own."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from wizard import loopback
from wizard.http_server import HttpServer
from wizard.language import Message
from wizard.rules import rule

if TYPE_CHECKING:
    from wizard.demo.endpoints import Endpoints
    from wizard.demo.tenant import Tenant

NO_START = rule("LA450")


SECONDS_TO_END = 1.0


class TenantServer:
    """Serves a tenant on a free port of the loopback addresses while the context is open.

    Args:
        tenant: its `domain` is set by `start`.
        endpoints: those of the tenant.
        certificate: PEM file with the certificate (chain) for localhost.
        key: PEM file with its key.
    """

    def __init__(self, tenant: Tenant, endpoints: Endpoints, certificate: Path, key: Path) -> None:
        self.tenant = tenant
        self._endpoints = endpoints
        self._certificate = certificate
        self._key = key
        self._running: HttpServer | None = None

    def start(self) -> None:
        """Serve, and return when requests are answered.

        Raises:
            Failure: LA450, no port is free or the certificate cannot be used.
        """
        import ssl

        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            tls.load_cert_chain(self._certificate, self._key)
        except OSError as error:  # ssl.SSLError is one
            raise NO_START.failure(
                Message("{file}: {reason}", file=self._certificate, reason=error)
            ) from None
        try:
            listeners = loopback.listeners(0)
        except OSError as error:
            raise NO_START.failure(str(error.strerror)) from None
        self.tenant.domain = f"localhost:{listeners[0].getsockname()[1]}"
        self._running = HttpServer(self._endpoints.answer, listeners, "demo tenant", tls=tls)

    def stop(self) -> None:
        """Stop serving. Does nothing when it is stopped."""
        if self._running is not None:
            self._running.stop(SECONDS_TO_END)
            self._running = None

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
