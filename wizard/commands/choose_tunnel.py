"""Opens the HTTPS way to LibreChat that the user wants, and offers the next one when it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from wizard.background import Background, BackgroundTunnel
from wizard.commands.answers import MISSING_OPTION, option
from wizard.commands.live import LiveView
from wizard.findings import ExitCode, Failure, Finding, Rule, Severity
from wizard.language import Message, sentences
from wizard.ports import Ports
from wizard.settings import is_loopback, parse_public_url
from wizard.tunnels import (
    PROVIDER_MODULES,
    Offer,
    Provider,
    Tunnel,
    TunnelRequest,
    is_of,
    provider,
    tunnel_for,
)
from wizard.ui.prompts import Choice

NO_SUCH_TUNNEL = Rule(
    "LA006",
    Severity.ERROR,
    "There is no tunnel of that name",
    "",
    f"Choose one of: {', '.join(PROVIDER_MODULES)}.",
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


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for; "" where it is left open.

    Attributes:
        port: LibreChat's.
        tunnel: the name of one.
        public_url: an HTTPS URL that leads here already.
        wanted_url: for the tunnel that is asked for by name.
        known_url: of an earlier run.
        tunnels_only: whether a URL that needs no tunnel is no answer.
        background_for: the `.env` for which the tunnel shall run in the background.
        for_people: see `TunnelRequest`.
    """

    port: int
    tunnel: str = ""
    public_url: str = ""
    wanted_url: str = ""
    known_url: str = ""
    tunnels_only: bool = False
    background_for: Path | None = None
    for_people: bool = True


@dataclass(frozen=True, slots=True)
class OpenWay:
    """An HTTPS URL that leads to LibreChat.

    `tunnel` and `view` are None where it is the user's own.
    """

    url: str
    name: str
    tunnel: Tunnel | None = None
    view: LiveView | None = None

    @property
    def findings(self) -> Sequence[Finding]:
        """What is to be known of it."""
        return self.tunnel.findings if self.tunnel is not None else ()


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
    if way.view is None:
        return
    ports.console.say()
    ports.console.done(Message("{url} is open. Leave this running; Ctrl-C closes it.", url=way.url))
    try:
        with ports.console.standing() as show:
            way.view.watch(way.url, show)
    except KeyboardInterrupt:
        ports.console.say()
        ports.console.say("The tunnel is closed. The .env stays as it is.")
        return
    raise TUNNEL_ENDED.failure(way.url)


def _way(wish: Wish, ports: Ports) -> OpenWay:
    if wish.public_url:
        return _own_way(option("--public-url", wish.public_url, parse_public_url), ports)
    name = named_tunnel(wish.tunnel, tunnels_only=wish.tunnels_only) or _choose(wish, ports)
    while name not in {NO_TUNNEL, OWN_URL}:
        try:
            return _open(provider(name), wish, ports)
        except Failure as failure:
            if ports.prompter is None:
                raise
            ports.console.finding(failure.finding)
            name = _choose(wish, ports, failed=name)
    return _own_way(_own_url(wish, ports), ports)


def _own_way(url: str, ports: Ports) -> OpenWay:
    ports.console.done(Message("{url} is taken as it is; no tunnel is opened.", url=url))
    return OpenWay(url, NO_TUNNEL)


def named_tunnel(name: str, *, tunnels_only: bool = False) -> str:
    """The name, if there is a tunnel of it or none is named; `none` is one unless `tunnels_only`.

    Raises:
        Failure: LA006, there is none.
    """
    names = (*PROVIDER_MODULES, *(() if tunnels_only else (NO_TUNNEL,)))
    if name and name not in names:
        raise NO_SUCH_TUNNEL.failure(
            f"--tunnel {name}", fix=Message("Choose one of: {names}.", names=", ".join(names))
        )
    return name


def _choose(wish: Wish, ports: Ports, failed: str = "") -> str:
    console = ports.console
    if ports.prompter is None and wish.known_url and not wish.tunnels_only:
        return NO_TUNNEL
    offers = {
        name: provider(name).offer(ports.processes, ports.environ) for name in PROVIDER_MODULES
    }
    ready = [name for name, offer in offers.items() if offer.ready and name != failed]
    if ports.prompter is None:
        console.say(
            Message(
                "The tunnel is {tunnel}, the first that is ready; --tunnel takes another.",
                tunnel=ready[0],
            )
        )
        return ready[0]
    console.say("Auth0 sends people back to an HTTPS address. These can lead to LibreChat:")
    choices: list[Choice] = []
    for name, offer in offers.items():
        described = _description(provider(name), offer)
        console.hint(Message("{name}: {description}", name=name, description=described))
        label = Message("{tunnel}, once more", tunnel=name) if name == failed else name
        choices.append(Choice(name, label))
    if not wish.tunnels_only:
        label = Message("an HTTPS URL I have already")
        if wish.known_url:
            label = Message("an HTTPS URL I have already: {url}", url=wish.known_url)
        choices.append(Choice(OWN_URL, label))
        if wish.known_url and not failed:
            # What gave the URL of the last run is the first to give it again.
            ready.insert(0, tunnel_for(wish.known_url) or OWN_URL)
    return ports.prompter.select("Use", choices, default=next(iter(ready), choices[-1].key))


