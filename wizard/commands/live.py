"""An open tunnel as it is seen to work: what passes, what breaks, whether LibreChat answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

from wizard.clock import SleepWatch
from wizard.http import HttpClient, NetworkError
from wizard.text import one_line
from wizard.tunnels import EventKind, TunnelEvent

LOOK_SECONDS = 3.0
TICK_SECONDS = 0.5

Tell = Callable[[str], None]


class LiveView:
    """Tells what happens to an open tunnel, line by line, and counts it.

    Args:
        port: LibreChat's, which is looked after.
        http: by which.
        tell: gets each line; from any thread.
    """

    def __init__(self, port: int, http: HttpClient, tell: Tell) -> None:
        self._port = port
        self._http = http
        self._tell = tell
        self._lock = threading.Lock()
        self._requests = 0
        self._losses = 0
        self._over = threading.Event()
        self.ended = threading.Event()

    def hear(self, event: TunnelEvent) -> None:
        """Tell of the event; `ended` is set when the tunnel closed for good."""
        with self._lock:
            self._requests += event.kind is EventKind.REQUEST
            self._losses += event.kind is EventKind.LOST
        self._say(event_text(event))
        if event.kind is EventKind.CLOSED:
            self.ended.set()

    def watch(self, url: str, show: Tell) -> None:
        """Look after the tunnel and LibreChat until the tunnel has ended for good.

        Args:
            url: the tunnel's.
            show: gets how it stands, twice a second.
        """
        opened, sleep = time.time(), SleepWatch()
        threading.Thread(target=self._look_after_librechat, name="LibreChat", daemon=True).start()
        try:
            # In slices: a wait without an end is not interrupted by Ctrl-C on Windows.
            while not self.ended.wait(TICK_SECONDS):
                if seconds := sleep.slept():
                    self._say(f"This computer slept for {duration(seconds)}.")
                show(self._state(url, time.time() - opened))
        finally:
            self._over.set()

    def _state(self, url: str, seconds: float) -> str:
        parts = [url, f"open for {duration(seconds)}", f"requests: {self._requests}"]
        if self._losses:
            parts.append(f"{self._losses} × lost")
        return " · ".join(parts)

    def _look_after_librechat(self) -> None:
        answered = True
        while True:
            answers = self._answers()
            if self._over.is_set():
                return
            if answered and not answers:
                self._say(
                    f"LibreChat does not answer at port {self._port}. Start it; until then"
                    " visitors meet an error."
                )
            elif answers and not answered:
                self._say(f"LibreChat answers at port {self._port}.")
            answered = answers
            if self._over.wait(LOOK_SECONDS):
                return

    def _answers(self) -> bool:
        try:
            self._http.request("GET", f"http://localhost:{self._port}/health")
        except NetworkError:
            return False
        return True

    def _say(self, text: str) -> None:
        at = datetime.now().astimezone().strftime("%H:%M:%S")
        self._tell(one_line(f"{at} {text}"))


def event_text(event: TunnelEvent) -> str:
    """An event as the live view tells it."""
    match event.kind:
        case EventKind.REQUEST:
            answer = f"{event.status} {event.milliseconds:.0f} ms" if event.status else ""
            return f"{event.method:<6} {event.path} {answer}".rstrip()
        case EventKind.LOST:
            return f"The tunnel is down: {event.detail}"
        case EventKind.RESTORED:
            return f"The tunnel is back: {event.detail}"
        case EventKind.CLOSED:
            return f"The tunnel has ended: {event.detail}"


def duration(seconds: float) -> str:
    """A time span for people, in its two largest units: `2 h 5 min`."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
