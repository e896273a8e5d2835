"""Holds an open tunnel until the user ends it, with keys for what they do meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from wizard.commands.choose_tunnel import OpenTunnel
from wizard.findings import ExitCode
from wizard.interrupts import signal_code
from wizard.language import Message
from wizard.ports import Ports
from wizard.rules import rule

TUNNEL_ENDED = rule("LA320")

KEYS = Message("Keys: o opens it in the browser, c copies the URL, q closes the tunnel.")
KEYS_WITH_SIGN_IN = Message(
    "Keys: o opens it in the browser, c copies the URL, s tests a sign-in, q closes the tunnel."
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
    console.done("{url} is open. Keep this running; press Ctrl-C to close it.", url=opened.url)
    if ports.prompter is not None:
        console.hint(KEYS_WITH_SIGN_IN if sign_in else KEYS)
    try:
        while (key := _watch(opened, ports, "qs" if sign_in else "q")) == "s" and sign_in:
            sign_in()
        if key == "q":
            raise KeyboardInterrupt
    except KeyboardInterrupt as ending:
        console.say()
        console.say("The tunnel is closed. Your .env stays as it is.")
        console.hint("Open it again with librechat-auth0 tunnel (-d: in the background).")
        if signal_code(ending) != ExitCode.INTERRUPTED:
            raise
        return
    raise TUNNEL_ENDED.failure(opened.url)


def _watch(opened: OpenTunnel, ports: Ports, leaving: str) -> str:
    """Show the live view; return the key of `leaving` that was typed, "" at the tunnel's end."""
    if opened.view is None:
        return ""
    pressed = ""

    def react() -> bool:
        nonlocal pressed
        for key in read():
            if key in leaving:
                pressed = key
                return True
            _do(key, opened.url, ports)
        return False

    with ExitStack() as stack:
        show = stack.enter_context(ports.console.standing())
        read: Callable[[], str] = str
        if ports.prompter is not None:
            read = stack.enter_context(ports.prompter.keys())
        opened.view.watch(opened.url, show, react)
    return pressed


def _do(key: str, url: str, ports: Ports) -> None:
    if key == "o" and not ports.desktop.open(url):
        ports.console.link("No browser. Open in any browser:", url)
    elif key == "c":
        if ports.desktop.copy(url):
            ports.console.done("Copied.")
        else:
            ports.console.link("No clipboard. Copy the line below:", url)