def _description(provider: Provider, offer: Offer) -> Message:
    url = Message("another URL each time")
    if provider.gives_again:
        url = Message("the URL mostly stays the same")
        if offer.stable_url:
            url = Message("the URL stays the same")
    return sentences(
        Message(
            "{reach}, {url}.",
            reach=Message("Public") if offer.public else Message("This computer only"),
            url=url,
        ),
        provider.summary,
        Message("Needs {needs}.", needs=Message.of(offer.needs)),
    )


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
    """The tunnel at the URL of the last run where it can be had again, else at another."""
    try:
        return _open_once(chosen, wish, ports)
    except Failure as failure:
        is_lost = failure.finding.rule in chosen.url_is_lost and not wish.wanted_url
        if not is_lost or not wish.known_url:
            raise
        ports.console.warn(
            Message(
                "{url} cannot be had again ({reason}).",
                url=wish.known_url,
                reason=Message.of(failure.finding.rule.title),
            )
        )
        return _open_once(chosen, replace(wish, known_url=""), ports)


def _open_once(chosen: Provider, wish: Wish, ports: Ports) -> OpenWay:
    offer = chosen.offer(ports.processes, ports.environ)
    token = ""
    if offer.credential_question and ports.prompter is not None:
        ports.console.hint(offer.credential_hint)
        token = ports.prompter.secret(offer.credential_question).strip()
    view = LiveView(wish.port, ports.http, ports.console.live)
    request = TunnelRequest(
        port=wish.port,
        state_dir=ports.state_dir,
        wanted_url=_wanted_url(chosen, wish),
        token=token,
        on_event=view.hear,
        progress=ports.console.hint,
        language=ports.language,
        for_people=wish.for_people,
    )
    tunnel = _tunnel(chosen, request, wish, ports)
    with _closed_on_error(tunnel):
        with ports.console.working(Message("Opening {tunnel}", tunnel=chosen.name)):
            url = _opened(tunnel, request)
        ports.console.done(Message("{url} leads to port {port}", url=url, port=wish.port))
        for finding in tunnel.findings:
            ports.console.finding(finding)
        if token and offer.save_credential is not None and ports.prompter is not None:
            question = Message(
                "Save it in {tunnel}'s own configuration, to be asked no more?", tunnel=chosen.name
            )
            if ports.prompter.confirm(question):
                file = offer.save_credential(token)
                ports.console.done(Message("Saved in {file}; it is nowhere else.", file=file))
    return OpenWay(url, chosen.name, tunnel, view)


def _opened(tunnel: Tunnel, request: TunnelRequest) -> str:
    """The URL of the tunnel, open now; a port that our own background holds is told so.

    Raises:
        Failure: it cannot be opened.
    """
    try:
        return tunnel.open()
    except Failure as failure:
        holder = _holder_of_port(failure, request)
        if holder is None:
            raise
        raise failure.finding.rule.failure(
            failure.finding.detail,
            fix=Message(
                "That is the tunnel of {env_file}. It ends with: librechat-auth0 tunnel stop --all",
                env_file=holder.env_file,
            ),
        ) from failure


def _holder_of_port(failure: Failure, request: TunnelRequest) -> BackgroundTunnel | None:
    """The tunnel in the background that has the port, where that is what failed."""
    from wizard.tunnels import local

    if failure.finding.rule is not local.PORT_TAKEN:
        return None
    port = urlsplit(request.wanted_url or local.DEFAULT_URL).port
    return next(
        (
            one
            for one in Background(request.state_dir).all()
            if one.runs and is_loopback(one.url) and urlsplit(one.url).port == port
        ),
        None,
    )


def _tunnel(chosen: Provider, request: TunnelRequest, wish: Wish, ports: Ports) -> Tunnel:
    if wish.background_for is None:
        return chosen.tunnel(request, ports.processes, ports.environ)
    from wizard.commands.detached import DetachedTunnel

    return DetachedTunnel(chosen.name, request, wish.background_for, ports.environ)


def _wanted_url(chosen: Provider, wish: Wish) -> str:
    """The user's own domain, or the URL of the last run where it can be had again."""
    if chosen.name == wish.tunnel and wish.wanted_url:
        return wish.wanted_url
    is_its = chosen.gives_again and is_of(chosen, wish.known_url)
    return wish.known_url if is_its and urlsplit(wish.known_url).port != wish.port else ""


@contextmanager
def _closed_on_error(tunnel: Tunnel) -> Iterator[None]:
    try:
        yield
    except BaseException:
        tunnel.close()
        raise
