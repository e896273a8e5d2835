"""The process that listens at a port: its folder, user, start and environment."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

_CONTAINER = r"(?:docker|libpod|containerd)[^\s0-9]{0,40}([0-9a-f]{64})(?![0-9a-f])"
_UNIT = r"(?m)^(.*/)([^/\s]+\.service)$"
# Programs that listen for a container: of Docker, Docker Desktop, rootless Docker and Podman.
_PUBLISHERS = frozenset(
    {
        "docker-proxy",
        "dockerd",
        "com.docker.backend",
        "com.docker.vpnkit",
        "vpnkit",
        "wslrelay",
        "rootlesskit",
        "rootlessport",
        "slirp4netns",
        "pasta",
        "conmon",
        "gvproxy",
        "OrbStack Helper",
    }
)


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """A process; what the system hides from us is None or empty."""

    pid: int
    name: str = ""
    command: tuple[str, ...] = field(default=(), repr=False)
    folder: Path | None = None
    started: float | None = None  # seconds since the epoch
    user: int | None = None  # its number, None on Windows
    groups: tuple[int, ...] = ()  # their numbers, the main one first
    environ: Mapping[str, str] | None = field(default=None, repr=False)  # at its start
    container: str = ""  # the identifier of the one that it runs in
    unit: str = ""  # its systemd service
    is_user_unit: bool = False  # that is one of the user's own

    @property
    def publishes_container(self) -> bool:
        """Whether it listens in the place of a container."""
        return self.name.removesuffix(".exe") in _PUBLISHERS


def process_at(port: int) -> RunningProcess | None:
    """Return the process that listens at a TCP port of this machine.

    None where nothing listens, or the system shows the process to others only.
    """
    import psutil

    for pid in _listeners(port):
        with suppress(psutil.Error, OSError):
            return _described(psutil.Process(pid))
    return None


def _listeners(port: int) -> Iterator[int]:
    import psutil

    try:
        found = [(each.pid, each.status, each.laddr) for each in psutil.net_connections("tcp")]
    except (psutil.Error, OSError):  # macOS shows all of them to root only
        found = [
            (pid, each.status, each.laddr) for pid in psutil.pids() for each in _connections(pid)
        ]
    for number, status, address in found:
        if number and status == psutil.CONN_LISTEN and address[1:] == (port,):
            yield number


def _connections(pid: int) -> list[psutil._ntuples.pconn]:
    import psutil

    with suppress(psutil.Error, OSError):
        return psutil.Process(pid).net_connections("tcp")
    return []


def _described(process: psutil.Process) -> RunningProcess:
    """What the system shows of the process; it may refuse some of it."""
    import psutil

    info = process.as_dict(["name", "cmdline", "cwd", "create_time", "environ"])
    user: int | None = None
    groups: tuple[int, ...] = ()
    if sys.platform != "win32":
        with suppress(psutil.Error, OSError):
            user, groups = process.uids().effective, (process.gids().effective,)
    control_groups = _read(f"/proc/{process.pid}/cgroup")
    container, unit = re.search(_CONTAINER, control_groups), re.search(_UNIT, control_groups)
    return RunningProcess(
        process.pid,
        info["name"] or "",
        tuple(info["cmdline"] or ()),
        Path(info["cwd"]) if info["cwd"] else None,
        info["create_time"],
        user,
        groups + _other_groups(process.pid),
        info["environ"],
        container[1] if container else "",
        unit[2] if unit else "",
        unit is not None and "/user@" in unit[1],
    )


def _other_groups(pid: int) -> tuple[int, ...]:
    """The supplementary groups, which only Linux shows; see proc(5)."""
    line = re.search(r"^Groups:([\d \t]*)$", _read(f"/proc/{pid}/status"), re.MULTILINE)
    return tuple(map(int, line[1].split())) if line else ()


def _read(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text("utf-8", "replace")
    return ""
