"""Opens the tunnel that the user asked for, and offers another when it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from wizard.commands.background.records import Background
from wizard.commands.live_view import LiveView
from wizard.commands.opened_urls import OpenedUrls
from wizard.commands.values import MISSING_OPTION, did_you_mean, option
from wizard.findings import ExitCode, Failure, Finding
from wizard.interrupts import signal_code
from wizard.language import Message, sentences
from wizard.ports import Ports
from wizard.rules import rule
from wizard.settings import parse_public_url
from wizard.tunnels import (
    PROVIDER_MODULES,
    Offer,
    Provider,
    Tunnel,
    TunnelRequest,
    provider,
)
from wizard.ui.prompts import Choice

NO_SUCH_TUNNEL = rule("LA006")
TUNNEL_ENDED = rule("LA320")

NO_TUNNEL = "none"
OWN_URL = "own"


@dataclass(frozen=True, slots=True)
class TunnelOptions:
    """What the user asked for; "" is no choice.

    Attributes:
        port: LibreChat's port.
        env_file: whose URL it is.
        tunnel: the provider's name.
        public_url: an HTTPS URL that already leads to LibreChat.
        requested_url: the URL to ask the named provider for.
        known_url: the URL of an earlier run.
        tunnels_only: whether a tunnel must be opened; `public_url` is no choice then.
        detach: whether the tunnel runs in the background.
        for_people: see `TunnelRequest`.
    """

    port: int
    env_file: Path
    tunnel: str = ""
    public_url: str = ""
    requested_url: str = ""
    known_url: str = ""
    tunnels_only: bool = False
    detach: bool = False
    for_people: bool = True

    def parse_url(self, text: str) -> str:
        """Return a public URL that is not LibreChat's own port; raises `InvalidValue`."""
        return parse_public_url(text, librechat_port=self.port)


@dataclass(frozen=True, slots=True)
class OpenTunnel:
    """An HTTPS URL that leads to LibreChat; `tunnel` is None for a URL of the user's own."""

    url: str
    name: str
    tunnel: Tunnel | None = None
    view: LiveView | None = None

    @property
    def findings(self) -> Sequence[Finding]:
        """What the user must know about the tunnel."""
        return self.tunnel.findings if self.tunnel is not None else ()


@contextmanager
def open_tunnel(options: TunnelOptions, ports: Ports) -> Iterator[OpenTunnel]:
    """Open an HTTPS URL, and close it with the context.

    Raises:
        Failure: it could not be opened, or a value is missing and there is no terminal to ask.
    """
    opened = _opened(options, ports)
    try:
        yield opened
    finally:
        if opened.tunnel is not None:
            opened.tunnel.close()


def keep_open(opened: OpenTunnel, ports: Ports) -> None:
    """Hold the tunnel until the user stops it with Ctrl-C.

    Raises:
        KeyboardInterrupt: another signal ends it.
        Failure: the tunnel ended by itself.
    """
    if opened.view is None:
        return
    ports.console.say()
    ports.console.done(
        Message("{url} is open. Keep this running; press Ctrl-C to close it.", url=opened.url)
    )
    try:
        with ports.console.standing() as show:
            opened.view.watch(opened.url, show)
    except KeyboardInterrupt as ending:
        ports.console.say()
        ports.console.say("The tunnel is closed. Your .env stays as it is.")
        ports.console.hint("Open it again with librechat-auth0 tunnel (-d: in the background).")
        if signal_code(ending) != ExitCode.INTERRUPTED:
            raise
        return
    raise TUNNEL_ENDED.failure(opened.url)


def _opened(options: TunnelOptions, ports: Ports) -> OpenTunnel:
    if options.public_url:
        return _as_it_is(option("--public-url", options.public_url, options.parse_url), ports)
    name = named_tunnel(options.tunnel, tunnels_only=options.tunnels_only) or _choose(
        options, ports
    )
    while name not in {NO_TUNNEL, OWN_URL}:
        try:
            return _open(provider(name), options, ports)
        except Failure as failure:
            if ports.prompter is None:
                raise
            ports.console.finding(failure.finding)
            name = _choose(options, ports, failed=name)
    return _as_it_is(_own_url(options, ports), ports)


def _as_it_is(url: str, ports: Ports) -> OpenTunnel:
    ports.console.done(Message("Using {url} without opening a tunnel.", url=url))
    return OpenTunnel(url, NO_TUNNEL)


def named_tunnel(name: str, *, tunnels_only: bool = False) -> str:
    """Return a name that is empty, a provider's or, unless `tunnels_only`, `none`; raise LA006."""
    names = (*PROVIDER_MODULES, *(() if tunnels_only else (NO_TUNNEL,)))
    if name and name not in names:
        choices = Message("Choose one of: {names}.", names=", ".join(names))
        raise NO_SUCH_TUNNEL.failure(f"--tunnel {name}", fix=did_you_mean(name, names, choices))
    return name


