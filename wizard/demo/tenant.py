"""The demo tenant as a server: HTTPS on this machine's loopback, in a thread of its own."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from wizard import loopback
from wizard.defaults import ENGLISH
from wizard.demo.state import Tenant
from wizard.findings import ExitCode, Rule, Severity
from wizard.language import Language, Message

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
        language: what its pages speak; English where none is given.
    """

    def __init__(
        self,
        tenant: Tenant,
        *,
        certificate: Path,
        key: Path,
        host: str = "localhost",
        port: int = 0,
        language: Language | None = None,
    ) -> None:
        self.tenant = tenant
        self._certificate = certificate
        self._key = key
        self._host = host
        self._port = port
        self._language = language or Language(ENGLISH)
        self._running: loopback.Serving | None = None

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
        # Starlette, uvicorn and PyJWT are costly to import, and this module has rules to show.
        from wizard.demo.server import server

        try:
            sockets = loopback.listeners(self._port)
        except OSError as error:
            raise NO_START.failure(
                Message("Port {port}: {reason}", port=self._port, reason=error.strerror)
            ) from None
        self.tenant.domain = f"{self._host}:{sockets[0].getsockname()[1]}"
        try:
            runner = server(self.tenant, self._certificate, self._key, self._language)
            self._running = loopback.Serving(runner, sockets, "demo tenant")
        except OSError as error:  # ssl.SSLError is one
            loopback.close_all(sockets)
            raise NO_START.failure(f"{self._certificate}: {error}") from None

    def stop(self) -> None:
        """Serve no longer."""
        if self._running is not None:
            self._running.stop()
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
