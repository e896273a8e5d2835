"""Opens the HTTPS way to LibreChat that the user wants, and offers the next one when it fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from wizard.commands.answers import MISSING_OPTION, option
from wizard.findings import ExitCode, Failure, Rule, Severity
from wizard.ports import Ports
from wizard.settings import parse_public_url
from wizard.tunnels import (
    PROVIDER_MODULES,
    EventKind,
    Offer,
    Provider,
    Tunnel,
    TunnelEvent,
    TunnelRequest,
    provider,
)
from wizard.ui.prompts import Choice

NO_SUCH_TUNNEL = Rule(
    "LA006",
    Severity.ERROR,
    "There is no tunnel of that name",
    "",
    f"Choose one of: {', '.join(PROVIDER_MODULES)}, none.",
    exit_code=ExitCode.USAGE,
)
TUNNEL_ENDED = Rule(
    "LA320",
    Severity.ERROR,
    "The tunnel has ended",
    "Its program stopped, or the network went away for good. The .env is complete and stays.",
    "Run the command again to open the tunnel again.",
    exit_code=ExitCode.TUNNEL,
)
RULES = (NO_SUCH_TUNNEL, TUNNEL_ENDED)

NO_TUNNEL = "none"
OWN_URL = "own"
DEFAULT_TUNNEL = "ngrok"
WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for; "" where it is left open.

    `wanted_url` is for the tunnel that is asked for by name; `known_url` is that of an earlier run.
    """

    port: int
    tunnel: str = ""
    public_url: str = ""
    wanted_url: str = ""
    known_url: str = ""


@dataclass(frozen=True, slots=True)
class OpenWay:
    """An HTTPS URL that leads to LibreChat.

    `tunnel` is None where it is the user's own; `ended` is set when the tunnel closed for good.
    """

    url: str
    name: str
    tunnel: Tunnel | None = None
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def open_way(wish: Wish, ports: Ports) -> Iterator[OpenWay]:
    """The HTTPS URL, open as long as the context lasts.

    Raises:
        Failure: it could not be opened, or a value is missing and nobody can be asked.
    """
    way = _way(wish, ports)
    try:
        yield way
    finally:
        if way.tunnel is not None:
            way.tunnel.close()


def keep_open(way: OpenWay, ports: Ports) -> None:
    """Wait until the user ends it with Ctrl-C.

    Raises:
        Failure: the tunnel ended by itself.
    """
    if way.tunnel is None:
        return
    ports.console.say()
    ports.console.done(f"{way.url} is open. Leave this running; Ctrl-C closes it.")
    try:
        # In slices: a wait without an end is not interrupted by Ctrl-C on Windows.
        while not way.ended.wait(WAIT_SECONDS):
            pass
    except KeyboardInterrupt:
        ports.console.say()
        ports.console.say("The tunnel is closed. The .env stays as it is.")
        return
    raise TUNNEL_ENDED.failure(way.url)


def event_line(event: TunnelEvent, now: datetime) -> str:
    """An event as the live view shows it."""
    at = now.strftime("%H:%M:%S")
    if event.kind is EventKind.REQUEST:
        status = event.status or "-"
        return f"{at} {event.method:<6} {event.path} {status} {event.milliseconds:.0f} ms"
    words = {
        EventKind.LOST: "The tunnel lost its connection; it tries again.",
        EventKind.RESTORED: "The tunnel is back.",
        EventKind.CLOSED: "The tunnel closed.",
        EventKind.REQUEST: "",
    }
    return f"{at} {words[event.kind]} {event.detail}".rstrip()


def _way(wish: Wish, ports: Ports) -> OpenWay:
    if wish.public_url:
        return OpenWay(option("--public-url", wish.public_url, parse_public_url), NO_TUNNEL)
    if wish.tunnel not in {"", NO_TUNNEL, *PROVIDER_MODULES}:
        raise NO_SUCH_TUNNEL.failure(f"--tunnel {wish.tunnel}")
    name = wish.tunnel or _choose(wish, ports)
    while name not in {NO_TUNNEL, OWN_URL}:
        try:
            return _open(provider(name), wish, ports)
        except Failure as failure:
            if ports.prompter is None:
                raise
            ports.console.finding(failure.finding)
            name = _choose(wish, ports, failed=name)
    return OpenWay(_own_url(wish, ports), NO_TUNNEL)