def _choose(options: TunnelOptions, ports: Ports, failed: str = "") -> str:
    console = ports.console
    if ports.prompter is None and options.known_url and not options.tunnels_only:
        return NO_TUNNEL
    offers = {
        name: provider(name).offer(ports.processes, ports.environ) for name in PROVIDER_MODULES
    }
    ready = [name for name, offer in offers.items() if offer.ready and name != failed]
    if ports.prompter is None:
        console.say(
            Message(
                "Using {tunnel}, the first tunnel that is ready; choose another with --tunnel.",
                tunnel=ready[0],
            )
        )
        return ready[0]
    console.say("Auth0 sends users back to an HTTPS URL. Choose how LibreChat gets one:")
    choices: list[Choice] = []
    for name, offer in offers.items():
        described = _description(provider(name), offer)
        console.hint(Message("{name}: {description}", name=name, description=described))
        label = Message("{tunnel} again", tunnel=name) if name == failed else name
        choices.append(Choice(name, label))
    if not options.tunnels_only:
        label = Message("my own HTTPS URL")
        if options.known_url:
            label = Message("my own HTTPS URL: {url}", url=options.known_url)
        choices.append(Choice(OWN_URL, label))
        if options.known_url and not failed:
            # Prefer the tunnel that gave the URL of the last run.
            ready.insert(0, _urls(options, ports).tunnel_for(options.known_url) or OWN_URL)
    return ports.prompter.select("Use", choices, default=next(iter(ready), choices[-1].key))


def _urls(options: TunnelOptions, ports: Ports) -> OpenedUrls:
    return OpenedUrls(ports.state_dir, options.env_file)


def _description(provider: Provider, offer: Offer) -> Message:
    url = Message("a new URL each time")
    if provider.has_reusable_url:
        url = Message("usually the same URL")
        if offer.stable_url:
            url = Message("always the same URL")
    return sentences(
        Message(
            "{reach}, {url}.",
            reach=Message("Public") if offer.public else Message("This computer only"),
            url=url,
        ),
        provider.summary,
        Message("Needs {needs}.", needs=Message.of(offer.needs)),
    )


def _own_url(options: TunnelOptions, ports: Ports) -> str:
    if ports.prompter is None:
        if not options.known_url:
            raise MISSING_OPTION.failure(
                "Missing: --public-url.",
                fix=Message("Add --public-url https://… or --tunnel NAME."),
            )
        return options.known_url
    return ports.prompter.text(
        "Public URL of LibreChat", parse=options.parse_url, default=options.known_url
    )


def _open(chosen: Provider, options: TunnelOptions, ports: Ports) -> OpenTunnel:
    """Open the URL of the last run, or another one if it is lost."""
    try:
        return _open_once(chosen, options, ports)
    except Failure as failure:
        is_lost = failure.finding.rule in chosen.lost_url_rules
        if not is_lost or _requested_url(chosen, options) != options.known_url:
            raise
        ports.console.warn(
            Message(
                "{url} is no longer available ({reason}).",
                url=options.known_url,
                reason=Message.of(failure.finding.rule.title),
            )
        )
        return _open_once(chosen, replace(options, known_url=""), ports)


def _open_once(chosen: Provider, options: TunnelOptions, ports: Ports) -> OpenTunnel:
    offer = chosen.offer(ports.processes, ports.environ)
    token = ""
    if offer.credential_question and ports.prompter is not None:
        ports.console.hint(offer.credential_hint)
        token = ports.prompter.secret(offer.credential_question, parse=str.strip)
    view = LiveView(options.port, ports.http, ports.console.live)
    request = TunnelRequest(
        port=options.port,
        state_dir=ports.state_dir,
        requested_url=_requested_url(chosen, options),
        token=token,
        on_event=view.hear,
        progress=ports.console.hint,
        language=ports.language,
        for_people=options.for_people,
        listen=ports.listen,
    )
    tunnel = _tunnel(chosen, request, options, ports)
    with _closed_on_error(tunnel):
        with ports.console.working(Message("Opening {tunnel}", tunnel=chosen.name)):
            url = _open_or_name_holder(tunnel, chosen, request)
        _urls(options, ports).remember(url, chosen.name)
        ports.console.done(Message("{url} leads to port {port}", url=url, port=options.port))
        for finding in tunnel.findings:
            ports.console.finding(finding)
        if token and offer.save_credential is not None and ports.prompter is not None:
            question = Message(
                "Save it in {tunnel}'s own configuration for the next time?", tunnel=chosen.name
            )
            if ports.prompter.confirm(question):
                file = offer.save_credential(token)
                ports.console.done(Message("Saved in {file}, and nowhere else.", file=file))
    return OpenTunnel(url, chosen.name, tunnel, view)


def _open_or_name_holder(tunnel: Tunnel, chosen: Provider, request: TunnelRequest) -> str:
    """Open the tunnel; if a background tunnel of ours has its URL, the failure names it."""
    try:
        return tunnel.open()
    except Failure as failure:
        url = request.requested_url
        known = Background(request.state_dir).all()
        holder = next((one for one in known if one.runs and one.url == url), None)
        if holder is None or failure.finding.rule not in chosen.url_in_use_rules:
            raise
        raise failure.finding.rule.failure(
            failure.finding.detail,
            fix=Message(
                "Stop the tunnel of {env_file}: librechat-auth0 tunnel stop --all",
                env_file=holder.env_file,
            ),
        ) from failure


def _tunnel(
    chosen: Provider, request: TunnelRequest, options: TunnelOptions, ports: Ports
) -> Tunnel:
    if not options.detach:
        return chosen.tunnel(request, ports.processes, ports.environ)
    from wizard.commands.background.tunnel import DetachedTunnel

    return DetachedTunnel(
        chosen.name, request, options.env_file, ports.environ, ports.console.language
    )


def _requested_url(chosen: Provider, options: TunnelOptions) -> str:
    """The requested URL, or that of the last run if the provider can reopen it."""
    if chosen.name == options.tunnel and options.requested_url:
        return options.requested_url
    is_its = chosen.has_reusable_url and chosen.owns(options.known_url)
    return options.known_url if is_its and urlsplit(options.known_url).port != options.port else ""


@contextmanager
def _closed_on_error(tunnel: Tunnel) -> Iterator[None]:
    try:
        yield
    except BaseException:
        tunnel.close()
        raise
