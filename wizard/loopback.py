"""Small servers of ours: on this machine's loopback and nowhere else, in a thread of their own."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from wizard.language import Message

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

SECONDS_TO_START = 10.0
ATTEMPTS_AT_A_FREE_PORT = 10
HOSTS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def quiet(application: ASGIApp, **options: Any) -> uvicorn.Config:
    """Uvicorn's settings for a server that says nothing and speaks HTTP alone; and `options`."""
    import uvicorn

    return uvicorn.Config(
        application,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        **options,
    )


class Serving:
    """A uvicorn server while it runs in a thread.

    Args:
        server: not running yet.
        sockets: where it listens; closed if it does not come up.
        name: of the thread.

    Raises:
        OSError: it did not come up.
    """

    def __init__(self, server: uvicorn.Server, sockets: list[socket.socket], name: str) -> None:
        self.server = server
        self._thread = threading.Thread(target=server.run, args=(sockets,), name=name, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + SECONDS_TO_START
        while not server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                close_all(sockets)
                raise OSError("the server did not come up")
            time.sleep(0.002)

    def stop(self) -> None:
        """Serve no longer; answers under way are given as far as the server allows."""
        self.server.should_exit = True
        self._thread.join()


def listeners(port: int) -> list[socket.socket]:
    """Sockets that listen on the same port of each loopback address that the machine has.

    Args:
        port: 0 takes a free one.

    Raises:
        OSError: the port is taken or may not be used.
    """
    for _ in range(ATTEMPTS_AT_A_FREE_PORT):
        opened: list[socket.socket] = []
        try:
            for family, host in HOSTS:
                wanted = opened[0].getsockname()[1] if opened else port
                if listener := _listener(family, host, wanted):
                    opened.append(listener)
        except OSError:
            close_all(opened)
            if port or not opened:
                raise
        else:
            return opened
    raise OSError(errno.EADDRINUSE, Message("no port is free on both 127.0.0.1 and ::1"))


def addresses() -> list[str]:
    """The loopback addresses that this machine has: IPv6 is turned off on some."""
    found = []
    for family, address in HOSTS:
        with suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
            found.append(address)
    return found


def is_answered(port: int) -> bool:
    """Whether somebody listens; some systems let two, one on all addresses, one on loopback."""
    return any(_accepts(host, port) for _, host in HOSTS)


def is_free(port: int) -> bool:
    """Whether a server of ours can have the port."""
    if is_answered(port):
        return False
    try:
        close_all(listeners(port))
    except OSError:
        return False
    return True


def close_all(sockets: list[socket.socket]) -> None:
    """Close them."""
    for each in sockets:
        each.close()


def _accepts(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def _listener(family: socket.AddressFamily, host: str, port: int) -> socket.socket | None:
    """A socket that listens; None where the machine has no such address."""
    try:
        # asyncio turns Nagle's algorithm off only where it sees that this is TCP, which
        # `socket.create_server` does not say; without, every answer takes 40 ms longer.
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
