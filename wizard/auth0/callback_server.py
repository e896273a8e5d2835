"""A server on LibreChat's port, for as long as a sign-in takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard import loopback
from wizard.findings import Rule, Severity
from wizard.http import HttpClient, NetworkError
from wizard.language import Message

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

SECONDS_TO_END = 3
MOST_CONNECTIONS = 64

LIBRECHAT_HOLDS_PORT = Rule(
    id="LA430",
    severity=Severity.ERROR,
    title="LibreChat is running on the port that the sign-in needs",
    why="The sign-in is proved on LibreChat's own port, so that the tunnel is proved with it.",
    fix="Stop LibreChat for a minute (`docker compose stop api`, or Ctrl-C where npm runs it), run"
    " `librechat-auth0 verify` again, then start LibreChat.",
)
PORT_TAKEN = Rule(
    id="LA431",
    severity=Severity.ERROR,
    title="Another program holds LibreChat's port",
    why="The sign-in is proved on LibreChat's own port, so that the tunnel is proved with it.",
    fix="Stop that program (`ss -ltnp` or `lsof -i` shows it), or name LibreChat's real port with"
    " --port.",
)

RULES = (LIBRECHAT_HOLDS_PORT, PORT_TAKEN)


class CallbackServer:
    """Serves the application on the loopback of IPv4 and, where there is one, IPv6."""

    def __init__(self, application: ASGIApp, port: int, http: HttpClient) -> None:
        self._application = application
        self._port = port
        self._http = http
        self._running: loopback.Serving | None = None

    def start(self) -> None:
        """Serve, and return when requests are answered.

        Raises:
            Failure: LA430 or LA431, the port is taken.
        """
        if loopback.is_answered(self._port):
            raise self._taken()
        try:
            sockets = loopback.listeners(self._port)
            self._running = loopback.Serving(self._server(), sockets, "sign-in callback")
        except OSError as error:
            reason = error.strerror or error
            raise PORT_TAKEN.failure(
                Message("Port {port}: {reason}.", port=self._port, reason=reason)
            ) from error

    def stop(self) -> None:
        """Serve no longer; answers under way are given."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    def _taken(self) -> Exception:
        """By whom: LibreChat tells anybody who it is, or that it is well while it starts."""
        url = f"http://localhost:{self._port}"
        try:
            config = self._http.request("GET", f"{url}/api/config").json_object() or {}
            health = self._http.request("GET", f"{url}/health").text.strip()
        except NetworkError:
            return PORT_TAKEN.failure(Message("Something listens on port {port}.", port=self._port))
        if "serverDomain" in config or "openidLoginEnabled" in config or health == "OK":
            return LIBRECHAT_HOLDS_PORT.failure(
                Message("LibreChat answers on port {port}.", port=self._port)
            )
        return PORT_TAKEN.failure(
            Message("A web server that is not LibreChat holds port {port}.", port=self._port)
        )

    def _server(self) -> uvicorn.Server:
        import uvicorn

        config = loopback.quiet(
            self._application,
            interface="asgi3",
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=SECONDS_TO_END,
        )
        return uvicorn.Server(config)
