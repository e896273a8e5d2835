"""The process that listens on a port, with real processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from wizard.system import running_process
from wizard.system.running_process import process_at

SERVER = """
import socket, sys, time
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    time.sleep(600)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Start a program that listens, in its own folder and with its own variable."""
    with subprocess.Popen(
        [sys.executable, "-S", "-c", SERVER],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={"OPENID_SCOPE": "openid"},
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process
        process.kill()


def test_describes_the_process(server: tuple[int, subprocess.Popen[str]], tmp_path: Path) -> None:
    port, process = server
    found = process_at(port)

    assert found is not None
    assert found.pid == process.pid
    assert found.folder == tmp_path
    assert found.command[1:3] == ("-S", "-c")
    assert found.environ is not None
    assert found.environ["OPENID_SCOPE"] == "openid"
    assert found.started is not None
    assert abs(found.started - time.time()) < 600
    if os.name == "posix":
        assert found.user == os.geteuid()
        assert os.getegid() in found.groups
    assert not found.publishes_container


def test_returns_none_when_nothing_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))

        assert process_at(bound.getsockname()[1]) is None


def test_finds_the_port_where_only_root_sees_all(
    server: tuple[int, subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like macOS, where psutil cannot list all connections."""

    def refuse(*_: object) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", refuse)
    found = process_at(server[0])

    assert found is not None
    assert found.pid == server[1].pid


def test_does_not_describe_another_users_process(
    server: tuple[int, subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who is not root sees the port, but not its owner."""
    shown = psutil.net_connections("tcp")
    hidden = [each._replace(pid=None) for each in shown]
    monkeypatch.setattr(psutil, "net_connections", lambda _: hidden)

    assert process_at(server[0]) is None


@pytest.mark.parametrize(
    ("control_groups", "container", "unit", "is_user_unit"),
    [
        ("0::/\n", "", "", False),
        (f"0::/system.slice/docker-{'a1' * 32}.scope\n", "a1" * 32, "", False),
        (f"9:name=systemd:/docker/{'b2' * 32}\n8:pids:/docker/{'b2' * 32}\n", "b2" * 32, "", False),
        (f"0::/machine.slice/libpod-{'c3' * 32}.scope/container\n", "c3" * 32, "", False),
        ("0::/system.slice/librechat.service\n", "", "librechat.service", False),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/chat.service\n",
            "",
            "chat.service",
            True,
        ),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/vte-1.scope\n", "", "", False),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", "", "", False),
    ],
)
def test_recognizes_containers_and_services(
    server: tuple[int, subprocess.Popen[str]],
    control_groups: str,
    container: str,
    unit: str,
    is_user_unit: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        running_process, "_read", lambda path: control_groups if "cgroup" in path else ""
    )
    found = process_at(server[0])

    assert found is not None
    assert (found.container, found.unit, found.is_user_unit) == (container, unit, is_user_unit)


@pytest.mark.parametrize("name", ["docker-proxy", "com.docker.backend.exe", "rootlessport"])
def test_recognizes_docker_proxies(name: str) -> None:
    assert running_process.RunningProcess(1, name).publishes_container
    assert not running_process.RunningProcess(1, "node").publishes_container
