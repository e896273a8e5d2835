"""The HTTP server of a sign-in, on LibreChat's port."""

from __future__ import annotations

import errno
from collections.abc import Callable

from wizard.http import HttpClient, NetworkError
from wizard.http_server import Answer, HttpServer, Request
from wizard.language import Message
from wizard.loopback import Listen
from wizard.rules import LIBRECHAT_HOLDS_PORT, rule

PORT_TAKEN = rule("LA431")


def serve_callback(
    respond: Callable[[Request], Answer], port: int, http: HttpClient, listen: Listen
) -> HttpServer:
    """Start a server on the loopback addresses.

    Raises:
        Failure: LA430 or LA431, the port is taken.
    """
    try:
        listeners = listen(port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _port_taken(port, http) from error
        reason = error.strerror or error
        raise PORT_TAKEN.failure(
            Message("Port {port}: {reason}.", port=port, reason=reason)
        ) from error
    return HttpServer(respond, listeners, "sign-in callback")


def _port_taken(port: int, http: HttpClient) -> Exception:
    url = f"http://localhost:{port}"
    try:
        config = http.request("GET", f"{url}/api/config").json_object() or {}
        health = http.request("GET", f"{url}/health").text.strip()
    except NetworkError:
        return PORT_TAKEN.failure(Message("Another program uses port {port}.", port=port))
    # While it starts, LibreChat has /health and no /api/config.
    if "serverDomain" in config or "openidLoginEnabled" in config or health == "OK":
        return LIBRECHAT_HOLDS_PORT.failure(Message("LibreChat answers on port {port}.", port=port))
    return PORT_TAKEN.failure(Message("Another web server uses port {port}.", port=port))
