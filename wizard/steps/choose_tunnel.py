"""Opens the tunnel that the user asked for, and offers another when it fails."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from wizard.defaults import TUNNELS
from wizard.findings import Failure
from wizard.language import Message
from wizard.ports import Ports
from wizard.rules import rule
from wizard.steps.background.records import Background
from wizard.steps.live_view import LiveView, OpenTunnel
from wizard.steps.tunnel_menu import (
    NO_TUNNEL,
    OWN_URL,
    TunnelOptions,
    choose_tunnel,
    latest_offer,
    opened_urls,
)
from wizard.steps.values import MISSING_OPTION, did_you_mean, option
from wizard.system.platforms import command_line
from wizard.system.surroundings import is_over_ssh
from wizard.tunnels import Offer, Provider, Tunnel, TunnelRequest, is_own, provider

NO_SUCH_TUNNEL = rule("LA006")
DECLINED = rule("LA378")


@contextmanager
def open_tunnel(options: TunnelOptions, ports: Ports) -> Iterator[OpenTunnel]:
    """Open an HTTPS URL, and close it with the context."""
    opened = _opened(options, ports)
    try:
        yield opened
    finally:
        if opened.tunnel is not None:
            opened.tunnel.close()


def _opened(options: TunnelOptions, ports: Ports) -> OpenTunnel:
    if options.public_url:
        return _as_it_is(option("--public-url", options.public_url, options.parse_url), ports)
    name = named_tunnel(options.tunnel, tunnels_only=options.tunnels_only)
    name = name or choose_tunnel(options, ports)
    failed: list[str] = []
    while name not in {NO_TUNNEL, OWN_URL}:
        try:
            return _open(provider(name), options, ports)
        except Failure as failure:
            if ports.prompter is None:
                raise
            ports.console.finding(failure.finding)
            failed.append(name)
            name = choose_tunnel(options, ports, failed)
    return _as_it_is(_own_url(options, ports), ports)


def _as_it_is(url: str, ports: Ports) -> OpenTunnel:
    ports.console.done("Using {url} without opening a tunnel.", url=url)
    return OpenTunnel(url, NO_TUNNEL)


def named_tunnel(name: str, *, tunnels_only: bool = False) -> str:
    """Return a name that is empty, a provider's or, unless `tunnels_only`, `none`; raise LA006."""
    names = (*TUNNELS, *(() if tunnels_only else (NO_TUNNEL,)))
    if name and name not in names:
        choices = Message("Choose one of: {names}.", names=", ".join(names))
        raise NO_SUCH_TUNNEL.failure(f"--tunnel {name}", fix=did_you_mean(name, names, choices))
    return name


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


def _open(chosen: type[Provider], options: TunnelOptions, ports: Ports) -> OpenTunnel:
    """Open the URL of the last run, or another one if it is lost.

    A failure names the background tunnel of ours that has the URL.
    """
    try:
        return _open_once(chosen, options, ports)
    except Failure as failure:
        rule, requested = failure.finding.rule, _requested_url(chosen, options)
        known = Background(ports.state_dir).all()
        holder = next((one for one in known if one.runs and one.url == requested), None)
        if holder is not None and rule == chosen.url_in_use:
            raise rule.failure(
                failure.finding.detail,
                fix=Message(
                    "Stop the tunnel of {env_file}: librechat-auth0 tunnel stop --all",
                    env_file=holder.env_file,
                ),
            ) from failure
        is_lost = rule == chosen.lost_url and requested == options.known_url != ""
        if holder is not None or not is_lost:
            raise
        ports.console.warn(
            "{url} is no longer available ({reason}).",
            url=options.known_url,
            reason=Message.of(rule.title),
        )
        return _open_once(chosen, options._replace(known_url=""), ports)


