"""Ports for programs that a test starts a moment later."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from itertools import cycle, islice
from pathlib import Path

FIRST = 12_000


def _below_ephemeral() -> range:
    """Return ports that the system never assigns to a socket bound to port 0."""
    limits = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(limits.read_text().split()[0]) if limits.exists() else 49_152
    return range(FIRST, first) if first > 2 * FIRST else range(FIRST, 60_000)


# Another test run on this machine starts at another port.
_candidates = islice(cycle(_below_ephemeral()), os.getpid() % 10_000, None)


def free_port(among: Iterable[int] = _candidates) -> int:
    """Return a free port on 127.0.0.1 that no other test of this run gets.

    Binding port 0 cannot find one: until the program listens, any connection may take it.
    """
    for port in among:
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise AssertionError("no free port")
