"""Shared fixtures of the tunnel tests: a LibreChat behind the tunnel, and a listener."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import psutil
import pytest

from tests.languages import untranslatable
from tests.providers import node_modules
from wizard.tunnels import EventKind, TunnelEvent, child

__all__ = ["node_modules"]


def until(condition: Callable[[], object], seconds: float = 60.0) -> bool:
    """Wait for the condition; return whether it came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def count_looks(monkeypatch: pytest.MonkeyPatch, *, once: Callable[[], object]) -> None:
    """Let a second pass each time a tunnel looks whether its program is ready, `once` this holds.

    So it gives a program that starts late on a busy machine as much time as any other.
    """
    looks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: float(next(looks)) if once() else 0.0)
    monkeypatch.setattr(child, "time", clock)


def children_of(pid: int, word: str = "") -> list[int]:
    """Return the children of a process whose command line has the word."""
    return [
        process.pid
        for process in psutil.process_iter(["ppid", "status", "cmdline"])
        if process.info["ppid"] == pid
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and word in " ".join(process.info["cmdline"] or ())
    ]


def supervisors(pid: int = os.getpid()) -> list[int]:
    """Return the process's supervisors of tunnel programs."""
    return children_of(pid, "wizard.system.supervisor")


def program_pid() -> int:
    """Return the process ID of the only open tunnel's program."""
    (supervisor,) = supervisors()
    (pid,) = children_of(supervisor)
    return pid


@dataclass
class Listener:
    """Record the events of a tunnel and its progress, in order."""

    events: list[TunnelEvent] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events if event.kind is not EventKind.REQUEST]

    def requests(self) -> list[TunnelEvent]:
        return [event for event in self.events if event.kind is EventKind.REQUEST]

    def received(self, kind: EventKind, seconds: float = 60.0) -> bool:
        return until(lambda: kind in self.kinds(), seconds)


class LibreChat(BaseHTTPRequestHandler):
    """Answer every request with what arrived."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = "".join(f"{name}: {value}\n" for name, value in self.headers.items()).encode()
        self.send_response(200 if self.path != "/missing" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in its base
        pass


@pytest.fixture(autouse=True)
def _quick_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "LOOK_SECONDS", 0.1)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Check in every test that all progress is translated."""
    listener = Listener()
    yield listener
    reasons = [
        event.detail
        for event in listener.events
        if event.kind in {EventKind.LOST, EventKind.CLOSED}
    ]
    assert untranslatable([*listener.lines, *reasons]) == []


@pytest.fixture
def librechat() -> Iterator[int]:
    """Return the port of a server that acts as LibreChat."""
    with ThreadingHTTPServer(("127.0.0.1", 0), LibreChat) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