def _open_once(chosen: type[Provider], options: TunnelOptions, ports: Ports) -> OpenTunnel:
    offer = latest_offer(chosen.name, ports)
    token = _ask_first(offer, ports)
    is_for_one = not chosen.is_public and options.for_people
    asks_to_trust = is_for_one and ports.prompter is not None and not options.tunnels_only
    view = LiveView(options.port, ports.http, ports.console.live)
    request = TunnelRequest(
        port=options.port,
        state_dir=ports.state_dir,
        requested_url=_requested_url(chosen, options),
        token=token,
        on_event=view.hear,
        progress=ports.console.hint,
        language=ports.language,
        for_people=options.for_people and not asks_to_trust,
        listen=ports.listen,
    )
    tunnel = _tunnel(chosen, request, options, ports)
    with ExitStack() as on_error:
        on_error.callback(tunnel.close)
        with ports.console.working("Opening {tunnel}", tunnel=chosen.name):
            url = tunnel.open()
        opened_urls(options, ports).remember(url, chosen.name)
        ports.console.done("{url} leads to port {port}", url=url, port=options.port)
        ports.console.finding(*tunnel.findings)
        if token:
            _offer_to_save(token, offer, chosen.name, ports)
        if is_for_one and is_over_ssh(ports.environ):
            _show_forwarding(url, ports)
        elif asks_to_trust:
            from wizard.steps.trust_stores import offer_trust

            offer_trust(ports)
        on_error.pop_all()
    return OpenTunnel(url, chosen.name, tunnel, view)


def _ask_first(offer: Offer, ports: Ports) -> str:
    """Ask for the tunnel's missing credential; return it, or ""."""
    if ports.prompter is None:
        return ""
    if offer.download_question and not ports.prompter.confirm(offer.download_question):
        raise DECLINED.failure()
    if not offer.credential_question:
        return ""
    ports.console.hint(offer.credential_hint)
    return ports.prompter.text(offer.credential_question, parse=str.strip, is_hidden=True)


def _offer_to_save(token: str, offer: Offer, tunnel: str, ports: Ports) -> None:
    if offer.save_credential is None or ports.prompter is None:
        return
    question = Message("Save it in {tunnel}'s own configuration for the next time?", tunnel=tunnel)
    if ports.prompter.confirm(question):
        file = offer.save_credential(token)
        ports.changed.append(
            Message("{tunnel}'s token was saved in {file}.", tunnel=tunnel, file=file)
        )
        ports.console.done("Saved in {file}, and nowhere else.", file=file)


def _show_forwarding(url: str, ports: Ports) -> None:
    """Show how a browser on the user's own computer reaches a tunnel of this one."""
    port = urlsplit(url).port or 443
    # The client's address and port, then the server's. Source: ssh(1), ENVIRONMENT
    _, _, host, ssh_port = (*ports.environ.get("SSH_CONNECTION", "").split(), *4 * ("",))[:4]
    user = ports.environ.get("USER", "")
    command = ["ssh", "-L", f"{port}:localhost:{port}"]
    if ssh_port not in {"", "22"}:
        command += ["-p", ssh_port]
    command.append(f"{user}@{host or 'HOST'}" if user else host or "HOST")
    ports.console.verbatim(
        "This is an SSH session. Run this on your own computer, and keep it running:",
        [command_line(command)],
    )


def _tunnel(
    chosen: type[Provider], request: TunnelRequest, options: TunnelOptions, ports: Ports
) -> Tunnel:
    if not options.detach:
        return chosen(request, ports.processes, ports.environ)
    from wizard.steps.background.tunnel import DetachedTunnel

    return DetachedTunnel(
        chosen.name, request, options.env_file, ports.environ, ports.console.language
    )


def _requested_url(chosen: type[Provider], options: TunnelOptions) -> str:
    """The requested URL, or that of the last run if the provider can reopen it."""
    if chosen.name == options.tunnel and options.requested_url:
        return options.requested_url
    is_its = chosen.no_choice is None and is_own(options.known_url, chosen.domains)
    return options.known_url if is_its and urlsplit(options.known_url).port != options.port else ""