def _choose(wish: Wish, ports: Ports, failed: str = "") -> str:
    if ports.prompter is None:
        return NO_TUNNEL if wish.known_url else DEFAULT_TUNNEL
    console = ports.console
    console.say("Auth0 sends people back to an HTTPS address. These can lead to LibreChat:")
    choices: list[Choice] = []
    ready: list[str] = []
    for name in PROVIDER_MODULES:
        offer = provider(name).offer(ports.processes, ports.environ)
        console.hint(f"{name}: {_description(provider(name), offer)}")
        choices.append(Choice(name, f"{name}, once more" if name == failed else name))
        if offer.ready and name != failed:
            ready.append(name)
    known = f": {wish.known_url}" if wish.known_url else ""
    choices.append(Choice(OWN_URL, f"an HTTPS URL I have already{known}"))
    default = OWN_URL if wish.known_url and not failed else [*ready, OWN_URL][0]
    return ports.prompter.select("Use", choices, default=default)


def _description(provider: Provider, offer: Offer) -> str:
    url = "The URL stays the same" if offer.stable_url else "A new URL each time"
    reach = "reachable from outside" if offer.public else "for this computer only"
    return f"{provider.summary}. {url}, {reach}. Uses {offer.needs}."


def _own_url(wish: Wish, ports: Ports) -> str:
    if ports.prompter is None:
        if not wish.known_url:
            raise MISSING_OPTION.failure(
                "Missing: --public-url.", fix="Give --public-url https://…, or --tunnel NAME."
            )
        return wish.known_url
    answer = ports.prompter.text(
        "Public URL of LibreChat", default=wish.known_url, check=parse_public_url
    )
    return parse_public_url(answer)


def _open(chosen: Provider, wish: Wish, ports: Ports) -> OpenWay:
    offer = chosen.offer(ports.processes, ports.environ)
    token = ""
    if offer.credential_question and ports.prompter is not None:
        ports.console.hint(offer.credential_hint)
        token = ports.prompter.secret(offer.credential_question).strip()
    ended = threading.Event()

    def on_event(event: TunnelEvent) -> None:
        ports.console.live(event_line(event, datetime.now().astimezone()))
        if event.kind is EventKind.CLOSED:
            ended.set()

    request = TunnelRequest(
        port=wish.port,
        state_dir=ports.state_dir,
        wanted_url=_wanted_url(chosen, wish),
        token=token,
        on_event=on_event,
        progress=ports.console.hint,
    )
    tunnel = chosen.tunnel(request, ports.processes, ports.environ)
    with ports.console.working(f"Opening {chosen.name}"), _closed_on_error(tunnel):
        url = tunnel.open()
    ports.console.done(f"{url} leads to port {wish.port}")
    if token and offer.save_credential is not None and ports.prompter is not None:
        question = f"Save it in {chosen.name}'s own configuration, to be asked no more?"
        if ports.prompter.confirm(question):
            ports.console.done(f"Saved in {offer.save_credential(token)}; it is nowhere else.")
    return OpenWay(url, chosen.name, tunnel, ended)


def _wanted_url(chosen: Provider, wish: Wish) -> str:
    """The user's own domain, or the URL of the last run where it can be had again."""
    if chosen.name == wish.tunnel and wish.wanted_url:
        return wish.wanted_url
    known = urlsplit(wish.known_url)
    is_its = (known.hostname or "").endswith(chosen.domains) and known.port != wish.port
    return wish.known_url if is_its else ""


@contextmanager
def _closed_on_error(tunnel: Tunnel) -> Iterator[None]:
    try:
        yield
    except BaseException:
        tunnel.close()
        raise
