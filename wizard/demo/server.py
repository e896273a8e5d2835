"""uvicorn as the demo tenant uses it: silent, and quick to stop."""

from __future__ import annotations

import socket
from pathlib import Path

import uvicorn

from wizard import loopback
from wizard.demo.endpoints import application
from wizard.demo.state import Tenant
from wizard.language import Language


def server(tenant: Tenant, certificate: Path, key: Path, language: Language) -> uvicorn.Server:
    """A server for the tenant that is not running yet.

    Raises:
        OSError: the certificate or its key cannot be read; `ssl.SSLError` is one.
    """
    config = loopback.quiet(
        application(tenant, language),
        ssl_certfile=certificate,
        ssl_keyfile=key,
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    config.load()
    return _Server(config)


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Hang up first: uvicorn would wait for the TLS farewell of every idle connection."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)
