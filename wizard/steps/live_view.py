"""An open tunnel: the live view of its requests and losses, and what holds it open."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import NamedTuple

from wizard.findings import Finding
from wizard.http import HttpClient, NetworkError
from wizard.language import Message, joined
from wizard.ports import Ports
from wizard.rules import rule
from wizard.sign_in_traffic import PROBE_PATH
from wizard.system.clock import SleepWatch, duration
from wizard.system.interrupts import is_ctrl_c
from wizard.tunnels import EventKind, Tunnel, TunnelEvent

TUNNEL_ENDED = rule("LA320")
KEYS = Message("Keys: o opens it in the browser, c copies the URL, q closes the tunnel.")
KEYS_WITH_SIGN_IN = Message(
    "Keys: o opens it in the browser, c copies the URL, s tests a sign-in, q closes the tunnel."
)
LOOK_SECONDS = 3.0
TICK_SECONDS = 0.2

Tell = Callable[[str], None]


class LiveView:
    """Shows what happens to an open tunnel, and counts it.

    Args:
        port: LibreChat's, which is asked every few seconds.
        http: for that.
        tell: called with each line, which may quote a visitor, from any thread; no more after an
            OSError.
    """

    def __init__(self, port: int, http: HttpClient, tell: Tell) -> None:
        self._port = port
        self._http = http
        self._tell = tell
        self._lock = threading.Lock()
        self._requests = 0
        self._losses = 0
        self._blind = False
        self.ended = threading.Event()

    def hear(self, event: TunnelEvent) -> None:
        """Show an event that is not our own; `ended` is set when the tunnel has closed for good."""
        if event.path == PROBE_PATH:
            return
        with self._lock:
            self._requests += event.kind is EventKind.REQUEST
            self._losses += event.kind is EventKind.LOST
        self._say(event_text(event))
        if event.kind is EventKind.CLOSED:
            self.ended.set()

    def watch(self, url: str, show: Tell, leaves: Callable[[], bool] = bool) -> None:
        """Watch until the tunnel has ended or `leaves` returns True.

        Both are called a few times a second, `show` with the tunnel's state.
        """
        opened, sleep, over = time.time(), SleepWatch(), threading.Event()
        threading.Thread(
            target=self._watch_librechat, args=(over,), name="LibreChat", daemon=True
        ).start()
        try:
            # In slices: Ctrl-C does not interrupt an endless wait on Windows.
            while not self.ended.wait(TICK_SECONDS) and not leaves():
                if seconds := sleep.slept():
                    self._say(Message("This computer slept for {time}.", time=duration(seconds)))
                seconds = time.time() - opened
                state = state_text(url, seconds, requests=self._requests, losses=self._losses)
                self._show(show, state)
        finally:
            over.set()

    def _watch_librechat(self, over: threading.Event) -> None:
        answered = True
        while True:
            answers = self._answers()
            if over.is_set():
                return
            if answered and not answers:
                self._say(
                    Message(
                        "LibreChat does not respond on port {port}. Start it; visitors see an error"
                        " until then.",
                        port=self._port,
                    )
                )
            elif answers and not answered:
                self._say(Message("LibreChat responds on port {port}.", port=self._port))
            answered = answers
            if over.wait(LOOK_SECONDS):
                return

    def _answers(self) -> bool:
        try:
            self._http.request("GET", f"http://localhost:{self._port}/health")
        except NetworkError:
            return False
        return True

    def _say(self, text: str) -> None:
        at = datetime.now().astimezone().strftime("%H:%M:%S")
        self._show(self._tell, joined(" ", (at, text)))

    def _show(self, show: Tell, text: str) -> None:
        """Show the text, unless the terminal was closed, which ends no tunnel."""
        try:
            if not self._blind:
                show(text)
        except OSError:
            self._blind = True


class OpenTunnel(NamedTuple):
    """An HTTPS URL that leads to LibreChat; `tunnel` is None for a URL of the user's own."""

    url: str
    name: str
    tunnel: Tunnel | None = None
    view: LiveView | None = None

    @property
    def findings(self) -> Sequence[Finding]:
        """What the user must know about the tunnel."""
        return self.tunnel.findings if self.tunnel is not None else ()


def event_text(event: TunnelEvent) -> str:
    """Return the event as a line."""
    match event.kind:
        case EventKind.REQUEST:
            answer = f"{event.status} {event.milliseconds:.0f} ms" if event.status else ""
            return f"{event.method:<6} {event.path} {answer}".rstrip()
        case EventKind.LOST:
            return Message("The tunnel is down: {reason}", reason=Message.of(event.detail))
        case EventKind.RESTORED:
            return Message("The tunnel is up again: {reason}", reason=Message.of(event.detail))
        case EventKind.CLOSED:
            return Message("The tunnel has ended: {reason}", reason=Message.of(event.detail))


def state_text(url: str, seconds: float, *, requests: int, losses: int) -> Message:
    """Return the state of an open tunnel as a line."""
    return joined(
        " · ",
        (
            url,
            Message("open for {time}", time=duration(seconds)),
            Message("requests: {count}", count=requests),
            Message("{count} × down", count=losses) if losses else "",
        ),
    )


def keep_open(opened: OpenTunnel, ports: Ports, sign_in: Callable[[], None] | None = None) -> None:
    """Hold the tunnel until the user stops it with Ctrl-C or `q`; `sign_in` has the key `s`.

    Raises:
        KeyboardInterrupt: another signal ends it.
    """
    if opened.view is None:
        return
    console = ports.console
    console.say()
    try:
        console.done("{url} is open. Keep this running; press Ctrl-C to close it.", url=opened.url)
        if ports.prompter is not None:
            console.hint(KEYS_WITH_SIGN_IN if sign_in else KEYS)
        keys = "qs" if sign_in else "q"
        while (key := _watch(opened.url, opened.view, ports, keys)) == "s" and sign_in:
            sign_in()
        if key == "q":
            raise KeyboardInterrupt
    except KeyboardInterrupt as ending:
        console.say()
        console.say("The tunnel is closed. Your .env stays as it is.")
        console.hint("Open it again with librechat-auth0 tunnel (-d: in the background).")
        if not is_ctrl_c(ending):
            raise
        return
    raise TUNNEL_ENDED.failure(opened.url)


def _watch(url: str, view: LiveView, ports: Ports, leaving: str) -> str:
    """Show the live view; return the key of `leaving` that was typed, "" at the tunnel's end."""
    pressed = ""

    def react() -> bool:
        nonlocal pressed
        for key in read():
            if key in leaving:
                pressed = key
                return True
            _do(key, url, ports)
        return False

    with ExitStack() as stack:
        show = stack.enter_context(ports.console.standing())
        read: Callable[[], str] = str
        if ports.prompter is not None:
            read = stack.enter_context(ports.prompter.keys())
        view.watch(url, show, react)
    return pressed


def _do(key: str, url: str, ports: Ports) -> None:
    if key == "o" and not ports.desktop.open(url):
        ports.console.link("No browser here. Open in a browser:", url)
    elif key == "c":
        if ports.desktop.copy(url):
            ports.console.done("Copied.")
        else:
            ports.console.link("No clipboard. Copy the line below:", url)
