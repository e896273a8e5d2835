"""The loopback interface: addresses and ports."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from wizard.language import Message

if TYPE_CHECKING:
    import socket

ATTEMPTS_AT_A_FREE_PORT = 10
# How long a port of this machine may take to answer; Windows tries a closed one again for 2 s.
CONNECT_SECONDS = 0.3
ADDRESSES = ("127.0.0.1", "::1")

Listen = Callable[[int], "list[socket.socket]"]  # like `listeners`


def listeners(port: int) -> list[socket.socket]:
    """Listen on that port, or a free one if 0, of every loopback address.

    Raises:
        OSError: the port is taken or not allowed.
    """
    # Some systems let two programs listen, one on all addresses and one on loopback.
    if port and answers(port):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    for _ in range(ATTEMPTS_AT_A_FREE_PORT):
        opened: list[socket.socket] = []
        try:
            for address in ADDRESSES:
                wanted = opened[0].getsockname()[1] if opened else port
                if listener := _listener(address, wanted):
                    opened.append(listener)
        except OSError:
            close_all(opened)
            if port or not opened:
                raise
        else:
            return opened
    raise OSError(errno.EADDRINUSE, Message("no port is free on both 127.0.0.1 and ::1"))


def addresses() -> list[str]:
    """Return the loopback addresses; IPv6 may be off."""
    found = []
    for address in ADDRESSES:
        with suppress(OSError), _socket(address) as probe:
            probe.bind((address, 0))
            found.append(address)
    return found


def is_free(port: int) -> bool:
    """Return whether the port can be opened."""
    try:
        close_all(listeners(port))
    except OSError:
        return False
    return True


def close_all(sockets: list[socket.socket]) -> None:
    """Close the sockets."""
    for each in sockets:
        each.close()


def answers(port: int) -> bool:
    """Return whether a program of this machine accepts connections to the port."""
    for address in ADDRESSES:
        # `create_connection` would load the codec of international names first.
        with suppress(OSError), _socket(address) as client:
            client.settimeout(CONNECT_SECONDS)
            client.connect((address, port))
            return True
    return False


def _socket(address: str) -> socket.socket:
    import socket

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # Without IPPROTO_TCP asyncio does not set TCP_NODELAY, and answers wait 40 ms for an ACK.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)


def _listener(address: str, port: int) -> socket.socket | None:
    """Return a listening socket, None if the machine does not have the address."""
    import socket

    try:
        listener = _socket(address)
    except OSError:
        return None
    try:
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if listener.family == socket.AF_INET6 and error.errno != errno.EADDRINUSE:
            return None
        raise
    return listener
