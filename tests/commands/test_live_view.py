"""The live view of a tunnel whose terminal has closed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.tunnels.loopback import eventually
from wizard.http import HttpClient, Response
from wizard.steps import live_view
from wizard.steps.live_view import LiveView
from wizard.tunnels import EVENTS_KEPT, EventKind, TunnelEvent, TunnelRequest

REQUEST = TunnelEvent(EventKind.REQUEST, "GET", "/", 200, 1.0)
CLOSED = TunnelEvent(EventKind.CLOSED, detail="the end")


class Answering:
    """A LibreChat that always answers."""

    def request(self, method: str, url: str, **_: Any) -> Response:
        return Response(url, 200, {}, b"OK")


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> HttpClient:
    monkeypatch.setattr(live_view, "TICK_SECONDS", 0.01)
    return Answering()


def test_a_closed_terminal_does_not_end_the_watch(nobody: HttpClient) -> None:
    tried: list[str] = []

    def fail(text: str) -> None:
        tried.append(text)
        raise OSError(5, "Input/output error")

    view = LiveView(3080, nobody, fail)
    watching = threading.Thread(target=view.watch, args=("https://localhost", fail))
    watching.start()
    assert eventually(lambda: tried)
    view.hear(REQUEST)
    assert watching.is_alive()
    view.hear(CLOSED)
    watching.join(60)
    assert not watching.is_alive()
    assert len(tried) == 1


def test_an_exception_in_a_listener_ends_nothing_else(tmp_path: Path) -> None:
    received: list[TunnelEvent] = []

    def fail(event: TunnelEvent) -> None:
        received.append(event)
        raise RuntimeError("the listener's own")

    request = TunnelRequest(3080, tmp_path, on_event=fail)
    for _ in range(3):
        request.on_event(REQUEST)
    assert eventually(lambda: len(received) == 3)


def test_a_slow_listener_delays_nothing(tmp_path: Path) -> None:
    received: list[TunnelEvent] = []
    terminal = threading.Event()

    def wait(event: TunnelEvent) -> None:
        assert terminal.wait(60)
        received.append(event)

    request = TunnelRequest(3080, tmp_path, on_event=wait)
    for _ in range(2 * EVENTS_KEPT):
        request.on_event(REQUEST)
    request.on_event(CLOSED)
    assert received == []
    terminal.set()
    assert eventually(lambda: received[-1:] == [CLOSED])
    assert len(received) <= EVENTS_KEPT + 2
