"""A server on LibreChat's port, for as long as a sign-in takes."""

from __future__ import annotations

import errno
from collections.abc import Callable

from wizard.http import HttpClient, NetworkError
from wizard.http_server import Answer, HttpServer, Request
from wizard.language import Message
from wizard.loopback import Listen
from wizard.rules import rule

SECONDS_TO_END = 3.0

LIBRECHAT_HOLDS_PORT = rule("LA430")
PORT_TAKEN = rule("LA431")


class CallbackServer:
    """Serves on the loopback of IPv4 and, where there is one, IPv6."""

    def __init__(
        self, respond: Callable[[Request], Answer], port: int, http: HttpClient, listen: Listen
    ) -> None:
        self._listen = listen
        self._respond = respond
        self._port = port
        self._http = http
        self._running: HttpServer | None = None

    def start(self) -> None:
        """Serve, and return when requests are answered.

        Raises:
            Failure: LA430 or LA431, the port is taken.
        """
        try:
            listeners = self._listen(self._port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise self._taken() from error
            reason = error.strerror or error
            raise PORT_TAKEN.failure(
                Message("Port {port}: {reason}.", port=self._port, reason=reason)
            ) from error
        self._running = HttpServer(self._respond, listeners, "sign-in callback")

    def stop(self) -> None:
        """Serve no longer; answers under way are given."""
        if self._running is not None:
            self._running.stop(SECONDS_TO_END)
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
