"""The demo tenant as a server: HTTPS on this machine's loopback, in a thread of its own."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl

from wizard import loopback
from wizard.findings import ExitCode, Rule, Severity
from wizard.language import Message

if TYPE_CHECKING:
    import socket

    import uvicorn
    from starlette.types import Receive, Scope, Send

    from wizard.demo.endpoints import Endpoints
    from wizard.demo.tenant import Tenant

NO_START = Rule(
    id="LA450",
    severity=Severity.ERROR,
    title="The demo tenant cannot start",
    why="`--demo` needs a free port on this machine and a certificate for it.",
    fix="Run the command again. If it fails again, check the free ports and the permissions of the"
    " state folder, which holds the certificate.",
    exit_code=ExitCode.TENANT,
)

RULES = (NO_START,)


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
        self._running: loopback.Serving | None = None

    def start(self) -> None:
        """Serve, and return when requests are answered.

        Raises:
            Failure: LA450, no port is free or the certificate cannot be used.
        """
        try:
            sockets = loopback.listeners(0)
        except OSError as error:
            raise NO_START.failure(str(error.strerror)) from None
        self.tenant.domain = f"localhost:{sockets[0].getsockname()[1]}"
        try:
            self._running = loopback.Serving(self._server(), sockets, "demo tenant")
        except OSError as error:  # ssl.SSLError is one
            loopback.close_all(sockets)
            raise NO_START.failure(
                Message("{file}: {reason}", file=self._certificate, reason=error)
            ) from None

    def stop(self) -> None:
        """Stop serving. Does nothing when it is stopped."""
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

    def _server(self) -> uvicorn.Server:
        import uvicorn

        class Server(uvicorn.Server):
            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                # uvicorn would wait for the TLS shutdown of every idle connection.
                for connection in list(self.server_state.connections):
                    connection.transport.abort()
                await super().shutdown(sockets)

        config = loopback.quiet(
            self._serve,
            interface="asgi3",
            ssl_certfile=self._certificate,
            ssl_keyfile=self._key,
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        config.load()
        return Server(config)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        import asyncio

        from wizard.demo.endpoints import MAX_BODY_BYTES
        from wizard.demo.pages import Request

        body, more = b"", True
        while more and len(body) <= MAX_BODY_BYTES:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        request = Request(scope["method"], scope["raw_path"].decode(), query, headers, body)
        answer = await asyncio.to_thread(self._endpoints.answer, request)
        content = answer.body.encode()
        fields = {"Content-Length": str(len(content)), **answer.headers}
        sent = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        await send({"type": "http.response.body", "body": content})
