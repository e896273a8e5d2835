"""The tunnels that a user can choose, and those that opened the URLs of an `.env`."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from wizard.defaults import TUNNELS
from wizard.language import Message, joined, sentences
from wizard.ports import Ports
from wizard.settings import parse_public_url
from wizard.system.state_file import StateFile
from wizard.system.surroundings import is_over_ssh
from wizard.system.threads import begin
from wizard.tunnels import Offer, provider, providers_of
from wizard.ui.prompts import Choice

NO_TUNNEL = "none"
OWN_URL = "own"
_URLS_KEPT = 8


class TunnelOptions(NamedTuple):
    """What the user asked for; "" where nothing was chosen.

    Attributes:
        port: LibreChat's port.
        env_file: whose URL it is.
        tunnel: the provider's name.
        public_url: an HTTPS URL that already leads to LibreChat.
        requested_url: the URL to ask the named provider for.
        known_url: the URL of an earlier run.
        tunnels_only: whether a tunnel must be opened; `public_url` is not allowed then.
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


def choose_tunnel(options: TunnelOptions, ports: Ports, failed: Collection[str] = ()) -> str:
    """Return the name of the tunnel that the user chooses, `OWN_URL` or `NO_TUNNEL`.

    Unattended, it is the URL of an earlier run, or else the first tunnel that is ready. The one
    that can open that URL again comes first, those that `failed` last.
    """
    known_url, prompter = options.known_url, ports.prompter
    if prompter is None and known_url and not options.tunnels_only:
        return NO_TUNNEL
    remembered = opened_urls(options, ports).tunnel_for(known_url) if known_url else ""
    offers = _ranked_offers(ports, remembered, failed)
    ready = next((name for name, it in offers.items() if it.ready and name not in failed), "")
    if prompter is None:
        ports.console.say(
            "Using {tunnel}, the first tunnel that is ready; choose another with --tunnel.",
            tunnel=ready,
        )
        return ready
    if failed and ready:
        why = _reason(ready)
        if prompter.confirm(Message("Use {tunnel} instead ({why})?", tunnel=ready, why=why)):
            return ready
    choices = [
        Choice(name, _line(name, offer, name in failed), _details(name, offer))
        for name, offer in offers.items()
    ]
    if not options.tunnels_only:
        prefers_own = known_url and not remembered and not failed
        choices.insert(0 if prefers_own else len(choices), _own_url(known_url))
    if not failed:
        first = choices[0]
        label = Message("{choice} (recommended)", choice=Message.of(first.label))
        choices[0] = Choice(first.key, label, first.more)
    return prompter.select(
        "Which HTTPS URL should LibreChat have?", choices, default=choices[0].key
    )


def opened_urls(options: TunnelOptions, ports: Ports) -> "OpenedUrls":
    """Return the URLs that tunnels opened for the `.env`."""
    return OpenedUrls(ports.state_dir, options.env_file)


def _own_url(known_url: str) -> Choice:
    label = Message("my own HTTPS URL")
    if known_url:
        label = Message("my own HTTPS URL: {url}", url=known_url)
    return Choice(OWN_URL, label)


def _ranked_offers(ports: Ports, remembered: str, failed: Collection[str]) -> dict[str, Offer]:
    """Return what every tunnel can do here: the remembered one first, then those that are ready.

    In a remote session, one that only this computer reaches is none of them: the user's browser
    runs elsewhere.
    """
    is_remote = is_over_ssh(ports.environ)
    offers = tunnel_offers(ports)

    def rank(name: str) -> tuple[bool, ...]:
        offer = offers[name]
        is_usable = offer.ready and (provider(name).is_public or not is_remote)
        return name in failed, name != remembered, not is_usable

    return {name: offers[name] for name in sorted(offers, key=rank)}


def tunnel_offers(ports: Ports) -> dict[str, Offer]:
    """Return what every tunnel can do here; programs that were not asked yet are asked at once."""
    asked = {
        name: begin(provider(name).offer, ports.processes, ports.environ)
        for name in TUNNELS
        if name not in ports.offers
    }
    ports.offers.update({name: offer.result() for name, offer in asked.items()})
    return {name: ports.offers[name] for name in TUNNELS}


def latest_offer(name: str, ports: Ports) -> Offer:
    """Return what a tunnel can do here, and forget it: opening it may change that."""
    offer = ports.offers.pop(name, None)
    return offer or provider(name).offer(ports.processes, ports.environ)


def _reason(name: str) -> Message:
    """Return who reaches the tunnel's URL, and whether it is the same the next time."""
    kind = provider(name)
    url = Message("a new URL each time")
    if kind.no_choice is None:
        url = Message("usually the same URL")
        if kind.has_stable_url:
            url = Message("always the same URL")
    reach = Message("public") if kind.is_public else Message("this computer only")
    return joined(", ", (reach, url))


def _line(name: str, offer: Offer, has_failed: bool) -> Message:
    missing: str = Message("not installed")
    if offer.credential_question:
        missing = Message("asks for your account")
    elif offer.download_question:
        missing = Message("downloaded first")
    elif offer.missing:
        missing = Message.of(offer.missing)
    state = Message("failed") if has_failed else "" if offer.ready else missing
    return Message("{tunnel}: {why}", tunnel=name, why=joined("; ", (_reason(name), state)))


def _details(name: str, offer: Offer) -> Message:
    return sentences(
        provider(name).summary, Message("It needs {needs}.", needs=Message.of(offer.needs))
    )


class OpenedUrls:
    """The URLs that tunnels opened for one `.env`: two tunnels may own https://localhost."""

    def __init__(self, state_dir: Path, env_file: Path) -> None:
        self._file = StateFile.about(state_dir, "opened", env_file)
        self.forget = self._file.forget

    def remember(self, url: str, tunnel: str) -> None:
        """Save that this tunnel opened the URL."""
        tunnels = {known: name for known, name in self._read().items() if known != url}
        latest = [*tunnels.items(), (url, tunnel)][-_URLS_KEPT:]
        self._file.save(dict(latest))

    def tunnel_of(self, url: str) -> str:
        """Return the name of the tunnel that opened the URL, or else of the first that might.

        "" if none does.
        """
        possible = providers_of(url)
        opened_by = self._read().get(url, "")
        return opened_by if opened_by in possible else next(iter(possible), "")

    def tunnel_for(self, url: str) -> str:
        """Return the name of the tunnel that can open the URL again, "" if none can."""
        name = self.tunnel_of(url)
        return name if name and provider(name).no_choice is None else ""

    def _read(self) -> dict[str, str]:
        kept = self._file.load()
        known = kept.items() if isinstance(kept, dict) else ()
        return {url: name for url, name in known if isinstance(name, str)}
