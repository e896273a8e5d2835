"""A server on LibreChat's port, for as long as a sign-in takes."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from wizard.findings import Rule, Severity
from wizard.http import HttpClient, NetworkError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

SECONDS_TO_START = 10.0
SECONDS_TO_END = 3
MOST_CONNECTIONS = 64
_HOSTS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))

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
        self._stop: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Serve, and return when requests are answered.

        Raises:
            Failure: LA430 or LA431, the port is taken.
        """
        sockets = self._listen()
        try:
            self._serve(sockets)
        except OSError as error:
            for listener in sockets:
                listener.close()
            raise PORT_TAKEN.failure(f"Port {self._port}: {error}") from error

    def stop(self) -> None:
        """Serve no longer; answers under way are given."""
        if self._stop is not None and self._thread is not None:
            self._stop()
            self._thread.join()
            self._stop = self._thread = None

    def _listen(self) -> list[socket.socket]:
        if _is_answered(self._port):
            raise self._taken()
        try:
            return _listeners(self._port)
        except OSError as error:
            raise PORT_TAKEN.failure(f"Port {self._port}: {error.strerror}.") from error

    def _taken(self) -> Exception:
        """By whom: LibreChat tells anybody who it is, or that it is well while it starts."""
        url = f"http://localhost:{self._port}"
        try:
            config = self._http.request("GET", f"{url}/api/config").json_object() or {}
            health = self._http.request("GET", f"{url}/health").text.strip()
        except NetworkError:
            return PORT_TAKEN.failure(f"Something listens on port {self._port}.")
        if "serverDomain" in config or "openidLoginEnabled" in config or health == "OK":
            return LIBRECHAT_HOLDS_PORT.failure(f"LibreChat answers on port {self._port}.")
        return PORT_TAKEN.failure(f"A web server that is not LibreChat holds port {self._port}.")

    def _serve(self, sockets: list[socket.socket]) -> None:
        import uvicorn

        server = uvicorn.Server(
            uvicorn.Config(
                self._application,
                interface="asgi3",
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=SECONDS_TO_END,
            )
        )

        def stop() -> None:
            server.should_exit = True

        self._stop = stop
        self._thread = threading.Thread(
            target=server.run, args=(sockets,), name="sign-in callback", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + SECONDS_TO_START
        while not server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise OSError("the server did not come up")
            time.sleep(0.005)


def is_free(port: int) -> bool:
    """Whether a `CallbackServer` can have the port."""
    if _is_answered(port):
        return False
    try:
        listeners = _listeners(port)
    except OSError:
        return False
    for listener in listeners:
        listener.close()
    return True


def _is_answered(port: int) -> bool:
    """Whether somebody listens; some systems let two, one on all addresses, one on loopback."""
    return any(_accepts(host, port) for _, host in _HOSTS)


def _accepts(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def _listeners(port: int) -> list[socket.socket]:
    """Sockets that listen on each loopback address of the machine.

    Raises:
        OSError: the port is taken or may not be used.
    """
    listeners: list[socket.socket] = []
    try:
        for family, host in _HOSTS:
            if listener := _listener(family, host, port):
                listeners.append(listener)
    except OSError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _listener(family: socket.AddressFamily, host: str, port: int) -> socket.socket | None:
    """A socket that listens; None where the machine has no such address.

    Raises:
        OSError: the port is taken or may not be used.
    """
    try:
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError:
        return None
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if family == socket.AF_INET6 and error.errno != errno.EADDRINUSE:
            return None
        raise
    return listener
